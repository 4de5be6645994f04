//! What a fetch reports while it runs.

use crate::control::FetchUpdate;
use nestbox_model::StepState;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Reports steps and remembers the one that runs, so that a failure is shown where it happened.
pub(super) struct Steps<'a> {
    on_update: &'a (dyn Fn(FetchUpdate) + Send + Sync),
    running: Mutex<&'static str>,
}

impl<'a> Steps<'a> {
    pub fn new(on_update: &'a (dyn Fn(FetchUpdate) + Send + Sync)) -> Self {
        Self {
            on_update,
            running: Mutex::new("resolve"),
        }
    }
    pub fn set(&self, id: &'static str, state: StepState, detail: Option<String>) {
        if state == StepState::Running {
            *self.running.lock().unwrap_or_else(PoisonError::into_inner) = id;
        }
        (self.on_update)(FetchUpdate::Step { id, state, detail });
    }
    pub fn running(&self) -> &'static str {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets ten reports a second through, and the last one.
pub(super) struct Throttle(Mutex<Option<Instant>>);

impl Default for Throttle {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl Throttle {
    pub fn passes(&self, last: bool) -> bool {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last || before.is_none_or(|before| before.elapsed() >= Duration::from_millis(100));
        if due {
            *before = Some(Instant::now());
        }
        due
    }
}
