//! The files under `vm-templates/`, read and checked. What each key means: `vm-templates/README.md`.

mod check;

use nestbox_model::{DiskBus, Error, Firmware, Result, Setup, TemplateDefaults, TemplateKind, units};
use serde::Deserialize;
use std::collections::BTreeMap;

pub(crate) use check::{check_family, check_template};

/// `families/<family>.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FamilyFile {
    pub family: String,
    pub name: String,
    pub glyph: String,
    /// Place in the gallery; smaller comes first.
    #[serde(default = "last")]
    pub rank: u32,
    /// What a machine of this family needs at the least.
    #[serde(default)]
    pub least: Least,
    pub arch_words: BTreeMap<String, String>,
    pub layouts: BTreeMap<String, Layout>,
    /// Where newer values are looked for, by the value's name. For the chore that refreshes the templates.
    #[serde(default, rename = "updates")]
    pub _updates: BTreeMap<String, Update>,
}

/// An index page that shows which values there are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Update {
    #[serde(rename = "index")]
    pub _index: String,
    #[serde(rename = "pattern")]
    pub _pattern: String,
}

const fn last() -> u32 {
    1000
}

/// The smallest defaults a family's templates may have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Least {
    pub memory: String,
    pub disk: String,
}

impl Default for Least {
    fn default() -> Self {
        Self {
            memory: "256M".into(),
            disk: "1G".into(),
        }
    }
}

/// Where one sort of image of a family is published.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layout {
    pub kind: TemplateKind,
    /// Nothing is downloaded: the user brings the ISO. The rest is left out then.
    #[serde(default)]
    pub own: bool,
    #[serde(default)]
    pub base: String,
    /// Other servers with the same paths, tried in turn.
    #[serde(default)]
    pub mirrors: Vec<String>,
    #[serde(default)]
    pub folder: String,
    #[serde(default)]
    pub file: String,
    #[serde(default)]
    pub newest: Option<String>,
    /// `None`: the distribution publishes none.
    #[serde(default)]
    pub checksums: Option<String>,
    /// The checksum file holds one digest, which counts whatever name stands beside it.
    #[serde(default)]
    pub lone: bool,
    #[serde(default)]
    pub algorithm: Algorithm,
    #[serde(default)]
    pub signature: SignatureKind,
    #[serde(default)]
    pub signature_file: Option<String>,
    #[serde(default)]
    pub keys: Vec<String>,
    /// The download is compressed; the engine unpacks it.
    #[serde(default)]
    pub packed: Option<Packed>,
    #[serde(default)]
    pub pinned: Vec<Pinned>,
}

/// How a download is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Packed {
    Xz,
    Gz,
    Zip,
}

impl Packed {
    pub const ALL: [Self; 3] = [Self::Xz, Self::Gz, Self::Zip];
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Xz => "xz",
            Self::Gz => "gz",
            Self::Zip => "zip",
        }
    }
    /// What such a file starts with.
    pub const fn mark(self) -> &'static [u8] {
        match self {
            Self::Xz => b"\xfd7zXZ\0",
            Self::Gz => &[0x1f, 0x8b, 8],
            Self::Zip => b"PK\x03\x04",
        }
    }
}

/// What differs from the layout where an older release is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pinned {
    pub label: String,
    #[serde(default)]
    pub base: Option<String>,
    #[serde(default)]
    pub folder: Option<String>,
    #[serde(default)]
    pub file: Option<String>,
}

/// Digest of the checksum file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Algorithm {
    #[default]
    Sha256,
    Sha512,
}

impl Algorithm {
    /// Length in hexadecimal digits.
    pub const fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

/// Where the signature over the checksums is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SignatureKind {
    #[default]
    None,
    Detached,
    Clearsigned,
}

/// `<id>.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateFile {
    pub id: String,
    pub family: String,
    pub name: String,
    pub variant: String,
    pub summary: String,
    #[serde(default)]
    pub glyph: Option<String>,
    #[serde(default)]
    pub user: Option<String>,
    /// Firmware, where it is not UEFI.
    #[serde(default)]
    pub firmware: Option<Firmware>,
    /// Controller of the first disk, where it is not virtio.
    #[serde(default)]
    pub disk_bus: Option<DiskBus>,
    /// What one should know before choosing it.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What cloud-init does at the first boot.
    #[serde(default)]
    pub setup: Setup,
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    pub defaults: Defaults,
    pub arches: BTreeMap<String, ArchFile>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Defaults {
    pub cpus: u32,
    pub memory: String,
    pub disk: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArchFile {
    pub layout: String,
    #[serde(default)]
    pub size: Option<String>,
}

impl Defaults {
    pub fn parsed(&self) -> Result<TemplateDefaults> {
        Ok(TemplateDefaults {
            cpus: self.cpus,
            memory: units::parse_size(&self.memory)?,
            disk: units::parse_size(&self.disk)?,
        })
    }
}

fn bad(file: &str, why: impl std::fmt::Display) -> Error {
    Error::usage(
        "bad-template",
        format!("The template file {file} can't be used: {why}."),
    )
    .with_hint("vm-templates/README.md says what a template file holds.")
    .with_detail("file", file)
}

/// Reads one file of either kind.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T> {
    let text = std::str::from_utf8(bytes).map_err(|_| bad(file, "it is not UTF-8 text"))?;
    toml::from_str(text).map_err(|error| bad(file, error.to_string().trim_end()))
}
