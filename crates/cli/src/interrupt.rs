//! Ctrl-C: one listener from the start of the program, so that no press is lost between two waits.
//!
//! A press ends the program with 130 unless someone has claimed it: a wait that must first cancel a job, a stream that
//! ends in order, the service. The second press ends it in any case.

use nestbox_model::{Error, ErrorKind};
use std::sync::LazyLock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[derive(Clone, Copy, Default)]
struct State {
    presses: u32,
    claims: u32,
}

static STATE: LazyLock<watch::Sender<State>> = LazyLock::new(Default::default);

/// Starts listening; once, inside the runtime.
pub fn listen() {
    // Without a listener Ctrl-C ends the program the system's way.
    let Ok(mut interrupts) = signal(SignalKind::interrupt()) else {
        return;
    };
    tokio::spawn(async move {
        while interrupts.recv().await.is_some() {
            STATE.send_modify(|state| state.presses += 1);
        }
    });
}

async fn until(reached: impl FnMut(&State) -> bool) {
    // The sender is never dropped, so this ends only when it is reached.
    let _ = STATE.subscribe().wait_for(reached).await;
}

/// When the program must end at once.
pub async fn unclaimed() {
    until(|state| state.presses > 1 || (state.presses > 0 && state.claims == 0)).await;
}

/// What the program ends with then.
pub fn error() -> Error {
    interrupted("Interrupted. What was asked for may still happen.")
}

/// Exit 130 with these words.
pub fn interrupted(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Cancelled, "stopped-waiting", message)
}

/// The first press is somebody's until this is dropped.
pub struct Claim(());

/// Claims the first press, also one that has come already.
pub fn claim() -> Claim {
    STATE.send_modify(|state| state.claims += 1);
    Claim(())
}

impl Claim {
    /// Ends when Ctrl-C was pressed, now or earlier.
    pub async fn pressed(&self) {
        until(|state| state.presses > 0).await;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        STATE.send_modify(|state| state.claims -= 1);
    }
}
