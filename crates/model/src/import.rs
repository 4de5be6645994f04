//! Import: what a file is, and what would become of it.

use crate::{Arch, DiskBus, Firmware, PortForward};
use serde::{Deserialize, Serialize};

/// What a file was recognised as, by content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Recognised {
    /// ISO 9660 (hybrid or not).
    Iso,
    Qcow2,
    Raw,
    Vmdk,
    Vdi,
    Vhd,
    Vhdx,
    /// A machine in one tar file: OVF and its disks.
    Ova,
    Ovf,
    /// A machine of UTM's: a folder.
    Utm,
    /// A machine of VirtualBox's.
    Vbox,
    /// A machine of VMware's.
    Vmx,
    /// A machine of quickemu's.
    Quickemu,
    /// A machine of libvirt's (virt-manager, GNOME Boxes).
    Libvirt,
    /// Compressed; [`ImportPlan::inside`] says what is inside.
    Gz,
    Xz,
    Zst,
    Bz2,
    Zip,
}

impl Recognised {
    /// `iso`, `qcow2`, `raw`, `vmdk`, …
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Iso => "iso",
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
            Self::Vmdk => "vmdk",
            Self::Vdi => "vdi",
            Self::Vhd => "vhd",
            Self::Vhdx => "vhdx",
            Self::Ova => "ova",
            Self::Ovf => "ovf",
            Self::Utm => "utm",
            Self::Vbox => "vbox",
            Self::Vmx => "vmx",
            Self::Quickemu => "quickemu",
            Self::Libvirt => "libvirt",
            Self::Gz => "gz",
            Self::Xz => "xz",
            Self::Zst => "zst",
            Self::Bz2 => "bz2",
            Self::Zip => "zip",
        }
    }
    /// A machine of another program, with its settings and any number of disks.
    pub const fn is_bundle(&self) -> bool {
        matches!(
            self,
            Self::Ova | Self::Ovf | Self::Utm | Self::Vbox | Self::Vmx | Self::Quickemu | Self::Libvirt
        )
    }
    /// Something else, compressed.
    pub const fn is_packed(&self) -> bool {
        matches!(self, Self::Gz | Self::Xz | Self::Zst | Self::Bz2 | Self::Zip)
    }
}

/// What happens to the user's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileAction {
    /// Copy into the library; the original stays as it is. For an ISO: it is used where it is.
    #[default]
    Copy,
    /// Move into the library.
    Move,
    /// Leave it where it is and read from it only; changes go to an overlay.
    Link,
}

/// What will be done with one property of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum ItemFate {
    Kept,
    Changed,
    Dropped,
}

/// One line of an import plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ImportItem {
    /// What: `All data, byte for byte`.
    pub what: String,
    /// Fate.
    pub fate: ItemFate,
    /// Why, where it is not kept.
    pub why: Option<String>,
}

/// What an import would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ImportPlan {
    /// Absolute path of the file.
    pub path: String,
    /// Format found.
    pub recognised: Recognised,
    /// The format in words: `qcow2 v3`, `ISO 9660, bootable (BIOS, UEFI)`.
    pub description: String,
    /// Suggested machine name.
    pub name: String,
    /// Guest system in words, as guessed.
    pub system: Option<String>,
    /// Two letters for the tile.
    pub glyph: String,
    /// Architecture, as guessed.
    pub arch: Arch,
    /// How the architecture was found: `EFI boot file`, `the volume's name`, `this computer's`.
    pub arch_reason: String,
    /// Firmware, as guessed.
    pub firmware: Firmware,
    /// Virtual processors proposed.
    pub cpus: u32,
    /// Memory proposed, bytes.
    pub memory: u64,
    /// Capacity of the disk (for an ISO: of the new blank disk), bytes.
    pub disk: u64,
    /// Bytes of the file itself.
    pub size: u64,
    /// Bytes that copying needs.
    pub needs: u64,
    /// Partition table and partitions in words, where there are.
    pub partitions: Vec<String>,
    /// Line by line.
    pub items: Vec<ImportItem>,
    /// Worth knowing, for people.
    pub warnings: Vec<String>,
    /// What is inside, where the file is compressed.
    #[serde(default)]
    pub inside: Option<Recognised>,
    /// The disks that are imported, the one that starts first. None for an ISO.
    #[serde(default)]
    pub disks: Vec<ImportDisk>,
    /// NICs of the machine, in order.
    #[serde(default)]
    pub nics: Vec<ImportNic>,
    /// Port forwards from this computer to the guest that can be kept.
    #[serde(default)]
    pub ports: Vec<PortForward>,
    /// Folders of another computer that the machine shared. They are only told, never taken over.
    #[serde(default)]
    pub shares: Vec<ImportShare>,
    /// Names of the snapshots that were found. Only the present is imported.
    #[serde(default)]
    pub snapshots: Vec<String>,
    /// Absolute path of the medium (ISO) in the machine's CD drive, if it lies beside the bundle.
    #[serde(default)]
    pub medium: Option<String>,
    /// The machine's notes, as text.
    #[serde(default)]
    pub notes: Option<String>,
    /// The guest's clock is local time, not UTC.
    #[serde(default)]
    pub clock_local: bool,
    /// Controller of the new disk that a machine of an ISO gets: one that its system knows.
    #[serde(default)]
    pub new_disk_bus: DiskBus,
}

/// A disk of an import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ImportDisk {
    /// File name, for people; never to be used as a path.
    pub name: String,
    /// Format.
    pub recognised: Recognised,
    /// The format in words: `VMDK, compressed`.
    pub description: String,
    /// Bytes the guest sees; 0 if that is known only after unpacking.
    pub capacity: u64,
    /// Bytes stored.
    pub size: u64,
    /// Partition table and partitions in words, where there are.
    pub partitions: Vec<String>,
    /// The controller it gets: the one it had, or one that its system knows.
    #[serde(default)]
    pub bus: DiskBus,
}

/// A NIC of an import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ImportNic {
    /// MAC address, `08:00:27:…`, if it was given and is good for a NIC.
    pub mac: Option<String>,
    /// How it was connected, in words: `NAT`, `bridged`.
    pub connection: String,
    /// Its cable was plugged in.
    pub connected: bool,
}

/// A folder that a machine shared with another computer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ImportShare {
    /// Its name in the guest.
    pub name: String,
    /// Its path on that computer, as text.
    pub host_path: String,
    /// The guest could not write.
    pub read_only: bool,
}

/// Import one file as a new machine. Unset values come from the plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ImportRequest {
    /// Absolute path.
    pub path: String,
    /// Name; must be free.
    #[serde(default)]
    pub name: Option<String>,
    /// What happens to the file.
    #[serde(default)]
    pub action: FileAction,
    /// Architecture.
    #[serde(default)]
    pub arch: Option<Arch>,
    /// Firmware.
    #[serde(default)]
    pub firmware: Option<Firmware>,
    /// Virtual processors.
    #[serde(default)]
    pub cpus: Option<u32>,
    /// Bytes.
    #[serde(default)]
    pub memory: Option<u64>,
    /// Bytes.
    #[serde(default)]
    pub disk: Option<u64>,
    /// Start it when it is ready.
    #[serde(default)]
    pub start: bool,
}
