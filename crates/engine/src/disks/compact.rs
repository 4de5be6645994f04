//! Giving back the space that images hold and do not need.
//!
//! Each image of ours in the disk's chain is written anew beside itself on the same base, compared, and renamed over: what
//! is zero or marked as free takes no room then. Cut short anywhere, the old image or the new one is there, and both show
//! the same; the unfinished file has a name that the next start clears away.

use super::Place;
use crate::jobs::JobHandle;
use crate::machine::{Handle, MachineRef, shell_word};
use crate::take::check_space;
use crate::{Engine, files};
use nestbox_model::units::format_size;
use nestbox_model::{Error, EventKind, Job, JobKind, MachineSpec, Result, StepState};
use serde_json::json;
use std::path::{Path, PathBuf};

impl Engine {
    /// Compacts a disk as a job; with `dry_run` the job says what would be written anew.
    ///
    /// # Errors
    /// `machine-running` (conflict), `no-space`.
    pub async fn compact_disk(&self, wanted: MachineRef<'_>, disk: &str, dry_run: bool) -> Result<Job> {
        let handle = self.find(wanted)?;
        let turn = handle.lock_ready_owned().await?;
        let spec = handle.spec();
        let place = Place::find(&spec, disk)?;
        let runs = handle.session().is_ok() || handle.state().is_active();
        if runs && place.detached(&spec).is_none() {
            return Err(Error::conflict(
                "machine-running",
                format!("“{}” is {}, and writes to that disk.", spec.name, handle.state().as_str()),
            )
            .with_hint(format!(
                "While it runs, “fstrim -av” in the guest gives space back at once. Or stop it: nestbox stop {}",
                shell_word(&spec.name)
            )));
        }
        let mut images = self.own_images(&spec, place)?;
        if runs {
            // The guest may read what lies below.
            images.truncate(1);
        }
        let bytes = |images: &[PathBuf]| {
            images
                .iter()
                .map(|path| files::allocated_bytes(path))
                .sum::<u64>()
        };
        let before = bytes(&images);
        let largest = images
            .iter()
            .map(|path| files::allocated_bytes(path))
            .max()
            .unwrap_or(0);
        if !dry_run {
            check_space(
                &self.folder(&spec.id),
                largest,
                "Writing the disk anew",
                "and try again.",
            )?;
        }
        let title = format!("Compact a disk of “{}”", spec.name);
        let job = self.new_job(
            JobKind::DiskCompact,
            title,
            Some(handle.id.clone()),
            &[("compact", "Write it anew")],
        )?;
        let shown = job.snapshot();
        let (engine, own, worker) = (self.clone(), handle.clone(), job.clone());
        let work = async move {
            worker.step("compact", StepState::Running, None);
            if dry_run {
                worker.found(json!({ "before": before, "after": before }));
                worker.step("compact", StepState::Done, None);
                return Ok(());
            }
            let mut done = 0;
            for image in &images {
                worker.check_cancelled()?;
                engine.compact_image(image, &worker, done, before).await?;
                done += files::allocated_bytes(image);
            }
            let after = bytes(&images);
            engine.refresh_sizes(&own)?;
            worker.found(json!({ "before": before, "after": after }));
            let freed = format!("{} freed", format_size(before.saturating_sub(after)));
            worker.step("compact", StepState::Done, Some(freed.clone()));
            engine.tell_machine(
                EventKind::MachineChanged,
                &own,
                Some(format!("Compacted a disk: {freed}")),
            );
            Ok(())
        };
        self.run_disk_job(&handle, turn, job, work);
        Ok(shown)
    }

    /// The images of ours in a disk's chain, active one first.
    pub(super) fn own_images(&self, spec: &MachineSpec, place: Place) -> Result<Vec<PathBuf>> {
        let disk = place.disk(spec);
        let folder = self.folder(&spec.id);
        let own = folder.disks().canonicalize().unwrap_or_else(|_| folder.disks());
        let links = self.chain(&folder.disk_image(&disk.image), disk.linked.as_deref())?;
        let paths = links.into_iter().map(|link| link.path);
        Ok(paths
            .filter(|path| path.parent() == Some(own.as_path()))
            .collect())
    }

    async fn compact_image(&self, image: &Path, job: &JobHandle, done: u64, total: u64) -> Result<()> {
        let part = part_of(image);
        files::remove_file(&part)?;
        let reporter = job.clone();
        let progress = move |bytes: u64| reporter.bytes(done + bytes, Some(total));
        let cancel = job.cancel_token();
        let written = tokio::select! {
            written = nestbox_disk::rewrite(image, &part, &progress) => written,
            () = cancel.cancelled() => Err(Error::cancelled()),
        };
        // Compressed clusters grow when they are written anew.
        let smaller = files::allocated_bytes(&part) < files::allocated_bytes(image);
        if written.is_err() || !smaller {
            files::remove_file(&part)?;
            return written;
        }
        replace(&part, image)
    }
}

/// Where an image is written anew: a name that nobody knows it by, and that is cleared away.
pub(super) fn part_of(image: &Path) -> PathBuf {
    let mut name = image.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// The durable file `part` takes the image's name.
pub(super) fn replace(part: &Path, image: &Path) -> Result<()> {
    std::fs::rename(part, image).map_err(|e| Error::io("put the disk in place", image, &e))?;
    image.parent().map_or(Ok(()), files::sync_folder)
}

/// Whether a machine's job may write to the disk's images.
pub(super) fn is_quiet(handle: &Handle, spec: &MachineSpec, place: Place) -> bool {
    place.detached(spec).is_some() || (handle.session().is_err() && !handle.state().is_active())
}
