//! What takes space in the library, what could be freed, and what would be lost by it.

use crate::clones::images_in;
use crate::machine::Handle;
use crate::{Engine, files};
use nestbox_model::{DetachedDisk, Result, SnapshotRecord, SpaceAction, SpaceItem, SpaceKind, SpaceReport};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

impl Engine {
    /// Everything in the library that takes space, largest first. Reads the folders, so it takes a moment.
    pub async fn space(&self) -> Result<SpaceReport> {
        let engine = self.clone();
        tokio::task::spawn_blocking(move || engine.read_space())
            .await
            .map_err(|e| {
                nestbox_model::Error::failed(
                    "internal",
                    format!("Looking at the folders ended unexpectedly: {e}."),
                )
            })?
    }

    fn read_space(&self) -> Result<SpaceReport> {
        let mut items = Vec::new();
        for handle in self.handles() {
            self.machine_items(&handle, &mut items)?;
        }
        for entry in self.trash()? {
            items.push(SpaceItem {
                kind: SpaceKind::Trash,
                machine: Some(entry.id),
                machine_name: Some(entry.name.clone()),
                snapshot: None,
                title: format!("“{}” in the trash", entry.name),
                bytes: entry.size,
                freeable: entry.size,
                action: Some(SpaceAction::EmptyTrash),
                note: Some("Emptying the trash removes it for good.".into()),
            });
        }
        self.cache_items(&mut items);
        items.retain(|item| item.bytes > 0);
        items.sort_by_key(|item| std::cmp::Reverse(item.bytes));
        Ok(SpaceReport {
            free: crate::doctor::disk_space(self.layout().home()).map_or(0, |(free, _)| free),
            items,
        })
    }

    fn machine_items(&self, handle: &Handle, items: &mut Vec<SpaceItem>) -> Result<()> {
        let folder = self.folder(&handle.id);
        let spec = handle.spec();
        let item = |kind, title: String, bytes, action: Option<SpaceAction>, note: Option<&str>| SpaceItem {
            kind,
            machine: Some(handle.id.clone()),
            machine_name: Some(spec.name.clone()),
            snapshot: None,
            title,
            bytes,
            freeable: if action.is_some() { bytes } else { 0 },
            action,
            note: note.map(str::to_owned),
        };
        let records = self.library().snapshots(&handle.id)?;
        let mut named: HashSet<PathBuf> = HashSet::new();
        for (record, _) in &records {
            named.extend(images_named(&folder, record));
            let own = folder.snapshot(&record.id);
            let memory = files::allocated_bytes(&own.memory()) + files::allocated_bytes(&own.packed_memory());
            let of = |mut item: SpaceItem| {
                item.snapshot = Some(record.id.clone());
                item
            };
            items.push(of(item(
                SpaceKind::Memory,
                format!("Memory of “{}”", record.name),
                memory,
                Some(SpaceAction::DropMemory),
                Some("Without it, restoring boots from the snapshot's disks."),
            )));
            let images = images_named(&folder, record);
            let bytes = images.iter().map(|path| files::allocated_bytes(path)).sum();
            let clones = self.clones_of_snapshot(&handle.id, &record.id);
            let (action, note) = if clones.is_empty() {
                (
                    Some(SpaceAction::DeleteSnapshot),
                    "At most so much: what later snapshots need is merged into them.".to_owned(),
                )
            } else {
                (None, format!("Clones stand on it: {}", clones.join(", ")))
            };
            items.push(of(item(
                SpaceKind::Snapshot,
                format!("Disks of “{}”", record.name),
                bytes,
                action,
                Some(&note),
            )));
        }
        let active: HashSet<PathBuf> = spec
            .disks
            .iter()
            .map(|disk| folder.disk_image(&disk.image))
            .chain(spec.nvram.iter().map(|name| folder.nvram_image(name)))
            .collect();
        let aside: HashMap<PathBuf, &DetachedDisk> = spec
            .detached
            .iter()
            .map(|detached| (folder.disk_image(&detached.disk.image), detached))
            .collect();
        let (mut used, mut left) = (0, 0);
        for path in images_in(&folder) {
            if let Some(detached) = aside.get(&path) {
                let (kind, title, action, note) = set_aside(detached);
                items.push(item(
                    kind,
                    title,
                    files::allocated_bytes(&path),
                    action,
                    Some(note),
                ));
            } else if active.contains(&path) {
                used += files::allocated_bytes(&path);
            } else if !named.contains(&path) {
                left += files::allocated_bytes(&path);
            }
        }
        items.push(item(
            SpaceKind::Disk,
            format!("Disks of “{}”", spec.name),
            used,
            None,
            None,
        ));
        items.push(item(
            SpaceKind::Disk,
            format!("Unpacked CD image of “{}”", spec.name),
            files::allocated_bytes(&folder.path().join(crate::import::OWN_MEDIUM)),
            None,
            Some("It came compressed; it goes with the machine."),
        ));
        items.push(item(
            SpaceKind::Leftover,
            format!("Deleted snapshots of “{}”", spec.name),
            left,
            Some(SpaceAction::Tidy),
            Some("At most so much: what is still needed is merged into what needs it."),
        ));
        items.push(item(
            SpaceKind::Suspended,
            format!("Saved state of “{}”", spec.name),
            files::allocated_bytes(folder.suspended().path()),
            Some(SpaceAction::DiscardState),
            Some("Without it, the next start boots as after a power cut."),
        ));
        Ok(())
    }

    fn cache_items(&self, items: &mut Vec<SpaceItem>) {
        let item = |title: String, bytes, freeable: bool, note: String| SpaceItem {
            kind: SpaceKind::Cache,
            machine: None,
            machine_name: None,
            snapshot: None,
            title,
            bytes,
            freeable: if freeable { bytes } else { 0 },
            action: freeable.then_some(SpaceAction::PruneCache),
            note: Some(note),
        };
        let list = match self.read_cache() {
            Ok(list) => list,
            Err(error) => {
                let bytes = files::allocated_bytes(&self.layout().cache().join("images"));
                items.push(item("Downloaded images".into(), bytes, false, error.message));
                return;
            }
        };
        for image in list.images {
            let title = match image.templates.first() {
                Some(template) => format!("Downloaded image: {template}"),
                None => "A downloaded image".to_owned(),
            };
            let note = match image.needed_by.as_slice() {
                [] => "No machine stands on it; the next one downloads it again.".to_owned(),
                names => format!("Machines stand on it: {}", names.join(", ")),
            };
            items.push(item(title, image.bytes, image.needed_by.is_empty(), note));
        }
        items.push(item(
            "Unfinished downloads".into(),
            list.partial,
            true,
            "Without them, those downloads begin anew.".into(),
        ));
    }
}

/// What a disk that the guest does not see is called, and what can be done about it.
fn set_aside(detached: &DetachedDisk) -> (SpaceKind, String, Option<SpaceAction>, &'static str) {
    let label = match &detached.disk.label {
        Some(label) => format!("“{label}”"),
        None => detached.disk.id.short().to_owned(),
    };
    match detached.removed_at {
        Some(_) => (
            SpaceKind::Trash,
            format!("The disk {label} in the bin"),
            Some(SpaceAction::EmptyTrash),
            "Emptying the trash removes it for good.",
        ),
        None => (
            SpaceKind::Disk,
            format!("The detached disk {label}"),
            None,
            "Remove it if nobody needs it any more.",
        ),
    }
}

fn images_named(folder: &nestbox_model::layout::MachineFolder, record: &SnapshotRecord) -> Vec<PathBuf> {
    record
        .disks
        .iter()
        .map(|disk| folder.disk_image(&disk.image))
        .chain(record.nvram.iter().map(|name| folder.nvram_image(name)))
        .collect()
}
