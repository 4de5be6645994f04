//! The whole machine with its snapshots in one file; `docs/backup.md` describes it.

use super::archive::{Parts, Writer};
use crate::jobs::JobHandle;
use crate::machine::{Handle, MachineRef};
use crate::{Engine, files};
use nestbox_disk::export::Place;
use nestbox_model::layout::MACHINE_FILE;
use nestbox_model::{
    BackupRequest, Error, ImageFormat, Job, JobKind, MachineSpec, MachineState, Result, SnapshotId,
    SnapshotKind, SnapshotRecord, SnapshotRequest, StepState, Suspended,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

/// Name of the first entry.
pub(super) const HEAD: &str = "backup.json";
/// Version of the format that is written, and the newest that is read.
pub(super) const VERSION: u32 = 1;
pub(super) const FORMAT: &str = "nestbox-backup";
/// Bytes written between two looks at the free space.
const SPACE_EVERY: u64 = 64 << 20;

/// The first entry: what is in the backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub format: String,
    pub version: u32,
    /// Version of Nestbox that made it.
    pub made_by: String,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    pub name: String,
    #[serde(default)]
    pub system: Option<String>,
    pub snapshots: u32,
    pub disks: u32,
    /// The present stands on the images in the settings, and gets images of its own: a snapshot was taken for it. Its
    /// memory is the present's, too, where it has some.
    #[serde(default)]
    pub on_top_of: Option<SnapshotId>,
    /// Every further entry but the last, in order, after the settings.
    pub files: Vec<HeadFile>,
    /// Images that stood on files outside of the machine's folder, and the name of those here, in the same folder.
    #[serde(default)]
    pub renamed: BTreeMap<String, String>,
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A file of the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeadFile {
    /// Path in the machine's folder.
    pub name: String,
    /// Bytes, holes included.
    pub length: u64,
    /// Bytes without holes.
    pub stored: u64,
}

/// What goes into a backup, every file open.
struct Collected {
    head: Head,
    settings: String,
    files: Vec<Open>,
}

enum Open {
    File(File, Parts),
    Text(Vec<u8>),
}

/// Collects files.
#[derive(Default)]
struct Collector {
    files: Vec<Open>,
    told: Vec<HeadFile>,
    renamed: BTreeMap<String, String>,
    /// Entries of images by their path.
    images: BTreeMap<PathBuf, String>,
}

impl Engine {
    /// Writes a backup of a machine. Of one that runs, a snapshot is taken, which stays; the backup's present is that.
    ///
    /// # Errors
    /// `machine-busy`; whatever is wrong with the place. What happens while it is written is the job's error, and then
    /// nothing is left.
    pub async fn backup(&self, wanted: MachineRef<'_>, request: BackupRequest) -> Result<Job> {
        let handle = self.find(wanted)?;
        if matches!(handle.state(), MachineState::Creating | MachineState::Broken) {
            return Err(Error::conflict(
                "machine-busy",
                format!("“{}” is {}.", handle.name(), handle.state().as_str()),
            ));
        }
        let place = Place::file(Path::new(&request.to), request.overwrite, self.layout().home())?;
        let title = format!("Back up “{}”", handle.name());
        let steps = [
            ("collect", "Hold everything still"),
            ("write", "Write the backup"),
        ];
        let job = self.new_job(JobKind::Backup, title, Some(handle.id.clone()), &steps)?;
        let (engine, worker) = (self.clone(), job.clone());
        let to = place.clone();
        self.run_carrying(&job, [&to], async move {
            engine.back_up(&handle, &request, &place, &worker).await
        })
    }

    async fn back_up(
        &self,
        handle: &Arc<Handle>,
        request: &BackupRequest,
        place: &Place,
        job: &JobHandle,
    ) -> Result<serde_json::Value> {
        job.step("collect", StepState::Running, None);
        let guard = handle.lock_ready().await?;
        let taken = match handle.session().is_ok() {
            true => Some(self.snapshot_for_backup(handle, request.memory).await?),
            false => None,
        };
        let (engine, own, wish, frozen) = (self.clone(), handle.clone(), request.clone(), taken.clone());
        let collected = blocking(move || engine.collect(&own, &wish, frozen.as_ref())).await?;
        let images = collected.1;
        let collected = collected.0;
        let reading = self.begin_reading(&handle.id, images.iter().map(PathBuf::as_path));
        // Frozen images and open files need no lock; the present does.
        let guard = taken.is_none().then_some(guard);
        job.step("collect", StepState::Done, None);
        job.step("write", StepState::Running, None);
        let notes = collected.head.notes.clone();
        let (reporter, to, cancel) = (job.clone(), place.clone(), job.cancel_token());
        let written = blocking(move || {
            write(&collected, &to, &cancel, &|done, total| {
                reporter.bytes(done, Some(total));
            })
        })
        .await;
        drop((reading, guard));
        let (bytes, sha256) = written?;
        job.step("write", StepState::Done, None);
        Ok(json!({ "path": place.path(), "bytes": bytes, "sha256": sha256, "notes": notes }))
    }

    async fn snapshot_for_backup(&self, handle: &Arc<Handle>, memory: bool) -> Result<SnapshotRecord> {
        let now = jiff::Zoned::now();
        let request = SnapshotRequest {
            name: Some(format!("Backup, {}", now.strftime("%-d %b %H:%M:%S"))),
            memory: (!memory).then_some(false),
            ..SnapshotRequest::default()
        };
        let taken = self
            .take_locked(handle, request, SnapshotKind::User.into())
            .await?;
        Ok(self.find_snapshot(handle, taken.snapshot.id.as_str())?.0)
    }

    /// Opens everything; with the paths of all images.
    fn collect(
        &self,
        handle: &Handle,
        request: &BackupRequest,
        taken: Option<&SnapshotRecord>,
    ) -> Result<(Collected, Vec<PathBuf>)> {
        let folder = self.folder(&handle.id);
        let mut spec = handle.spec();
        spec.disposable = None;
        if let Some(record) = taken {
            spec.disks.clone_from(&record.spec.disks);
            for disk in &mut spec.disks {
                if let Some(frozen) = record.disks.iter().find(|frozen| frozen.id == disk.id) {
                    disk.image.clone_from(&frozen.image);
                }
            }
            spec.nvram.clone_from(&record.nvram);
        }
        let (mut records, unreadable) = files::read_records(&folder);
        if let Some(error) = unreadable.into_iter().next() {
            return Err(error);
        }
        if !request.snapshots {
            records.clear();
            spec.current_snapshot = None;
        }
        if !request.memory {
            spec.suspended = None;
        }
        let mut all = Collector::default();
        self.collect_images(&spec, &mut all)?;
        for record in &mut records {
            record.memory &= request.memory;
            self.collect_images(&at_snapshot(record), &mut all)?;
            let own = folder.snapshot(&record.id);
            let name = |file: &str| format!("snapshots/{}/{file}", record.id);
            all.text(name(nestbox_model::layout::SNAPSHOT_FILE), record_text(record)?);
            if record.memory {
                all.memory(&own, &name)?;
            }
            all.file_if_there(name("screenshot.png"), &own.screenshot())?;
        }
        if let Some(record) = taken.filter(|record| record.memory && !request.snapshots) {
            all.memory(&folder.snapshot(&record.id), &|file| format!("suspended/{file}"))?;
            spec.suspended = Some(suspended_at(record));
        } else if spec.suspended.is_some() {
            all.memory(&folder.suspended(), &|file| format!("suspended/{file}"))?;
        }
        for key in std::fs::read_dir(folder.ssh()).into_iter().flatten().flatten() {
            let name = key.file_name().to_string_lossy().into_owned();
            all.file_if_there(format!("ssh/{name}"), &key.path())?;
        }
        let own_medium = spec.medium.as_ref().map(|medium| PathBuf::from(&medium.path));
        let own_medium = own_medium.filter(|path| path.parent() == Some(folder.path()));
        let medium = own_medium.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        for name in spec.seed.iter().chain(&medium) {
            all.file_if_there(name.clone(), &folder.path().join(name))?;
        }
        all.file_if_there("thumbnail.png".into(), &folder.thumbnail())?;
        let images = all.images.keys().cloned().collect();
        let head = self.head(&spec, &records, request, taken, &all);
        let settings = toml::to_string_pretty(&spec).map_err(|e| unwritable(&e))?;
        Ok((
            Collected {
                head,
                settings,
                files: all.files,
            },
            images,
        ))
    }

    /// The images of the settings, and all that they stand on.
    fn collect_images(&self, spec: &MachineSpec, all: &mut Collector) -> Result<()> {
        let folder = self.folder(&spec.id);
        let detached = spec.detached.iter().map(|detached| &detached.disk);
        for disk in spec.disks.iter().chain(detached) {
            let chain = self.chain(&folder.disk_image(&disk.image), disk.linked.as_deref())?;
            all.chain("disks", &folder.disks(), chain)?;
        }
        if let Some(name) = &spec.nvram {
            let chain = self.chain(&folder.nvram_image(name), None)?;
            all.chain("nvram", &folder.nvram(), chain)?;
        }
        Ok(())
    }

    fn head(
        &self,
        spec: &MachineSpec,
        records: &[SnapshotRecord],
        request: &BackupRequest,
        taken: Option<&SnapshotRecord>,
        all: &Collector,
    ) -> Head {
        let mut notes = Vec::new();
        if let Some(record) = taken {
            notes.push(format!(
                "It ran: the backup's present is the snapshot “{}”, which was taken for it and stays.",
                record.name
            ));
        }
        if !request.memory {
            notes.push("Saved memory is not in it.".into());
        }
        if spec.user.as_ref().is_some_and(|user| user.private_key.is_some()) {
            notes.push("It holds the key that signs in to the guest: keep the backup private.".into());
        }
        if !all.renamed.is_empty() {
            notes
                .push("Images that the machine stood on elsewhere are in it; it needs no other file.".into());
        }
        Head {
            format: FORMAT.into(),
            version: VERSION,
            made_by: env!("CARGO_PKG_VERSION").into(),
            created_at: OffsetDateTime::now_utc(),
            name: spec.name.clone(),
            system: spec.system.clone(),
            snapshots: u32::try_from(records.len()).unwrap_or(u32::MAX),
            disks: u32::try_from(spec.disks.len()).unwrap_or(u32::MAX),
            on_top_of: taken.map(|record| record.id.clone()),
            files: all.told.clone(),
            renamed: all.renamed.clone(),
            notes,
        }
    }
}

impl Collector {
    fn text(&mut self, name: String, text: String) {
        let length = text.len() as u64;
        self.told.push(HeadFile {
            name,
            length,
            stored: length,
        });
        self.files.push(Open::Text(text.into_bytes()));
    }

    fn file(&mut self, name: String, path: &Path) -> Result<()> {
        let failed = |error: std::io::Error| Error::io("open a file of the machine", path, &error);
        let file = File::open(path).map_err(failed)?;
        let parts = Parts::of(&file).map_err(failed)?;
        self.told.push(HeadFile {
            name,
            length: parts.length,
            stored: parts.stored(),
        });
        self.files.push(Open::File(file, parts));
        Ok(())
    }

    fn file_if_there(&mut self, name: String, path: &Path) -> Result<()> {
        match std::fs::symlink_metadata(path) {
            Ok(facts) if facts.is_file() => self.file(name, path),
            _ => Ok(()),
        }
    }

    /// A memory file, packed or not.
    fn memory(
        &mut self,
        folder: &nestbox_model::layout::SnapshotFolder,
        name: &dyn Fn(&str) -> String,
    ) -> Result<()> {
        if folder.memory().exists() {
            self.file(name("memory"), &folder.memory())
        } else {
            self.file(name("memory.zst"), &folder.packed_memory())
        }
    }

    /// The images of a chain, those that are not known yet. One that lies elsewhere gets a name of its own.
    fn chain(&mut self, part: &str, home: &Path, chain: Vec<nestbox_disk::ChainLink>) -> Result<()> {
        let home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
        let mut above: Option<String> = None;
        for link in chain {
            let outside = link.path.parent() != Some(&home);
            let known = self.images.get(&link.path).cloned();
            let is_known = known.is_some();
            let name = known.unwrap_or_else(|| {
                let own = link
                    .path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let ending = if link.format == ImageFormat::Raw {
                    "raw"
                } else {
                    "qcow2"
                };
                let given = format!("{}.{ending}", uuid::Uuid::new_v4());
                format!("{part}/{}", if outside { given } else { own })
            });
            if let (Some(above), true) = (above, outside) {
                let below = name.rsplit('/').next().unwrap_or_default().to_owned();
                self.renamed.insert(above, below);
            }
            if !is_known {
                self.file(name.clone(), &link.path)?;
                self.images.insert(link.path, name.clone());
            }
            above = Some(name);
        }
        Ok(())
    }
}

/// The settings of a snapshot, with its frozen images.
pub(super) fn at_snapshot(record: &SnapshotRecord) -> MachineSpec {
    let mut spec = record.spec.clone();
    spec.detached.clear();
    spec.disks.retain_mut(|disk| {
        let frozen = record.disks.iter().find(|frozen| frozen.id == disk.id);
        if let Some(frozen) = frozen {
            disk.image.clone_from(&frozen.image);
        }
        frozen.is_some()
    });
    spec.nvram.clone_from(&record.nvram);
    spec
}

/// Whoever goes on from a snapshot's memory.
pub(super) fn suspended_at(record: &SnapshotRecord) -> Suspended {
    Suspended {
        at: record.created_at,
        paused: record.paused,
        accelerator: record.accelerator,
        backend_version: record.backend_version.clone(),
    }
}

fn record_text(record: &SnapshotRecord) -> Result<String> {
    toml::to_string_pretty(record).map_err(|e| unwritable(&e))
}

fn unwritable(error: &toml::ser::Error) -> Error {
    Error::failed(
        "spec-unwritable",
        format!("The machine's settings can't be written: {error}."),
    )
}

fn write(
    collected: &Collected,
    place: &Place,
    cancel: &CancellationToken,
    progress: &dyn Fn(u64, u64),
) -> Result<(u64, String)> {
    let failed = |error: std::io::Error| Error::io("write the backup", place.path(), &error);
    let total: u64 = collected.head.files.iter().map(|file| file.stored).sum();
    // It may compress to almost nothing; but not without any room.
    place.need_space(SPACE_EVERY.min(total))?;
    let workshop = place.workshop()?;
    let path = workshop.path().join("backup");
    let file = private_file(&path).map_err(failed)?;
    let modified = u64::try_from(collected.head.created_at.unix_timestamp()).unwrap_or(0);
    let mut writer = Writer::new(file, modified).map_err(failed)?;
    let head = serde_json::to_vec_pretty(&collected.head)
        .map_err(|e| Error::failed("internal", format!("The backup can't be described: {e}.")))?;
    writer.text(HEAD, &head).map_err(failed)?;
    writer
        .text(MACHINE_FILE, collected.settings.as_bytes())
        .map_err(failed)?;
    let (mut done, mut next_look) = (0u64, SPACE_EVERY);
    let mut step = |bytes: u64| {
        done += bytes;
        progress(done, total);
        if cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        if done >= next_look {
            next_look = done + SPACE_EVERY;
            place.need_space(SPACE_EVERY.min(total.saturating_sub(done)))?;
        }
        Ok(())
    };
    for (told, open) in collected.head.files.iter().zip(&collected.files) {
        match open {
            Open::Text(text) => writer.text(&told.name, text).map_err(failed)?,
            Open::File(file, parts) => writer.file(&told.name, file, parts, &mut step)?,
        }
    }
    let written = writer.finish().map_err(failed)?;
    if cancel.is_cancelled() {
        return Err(Error::cancelled());
    }
    place.keep_file(&path)?;
    Ok(written)
}

fn private_file(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::failed("internal", format!("Work on a backup ended unexpectedly: {e}.")))?
}
