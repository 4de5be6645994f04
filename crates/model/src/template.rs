//! Catalogue entries as the API shows them.

use crate::Arch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A catalogue entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Template {
    /// Stable id: `ubuntu-24.04`, `ubuntu-24.04-desktop`.
    pub id: String,
    /// For people: `Ubuntu 24.04 LTS`.
    pub name: String,
    /// Family; also the `<family>` of `mirror.<family>`: `ubuntu`, `debian`, `fedora`, `alpine`.
    pub family: String,
    /// `server`, `desktop`, `minimal`.
    pub variant: String,
    /// One sentence.
    pub summary: String,
    /// Two letters for the tile.
    pub glyph: String,
    /// What it comes as, for each architecture.
    #[schema(value_type = std::collections::HashMap<String, TemplateArch>)]
    pub arches: BTreeMap<Arch, TemplateArch>,
    /// What a new machine gets unless told otherwise.
    pub defaults: TemplateDefaults,
    /// Account of the image (`ubuntu`), for cloud images.
    pub user: Option<String>,
}

/// What one architecture of a template is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TemplateArch {
    /// Kind.
    pub kind: TemplateKind,
    /// Where it comes from, mirror setting applied.
    pub url: String,
    /// Bytes to download, as known when the template was written.
    pub size: Option<u64>,
    /// How the download is verified.
    pub verified_by: VerifiedBy,
    /// The image is in the cache: nothing to download.
    #[serde(default)]
    pub cached: bool,
}

/// How a system is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateKind {
    /// A ready disk, set up at first boot by cloud-init.
    CloudImage,
    /// An installer or live ISO.
    Installer,
}

/// The strongest check there is for a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerifiedBy {
    /// The distribution's OpenPGP signature over the checksum file, by a key we ship.
    Gpg,
    /// A checksum file fetched over HTTPS: protects against damage, trusts the server.
    Checksum,
    /// Nothing is published.
    None,
}

/// Defaults of a template.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TemplateDefaults {
    /// Virtual processors.
    pub cpus: u32,
    /// Bytes.
    pub memory: u64,
    /// Bytes.
    pub disk: u64,
}
