//! Files on the disks of machines that are off, and of snapshots: listing them, copying them out.
//!
//! The reading is done by a confined process (`nestbox-browse`); here it is chosen what it reads, and seen to it that this
//! stays as it is meanwhile: the present by the machine's operation lock, a snapshot by being counted as in use.

use crate::Engine;
use crate::jobs::JobHandle;
use crate::machine::{Handle, MachineRef, shell_word};
use nestbox_browse::{CopyOut, Helper, ListRequest};
use nestbox_model::{
    CopiedOut, CopyOutRequest, DiskSpec, ENTRIES_MAX, Error, ImageFormat, Job, JobKind, Listing,
    MachineState, Result, StepState,
};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;

/// Most paths of one copy.
const PATHS_MAX: usize = 10_000;

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct FilesQuery {
    /// `[VOLUME:]/PATH`; none: the volumes, and the root where only one can be meant.
    pub path: Option<String>,
    /// A snapshot; none: the present.
    pub snapshot: Option<String>,
    /// Most entries, at most [`ENTRIES_MAX`].
    pub limit: Option<u32>,
    /// Only entries behind this name.
    pub after: Option<String>,
}

/// A disk at one moment.
struct Source {
    image: PathBuf,
    linked: Option<String>,
    /// It is what the machine would start with.
    is_present: bool,
    notes: Vec<String>,
}

/// Keeps what is read as it is.
enum Stay<'a> {
    Locked { _turn: MutexGuard<'a, ()> },
    Counted(&'a AtomicUsize),
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        if let Self::Counted(readers) = self {
            readers.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Engine {
    /// Says which program reads disks: `nestbox`, which becomes the confined process when it is asked to. To be called once
    /// by whoever starts the service.
    pub fn set_disk_reader(&self, program: PathBuf) {
        let _ = self.0.disk_reader.set(Helper::nestbox(program));
    }

    fn disk_reader(&self) -> Result<&Helper> {
        self.0.disk_reader.get().ok_or_else(|| {
            Error::unfit(
                "disk-reader-missing",
                "The program that looks into disks is not installed.",
            )
            .with_hint("Reinstall Nestbox.")
        })
    }

    /// Lists a folder of a disk, of the present or of a snapshot.
    ///
    /// # Errors
    /// `disk-not-found`, `snapshot-not-found`, `path-not-found`, `volume-not-found` (not found); `machine-running`
    /// (conflict) for the present of a machine that runs; `volume-unclear`, `not-a-folder` (usage);
    /// `volume-not-browsable` (unfit); `filesystem-damaged` (unsafe).
    pub async fn list_files(&self, wanted: MachineRef<'_>, disk: &str, query: FilesQuery) -> Result<Listing> {
        let handle = self.find(wanted)?;
        let source = self.disk_source(&handle, disk, query.snapshot.as_deref())?;
        let reader = self.disk_reader()?.clone();
        // Who hangs up ends the reading.
        let cancel = CancellationToken::new();
        let _guard = cancel.clone().drop_guard();
        let _stay = self.stay(&handle, &source).await?;
        let images = self.open_images(&source)?;
        let request = ListRequest {
            path: query.path,
            limit: query.limit.unwrap_or(ENTRIES_MAX).clamp(1, ENTRIES_MAX),
            after: query.after,
        };
        let mut listing = blocking(move || nestbox_browse::list(&reader, &images, request, &cancel)).await?;
        listing.notes.splice(0..0, source.notes.iter().cloned());
        Ok(listing)
    }

    /// Copies files out of a disk, as a job.
    ///
    /// # Errors
    /// As [`Self::list_files`]; `path-inside-library`, `bad-value` (usage). The job's own: `file-exists` (conflict),
    /// `no-space`, `permission-denied`, `file-not-found`, `cancelled`.
    pub async fn copy_out(&self, wanted: MachineRef<'_>, disk: &str, request: CopyOutRequest) -> Result<Job> {
        let handle = self.find(wanted)?;
        let reader = self.disk_reader()?.clone();
        if request.paths.is_empty() || request.paths.len() > PATHS_MAX {
            return Err(Error::usage(
                "bad-value",
                format!("Between 1 and {PATHS_MAX} paths can be copied at once."),
            ));
        }
        let to = PathBuf::from(&request.to);
        self.check_destination(&to)?;
        // Early, so that the commonest errors are the request's.
        self.disk_source(&handle, disk, request.snapshot.as_deref())?;
        let title = format!("Copy files out of “{}”", handle.name());
        let job = self.new_job(
            JobKind::CopyOut,
            title,
            Some(handle.id.clone()),
            &[("copy", "Copy the files")],
        )?;
        let shown = job.snapshot();
        let (engine, disk) = (self.clone(), disk.to_owned());
        tokio::spawn(async move {
            job.step("copy", StepState::Running, None);
            let copied = engine.copy_out_now(&handle, &disk, request, reader, &job).await;
            let done = copied.and_then(|copied| {
                job.step("copy", StepState::Done, None);
                let value = serde_json::to_value(copied).map_err(|error| {
                    Error::failed("internal", format!("The result can't be told: {error}."))
                })?;
                job.found(value);
                Ok(())
            });
            job.finish(&done);
        });
        Ok(shown)
    }

    async fn copy_out_now(
        &self,
        handle: &Arc<Handle>,
        disk: &str,
        request: CopyOutRequest,
        reader: Helper,
        job: &JobHandle,
    ) -> Result<CopiedOut> {
        let source = self.disk_source(handle, disk, request.snapshot.as_deref())?;
        let _stay = self.stay(handle, &source).await?;
        let images = self.open_images(&source)?;
        let request = CopyOut {
            paths: request.paths,
            to: request.to.into(),
            overwrite: request.overwrite,
        };
        if source.is_present {
            handle.write().job = Some(job.id());
        }
        let (cancel, reporter) = (job.cancel_token(), job.clone());
        let copied = blocking(move || {
            let progress = |bytes: u64| reporter.bytes(bytes, None);
            nestbox_browse::copy_out(&reader, &images, &request, &cancel, &progress)
        })
        .await;
        if source.is_present {
            handle.write().job = None;
        }
        copied
    }

    /// Nothing of the library is overwritten.
    fn check_destination(&self, to: &Path) -> Result<()> {
        let there = to.ancestors().find_map(|path| path.canonicalize().ok());
        let home = self.layout().home();
        let home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
        if there.is_some_and(|there| there.starts_with(&home)) {
            return Err(Error::usage(
                "path-inside-library",
                "The destination is inside of Nestbox's own folder.",
            )
            .with_hint("Choose a folder of yours.")
            .with_detail("path", to.display().to_string()));
        }
        Ok(())
    }

    /// The image that shows the disk, and what is to be said of it.
    fn disk_source(&self, handle: &Handle, wanted: &str, snapshot: Option<&str>) -> Result<Source> {
        let folder = self.folder(&handle.id);
        if let Some(snapshot) = snapshot {
            let (record, _) = self.find_snapshot(handle, snapshot)?;
            let disk = find_disk(&record.spec.disks, wanted).ok_or_else(|| no_such_disk(handle, wanted))?;
            let frozen = record.disks.iter().find(|frozen| frozen.id == disk.id);
            let frozen = frozen.ok_or_else(|| no_such_disk(handle, wanted))?;
            return Ok(Source {
                image: folder.disk_image(&frozen.image),
                linked: disk.linked.clone(),
                is_present: false,
                notes: Vec::new(),
            });
        }
        let spec = handle.spec();
        let detached: Vec<DiskSpec> = spec
            .detached
            .iter()
            .map(|detached| detached.disk.clone())
            .collect();
        let attached = find_disk(&spec.disks, wanted);
        let disk = attached
            .or_else(|| find_detached(&detached, wanted))
            .ok_or_else(|| no_such_disk(handle, wanted))?;
        let state = handle.state();
        if attached.is_some() && (state.is_active() || handle.session().is_ok()) {
            return Err(running(&spec.name, wanted));
        }
        let mut notes = Vec::new();
        if attached.is_some() && state == MachineState::Suspended {
            notes.push(
                "The machine is suspended: what its system keeps in memory is not on the disk yet.".into(),
            );
        }
        Ok(Source {
            image: folder.disk_image(&disk.image),
            linked: disk.linked.clone(),
            is_present: true,
            notes,
        })
    }

    async fn stay<'a>(&self, handle: &'a Handle, source: &Source) -> Result<Stay<'a>> {
        if !source.is_present {
            handle.readers.fetch_add(1, Ordering::AcqRel);
            return Ok(Stay::Counted(&handle.readers));
        }
        let turn = handle.lock_ready().await?;
        // It may have been started while this waited.
        if handle.session().is_ok()
            && handle
                .spec()
                .disks
                .iter()
                .any(|disk| source.image.ends_with(&disk.image))
        {
            return Err(running(&handle.name(), "1"));
        }
        Ok(Stay::Locked { _turn: turn })
    }

    /// The chain of images, judged and opened for reading.
    fn open_images(&self, source: &Source) -> Result<Vec<(File, ImageFormat)>> {
        self.chain(&source.image, source.linked.as_deref())?
            .into_iter()
            .map(|link| {
                let file =
                    File::open(&link.path).map_err(|e| Error::io("open a machine's disk", &link.path, &e))?;
                Ok((file, link.format))
            })
            .collect()
    }
}

/// By number from 1, id or unambiguous beginning of an id.
fn find_disk<'a>(disks: &'a [DiskSpec], wanted: &str) -> Option<&'a DiskSpec> {
    if let Ok(number) = wanted.parse::<usize>()
        && let Some(disk) = number.checked_sub(1).and_then(|index| disks.get(index))
    {
        return Some(disk);
    }
    find_detached(disks, wanted)
}

/// Disks that the guest does not see have no number.
fn find_detached<'a>(disks: &'a [DiskSpec], wanted: &str) -> Option<&'a DiskSpec> {
    if let Some(disk) = disks.iter().find(|disk| disk.id.as_str() == wanted) {
        return Some(disk);
    }
    let mut matching = disks
        .iter()
        .filter(|disk| wanted.len() >= 4 && disk.id.as_str().starts_with(wanted));
    match (matching.next(), matching.next()) {
        (Some(disk), None) => Some(disk),
        _ => None,
    }
}

fn no_such_disk(handle: &Handle, wanted: &str) -> Error {
    Error::not_found(
        "disk-not-found",
        format!("“{}” has no disk “{wanted}”.", handle.name()),
    )
    .with_hint(format!(
        "See all with: nestbox disk list {}",
        shell_word(&handle.name())
    ))
}

fn running(name: &str, disk: &str) -> Error {
    let word = shell_word(name);
    Error::conflict(
        "machine-running",
        format!("“{name}” is running, and its disk changes while it is looked at."),
    )
    .with_hint(format!(
        "Take a snapshot and look at that: nestbox snapshot take {word} look --no-memory, then nestbox disk browse {word} {} --snapshot look",
        shell_word(disk)
    ))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Error::failed(
            "internal",
            format!("Looking into the disk ended unexpectedly: {error}."),
        ))
    })
}
