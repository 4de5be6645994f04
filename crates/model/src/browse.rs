//! Files on a machine's disks, looked at from outside of the guest.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Most entries of one listing.
pub const ENTRIES_MAX: u32 = 10_000;

/// A volume of a disk: a partition, or the whole disk where it has no partition table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Volume {
    /// Number of the partition, from 1.
    pub number: u32,
    /// The partition's name, where the table has names.
    pub name: Option<String>,
    /// `ext2`, `ext3`, `ext4`, `fat`, `exfat`, `ntfs`, `iso9660`, or another word (`btrfs`, `luks`, `lvm`, `swap`, …).
    pub filesystem: Option<String>,
    /// The file system's own name.
    pub label: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Bytes in use, where that is cheap to know.
    pub used: Option<u64>,
    /// Its files can be listed and copied.
    pub browsable: bool,
    /// Why not, and what can be done instead.
    pub reason: Option<String>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum FileKind {
    File,
    Folder,
    Link,
    /// A device, a pipe or a socket.
    Other,
}

/// A file or folder on a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FileEntry {
    /// Name. Bytes that are no printable UTF-8 stand as `%` and two hexadecimal digits, and paths take them so.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// Bytes of a file; 0 for others.
    pub size: u64,
    /// When its content changed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub modified: Option<OffsetDateTime>,
    /// Where a link points.
    pub target: Option<String>,
}

/// A folder on a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Listing {
    /// All volumes of the disk.
    pub volumes: Vec<Volume>,
    /// The volume listed; 0 when the request named none and there are several.
    pub volume: u32,
    /// The folder, links in the request followed.
    pub path: String,
    /// Its entries, in the order of their names' bytes.
    pub entries: Vec<FileEntry>,
    /// There are more: ask with the last name as `after`.
    pub more: bool,
    /// Worth knowing: that the guest was not shut down cleanly, for example.
    pub notes: Vec<String>,
}

/// What to copy out of a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CopyOutRequest {
    /// `[VOLUME:]/PATH` each. Folders with all that is in them.
    pub paths: Vec<String>,
    /// An existing folder to copy into, or for one path the new file or folder. Absolute.
    pub to: String,
    /// A snapshot; left out: the present.
    #[serde(default)]
    pub snapshot: Option<String>,
    /// Replace files that are there; folders become one.
    #[serde(default)]
    pub overwrite: bool,
}

/// What was copied: `result` of a job `copy-out`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CopiedOut {
    /// Files copied.
    pub files: u64,
    /// Folders made.
    pub folders: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// What was not copied, the first thousand.
    pub skipped: Vec<SkippedFile>,
}

/// Something that was not copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SkippedFile {
    /// Its path on the disk.
    pub path: String,
    /// Why.
    pub why: String,
}
