//! Jobs: long work with progress that survives the window.

use crate::{Error, JobId, MachineId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum JobKind {
    Create,
    Import,
    SnapshotTake,
    SnapshotRestore,
    SnapshotDelete,
    LibraryCheck,
    Clone,
    Tidy,
    DiskAdd,
    DiskMove,
    DiskCompact,
    DiskCheck,
    CopyOut,
    Convert,
    Export,
    Backup,
    RestoreBackup,
}

/// Life of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum JobState {
    Queued,
    Running,
    Paused,
    Done,
    Failed,
    Cancelled,
}

impl JobState {
    /// Nothing more will happen.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// One job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Job {
    /// Id.
    pub id: JobId,
    /// Kind.
    pub kind: JobKind,
    /// A title for people: `Create “web”`.
    pub title: String,
    /// State.
    pub state: JobState,
    /// 0 to 1, or `None` when it can't be known.
    pub progress: Option<f64>,
    /// What it does right now, one short sentence.
    pub message: String,
    /// Machine it works on.
    pub machine: Option<MachineId>,
    /// Bytes done and in all, of the current step, where it moves bytes.
    pub bytes_done: Option<u64>,
    /// See `bytes_done`.
    pub bytes_total: Option<u64>,
    /// Bytes a second over the last seconds.
    pub rate: Option<f64>,
    /// Seconds left, once there are 2 s of data.
    pub seconds_left: Option<f64>,
    /// Steps, in order, where it has several.
    pub steps: Vec<Step>,
    /// It can be paused and resumed (downloads).
    pub pausable: bool,
    /// Made at.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Ended at.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// Why it failed.
    pub error: Option<Error>,
    /// What it found or made, once it is done; the keys depend on its kind.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub result: Option<serde_json::Value>,
}

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Step {
    /// Stable word: `resolve`, `verify-signature`, `download`, `verify-image`, `disk`, `seed`, `start`, `copy`, …
    pub id: String,
    /// For people.
    pub title: String,
    /// State.
    pub state: StepState,
    /// A fact learnt in the step (`Signed by …`, key id), for people.
    pub detail: Option<String>,
}

/// State of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum StepState {
    Waiting,
    Running,
    Done,
    /// Not needed this time (the image was cached).
    Skipped,
    Failed,
}
