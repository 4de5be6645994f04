//! Import: what a file is, and what would become of it.

use crate::{Arch, Firmware};
use serde::{Deserialize, Serialize};

/// What a file was recognised as, by content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Recognised {
    /// ISO 9660 (hybrid or not).
    Iso,
    Qcow2,
    Raw,
}

impl Recognised {
    /// `iso`, `qcow2`, `raw`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Iso => "iso",
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
        }
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
