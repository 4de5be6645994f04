//! QEMU's jobs, seen from outside: long work on block nodes that is asked about, cancelled and dismissed by name.

use super::saving::STALLED;
use crate::qmp::{Qmp, QmpEvent};
use nestbox_model::{Error, Result};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{sync::broadcast, time::Instant};

/// How often a job is asked about when it says nothing.
const EVERY: Duration = Duration::from_millis(20);

/// A job that stays in the list until it is dismissed.
pub(super) struct Job<'a> {
    pub qmp: &'a Qmp,
    pub id: String,
}

/// What a job says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct JobState {
    /// `running`, `ready`, `pending`, `concluded`, …
    pub status: String,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all, as known now.
    pub total: u64,
    /// Why it failed.
    pub error: Option<String>,
}

impl JobState {
    fn read(entry: &Value) -> Self {
        Self {
            status: entry["status"].as_str().unwrap_or_default().to_owned(),
            done: entry["current-progress"].as_u64().unwrap_or(0),
            total: entry["total-progress"].as_u64().unwrap_or(0),
            error: entry["error"].as_str().map(str::to_owned),
        }
    }
}

/// All jobs: id, type, state.
pub(super) async fn list(qmp: &Qmp) -> Result<Vec<(String, String, JobState)>> {
    let answer = qmp.raw("query-jobs", Value::Null).await?;
    let entries = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let word = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    Ok(entries
        .iter()
        .map(|entry| (word(entry, "id"), word(entry, "type"), JobState::read(entry)))
        .collect())
}

impl Job<'_> {
    /// How it is. A job that is not in the list any more counts as concluded.
    pub async fn state(&self) -> Result<JobState> {
        let found = list(self.qmp)
            .await?
            .into_iter()
            .find(|(id, _, _)| *id == self.id);
        Ok(found.map_or_else(
            || JobState {
                status: "concluded".into(),
                error: Some("the job vanished".into()),
                ..JobState::default()
            },
            |(_, _, state)| state,
        ))
    }

    /// Runs `job-complete`, `job-finalize`, `job-dismiss`.
    pub async fn order(&self, command: &str) -> Result<()> {
        self.qmp.raw(command, json!({"id": self.id})).await.map(drop)
    }

    /// Waits until it is in one of these states, or concluded. Fails when nothing moves for a minute.
    pub async fn until(&self, wanted: &[&str]) -> Result<JobState> {
        let mut patience = Patience::new();
        let mut events = self.qmp.subscribe();
        loop {
            let state = self.state().await?;
            if state.status == "concluded" || wanted.contains(&state.status.as_str()) {
                return Ok(state);
            }
            patience.check(&state)?;
            let _ = tokio::time::timeout(EVERY, changed(&mut events)).await;
        }
    }

    /// Cancels it and waits until it is gone. Returns how it ended: without an error it was done already.
    pub async fn cancel(&self) -> Result<JobState> {
        // Refused when it concluded in this very moment.
        let _ = self.order("job-cancel").await;
        let state = self.until(&[]).await?;
        self.dismiss().await;
        Ok(state)
    }

    /// Takes it from the list.
    pub async fn dismiss(&self) {
        if let Err(error) = self.order("job-dismiss").await {
            tracing::debug!(%error, job = self.id, "a job was not dismissed");
        }
    }
}

/// Waits until some job says that it changed.
pub(super) async fn changed(events: &mut broadcast::Receiver<QmpEvent>) {
    loop {
        match events.recv().await {
            Ok(event) if event.name == "JOB_STATUS_CHANGE" => return,
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            // Whoever asks next learns it.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// A limit on standing still, whatever there is to do.
pub(super) struct Patience {
    last: JobState,
    since: Instant,
}

impl Patience {
    pub fn new() -> Self {
        Self {
            last: JobState::default(),
            since: Instant::now(),
        }
    }

    /// # Errors
    /// `merge-failed` when the job has been in this very state for too long.
    pub fn check(&mut self, state: &JobState) -> Result<()> {
        if *state != self.last {
            *self = Self {
                last: state.clone(),
                since: Instant::now(),
            };
        }
        if self.since.elapsed() < STALLED {
            return Ok(());
        }
        Err(
            Error::failed("merge-failed", "Merging two disk images made no progress.")
                .with_detail("status", state.status.clone())
                .with_detail("done", state.done)
                .with_detail("total", state.total),
        )
    }
}
