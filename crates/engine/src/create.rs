//! Making machines: from the catalogue, from a medium, from an image, or blank.

use crate::hardware::{apply_hardware, check_disk, check_limits, default_cpus, default_firmware, new_disk};
use crate::jobs::JobHandle;
use crate::machine::Handle;
use crate::suspend::at_rest;
use crate::{Engine, files};
use nestbox_model::units::GIB;
use nestbox_model::{
    AcceleratorChoice, Arch, CreateRequest, CreateSource, DisplaySpec, Error, EventKind, Firmware,
    ImportRequest, JobKind, JobStarted, MACHINE_FILE_VERSION, MachineId, MachineSpec, MachineState, NicSpec,
    Result, StepState, validate_name,
};
use serde_json::json;
use std::sync::Arc;
use time::OffsetDateTime;

/// Journal step of a machine that needs nothing more.
pub(crate) const COMPLETE: &str = "complete";

impl Engine {
    /// Makes a machine. The machine is in the library at once, in state `creating`; the job does the rest.
    ///
    /// # Errors
    /// Bad values, a taken name, an unknown template; everything later is the job's error, and then the machine is
    /// gone again.
    pub async fn create(&self, request: CreateRequest) -> Result<JobStarted> {
        if let Some(network) = request.network.as_deref().filter(|network| *network != "default") {
            return Err(
                Error::not_found("network-not-found", format!("There is no network “{network}”."))
                    .with_hint("Leave it out for the default network."),
            );
        }
        let seeded = request.user.is_some()
            || request.password.is_some()
            || request.user_data.is_some()
            || !request.setup.is_empty();
        if !matches!(request.source, CreateSource::Template { .. })
            && (seeded || !request.ssh_keys.is_empty())
        {
            return Err(Error::usage(
                "option-not-applicable",
                "User, password, keys and user-data are for cloud images of the catalogue; this source has no place for them.",
            ));
        }
        match &request.source {
            CreateSource::Template { id, medium } => {
                let template = self.0.catalog.template(id, &self.mirrors()?)?;
                let medium = medium.clone();
                self.create_from_template(template, medium, request).await
            }
            CreateSource::Iso { path } | CreateSource::DiskImage { path, .. } => {
                let action = match &request.source {
                    CreateSource::DiskImage { action, .. } => *action,
                    _ => Default::default(),
                };
                let wants_iso = matches!(request.source, CreateSource::Iso { .. });
                let settled = self.settled_plan(path, request.arch).await?;
                let is_iso = crate::import::is_medium(&settled.plan);
                if wants_iso != is_iso {
                    let (found, option) = if is_iso {
                        ("an ISO image", "--iso")
                    } else {
                        ("a disk image", "--disk-image")
                    };
                    return Err(
                        Error::usage("wrong-kind-of-file", format!("That file is {found}: {path}"))
                            .with_hint(format!("Use {option} for it.")),
                    );
                }
                let import = ImportRequest {
                    path: path.clone(),
                    name: Some(request.name.clone()),
                    action,
                    arch: request.arch,
                    firmware: request.firmware,
                    cpus: request.cpus,
                    memory: request.memory,
                    disk: request.disk,
                    start: request.start,
                };
                self.import_as(import, settled, &request.tags, JobKind::Create)
                    .await
            }
            CreateSource::Blank => self.create_blank(request).await,
        }
    }

    /// A spec with everything that does not depend on the source.
    pub(crate) fn new_spec(&self, name: &str, arch: Arch, tags: &[String]) -> Result<MachineSpec> {
        let name = validate_name(name)?;
        Ok(MachineSpec {
            version: MACHINE_FILE_VERSION,
            id: MachineId::random(),
            name,
            created_at: OffsetDateTime::now_utc()
                .replace_nanosecond(0)
                .unwrap_or_else(|_| OffsetDateTime::now_utc()),
            template: None,
            system: None,
            arch,
            cpus: default_cpus(),
            memory: 2 * GIB,
            firmware: Firmware::Uefi,
            accelerator: AcceleratorChoice::Auto,
            clock_local: false,
            boot_order: Vec::new(),
            display: DisplaySpec::default(),
            tags: crate::changes::clean_tags(tags)?,
            notes: String::new(),
            user: None,
            seed: None,
            nvram: None,
            current_snapshot: None,
            disks: Vec::new(),
            detached: Vec::new(),
            expansion_slots: 0,
            medium: None,
            nics: vec![NicSpec::on_default_network()],
            ports: Vec::new(),
            auto_snapshots: Default::default(),
            suspended: None,
            disposable: None,
            origin: None,
            unknown: Default::default(),
        })
    }

    /// The folder, the row and the handle of a machine that a job will complete. The journal entry makes sure that
    /// a crash leaves nothing.
    pub(crate) fn begin_machine(&self, spec: MachineSpec) -> Result<(Arc<Handle>, nestbox_store::JournalId)> {
        check_limits(spec.cpus, spec.memory)?;
        let library = self.library();
        let journal = library.begin("create", Some(&spec.id), &json!({}))?;
        let folder = self.folder(&spec.id);
        let made = (|| {
            library.upsert_machine(&spec)?;
            files::make_private_folder(&folder.disks())?;
            files::make_private_folder(&folder.logs())?;
            files::write_spec(&folder, &spec)
        })();
        if let Err(error) = made {
            self.undo_machine(&spec.id, Some(journal));
            return Err(error);
        }
        let handle = Arc::new(Handle::new(spec, MachineState::Creating));
        self.add_handle(handle.clone());
        Ok((handle, journal))
    }

    /// Takes back a machine that was never completed, unless it holds the only copy of a file of the user's.
    pub(crate) fn undo_machine(&self, id: &MachineId, journal: Option<nestbox_store::JournalId>) {
        if self.holds_moved_file(id)
            && let Some(handle) = self.handle_by_id(id)
        {
            handle.write().job = None;
            self.set_state(
                &handle,
                MachineState::Stopped,
                Some("It was not completed, and keeps the file that was moved.".into()),
            );
            if let Some(Err(error)) = journal.map(|journal| self.library().finish(journal)) {
                tracing::warn!(%error, "could not close a journal entry");
            }
            return;
        }
        if let Some(handle) = self.handle_by_id(id) {
            self.drop_handle(id);
            self.tell_machine(EventKind::MachineRemoved, &handle, None);
        }
        let library = self.library();
        let undone = files::remove_folder(self.folder(id).path())
            .and_then(|()| library.remove_machine(id))
            .and_then(|()| self.refresh_clones());
        match (undone, journal) {
            (Ok(()), Some(journal)) => {
                if let Err(error) = library.finish(journal) {
                    tracing::warn!(%error, "could not close a journal entry");
                }
            }
            (Err(error), _) => {
                tracing::warn!(%error, machine = %id, "could not take back a half-made machine; the next start will");
            }
            _ => {}
        }
    }

    /// Runs `work` as the machine's job; on success the machine is ready (and started if wanted), else it is undone.
    pub(crate) fn run_making<F>(
        &self,
        handle: Arc<Handle>,
        journal: nestbox_store::JournalId,
        job: JobHandle,
        start: bool,
        work: F,
    ) -> JobStarted
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        handle.write().job = Some(job.id());
        let machine = self.view(&handle);
        self.tell_machine(EventKind::MachineAdded, &handle, None);
        let started = JobStarted {
            job: job.snapshot(),
            machine,
        };
        let engine = self.clone();
        tokio::spawn(async move {
            let made = match work.await {
                Ok(()) => job.check_cancelled(),
                Err(error) => Err(error),
            };
            // From here on a crash, or a journal that can't be closed, no longer undoes the machine.
            let made = made.and_then(|()| engine.library().advance(journal, COMPLETE, &json!({})));
            if let Err(error) = made {
                engine.undo_machine(&handle.id, Some(journal));
                job.finish(&Err(error));
                return;
            }
            if let Err(error) = engine.library().finish(journal) {
                tracing::warn!(%error, "could not close a journal entry");
            }
            {
                let mut cell = handle.write();
                cell.state = at_rest(&cell.spec);
                if !start {
                    cell.job = None;
                }
            }
            engine.tell_machine(EventKind::MachineState, &handle, Some("Created".into()));
            let mut result = Ok(());
            if start {
                job.step("start", StepState::Running, None);
                result = match handle.lock().await {
                    Ok(_guard) => engine.start_locked(&handle, None, false).await,
                    Err(error) => Err(error),
                };
                handle.write().job = None;
                match &result {
                    Ok(()) => job.step("start", StepState::Done, None),
                    Err(error) => job.step("start", StepState::Failed, Some(error.message.clone())),
                }
                engine.tell_machine(EventKind::MachineChanged, &handle, None);
            }
            job.finish(&result);
        });
        started
    }

    async fn create_blank(&self, request: CreateRequest) -> Result<JobStarted> {
        let arch = request.arch.or(Arch::host()).unwrap_or(Arch::X86_64);
        let mut spec = self.new_spec(&request.name, arch, &request.tags)?;
        apply_hardware(&mut spec, &request);
        spec.firmware = request.firmware.unwrap_or_else(|| default_firmware(arch));
        let capacity = check_disk(request.disk.unwrap_or(32 * GIB))?;
        let disk = new_disk(capacity);
        spec.disks = vec![disk.clone()];
        let (handle, journal) = self.begin_machine(spec)?;
        let job = self.making_job(
            &handle,
            journal,
            JobKind::Create,
            &[("disk", "Make the disk")],
            request.start,
        )?;
        let (folder, worker) = (self.folder(&handle.id), job.clone());
        let work = async move {
            worker.step("disk", StepState::Running, None);
            nestbox_disk::create(&folder.disk_image(&disk.image), capacity, None).await?;
            worker.step("disk", StepState::Done, None);
            Ok(())
        };
        Ok(self.run_making(handle, journal, job, request.start, work))
    }

    pub(crate) fn making_job(
        &self,
        handle: &Arc<Handle>,
        journal: nestbox_store::JournalId,
        kind: JobKind,
        steps: &[(&str, &str)],
        start: bool,
    ) -> Result<JobHandle> {
        let verb = match kind {
            JobKind::Import => "Import",
            JobKind::Clone => "Clone to",
            JobKind::RestoreBackup => "Restore",
            _ => "Create",
        };
        let mut steps = steps.to_vec();
        if start {
            steps.push(("start", "Start"));
        }
        self.new_job(
            kind,
            format!("{verb} “{}”", handle.name()),
            Some(handle.id.clone()),
            &steps,
        )
        .inspect_err(|_| {
            self.undo_machine(&handle.id, Some(journal));
        })
    }
}
