//! `nestbox disk`.

use super::{Browse, CopyOut, FileAction, size};
use crate::commands::carry::ConvertArgs;
use clap::{Args, Subcommand, ValueHint};
use nestbox_model::{DiskBus, DiskCache, Error};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::PathBuf;

/// A word of the model's, such as a bus.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_value(Value::String(text.to_lowercase()))
        .map_err(|_| Error::usage("bad-value", format!("“{text}” is not known here.")))
}

#[derive(Debug, Subcommand)]
pub enum DiskCommand {
    /// List a machine's disks
    List {
        machine: String,
        /// Detached ones and those in the bin, too
        #[arg(long)]
        all: bool,
    },
    /// Give a machine another disk; while it runs, too
    Add(Box<AddDisk>),
    /// Move a disk to the machine's bin, where it stays for a week
    Remove {
        machine: String,
        /// Number, id or label
        disk: String,
        /// Free it at once: nothing can bring it back
        #[arg(long)]
        now: bool,
        /// Don't ask
        #[arg(long)]
        yes: bool,
        /// Say what would happen and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Bring a disk back from the bin
    Restore { machine: String, disk: String },
    /// Take a disk out of the guest's sight; its data stay
    Detach { machine: String, disk: String },
    /// Attach a detached disk, or move one to another machine
    Attach {
        machine: String,
        disk: String,
        /// Another machine
        #[arg(long, value_name = "OTHER")]
        to: Option<String>,
        /// Print the job's id and return
        #[arg(long)]
        detach: bool,
    },
    /// Make a disk larger; while the machine runs, too
    Resize {
        machine: String,
        disk: String,
        #[arg(value_parser = size)]
        size: u64,
    },
    /// Give back the space that a disk's images hold and do not need
    Compact {
        machine: String,
        disk: String,
        /// Say what would happen and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Print the job's id and return
        #[arg(long)]
        detach: bool,
    },
    /// Look for damage in a disk's images
    Check {
        machine: String,
        disk: String,
        /// Mend what can be mended; the damaged disk is kept
        #[arg(long)]
        repair: bool,
        /// Print the job's id and return
        #[arg(long)]
        detach: bool,
    },
    /// Make an image of another format of any disk image that can be imported
    Convert(ConvertArgs),
    /// List files on a disk without starting the machine
    Browse(Browse),
    /// Copy files and folders out of a disk
    CopyOut(CopyOut),
    /// Change a disk: bus cache discard iothread read-only label position
    Set {
        machine: String,
        disk: String,
        #[arg(required = true, value_name = "KEY=VALUE")]
        changes: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub struct AddDisk {
    pub machine: String,
    /// Capacity of an empty disk
    #[arg(long, value_name = "SIZE", value_parser = size, required_unless_present = "file", conflicts_with = "file")]
    pub size: Option<u64>,
    /// A disk image that is there
    #[arg(long, value_name = "F", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub action: FileAction,
    /// The guest may not write
    #[arg(long)]
    pub read_only: bool,
    /// virtio, scsi, nvme, sata or usb
    #[arg(long, value_parser = word::<DiskBus>)]
    pub bus: Option<DiskBus>,
    /// writeback, none, writethrough or unsafe
    #[arg(long, value_parser = word::<DiskCache>)]
    pub cache: Option<DiskCache>,
    /// Keep the space that the guest gives up
    #[arg(long)]
    pub no_discard: bool,
    /// A thread of its own moves its bytes
    #[arg(long)]
    pub iothread: bool,
    /// Your words for it
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// Print the job's id and return
    #[arg(long)]
    pub detach: bool,
}
