//! `nestbox console`: the guest's serial port on this terminal.

use crate::output::Output;
use futures_util::{SinkExt, StreamExt};
use nestbox_api::RawSocket;
use nestbox_model::{Error, Result};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

/// Ctrl-] as in telnet(1) and virsh(1).
const LEAVE: u8 = 0x1d;
/// With input from a pipe: leave when the guest has been silent this long after its end.
const QUIET_END: Duration = Duration::from_secs(2);

/// The terminal without echo and line editing until dropped.
struct RawTerminal(Termios);

impl RawTerminal {
    fn enter() -> Option<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

pub async fn run(mut socket: RawSocket, output: &Output) -> Result<()> {
    let interactive = std::io::stdin().is_terminal();
    let _raw = if interactive {
        output.note("Connected. Ctrl-] leaves.");
        RawTerminal::enter()
    } else {
        None
    };
    let mut typed = read_input();
    let mut input_ended = false;
    loop {
        tokio::select! {
            bytes = typed.recv(), if !input_ended => match bytes {
                Some(bytes) if interactive && bytes.contains(&LEAVE) => return Ok(()),
                Some(bytes) => socket.send(Message::Binary(bytes.into())).await.map_err(lost)?,
                None => input_ended = true,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    let mut stdout = std::io::stdout().lock();
                    if stdout.write_all(&bytes).and_then(|()| stdout.flush()).is_err() {
                        return Ok(());
                    }
                }
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(lost(error)),
            },
            () = tokio::time::sleep(QUIET_END), if input_ended => return Ok(()),
        }
    }
}

fn lost(error: impl std::fmt::Display) -> Error {
    Error::failed("console-lost", "The console's connection ended.").with_detail("system", error.to_string())
}

/// Standard input on a thread of its own: reads of a terminal can't be cancelled.
fn read_input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = std::io::Read::read(&mut std::io::stdin(), &mut buffer) {
            if length == 0 || sender.blocking_send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}
