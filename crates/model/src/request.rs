//! What clients ask for, and the answers that are not nouns of their own.

use crate::{Arch, FileAction, Firmware, Job, Machine, MachineId, PortForward, Snapshot, Usage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// Make a machine. Unset values come from the template, the file or this computer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CreateRequest {
    /// Name; must be free.
    pub name: String,
    /// What it is made from.
    pub source: CreateSource,
    /// Architecture; the template's first (native if there) or this computer's otherwise.
    #[serde(default)]
    pub arch: Option<Arch>,
    /// Virtual processors.
    #[serde(default)]
    pub cpus: Option<u32>,
    /// Bytes.
    #[serde(default)]
    pub memory: Option<u64>,
    /// Capacity of the first disk, bytes.
    #[serde(default)]
    pub disk: Option<u64>,
    /// Firmware.
    #[serde(default)]
    pub firmware: Option<Firmware>,
    /// Account to make (cloud images).
    #[serde(default)]
    pub user: Option<String>,
    /// Its password. Only a hash of it is kept, in the seed.
    #[serde(default)]
    pub password: Option<String>,
    /// Public keys that may sign in, beside the machine's own.
    #[serde(default)]
    pub ssh_keys: Vec<String>,
    /// Further cloud-init user-data.
    #[serde(default)]
    pub user_data: Option<String>,
    /// Network of the first NIC; `default` unless set.
    #[serde(default)]
    pub network: Option<String>,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Start it when it is ready.
    #[serde(default)]
    pub start: bool,
}

/// What a machine is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CreateSource {
    /// The catalogue.
    Template {
        /// Template id.
        id: String,
    },
    /// An installer or live medium of the user's, read where it is.
    Iso {
        /// Absolute path.
        path: String,
    },
    /// A disk image of the user's.
    DiskImage {
        /// Absolute path.
        path: String,
        /// What happens to the file.
        #[serde(default)]
        action: FileAction,
    },
    /// An empty disk.
    Blank,
}

/// New settings by key; the keys are [`Machine::settable`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChangeRequest {
    /// Key → value. Strings are parsed as on the command line (`memory` takes `4G` or a number of bytes).
    #[schema(value_type = std::collections::HashMap<String, Object>)]
    pub changes: BTreeMap<String, serde_json::Value>,
}

/// Take a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SnapshotRequest {
    /// Name; a good one is made when unset.
    #[serde(default)]
    pub name: Option<String>,
    /// Notes.
    #[serde(default)]
    pub notes: String,
    /// Keep the guest's memory too; unset: yes if it runs or is paused.
    #[serde(default)]
    pub memory: Option<bool>,
}

/// A snapshot that was just taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SnapshotTaken {
    /// The snapshot.
    #[serde(flatten)]
    pub snapshot: Snapshot,
    /// How long the guest stood still, seconds.
    pub paused_seconds: f64,
}

/// All snapshots of a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SnapshotList {
    /// The one the present grew from.
    pub current: Option<crate::SnapshotId>,
    /// Oldest first.
    pub snapshots: Vec<Snapshot>,
}

/// Restore a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RestoreRequest {
    /// Throw the present away instead of keeping it as a snapshot.
    #[serde(default)]
    pub discard: bool,
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Restored {
    /// The machine now.
    pub machine: Machine,
    /// The present as it was before, kept as a snapshot: restore it to undo.
    pub kept: Option<Snapshot>,
}

/// What deleting snapshots did (or would do).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SnapshotsDeleted {
    /// Snapshots that are gone.
    pub deleted: Vec<Snapshot>,
    /// Bytes freed.
    pub freed: u64,
}

/// A job that was started, and the machine it makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobStarted {
    /// The job.
    pub job: Job,
    /// The machine, in state `creating`.
    pub machine: Machine,
}

/// A deleted machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrashEntry {
    /// Its id.
    pub id: MachineId,
    /// Its name.
    pub name: String,
    /// When it was deleted.
    #[serde(with = "time::serde::rfc3339")]
    pub deleted_at: OffsetDateTime,
    /// Bytes on disk.
    pub size: u64,
    /// Absolute path.
    pub folder: String,
}

/// What emptying the trash did (or would do).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrashEmptied {
    /// Machines that are gone for good.
    pub removed: Vec<TrashEntry>,
    /// Bytes freed.
    pub freed: u64,
}

/// Port forwards of a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PortList {
    /// Forwards.
    pub ports: Vec<PortForward>,
}

/// The command a machine runs as.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CommandShown {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The same, quoted for a POSIX shell.
    pub shell: String,
}

/// The last part of a machine's logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Logs {
    /// What the hypervisor said.
    pub backend: String,
    /// What the guest wrote to its serial port.
    pub serial: String,
}

/// A line of the activity list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ActivityEntry {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Machine it is about.
    pub machine: Option<MachineId>,
    /// Event kind's word.
    pub kind: String,
    /// A sentence.
    pub message: String,
}

/// What `library check` found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LibraryReport {
    /// Nothing is wrong.
    pub ok: bool,
    /// What is.
    pub problems: Vec<LibraryProblem>,
    /// Machines read from their folders, when it was rebuilt.
    pub rebuilt: Option<u32>,
}

/// One thing that is wrong in the library.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LibraryProblem {
    /// Stable word.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// Where.
    pub path: Option<String>,
}

/// What everything uses right now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Stats {
    /// This computer.
    pub host: HostUsage,
    /// Running machines.
    pub machines: Vec<Usage>,
}

/// What this computer uses right now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HostUsage {
    /// Cores in use.
    pub cpu: f64,
    /// Cores there are.
    pub cpus: u32,
    /// Bytes.
    pub memory: u64,
    /// Bytes.
    pub memory_free: u64,
    /// Bytes free where the library is.
    pub disk_free: u64,
}

/// The service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ServiceInfo {
    /// Program version.
    pub version: String,
    /// API version: 1.
    pub api: u32,
    /// Process.
    pub pid: u32,
    /// Absolute path.
    pub data_dir: String,
    /// When it started.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// Where it is offered to browsers, without the token.
    pub listen: Option<String>,
}
