//! Serial consoles. QEMU takes one client on a serial socket and stands still when that client stops reading, so one
//! task reads it all the time and hands out what comes to any number of viewers; one that is too slow misses some.

use crate::Engine;
use crate::machine::MachineRef;
use bytes::{Bytes, BytesMut};
use nestbox_model::{Error, Result};
use std::sync::{Arc, Weak};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{broadcast, mpsc};

/// Pieces of output a slow viewer may lag behind.
const BACKLOG: usize = 256;
/// Pieces of input that may wait for the guest.
const INPUT_BACKLOG: usize = 64;
const PIECE_BYTES: usize = 16 << 10;

/// The shared connection to one machine's serial port; it ends with the last viewer.
pub(crate) struct ConsoleHub {
    output: broadcast::Sender<Bytes>,
    input: mpsc::Sender<Bytes>,
}

/// One viewer of a serial console.
pub struct Console {
    hub: Arc<ConsoleHub>,
    output: broadcast::Receiver<Bytes>,
}

/// What a viewer gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleOutput {
    /// Bytes the guest wrote.
    Bytes(Bytes),
    /// The viewer was too slow and missed some.
    Lost,
}

impl Console {
    /// What the guest writes next; `None` when the machine is off.
    pub async fn next(&mut self) -> Option<ConsoleOutput> {
        match self.output.recv().await {
            Ok(bytes) => Some(ConsoleOutput::Bytes(bytes)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(ConsoleOutput::Lost),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// Where to write what the user types.
    pub fn input(&self) -> mpsc::Sender<Bytes> {
        self.hub.input.clone()
    }
}

impl Engine {
    /// Opens the serial console of a running machine; several may look at once.
    ///
    /// # Errors
    /// `machine-not-running`, or why the port can't be opened.
    pub async fn console(&self, wanted: MachineRef<'_>) -> Result<Console> {
        let handle = self.find(wanted)?;
        handle.session()?;
        let existing = handle.read().console.upgrade();
        if let Some(hub) = existing.filter(|hub| !hub.input.is_closed()) {
            let output = hub.output.subscribe();
            return Ok(Console { hub, output });
        }
        let path = self.layout().machine_run(&handle.id).serial();
        let stream = UnixStream::connect(&path)
            .await
            .map_err(|e| Error::io("open the serial console", &path, &e))?;
        let (sender, output) = broadcast::channel(BACKLOG);
        let (input, typed) = mpsc::channel(INPUT_BACKLOG);
        let hub = Arc::new(ConsoleHub {
            output: sender.clone(),
            input,
        });
        handle.write().console = Arc::downgrade(&hub);
        tokio::spawn(pump(stream, sender, typed));
        Ok(Console { hub, output })
    }
}

/// Ends when the guest's port closes or the last viewer is gone.
async fn pump(stream: UnixStream, output: broadcast::Sender<Bytes>, mut typed: mpsc::Receiver<Bytes>) {
    let (mut from_guest, mut to_guest) = stream.into_split();
    let writer = tokio::spawn(async move {
        // A guest that does not read its port must not stop the reading from it.
        while let Some(bytes) = typed.recv().await {
            if to_guest.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = BytesMut::with_capacity(PIECE_BYTES);
    let mut nobody = tokio::time::interval(std::time::Duration::from_secs(1));
    loop {
        tokio::select! {
            read = from_guest.read_buf(&mut buffer) => match read {
                Ok(0) | Err(_) => break,
                Ok(_) => {
                    let _ = output.send(buffer.split().freeze());
                    buffer.reserve(PIECE_BYTES);
                }
            },
            _ = nobody.tick() => if output.receiver_count() == 0 { break },
        }
    }
    writer.abort();
}

/// No hub.
pub(crate) fn none() -> Weak<ConsoleHub> {
    Weak::new()
}
