//! Cloning a machine from any of its snapshots, those with memory included.
//!
//! A linked clone's disks are overlays on the images that the snapshot froze: it is there at once, and the original
//! can't lose those images while it exists. A full clone's disks are copies, made by a job. Where the snapshot holds
//! memory the clone begins as a suspended machine: its first start goes on from there.

use crate::clones::stored_name;
use crate::create::COMPLETE;
use crate::import::OWN_MEDIUM;
use crate::jobs::JobHandle;
use crate::lifecycle::new_image_name;
use crate::machine::{Handle, MachineRef};
use crate::suspend::at_rest;
use crate::take::{check_space, share_memory};
use crate::{Engine, files, ports};
use nestbox_disk::Backing;
use nestbox_model::layout::MachineFolder;
use nestbox_model::{
    Arch, CloneOrigin, CloneRequest, CloneStarted, Error, EventKind, ImageFormat, JobKind, MachineId,
    MachineSpec, NicSpec, Result, SnapshotKind, SnapshotRecord, SnapshotRequest, StepState, Suspended,
    validate_name,
};
use std::path::Path;
use std::sync::Arc;
use time::OffsetDateTime;

impl Engine {
    /// Clones a machine. A linked clone is ready when this returns; a full one when its job is done.
    ///
    /// # Errors
    /// `name-taken`, `snapshot-not-found`, `no-space`; whatever hinders a snapshot of the present.
    pub async fn clone_machine(&self, wanted: MachineRef<'_>, request: CloneRequest) -> Result<CloneStarted> {
        let source = self.find(wanted)?;
        let _guard = source.lock_ready().await?;
        let name = validate_name(&request.name)?;
        let folded = name.to_lowercase();
        if self
            .handles()
            .iter()
            .any(|handle| handle.name().to_lowercase() == folded)
        {
            return Err(Error::conflict(
                "name-taken",
                format!("There is a machine “{name}” already."),
            ));
        }
        let record = match &request.snapshot {
            Some(snapshot) => self.find_snapshot(&source, snapshot)?.0,
            None => self.snapshot_for_clone(&source, &name).await?,
        };
        if record.memory {
            // Before anything is made: packed memory is unpacked in its own place, for both.
            self.ready_memory(&self.folder(&source.id).snapshot(&record.id))
                .await?;
        }
        let spec = self.clone_spec(&source, &record, &name, true)?;
        let notes = notes(&record, spec.arch);
        let (clone, journal) = self.begin_machine(spec)?;
        // Before the first file: from now on the original can't lose what the clone stands on.
        self.refresh_clones()?;
        if request.full {
            let job = self.full_clone_job(&source, &clone, journal, &record, request.start)?;
            return Ok(CloneStarted {
                job: Some(job.job),
                machine: job.machine,
                notes,
            });
        }
        let made = async {
            self.link_images(&source, &clone, &record).await?;
            self.give_own_parts(&source, &clone, &record)?;
            self.library().advance(journal, COMPLETE, &serde_json::json!({}))
        };
        if let Err(error) = made.await {
            self.undo_machine(&clone.id, Some(journal));
            self.refresh_clones()?;
            return Err(error);
        }
        self.library().finish(journal)?;
        clone.write().state = at_rest(&clone.spec());
        let told = format!("Cloned from “{}”, “{}”", source.name(), record.name);
        self.tell_machine(EventKind::MachineAdded, &clone, Some(told));
        self.tell_machine(EventKind::SnapshotChanged, &source, None);
        if request.start {
            let _turn = clone.lock().await?;
            self.start_locked(&clone, None, false).await?;
        }
        Ok(CloneStarted {
            job: None,
            machine: self.view(&clone),
            notes,
        })
    }

    async fn snapshot_for_clone(&self, source: &Arc<Handle>, name: &str) -> Result<SnapshotRecord> {
        let request = SnapshotRequest {
            name: Some(validate_name(&format!("For “{name}”")).unwrap_or_else(|_| "For a clone".into())),
            ..SnapshotRequest::default()
        };
        let taken = self
            .take_locked(source, request, SnapshotKind::ForClone.into())
            .await?;
        Ok(self.find_snapshot(source, taken.snapshot.id.as_str())?.0)
    }

    /// The snapshot's machine under a new name and id, with addresses and ports of its own. Devices keep their ids:
    /// memory goes on with the same devices only.
    fn clone_spec(
        &self,
        source: &Handle,
        record: &SnapshotRecord,
        name: &str,
        linked: bool,
    ) -> Result<MachineSpec> {
        let mut spec = record.spec.clone();
        spec.id = MachineId::random();
        name.clone_into(&mut spec.name);
        spec.created_at = OffsetDateTime::now_utc();
        spec.current_snapshot = None;
        spec.disposable = None;
        spec.auto_snapshots = Default::default();
        spec.nvram = record.nvram.as_ref().map(|_| new_image_name());
        if let Some(medium) = &mut spec.medium
            && Path::new(&medium.path) == self.folder(&source.id).path().join(OWN_MEDIUM)
        {
            let own = self.folder(&spec.id).path().join(OWN_MEDIUM);
            medium.path = own.to_string_lossy().into_owned();
        }
        for disk in &mut spec.disks {
            disk.image = new_image_name();
        }
        for nic in &mut spec.nics {
            nic.mac = NicSpec::on_default_network().mac;
        }
        let mut given = Vec::new();
        for forward in &mut spec.ports {
            forward.host = ports::free_for(self, *forward, &given)?;
            given.push((forward.protocol, forward.host));
        }
        spec.suspended = record.memory.then(|| Suspended {
            at: record.created_at,
            paused: record.paused,
            accelerator: record.accelerator,
            backend_version: record.backend_version.clone(),
        });
        spec.origin = Some(CloneOrigin {
            machine: source.id.clone(),
            machine_name: source.name(),
            snapshot: record.id.clone(),
            snapshot_name: record.name.clone(),
            linked,
        });
        Ok(spec)
    }

    /// Overlays on the frozen images of the original.
    async fn link_images(&self, source: &Handle, clone: &Handle, record: &SnapshotRecord) -> Result<()> {
        let (theirs, ours) = (self.folder(&source.id), self.folder(&clone.id));
        let spec = clone.spec();
        for (disk, frozen) in pairs(&spec, record) {
            let below = theirs.disk_image(&frozen);
            let backing = Backing {
                path: &below,
                format: ImageFormat::Qcow2,
                stored_as: stored_name(&source.id, "disks", &frozen),
            };
            let capacity = spec.disks[disk].capacity;
            nestbox_disk::create(&ours.disk_image(&spec.disks[disk].image), capacity, Some(backing)).await?;
        }
        if let (Some(own), Some(frozen)) = (&spec.nvram, &record.nvram) {
            files::make_private_folder(&ours.nvram())?;
            let below = theirs.nvram_image(frozen);
            let backing = Backing {
                path: &below,
                format: ImageFormat::Qcow2,
                stored_as: stored_name(&source.id, "nvram", frozen),
            };
            let capacity = nestbox_disk::capacity(&below)?;
            nestbox_disk::create(&ours.nvram_image(own), capacity, Some(backing)).await?;
        }
        Ok(())
    }

    /// Keys, seed, memory and picture.
    fn give_own_parts(&self, source: &Handle, clone: &Handle, record: &SnapshotRecord) -> Result<()> {
        let (theirs, ours) = (self.folder(&source.id), self.folder(&clone.id));
        let spec = clone.spec();
        if theirs.ssh().is_dir() {
            files::copy_private_files(&theirs.ssh(), &ours.ssh())?;
        }
        if let Some(seed) = &spec.seed {
            let (from, to) = (theirs.path().join(seed), ours.path().join(seed));
            std::fs::copy(&from, &to).map_err(|e| Error::io("copy the seed", &from, &e))?;
            nestbox_catalog::seed::renew(&to, spec.id.as_str(), &spec.name)?;
        }
        let (from, to) = (theirs.path().join(OWN_MEDIUM), ours.path().join(OWN_MEDIUM));
        if spec
            .medium
            .as_ref()
            .is_some_and(|medium| Path::new(&medium.path) == to)
            && !to.exists()
        {
            // Nobody writes to it: one file under two names, and neither machine needs the other for it.
            std::fs::hard_link(&from, &to)
                .or_else(|_| std::fs::copy(&from, &to).map(drop))
                .map_err(|e| Error::io("give the clone its CD image", &from, &e))?;
        }
        let snapshot = theirs.snapshot(&record.id);
        if record.memory && !ours.suspended().path().exists() {
            share_memory(&snapshot, &ours.suspended())?;
        }
        // Only a picture for the list.
        let _ = std::fs::copy(snapshot.screenshot(), ours.thumbnail());
        Ok(())
    }

    /// Copies the disks. While it does, the clone counts as linked, so that nobody removes what is read.
    fn full_clone_job(
        &self,
        source: &Arc<Handle>,
        clone: &Arc<Handle>,
        journal: nestbox_store::JournalId,
        record: &SnapshotRecord,
        start: bool,
    ) -> Result<nestbox_model::JobStarted> {
        let theirs = self.folder(&source.id);
        let bytes = chain_bytes(self, &theirs, record);
        check_space(
            &self.folder(&clone.id),
            bytes,
            "A full clone",
            "or make a linked clone.",
        )
        .inspect_err(|_| self.undo_clone(clone, journal))?;
        if record.memory {
            // Now: the snapshot may lose its own while the disks are copied.
            share_memory(&theirs.snapshot(&record.id), &self.folder(&clone.id).suspended())
                .inspect_err(|_| self.undo_clone(clone, journal))?;
        }
        let steps = [
            ("copy", "Copy the disks"),
            ("finish", "Give it an identity of its own"),
        ];
        let job = self.making_job(clone, journal, JobKind::Clone, &steps, start)?;
        let (engine, worker) = (self.clone(), job.clone());
        let (source, copy, record) = (source.clone(), clone.clone(), record.clone());
        let work = async move {
            worker.step("copy", StepState::Running, None);
            engine
                .copy_images(&source, &copy, &record, &worker, bytes)
                .await?;
            worker.step("copy", StepState::Done, None);
            worker.step("finish", StepState::Running, None);
            engine.give_own_parts(&source, &copy, &record)?;
            let mut spec = copy.spec();
            if let Some(origin) = &mut spec.origin {
                origin.linked = false;
            }
            engine.save_spec(&copy, spec)?;
            engine.refresh_clones()?;
            worker.step("finish", StepState::Done, None);
            Ok(())
        };
        Ok(self.run_making(clone.clone(), journal, job, start, work))
    }

    fn undo_clone(&self, clone: &Handle, journal: nestbox_store::JournalId) {
        self.undo_machine(&clone.id, Some(journal));
        if let Err(error) = self.refresh_clones() {
            tracing::warn!(%error, "could not look who stands on whom");
        }
    }

    async fn copy_images(
        &self,
        source: &Handle,
        clone: &Handle,
        record: &SnapshotRecord,
        job: &JobHandle,
        total: u64,
    ) -> Result<()> {
        let (theirs, ours) = (self.folder(&source.id), self.folder(&clone.id));
        let spec = clone.spec();
        let cancel = job.cancel_token();
        let mut done = 0;
        for (disk, frozen) in pairs(&spec, record) {
            let (from, to) = (
                theirs.disk_image(&frozen),
                ours.disk_image(&spec.disks[disk].image),
            );
            // Every file of the chain is judged before the tool reads it.
            self.chain(&from, record_linked(record, &spec.disks[disk].id))?;
            let (reporter, before) = (job.clone(), done);
            let progress = move |bytes: u64| reporter.bytes(before + bytes, Some(total));
            tokio::select! {
                copied = nestbox_disk::flatten(&from, &to, &progress) => copied?,
                () = cancel.cancelled() => return Err(Error::cancelled()),
            }
            done += files::allocated_bytes(&to);
        }
        if let (Some(own), Some(frozen)) = (&spec.nvram, &record.nvram) {
            files::make_private_folder(&ours.nvram())?;
            let from = theirs.nvram_image(frozen);
            self.chain(&from, None)?;
            nestbox_disk::flatten(&from, &ours.nvram_image(own), &|_| ()).await?;
        }
        Ok(())
    }
}

/// Index of each of the clone's disks with the frozen image it comes from.
fn pairs(spec: &MachineSpec, record: &SnapshotRecord) -> Vec<(usize, String)> {
    spec.disks
        .iter()
        .enumerate()
        .filter_map(|(index, disk)| {
            let frozen = record.disks.iter().find(|frozen| frozen.id == disk.id)?;
            Some((index, frozen.image.clone()))
        })
        .collect()
}

fn record_linked<'a>(record: &'a SnapshotRecord, disk: &nestbox_model::DiskId) -> Option<&'a str> {
    let disk = record.spec.disks.iter().find(|own| own.id == *disk)?;
    disk.linked.as_deref()
}

/// Bytes on disk of everything the snapshot's disks stand on: the most that a copy can take.
fn chain_bytes(engine: &Engine, folder: &MachineFolder, record: &SnapshotRecord) -> u64 {
    record
        .disks
        .iter()
        .filter_map(|disk| {
            engine
                .chain(&folder.disk_image(&disk.image), record_linked(record, &disk.id))
                .ok()
        })
        .flatten()
        .map(|link| files::allocated_bytes(&link.path))
        .sum()
}

/// What is new in a clone and what stays equal.
fn notes(record: &SnapshotRecord, arch: Arch) -> Vec<String> {
    let mut notes = vec![
        "It has a MAC address, an id and port forwards of its own.".to_owned(),
        "Host keys and machine id inside the guest stay those of the original until the guest makes new ones.".to_owned(),
    ];
    if record.memory {
        notes.push("It goes on from the snapshot's memory: until it restarts, the guest also keeps the original's MAC address, host name and network address.".to_owned());
        if arch == Arch::X86_64 {
            notes.push(
                "The guest is told that it is a copy (VM generation id), so that its randomness differs."
                    .to_owned(),
            );
        } else {
            notes.push(
                "This guest can't be told that it is a copy: restart it before it makes keys.".to_owned(),
            );
        }
    }
    notes
}
