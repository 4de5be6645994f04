//! Guest architectures, accelerators and firmware kinds.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A guest processor architecture, by QEMU's name for it (`qemu-system-<name>`).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Arch {
    #[serde(rename = "x86_64")]
    X86_64,
    Aarch64,
    Riscv64,
    I386,
    Arm,
    Ppc64,
    S390x,
}

impl Arch {
    /// Every architecture Nestbox knows how to make a machine for.
    pub const ALL: [Self; 7] = [
        Self::X86_64,
        Self::Aarch64,
        Self::Riscv64,
        Self::I386,
        Self::Arm,
        Self::Ppc64,
        Self::S390x,
    ];

    /// QEMU's word: `x86_64`, `aarch64`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
            Self::Riscv64 => "riscv64",
            Self::I386 => "i386",
            Self::Arm => "arm",
            Self::Ppc64 => "ppc64",
            Self::S390x => "s390x",
        }
    }
    /// The distributions' word, as people say it: `amd64`, `arm64`, …
    pub const fn common_name(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
            Self::Riscv64 => "riscv64",
            Self::I386 => "i386",
            Self::Arm => "armhf",
            Self::Ppc64 => "ppc64le",
            Self::S390x => "s390x",
        }
    }
    /// The architecture of the computer this program was compiled for, if Nestbox knows it.
    pub fn host() -> Option<Self> {
        std::env::consts::ARCH.parse().ok()
    }
    /// Whether this host's processor can run `self` without emulation, given an accelerator.
    pub fn is_native(self) -> bool {
        match Self::host() {
            Some(Self::X86_64) => matches!(self, Self::X86_64 | Self::I386),
            Some(host) => host == self,
            None => false,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Arch {
    type Err = Error;
    /// Accepts QEMU's, Rust's and the distributions' words, in any case.
    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "x86_64" | "amd64" | "x64" | "x86-64" => Self::X86_64,
            "aarch64" | "arm64" => Self::Aarch64,
            "riscv64" | "riscv64gc" => Self::Riscv64,
            "i386" | "i686" | "x86" => Self::I386,
            "arm" | "armhf" | "armv7" | "armv7l" => Self::Arm,
            "ppc64" | "ppc64le" | "powerpc64" => Self::Ppc64,
            "s390x" => Self::S390x,
            _ => {
                return Err(Error::usage(
                    "unknown-architecture",
                    format!("Nestbox does not know the architecture “{text}”."),
                )
                .with_hint(format!("Use one of: {}.", Self::ALL.map(Self::as_str).join(", "))));
            }
        })
    }
}

/// Processor virtualisation used by a backend. `tcg` is emulation in software and is always there.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Accelerator {
    Kvm,
    Hvf,
    Whpx,
    Tcg,
}

impl Accelerator {
    /// QEMU's word for `-accel`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Hvf => "hvf",
            Self::Whpx => "whpx",
            Self::Tcg => "tcg",
        }
    }
}

impl fmt::Display for Accelerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What starts the guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// UEFI (edk2: OVMF, AAVMF, RiscVVirt) with the machine's own variables.
    #[default]
    Uefi,
    /// The board's built-in firmware: SeaBIOS on x86, OpenSBI on riscv64, SLOF on ppc64.
    Bios,
}

impl FromStr for Firmware {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        match text.to_ascii_lowercase().as_str() {
            "uefi" | "efi" => Ok(Self::Uefi),
            "bios" | "legacy" => Ok(Self::Bios),
            _ => Err(Error::usage("bad-value", format!("“{text}” is not a firmware."))
                .with_hint("Use uefi or bios.")),
        }
    }
}
