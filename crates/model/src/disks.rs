//! Disks of a machine: what they can be, what is shown of them, and what clients ask for.

use crate::{DiskSpec, FileAction, Job};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What the guest's controller for a disk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DiskBus {
    /// Fastest; Linux and BSD know it, Windows needs its drivers.
    #[default]
    Virtio,
    /// virtio-scsi: many disks on one controller; the same drivers.
    Scsi,
    /// Every system of the last ten years knows it.
    Nvme,
    /// AHCI (IDE on the oldest boards): every system knows it. Not while running.
    Sata,
    /// A USB stick to the guest; slow, and every system knows it.
    Usb,
}

impl DiskBus {
    /// The word in files and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Virtio => "virtio",
            Self::Scsi => "scsi",
            Self::Nvme => "nvme",
            Self::Sata => "sata",
            Self::Usb => "usb",
        }
    }
}

/// What happens between the guest's write and this computer's disk (`cache.*` of QEMU's block layer).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DiskCache {
    /// This computer's page cache; what the guest flushes is on the disk. The default.
    #[default]
    Writeback,
    /// Around the page cache (`O_DIRECT`): steadier under load, where the file system can.
    None,
    /// Each write is flushed: for guests that never flush. Slow.
    Writethrough,
    /// Flushes are ignored: fast, and a power cut can destroy the disk. For disks that can be made again.
    Unsafe,
}

impl DiskCache {
    /// The word in files and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Writeback => "writeback",
            Self::None => "none",
            Self::Writethrough => "writethrough",
            Self::Unsafe => "unsafe",
        }
    }
}

/// A disk of a machine that its guest does not see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DetachedDisk {
    /// The disk as it was.
    #[serde(flatten)]
    pub disk: DiskSpec,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub detached_at: OffsetDateTime,
    /// In the bin since then: freed after the bin's days.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub removed_at: Option<OffsetDateTime>,
}

/// Whose an image in a disk's chain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImageRole {
    /// The guest writes to it.
    Active,
    /// A snapshot of this machine shows it.
    Snapshot,
    /// A verified download that several machines stand on.
    Cache,
    /// Another machine's, which this one was cloned from.
    Origin,
    /// The user's own file, read where it is.
    Linked,
    /// Nobody needs it by itself; tidying merges it.
    Leftover,
}

/// One image of a disk's chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChainImage {
    /// Absolute path.
    pub path: String,
    /// Bytes on this computer's disk.
    pub bytes: u64,
    /// Whose it is.
    pub role: ImageRole,
}

/// A disk with where its bytes are, as in `nestbox disk list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskDetails {
    /// What every view of the machine shows.
    #[serde(flatten)]
    pub disk: crate::Disk,
    /// The guest sees it.
    pub attached: bool,
    /// Since when it does not.
    #[serde(with = "time::serde::rfc3339::option")]
    pub detached_at: Option<OffsetDateTime>,
    /// In the bin since.
    #[serde(with = "time::serde::rfc3339::option")]
    pub removed_at: Option<OffsetDateTime>,
    /// When the bin frees it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub purge_at: Option<OffsetDateTime>,
    /// Bytes of this machine's images below the active one.
    pub in_snapshots: u64,
    /// Bytes of images elsewhere (the cache, another machine, the user's file).
    pub shared: u64,
    /// The chain, active image first.
    pub chain: Vec<ChainImage>,
    /// Sentences on what it can't do, or what is wrong with it.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// `GET …/disks`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskList {
    /// Attached ones in the guest's order, then detached ones, then those in the bin.
    pub disks: Vec<DiskDetails>,
}

/// A new disk: empty with [`Self::size`], or from [`Self::file`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskAddRequest {
    /// Bytes of an empty disk.
    #[serde(default)]
    pub size: Option<u64>,
    /// Absolute path of a disk image of the user's.
    #[serde(default)]
    pub file: Option<String>,
    /// What happens to the file.
    #[serde(default)]
    pub action: FileAction,
    /// The guest may not write.
    #[serde(default)]
    pub read_only: bool,
    /// Unset: virtio.
    #[serde(default)]
    pub bus: Option<DiskBus>,
    /// Unset: writeback.
    #[serde(default)]
    pub cache: Option<DiskCache>,
    /// Unset: true.
    #[serde(default)]
    pub discard: Option<bool>,
    /// Unset: false.
    #[serde(default)]
    pub iothread: Option<bool>,
    /// The user's words for it.
    #[serde(default)]
    pub label: Option<String>,
}

/// Options to change; unset ones stay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskChangeRequest {
    /// Controller.
    #[serde(default)]
    pub bus: Option<DiskBus>,
    /// Cache mode.
    #[serde(default)]
    pub cache: Option<DiskCache>,
    /// Space that the guest gives up is given back to this computer.
    #[serde(default)]
    pub discard: Option<bool>,
    /// A thread of its own moves its bytes.
    #[serde(default)]
    pub iothread: Option<bool>,
    /// The guest may not write.
    #[serde(default)]
    pub read_only: Option<bool>,
    /// The user's words for it; empty takes them away.
    #[serde(default)]
    pub label: Option<String>,
    /// Place among the disks, 1 boots.
    #[serde(default)]
    pub position: Option<u32>,
}

/// `POST …/resize`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskResizeRequest {
    /// Bytes, more than it has.
    pub size: u64,
}

/// `POST …/attach`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskAttachRequest {
    /// Another machine (name or id); unset: its own.
    #[serde(default)]
    pub to: Option<String>,
}

/// `POST …/check`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskCheckRequest {
    /// Mend what can be mended, on a copy first.
    #[serde(default)]
    pub repair: bool,
}

/// What changing a disk led to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskChanged {
    /// The work under way, if it takes long.
    pub job: Option<Job>,
    /// The disk, once it is there.
    pub disk: Option<DiskDetails>,
    /// Sentences that the user should read: what the guest has to do itself, what happens only at the next start.
    pub notes: Vec<String>,
}

/// `DELETE …/disks/{d}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskRemoved {
    /// The disk as it was.
    pub removed: DiskDetails,
    /// When the bin frees it; `None` when it is gone already.
    #[serde(with = "time::serde::rfc3339::option")]
    pub purge_at: Option<OffsetDateTime>,
    /// Bytes freed now.
    pub freed: u64,
    /// Sentences for the user.
    pub notes: Vec<String>,
}

/// A disk that emptying the trash frees with the machines there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BinnedDisk {
    /// Whose it was.
    pub machine: crate::MachineId,
    /// That machine's name.
    pub machine_name: String,
    /// The disk.
    pub id: crate::DiskId,
    /// The user's words for it.
    pub label: Option<String>,
    /// Bytes that freeing it gives back at most; what snapshots need stays.
    pub bytes: u64,
}
