//! Restoring a snapshot: the present is kept first, then a new process goes on from fresh overlays.

use crate::compare::differences_said;
use crate::machine::{Handle, MachineRef, shell_word};
use crate::snapshots::Overlays;
use crate::take::images_of;
use crate::{Engine, files};
use nestbox_model::{
    DetachedDisk, DiskId, Error, EventKind, MachineSpec, MachineState, RestoreRequest, Restored, Result,
    Snapshot, SnapshotId, SnapshotKind, SnapshotRecord, SnapshotRequest,
};
use nestbox_qemu::RunState;
use nestbox_store::{JournalEntry, JournalId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Journal: the operation as a whole, around the switch of images.
pub(crate) const RESTORE: &str = "restore";
/// Its step: the images are the snapshot's, and the guest may go on.
const GO_ON: &str = "go-on";

/// What a restore that was begun comes to.
#[derive(Serialize, Deserialize)]
struct Plan {
    snapshot: SnapshotId,
    /// From its memory.
    memory: bool,
    /// The machine runs in the end.
    go_on: bool,
}

impl Engine {
    /// Restores a snapshot. Unless `discard`, what would be lost is kept as a snapshot of its own first (“Before
    /// restore”); restoring that one is the undo. A snapshot with memory goes on running (or paused, as it was), unless
    /// only the disks are wanted; one without boots if the machine was on.
    ///
    /// # Errors
    /// `memory-unfit`, `memory-missing`, `memory-damaged`: said before anything is touched; restoring only the disks is
    /// the way out. `base-missing`: a file that the snapshot stands on is not there.
    pub async fn restore_snapshot(
        &self,
        wanted: MachineRef<'_>,
        snapshot: &str,
        request: RestoreRequest,
    ) -> Result<Restored> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let (record, _) = self.find_snapshot(&handle, snapshot)?;
        let folder = self.folder(&handle.id);
        // What the run writes was to be thrown away, what was there before it was not: both can't be the present that is kept.
        if handle.read().spec.disposable.is_some() {
            return Err(Error::conflict(
                "disposable-run",
                format!("“{}” is in a disposable run, which ends first.", handle.name()),
            )
            .with_hint(format!(
                "Stop it, or keep what it wrote: nestbox keep-changes {}",
                shell_word(&handle.name())
            )));
        }
        if !folder.snapshot(&record.id).record().exists() {
            return Err(Error::not_found(
                "snapshot-folder-missing",
                format!(
                    "The folder of the snapshot “{}” is not there any more.",
                    record.name
                ),
            )
            .with_hint("Put it back, or run: nestbox library check --rebuild"));
        }
        let with_memory = record.memory && request.memory != Some(false);
        let memory = if with_memory {
            Some(self.fitting_memory(&handle, &record).await?)
        } else {
            None
        };
        // Read before the guest ends: a snapshot that can't be restored costs nothing.
        for disk in &record.disks {
            let linked = record
                .spec
                .disks
                .iter()
                .find(|d| d.id == disk.id)
                .and_then(|d| d.linked.as_deref());
            self.chain(&folder.disk_image(&disk.image), linked)?;
        }
        let was_active = handle.state().is_active();
        let notes = differences_said(&handle.spec(), &record);
        let kept = if request.discard {
            None
        } else {
            self.keep_present(&handle, &record).await?
        };
        let plan = Plan {
            snapshot: record.id.clone(),
            memory: with_memory,
            go_on: with_memory || was_active,
        };
        let library = self.library();
        let journal = library.begin(RESTORE, Some(&handle.id), &json!(plan))?;
        let restored = async {
            self.go_back(&handle, &record).await?;
            library.advance(journal, GO_ON, &json!(plan))?;
            if plan.go_on {
                self.go_on(&handle, &record, memory.as_deref(), kept.is_some())
                    .await
            } else {
                self.set_state(&handle, MachineState::Stopped, None);
                Ok(())
            }
        };
        let restored = restored.await;
        library.finish(journal)?;
        restored?;
        Ok(Restored {
            machine: self.view(&handle),
            kept,
            notes,
        })
    }

    /// The process ends, and the snapshot's disks are the present.
    async fn go_back(&self, handle: &Arc<Handle>, record: &SnapshotRecord) -> Result<()> {
        let folder = self.folder(&handle.id);
        let mut frozen = frozen_spec(record, &handle.spec());
        frozen.detached.extend(self.known_to_none(handle, record)?);
        let disks: Vec<DiskId> = record.disks.iter().map(|disk| disk.id.clone()).collect();
        let overlays = Overlays::names_for(&disks, record.nvram.is_some());
        let mut images = overlays.names();
        images.extend(images_of(&handle.spec()));
        let library = self.library();
        let journal = library.begin("snapshot-restore", Some(&handle.id), &json!({ "images": images }))?;
        // Before the guest ends: where there is no room for them, nothing has happened.
        let ready = match overlays.create(&folder, &frozen).await {
            Ok(()) => self.end_for_restore(handle).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ready {
            self.sweep(handle, &overlays.names())?;
            library.finish(journal)?;
            return Err(error);
        }
        let mut after = overlays.on(&frozen);
        after.current_snapshot = Some(record.id.clone());
        if let Err(error) = self.switch_to(handle, after, &images, journal) {
            let reason = format!("Restoring failed: {}", error.message);
            self.set_state(handle, MachineState::Stopped, Some(reason));
            return Err(error);
        }
        self.tell_machine(
            EventKind::SnapshotRestored,
            handle,
            Some(format!("Restored “{}”", record.name)),
        );
        Ok(())
    }

    /// Disks of the present that no snapshot has: they would be lost, and are detached instead.
    fn known_to_none(&self, handle: &Handle, record: &SnapshotRecord) -> Result<Vec<DetachedDisk>> {
        let all = self.library().snapshots(&handle.id)?;
        let records = all.iter().map(|(record, _)| record).chain([record]);
        let known: Vec<&DiskId> = records.flat_map(|r| &r.disks).map(|disk| &disk.id).collect();
        let present = handle.spec().disks.into_iter();
        Ok(present
            .filter(|disk| !known.contains(&&disk.id))
            .map(|disk| crate::disks::set_aside(disk, false))
            .collect())
    }

    /// A restore that was cut short is carried on: the present may have ended already, and is kept where it was wanted.
    /// The guest goes on in the background, since filling its memory takes a while; until then the entry stays open and this says `false`.
    ///
    /// # Errors
    /// As [`Self::restore_snapshot`].
    pub(crate) async fn recover_restore(&self, handle: &Arc<Handle>, entry: &JournalEntry) -> Result<bool> {
        let library = self.library();
        let Ok(plan) = serde_json::from_value::<Plan>(entry.payload.clone()) else {
            return Ok(true);
        };
        let Ok((record, _)) = self.find_snapshot(handle, plan.snapshot.as_str()) else {
            return Ok(true);
        };
        if entry.step != GO_ON {
            self.go_back(handle, &record).await?;
            library.advance(entry.id, GO_ON, &json!(plan))?;
        }
        if !plan.go_on {
            self.set_state(handle, MachineState::Stopped, None);
            return Ok(true);
        }
        if let Ok(session) = handle.session() {
            if !plan.memory || matches!(session.run_state().await, Ok(RunState::Running)) {
                return Ok(true);
            }
            // It has not run yet, and may be half filled.
            self.end_quietly(handle, &session).await;
        }
        let Some(turn) = handle.try_lock_owned() else {
            return Ok(true);
        };
        self.set_state(handle, MachineState::Starting, None);
        let (engine, handle, journal) = (self.clone(), handle.clone(), entry.id);
        tokio::spawn(async move {
            let _turn = turn;
            let gone_on = async {
                let memory = match plan.memory {
                    true => Some(engine.fitting_memory(&handle, &record).await?),
                    false => None,
                };
                engine.go_on(&handle, &record, memory.as_deref(), false).await
            };
            if let Err(error) = gone_on.await {
                engine.set_state(&handle, MachineState::Stopped, Some(error.message.clone()));
                tracing::warn!(%error, machine = %handle.id, "a restored machine could not go on");
            }
            if let Err(error) = engine.library().finish(journal) {
                tracing::warn!(%error, "could not close a journal entry");
            }
        });
        Ok(false)
    }

    /// The snapshot's memory, unpacked and known to fit.
    async fn fitting_memory(&self, handle: &Handle, record: &SnapshotRecord) -> Result<PathBuf> {
        let fitting = async {
            let memory = self
                .ready_memory(&self.folder(&handle.id).snapshot(&record.id))
                .await?;
            self.check_memory_fits(record.spec.arch, record.spec.memory, &memory)
                .await?;
            Ok(memory)
        };
        fitting.await.map_err(|error: Error| {
            error.with_hint(format!(
                "Nothing was changed. Restore only its disks: nestbox snapshot restore --no-memory {} {}",
                shell_word(&handle.name()),
                record.id.short()
            ))
        })
    }

    /// Fresh overlays on the frozen images become the present.
    fn switch_to(
        &self,
        handle: &Arc<Handle>,
        after: MachineSpec,
        images: &[String],
        journal: JournalId,
    ) -> Result<()> {
        let folder = self.folder(&handle.id);
        let switched = self.save_spec(handle, after);
        // Whichever way it went, what nobody needs any more goes: the old present's overlays, or the new ones. The
        // file says which is which; it may be ahead of memory when only the index could not be written.
        if let Ok(written) = files::read_spec(&folder) {
            handle.write().spec = written;
            if let Err(error) = self.sweep(handle, images) {
                tracing::warn!(%error, machine = %handle.id, "could not remove images that are not needed any more");
            }
            self.library().finish(journal)?;
        }
        switched
    }

    /// Keeps the present as “Before restore”, unless it is exactly a snapshot already (off, and nothing written since).
    async fn keep_present(&self, handle: &Arc<Handle>, target: &SnapshotRecord) -> Result<Option<Snapshot>> {
        let request = SnapshotRequest {
            name: Some("Before restore".into()),
            notes: format!("Kept when “{}” was restored.", target.name),
            ..SnapshotRequest::default()
        };
        let taken = self
            .take_locked(handle, request, SnapshotKind::BeforeRestore.into())
            .await?;
        Ok(Some(taken.snapshot))
    }

    async fn end_for_restore(&self, handle: &Arc<Handle>) -> Result<()> {
        // Memory of a suspended machine goes with the present that it belongs to; if that is kept, so is it.
        if handle.read().spec.suspended.is_some() {
            let spec = MachineSpec {
                suspended: None,
                ..handle.spec()
            };
            self.save_spec(handle, spec)?;
            files::remove_folder(self.folder(&handle.id).suspended().path())?;
        }
        if let Ok(session) = handle.session() {
            {
                // The watcher must not report this end as the machine's.
                let mut cell = handle.write();
                cell.session = None;
                cell.state = MachineState::Starting;
            }
            if let Err(error) = session.end().await {
                let mut cell = handle.write();
                cell.session = Some(session);
                cell.state = MachineState::Running;
                cell.reason = Some(error.message.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Starts the restored machine, from its memory if it has one.
    async fn go_on(
        &self,
        handle: &Arc<Handle>,
        record: &SnapshotRecord,
        memory: Option<&Path>,
        kept: bool,
    ) -> Result<()> {
        self.set_state(handle, MachineState::Starting, None);
        let launched = async {
            // Memory needs the accelerator it was saved under; where that is the usual choice, it is no request.
            let (arch, own) = {
                let cell = handle.read();
                (cell.spec.arch, cell.spec.accelerator.forced())
            };
            let usual = self
                .0
                .probe
                .choose(arch, own)
                .await
                .ok()
                .map(|choice| choice.accelerator);
            let needed = record
                .accelerator
                .filter(|accelerator| memory.is_some() && Some(*accelerator) != usual);
            let session = self.launch(handle, needed, memory).await?;
            if memory.is_some() {
                if !record.paused {
                    session.resume().await?;
                }
                let state = if record.paused {
                    MachineState::Paused
                } else {
                    MachineState::Running
                };
                self.set_state(handle, state, None);
            }
            Ok(())
        };
        launched.await.map_err(|error: Error| {
            let reason = format!(
                "The disks are those of “{}”, but it could not go on running: {}",
                record.name, error.message
            );
            self.set_state(handle, MachineState::Stopped, Some(reason.clone()));
            let mut hint = "Start it to boot from the restored disks.".to_owned();
            if kept {
                hint += " Nothing was lost: what was there before is kept as “Before restore”.";
            }
            Error {
                message: reason,
                hint,
                ..error
            }
        })
    }

    /// Removes images among `candidates` that nobody needs.
    pub(crate) fn sweep(&self, handle: &Handle, candidates: &[String]) -> Result<()> {
        let all = self.library().snapshots(&handle.id)?;
        let living: Vec<&SnapshotRecord> = all.iter().map(|(record, _)| record).collect();
        for path in self.unneeded(&handle.spec(), &living, &[], candidates)? {
            files::remove_file(&path)?;
        }
        Ok(())
    }
}

/// The hardware of the snapshot with its frozen images; name, notes, tags, port forwards and rules for automatic
/// snapshots stay as they are now.
fn frozen_spec(record: &SnapshotRecord, present: &MachineSpec) -> MachineSpec {
    let mut spec = record.spec.clone();
    // Who it is stays as it is, whatever the record says.
    spec.id.clone_from(&present.id);
    spec.version = present.version;
    spec.created_at = present.created_at;
    spec.name.clone_from(&present.name);
    spec.notes.clone_from(&present.notes);
    spec.tags.clone_from(&present.tags);
    spec.ports.clone_from(&present.ports);
    spec.auto_snapshots = present.auto_snapshots;
    spec.origin.clone_from(&present.origin);
    spec.suspended = None;
    spec.disposable = None;
    spec.detached.clone_from(&present.detached);
    for detached in &mut spec.detached {
        // It comes back with the snapshot, and stays what it is beside: two disks from now on.
        if record.disks.iter().any(|frozen| frozen.id == detached.disk.id) {
            detached.disk.id = DiskId::random();
        }
    }
    // Said by `differences_said`: the drive is empty then, and memory goes on with an empty one.
    spec.medium = spec
        .medium
        .take()
        .filter(|medium| Path::new(&medium.path).exists());
    spec.nvram.clone_from(&record.nvram);
    spec.disks
        .retain(|disk| record.disks.iter().any(|frozen| frozen.id == disk.id));
    for disk in &mut spec.disks {
        if let Some(frozen) = record.disks.iter().find(|frozen| frozen.id == disk.id) {
            disk.image.clone_from(&frozen.image);
        }
    }
    spec
}
