//! After a crash: every journalled operation is finished or rolled back.

use crate::carry::WRITE;
use crate::disks::{ADD, MOVE, RESIZE};
use crate::machine::Handle;
use crate::restore::RESTORE;
use crate::take::TOGETHER;
use crate::take::images_of;
use crate::tidy::MERGE;
use crate::{Engine, files};
use nestbox_model::{MachineId, MachineSpec, MachineState, Result, SnapshotId, Suspended};
use nestbox_store::JournalEntry;
use std::sync::Arc;

impl Engine {
    /// Before the machines are loaded: what concerns whole folders.
    pub(crate) async fn recover(&self) -> Result<()> {
        let library = self.library();
        for entry in library.open_entries()? {
            let Some(id) = &entry.machine else { continue };
            let done = match entry.op.as_str() {
                "create" if entry.step == crate::create::COMPLETE || self.holds_moved_file(id) => Ok(()),
                "create" => {
                    tracing::info!(machine = %id, "taking back a machine that was never completed");
                    files::remove_folder(self.folder(id).path()).and_then(|()| library.remove_machine(id))
                }
                "trash" | "untrash" => self.finish_trash_move(id),
                _ => continue,
            };
            close(&library, &entry, done);
        }
        Ok(())
    }

    /// After the machines are loaded: what concerns snapshots.
    pub(crate) async fn recover_snapshots(&self) -> Result<()> {
        let library = self.library();
        for entry in library.open_entries()? {
            let done = match entry.machine.as_ref().and_then(|id| self.handle_by_id(id)) {
                Some(handle) => self.recover_one(&handle, &entry).await,
                None if entry.op == TOGETHER => continue,
                None if entry.op == WRITE => self.recover_writing(&entry).map(|()| true),
                // Its machine is gone, and its files with it.
                None => Ok(true),
            };
            if !matches!(done, Ok(false)) {
                close(&library, &entry, done.map(drop));
            }
        }
        // Each machine's own part is settled by now.
        for entry in library
            .open_entries()?
            .iter()
            .filter(|entry| entry.op == TOGETHER)
        {
            let done = self.recover_together(entry);
            close(&library, entry, done);
        }
        Ok(())
    }

    /// All or none.
    fn recover_together(&self, entry: &JournalEntry) -> Result<()> {
        let group: Option<String> = field(entry, "group");
        let mut taken = Vec::new();
        let machines: Vec<MachineId> = field(entry, "machines");
        for handle in machines.iter().filter_map(|id| self.handle_by_id(id)) {
            let all = self.library().snapshots(&handle.id)?;
            let own = all.into_iter().find(|(record, _)| record.group == group);
            taken.extend(own.map(|(record, _)| (handle, record.id)));
        }
        if taken.len() == machines.len() {
            return Ok(());
        }
        for (handle, snapshot) in taken {
            self.finish_delete(&handle, &[snapshot])?;
        }
        Ok(())
    }

    /// `false` when the rest is done in the background, which then closes the entry.
    async fn recover_one(&self, handle: &Arc<Handle>, entry: &JournalEntry) -> Result<bool> {
        tracing::info!(machine = %handle.id, op = %entry.op, step = %entry.step, "finishing what a crash left");
        let images: Vec<String> = field(entry, "images");
        let recovered = match entry.op.as_str() {
            RESTORE => return self.recover_restore(handle, entry).await,
            MERGE => return self.recover_merge(handle, entry).await,
            "snapshot-take" => self.recover_take(handle, entry, &images).await,
            "snapshot-restore" | "disposable-start" | "flatten" => self.sweep(handle, &images),
            RESIZE => self.recover_resize(handle, entry),
            MOVE => self.recover_move(handle, entry),
            ADD => self.recover_add(handle, entry).await,
            "wake" => self.recover_wake(handle, field(entry, "was_running")).await,
            "suspend" => self.recover_suspend(handle, field(entry, "suspended")).await,
            "snapshot-delete" => self.finish_delete(handle, &field::<Vec<SnapshotId>>(entry, "snapshots")),
            _ => Ok(()),
        };
        recovered.map(|()| true)
    }

    /// Memory that is there whole is good: the guest has not run since. A process that still lives only waits to end.
    async fn recover_suspend(&self, handle: &Arc<Handle>, suspended: Option<Suspended>) -> Result<()> {
        let folder = self.folder(&handle.id).suspended();
        if handle.read().spec.suspended.is_some() {
            return Ok(());
        }
        let was_running = suspended.as_ref().is_none_or(|suspended| !suspended.paused);
        let Some(suspended) = suspended.filter(|_| folder.memory().exists()) else {
            self.go_on_after_freeze(handle, was_running).await;
            return files::remove_folder(folder.path());
        };
        if let Ok(session) = handle.session() {
            self.end_quietly(handle, &session).await;
        }
        self.now_suspended(handle, suspended)
    }

    /// Until the settings say so it is suspended still, and its process ends. Then it goes on, and its memory is stale.
    async fn recover_wake(&self, handle: &Arc<Handle>, was_running: bool) -> Result<()> {
        if handle.read().spec.suspended.is_some() {
            return Ok(());
        }
        self.go_on_after_freeze(handle, was_running).await;
        files::remove_folder(self.folder(&handle.id).suspended().path())
    }

    async fn recover_take(
        &self,
        handle: &Arc<Handle>,
        entry: &JournalEntry,
        images: &[String],
    ) -> Result<()> {
        let folder = self.folder(&handle.id);
        let Some(snapshot) = field::<Option<SnapshotId>>(entry, "snapshot") else {
            return Ok(());
        };
        let snapshot_folder = folder.snapshot(&snapshot);
        let Some(mut after) = field::<Option<MachineSpec>>(entry, "after") else {
            return Ok(());
        };
        let record = files::read_record(&snapshot_folder).ok();
        // The machine has moved on since: the entry was left by a failure, not by a crash, and its images are history.
        let known: Vec<String> = field(entry, "before");
        let moved_on = !known.is_empty()
            && images_of(&handle.spec())
                .iter()
                .any(|image| !known.contains(image) && !images.contains(image));
        if moved_on {
            return self.sweep(handle, images);
        }
        if record.is_none() {
            after.current_snapshot = handle.spec().current_snapshot;
        }
        if entry.step == "freeze" || record.is_some() {
            self.settle_images(handle, images, after).await?;
            self.go_on_after_freeze(handle, field(entry, "was_running")).await;
        } else {
            self.sweep(handle, images)?;
        }
        match record {
            Some(record) => {
                let size = crate::snapshots::size_on_disk(&folder, &record);
                self.library().upsert_snapshot(&handle.id, &record, size)?;
                handle.write().snapshot_count = self
                    .library()
                    .snapshot_counts()?
                    .get(&handle.id)
                    .copied()
                    .unwrap_or(0);
                Ok(())
            }
            None => files::remove_folder(snapshot_folder.path()),
        }
    }

    /// After a freeze that did not end well: a machine that still runs says itself which images it writes. When
    /// nobody can be asked, the overlays become the present, which is right in either case, since an overlay that
    /// nobody wrote to shows what is below it. Overlays that were never complete are unused and go.
    pub(crate) async fn settle_images(
        &self,
        handle: &Arc<Handle>,
        images: &[String],
        after: MachineSpec,
    ) -> Result<()> {
        let folder = self.folder(&handle.id);
        let complete = images
            .iter()
            .all(|name| folder.disk_image(name).exists() || folder.nvram_image(name).exists());
        let asked = match handle.session() {
            Ok(session) => session.active_images().await.ok(),
            Err(_) => None,
        };
        let in_use = match asked {
            Some(active) => active
                .disks
                .iter()
                .map(|(_, path)| path)
                .chain(&active.nvram)
                .any(|path| {
                    path.file_name()
                        .is_some_and(|name| images.iter().any(|image| name == image.as_str()))
                }),
            None => complete,
        };
        if !in_use {
            return self.sweep(handle, images);
        }
        // Name and notes may have changed since; only images and position follow the snapshot.
        let now = handle.spec();
        let merged = MachineSpec {
            disks: after.disks,
            nvram: after.nvram,
            current_snapshot: after.current_snapshot,
            ..now
        };
        self.save_spec(handle, merged)
    }

    /// A service that dies in the middle of a freeze leaves the guest standing still.
    pub(crate) async fn go_on_after_freeze(&self, handle: &Arc<Handle>, was_running: bool) {
        let Ok(session) = handle.session() else { return };
        if !was_running {
            return;
        }
        match session.resume().await {
            Ok(()) => self.set_state(handle, MachineState::Running, None),
            Err(error) => {
                tracing::warn!(%error, machine = %handle.id, "the guest stands still after an operation that was cut short");
            }
        }
    }

    /// The user's file of this creation was moved and is nowhere else: then what was made of it is never removed.
    pub(crate) fn holds_moved_file(&self, id: &MachineId) -> bool {
        let entries = self.library().open_entries().unwrap_or_default();
        let moved = entries
            .iter()
            .find(|entry| entry.op == "create" && entry.machine.as_ref() == Some(id));
        let Some(from) = moved.and_then(|entry| field::<Option<std::path::PathBuf>>(entry, "moved_from"))
        else {
            return false;
        };
        if from.exists() {
            return false;
        }
        let images: Vec<_> = std::fs::read_dir(self.folder(id).disks())
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        let is_partial = |name: &str| name.starts_with(".incoming-") && name.ends_with(".partial");
        let (partial, whole): (Vec<_>, Vec<_>) = images
            .into_iter()
            .partition(|entry| entry.file_name().to_str().is_some_and(is_partial));
        // Not yet judged: the user's file, as it was, goes back to where it was.
        if let ([file], []) = (partial.as_slice(), whole.as_slice())
            && std::fs::rename(file.path(), &from).is_ok()
        {
            return false;
        }
        !partial.is_empty() || !whole.is_empty()
    }
}

pub(crate) fn field<T: serde::de::DeserializeOwned + Default>(entry: &JournalEntry, name: &str) -> T {
    entry
        .payload
        .get(name)
        .and_then(|value| serde_json::from_value(value.clone()).ok())
        .unwrap_or_default()
}

fn close(library: &nestbox_store::Library, entry: &JournalEntry, done: Result<()>) {
    let closed = done.and_then(|()| library.finish(entry.id));
    if let Err(error) = closed {
        // It stays in the journal and is tried again at the next start.
        tracing::warn!(%error, op = %entry.op, machine = ?entry.machine.as_ref().map(MachineId::short), "could not finish an operation");
    }
}
