//! Control of a fetch and what it reports.

use nestbox_model::{Error, Result, StepState};
use std::sync::Arc;
use tokio::sync::watch;

/// The steps of a fetch, in order.
pub const STEPS: [&str; 4] = ["resolve", "verify-signature", "download", "verify-image"];

/// What a fetch reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchUpdate {
    /// A step's state changed, or its detail.
    Step {
        /// One of [`STEPS`].
        id: &'static str,
        /// State.
        state: StepState,
        /// A fact for people.
        detail: Option<String>,
    },
    /// Bytes of the download, at most ten times a second.
    Bytes {
        /// Bytes there, those of an earlier try included.
        done: u64,
        /// Bytes in all, where the server says.
        total: Option<u64>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Run,
    Pause,
    Cancel,
}

/// Cancels, pauses and resumes a fetch; clones share one state.
#[derive(Clone, Debug)]
pub struct FetchControl(Arc<watch::Sender<Wish>>);

impl Default for FetchControl {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Wish::Run)))
    }
}

impl FetchControl {
    /// A control that lets the fetch run.
    pub fn new() -> Self {
        Self::default()
    }
    /// Ends the fetch with the error `cancelled`; what it had downloaded is removed. Final.
    pub fn cancel(&self) {
        self.0.send_replace(Wish::Cancel);
    }
    /// Stops downloading until [`Self::resume`]; what is there is kept.
    pub fn pause(&self) {
        self.0
            .send_if_modified(|wish| *wish == Wish::Run && std::mem::replace(wish, Wish::Pause) == Wish::Run);
    }
    /// Goes on after [`Self::pause`].
    pub fn resume(&self) {
        self.0.send_if_modified(|wish| {
            *wish == Wish::Pause && std::mem::replace(wish, Wish::Run) == Wish::Pause
        });
    }
    /// It was cancelled.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow() == Wish::Cancel
    }
    /// It is paused.
    pub fn is_paused(&self) -> bool {
        *self.0.borrow() == Wish::Pause
    }
    /// Waits while paused.
    ///
    /// # Errors
    /// `cancelled`.
    pub(crate) async fn ready(&self) -> Result<()> {
        let mut wish = self.0.subscribe();
        match wish.wait_for(|wish| *wish != Wish::Pause).await.map(|wish| *wish) {
            Ok(Wish::Run) => Ok(()),
            _ => Err(Error::cancelled()),
        }
    }
    /// Ends when it is cancelled.
    pub(crate) async fn cancelled(&self) {
        let mut wish = self.0.subscribe();
        // The sender lives in `self`, so this can't fail while we wait.
        let _ = wish.wait_for(|wish| *wish == Wish::Cancel).await;
    }
    /// Runs `work` unless it is cancelled first.
    ///
    /// # Errors
    /// `cancelled`, or what `work` gives.
    pub(crate) async fn guard<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancelled() => Err(Error::cancelled()),
            result = work => result,
        }
    }
}
