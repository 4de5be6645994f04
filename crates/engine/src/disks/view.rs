//! A disk with where its bytes are.

use super::Place;
use crate::machine::{Handle, MachineRef, view_disk};
use crate::{Engine, files};
use nestbox_model::{ChainImage, DiskBus, DiskDetails, DiskList, DiskSpec, ImageRole, MachineSpec, Result};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Whose images lie where.
struct Owners {
    own: PathBuf,
    cache: PathBuf,
    frozen: HashSet<PathBuf>,
}

impl Owners {
    fn role(&self, path: &Path, first: bool, linked: Option<&Path>) -> ImageRole {
        if first {
            ImageRole::Active
        } else if path.parent() == Some(&self.own) {
            match self.frozen.contains(path) {
                true => ImageRole::Snapshot,
                false => ImageRole::Leftover,
            }
        } else if linked == Some(path) {
            ImageRole::Linked
        } else if path.starts_with(&self.cache) {
            ImageRole::Cache
        } else {
            ImageRole::Origin
        }
    }
}

impl Engine {
    /// All disks of a machine.
    ///
    /// # Errors
    /// `machine-not-found`.
    pub fn disks(&self, wanted: MachineRef<'_>) -> Result<DiskList> {
        let handle = self.find(wanted)?;
        let spec = handle.spec();
        let owners = self.owners(&spec);
        let all = Place::all(&spec).into_iter();
        Ok(DiskList {
            disks: all.map(|place| self.details(&spec, place, &owners)).collect(),
        })
    }

    /// One disk, as in [`Self::disks`].
    pub(crate) fn disk_details(&self, handle: &Handle, place: Place) -> DiskDetails {
        let spec = handle.spec();
        self.details(&spec, place, &self.owners(&spec))
    }

    fn owners(&self, spec: &MachineSpec) -> Owners {
        let canonical = |path: PathBuf| path.canonicalize().unwrap_or(path);
        let folder = self.folder(&spec.id);
        let own = canonical(folder.disks());
        let records = files::read_records(&folder).0;
        let disposable = spec.disposable.iter().flat_map(|d| &d.disks);
        let frozen = records.iter().flat_map(|record| &record.disks).chain(disposable);
        Owners {
            frozen: frozen.map(|disk| own.join(&disk.image)).collect(),
            own,
            cache: canonical(self.layout().cache()),
        }
    }

    fn details(&self, spec: &MachineSpec, place: Place, owners: &Owners) -> DiskDetails {
        let disk = place.disk(spec);
        let folder = self.folder(&spec.id);
        let image = folder.disk_image(&disk.image);
        let mut notes = notes(disk);
        let links = match self.chain(&image, disk.linked.as_deref()) {
            Ok(links) => links.into_iter().map(|link| link.path).collect(),
            Err(error) => {
                notes.push(error.message);
                vec![image]
            }
        };
        let linked = disk.linked.as_deref().map(Path::new);
        let linked = linked.map(|path| path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        let chain: Vec<ChainImage> = links
            .iter()
            .enumerate()
            .map(|(index, path)| ChainImage {
                path: path.display().to_string(),
                bytes: files::allocated_bytes(path),
                role: owners.role(path, index == 0, linked.as_deref()),
            })
            .collect();
        let of = |roles: &[ImageRole]| {
            let images = chain.iter().filter(|image| roles.contains(&image.role));
            images.map(|image| image.bytes).sum()
        };
        let detached = place.detached(spec);
        let removed_at = detached.and_then(|disk| disk.removed_at);
        let number = u32::try_from(place.number(spec)).unwrap_or(u32::MAX);
        DiskDetails {
            disk: view_disk(disk, number, &folder),
            attached: detached.is_none(),
            detached_at: detached.map(|disk| disk.detached_at),
            removed_at,
            purge_at: removed_at.map(super::bin::purged_at),
            in_snapshots: of(&[ImageRole::Snapshot, ImageRole::Leftover]),
            shared: of(&[ImageRole::Cache, ImageRole::Origin, ImageRole::Linked]),
            chain,
            notes,
        }
    }
}

fn notes(disk: &DiskSpec) -> Vec<String> {
    let mut notes = Vec::new();
    if disk.bus == DiskBus::Nvme {
        notes.push(
            "QEMU can't save the state of an NVMe controller: while the machine has one, snapshots of it running keep \
             the disks only, and it can't be suspended."
                .to_owned(),
        );
    }
    if let Some(path) = disk.linked.as_deref().filter(|path| !Path::new(path).exists()) {
        notes.push(format!(
            "The file that it stands on is not there: {path}. Put it back before the next start."
        ));
    }
    notes
}
