//! Taking machines and disks elsewhere: conversion, export, backup.

use crate::{Job, Machine};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What a machine or a disk can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// QEMU, UTM, virt-manager, GNOME Boxes.
    Qcow2,
    /// Byte for byte, as a real disk has it.
    Raw,
    /// VMware (stream-optimized).
    Vmdk,
    /// VirtualBox.
    Vdi,
    /// Hyper-V.
    Vhdx,
    /// A whole machine for VMware, VirtualBox and others.
    Ova,
    /// A whole machine for UTM.
    Utm,
}

impl ExportFormat {
    /// The word in requests and the usual file name ending.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
            Self::Vmdk => "vmdk",
            Self::Vdi => "vdi",
            Self::Vhdx => "vhdx",
            Self::Ova => "ova",
            Self::Utm => "utm",
        }
    }
    /// It holds the whole machine, not one disk.
    pub const fn is_whole_machine(self) -> bool {
        matches!(self, Self::Ova | Self::Utm)
    }
}

/// `POST /v1/convert`: any disk image that can be imported becomes another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConvertRequest {
    /// Absolute path of the image; never changed.
    pub file: String,
    /// Absolute path of the new file.
    pub to: String,
    /// Unset: by the ending of [`Self::to`].
    #[serde(default)]
    pub format: Option<ExportFormat>,
    /// Replace a file that is there.
    #[serde(default)]
    pub overwrite: bool,
}

/// `POST …/export`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ExportRequest {
    /// Absolute path of the new file (`.utm`: folder).
    pub to: String,
    /// Unset: by the ending of [`Self::to`].
    #[serde(default)]
    pub format: Option<ExportFormat>,
    /// One disk only (id or number); unset: all.
    #[serde(default)]
    pub disk: Option<String>,
    /// As it was in this snapshot (id or name); unset: the present.
    #[serde(default)]
    pub snapshot: Option<String>,
    /// Replace files that are there.
    #[serde(default)]
    pub overwrite: bool,
    /// Compress qcow2 clusters: smaller and slower to make.
    #[serde(default)]
    pub compress: bool,
}

/// What an export would write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ExportPlan {
    /// Format it settled on.
    pub format: ExportFormat,
    /// Files in the order they are written.
    pub files: Vec<ExportFile>,
    /// What the format can't carry, in sentences.
    pub notes: Vec<String>,
}

/// A file that an export writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ExportFile {
    /// Absolute path.
    pub path: String,
    /// Bytes at most, roughly.
    pub estimate: u64,
    /// There is such a file now.
    pub exists: bool,
}

/// `POST …/backup`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BackupRequest {
    /// Absolute path of the new file.
    pub to: String,
    /// Replace a file that is there.
    #[serde(default)]
    pub overwrite: bool,
    /// With the snapshot tree.
    #[serde(default = "yes")]
    pub snapshots: bool,
    /// With saved memory.
    #[serde(default = "yes")]
    pub memory: bool,
}

fn yes() -> bool {
    true
}

/// `POST /v1/restore-backup`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RestoreBackupRequest {
    /// Absolute path of the backup.
    pub file: String,
    /// Unset: the name it had, or the next free one like it.
    #[serde(default)]
    pub name: Option<String>,
}

/// What a backup holds, as its first part tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BackupInfo {
    /// The machine's name.
    pub name: String,
    /// Guest system in words.
    pub system: Option<String>,
    /// When the backup was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Version of the format.
    pub version: u32,
    /// Snapshots in it.
    pub snapshots: u32,
    /// Disks of the present.
    pub disks: u32,
    /// Bytes once restored, roughly.
    pub bytes: u64,
    /// Sentences for the user.
    pub notes: Vec<String>,
}

/// A restore that began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BackupRestoreStarted {
    /// The work under way.
    pub job: Job,
    /// The machine in the making.
    pub machine: Machine,
}
