//! Events: what changed, for every client.

use crate::{Job, Machine, MachineId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum EventKind {
    /// A machine joined the library (`machine_now` is set).
    #[serde(rename = "machine.added")]
    MachineAdded,
    /// A machine's spec, name or facts changed (`machine_now` is set).
    #[serde(rename = "machine.changed")]
    MachineChanged,
    /// A machine's state changed (`machine_now` is set).
    #[serde(rename = "machine.state")]
    MachineState,
    /// A machine went to the trash.
    #[serde(rename = "machine.removed")]
    MachineRemoved,
    /// The trash changed.
    #[serde(rename = "trash.changed")]
    TrashChanged,
    /// A snapshot was taken.
    #[serde(rename = "snapshot.taken")]
    SnapshotTaken,
    /// The present went back to a snapshot.
    #[serde(rename = "snapshot.restored")]
    SnapshotRestored,
    /// A snapshot was renamed or its notes changed.
    #[serde(rename = "snapshot.changed")]
    SnapshotChanged,
    /// A snapshot was deleted.
    #[serde(rename = "snapshot.deleted")]
    SnapshotDeleted,
    /// A job was made, moved on or ended (`job` is set). At most 10 a second for each job.
    #[serde(rename = "job.progress")]
    JobProgress,
    /// A setting changed.
    #[serde(rename = "config.changed")]
    ConfigChanged,
    /// Downloads were removed from the image cache.
    #[serde(rename = "cache.changed")]
    CacheChanged,
    /// Doctor has new findings.
    #[serde(rename = "doctor.changed")]
    DoctorChanged,
    /// The client missed events (it was slow): it should read everything again.
    #[serde(rename = "events.lost")]
    EventsLost,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Event {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What.
    pub kind: EventKind,
    /// Machine it is about.
    pub machine: Option<MachineId>,
    /// The machine as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_now: Option<Box<Machine>>,
    /// The job as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Box<Job>>,
    /// A sentence for the activity list, where a user would want one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
