//! Who stands on whose images: linked clones and what they keep from being removed.
//!
//! A linked clone's disks are overlays on the images that a snapshot of another machine froze. Its `machine.toml` says
//! so (`origin`), the headers of its images say which; what is in the trash counts, too, since it can come back.

use crate::Engine;
use crate::machine::Handle;
use nestbox_model::layout::MachineFolder;
use nestbox_model::{CloneOrigin, Error, MachineId, MachineState, Result, SnapshotId};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

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
        let trashed = self.library().trashed()?;
        for (spec, _) in &trashed {
            add(spec, true);
        }
        let known = |id: &str| {
            self.handles()
                .iter()
                .any(|h| h.id.as_str() == id && h.state() != MachineState::Broken)
                || trashed.iter().any(|(spec, _)| spec.id.as_str() == id)
        };
        for parent in [self.layout().machines(), self.layout().trash()] {
            for entry in std::fs::read_dir(&parent).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if !known(&name) {
                    links.extend(unknown_links(&MachineFolder(entry.path()), &name));
                }
            }
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

    /// Images in the machine's folder that files of other machines name as what they stand on, or that a job reads, and
    /// who does.
    pub(crate) fn images_needed_elsewhere(&self, machine: &MachineId) -> Result<HashMap<PathBuf, String>> {
        let folder = self.folder(machine);
        let mut needed: HashMap<PathBuf, String> = self
            .0
            .readings
            .of(machine)
            .into_iter()
            .map(|path| (path, "a job that reads it".to_owned()))
            .collect();
        if self
            .handle_by_id(machine)
            .is_some_and(|handle| handle.readers.load(Ordering::Acquire) > 0)
        {
            return Err(Error::conflict(
                "snapshot-being-read",
                "Files are being copied out of a snapshot of this machine.",
            )
            .with_hint("Wait for the job to end, or cancel it."));
        }
        for link in self.links_to(machine) {
            if self
                .handle_by_id(&link.clone)
                .is_some_and(|h| h.state() == MachineState::Creating)
            {
                return Err(Error::conflict(
                    "clone-unfinished",
                    format!("The clone “{}” is still being made of it.", link.name),
                )
                .with_hint("Wait for its job to end, or cancel it."));
            }
            // It may just be on its way to the trash or back.
            let places = [self.folder(&link.clone), self.layout().trashed(&link.clone)];
            let images: Vec<PathBuf> = places.iter().flat_map(images_in).collect();
            if images.is_empty() {
                return Err(Error::failed(
                    "clone-unreadable",
                    format!(
                        "The images of the clone “{}” can't be found, so nothing that it may stand on is changed.",
                        link.name
                    ),
                ));
            }
            for path in images {
                if let Some(path) = nestbox_disk::backing_name(&path)?.and_then(|name| below(&name, &folder))
                {
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

/// A folder whose settings can't be read or are not in the library may be a clone all the same: its images' headers tell.
fn unknown_links(folder: &MachineFolder, name: &str) -> Vec<Link> {
    let id = |text: &str| serde_json::from_value::<MachineId>(serde_json::Value::String(text.into())).ok();
    let Some(clone) = id(name) else { return Vec::new() };
    let mut sources: Vec<MachineId> = images_in(folder)
        .iter()
        .filter_map(|image| nestbox_disk::backing_name(image).ok().flatten())
        .filter_map(|stored| id(stored.strip_prefix("../../")?.split('/').next()?))
        .collect();
    sources.sort();
    sources.dedup();
    sources
        .into_iter()
        .map(|machine| Link {
            clone: clone.clone(),
            name: format!("the unreadable machine {name}"),
            trashed: false,
            origin: CloneOrigin {
                machine,
                machine_name: String::new(),
                snapshot: SnapshotId::random(),
                snapshot_name: String::new(),
                linked: true,
            },
        })
        .collect()
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
