//! What a machine should be: the content of `machine.toml`. Backend-neutral, versioned, complete.

use crate::{
    Accelerator, Arch, AutoSnapshots, CloneOrigin, DetachedDisk, DiskBus, DiskCache, DiskId, Disposable,
    Error, Firmware, MachineId, NicId, SnapshotId, Suspended,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};
use time::OffsetDateTime;

/// Version written to `machine.toml`; a newer one is refused, an older one is upgraded when read.
pub const MACHINE_FILE_VERSION: u32 = 1;

/// Everything a machine is, apart from what is observed while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MachineSpec {
    /// [`MACHINE_FILE_VERSION`].
    pub version: u32,
    /// The machine's id; also its folder's name.
    pub id: MachineId,
    /// The user's name for it.
    pub name: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Catalogue id it was made from.
    #[serde(default)]
    pub template: Option<String>,
    /// What the guest is, in words (`Ubuntu 24.04 LTS`), as the template or the image said.
    #[serde(default)]
    pub system: Option<String>,
    /// Guest architecture.
    pub arch: Arch,
    /// Virtual processors, at least 1.
    pub cpus: u32,
    /// Guest memory in bytes.
    pub memory: u64,
    /// What starts the guest.
    #[serde(default)]
    pub firmware: Firmware,
    /// Which accelerator the user wants.
    #[serde(default)]
    pub accelerator: AcceleratorChoice,
    /// Guest's clock is local time (Windows), not UTC.
    #[serde(default)]
    pub clock_local: bool,
    /// Boot order: `disk`, `media`, `network`.
    #[serde(default)]
    pub boot_order: Vec<String>,
    /// The screen.
    #[serde(default)]
    pub display: DisplaySpec,
    /// Tags, without duplicates, in the user's order.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Free text.
    #[serde(default)]
    pub notes: String,
    /// Who signs in, where a cloud-init seed made the account.
    #[serde(default)]
    pub user: Option<GuestUser>,
    /// File name of the cloud-init seed in the machine's folder, if there is one.
    #[serde(default)]
    pub seed: Option<String>,
    /// File name, under `nvram/`, of the active UEFI variables (qcow2), once made.
    #[serde(default)]
    pub nvram: Option<String>,
    /// The snapshot the present grew from.
    #[serde(default)]
    pub current_snapshot: Option<SnapshotId>,
    /// Disks, the first one boots.
    #[serde(default)]
    pub disks: Vec<DiskSpec>,
    /// Disks that the guest does not see: detached, or in the bin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detached: Vec<DetachedDisk>,
    /// Empty slots for disks that are plugged in while the machine runs. Saved memory loads only with as many as there
    /// were, so a machine gets them when it starts anew.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expansion_slots: u8,
    /// The CD/DVD drive's medium; `None` is an empty drive.
    #[serde(default)]
    pub medium: Option<MediumSpec>,
    /// NICs.
    #[serde(default)]
    pub nics: Vec<NicSpec>,
    /// Port forwards from this computer to the guest.
    #[serde(default)]
    pub ports: Vec<PortForward>,
    /// When Nestbox takes snapshots by itself.
    #[serde(default)]
    pub auto_snapshots: AutoSnapshots,
    /// Its memory is on disk (`suspended/memory`), and starting it goes on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspended>,
    /// What the guest writes is thrown away when it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposable: Option<Disposable>,
    /// What it was cloned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<CloneOrigin>,
    /// What newer versions wrote and this one does not know: kept as it is.
    #[serde(flatten)]
    #[schema(ignore)]
    pub unknown: BTreeMap<String, toml::Value>,
}

/// Which accelerator to run with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum AcceleratorChoice {
    /// The fastest one that passed its test.
    #[default]
    Auto,
    Kvm,
    Hvf,
    Whpx,
    Tcg,
}

impl AcceleratorChoice {
    /// The accelerator asked for, or `None` for automatic choice.
    pub const fn forced(self) -> Option<Accelerator> {
        match self {
            Self::Auto => None,
            Self::Kvm => Some(Accelerator::Kvm),
            Self::Hvf => Some(Accelerator::Hvf),
            Self::Whpx => Some(Accelerator::Whpx),
            Self::Tcg => Some(Accelerator::Tcg),
        }
    }
}

/// Formats a machine's own disks may have. Others are converted when imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum ImageFormat {
    Qcow2,
    Raw,
}

impl ImageFormat {
    /// QEMU's driver name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
        }
    }
}

/// One disk. The active image is always a qcow2 file of ours under the machine's `disks/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskSpec {
    /// Stable id.
    pub id: DiskId,
    /// File name of the active image, under `disks/`.
    pub image: String,
    /// Size the guest sees, in bytes.
    pub capacity: u64,
    /// The guest may not write.
    #[serde(default)]
    pub read_only: bool,
    /// Absolute path of the user's own file at the bottom of the chain, read where it is and never written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked: Option<String>,
    /// Controller.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bus: DiskBus,
    /// Cache mode.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cache: DiskCache,
    /// Space that the guest gives up is given back to this computer.
    #[serde(default = "yes")]
    pub discard: bool,
    /// A thread of its own moves its bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub iothread: bool,
    /// The user's words for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Expansion slot that it was plugged into while the machine ran, from 0: memory saved then loads with it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u8>,
}

fn yes() -> bool {
    true
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What is in the CD/DVD drive. The file is the user's own and only ever read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MediumSpec {
    /// Absolute path.
    pub path: String,
}

/// The screen the guest sees at first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DisplaySpec {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

impl Default for DisplaySpec {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 800,
        }
    }
}

/// The account a cloud-init seed makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GuestUser {
    /// Login name.
    pub name: String,
    /// File name of the machine's private key (OpenSSH) in the machine's folder.
    #[serde(default)]
    pub private_key: Option<String>,
    /// A password was set (its hash is in the seed only).
    #[serde(default)]
    pub has_password: bool,
}

/// Whether a NIC's cable is plugged in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LinkState {
    #[default]
    Up,
    Down,
}

/// One NIC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NicSpec {
    /// Stable id.
    pub id: NicId,
    /// Network name; `default` is user networking (NAT).
    pub network: String,
    /// MAC address, `52:54:00:…`.
    pub mac: String,
    /// Cable.
    #[serde(default)]
    pub link: LinkState,
}

impl NicSpec {
    /// A NIC on the default network with a random address in QEMU's range 52:54:00.
    pub fn on_default_network() -> Self {
        let id = NicId::random();
        let digits = id.as_str();
        let mac = format!("52:54:00:{}:{}:{}", &digits[0..2], &digits[2..4], &digits[4..6]);
        Self {
            id,
            network: "default".into(),
            mac,
            link: LinkState::Up,
        }
    }
}

/// Transport of a port forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
}

impl Protocol {
    /// `tcp` or `udp`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A forward from 127.0.0.1 on this computer to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PortForward {
    /// Transport.
    #[serde(default)]
    pub protocol: Protocol,
    /// Port on this computer; 0 asks for a free one.
    pub host: u16,
    /// Port in the guest.
    pub guest: u16,
}

impl fmt::Display for PortForward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.guest)?;
        if self.protocol == Protocol::Udp {
            f.write_str("/udp")?;
        }
        Ok(())
    }
}

impl FromStr for PortForward {
    type Err = Error;
    /// `HOST:GUEST`, `HOST:GUEST/tcp` or `HOST:GUEST/udp`; HOST 0 asks for a free port.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || {
            Error::usage("bad-port", format!("“{text}” is not a port forward."))
                .with_hint("Write HOST:GUEST, for example 8080:80 or 5353:53/udp.")
        };
        let (ports, protocol) = match text.rsplit_once('/') {
            None => (text, Protocol::Tcp),
            Some((ports, "tcp")) => (ports, Protocol::Tcp),
            Some((ports, "udp")) => (ports, Protocol::Udp),
            Some(_) => return Err(bad()),
        };
        let (host, guest) = ports.split_once(':').ok_or_else(bad)?;
        let forward = Self {
            protocol,
            host: host.parse().map_err(|_| bad())?,
            guest: guest.parse().map_err(|_| bad())?,
        };
        if forward.guest == 0 {
            Err(bad())
        } else {
            Ok(forward)
        }
    }
}
