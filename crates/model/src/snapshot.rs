//! Snapshots: points of a machine, in a tree.

use crate::{DiskId, MachineSpec, SnapshotId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

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
    /// There is a memory file `memory` beside this one.
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

/// The image that holds one disk's content at the moment of the snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SnapshotDisk {
    /// Disk.
    pub id: DiskId,
    /// File name under `disks/`; read-only from now on.
    pub image: String,
}
