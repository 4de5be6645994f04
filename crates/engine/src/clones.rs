//! Who stands on whose images: linked clones and what they keep from being removed.
//!
//! A linked clone's disks are overlays on the images that a snapshot of another machine froze. Its `machine.toml` says
//! so (`origin`), the headers of its images say which; what is in the trash counts, too, since it can come back.

use crate::Engine;
use crate::machine::Handle;
use nestbox_model::layout::MachineFolder;
use nestbox_model::{CloneOrigin, Error, MachineId, Result, SnapshotId};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::PoisonError;

/// A linked clone.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub clone: MachineId,
    pub name: String,
    pub trashed: bool,
    pub origin: CloneOrigin,
}

impl Link {
    fn shown(&self) -> String {
        if self.trashed {
            format!("{} (in the trash)", self.name)
        } else {
            self.name.clone()
        }
    }
}

impl Engine {
    /// Looks anew who stands on whom. To be called when machines came, went, or were renamed.
    pub(crate) fn refresh_clones(&self) -> Result<()> {
        let mut links = Vec::new();
        let mut add = |spec: &nestbox_model::MachineSpec, trashed: bool| {
            if let Some(origin) = spec.origin.as_ref().filter(|origin| origin.linked) {
                links.push(Link {
                    clone: spec.id.clone(),
                    name: spec.name.clone(),
                    trashed,
                    origin: origin.clone(),
                });
            }
        };
        for handle in self.handles() {
            add(&handle.read().spec, false);
        }
        for (spec, _) in self.library().trashed()? {
            add(&spec, true);
        }
        *self.0.clones.write().unwrap_or_else(PoisonError::into_inner) = links;
        Ok(())
    }

    /// The linked clones of a machine.
    pub(crate) fn links_to(&self, machine: &MachineId) -> Vec<Link> {
        let links = self.0.clones.read().unwrap_or_else(PoisonError::into_inner);
        links
            .iter()
            .filter(|link| link.origin.machine == *machine)
            .cloned()
            .collect()
    }

    /// Names of the linked clones that stand on any snapshot of the machine.
    pub(crate) fn clones_of(&self, machine: &MachineId) -> Vec<String> {
        self.links_to(machine).iter().map(Link::shown).collect()
    }

    /// Names of the linked clones that were made from this snapshot.
    pub(crate) fn clones_of_snapshot(&self, machine: &MachineId, snapshot: &SnapshotId) -> Vec<String> {
        self.links_to(machine)
            .iter()
            .filter(|link| link.origin.snapshot == *snapshot)
            .map(Link::shown)
            .collect()
    }

    /// Images in the machine's folder that files of other machines name as what they stand on, and who does.
    pub(crate) fn images_needed_elsewhere(&self, machine: &MachineId) -> Result<HashMap<PathBuf, String>> {
        let folder = self.folder(machine);
        let mut needed = HashMap::new();
        for link in self.links_to(machine) {
            let clone = if link.trashed {
                self.layout().trashed(&link.clone)
            } else {
                self.folder(&link.clone)
            };
            for path in images_in(&clone) {
                let Ok(Some(name)) = nestbox_disk::backing_name(&path) else {
                    continue;
                };
                if let Some(path) = below(&name, &folder) {
                    needed.insert(path, link.shown());
                }
            }
        }
        Ok(needed)
    }

    /// # Errors
    /// `machine-needed` (conflict) while linked clones stand on its images.
    pub(crate) fn check_no_clones(&self, handle: &Handle) -> Result<()> {
        let names = self.clones_of(&handle.id);
        if names.is_empty() {
            return Ok(());
        }
        Err(needed(
            "machine-needed",
            &format!("“{}”", handle.name()),
            &names,
            "Delete the clones first and empty the trash, or make full clones of them.",
        ))
    }
}

/// An error that says who needs a thing.
pub(crate) fn needed(code: &str, what: &str, names: &[String], way_out: &str) -> Error {
    let listed: Vec<String> = names.iter().map(|name| format!("“{name}”")).collect();
    Error::conflict(
        code,
        format!(
            "{what} can't be removed: the disks of {} stand on it.",
            listed.join(", ")
        ),
    )
    .with_hint(way_out)
    .with_detail("needed_by", names.to_vec())
}

/// How a linked clone's images name those of the machine `source`, from their own folder.
pub(crate) fn stored_name(source: &MachineId, part: &str, image: &str) -> String {
    format!("../../{source}/{part}/{image}")
}

/// The file of `folder` that a clone's image names by [`stored_name`].
fn below(name: &str, folder: &MachineFolder) -> Option<PathBuf> {
    let id = folder.path().file_name()?.to_str()?;
    let rest = name.strip_prefix("../../")?.strip_prefix(id)?.strip_prefix('/')?;
    Some(folder.path().join(rest))
}

/// Every image of a machine, of its disks and its UEFI variables.
pub(crate) fn images_in(folder: &MachineFolder) -> Vec<PathBuf> {
    [folder.disks(), folder.nvram()]
        .iter()
        .filter_map(|parent| std::fs::read_dir(parent).ok())
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "qcow2"))
        .collect()
}
