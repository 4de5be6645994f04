//! Catalogue entries as the API shows them.

use crate::{Arch, DiskBus, Firmware};
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
    /// Firmware that the system needs, where it is not UEFI.
    #[serde(default)]
    pub firmware: Option<Firmware>,
    /// How its first disk is attached, where virtio is not known to it.
    #[serde(default)]
    pub disk_bus: Option<DiskBus>,
    /// What one should know before choosing it, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What the machine is set up with at its first boot.
    #[serde(default)]
    pub setup: Setup,
}

/// What cloud-init does at the first boot, beside making the account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// Packages to install, by the distribution's names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Commands to run as root when everything else is done, one shell line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    /// Locale: `de_DE.UTF-8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Keyboard layout by its XKB name: `de`, `us`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyboard: Option<String>,
    /// Time zone: `Europe/Berlin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

impl Setup {
    /// Both together: the lists joined, single values of `wish` winning.
    #[must_use]
    pub fn with(&self, wish: &Self) -> Self {
        let join = |a: &[String], b: &[String]| {
            let new = b.iter().filter(|item| !a.contains(item));
            a.iter().chain(new).cloned().collect()
        };
        Self {
            packages: join(&self.packages, &wish.packages),
            run: self.run.iter().chain(&wish.run).cloned().collect(),
            locale: wish.locale.clone().or_else(|| self.locale.clone()),
            keyboard: wish.keyboard.clone().or_else(|| self.keyboard.clone()),
            timezone: wish.timezone.clone().or_else(|| self.timezone.clone()),
        }
    }
    /// Nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What one architecture of a template is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TemplateArch {
    /// Kind.
    pub kind: TemplateKind,
    /// Where it comes from, mirror setting applied; empty when the user brings the medium.
    pub url: String,
    /// There is nothing to download: the user chooses an ISO of their own.
    #[serde(default)]
    pub own_medium: bool,
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
