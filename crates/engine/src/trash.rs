//! Rename, delete to the trash, bring back, empty.

use crate::machine::{Handle, MachineRef, shell_word};
use crate::{Engine, files};
use nestbox_model::{
    Error, EventKind, Machine, MachineId, MachineSpec, Result, TrashEmptied, TrashEntry, free_name,
    validate_name,
};
use serde_json::json;
use std::sync::Arc;
use time::OffsetDateTime;

impl Engine {
    /// Renames a machine; it may run.
    pub async fn rename(&self, wanted: MachineRef<'_>, name: &str) -> Result<Machine> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let name = validate_name(name)?;
        let old = handle.name();
        if name != old {
            // The index knows whether the name is free; it goes first so that a taken name changes nothing.
            let spec = MachineSpec {
                name: name.clone(),
                ..handle.spec()
            };
            self.library().upsert_machine(&spec)?;
            if let Err(error) = self.save_spec(&handle, spec) {
                let _ = self.library().upsert_machine(&handle.spec());
                return Err(error);
            }
            self.refresh_clones()?;
            self.tell_machine(
                EventKind::MachineChanged,
                &handle,
                Some(format!("Renamed from “{old}”")),
            );
        }
        Ok(self.view(&handle))
    }

    /// Moves a machine to the trash, or with `dry_run` says what would move.
    ///
    /// # Errors
    /// `machine-running` (conflict) while it is active.
    pub async fn delete(&self, wanted: MachineRef<'_>, dry_run: bool) -> Result<TrashEntry> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        if handle.state().is_active() {
            let name = handle.name();
            return Err(Error::conflict(
                "machine-running",
                format!("“{name}” is {}.", handle.state().as_str()),
            )
            .with_hint(format!("Stop it first: nestbox stop {}", shell_word(&name))));
        }
        self.check_no_clones(&handle)?;
        let spec = handle.spec();
        let _turn = self.0.trash.lock().await;
        let (here, there) = (self.folder(&spec.id), self.layout().trashed(&spec.id));
        let entry = TrashEntry {
            id: spec.id.clone(),
            name: spec.name.clone(),
            deleted_at: OffsetDateTime::now_utc(),
            size: files::allocated_bytes(here.path()),
            folder: if dry_run { here.path() } else { there.path() }
                .display()
                .to_string(),
        };
        if dry_run {
            return Ok(entry);
        }
        let library = self.library();
        let journal = library.begin("trash", Some(&spec.id), &json!({}))?;
        if here.path().exists() {
            std::fs::rename(here.path(), there.path())
                .map_err(|e| Error::io("move the machine to the trash", here.path(), &e))?;
            files::sync_folder(&self.layout().machines())?;
            files::sync_folder(&self.layout().trash())?;
        }
        library.set_trashed(&spec.id, Some(entry.deleted_at))?;
        library.finish(journal)?;
        self.drop_handle(&spec.id);
        self.refresh_clones()?;
        self.tell_machine(
            EventKind::MachineRemoved,
            &handle,
            Some(format!("“{}” moved to the trash", spec.name)),
        );
        self.tell(EventKind::TrashChanged);
        Ok(entry)
    }

    /// What is in the trash, newest first.
    pub fn trash(&self) -> Result<Vec<TrashEntry>> {
        let mut entries: Vec<_> = self
            .library()
            .trashed()?
            .into_iter()
            .map(|(spec, at)| self.trash_entry(&spec, at))
            .collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.deleted_at));
        Ok(entries)
    }

    fn trash_entry(&self, spec: &MachineSpec, deleted_at: OffsetDateTime) -> TrashEntry {
        let folder = self.layout().trashed(&spec.id);
        TrashEntry {
            id: spec.id.clone(),
            name: spec.name.clone(),
            deleted_at,
            size: files::allocated_bytes(folder.path()),
            folder: folder.path().display().to_string(),
        }
    }

    /// Brings a machine back from the trash, under a free name if its own was taken meanwhile.
    pub async fn untrash(&self, wanted: &str) -> Result<Machine> {
        let _turn = self.0.trash.lock().await;
        let trashed = self.library().trashed()?;
        let folded = wanted.to_lowercase();
        let (spec, _) = trashed
            .iter()
            .filter(|(spec, _)| {
                spec.id.as_str() == wanted
                    || spec.name.to_lowercase() == folded
                    || (wanted.len() >= 4 && spec.id.as_str().starts_with(&folded))
            })
            .max_by_key(|(_, at)| *at)
            .ok_or_else(|| {
                Error::not_found("not-in-trash", format!("There is no “{wanted}” in the trash."))
                    .with_hint("See what is there with: nestbox trash list")
            })?;
        let mut spec = spec.clone();
        let taken: Vec<String> = self.handles().iter().map(|h| h.name().to_lowercase()).collect();
        spec.name = free_name(&spec.name, |name| taken.contains(&name.to_lowercase()));
        let (here, there) = (self.folder(&spec.id), self.layout().trashed(&spec.id));
        let library = self.library();
        let journal = library.begin("untrash", Some(&spec.id), &json!({}))?;
        if there.path().exists() {
            std::fs::rename(there.path(), here.path())
                .map_err(|e| Error::io("bring the machine back from the trash", there.path(), &e))?;
            files::sync_folder(&self.layout().machines())?;
        }
        files::write_spec(&here, &spec)?;
        // The name first: the old one may be taken outside the trash.
        library.upsert_machine(&spec)?;
        library.set_trashed(&spec.id, None)?;
        library.finish(journal)?;
        let count = library.snapshot_counts()?.get(&spec.id).copied().unwrap_or(0);
        let state = crate::suspend::at_rest(&spec);
        let handle = Arc::new(Handle::new(spec, state));
        handle.write().snapshot_count = count;
        self.add_handle(handle.clone());
        self.refresh_clones()?;
        self.tell_machine(
            EventKind::MachineAdded,
            &handle,
            Some("Brought back from the trash".into()),
        );
        self.tell(EventKind::TrashChanged);
        Ok(self.view(&handle))
    }

    /// Removes everything in the trash for good, or with `dry_run` says what would go. Folders in the trash that are
    /// not machines of this library are left alone.
    pub async fn empty_trash(&self, dry_run: bool) -> Result<TrashEmptied> {
        let _turn = self.0.trash.lock().await;
        let removed = self.trash()?;
        let disks = self.binned_disks()?;
        if !dry_run {
            for entry in &removed {
                self.remove_for_good(&entry.id).await?;
            }
            self.empty_bins(OffsetDateTime::now_utc()).await;
            self.refresh_clones()?;
            self.tell(EventKind::TrashChanged);
        }
        Ok(TrashEmptied {
            freed: removed.iter().map(|entry| entry.size).sum::<u64>()
                + disks.iter().map(|disk| disk.bytes).sum::<u64>(),
            removed,
            disks,
        })
    }

    /// Out of sight in one step, out of the index, then file by file: cut short, nothing half-removed can come back.
    async fn remove_for_good(&self, id: &MachineId) -> Result<()> {
        let folder = self.layout().trashed(id);
        let doomed = self.layout().trash().join(format!(".gone-{id}"));
        if folder.path().exists() {
            std::fs::rename(folder.path(), &doomed)
                .map_err(|e| Error::io("empty the trash", folder.path(), &e))?;
        }
        self.library().remove_machine(id)?;
        tokio::task::spawn_blocking(move || files::remove_folder(&doomed))
            .await
            .map_err(|e| Error::failed("internal", format!("Emptying the trash ended unexpectedly: {e}.")))?
    }

    /// What an emptying that was cut short left.
    pub(crate) fn sweep_trash(&self) {
        for entry in std::fs::read_dir(self.layout().trash())
            .into_iter()
            .flatten()
            .flatten()
        {
            if entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with(".gone-"))
                && let Err(error) = files::remove_folder(&entry.path())
            {
                tracing::warn!(%error, "could not finish emptying the trash");
            }
        }
    }

    pub(crate) fn finish_trash_move(&self, id: &MachineId) -> Result<()> {
        // The rename is one step: the folder is in one place, and the index follows it.
        let in_trash = self.layout().trashed(id).path().exists();
        let deleted_at = in_trash.then(OffsetDateTime::now_utc);
        if let (false, Ok(spec)) = (in_trash, files::read_spec(&self.folder(id))) {
            self.library().upsert_machine(&spec)?;
        }
        self.library().set_trashed(id, deleted_at)
    }
}
