//! Comparing what records name with what is in a machine's folder, from the images' own headers.

use crate::clones::images_in;
use crate::{Engine, files};
use nestbox_model::{DiskId, LibraryProblem, MachineSpec, SnapshotRecord};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// One image that is named, and by whom.
struct Named {
    path: PathBuf,
    by: String,
    linked: Option<String>,
}

impl Engine {
    /// Every named image has a chain that can be read, every snapshot with memory has its file, every image is needed by
    /// someone, and nobody stands on an image that is marked as removed.
    pub(crate) fn check_images(&self, spec: &MachineSpec) -> Vec<LibraryProblem> {
        let folder = self.folder(&spec.id);
        let (records, _) = files::read_records(&folder);
        let mut problems = Vec::new();
        for named in self.named_images(spec, &records) {
            if let Err(error) = self.chain(&named.path, named.linked.as_deref()) {
                problems.push(LibraryProblem {
                    code: error.code,
                    message: format!("{}: {}", named.by, error.message),
                    path: Some(named.path.display().to_string()),
                });
            }
        }
        for record in records.iter().filter(|record| record.memory) {
            let own = folder.snapshot(&record.id);
            if !own.memory().exists() && !own.packed_memory().exists() {
                problems.push(LibraryProblem {
                    code: "memory-missing".into(),
                    message: format!(
                        "The memory of the snapshot “{}” of “{}” is not there; its disks can be restored.",
                        record.name, spec.name
                    ),
                    path: Some(own.memory().display().to_string()),
                });
            }
        }
        if spec.suspended.is_some() && !has_memory(&folder.suspended()) {
            problems.push(LibraryProblem {
                code: "memory-missing".into(),
                message: format!("“{}” is suspended, but its memory is not there.", spec.name),
                path: Some(folder.suspended().path().display().to_string()),
            });
        }
        problems.extend(self.unneeded_images(spec).into_iter().map(|path| LibraryProblem {
            code: "image-unneeded".into(),
            message: format!(
                "Nothing of “{}” needs this image; tidying the machine up removes it (nestbox snapshot tidy).",
                spec.name
            ),
            path: Some(path.display().to_string()),
        }));
        problems
    }

    /// The index and the snapshots' folders say the same.
    pub(crate) fn check_records(&self, spec: &MachineSpec) -> Vec<LibraryProblem> {
        let folder = self.folder(&spec.id);
        let (records, _) = files::read_records(&folder);
        let indexed = self.library().snapshots(&spec.id).unwrap_or_default();
        let problem = |code: &str, record: &SnapshotRecord, what: &str| LibraryProblem {
            code: code.into(),
            message: format!("The snapshot “{}” of “{}” {what}.", record.name, spec.name),
            path: Some(folder.snapshot(&record.id).path().display().to_string()),
        };
        let gone = indexed
            .iter()
            .filter(|(row, _)| !folder.snapshot(&row.id).record().exists())
            .map(|(row, _)| {
                problem(
                    "snapshot-folder-missing",
                    row,
                    "is in the library but its folder is not there",
                )
            });
        let unknown = records
            .iter()
            .filter(|record| !indexed.iter().any(|(row, _)| row.id == record.id))
            .map(|record| problem("snapshot-not-indexed", record, "is not in the library"));
        let mut active = crate::take::images_of(spec);
        active.extend(spec.detached.iter().map(|detached| detached.disk.image.clone()));
        let written_to = records
            .iter()
            .filter(|record| {
                record.disks.iter().any(|disk| active.contains(&disk.image))
                    || record.nvram.iter().any(|name| active.contains(name))
            })
            .map(|record| {
                problem(
                    "frozen-image-active",
                    record,
                    "names an image that the machine writes to",
                )
            });
        gone.chain(unknown).chain(written_to).collect()
    }

    fn named_images(&self, spec: &MachineSpec, records: &[SnapshotRecord]) -> Vec<Named> {
        let folder = self.folder(&spec.id);
        let present = format!("The disk of “{}”", spec.name);
        let mut named = Vec::new();
        let mut add = |path: PathBuf, by: &str, linked: Option<String>| {
            named.push(Named {
                path,
                by: by.to_owned(),
                linked,
            });
        };
        for disk in &spec.disks {
            add(folder.disk_image(&disk.image), &present, disk.linked.clone());
        }
        let aside = format!("A detached disk of “{}”", spec.name);
        for disk in spec.detached.iter().map(|detached| &detached.disk) {
            add(folder.disk_image(&disk.image), &aside, disk.linked.clone());
        }
        if let Some(before) = &spec.disposable {
            for disk in &before.disks {
                add(folder.disk_image(&disk.image), &present, linked(spec, &disk.id));
            }
        }
        let nvram = spec
            .nvram
            .iter()
            .chain(spec.disposable.iter().filter_map(|d| d.nvram.as_ref()));
        for name in nvram {
            add(folder.nvram_image(name), &present, None);
        }
        for record in records {
            let by = format!("The snapshot “{}” of “{}”", record.name, spec.name);
            for disk in &record.disks {
                add(
                    folder.disk_image(&disk.image),
                    &by,
                    linked(&record.spec, &disk.id),
                );
            }
            if let Some(name) = &record.nvram {
                add(folder.nvram_image(name), &by, None);
            }
        }
        named
    }

    /// Images of ours that nothing needs. None while an operation is under way, or anything can't be read: that may need
    /// any image.
    pub(crate) fn unneeded_images(&self, spec: &MachineSpec) -> Vec<PathBuf> {
        let folder = self.folder(&spec.id);
        let (records, unreadable) = files::read_records(&folder);
        let mut needed: HashSet<PathBuf> = HashSet::new();
        for named in self.named_images(spec, &records) {
            match self.chain(&named.path, named.linked.as_deref()) {
                Ok(links) => needed.extend(links.into_iter().map(|link| link.path)),
                Err(_) => return Vec::new(),
            }
        }
        let busy = self
            .library()
            .open_entries()
            .is_ok_and(|open| open.iter().any(|entry| entry.machine.as_ref() == Some(&spec.id)));
        let Ok(elsewhere) = self.images_needed_elsewhere(&spec.id) else {
            return Vec::new();
        };
        if busy || !unreadable.is_empty() {
            return Vec::new();
        }
        images_in(&folder)
            .into_iter()
            .filter(|path| is_ours(path))
            .filter(|path| !needed.contains(&canonical(path)) && !elsewhere.contains_key(path))
            .collect()
    }
}

fn linked(spec: &MachineSpec, id: &DiskId) -> Option<String> {
    spec.disks.iter().find(|disk| disk.id == *id)?.linked.clone()
}

/// Named as Nestbox names images; what others put there is theirs.
fn is_ours(path: &Path) -> bool {
    path.file_stem()
        .and_then(|stem| stem.to_str())
        .is_some_and(|stem| stem.len() == 32 && stem.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn has_memory(folder: &nestbox_model::layout::SnapshotFolder) -> bool {
    folder.memory().exists() || folder.packed_memory().exists()
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
