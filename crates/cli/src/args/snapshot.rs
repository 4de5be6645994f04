//! Snapshots.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct Take {
    /// One machine and a name, or several machines that are cut at one instant
    #[arg(value_name = "MACHINE|NAME", required_unless_present_any = ["tag", "network"])]
    pub words: Vec<String>,
    /// Name; then all words are machines
    #[arg(long)]
    pub name: Option<String>,
    /// All machines with this tag, at one instant
    #[arg(long, value_name = "T")]
    pub tag: Option<String>,
    /// All machines on this network, at one instant
    #[arg(long, value_name = "NET")]
    pub network: Option<String>,
    /// Only the disks
    #[arg(long)]
    pub no_memory: bool,
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub notes: String,
    /// No rule removes it
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, Subcommand)]
pub enum Snapshot {
    /// Take a snapshot, with memory if the machine runs
    Take(Take),
    /// List snapshots as a tree
    List { machine: String },
    /// Show one snapshot
    Show { machine: String, snapshot: String },
    /// Go back to a snapshot; the present is kept as one first
    Restore {
        machine: String,
        snapshot: String,
        /// Throw the present away
        #[arg(long)]
        discard: bool,
        /// Only the disks: the guest boots
        #[arg(long)]
        no_memory: bool,
        /// Say what would happen and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Give a snapshot another name
    Rename {
        machine: String,
        snapshot: String,
        new: String,
        /// Notes
        #[arg(long, value_name = "TEXT")]
        notes: Option<String>,
    },
    /// Keep a snapshot whatever the rules for automatic ones say
    Keep {
        machine: String,
        snapshot: String,
        /// Rules may remove it again
        #[arg(long)]
        off: bool,
    },
    /// Say what differs between a snapshot and another, or the present
    Compare {
        machine: String,
        snapshot: String,
        other: Option<String>,
    },
    /// Drop a snapshot's memory and keep its disks
    DropMemory { machine: String, snapshot: String },
    /// Merge images that nobody needs by themselves, and compress saved memory
    Tidy {
        machine: String,
        /// Print the job's id and return
        #[arg(long)]
        detach: bool,
    },
    /// Delete a snapshot; its children live on
    Delete {
        machine: String,
        snapshot: String,
        /// Its children too
        #[arg(long)]
        subtree: bool,
        /// Say what would happen and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}
