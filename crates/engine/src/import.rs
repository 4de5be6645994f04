//! Import: a file of the user's becomes a machine.

use crate::Engine;
use crate::hardware::{check_absolute, check_disk, new_disk};
use nestbox_model::units::MIB;
use nestbox_model::{
    Arch, Error, FileAction, ImportPlan, ImportRequest, JobKind, JobStarted, MachineSpec, MediumSpec,
    Recognised, Result, StepState, free_name,
};
use std::path::PathBuf;

impl Engine {
    /// What an import of `path` would do. Nothing is changed and no tool opens the file.
    ///
    /// # Errors
    /// The refusal, in plain words (exit 6 for unsafe or unsupported files).
    pub async fn import_plan(&self, path: &str, arch: Option<Arch>) -> Result<ImportPlan> {
        check_absolute(path)?;
        let file = PathBuf::from(path);
        let mut plan = tokio::task::spawn_blocking(move || nestbox_disk::plan(&file, arch))
            .await
            .map_err(|e| {
                Error::failed(
                    "internal",
                    format!("Looking at the file ended unexpectedly: {e}."),
                )
            })??;
        let taken: Vec<String> = self.handles().iter().map(|h| h.name().to_lowercase()).collect();
        plan.name = free_name(&plan.name, |name| taken.contains(&name.to_lowercase()));
        Ok(plan)
    }

    /// Imports one file as a new machine.
    pub async fn import(&self, request: ImportRequest) -> Result<JobStarted> {
        let plan = self.import_plan(&request.path, request.arch).await?;
        self.import_as(request, plan, &[], JobKind::Import).await
    }

    pub(crate) async fn import_as(
        &self,
        request: ImportRequest,
        plan: ImportPlan,
        tags: &[String],
        kind: JobKind,
    ) -> Result<JobStarted> {
        let arch = request.arch.unwrap_or(plan.arch);
        nestbox_accel::find_qemu(arch)?;
        let name = request.name.clone().unwrap_or_else(|| plan.name.clone());
        let mut spec = self.new_spec(&name, arch, tags)?;
        spec.system.clone_from(&plan.system);
        spec.cpus = request.cpus.unwrap_or(plan.cpus).max(1);
        spec.memory = request.memory.unwrap_or(plan.memory).max(32 * MIB);
        spec.firmware = request.firmware.unwrap_or(plan.firmware);
        let capacity = check_disk(request.disk.unwrap_or(plan.disk))?;
        if plan.recognised != Recognised::Iso && request.disk.is_some_and(|wanted| wanted < plan.disk) {
            return Err(Error::usage(
                "disk-shrink",
                "The image holds a larger disk, and shrinking could cut off its data.",
            )
            .with_hint("Leave the disk size out, or ask for more than the image has.")
            .with_detail("image", plan.disk));
        }
        if plan.recognised == Recognised::Iso {
            self.import_medium(&request, spec, capacity, kind)
        } else {
            self.import_disk(request, spec, capacity, kind)
        }
    }

    /// A medium stays where it is and is only ever read; the machine gets a new disk.
    fn import_medium(
        &self,
        request: &ImportRequest,
        mut spec: MachineSpec,
        capacity: u64,
        kind: JobKind,
    ) -> Result<JobStarted> {
        let disk = new_disk(capacity);
        spec.disks = vec![disk.clone()];
        spec.medium = Some(MediumSpec {
            path: request.path.clone(),
        });
        let (handle, journal) = self.begin_machine(spec)?;
        let job = self.making_job(
            &handle,
            journal,
            kind,
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

    fn import_disk(
        &self,
        request: ImportRequest,
        mut spec: MachineSpec,
        capacity: u64,
        kind: JobKind,
    ) -> Result<JobStarted> {
        let mut disk = new_disk(capacity);
        if request.action == FileAction::Link {
            disk.linked = Some(request.path.clone());
        }
        spec.disks = vec![disk.clone()];
        let (handle, journal) = self.begin_machine(spec)?;
        let steps = [("copy", "Bring the disk in"), ("disk", "Check it")];
        let job = self.making_job(&handle, journal, kind, &steps, request.start)?;
        let (engine, worker, making, start) = (self.clone(), job.clone(), handle.clone(), request.start);
        let work = async move {
            worker.step("copy", StepState::Running, None);
            let source = PathBuf::from(&request.path);
            let inspection = tokio::task::spawn_blocking(move || nestbox_disk::inspect(&source))
                .await
                .map_err(|e| {
                    Error::failed(
                        "internal",
                        format!("Looking at the file ended unexpectedly: {e}."),
                    )
                })??;
            let destination = engine.folder(&making.id).disk_image(&disk.image);
            if request.action == FileAction::Move {
                engine.library().advance(
                    journal,
                    "move",
                    &serde_json::json!({ "moved_from": inspection.path }),
                )?;
            }
            let reporter = worker.clone();
            let progress = move |done, total| reporter.bytes(done, Some(total));
            let imported = nestbox_disk::import_disk(
                &inspection,
                request.action,
                &destination,
                &progress,
                &worker.cancel_token(),
            )
            .await?;
            worker.step("copy", StepState::Done, None);
            worker.step("disk", StepState::Running, None);
            let mut spec = making.spec();
            spec.disks[0].capacity = imported.capacity;
            spec.disks[0].linked = imported.linked.map(|path| path.display().to_string());
            if let Some(wanted) = request.disk.filter(|wanted| *wanted > imported.capacity) {
                let wanted = check_disk(wanted)?;
                nestbox_disk::resize(&destination, wanted).await?;
                spec.disks[0].capacity = wanted;
            }
            engine.save_spec(&making, spec)?;
            worker.step("disk", StepState::Done, None);
            Ok(())
        };
        Ok(self.run_making(handle, journal, job, start, work))
    }
}
