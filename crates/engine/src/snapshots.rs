//! Snapshots: what there is, their names, and the overlays that every operation on them needs.

use crate::lifecycle::new_image_name;
use crate::machine::{Handle, MachineRef};
use crate::{Engine, files};
use nestbox_disk::Backing;
use nestbox_model::layout::MachineFolder;
use nestbox_model::{
    DiskId, Error, EventKind, ImageFormat, MachineSpec, Result, Snapshot, SnapshotList, SnapshotRecord,
    validate_name,
};
use std::path::Path;

/// Bytes that only this snapshot holds: its frozen images and its memory.
pub(crate) fn size_on_disk(folder: &MachineFolder, record: &SnapshotRecord) -> u64 {
    let images = record
        .disks
        .iter()
        .map(|disk| files::allocated_bytes(&folder.disk_image(&disk.image)));
    let nvram = record
        .nvram
        .iter()
        .map(|name| files::allocated_bytes(&folder.nvram_image(name)));
    images.chain(nvram).sum::<u64>() + files::allocated_bytes(folder.snapshot(&record.id).path())
}

/// Fresh overlays, one for each disk and the UEFI variables.
pub(crate) struct Overlays {
    pub disks: Vec<(DiskId, String)>,
    pub nvram: Option<String>,
}

impl Overlays {
    pub fn names_for(disks: &[DiskId], nvram: bool) -> Self {
        Self {
            disks: disks.iter().map(|id| (id.clone(), new_image_name())).collect(),
            nvram: nvram.then(new_image_name),
        }
    }

    /// All names, for the journal.
    pub fn names(&self) -> Vec<String> {
        self.disks
            .iter()
            .map(|(_, name)| name.clone())
            .chain(self.nvram.clone())
            .collect()
    }

    /// Makes the files on top of `base`'s images.
    pub async fn create(&self, folder: &MachineFolder, base: &MachineSpec) -> Result<()> {
        for (id, name) in &self.disks {
            let Some(disk) = base.disks.iter().find(|disk| disk.id == *id) else {
                continue;
            };
            overlay(
                &folder.disk_image(name),
                &folder.disk_image(&disk.image),
                &disk.image,
                Some(disk.capacity),
            )
            .await?;
        }
        if let (Some(name), Some(below)) = (&self.nvram, &base.nvram) {
            overlay(&folder.nvram_image(name), &folder.nvram_image(below), below, None).await?;
        }
        Ok(())
    }

    /// `base` with the overlays as its active images.
    pub fn on(&self, base: &MachineSpec) -> MachineSpec {
        let mut spec = base.clone();
        for disk in &mut spec.disks {
            if let Some((_, name)) = self.disks.iter().find(|(id, _)| *id == disk.id) {
                disk.image.clone_from(name);
            }
        }
        if self.nvram.is_some() {
            spec.nvram.clone_from(&self.nvram);
        }
        spec
    }
}

async fn overlay(path: &Path, below: &Path, stored_as: &str, capacity: Option<u64>) -> Result<()> {
    let capacity = match capacity {
        Some(capacity) => capacity,
        None => {
            let file =
                std::fs::File::open(below).map_err(|e| Error::io("read the UEFI variables", below, &e))?;
            nestbox_disk::qcow2::Header::read(&file)?.capacity
        }
    };
    let backing = Backing {
        path: below,
        format: ImageFormat::Qcow2,
        stored_as: stored_as.to_owned(),
    };
    nestbox_disk::create(path, capacity, Some(backing)).await
}

impl Engine {
    /// All snapshots of a machine.
    pub fn snapshots(&self, wanted: MachineRef<'_>) -> Result<SnapshotList> {
        let handle = self.find(wanted)?;
        let snapshots = self.library().snapshots(&handle.id)?;
        Ok(SnapshotList {
            depth: self.depth(&handle),
            current: handle.read().spec.current_snapshot.clone(),
            snapshots: snapshots
                .iter()
                .map(|(record, size)| self.snapshot_view(&handle, record, *size))
                .collect(),
        })
    }

    /// One snapshot.
    pub fn snapshot(&self, wanted: MachineRef<'_>, snapshot: &str) -> Result<Snapshot> {
        let handle = self.find(wanted)?;
        let (record, size) = self.find_snapshot(&handle, snapshot)?;
        Ok(self.snapshot_view(&handle, &record, size))
    }

    pub(crate) fn snapshot_view(&self, handle: &Handle, record: &SnapshotRecord, size: u64) -> Snapshot {
        let folder = self.folder(&handle.id).snapshot(&record.id);
        let (screenshot, memory, packed) = (folder.screenshot(), folder.memory(), folder.packed_memory());
        Snapshot {
            id: record.id.clone(),
            name: record.name.clone(),
            parent: record.parent.clone(),
            created_at: record.created_at,
            memory: record.memory,
            size,
            screenshot: screenshot.exists().then(|| screenshot.display().to_string()),
            notes: record.notes.clone(),
            automatic: record.automatic,
            kind: record.kind(),
            keep: record.keep,
            paused: record.paused,
            memory_size: files::allocated_bytes(&memory) + files::allocated_bytes(&packed),
            memory_packed: packed.exists(),
            group: record.group.clone(),
            medium: record.spec.medium.as_ref().map(|medium| medium.path.clone()),
            needed_by: self.clones_of_snapshot(&handle.id, &record.id),
        }
    }

    /// By id, name, name without regard to case, or unambiguous id prefix. Of several with one name: the newest.
    pub(crate) fn find_snapshot(&self, handle: &Handle, wanted: &str) -> Result<(SnapshotRecord, u64)> {
        let mut all = self.library().snapshots(&handle.id)?;
        let folded = wanted.to_lowercase();
        let at = all
            .iter()
            .position(|(s, _)| s.id.as_str() == wanted)
            .or_else(|| all.iter().rposition(|(s, _)| s.name == wanted))
            .or_else(|| all.iter().rposition(|(s, _)| s.name.to_lowercase() == folded))
            .or_else(|| {
                let mut prefixed = all
                    .iter()
                    .enumerate()
                    .filter(|(_, (s, _))| wanted.len() >= 4 && s.id.as_str().starts_with(&folded));
                match (prefixed.next(), prefixed.next()) {
                    (Some((at, _)), None) => Some(at),
                    _ => None,
                }
            });
        at.map(|at| all.swap_remove(at)).ok_or_else(|| {
            Error::not_found(
                "snapshot-not-found",
                format!("“{}” has no snapshot “{wanted}”.", handle.name()),
            )
            .with_hint(format!(
                "See all with: nestbox snapshot list {}",
                crate::machine::shell_word(&handle.name())
            ))
        })
    }

    /// Changes a snapshot's name or notes, or whether rules may remove it.
    pub async fn change_snapshot(
        &self,
        wanted: MachineRef<'_>,
        snapshot: &str,
        name: Option<&str>,
        notes: Option<&str>,
        keep: Option<bool>,
    ) -> Result<Snapshot> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let (mut record, size) = self.find_snapshot(&handle, snapshot)?;
        if let Some(name) = name {
            record.name = validate_name(name)?;
        }
        if let Some(notes) = notes {
            record.notes = notes.to_owned();
        }
        if let Some(keep) = keep {
            record.keep = keep;
        }
        files::write_record(&self.folder(&handle.id).snapshot(&record.id), &record)?;
        self.library().upsert_snapshot(&handle.id, &record, size)?;
        self.tell_machine(EventKind::SnapshotChanged, &handle, None);
        Ok(self.snapshot_view(&handle, &record, size))
    }
    /// Images in the longest chain of the present's disks.
    pub(crate) fn depth(&self, handle: &Handle) -> u32 {
        let folder = self.folder(&handle.id);
        let depths = handle.spec().disks.into_iter().map(|disk| {
            self.chain(&folder.disk_image(&disk.image), disk.linked.as_deref())
                .map_or(0, |links| links.len())
        });
        u32::try_from(depths.max().unwrap_or(0)).unwrap_or(u32::MAX)
    }
}
