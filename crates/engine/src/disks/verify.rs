//! Looking for damage in a disk's images, and mending a copy.

use super::compact::{is_quiet, part_of, replace};
use super::place::set_aside;
use super::{ADD, Place, disk_name};
use crate::hardware::new_disk;
use crate::jobs::JobHandle;
use crate::machine::{Handle, MachineRef, shell_word};
use crate::{Engine, files};
use nestbox_disk::CheckReport;
use nestbox_model::{DiskSpec, Error, EventKind, Job, JobKind, Result, StepState};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Engine {
    /// Checks every image of ours in a disk's chain, as a job. With `repair`, a copy of a damaged one is mended and takes
    /// its place; the damaged one stays in the bin.
    ///
    /// # Errors
    /// `machine-running` (conflict).
    pub async fn check_disk_images(&self, wanted: MachineRef<'_>, disk: &str, repair: bool) -> Result<Job> {
        let handle = self.find(wanted)?;
        let turn = handle.lock_ready_owned().await?;
        let spec = handle.spec();
        let place = Place::find(&spec, disk)?;
        let mut images = self.own_images(&spec, place)?;
        let quiet = is_quiet(&handle, &spec, place);
        if !quiet {
            if repair || images.len() < 2 {
                return Err(Error::conflict(
                    "machine-running",
                    format!(
                        "“{}” is {}, and writes to that disk.",
                        spec.name,
                        handle.state().as_str()
                    ),
                )
                .with_hint(format!("Stop it first: nestbox stop {}", shell_word(&spec.name))));
            }
            // What snapshots froze can be read meanwhile.
            images.remove(0);
        }
        let steps = [("check", "Look for damage"), ("repair", "Mend a copy")];
        let steps = if repair { &steps[..] } else { &steps[..1] };
        let title = format!("Check a disk of “{}”", spec.name);
        let job = self.new_job(JobKind::DiskCheck, title, Some(handle.id.clone()), steps)?;
        let shown = job.snapshot();
        let (engine, own, worker) = (self.clone(), handle.clone(), job.clone());
        let disk = place.disk(&spec).clone();
        let name = disk_name(&disk, place.number(&spec));
        let work = async move {
            worker.step("check", StepState::Running, None);
            let mut found = engine.look_at(&images, &worker).await?;
            let left_out = (!quiet).then(|| {
                "Only what snapshots froze was looked at: the machine runs and writes to the active image.".to_owned()
            });
            worker.step("check", StepState::Done, left_out);
            let mut kept = None;
            let mut repaired = false;
            let mut shows = Shows::Same;
            if repair {
                worker.step("repair", StepState::Running, None);
                for (image, report) in &mut found {
                    if !report.ok {
                        let label = format!("{} before repair", name.trim_matches(['“', '”']));
                        let (path, now) = engine.mend(&own, &disk, image, &label, &worker).await?;
                        kept = Some(path);
                        shows = shows.max(now);
                        *report = nestbox_disk::check(image).await?;
                        repaired = true;
                    }
                }
                let detail = match (repaired, shows) {
                    (false, _) => "Nothing had to be mended.",
                    (true, Shows::Same) => {
                        "It shows what it showed. The damaged disk stays in the bin for a week."
                    }
                    (true, Shows::Other) => {
                        "What was damaged is lost, so it shows something else in places: check the guest's files. The damaged disk stays in the bin for a week."
                    }
                    (true, Shows::Unreadable) => {
                        "The damaged disk could not be read whole, so that nobody knows what is lost: check the guest's files. It stays in the bin for a week."
                    }
                };
                worker.step("repair", StepState::Done, Some(detail.into()));
                if repaired {
                    engine.refresh_sizes(&own)?;
                    engine.tell_machine(EventKind::MachineChanged, &own, Some("Repaired a disk".into()));
                }
            }
            worker.found(report(&found, repaired.then_some(shows), kept.as_deref()));
            Ok(())
        };
        self.run_disk_job(&handle, turn, job, work);
        Ok(shown)
    }

    async fn look_at(&self, images: &[PathBuf], job: &JobHandle) -> Result<Vec<(PathBuf, CheckReport)>> {
        let cancel = job.cancel_token();
        let mut found = Vec::new();
        for (image, done) in images.iter().zip(0_u64..) {
            job.bytes(done, Some(images.len() as u64));
            let report = tokio::select! {
                report = nestbox_disk::check(image) => report?,
                () = cancel.cancelled() => return Err(Error::cancelled()),
            };
            found.push((image.clone(), report));
        }
        Ok(found)
    }

    /// Puts a mended copy in the place of `image`, and the image itself into the bin. Returns where that is.
    async fn mend(
        &self,
        handle: &Arc<Handle>,
        disk: &DiskSpec,
        image: &Path,
        label: &str,
        job: &JobHandle,
    ) -> Result<(PathBuf, Shows)> {
        let part = part_of(image);
        files::remove_file(&part)?;
        let mended = async {
            let file = std::fs::File::open(image).map_err(|e| Error::io("read the disk", image, &e))?;
            nestbox_disk::copy_in(&file, &part, &|_, _| (), &job.cancel_token()).await?;
            nestbox_disk::repair(&part).await?;
            let report = nestbox_disk::check(&part).await?;
            if report.corruptions > 0 {
                return Err(Error::failed(
                    "disk-beyond-repair",
                    "The damage can't be mended; the disk is as it was.",
                )
                .with_hint("Go back to a snapshot or a backup from before the damage."));
            }
            job.check_cancelled()?;
            Ok(match nestbox_disk::same_content(image, &part).await {
                Ok(true) => Shows::Same,
                Ok(false) => Shows::Other,
                Err(error) => {
                    tracing::info!(%error, image = %image.display(), "a damaged disk can't be compared with its mended copy");
                    Shows::Unreadable
                }
            })
        };
        let shows = match mended.await {
            Ok(shows) => shows,
            Err(error) => {
                files::remove_file(&part)?;
                return Err(error);
            }
        };
        let kept = DiskSpec {
            capacity: nestbox_disk::capacity(image).unwrap_or(disk.capacity),
            label: Some(label.to_owned()),
            linked: disk.linked.clone(),
            ..new_disk(disk.capacity)
        };
        let folder = self.folder(&handle.id);
        let kept_path = folder.disk_image(&kept.image);
        let library = self.library();
        let payload = json!({ "images": [kept.image], "disk": kept });
        let journal = library.begin(ADD, Some(&handle.id), &payload)?;
        std::fs::hard_link(image, &kept_path).map_err(|e| Error::io("keep the damaged disk", image, &e))?;
        files::sync_folder(&folder.disks())?;
        let mut spec = handle.spec();
        spec.detached.push(set_aside(kept, true));
        self.save_spec(handle, spec)?;
        replace(&part, image)?;
        library.finish(journal)?;
        Ok((kept_path, shows))
    }
}

/// What a mended copy shows beside the damaged original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shows {
    Same,
    Other,
    Unreadable,
}

impl Shows {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Other => "changed",
            Self::Unreadable => "unreadable",
        }
    }
}

/// `mended`: what the mended disk shows, if it was mended.
fn report(found: &[(PathBuf, CheckReport)], mended: Option<Shows>, kept: Option<&Path>) -> Value {
    let sum = |of: fn(&CheckReport) -> u64| found.iter().map(|(_, report)| of(report)).sum::<u64>();
    let images: Vec<Value> = found
        .iter()
        .map(|(path, report)| {
            json!({
                "path": path.display().to_string(),
                "ok": report.corruptions == 0,
                "corruptions": report.corruptions,
                "leaks": report.leaks,
            })
        })
        .collect();
    let corruptions = sum(|report| report.corruptions);
    json!({
        "ok": corruptions == 0,
        "corruptions": corruptions,
        "leaks": sum(|report| report.leaks),
        "repaired": mended.is_some(),
        "content": mended.map(Shows::as_str),
        "images": images,
        "kept": kept.map(|path| path.display().to_string()),
    })
}
