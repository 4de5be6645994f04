//! A machine is written for other programs: its disks in one format each, or all of it.

use super::notes::left_behind;
use super::reading::Reading;
use super::write::Exported;
use crate::jobs::JobHandle;
use crate::machine::{Handle, MachineRef};
use crate::{Engine, files};
use nestbox_disk::export::{self, Place};
use nestbox_model::{
    DiskSpec, Error, ExportFile, ExportFormat, ExportPlan, ExportRequest, Job, JobKind, MachineSpec,
    MachineState, Result, SnapshotKind, SnapshotRecord, SnapshotRequest, StepState,
};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Of the snapshot that an export of a running machine takes.
pub(super) const SNAPSHOT_NAME: &str = "For an export";

/// What is going to be written, checked before anything is.
pub(super) struct Wanted {
    pub format: ExportFormat,
    /// Indices of the machine's disks.
    disks: Vec<usize>,
    /// One for each disk; or the one file or folder of all.
    pub places: Vec<Place>,
    /// The settings beside disks.
    pub settings: Option<Place>,
    estimates: Vec<u64>,
    notes: Vec<String>,
}

/// A machine at one moment: its settings and an image of each disk.
pub(super) struct Moment {
    pub spec: MachineSpec,
    /// In the order of the settings' disks.
    pub images: Vec<PathBuf>,
    pub nvram: Option<PathBuf>,
}

impl Engine {
    /// What an export would write, and what it would leave behind.
    ///
    /// # Errors
    /// As [`Self::export`], but for what happens while it is written.
    pub async fn export_plan(&self, wanted: MachineRef<'_>, request: ExportRequest) -> Result<ExportPlan> {
        let handle = self.find(wanted)?;
        // What is there may be told; only the export itself must replace it.
        let request = ExportRequest {
            overwrite: true,
            ..request
        };
        let wanted = self.wanted(&handle, &request)?;
        let mut files: Vec<ExportFile> = wanted
            .places
            .iter()
            .zip(&wanted.estimates)
            .map(|(place, estimate)| planned(place, *estimate))
            .collect();
        files.extend(wanted.settings.iter().map(|place| planned(place, 4096)));
        Ok(ExportPlan {
            format: wanted.format,
            files,
            notes: wanted.notes,
        })
    }

    /// Writes a machine for other programs: the present, or a snapshot of it. Of a machine that runs, a snapshot is taken
    /// for it, and removed again.
    ///
    /// # Errors
    /// `format-unclear`, `disk-not-found`, `snapshot-not-found`, `no-disks`; whatever is wrong with the place. What
    /// happens while it is written is the job's error, and then nothing is left.
    pub async fn export(&self, wanted: MachineRef<'_>, request: ExportRequest) -> Result<Job> {
        let handle = self.find(wanted)?;
        let wanted = self.wanted(&handle, &request)?;
        let title = format!("Export “{}”", handle.name());
        let steps = [
            ("write", "Write the disks"),
            ("finish", "Check and name the files"),
        ];
        let job = self.new_job(JobKind::Export, title, Some(handle.id.clone()), &steps)?;
        let (engine, worker) = (self.clone(), job.clone());
        let places: Vec<Place> = wanted.places.iter().chain(&wanted.settings).cloned().collect();
        self.run_carrying(&job, &places, async move {
            let files = engine.export_all(&handle, &request, &wanted, &worker).await?;
            Ok(json!({ "files": files, "notes": wanted.notes }))
        })
    }

    fn wanted(&self, handle: &Arc<Handle>, request: &ExportRequest) -> Result<Wanted> {
        if matches!(handle.state(), MachineState::Creating | MachineState::Broken) {
            return Err(Error::conflict(
                "machine-busy",
                format!("“{}” is {}.", handle.name(), handle.state().as_str()),
            ));
        }
        let to = Path::new(&request.to);
        let format = match request.format {
            Some(format) => format,
            None => export::format_of(to)?,
        };
        let record = request
            .snapshot
            .as_deref()
            .map(|snapshot| self.find_snapshot(handle, snapshot))
            .transpose()?
            .map(|(record, _)| record);
        let moment = match &record {
            Some(record) => self.moment_of(handle, record),
            None => self.present(handle),
        };
        let spec = &moment.spec;
        let disks = which_disks(spec, request.disk.as_deref())?;
        let mut estimates = Vec::new();
        for index in &disks {
            estimates.push(self.estimate(&moment, *index)?);
        }
        let home = self.layout().home();
        let whole = format.is_whole_machine();
        let (places, settings) = match format {
            ExportFormat::Ova => (vec![Place::file(to, request.overwrite, home)?], None),
            ExportFormat::Utm => (vec![Place::bundle(to, request.overwrite, home)?], None),
            _ => {
                let names = (1..=disks.len()).map(|number| numbered(to, number));
                let places: Result<Vec<_>> = names
                    .map(|path| Place::file(&path, request.overwrite, home))
                    .collect();
                let mut beside = to.as_os_str().to_owned();
                beside.push(".nestbox.toml");
                let beside = PathBuf::from(beside);
                let settings = request.disk.is_none();
                let settings = settings.then(|| Place::file(&beside, request.overwrite, home));
                (places?, settings.transpose()?)
            }
        };
        if whole {
            estimates = vec![estimates.iter().sum::<u64>() + (1 << 20)];
        }
        let snapshots = self.library().snapshots(&handle.id)?.len();
        let mut notes = left_behind(spec, format, snapshots);
        if handle.session().is_ok() && request.snapshot.is_none() {
            notes.insert(
                0,
                "It runs: its disks are written as they are when the export begins, as after a power cut. \
                 A snapshot is taken for that, and removed again."
                    .into(),
            );
        }
        if settings.is_some() {
            notes.push(
                "The machine's settings are written beside its disks, without keys and passwords.".into(),
            );
        }
        Ok(Wanted {
            format,
            disks,
            places,
            settings,
            estimates,
            notes,
        })
    }

    /// Bytes on disk of all that one disk stands on, but no more than the guest sees.
    fn estimate(&self, moment: &Moment, index: usize) -> Result<u64> {
        let disk = &moment.spec.disks[index];
        let chain = self.chain(&moment.images[index], disk.linked.as_deref())?;
        let used: u64 = chain.iter().map(|link| files::allocated_bytes(&link.path)).sum();
        Ok(used.min(disk.capacity.saturating_add(disk.capacity / 1024)))
    }

    /// The machine as it is now; right for as long as nothing changes it.
    pub(super) fn present(&self, handle: &Handle) -> Moment {
        let (spec, folder) = (handle.spec(), self.folder(&handle.id));
        Moment {
            images: spec
                .disks
                .iter()
                .map(|disk| folder.disk_image(&disk.image))
                .collect(),
            nvram: spec.nvram.as_ref().map(|name| folder.nvram_image(name)),
            spec,
        }
    }

    /// The machine as it was.
    pub(super) fn moment_of(&self, handle: &Handle, record: &SnapshotRecord) -> Moment {
        let folder = self.folder(&handle.id);
        let mut spec = record.spec.clone();
        spec.disks
            .retain(|disk| record.disks.iter().any(|frozen| frozen.id == disk.id));
        let frozen = |disk: &DiskSpec| {
            let frozen = record.disks.iter().find(|frozen| frozen.id == disk.id);
            folder.disk_image(frozen.map_or(disk.image.as_str(), |frozen| &frozen.image))
        };
        Moment {
            images: spec.disks.iter().map(frozen).collect(),
            nvram: record.nvram.as_ref().map(|name| folder.nvram_image(name)),
            spec,
        }
    }

    async fn export_all(
        &self,
        handle: &Arc<Handle>,
        request: &ExportRequest,
        wanted: &Wanted,
        job: &JobHandle,
    ) -> Result<Vec<Exported>> {
        job.step("write", StepState::Running, None);
        wanted.places[0].need_space(wanted.estimates.iter().sum())?;
        let guard = handle.lock_ready().await?;
        let mut taken = None;
        let moment = match &request.snapshot {
            Some(snapshot) => self.moment_of(handle, &self.find_snapshot(handle, snapshot)?.0),
            None if handle.session().is_err() => self.present(handle),
            None => {
                let record = self.snapshot_for_export(handle).await?;
                let moment = self.moment_of(handle, &record);
                taken = Some(record);
                moment
            }
        };
        let still = request.snapshot.is_none() && taken.is_none();
        let reading = self.read_moment(handle, &moment)?;
        // Frozen images need no lock; the present does.
        let guard = still.then_some(guard);
        let written = match which_disks(&moment.spec, request.disk.as_deref()) {
            Ok(disks) if disks.len() == wanted.disks.len() => {
                self.write_moment(&moment, &disks, wanted, request, job).await
            }
            Ok(_) => Err(
                Error::conflict("machine-changed", "The machine's disks were changed meanwhile.")
                    .with_hint("Try again."),
            ),
            Err(error) => Err(error),
        };
        drop((reading, guard));
        if let Some(record) = taken {
            self.drop_snapshot(handle, &record).await;
        }
        written
    }

    /// All images that a moment's disks stand on stay as they are for as long as this lives.
    fn read_moment(&self, handle: &Handle, moment: &Moment) -> Result<Reading> {
        let mut paths = Vec::new();
        for (disk, image) in moment.spec.disks.iter().zip(&moment.images) {
            let chain = self.chain(image, disk.linked.as_deref())?;
            paths.extend(chain.into_iter().map(|link| link.path));
        }
        if let Some(nvram) = &moment.nvram {
            paths.extend(self.chain(nvram, None)?.into_iter().map(|link| link.path));
        }
        Ok(self.begin_reading(&handle.id, paths.iter().map(PathBuf::as_path)))
    }

    async fn snapshot_for_export(&self, handle: &Arc<Handle>) -> Result<SnapshotRecord> {
        let request = SnapshotRequest {
            name: Some(SNAPSHOT_NAME.into()),
            memory: Some(false),
            ..SnapshotRequest::default()
        };
        let taken = self
            .take_locked(handle, request, SnapshotKind::ForClone.into())
            .await?;
        Ok(self.find_snapshot(handle, taken.snapshot.id.as_str())?.0)
    }

    /// The snapshot served; what was made stands without it, so a failure is only told.
    async fn drop_snapshot(&self, handle: &Arc<Handle>, record: &SnapshotRecord) {
        let dropped = async {
            let _guard = handle.lock_ready().await?;
            self.delete_locked(handle, std::slice::from_ref(&record.id))?;
            self.tell_machine(nestbox_model::EventKind::SnapshotDeleted, handle, None);
            self.tidy_if_worthwhile(handle).map(drop)
        };
        if let Err(error) = dropped.await {
            tracing::warn!(%error, machine = %handle.id, "the snapshot for an export is still there");
        }
    }
}

fn planned(place: &Place, estimate: u64) -> ExportFile {
    ExportFile {
        path: place.path().display().to_string(),
        estimate,
        exists: place.is_taken(),
    }
}

/// Indices of the disks that are meant: all, or one by its id, the beginning of it, or its number.
fn which_disks(spec: &MachineSpec, wanted: Option<&str>) -> Result<Vec<usize>> {
    let all = 0..spec.disks.len();
    let Some(wanted) = wanted else {
        if all.is_empty() {
            return Err(Error::conflict(
                "no-disks",
                format!("“{}” has no disks to write.", spec.name),
            ));
        }
        return Ok(all.collect());
    };
    let by_number = wanted
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_sub(1));
    let by_id: Vec<usize> = all
        .filter(|index| {
            let id = spec.disks[*index].id.as_str();
            id == wanted || (wanted.len() >= 4 && id.starts_with(wanted))
        })
        .collect();
    match (&by_id[..], by_number.filter(|index| *index < spec.disks.len())) {
        ([one], _) => Ok(vec![*one]),
        ([], Some(index)) => Ok(vec![index]),
        _ => Err(
            Error::not_found("disk-not-found", format!("There is no disk “{wanted}”."))
                .with_hint("See them with: nestbox disk list MACHINE"),
        ),
    }
}

/// The name of the file of one of several disks: `web.vmdk`, `web-disk2.vmdk`, …
fn numbered(to: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return to.to_owned();
    }
    let stem = to.file_stem().unwrap_or_default().to_string_lossy();
    let name = match to.extension() {
        Some(ending) => format!("{stem}-disk{number}.{}", ending.to_string_lossy()),
        None => format!("{stem}-disk{number}"),
    };
    to.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_disk_has_a_name_of_its_own() {
        let names = [1, 2].map(|number| numbered(Path::new("/a/web.1.vmdk"), number));
        assert_eq!(names, ["/a/web.1.vmdk", "/a/web.1-disk2.vmdk"].map(PathBuf::from));
    }
}
