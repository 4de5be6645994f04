//! Disks that go to another machine.
//!
//! Where a disk's only image of ours is needed by nobody else, it gets a second name in the other machine's folder, the
//! other's settings name it, then the first machine's do not any more, and the first name goes. Cut short in between, the
//! other machine's settings say whether it arrived. Else what the disk shows is copied out of its chain, and the disk
//! itself goes into the bin.

use super::place::set_aside;
use super::{ADD, Place, check_changeable};
use crate::hardware::new_disk;
use crate::lifecycle::new_image_name;
use crate::machine::{Handle, shell_word};
use crate::take::check_space;
use crate::{Engine, files};
use nestbox_model::{
    DiskChanged, DiskSpec, Error, EventKind, ImageRole, JobKind, MachineId, MachineSpec, Result, StepState,
};
use nestbox_store::JournalEntry;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;

/// Journal: a disk's image is on its way to another machine.
pub(crate) const MOVE: &str = "disk-move";

impl Engine {
    /// Moves a disk to another machine, which sees it as its last one.
    ///
    /// # Errors
    /// `disk-removed`, `machine-suspended`, `disposable-run` (conflict), of either machine; what unplugging and plugging in
    /// fail with; `no-space`.
    pub(super) async fn move_disk(
        &self,
        from: &Arc<Handle>,
        disk: &str,
        to: &Arc<Handle>,
    ) -> Result<DiskChanged> {
        let turns = both(from, to).await?;
        let spec = from.spec();
        let place = Place::find(&spec, disk)?;
        if place
            .detached(&spec)
            .is_some_and(|disk| disk.removed_at.is_some())
        {
            return Err(
                Error::conflict("disk-removed", "That disk is in the bin.").with_hint(format!(
                    "Bring it back first: nestbox disk restore {} {}",
                    shell_word(&spec.name),
                    place.disk(&spec).id.short()
                )),
            );
        }
        if place.detached(&spec).is_none() {
            check_changeable(from)?;
        }
        check_changeable(to)?;
        let disk = place.disk(&spec).clone();
        let mut there = to.spec();
        there.disks.push(disk.clone());
        self.check_disks(&there).await?;
        self.free_slot(to, &disk)?;
        let alone = self.stands_alone(from, place);
        if place.detached(&spec).is_none() {
            self.unplug_if_running(from, &disk).await?;
            let mut after = spec.clone();
            let gone = place.take(&mut after);
            after.detached.push(set_aside(gone, false));
            self.save_spec(from, after)?;
        }
        if alone && self.hand_over(from, to, &disk).await? {
            let place = Place::find(&to.spec(), disk.id.as_str())?;
            return Ok(DiskChanged {
                job: None,
                disk: Some(self.disk_details(to, place)),
                notes: Vec::new(),
            });
        }
        self.copy_over(from, to, disk, turns)
    }

    /// One image of ours that nobody else needs, on nothing or on files that any machine may stand on.
    fn stands_alone(&self, handle: &Handle, place: Place) -> bool {
        let details = self.disk_details(handle, place);
        let shared = |role| matches!(role, ImageRole::Cache | ImageRole::Linked);
        let spec = handle.spec();
        let image = &place.disk(&spec).image;
        let (records, unreadable) = files::read_records(&self.folder(&handle.id));
        let frozen = records.iter().flat_map(|record| &record.disks);
        let needed = frozen.into_iter().any(|disk| disk.image == *image);
        unreadable.is_empty() && !needed && details.chain.iter().skip(1).all(|image| shared(image.role))
    }

    /// `false` where a file can't have two names: then it is copied.
    async fn hand_over(&self, from: &Arc<Handle>, to: &Arc<Handle>, disk: &DiskSpec) -> Result<bool> {
        let here = self.folder(&from.id).disk_image(&disk.image);
        let there = self.folder(&to.id).disk_image(&disk.image);
        let disk = DiskSpec {
            slot: None,
            ..disk.clone()
        };
        let library = self.library();
        let payload = json!({ "disk": disk, "to": to.id });
        let journal = library.begin(MOVE, Some(&from.id), &payload)?;
        files::make_private_folder(&self.folder(&to.id).disks())?;
        if std::fs::hard_link(&here, &there).is_err() {
            library.finish(journal)?;
            return Ok(false);
        }
        files::sync_folder(&self.folder(&to.id).disks())?;
        let arrived = self.attach_last(to, to.spec(), disk.clone()).await;
        self.settle_move(from, to, &disk)?;
        library.finish(journal)?;
        arrived?;
        self.tell_moved(from, to);
        Ok(true)
    }

    /// The disk is the machine's whose settings name it: the other name of its image goes.
    fn settle_move(&self, from: &Handle, to: &Handle, disk: &DiskSpec) -> Result<()> {
        let there = self.folder(&to.id).disk_image(&disk.image);
        if !names(&to.spec(), disk) {
            return files::remove_file(&there);
        }
        let mut spec = from.spec();
        spec.detached.retain(|other| other.disk.id != disk.id);
        spec.disks.retain(|other| other.id != disk.id);
        if spec != from.spec() {
            self.save_spec(from, spec)?;
        }
        files::remove_file(&self.folder(&from.id).disk_image(&disk.image))
    }

    /// A move that was cut short.
    pub(crate) fn recover_move(&self, from: &Handle, entry: &JournalEntry) -> Result<()> {
        let field = |name: &str| entry.payload.get(name).cloned().unwrap_or_default();
        let disk: Option<DiskSpec> = serde_json::from_value(field("disk")).ok();
        let to: Option<MachineId> = serde_json::from_value(field("to")).ok();
        match (disk, to.and_then(|id| self.handle_by_id(&id))) {
            (Some(disk), Some(to)) => self.settle_move(from, &to, &disk),
            _ => Ok(()),
        }
    }

    /// What the disk shows becomes a disk of the other machine's, by a job; the disk itself goes into the bin.
    fn copy_over(
        &self,
        from: &Arc<Handle>,
        to: &Arc<Handle>,
        disk: DiskSpec,
        (turn, other): (OwnedMutexGuard<()>, OwnedMutexGuard<()>),
    ) -> Result<DiskChanged> {
        let image = self.folder(&from.id).disk_image(&disk.image);
        let links = self.chain(&image, disk.linked.as_deref())?;
        let bytes: u64 = links.iter().map(|link| files::allocated_bytes(&link.path)).sum();
        let folder = self.folder(&to.id);
        check_space(&folder, bytes, "Copying the disk", "and try again.")?;
        let copy = DiskSpec {
            id: new_disk(disk.capacity).id,
            image: new_image_name(),
            linked: None,
            slot: None,
            ..disk.clone()
        };
        let steps = [("copy", "Copy the disk"), ("attach", "Attach it")];
        let title = format!("Move a disk from “{}” to “{}”", from.name(), to.name());
        let job = self.new_job(JobKind::DiskMove, title, Some(to.id.clone()), &steps)?;
        let shown = job.snapshot();
        let (engine, source, target, worker) = (self.clone(), from.clone(), to.clone(), job.clone());
        let work = async move {
            let _other = other;
            let library = engine.library();
            let payload = json!({ "images": [copy.image], "disk": copy });
            let journal = library.begin(ADD, Some(&target.id), &payload)?;
            let moved = async {
                worker.step("copy", StepState::Running, None);
                files::make_private_folder(&folder.disks())?;
                let reporter = worker.clone();
                let progress = move |done: u64| reporter.bytes(done, Some(bytes));
                let cancel = worker.cancel_token();
                let target_image = folder.disk_image(&copy.image);
                tokio::select! {
                    copied = nestbox_disk::flatten(&image, &target_image, &progress) => copied?,
                    () = cancel.cancelled() => return Err(Error::cancelled()),
                }
                files::sync_folder(&folder.disks())?;
                worker.step("copy", StepState::Done, None);
                worker.step("attach", StepState::Running, None);
                engine.attach_last(&target, target.spec(), copy.clone()).await?;
                let mut spec = source.spec();
                for other in &mut spec.detached {
                    if other.disk.id == disk.id {
                        *other = set_aside(other.disk.clone(), true);
                    }
                }
                engine.save_spec(&source, spec)?;
                let note = format!(
                    "Snapshots of “{}” need the disk as it was there, so its content was copied; it is in that machine's bin.",
                    source.name(),
                );
                worker.step("attach", StepState::Done, Some(note));
                Ok(())
            };
            let moved = moved.await;
            engine.close_adding(&target, &copy, None, journal).await;
            engine.tell_moved(&source, &target);
            moved
        };
        self.run_disk_job(to, turn, job, work);
        Ok(DiskChanged {
            job: Some(shown),
            disk: None,
            notes: Vec::new(),
        })
    }

    fn tell_moved(&self, from: &Handle, to: &Handle) {
        let told = format!("A disk went to “{}”", to.name());
        self.tell_machine(EventKind::MachineChanged, from, Some(told));
        let told = format!("A disk came from “{}”", from.name());
        self.tell_machine(EventKind::MachineChanged, to, Some(told));
    }
}

/// Both machines' operation locks, always taken in the same order.
async fn both(from: &Arc<Handle>, to: &Arc<Handle>) -> Result<(OwnedMutexGuard<()>, OwnedMutexGuard<()>)> {
    if from.id < to.id {
        let first = from.lock_ready_owned().await?;
        Ok((first, to.lock_ready_owned().await?))
    } else {
        let first = to.lock_ready_owned().await?;
        Ok((from.lock_ready_owned().await?, first))
    }
}

/// Whether the disk's image is one of the machine's.
pub(super) fn names(spec: &MachineSpec, disk: &DiskSpec) -> bool {
    let detached = spec.detached.iter().map(|detached| &detached.disk);
    let same = |other: &DiskSpec| Path::new(&other.image) == Path::new(&disk.image);
    spec.disks.iter().chain(detached).any(same)
}
