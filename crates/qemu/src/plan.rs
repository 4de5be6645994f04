//! What the engine hands over to start a machine: everything decided, nothing left to probe.

use nestbox_model::{
    Accelerator, Arch, DiskBus, DiskCache, DiskId, Firmware, ImageFormat, LinkState, MachineId, NicId,
    PortForward, layout::RunFolder,
};
use std::path::PathBuf;

/// One image file with the format it is opened as. QEMU is never allowed to guess a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRef {
    /// Absolute path.
    pub path: PathBuf,
    /// Format to open it as.
    pub format: ImageFormat,
}

/// One disk with its whole backing chain.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskPlan {
    /// Disk; its node is called `disk-<short id>`.
    pub id: DiskId,
    /// The active image first, then what it is backed by, down to the last.
    pub chain: Vec<ImageRef>,
    /// The guest may not write.
    pub read_only: bool,
    /// How it is connected.
    pub connection: Connection,
}

/// How the guest sees a disk, and what this computer does with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Controller.
    pub bus: DiskBus,
    /// Cache mode.
    pub cache: DiskCache,
    /// Space that the guest gives up is given back.
    pub discard: bool,
    /// A thread of its own; virtio and scsi only.
    pub iothread: bool,
    /// The expansion slot it is in, from 0; for usb, the free place of the controller. It was plugged in while the
    /// machine ran.
    pub slot: Option<u8>,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            bus: DiskBus::default(),
            cache: DiskCache::default(),
            discard: true,
            iothread: false,
            slot: None,
        }
    }
}

/// One NIC on user networking.
#[derive(Clone, Debug, PartialEq)]
pub struct NicPlan {
    /// NIC; its device is called `nic-<short id>`.
    pub id: NicId,
    /// MAC address, `52:54:00:…`.
    pub mac: String,
    /// Whether the cable is plugged in at the start.
    pub link: LinkState,
    /// Forwards from 127.0.0.1. Host port 0 takes a free one: ask [`crate::Session::forwards`] which.
    pub forwards: Vec<PortForward>,
}

/// A machine, ready to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct MachinePlan {
    /// Machine; also the guest's UUID.
    pub id: MachineId,
    /// The user's name for it, shown in process lists.
    pub name: String,
    /// Guest architecture.
    pub arch: Arch,
    /// Virtual processors.
    pub cpus: u32,
    /// Guest memory in bytes.
    pub memory: u64,
    /// What starts the guest.
    pub firmware: Firmware,
    /// Firmware image found by [`crate::firmware::find`]. `None`: the board's built-in one.
    pub firmware_code: Option<PathBuf>,
    /// The machine's UEFI variables, active image first. `None`: firmware without variables.
    pub nvram: Option<Vec<ImageRef>>,
    /// Accelerator, as the acceleration layer chose it.
    pub accelerator: Accelerator,
    /// `-cpu` value; empty takes the board's default.
    pub cpu_model: String,
    /// Disks, in order.
    pub disks: Vec<DiskPlan>,
    /// Folder of the machine's own images: those of disks that are plugged in later lie there.
    pub images: PathBuf,
    /// Slots for disks that are plugged in while it runs.
    pub expansion_slots: u8,
    /// Cloud-init seed image (raw), read-only for the guest.
    pub seed: Option<PathBuf>,
    /// What is in the CD/DVD drive. The drive is there in any case.
    pub medium: Option<PathBuf>,
    /// NICs.
    pub nics: Vec<NicPlan>,
    /// Screen size the guest is offered: width, height in pixels.
    pub resolution: (u32, u32),
    /// The guest's clock shows local time, not UTC.
    pub clock_local: bool,
    /// `disk`, `media`, `network`; empty means disk, then media.
    pub boot_order: Vec<String>,
    /// Folder of the sockets; made fresh at launch.
    pub run: RunFolder,
    /// Everything the guest writes on its serial port, kept below [`crate::SERIAL_LOG_MAX`] bytes.
    pub serial_log: PathBuf,
    /// What QEMU itself says.
    pub backend_log: PathBuf,
    /// Wait for [`crate::Session::load_memory`] instead of starting the guest.
    pub incoming: bool,
}

/// Name of a disk's first node and of its device.
pub(crate) fn disk_node(id: &DiskId) -> String {
    format!("disk-{}", id.short())
}

/// Name of a NIC's device.
pub(crate) fn nic_device(id: &NicId) -> String {
    format!("nic-{}", id.short())
}

/// Name of a NIC's host side.
pub(crate) fn nic_netdev(id: &NicId) -> String {
    format!("net-{}", id.short())
}

/// Id of the CD/DVD drive.
pub(crate) const MEDIUM_DEVICE: &str = "medium";
/// First node of the CD/DVD drive's medium.
pub(crate) const MEDIUM_NODE: &str = "medium-0";
/// First node of the UEFI variables.
pub(crate) const NVRAM_NODE: &str = "nvram";
