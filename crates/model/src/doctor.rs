//! What Doctor found on this computer.

use crate::{Accelerator, Arch};
use serde::{Deserialize, Serialize};

/// Everything Doctor knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DoctorReport {
    /// Machines can run (emulated counts).
    pub ok: bool,
    /// Findings.
    pub checks: Vec<Check>,
    /// Accelerators, tested.
    pub accelerators: Vec<AcceleratorReport>,
    /// This computer.
    pub host: HostInfo,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Check {
    /// Stable word: `qemu.aarch64`, `firmware.aarch64`, `accelerator.kvm`, `space`, `library`, `qemu-img`.
    pub id: String,
    /// Verdict.
    pub status: CheckStatus,
    /// What was found and why it matters, for people.
    pub message: String,
    /// The exact command or step that mends it; `None` when nothing needs mending.
    pub fix: Option<String>,
    /// Exact words of tools, for experts.
    #[serde(default)]
    pub technical: Option<String>,
}

/// Verdict of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum CheckStatus {
    Ok,
    Warning,
    Missing,
    Failed,
}

/// Whether one accelerator works for one guest architecture, proved by running a payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AcceleratorReport {
    /// Accelerator.
    pub name: Accelerator,
    /// Guest architecture.
    pub arch: Arch,
    /// It ran the payload in time.
    pub usable: bool,
    /// The payload was really run (false: the device or QEMU is not there, or there is no payload for it).
    pub tested: bool,
    /// Why, for people.
    pub reason: String,
    /// What to do about it.
    #[serde(default)]
    pub cure: Option<String>,
    /// Exact words of QEMU and the system, for experts.
    #[serde(default)]
    pub technical: Option<String>,
    /// Seconds the payload took.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// How many times slower than native code on this computer, measured here; `None` when not measured.
    #[serde(default)]
    pub slowdown: Option<f64>,
}

/// This computer, for limits and defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HostInfo {
    /// Operating system and version, in words.
    pub system: String,
    /// QEMU's name for this processor's architecture.
    pub arch: String,
    /// Logical processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of memory free for machines now.
    pub memory_free: u64,
    /// Bytes free where the library is.
    pub disk_free: u64,
    /// Bytes in all where the library is.
    pub disk_total: u64,
}
