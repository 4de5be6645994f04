//! Snapshots: points of a machine, in a tree.

use crate::{DiskId, MachineId, MachineSpec, SnapshotId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Why a snapshot was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotKind {
    /// The user asked for it.
    #[default]
    User,
    /// The present, kept when another snapshot was restored.
    BeforeRestore,
    /// Every so many hours.
    Scheduled,
    /// Before a start.
    BeforeStart,
    /// A clone of the present stands on it.
    ForClone,
}

impl SnapshotKind {
    /// Counted and thinned out by the rule “keep the last K”.
    pub const fn is_thinned(self) -> bool {
        matches!(self, Self::Scheduled | Self::BeforeStart)
    }
}

/// A snapshot as the API shows it (`snapshot list M --json`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Snapshot {
    /// Id.
    pub id: SnapshotId,
    /// Name.
    pub name: String,
    /// The snapshot it grew from.
    pub parent: Option<SnapshotId>,
    /// When it was taken.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// It holds the guest's memory: restoring goes on where it was.
    pub memory: bool,
    /// Bytes on disk that only this snapshot holds: its images and its memory file.
    pub size: u64,
    /// Absolute path of the picture of the screen.
    pub screenshot: Option<String>,
    /// Notes.
    pub notes: String,
    /// Made by Nestbox (“Before restore”), not by the user.
    pub automatic: bool,
    /// Why it was taken.
    #[serde(default)]
    pub kind: SnapshotKind,
    /// It stays until the user deletes it: no rule removes it.
    #[serde(default)]
    pub keep: bool,
    /// The guest stood still when it was taken.
    #[serde(default)]
    pub paused: bool,
    /// Bytes of `size` that are the memory file.
    #[serde(default)]
    pub memory_size: u64,
    /// The memory file is compressed.
    #[serde(default)]
    pub memory_packed: bool,
    /// Shared by the snapshots of several machines that were cut at one instant.
    #[serde(default)]
    pub group: Option<String>,
    /// Medium that was in the drive: its path.
    #[serde(default)]
    pub medium: Option<String>,
    /// Names of the linked clones that stand on it.
    #[serde(default)]
    pub needed_by: Vec<String>,
}

/// What a snapshot froze: the content of `snapshots/<id>/snapshot.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SnapshotRecord {
    /// Version of this file: 1.
    pub version: u32,
    /// Id; also the folder's name.
    pub id: SnapshotId,
    /// Name.
    pub name: String,
    /// Parent in the tree.
    #[serde(default)]
    pub parent: Option<SnapshotId>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Notes.
    #[serde(default)]
    pub notes: String,
    /// Made by Nestbox itself.
    #[serde(default)]
    pub automatic: bool,
    /// Why it was taken.
    #[serde(default)]
    pub kind: SnapshotKind,
    /// No rule removes it.
    #[serde(default)]
    pub keep: bool,
    /// Shared by the snapshots of several machines that were cut at one instant.
    #[serde(default)]
    pub group: Option<String>,
    /// There is a memory file `memory` (or `memory.zst`, compressed) beside this one.
    #[serde(default)]
    pub memory: bool,
    /// The guest was paused, so restoring ends paused.
    #[serde(default)]
    pub paused: bool,
    /// File under `nvram/` that holds the UEFI variables of this moment; read-only from now on.
    #[serde(default)]
    pub nvram: Option<String>,
    /// QEMU version that wrote the memory file.
    #[serde(default)]
    pub backend_version: Option<String>,
    /// Accelerator and processor model in use when memory was saved; restoring memory needs the same.
    #[serde(default)]
    pub accelerator: Option<crate::Accelerator>,
    /// The frozen images, one for each disk.
    pub disks: Vec<SnapshotDisk>,
    /// The machine as it was.
    pub spec: MachineSpec,
}

impl SnapshotRecord {
    /// Why it was taken; records of the first version only said that it was automatic.
    pub const fn kind(&self) -> SnapshotKind {
        match self.kind {
            SnapshotKind::User if self.automatic => SnapshotKind::BeforeRestore,
            kind => kind,
        }
    }
}

/// The image that holds one disk's content at the moment of the snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SnapshotDisk {
    /// Disk.
    pub id: DiskId,
    /// File name under `disks/`; read-only from now on.
    pub image: String,
}

/// Where a clone came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CloneOrigin {
    /// The machine it was cloned from.
    pub machine: MachineId,
    /// That machine's name then.
    pub machine_name: String,
    /// The snapshot it was cloned from.
    pub snapshot: SnapshotId,
    /// That snapshot's name then.
    pub snapshot_name: String,
    /// Its disks stand on the other machine's images, which can't be removed while it exists.
    pub linked: bool,
}

/// A machine whose memory is on disk: what [`crate::MachineState::Suspended`] means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Suspended {
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The guest was paused, and will be again.
    #[serde(default)]
    pub paused: bool,
    /// What it ran with; its memory needs the same.
    #[serde(default)]
    pub accelerator: Option<crate::Accelerator>,
    /// QEMU version that wrote the memory.
    #[serde(default)]
    pub backend_version: Option<String>,
}

/// What a disposable run goes back to when it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Disposable {
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Active image of each disk before the run.
    pub disks: Vec<SnapshotDisk>,
    /// Active image of the UEFI variables before the run.
    #[serde(default)]
    pub nvram: Option<String>,
    /// Place in the tree before the run.
    #[serde(default)]
    pub current_snapshot: Option<SnapshotId>,
}

/// When Nestbox takes snapshots by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AutoSnapshots {
    /// Every so many hours while the machine runs; 0 is never.
    #[serde(default)]
    pub every_hours: u32,
    /// Before each start.
    #[serde(default)]
    pub before_start: bool,
    /// How many automatic ones are kept, at least 1; those marked to be kept are not counted.
    #[serde(default = "AutoSnapshots::usual_keep")]
    pub keep: u32,
}

impl AutoSnapshots {
    const fn usual_keep() -> u32 {
        10
    }
}

impl Default for AutoSnapshots {
    fn default() -> Self {
        Self {
            every_hours: 0,
            before_start: false,
            keep: Self::usual_keep(),
        }
    }
}
