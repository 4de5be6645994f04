//! What clients ask for, and the answers that are not nouns of their own.

use crate::{Arch, FileAction, Firmware, Job, Machine, MachineId, PortForward, Setup, Snapshot, Usage};
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
    /// What cloud-init does at the first boot, beside what the template says.
    #[serde(default)]
    pub setup: Setup,
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
        /// Absolute path of the ISO, for a template that leaves it to the user.
        #[serde(default)]
        medium: Option<String>,
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
    /// No rule removes it.
    #[serde(default)]
    pub keep: bool,
}

/// Take snapshots of several machines at one instant: by name or id, by tag, by network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TogetherRequest {
    /// Names or ids.
    #[serde(default)]
    pub machines: Vec<String>,
    /// All machines with this tag.
    #[serde(default)]
    pub tag: Option<String>,
    /// All machines with a NIC on this network.
    #[serde(default)]
    pub network: Option<String>,
    /// Name of each snapshot; a good one is made when unset.
    #[serde(default)]
    pub name: Option<String>,
    /// Notes of each.
    #[serde(default)]
    pub notes: String,
    /// Keep the memory of those that run too; unset: yes.
    #[serde(default)]
    pub memory: Option<bool>,
    /// No rule removes them.
    #[serde(default)]
    pub keep: bool,
}

/// Snapshots of several machines that were cut at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TakenTogether {
    /// Shared by the snapshots.
    pub group: String,
    /// One for each machine.
    pub snapshots: Vec<MachineSnapshot>,
    /// Longest time that a guest stood still, seconds.
    pub paused_seconds: f64,
}

/// A snapshot and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MachineSnapshot {
    /// Machine.
    pub machine: MachineId,
    /// Its name.
    pub machine_name: String,
    /// The snapshot.
    pub snapshot: Snapshot,
}

/// Clone a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CloneRequest {
    /// Name of the clone; must be free.
    pub name: String,
    /// Clone this snapshot; unset: the present, by a snapshot of its own.
    #[serde(default)]
    pub snapshot: Option<String>,
    /// An independent copy; else the clone stands on the original's images.
    #[serde(default)]
    pub full: bool,
    /// Start it when it is ready.
    #[serde(default)]
    pub start: bool,
}

/// A clone that was made (linked), or is being made (full: `job`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CloneStarted {
    /// The job that copies the disks of a full clone.
    pub job: Option<Job>,
    /// The clone.
    pub machine: Machine,
    /// What is new in it and what stays equal, in sentences.
    pub notes: Vec<String>,
}

/// What differs between two points of a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Comparison {
    /// The earlier side as it was asked for.
    pub from: ComparedPoint,
    /// The other side.
    pub to: ComparedPoint,
    /// Settings that differ.
    pub settings: Vec<SettingDifference>,
    /// Disks that differ.
    pub disks: Vec<DiskDifference>,
    /// Time between the two, seconds; 0 or more.
    pub seconds_between: f64,
}

/// One side of a [`Comparison`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ComparedPoint {
    /// `None` is the present.
    pub id: Option<crate::SnapshotId>,
    /// Name; “Now” for the present.
    pub name: String,
    /// It holds memory.
    pub memory: bool,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SettingDifference {
    /// Setting, as in `set`, or `disks`, `nics`, `ports`, `medium`.
    pub key: String,
    /// Text; empty where it was not there.
    pub before: String,
    /// Text; empty where it is not there.
    pub after: String,
}

/// A disk that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskDifference {
    /// Disk.
    pub id: crate::DiskId,
    /// At most so many bytes differ: those of the clusters written on the way from one to the other.
    pub written: u64,
}

/// What takes space, and what could be freed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SpaceReport {
    /// Bytes free where the library is.
    pub free: u64,
    /// Largest first.
    pub items: Vec<SpaceItem>,
}

/// One thing that takes space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SpaceItem {
    /// What it is.
    pub kind: SpaceKind,
    /// Whose.
    pub machine: Option<MachineId>,
    /// Whose, by name.
    pub machine_name: Option<String>,
    /// Of which snapshot.
    pub snapshot: Option<crate::SnapshotId>,
    /// For people.
    pub title: String,
    /// Bytes on this computer's disk.
    pub bytes: u64,
    /// Bytes that `action` would free.
    pub freeable: u64,
    /// What can be done about it.
    pub action: Option<SpaceAction>,
    /// A sentence: why it can't be freed, or what would be lost.
    pub note: Option<String>,
}

/// Kinds of [`SpaceItem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SpaceKind {
    /// A snapshot's memory file.
    Memory,
    /// A snapshot's images.
    Snapshot,
    /// Images of deleted snapshots that others still stand on.
    Leftover,
    /// The memory of a suspended machine.
    Suspended,
    /// The machine's own active images.
    Disk,
    /// A deleted machine.
    Trash,
    /// Downloaded images.
    Cache,
}

/// What frees a [`SpaceItem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum SpaceAction {
    DropMemory,
    DeleteSnapshot,
    Tidy,
    DiscardState,
    EmptyTrash,
    PruneCache,
}

/// The image cache: verified downloads that new machines stand on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CacheList {
    /// Images, largest first.
    pub images: Vec<CachedImage>,
    /// Bytes of downloads that were not finished; they go on where they were.
    pub partial: u64,
}

/// One image of the cache.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CachedImage {
    /// Absolute path.
    pub path: String,
    /// Bytes on this computer's disk.
    pub bytes: u64,
    /// Templates it was fetched for, as `ubuntu-24.04 (aarch64)`.
    pub templates: Vec<String>,
    /// When it was fetched last, if that is known.
    #[serde(with = "time::serde::rfc3339::option")]
    pub fetched_at: Option<OffsetDateTime>,
    /// Names of the machines, in the trash too, that stand on it or have it in their drive. It can't be removed while
    /// there are any.
    pub needed_by: Vec<String>,
}

/// What pruning the cache removed, or would remove.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CachePruned {
    /// Images that no machine needed.
    pub removed: Vec<CachedImage>,
    /// Bytes freed, those of unfinished downloads included.
    pub freed: u64,
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
    /// Images in the longest chain of the present's disks, the active one and the base included.
    #[serde(default)]
    pub depth: u32,
}

/// Restore a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RestoreRequest {
    /// Throw the present away instead of keeping it as a snapshot.
    #[serde(default)]
    pub discard: bool,
    /// `false`: only the disks, the memory stays where it is and the guest boots. Unset: memory where there is one.
    #[serde(default)]
    pub memory: Option<bool>,
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Restored {
    /// The machine now.
    pub machine: Machine,
    /// The present as it was before, kept as a snapshot: restore it to undo.
    pub kept: Option<Snapshot>,
    /// What else changed, in sentences: the hardware, a medium that is not there any more.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What deleting snapshots did (or would do).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SnapshotsDeleted {
    /// Snapshots that are gone.
    pub deleted: Vec<Snapshot>,
    /// Bytes freed at once.
    pub freed: u64,
    /// The job that merges what others still stand on, in the background.
    #[serde(default)]
    pub job: Option<crate::JobId>,
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
    /// Disks of other machines that were in the bin.
    #[serde(default)]
    pub disks: Vec<crate::BinnedDisk>,
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
