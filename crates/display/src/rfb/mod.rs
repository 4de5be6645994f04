//! Our own RFB 3.8 client, for the displays of our own machines (docs/decisions/0007-own-rfb-session.md).
//!
//! ```text
//!  socket ──► reading task: messages → events ──► a short queue ──► RfbSession::next
//!     ▲
//!     └────── writing task: input → messages ◄── a queue ◄───────── RfbSession::send
//! ```
//! The two halves share only what the server told about itself ([`link`]). Where nobody takes events the reading task
//! stops reading, and the server feels it; input goes on. What it asks for: pixels in one encoding, copies, sizes,
//! pointer shapes, and QEMU's keys by place, pointer steps and keyboard lights. QEMU's sound and the extended clipboard are
//! not asked for.

mod client;
mod cursor;
mod handshake;
mod inflate;
mod link;
mod tight;
mod update;
mod wire;
mod zrle;

pub use client::PixelEncoding;

use crate::session::{DisplaySession, SessionEvent, SessionInput, SessionSource};
use link::Link;
use nestbox_model::{Error, Result};
use std::{io, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::UnixStream,
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use wire::{Wire, lost};

/// For connecting, and again for the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Events waiting to be taken; each holds at most some 2 MiB of pixels, 16 MiB where they came as JPEG.
const EVENTS: usize = 4;

/// The display of one of our machines, on a unix socket.
#[derive(Clone, Debug)]
pub struct RfbSocket {
    /// The socket.
    pub path: PathBuf,
    /// How pixels shall come.
    pub pixels: PixelEncoding,
}

/// One connection.
pub struct RfbSession {
    events: mpsc::Receiver<Result<SessionEvent>>,
    input: mpsc::Sender<SessionInput>,
    /// Ends both tasks when dropped.
    _tasks: JoinSet<()>,
}

impl SessionSource for RfbSocket {
    type Session = RfbSession;

    async fn open(&self) -> Result<RfbSession> {
        let stream = connect(&self.path).await?;
        let (reader, writer) = stream.into_split();
        RfbSession::start(reader, writer, self.pixels).await
    }
}

impl RfbSession {
    /// Shakes hands over a connection that stands, asks for the whole picture, and goes on. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// `display-lost` with the reason in words, within 5 seconds.
    pub async fn start<R, W>(reader: R, mut writer: W, pixels: PixelEncoding) -> Result<Self>
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let mut wire = Wire::new(reader);
        let handshake = async {
            let hello = handshake::shake(&mut wire, &mut writer).await?;
            let link = Link::new(hello.width, hello.height);
            writer.write_all(&client::opening(pixels, &link)).await?;
            Ok((hello, link))
        };
        let (hello, link) = timeout(HANDSHAKE_TIMEOUT, handshake)
            .await
            .map_err(|_| lost("The machine's display began to answer and then fell silent."))?
            .map_err(|fault: wire::Fault| Error::from(fault))?;
        let link = Arc::new(link);
        let (told, events) = mpsc::channel(EVENTS);
        let size = SessionEvent::Size {
            width: hello.width,
            height: hello.height,
        };
        let _ = told.try_send(Ok(size));
        let (input, queue) = mpsc::channel(client::QUEUE);
        let mut tasks = JoinSet::new();
        tasks.spawn(client::write_all(writer, Arc::clone(&link), queue, told.clone()));
        tasks.spawn(update::Reader::new(wire, link, told, hello.qemu).run());
        Ok(Self {
            events,
            input,
            _tasks: tasks,
        })
    }
}

impl DisplaySession for RfbSession {
    async fn next(&mut self) -> Result<SessionEvent> {
        self.events.recv().await.unwrap_or_else(|| Err(client::gone()))
    }

    /// Never waits.
    async fn send(&mut self, input: SessionInput) -> Result<()> {
        match self.input.try_send(input) {
            Ok(()) => Ok(()),
            // Requests repeat; and where the other side is gone, the reason is among the events.
            Err(mpsc::error::TrySendError::Full(SessionInput::Update)) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(client::deaf()),
        }
    }
}

/// Connects, with a reason where that fails.
pub(crate) async fn connect(path: &PathBuf) -> Result<UnixStream> {
    let shown = path.display().to_string();
    timeout(HANDSHAKE_TIMEOUT, UnixStream::connect(path))
        .await
        .map_err(|_| lost("The machine's display does not answer.").with_detail("socket", shown.clone()))?
        .map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "The machine's display is not there yet.",
                io::ErrorKind::ConnectionRefused => "The machine's display is closed.",
                io::ErrorKind::PermissionDenied => "This account may not open the machine's display.",
                _ => "The machine's display could not be opened.",
            };
            lost(why)
                .with_detail("socket", shown)
                .with_detail("technical", error.to_string())
        })
}
