//! The words of the command line.

mod disk;
mod setup;
mod snapshot;

use crate::commands::carry::{BackupArgs, ExportArgs, RestoreBackupArgs};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use nestbox_model::units::parse_size;
use nestbox_model::{Arch, Error, Firmware, PortForward};
use std::path::PathBuf;

pub use disk::{AddDisk, DiskCommand};
pub use snapshot::{Snapshot, Take};

fn size(text: &str) -> Result<u64, Error> {
    parse_size(text)
}

/// Virtual machines on this computer.
#[derive(Debug, Parser)]
#[command(
    name = "nestbox",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    /// Print one JSON document (streams: one object a line)
    #[arg(long, global = true)]
    pub json: bool,
    /// Where everything is kept
    #[arg(long, global = true, value_name = "DIR", env = "NESTBOX_HOME", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<PathBuf>,
    /// Only errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Technical details too
    #[arg(short, long, global = true)]
    pub verbose: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check this computer: QEMU, firmware, accelerators, space
    Doctor {
        /// Test again instead of using earlier verdicts
        #[arg(long)]
        refresh: bool,
    },
    /// The catalogue
    #[command(subcommand)]
    Template(Template),
    /// Make a machine from the catalogue, an ISO, a disk image, or blank
    Create(Box<Create>),
    /// Make a machine of a file: iso, qcow2 or raw, recognised by content
    Import(Import),
    /// Write a machine for other programs: its disks (qcow2, raw, vmdk, vdi, vhdx) or all of it (ova, utm)
    Export(ExportArgs),
    /// Write a machine with its snapshots into one file
    Backup(BackupArgs),
    /// Make the machine of a backup
    RestoreBackup(RestoreBackupArgs),
    /// List machines
    List(List),
    /// Show one machine
    Show {
        machine: String,
        /// Print the exact command it runs as
        #[arg(long)]
        command: bool,
    },
    /// Start machines
    Start {
        #[arg(required = true)]
        machines: Vec<String>,
        /// Throw away what the guest writes when it ends
        #[arg(long)]
        disposable: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Ask guests to shut down
    Stop {
        #[arg(required = true)]
        machines: Vec<String>,
        /// End at once, as pulling the plug does
        #[arg(long)]
        force: bool,
        /// Seconds to wait for the guest
        #[arg(long, default_value_t = 90, value_name = "S")]
        timeout: u64,
    },
    /// Press the reset button
    Reset { machine: String },
    /// Make the guest stand still
    Pause { machine: String },
    /// Let a paused guest go on
    Resume { machine: String },
    /// Save a guest's memory to disk and free it; `start` goes on
    Suspend { machine: String },
    /// Throw the memory of a suspended machine away; its next start boots
    DiscardState { machine: String },
    /// Keep what a disposable run wrote after all
    KeepChanges { machine: String },
    /// Make a machine of a machine or one of its snapshots
    Clone(Clone),
    /// Give a machine another name
    Rename { machine: String, new: String },
    /// Change settings; `show M --json` lists the keys
    Set {
        machine: String,
        #[arg(required = true, value_name = "KEY=VALUE")]
        changes: Vec<String>,
    },
    /// Move a machine to the trash
    Delete {
        machine: String,
        /// For scripts; the trash makes asking unnecessary
        #[arg(long)]
        yes: bool,
        /// Say what would happen and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Deleted machines
    #[command(subcommand)]
    Trash(Trash),
    /// Snapshots
    #[command(subcommand)]
    Snapshot(Snapshot),
    /// Disks
    #[command(subcommand)]
    Disk(DiskCommand),
    /// The CD/DVD drive
    #[command(subcommand)]
    Media(Media),
    /// Save the screen as a PNG file
    Screenshot {
        machine: String,
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Type text on the guest's keyboard (US layout)
    Type { machine: String, text: String },
    /// Press keys: ctrl-alt-delete, ret, f2, …
    Keys {
        machine: String,
        #[arg(required = true)]
        keys: Vec<String>,
    },
    /// The serial console; Ctrl-] leaves it
    Console { machine: String },
    /// Port forwards from this computer to the guest
    #[command(subcommand)]
    Port(Port),
    /// Long work
    Jobs {
        #[command(subcommand)]
        action: Option<Jobs>,
    },
    /// What the hypervisor and the guest's serial port said
    Logs {
        machine: String,
        /// Go on printing
        #[arg(short, long)]
        follow: bool,
    },
    /// What happened
    Events {
        /// Go on printing what happens
        #[arg(short, long)]
        follow: bool,
    },
    /// What this computer and its machines use
    Stats {
        machine: Option<String>,
        /// Go on printing, once a second
        #[arg(short, long)]
        follow: bool,
    },
    /// What takes space, and what could be freed
    Space,
    /// Downloaded images
    #[command(subcommand)]
    Cache(Cache),
    /// Settings
    #[command(subcommand)]
    Config(Config),
    /// The library
    #[command(subcommand)]
    Library(Library),
    /// The background service
    #[command(subcommand)]
    Service(Service),
    /// Print completions for a shell
    Completions { shell: Shell },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

#[derive(Debug, Subcommand)]
pub enum Cache {
    /// List downloaded images and the machines that need them
    List,
    /// Remove images that no machine needs, and unfinished downloads
    Prune {
        /// Say what would go and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum Template {
    /// List what machines can be made from
    List {
        /// Only those that come for this architecture
        #[arg(long)]
        arch: Option<Arch>,
    },
    /// Show one template
    Show { id: String },
}

#[derive(Debug, Args)]
pub struct Wait {
    /// Return when this is so
    #[arg(long, value_name = "STATE", value_enum)]
    pub wait: Option<WaitFor>,
    /// Seconds to wait
    #[arg(long, default_value_t = 300, value_name = "S")]
    pub timeout: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WaitFor {
    /// The guest's processors run
    Running,
    /// A login prompt on the serial console, or SSH
    Booted,
    /// Its SSH server answers on the forwarded port
    Ssh,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").required(true).multiple(true).args(["template", "iso", "disk_image", "blank"]))]
pub struct Create {
    pub name: String,
    /// From the catalogue: see `nestbox template list`
    #[arg(long, value_name = "ID")]
    pub template: Option<String>,
    /// From an installer or live ISO of yours; together with a template that asks for one, with its settings
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub iso: Option<PathBuf>,
    /// From a disk image of yours
    #[arg(long, conflicts_with_all = ["template", "iso", "blank"], value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub disk_image: Option<PathBuf>,
    /// With an empty disk
    #[arg(long, conflicts_with_all = ["template", "iso"])]
    pub blank: bool,
    #[command(flatten)]
    pub action: FileAction,
    /// Architecture: x86_64, aarch64, riscv64, …
    #[arg(long)]
    pub arch: Option<Arch>,
    /// Virtual processors
    #[arg(long, value_name = "N")]
    pub cpus: Option<u32>,
    /// Memory
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// Capacity of the disk
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub disk: Option<u64>,
    /// uefi or bios
    #[arg(long)]
    pub firmware: Option<Firmware>,
    /// Account to make (cloud images)
    #[arg(long, value_name = "U")]
    pub user: Option<String>,
    /// Read its password from standard input
    #[arg(long)]
    pub password_stdin: bool,
    /// Public key file that may sign in, beside the machine's own
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ssh_key: Vec<PathBuf>,
    /// Further cloud-init user-data
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub user_data: Option<PathBuf>,
    #[command(flatten)]
    pub setup: setup::Setup,
    /// Network
    #[arg(long, value_name = "NET")]
    pub network: Vec<String>,
    /// Tag
    #[arg(long, value_name = "T")]
    pub tag: Vec<String>,
    /// Start it when it is ready
    #[arg(long)]
    pub start: bool,
    /// Print the job's id and return
    #[arg(long, conflicts_with = "wait")]
    pub detach: bool,
    #[command(flatten)]
    pub wait: Wait,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct FileAction {
    /// Copy the file into the library (the default)
    #[arg(long)]
    pub copy: bool,
    /// Move it into the library
    #[arg(long = "move")]
    pub move_in: bool,
    /// Read it where it is; changes go to the library
    #[arg(long)]
    pub link: bool,
}

#[derive(Debug, Args)]
pub struct Import {
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Name of the machine
    #[arg(long, value_name = "N")]
    pub name: Option<String>,
    /// Architecture, if it is not as guessed
    #[arg(long)]
    pub arch: Option<Arch>,
    #[command(flatten)]
    pub action: FileAction,
    /// Start it when it is ready
    #[arg(long)]
    pub start: bool,
    /// Say what the file is and what would become of it
    #[arg(long)]
    pub dry_run: bool,
    /// Print the job's id and return
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Args)]
pub struct List {
    /// Only with this tag
    #[arg(long, value_name = "T")]
    pub tag: Option<String>,
    /// Only in this state
    #[arg(long, value_name = "S")]
    pub state: Option<String>,
    /// Only with this in name, tags, notes or system
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Trash {
    /// What is in the trash
    List,
    /// Bring a machine back
    Restore { machine: String },
    /// Remove everything in the trash for good
    Empty {
        /// Don't ask
        #[arg(long)]
        yes: bool,
        /// Say what would happen and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub struct Clone {
    pub machine: String,
    /// Name of the clone
    pub new: String,
    /// Stand on the original's disks: ready at once (the default)
    #[arg(long, conflicts_with = "full")]
    pub linked: bool,
    /// Copy the disks
    #[arg(long)]
    pub full: bool,
    /// Clone this snapshot instead of the present
    #[arg(long, value_name = "S")]
    pub snapshot: Option<String>,
    /// Start it when it is ready
    #[arg(long)]
    pub start: bool,
    /// Print the job's id and return
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Args)]
pub struct Browse {
    pub machine: String,
    /// Its number from 1, or its id
    pub disk: String,
    /// [VOLUME:]/PATH; without it, the volumes where there are several
    pub path: Option<String>,
    /// A snapshot instead of the present
    #[arg(long, value_name = "S")]
    pub snapshot: Option<String>,
}

#[derive(Debug, Args)]
pub struct CopyOut {
    pub machine: String,
    /// Its number from 1, or its id
    pub disk: String,
    /// [VOLUME:]/PATH each, and last an existing folder, or for one path the new name
    #[arg(required = true, num_args = 2.., value_name = "PATH… DEST")]
    pub words: Vec<String>,
    /// A snapshot instead of the present
    #[arg(long, value_name = "S")]
    pub snapshot: Option<String>,
    /// Replace files that are there; folders become one
    #[arg(long)]
    pub overwrite: bool,
    /// Print the job's id and return
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Subcommand)]
pub enum Media {
    /// Put an ISO image in the drive
    Insert {
        machine: String,
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Empty the drive
    Eject { machine: String },
}

#[derive(Debug, Subcommand)]
pub enum Port {
    /// List forwards
    List { machine: String },
    /// Add a forward; host port 0 picks a free one
    Add {
        machine: String,
        /// HOST:GUEST or HOST:GUEST/udp
        forward: PortForward,
    },
    /// Remove the forward of a host port
    Remove {
        machine: String,
        /// HOST or HOST/udp
        host: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// List jobs
    List,
    /// Show one job
    Show { job: String },
    /// Cancel a job; what it began is taken back
    Cancel { job: String },
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print a setting
    Get { key: String },
    /// Change a setting; without a value, back to the default
    Set { key: String, value: Option<String> },
    /// Print all settings
    List,
}

#[derive(Debug, Subcommand)]
pub enum Library {
    /// Compare the index with what is on disk
    Check {
        /// Make the index anew from the machines' folders
        #[arg(long)]
        rebuild: bool,
        /// Say what is wrong and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum Service {
    /// Whether it runs
    Status,
    /// End it; machines keep running
    Stop,
    /// Run it in this terminal
    Serve {
        /// Also offer the window to a browser: 127.0.0.1:PORT
        #[arg(long, value_name = "ADDR")]
        listen: Option<std::net::SocketAddr>,
    },
}
