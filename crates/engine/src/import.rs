//! Import: a file of the user's becomes a machine.

mod settle;

use crate::hardware::{check_absolute, check_disk, new_disk};
use crate::jobs::JobHandle;
use crate::machine::Handle;
use crate::take::check_space;
use crate::{Engine, files};
use nestbox_disk::{Imported, Inspection};
use nestbox_model::units::MIB;
use nestbox_model::{
    Arch, DiskSpec, Error, FileAction, ImportDisk, ImportNic, ImportPlan, ImportRequest, JobKind, JobStarted,
    LinkState, MachineSpec, MediumSpec, NicSpec, Recognised, Result, StepState,
};
use nestbox_store::JournalId;
pub(crate) use settle::Settled;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of a medium that was unpacked, in its machine's folder.
pub(crate) const OWN_MEDIUM: &str = "medium.iso";

impl Engine {
    /// What an import of `path` would do. Nothing is changed and no tool opens the file.
    ///
    /// # Errors
    /// The refusal, in plain words (exit 6 for unsafe or unsupported files).
    pub async fn import_plan(&self, path: &str, arch: Option<Arch>) -> Result<ImportPlan> {
        Ok(self.settled_plan(path, arch).await?.plan)
    }

    /// As [`Self::import_plan`], with what had to change for this library.
    pub(crate) async fn settled_plan(&self, path: &str, arch: Option<Arch>) -> Result<Settled> {
        check_absolute(path)?;
        self.settle(inspect(path).await?.plan(arch))
    }

    /// Imports one file as a new machine.
    ///
    /// # Errors
    /// As [`Self::import_plan`]; `name-taken`, `bad-value`, `disk-shrink`. `no-space` and what is found only while the
    /// disks are brought in is the job's error, and then the machine is gone again.
    pub async fn import(&self, request: ImportRequest) -> Result<JobStarted> {
        let settled = self.settled_plan(&request.path, request.arch).await?;
        self.import_as(request, settled, &[], JobKind::Import).await
    }

    pub(crate) async fn import_as(
        &self,
        request: ImportRequest,
        Settled { plan, said }: Settled,
        tags: &[String],
        kind: JobKind,
    ) -> Result<JobStarted> {
        let arch = request.arch.unwrap_or(plan.arch);
        nestbox_accel::find_qemu(arch)?;
        let name = request.name.clone().unwrap_or_else(|| plan.name.clone());
        let mut spec = self.new_spec(&name, arch, tags)?;
        take_over(&mut spec, &plan);
        spec.cpus = request.cpus.unwrap_or(plan.cpus).max(1);
        spec.memory = request.memory.unwrap_or(plan.memory).max(32 * MIB);
        spec.firmware = request.firmware.unwrap_or(plan.firmware);
        let capacity = check_disk(request.disk.unwrap_or(plan.disk))?;
        if is_medium(&plan) {
            return self.import_medium(&request, &plan, spec, capacity, kind);
        }
        if let (Some(wanted), Some(first)) = (request.disk, plan.disks.first())
            && wanted < first.capacity
        {
            return Err(shrinking(first.capacity));
        }
        spec.disks = plan.disks.iter().map(imported_disk).collect();
        if request.action == FileAction::Link
            && let Some(first) = spec.disks.first_mut()
        {
            first.linked = Some(request.path.clone());
        }
        let needs = known_needs(&plan, request.action);
        self.import_machine(request, spec, needs, said, kind)
    }

    /// A medium stays where it is and is only ever read; a compressed one is unpacked into the machine's folder. The
    /// machine gets a new disk.
    fn import_medium(
        &self,
        request: &ImportRequest,
        plan: &ImportPlan,
        mut spec: MachineSpec,
        capacity: u64,
        kind: JobKind,
    ) -> Result<JobStarted> {
        let packed = plan.inside.is_some();
        let disk = DiskSpec {
            bus: plan.new_disk_bus,
            ..new_disk(capacity)
        };
        let folder = self.folder(&spec.id);
        let medium = if packed {
            folder.path().join(OWN_MEDIUM)
        } else {
            PathBuf::from(&request.path)
        };
        spec.disks = vec![disk.clone()];
        spec.medium = Some(MediumSpec {
            path: medium.to_string_lossy().into_owned(),
        });
        let (handle, journal) = self.begin_machine(spec)?;
        let mut steps = vec![("disk", "Make the disk")];
        if packed {
            steps.insert(0, ("unpack", "Unpack the medium"));
        }
        let job = self.making_job(&handle, journal, kind, &steps, request.start)?;
        let (worker, path) = (job.clone(), request.path.clone());
        let said = match (request.action, packed) {
            (FileAction::Move, true) => Some("The compressed original stays where it is."),
            (FileAction::Move, false) => Some("The medium stays where it is, and is read there."),
            _ => None,
        };
        let work = async move {
            if packed {
                worker.step("unpack", StepState::Running, None);
                unpack(&path, &medium, &worker).await?;
                worker.step("unpack", StepState::Done, None);
            }
            worker.step("disk", StepState::Running, None);
            nestbox_disk::create(&folder.disk_image(&disk.image), capacity, None).await?;
            worker.step("disk", StepState::Done, said.map(str::to_owned));
            Ok(())
        };
        Ok(self.run_making(handle, journal, job, request.start, work))
    }

    /// A machine with the disks of the file, which need `needs` bytes.
    fn import_machine(
        &self,
        request: ImportRequest,
        spec: MachineSpec,
        needs: u64,
        mut said: Vec<String>,
        kind: JobKind,
    ) -> Result<JobStarted> {
        let (handle, journal) = self.begin_machine(spec)?;
        let what = match handle.read().spec.disks.len() {
            0 | 1 => "Bring the disk in",
            _ => "Bring the disks in",
        };
        let steps = [("copy", what), ("disk", "Check it")];
        let job = self.making_job(&handle, journal, kind, &steps, request.start)?;
        let (engine, worker, making, start) = (self.clone(), job.clone(), handle.clone(), request.start);
        let work = async move {
            worker.step("copy", StepState::Running, None);
            if needs > 0 {
                let folder = engine.folder(&making.id);
                check_space(
                    &folder,
                    needs,
                    "Bringing the machine in",
                    "or import it elsewhere.",
                )?;
            }
            let inspection = inspect(&request.path).await?;
            let imported = engine
                .bring_in(&inspection, request.action, &making, journal, &worker)
                .await?;
            worker.step("copy", StepState::Done, None);
            worker.step("disk", StepState::Running, None);
            let stays = imported.first().is_none_or(|disk| disk.kept_in_place);
            if request.action == FileAction::Move && stays {
                said.push(
                    "The original stays where it is: it is several files, or reached by a link.".into(),
                );
            }
            engine.complete_disks(&making, &imported, request.disk).await?;
            worker.step(
                "disk",
                StepState::Done,
                (!said.is_empty()).then(|| said.join(" ")),
            );
            Ok(())
        };
        Ok(self.run_making(handle, journal, job, start, work))
    }

    /// All disks, under the names that the machine's settings have for them.
    async fn bring_in(
        &self,
        inspection: &Inspection,
        action: FileAction,
        making: &Arc<Handle>,
        journal: JournalId,
        job: &JobHandle,
    ) -> Result<Vec<Imported>> {
        if action == FileAction::Move {
            self.library().advance(
                journal,
                "move",
                &serde_json::json!({ "moved_from": inspection.path }),
            )?;
        }
        let (engine, handle) = (self.clone(), making.clone());
        let name = move |index| engine.image_of(&handle, index);
        let reporter = job.clone();
        let progress = move |done, total| reporter.bytes(done, Some(total));
        nestbox_disk::import_disks(inspection, action, &name, &progress, &job.cancel_token()).await
    }

    /// Where the disk with this index goes. A compressed machine may have more disks than its first part told; each is
    /// in the settings before its file has a name, so that no moved data are without an owner.
    fn image_of(&self, making: &Handle, index: usize) -> PathBuf {
        let mut spec = making.spec();
        let known = spec.disks.len();
        while spec.disks.len() <= index {
            spec.disks.push(new_disk(0));
        }
        let image = self.folder(&making.id).disk_image(&spec.disks[index].image);
        if spec.disks.len() > known
            && let Err(error) = self.save_spec(making, spec.clone())
        {
            tracing::warn!(%error, machine = %making.id, "a disk is not in the settings yet");
            making.write().spec = spec;
        }
        image
    }

    /// The settings say what was brought in; the first disk grows where that was asked for.
    async fn complete_disks(
        &self,
        making: &Handle,
        imported: &[Imported],
        wanted: Option<u64>,
    ) -> Result<()> {
        let mut spec = making.spec();
        spec.disks.truncate(imported.len());
        for (disk, made) in spec.disks.iter_mut().zip(imported) {
            disk.capacity = made.capacity;
            disk.linked = made.linked.as_ref().map(|path| path.display().to_string());
        }
        if let (Some(wanted), Some(first)) = (wanted, spec.disks.first_mut())
            && wanted > first.capacity
        {
            self.grow(making, first, wanted).await?;
        }
        self.save_spec(making, spec)
    }

    async fn grow(&self, making: &Handle, disk: &mut DiskSpec, wanted: u64) -> Result<()> {
        let wanted = check_disk(wanted)?;
        nestbox_disk::resize(&self.folder(&making.id).disk_image(&disk.image), wanted).await?;
        disk.capacity = wanted;
        Ok(())
    }
}

pub(crate) async fn inspect(path: &str) -> Result<Inspection> {
    let file = PathBuf::from(path);
    tokio::task::spawn_blocking(move || nestbox_disk::inspect(&file))
        .await
        .map_err(|e| {
            Error::failed(
                "internal",
                format!("Looking at the file ended unexpectedly: {e}."),
            )
        })?
}

pub(crate) async fn unpack(path: &str, to: &Path, job: &JobHandle) -> Result<()> {
    let inspection = inspect(path).await?;
    let reporter = job.clone();
    let progress = move |done, total| reporter.bytes(done, Some(total));
    nestbox_disk::unpack_medium(&inspection, to, &progress, &job.cancel_token()).await?;
    if let Some(folder) = to.parent() {
        files::sync_folder(folder)?;
    }
    Ok(())
}

/// It is an ISO, compressed or not.
pub(crate) fn is_medium(plan: &ImportPlan) -> bool {
    plan.inside.unwrap_or(plan.recognised) == Recognised::Iso
}

/// Bytes that are needed for sure. A qcow2 may share its blocks or be renamed, and holes of what is compressed take no
/// room: their copying watches the space itself.
pub(crate) fn known_needs(plan: &ImportPlan, action: FileAction) -> u64 {
    let sure = action != FileAction::Link && plan.recognised != Recognised::Qcow2 && plan.inside.is_none();
    if sure { plan.needs } else { 0 }
}

fn shrinking(image: u64) -> Error {
    Error::usage(
        "disk-shrink",
        "The image holds a larger disk, and shrinking could cut off its data.",
    )
    .with_hint("Leave the disk size out, or ask for more than the image has.")
    .with_detail("image", image)
}

/// What a description said of its machine; a lone disk says nothing, and its machine gets what new machines get.
fn take_over(spec: &mut MachineSpec, plan: &ImportPlan) {
    spec.system.clone_from(&plan.system);
    spec.clock_local = plan.clock_local;
    spec.notes = plan.notes.clone().unwrap_or_default();
    spec.medium = plan.medium.clone().map(|path| MediumSpec { path });
    // A machine without a network stays without; inside of what is compressed, none may just not be told yet.
    if plan.recognised.is_bundle() || !plan.nics.is_empty() {
        spec.nics = plan.nics.iter().map(nic).collect();
        spec.ports.clone_from(&plan.ports);
    }
}

fn imported_disk(told: &ImportDisk) -> DiskSpec {
    DiskSpec {
        bus: told.bus,
        ..new_disk(told.capacity)
    }
}

fn nic(told: &ImportNic) -> NicSpec {
    let mut nic = NicSpec::on_default_network();
    if let Some(mac) = &told.mac {
        nic.mac.clone_from(mac);
    }
    if !told.connected {
        nic.link = LinkState::Down;
    }
    nic
}
