//! New disks: empty ones, and files of the user's.

use super::moved::Moved;
use super::transfer::names;
use super::{ADD, Place, check_changeable, clean_label, disk_name};
use crate::hardware::{check_absolute, check_disk, new_disk};
use crate::jobs::JobHandle;
use crate::machine::{Handle, MachineRef, shell_word};
use crate::take::check_space;
use crate::{Engine, files};
use nestbox_disk::Inspection;
use nestbox_model::{
    DiskAddRequest, DiskAttachRequest, DiskChanged, DiskSpec, Error, EventKind, FileAction, JobKind, Result,
    StepState,
};
use nestbox_store::{JournalEntry, JournalId};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Engine {
    /// Gives a machine another disk: an empty one at once, a file of the user's by a job. While it runs, the guest sees it
    /// as soon as it is there.
    ///
    /// # Errors
    /// `bad-value`, `option-conflict` (usage); whatever the file is refused for (exit 6); `several-disks`; what the board
    /// can't do; `machine-suspended`, `disposable-run`; while the machine runs, what plugging in fails with.
    pub async fn add_disk(&self, wanted: MachineRef<'_>, request: DiskAddRequest) -> Result<DiskChanged> {
        let handle = self.find(wanted)?;
        let turn = handle.lock_ready_owned().await?;
        check_changeable(&handle)?;
        match (&request.size, &request.file) {
            (Some(size), None) => {
                let disk = planned(&request, check_disk(*size)?)?;
                self.add_blank(&handle, disk).await
            }
            (None, Some(file)) => {
                check_absolute(file)?;
                let inspection = self.judge(file).await?;
                let disk = planned(&request, inspection.capacity())?;
                let mut after = handle.spec();
                after.disks.push(disk.clone());
                self.check_disks(&after).await?;
                self.free_slot(&handle, &disk)?;
                let moved = match request.action {
                    FileAction::Move => Some(Moved::of(&inspection)?),
                    _ => None,
                };
                let journal = self.begin_adding(&handle, &disk)?;
                let title = format!("Add a disk to “{}”", handle.name());
                let steps = [("copy", "Bring the disk in"), ("attach", "Attach it")];
                let job = match self.new_job(JobKind::DiskAdd, title, Some(handle.id.clone()), &steps) {
                    Ok(job) => job,
                    Err(error) => {
                        self.close_adding(&handle, &disk, None, journal).await;
                        return Err(error);
                    }
                };
                let shown = job.snapshot();
                let (engine, own, worker) = (self.clone(), handle.clone(), job.clone());
                let work = async move {
                    engine
                        .add_file(&own, inspection, (request.action, moved), disk, journal, &worker)
                        .await
                };
                self.run_disk_job(&handle, turn, job, work);
                Ok(DiskChanged {
                    job: Some(shown),
                    disk: None,
                    notes: Vec::new(),
                })
            }
            _ => Err(
                Error::usage("option-conflict", "A new disk has either a size or a file.")
                    .with_hint("Use --size for an empty disk, or --file for one that is there."),
            ),
        }
    }

    /// Attaches a detached disk, to its own machine or to another.
    ///
    /// # Errors
    /// As [`Self::attach_own`] and [`Self::move_disk`].
    pub async fn attach_disk(
        &self,
        wanted: MachineRef<'_>,
        disk: &str,
        request: DiskAttachRequest,
    ) -> Result<DiskChanged> {
        let handle = self.find(wanted)?;
        if let Some(to) = &request.to {
            let other = self.find(to)?;
            if other.id != handle.id {
                return self.move_disk(&handle, disk, &other).await;
            }
        }
        let _guard = handle.lock_ready().await?;
        Ok(DiskChanged {
            job: None,
            disk: Some(self.attach_own(&handle, disk).await?),
            notes: Vec::new(),
        })
    }

    async fn add_blank(&self, handle: &Arc<Handle>, disk: DiskSpec) -> Result<DiskChanged> {
        let mut after = handle.spec();
        after.disks.push(disk.clone());
        self.check_disks(&after).await?;
        self.free_slot(handle, &disk)?;
        let journal = self.begin_adding(handle, &disk)?;
        let image = self.folder(&handle.id).disk_image(&disk.image);
        let id = disk.id.clone();
        let made = async {
            files::make_private_folder(&self.folder(&handle.id).disks())?;
            nestbox_disk::create(&image, disk.capacity, None).await?;
            self.attach_last(handle, handle.spec(), disk.clone()).await
        };
        let made = made.await;
        self.close_adding(handle, &disk, None, journal).await;
        made?;
        self.tell_machine(EventKind::MachineChanged, handle, Some("Added a disk".into()));
        let place = Place::find(&handle.spec(), id.as_str())?;
        Ok(DiskChanged {
            job: None,
            disk: Some(self.disk_details(handle, place)),
            notes: new_disk_notes(handle),
        })
    }

    /// Reads what the file is, and refuses what is not one disk.
    async fn judge(&self, path: &str) -> Result<Inspection> {
        let inside = Path::new(path).canonicalize().is_ok_and(|path| {
            self.layout()
                .home()
                .canonicalize()
                .is_ok_and(|home| path.starts_with(home))
        });
        if inside {
            return Err(Error::conflict(
                "file-in-library",
                format!("That file belongs to the library: {path}"),
            )
            .with_hint("Move a machine's disk with: nestbox disk attach MACHINE DISK --to OTHER"));
        }
        let file = PathBuf::from(path);
        let inspection = tokio::task::spawn_blocking(move || nestbox_disk::inspect(&file))
            .await
            .map_err(|e| {
                Error::failed(
                    "internal",
                    format!("Looking at the file ended unexpectedly: {e}."),
                )
            })??;
        let plan = inspection.plan(None);
        if crate::import::is_medium(&plan) {
            return Err(Error::usage(
                "not-a-disk",
                format!("That is a CD or DVD image, not a disk: {path}"),
            )
            .with_hint("Put it into the drive with: nestbox media insert"));
        }
        if plan.disks.len() > 1 {
            return Err(Error::usage(
                "several-disks",
                format!(
                    "That file holds a machine with {} disks: {path}",
                    plan.disks.len()
                ),
            )
            .with_hint(format!(
                "Import it as a machine: nestbox import {}",
                shell_word(path)
            )));
        }
        Ok(inspection)
    }

    fn begin_adding(&self, handle: &Handle, disk: &DiskSpec) -> Result<JournalId> {
        let payload = json!({ "images": [disk.image], "disk": disk });
        self.library().begin(ADD, Some(&handle.id), &payload)
    }

    /// Ends an adding, well or not. What can't be settled now is at the service's next start.
    pub(super) async fn close_adding(
        &self,
        handle: &Handle,
        disk: &DiskSpec,
        moved: Option<&Moved>,
        journal: JournalId,
    ) {
        let settled = self.settle_adding(handle, disk, moved).await;
        if let Err(error) = settled.and_then(|()| self.library().finish(journal)) {
            tracing::warn!(%error, machine = %handle.id, "what was made for a disk is settled at the next start");
        }
    }

    /// An image that did not become a disk goes; a file that was moved goes back to where it was.
    ///
    /// # Errors
    /// `disk-not-settled` when the image must stay for now, though no settings name it.
    async fn settle_adding(&self, handle: &Handle, disk: &DiskSpec, moved: Option<&Moved>) -> Result<()> {
        if names(&handle.spec(), disk) {
            return Ok(());
        }
        let image = self.folder(&handle.id).disk_image(&disk.image);
        let stays = |why: &str| Error::failed("disk-not-settled", format!("{why}: {}", image.display()));
        if self.guest_has(handle, disk).await {
            return Err(stays("The guest writes to a disk that no settings name"));
        }
        match moved {
            Some(moved) if moved.is(&image) => return moved.give_back(&image),
            // Written anew, and the original is gone.
            Some(moved) if image.exists() && moved.is_away() => {
                return Err(stays("Nothing else holds what a moved file held"));
            }
            _ => {}
        }
        self.sweep(handle, std::slice::from_ref(&disk.image))
    }

    async fn add_file(
        &self,
        handle: &Arc<Handle>,
        inspection: Inspection,
        (action, moved): (FileAction, Option<Moved>),
        mut disk: DiskSpec,
        journal: JournalId,
        job: &JobHandle,
    ) -> Result<()> {
        let moved = moved.as_ref();
        let added = async {
            job.step("copy", StepState::Running, None);
            self.bring_disk_in(handle, &inspection, (action, moved), &mut disk, journal, job)
                .await?;
            job.step("copy", StepState::Done, None);
            job.step("attach", StepState::Running, None);
            let attached = self.attach_last(handle, handle.spec(), disk.clone()).await;
            if let Err(error) = attached {
                // It is in the library, and may be nowhere else.
                let mut spec = handle.spec();
                if spec.disks.iter().all(|other| other.id != disk.id) {
                    spec.detached.push(super::place::set_aside(disk.clone(), false));
                    self.save_spec(handle, spec).map_err(|error| match moved {
                        Some(moved) => error.with_hint(format!(
                            "The file is where it was: {}. If not, the service brings it as a detached disk when it starts next.",
                            moved.path.display()
                        )),
                        None => error,
                    })?;
                }
                return Err(error.with_hint(format!(
                    "The disk is there, detached. Attach it later: nestbox disk attach {} {}",
                    shell_word(&handle.name()),
                    disk.id.short()
                )));
            }
            job.step("attach", StepState::Done, new_disk_notes(handle).pop());
            Ok(())
        };
        let added = added.await;
        self.close_adding(handle, &disk, moved, journal).await;
        self.tell_machine(
            EventKind::MachineChanged,
            handle,
            added.is_ok().then(|| "Added a disk".to_owned()),
        );
        added
    }

    async fn bring_disk_in(
        &self,
        handle: &Arc<Handle>,
        inspection: &Inspection,
        (action, moved): (FileAction, Option<&Moved>),
        disk: &mut DiskSpec,
        journal: JournalId,
        job: &JobHandle,
    ) -> Result<()> {
        let folder = self.folder(&handle.id);
        files::make_private_folder(&folder.disks())?;
        let plan = inspection.plan(None);
        let needs = crate::import::known_needs(&plan, action);
        if needs > 0 {
            check_space(
                &folder,
                needs,
                "Bringing the disk in",
                "or use it where it is: --link",
            )?;
        }
        if let Some(moved) = moved {
            let payload = json!({ "images": [disk.image], "disk": disk, "moved": moved });
            self.library().advance(journal, "move", &payload)?;
        }
        let reporter = job.clone();
        let progress = move |done, total| reporter.bytes(done, Some(total));
        let image = folder.disk_image(&disk.image);
        let made =
            nestbox_disk::import_disk(inspection, action, &image, &progress, &job.cancel_token()).await?;
        disk.capacity = made.capacity;
        disk.linked = made.linked.map(|path| path.display().to_string());
        Ok(())
    }

    /// A disk that was being added when the service died: one that is whole and nowhere else is kept, detached; what is
    /// left of any other goes.
    pub(crate) async fn recover_add(&self, handle: &Handle, entry: &JournalEntry) -> Result<()> {
        let field = |name: &str| entry.payload.get(name).cloned();
        let disk: Option<DiskSpec> = field("disk").and_then(|value| serde_json::from_value(value).ok());
        let Some(mut disk) = disk else { return Ok(()) };
        let mut spec = handle.spec();
        if spec.disks.iter().any(|other| other.id == disk.id) {
            return Ok(());
        }
        let folder = self.folder(&handle.id);
        let image = folder.disk_image(&disk.image);
        if self.guest_has(handle, &disk).await {
            spec.detached.retain(|other| other.disk.id != disk.id);
            spec.disks.push(disk);
            return self.save_spec(handle, spec);
        }
        if spec.detached.iter().any(|other| other.disk.id == disk.id) {
            return Ok(());
        }
        let moved: Option<Moved> = field("moved").and_then(|value| serde_json::from_value(value).ok());
        // Named only when it was complete: with a copy, the original may be gone by now.
        if moved.as_ref().is_some_and(Moved::is_away) && image.exists() {
            disk.capacity = nestbox_disk::capacity(&image)?;
            spec.detached.push(super::place::set_aside(disk, false));
            return self.save_spec(handle, spec);
        }
        for partial in partials(&folder.disks()) {
            match &moved {
                // Not yet judged: as it was, it goes back to where it was.
                Some(moved) if moved.is(&partial) => moved.give_back(&partial)?,
                _ => files::remove_file(&partial)?,
            }
        }
        self.sweep(handle, &[disk.image])
    }
}

/// The disk that a request asks for.
fn planned(request: &DiskAddRequest, capacity: u64) -> Result<DiskSpec> {
    let disk = new_disk(capacity);
    Ok(DiskSpec {
        read_only: request.read_only,
        bus: request.bus.unwrap_or(disk.bus),
        cache: request.cache.unwrap_or(disk.cache),
        discard: request.discard.unwrap_or(disk.discard),
        iothread: request.iothread.unwrap_or(disk.iothread),
        label: match &request.label {
            Some(label) => clean_label(label)?,
            None => None,
        },
        ..disk
    })
}

/// Files on their way in.
fn partials(folder: &Path) -> Vec<PathBuf> {
    let is_partial = |path: &PathBuf| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        name.starts_with(".incoming-") && name.ends_with(".partial")
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(is_partial).collect()
}

fn new_disk_notes(handle: &Handle) -> Vec<String> {
    let spec = handle.spec();
    let Some(disk) = spec.disks.last() else {
        return Vec::new();
    };
    let what = disk_name(disk, spec.disks.len());
    if handle.session().is_ok() {
        vec![format!(
            "The guest sees {what} now, as serial number {}.",
            disk.id.short()
        )]
    } else {
        Vec::new()
    }
}
