//! Deleting snapshots. Their children live on; what they stand on is merged later ([`crate::tidy`]).

use crate::clones::needed;
use crate::machine::{Handle, MachineRef};
use crate::{Engine, files};
use nestbox_model::{
    Error, EventKind, MachineSpec, Result, Snapshot, SnapshotId, SnapshotRecord, SnapshotsDeleted,
};
use serde_json::json;

impl Engine {
    /// Deletes a snapshot; its children live on under its parent. With `subtree`, the children go too. The present is
    /// never touched: images that it or another snapshot stands on stay until they are merged in the background.
    ///
    /// # Errors
    /// `snapshot-needed` (conflict) while linked clones stand on it.
    pub async fn delete_snapshot(
        &self,
        wanted: MachineRef<'_>,
        snapshot: &str,
        subtree: bool,
        dry_run: bool,
    ) -> Result<SnapshotsDeleted> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let (record, _) = self.find_snapshot(&handle, snapshot)?;
        let all = self.library().snapshots(&handle.id)?;
        let doomed = doomed(&all, record.id, subtree);
        let deleted: Vec<Snapshot> = all
            .iter()
            .filter(|(s, _)| doomed.contains(&s.id))
            .map(|(record, size)| self.snapshot_view(&handle, record, *size))
            .collect();
        if let Some(kept) = deleted.iter().find(|snapshot| !snapshot.needed_by.is_empty()) {
            return Err(needed(
                "snapshot-needed",
                &format!("The snapshot “{}”", kept.name),
                &kept.needed_by,
                "Delete the clones first and empty the trash, or make full clones of them.",
            ));
        }
        let garbage = self.garbage(&handle.spec(), &all, &doomed)?;
        let folder = self.folder(&handle.id);
        let images = garbage.iter().map(|path| files::allocated_bytes(path));
        let folders = doomed
            .iter()
            .map(|id| files::allocated_bytes(folder.snapshot(id).path()));
        let freed = images.sum::<u64>() + folders.sum::<u64>();
        if dry_run {
            return Ok(SnapshotsDeleted {
                deleted,
                freed,
                job: None,
            });
        }
        self.delete_locked(&handle, &doomed)?;
        let names: Vec<String> = deleted.iter().map(|s| format!("“{}”", s.name)).collect();
        self.tell_machine(
            EventKind::SnapshotDeleted,
            &handle,
            Some(format!("Deleted snapshot {}", names.join(", "))),
        );
        let job = self.tidy_if_worthwhile(&handle)?;
        Ok(SnapshotsDeleted { deleted, freed, job })
    }

    /// Deletes under the machine's operation lock, journalled.
    pub(crate) fn delete_locked(&self, handle: &Handle, doomed: &[SnapshotId]) -> Result<()> {
        let library = self.library();
        let journal = library.begin(
            "snapshot-delete",
            Some(&handle.id),
            &json!({ "snapshots": doomed }),
        )?;
        self.finish_delete(handle, doomed)?;
        library.finish(journal)
    }

    /// Drops a snapshot's memory; its disks stay, and restoring it boots.
    ///
    /// # Errors
    /// `no-memory-kept` (conflict) when it has none.
    pub async fn drop_memory(&self, wanted: MachineRef<'_>, snapshot: &str) -> Result<Snapshot> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let (mut record, _) = self.find_snapshot(&handle, snapshot)?;
        if !record.memory {
            return Err(Error::conflict(
                "no-memory-kept",
                format!("The snapshot “{}” holds no memory.", record.name),
            ));
        }
        let folder = self.folder(&handle.id);
        let own = folder.snapshot(&record.id);
        record.memory = false;
        record.paused = false;
        // The record first: a memory file without one is only space, a record without its file could not be restored.
        files::write_record(&own, &record)?;
        files::remove_file(&own.memory())?;
        files::remove_file(&own.packed_memory())?;
        let size = crate::snapshots::size_on_disk(&folder, &record);
        self.library().upsert_snapshot(&handle.id, &record, size)?;
        self.tell_machine(
            EventKind::SnapshotChanged,
            &handle,
            Some(format!("Dropped the memory of “{}”", record.name)),
        );
        Ok(self.snapshot_view(&handle, &record, size))
    }

    /// The steps of a deletion; repeating them after a crash is harmless.
    pub(crate) fn finish_delete(&self, handle: &Handle, doomed: &[SnapshotId]) -> Result<()> {
        let library = self.library();
        let folder = self.folder(&handle.id);
        let all = library.snapshots(&handle.id)?;
        let garbage = self.garbage(&handle.spec(), &all, doomed)?;
        let living_parent = |mut parent: Option<SnapshotId>| {
            // At most once for each: a record made by hand may name itself.
            for _ in 0..=all.len() {
                let Some(id) = parent.clone().filter(|id| doomed.contains(id)) else {
                    return parent;
                };
                parent = all
                    .iter()
                    .find(|(s, _)| s.id == id)
                    .and_then(|(s, _)| s.parent.clone());
            }
            None
        };
        for (record, size) in all.iter().filter(|(s, _)| !doomed.contains(&s.id)) {
            let parent = living_parent(record.parent.clone());
            if parent != record.parent {
                let record = SnapshotRecord {
                    parent,
                    ..record.clone()
                };
                files::write_record(&folder.snapshot(&record.id), &record)?;
                library.upsert_snapshot(&handle.id, &record, *size)?;
            }
        }
        let spec = handle.spec();
        let mut after = MachineSpec {
            current_snapshot: living_parent(spec.current_snapshot.clone()),
            ..spec.clone()
        };
        if let Some(before) = &mut after.disposable {
            before.current_snapshot = living_parent(before.current_snapshot.clone());
        }
        if after != spec {
            self.save_spec(handle, after)?;
        }
        for path in &garbage {
            files::remove_file(path)?;
        }
        for id in doomed {
            files::remove_folder(folder.snapshot(id).path())?;
            library.remove_snapshot(&handle.id, id)?;
        }
        handle.write().snapshot_count = library.snapshot_counts()?.get(&handle.id).copied().unwrap_or(0);
        Ok(())
    }
}

/// The snapshot, and with `subtree` everything below it.
fn doomed(all: &[(SnapshotRecord, u64)], first: SnapshotId, subtree: bool) -> Vec<SnapshotId> {
    let mut doomed = vec![first];
    if !subtree {
        return doomed;
    }
    let mut at = 0;
    while at < doomed.len() {
        let children = all.iter().filter(|(s, _)| s.parent.as_ref() == Some(&doomed[at]));
        let children: Vec<SnapshotId> = children
            .map(|(s, _)| s.id.clone())
            .filter(|id| !doomed.contains(id))
            .collect();
        doomed.extend(children);
        at += 1;
    }
    doomed
}
