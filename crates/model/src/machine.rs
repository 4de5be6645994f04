//! A machine as the API shows it: its spec joined with what is observed.

use crate::{
    Accelerator, AcceleratorChoice, Arch, AutoSnapshots, CloneOrigin, DiskBus, DiskCache, DiskId, Firmware,
    GuestUser, LinkState, MachineId, NicId, PortForward, SnapshotId,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Observed life of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MachineState {
    /// No process.
    Stopped,
    /// The process is being made.
    Starting,
    /// The guest runs.
    Running,
    /// The process is there, the guest stands still.
    Paused,
    /// Memory is on disk, no process.
    Suspended,
    /// The guest was asked to shut down.
    Stopping,
    /// It can't run as it is; `state_reason` says why.
    Broken,
    /// Its disk is still being made (a create or import job works on it).
    Creating,
}

impl MachineState {
    /// Whether there is (or is about to be) a hypervisor process.
    pub const fn is_active(self) -> bool {
        matches!(
            self,
            Self::Starting | Self::Running | Self::Paused | Self::Stopping
        )
    }
    /// The word used in JSON and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
            Self::Stopping => "stopping",
            Self::Broken => "broken",
            Self::Creating => "creating",
        }
    }
}

/// One machine, as in `nestbox show M --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Machine {
    /// Id.
    pub id: MachineId,
    /// Name.
    pub name: String,
    /// State.
    pub state: MachineState,
    /// Why it is in that state, when that is not obvious (it died, it can't start).
    pub state_reason: Option<String>,
    /// Guest architecture.
    pub arch: Arch,
    /// Template it came from.
    pub template: Option<String>,
    /// Guest system in words.
    pub system: Option<String>,
    /// Virtual processors.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// Firmware.
    pub firmware: Firmware,
    /// What it runs with, while it runs.
    pub accelerator: Option<Accelerator>,
    /// Why that accelerator.
    pub accelerator_reason: Option<String>,
    /// Which accelerator the user wants (setting `accelerator`).
    #[serde(default)]
    pub accelerator_choice: AcceleratorChoice,
    /// Setting `boot.order`; empty leaves it to the firmware.
    #[serde(default)]
    pub boot_order: Vec<String>,
    /// The guest's clock is local time (setting `clock`), not UTC.
    #[serde(default)]
    pub clock_local: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Start of the running session.
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    /// Tags.
    pub tags: Vec<String>,
    /// Notes.
    pub notes: String,
    /// Hypervisor process.
    pub pid: Option<u32>,
    /// The snapshot the present grew from.
    pub current_snapshot: Option<SnapshotId>,
    /// How many snapshots there are.
    pub snapshots: u32,
    /// Absolute path of the machine's folder.
    pub folder: String,
    /// Screen size the guest starts with: width, height in pixels.
    pub resolution: (u32, u32),
    /// Disks.
    pub disks: Vec<Disk>,
    /// CD/DVD drive's medium.
    pub medium: Option<Medium>,
    /// NICs.
    pub nics: Vec<Nic>,
    /// Port forwards.
    pub ports: Vec<PortForward>,
    /// Shared folders (none yet).
    #[schema(value_type = Vec<Object>)]
    pub shares: Vec<serde_json::Value>,
    /// Account made by the seed.
    pub user: Option<GuestUser>,
    /// How to reach the guest.
    pub ways_in: WaysIn,
    /// The job working on it, if any.
    pub job: Option<crate::JobId>,
    /// When Nestbox takes snapshots by itself (settings `snapshots.every`, `snapshots.before-start`, `snapshots.keep`).
    #[serde(default)]
    pub auto_snapshots: AutoSnapshots,
    /// This run is disposable: what the guest writes is thrown away when it ends, unless it is kept after all.
    #[serde(default)]
    pub disposable: bool,
    /// Since when its memory is on disk, when it is.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub suspended_at: Option<OffsetDateTime>,
    /// What it was cloned from.
    #[serde(default)]
    pub origin: Option<CloneOrigin>,
    /// Names of the linked clones whose disks stand on its images.
    #[serde(default)]
    pub needed_by: Vec<String>,
    /// Keys that `set` takes.
    pub settable: Vec<String>,
}

/// A disk as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Disk {
    /// Id.
    pub id: DiskId,
    /// Absolute path of the active image.
    pub path: String,
    /// `qcow2`.
    pub format: String,
    /// Bytes the guest sees.
    pub capacity: u64,
    /// Bytes on this computer's disk, of the active image.
    pub used: u64,
    /// The guest may not write.
    pub read_only: bool,
    /// Place among the machine's disks, from 1.
    #[serde(default)]
    pub number: u32,
    /// Controller.
    #[serde(default)]
    pub bus: DiskBus,
    /// Cache mode.
    #[serde(default)]
    pub cache: DiskCache,
    /// Space that the guest gives up is given back to this computer.
    #[serde(default)]
    pub discard: bool,
    /// A thread of its own moves its bytes.
    #[serde(default)]
    pub iothread: bool,
    /// The user's words for it.
    #[serde(default)]
    pub label: Option<String>,
    /// The user's own file at the bottom of its chain.
    #[serde(default)]
    pub linked: Option<String>,
    /// That file is not there any more.
    #[serde(default)]
    pub linked_missing: bool,
}

/// A medium as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Medium {
    /// Absolute path.
    pub path: String,
    /// File name.
    pub name: String,
    /// The file is not there any more.
    pub missing: bool,
}

/// A NIC as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Nic {
    /// Id.
    pub id: NicId,
    /// Network.
    pub network: String,
    /// MAC.
    pub mac: String,
    /// Guest's address, when known.
    pub address: Option<String>,
    /// Cable.
    pub link: LinkState,
}

/// How to reach a running guest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WaysIn {
    /// A complete `ssh …` command, when port 22 is forwarded and the account is known.
    pub ssh_command: Option<String>,
}

/// What a machine uses right now. Rates are averages since the sample before, at most 2 s old.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Usage {
    /// Machine.
    pub id: String,
    /// Host processor cores in use (1.0 = one core).
    pub cpu: f64,
    /// Resident bytes of the hypervisor process.
    pub memory_resident: u64,
    /// Bytes a second.
    pub disk_read_bps: f64,
    /// Bytes a second.
    pub disk_write_bps: f64,
    /// Bytes a second; `None` where the backend can't tell.
    pub net_rx_bps: Option<f64>,
    /// Bytes a second.
    pub net_tx_bps: Option<f64>,
}
