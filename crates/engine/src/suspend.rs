//! Suspending a machine to disk, and disposable runs: what a machine is between two runs.

use crate::machine::{Handle, MachineRef, shell_word};
use crate::snapshots::Overlays;
use crate::take::{check_keeps_memory, check_space, images_of};
use crate::{Engine, files};
use nestbox_model::{
    DiskId, Disposable, Error, EventKind, Machine, MachineSpec, MachineState, Result, SnapshotDisk, Suspended,
};
use nestbox_qemu::{RunState, Session};
use serde_json::json;
use std::sync::Arc;
use time::OffsetDateTime;

/// What a machine without a process is.
pub(crate) fn at_rest(spec: &MachineSpec) -> MachineState {
    if spec.suspended.is_some() {
        MachineState::Suspended
    } else {
        MachineState::Stopped
    }
}

impl Engine {
    /// Saves the guest's memory to disk and ends the process; starting the machine goes on from there.
    ///
    /// # Errors
    /// `machine-not-running`, `no-space`; when saving fails the guest goes on as it was.
    pub async fn suspend(&self, wanted: MachineRef<'_>) -> Result<Machine> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        self.suspend_locked(&handle).await?;
        Ok(self.view(&handle))
    }

    /// Suspends everything that runs, one after the other: before this computer shuts down.
    pub async fn suspend_all(&self) {
        for handle in self.handles() {
            if handle.session().is_err() {
                continue;
            }
            let suspended = match handle.lock_ready().await {
                Ok(_guard) => self.suspend_locked(&handle).await,
                Err(error) => Err(error),
            };
            if let Err(error) = suspended {
                tracing::warn!(%error, machine = %handle.id, "could not suspend a machine");
            }
        }
    }

    async fn suspend_locked(&self, handle: &Arc<Handle>) -> Result<()> {
        let session = handle.session()?;
        let spec = handle.spec();
        check_keeps_memory(&spec)?;
        let folder = self.folder(&handle.id);
        check_space(&folder, spec.memory, "Saving its memory", "or shut it down.")?;
        let paused = handle.state() == MachineState::Paused;
        let suspended = Suspended {
            at: OffsetDateTime::now_utc(),
            paused,
            accelerator: handle.read().accelerator,
            backend_version: Some(session.version()),
        };
        let library = self.library();
        // Memory that an earlier run left would be taken for this one's.
        files::remove_folder(folder.suspended().path())?;
        let journal = library.begin("suspend", Some(&handle.id), &json!({ "suspended": suspended }))?;
        files::make_private_folder(folder.suspended().path())?;
        let _ = session.screenshot(&folder.thumbnail()).await;
        // The watcher must not report this end as the machine's.
        {
            let mut cell = handle.write();
            cell.session = None;
            cell.state = MachineState::Stopping;
        }
        self.tell_machine(EventKind::MachineState, handle, None);
        if let Err(error) = session.suspend(&folder.suspended().memory()).await {
            self.stay_up(handle, session).await;
            files::remove_folder(folder.suspended().path())?;
            library.finish(journal)?;
            return Err(error);
        }
        self.now_suspended(handle, suspended)?;
        library.finish(journal)
    }

    /// A suspend that failed: the machine is as it was.
    async fn stay_up(&self, handle: &Arc<Handle>, session: Arc<dyn Session>) {
        let state = match session.run_state().await {
            Ok(RunState::Running) => MachineState::Running,
            _ => MachineState::Paused,
        };
        handle.write().session = Some(session);
        self.set_state(handle, state, None);
    }

    /// The memory is on disk and the process gone.
    pub(crate) fn now_suspended(&self, handle: &Arc<Handle>, suspended: Suspended) -> Result<()> {
        let spec = MachineSpec {
            suspended: Some(suspended),
            ..handle.spec()
        };
        {
            let mut cell = handle.write();
            if let Some(display) = cell.display.take() {
                display.end("The machine is suspended.");
            }
            cell.accelerator = None;
            cell.accelerator_reason = None;
            cell.started_at = None;
        }
        let saved = self.save_spec(handle, spec.clone());
        // Whatever the file says: there is no process, and the memory is there. The journal entry stays open.
        handle.write().spec = spec;
        self.set_state(handle, MachineState::Suspended, None);
        self.tell_machine(EventKind::MachineState, handle, Some("Suspended".into()));
        saved
    }

    /// Closes what a suspend that could not be noted left in the journal: its memory is of no use any more.
    fn retire_suspend(&self, handle: &Handle) -> Result<()> {
        let library = self.library();
        for entry in library.open_entries()? {
            if entry.op == "suspend" && entry.machine.as_ref() == Some(&handle.id) {
                library.finish(entry.id)?;
            }
        }
        Ok(())
    }

    /// Goes on from the memory on disk. The file is of no use once the guest went on, since its disks change: it is
    /// given up, durably, while the guest still stands still.
    pub(crate) async fn wake(&self, handle: &Arc<Handle>, suspended: Suspended) -> Result<()> {
        let library = self.library();
        let payload = json!({ "was_running": !suspended.paused });
        let journal = library
            .begin("wake", Some(&handle.id), &payload)
            .inspect_err(|error| {
                self.set_state(handle, at_rest(&handle.spec()), Some(error.message.clone()));
            })?;
        let woken = self.wake_up(handle, suspended).await;
        let closed = library.finish(journal);
        woken.and(closed)
    }

    async fn wake_up(&self, handle: &Arc<Handle>, suspended: Suspended) -> Result<()> {
        let folder = self.folder(&handle.id).suspended();
        let woken = async {
            let memory = self.ready_memory(&folder).await?;
            let (arch, ram) = {
                let cell = handle.read();
                (cell.spec.arch, cell.spec.memory)
            };
            self.check_memory_fits(arch, ram, &memory).await?;
            let session = self.launch(handle, suspended.accelerator, Some(&memory)).await?;
            let spec = MachineSpec {
                suspended: None,
                ..handle.spec()
            };
            if let Err(error) = self
                .save_spec(handle, spec)
                .and_then(|()| self.retire_suspend(handle))
            {
                self.end_quietly(handle, &session).await;
                // The file may be ahead of the index; the memory is good, since the guest did not run.
                let spec = MachineSpec {
                    suspended: Some(suspended.clone()),
                    ..handle.spec()
                };
                if let Err(second) = self.save_spec(handle, spec.clone()) {
                    tracing::warn!(error = %second, machine = %handle.id, "could not note that it is suspended still");
                    handle.write().spec = spec;
                }
                return Err(error);
            }
            Ok(session)
        };
        let session = match woken.await {
            Ok(session) => session,
            Err(error) => {
                self.set_state(handle, at_rest(&handle.spec()), Some(error.message.clone()));
                let discard = format!(
                    "To boot from its disks instead: nestbox discard-state {}",
                    shell_word(&handle.name())
                );
                // Where the memory is not the trouble, throwing it away is no cure.
                return Err(if error.code.starts_with("memory-") {
                    error.with_hint(discard)
                } else {
                    error
                });
            }
        };
        let state = if suspended.paused {
            MachineState::Paused
        } else {
            session.resume().await?;
            MachineState::Running
        };
        self.set_state(handle, state, None);
        if let Err(error) = files::remove_folder(folder.path()) {
            tracing::warn!(%error, "could not remove memory that is not needed any more");
        }
        Ok(())
    }

    /// Ends a process without the watcher's report.
    pub(crate) async fn end_quietly(&self, handle: &Handle, session: &Arc<dyn Session>) {
        handle.write().session = None;
        if let Err(error) = session.end().await {
            tracing::warn!(%error, machine = %handle.id, "could not end a machine");
        }
    }

    /// Throws the memory of a suspended machine away: its next start boots, as after a power cut.
    ///
    /// # Errors
    /// `machine-not-suspended` (conflict).
    pub async fn discard_state(&self, wanted: MachineRef<'_>) -> Result<Machine> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let spec = handle.spec();
        if spec.suspended.is_none() || handle.session().is_ok() {
            return Err(Error::conflict(
                "machine-not-suspended",
                format!("“{}” is not suspended.", spec.name),
            ));
        }
        self.save_spec(
            &handle,
            MachineSpec {
                suspended: None,
                ..spec
            },
        )?;
        self.retire_suspend(&handle)?;
        files::remove_folder(self.folder(&handle.id).suspended().path())?;
        self.end_disposable(&handle)?;
        self.set_state(&handle, MachineState::Stopped, None);
        self.tell_machine(
            EventKind::MachineState,
            &handle,
            Some("Discarded its saved state".into()),
        );
        Ok(self.view(&handle))
    }

    /// Overlays that take what a disposable run writes become the present; the images below are noted.
    pub(crate) async fn begin_disposable(&self, handle: &Arc<Handle>) -> Result<()> {
        let spec = handle.spec();
        let folder = self.folder(&handle.id);
        let disks: Vec<DiskId> = spec.disks.iter().map(|disk| disk.id.clone()).collect();
        let overlays = Overlays::names_for(&disks, spec.nvram.is_some());
        let mut after = overlays.on(&spec);
        after.disposable = Some(Disposable {
            since: OffsetDateTime::now_utc(),
            disks: spec
                .disks
                .iter()
                .map(|disk| SnapshotDisk {
                    id: disk.id.clone(),
                    image: disk.image.clone(),
                })
                .collect(),
            nvram: spec.nvram.clone(),
            current_snapshot: spec.current_snapshot.clone(),
        });
        let library = self.library();
        let journal = library.begin(
            "disposable-start",
            Some(&handle.id),
            &json!({ "images": overlays.names() }),
        )?;
        let begun = match overlays.create(&folder, &spec).await {
            Ok(()) => self.save_spec(handle, after),
            Err(error) => Err(error),
        };
        if begun.is_err() {
            self.sweep(handle, &overlays.names())?;
        }
        library.finish(journal)?;
        begun
    }

    /// Back to what was before the disposable run, if this was one. Images that snapshots of it stand on stay.
    pub(crate) fn end_disposable(&self, handle: &Handle) -> Result<()> {
        let mut spec = handle.spec();
        let Some(before) = spec.disposable.take() else {
            return Ok(());
        };
        let written = images_of(&spec);
        for disk in &mut spec.disks {
            if let Some(old) = before.disks.iter().find(|old| old.id == disk.id) {
                disk.image.clone_from(&old.image);
            }
        }
        spec.nvram = before.nvram;
        spec.current_snapshot = before.current_snapshot;
        self.save_spec(handle, spec)?;
        self.sweep(handle, &written)?;
        self.tell_machine(
            EventKind::MachineChanged,
            handle,
            Some("Threw away what the disposable run wrote".into()),
        );
        Ok(())
    }

    /// A run is over: what it wrote goes, if it was disposable. An operation that is under way on its images ends first.
    pub(crate) fn disposable_is_over(&self, handle: &Arc<Handle>) {
        if handle.read().spec.disposable.is_none() {
            return;
        }
        if let Some(_turn) = handle.try_lock_owned() {
            return self.end_disposable_or_say(handle);
        }
        let (engine, handle) = (self.clone(), handle.clone());
        tokio::spawn(async move {
            if let Ok(_turn) = handle.lock().await
                && handle.session().is_err()
                && handle.read().spec.suspended.is_none()
            {
                engine.end_disposable_or_say(&handle);
            }
        });
    }

    pub(crate) fn end_disposable_or_say(&self, handle: &Handle) {
        if let Err(error) = self.end_disposable(handle) {
            tracing::warn!(%error, machine = %handle.id, "what a disposable run wrote is still there");
        }
    }

    /// Keeps what a disposable run wrote, and writes from now on, after all.
    ///
    /// # Errors
    /// `not-disposable` (conflict).
    pub async fn keep_changes(&self, wanted: MachineRef<'_>) -> Result<Machine> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let mut spec = handle.spec();
        if spec.disposable.take().is_none() {
            return Err(Error::conflict(
                "not-disposable",
                format!("“{}” is not in a disposable run.", spec.name),
            ));
        }
        self.save_spec(&handle, spec)?;
        self.tell_machine(
            EventKind::MachineChanged,
            &handle,
            Some("The disposable run is kept after all".into()),
        );
        Ok(self.view(&handle))
    }
}
