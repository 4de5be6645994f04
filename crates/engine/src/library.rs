//! Opening, checking and rebuilding the library. The folders are the truth, SQLite is the index.

use crate::machine::Handle;
use crate::suspend::at_rest;
use crate::{Engine, files};
use nestbox_model::layout::{Layout, MachineFolder};
use nestbox_model::{
    Error, LibraryProblem, LibraryReport, MachineId, MachineSpec, MachineState, Result, SnapshotRecord,
};
use nestbox_qemu::Adoption;
use nestbox_store::{Library, MachineRow};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use time::OffsetDateTime;

pub(crate) fn make_folders(layout: &Layout) -> Result<()> {
    for folder in [
        layout.home().to_owned(),
        layout.machines(),
        layout.trash(),
        layout.cache(),
        layout.backups(),
        layout.home().join("logs"),
        layout.run().to_owned(),
    ] {
        files::make_private_folder(&folder)?;
    }
    Ok(())
}

/// Opens the index; when it is damaged, keeps the old file and makes it anew from the folders.
pub(crate) fn open_or_rebuild(layout: &Layout, notices: &mut Vec<String>) -> Result<Library> {
    let library = match Library::open(layout) {
        Ok(library) if library.was_created() || library.is_empty()? => library,
        Ok(library) => return Ok(library),
        Err(error) if matches!(error.code.as_str(), "library-corrupt" | "library-foreign") => {
            notices.push(format!(
                "The library's index was damaged. It was kept aside and made anew from the machines' folders. ({})",
                error.message
            ));
            Library::recreate(layout)?
        }
        Err(error) => return Err(error),
    };
    let found = Found::read(layout);
    if !found.machines.is_empty() {
        found.write_to(layout, &library)?;
        if notices.is_empty() {
            notices
                .push("The library's index was missing and was made anew from the machines' folders.".into());
        }
    }
    Ok(library)
}

/// What the folders say.
#[derive(Default)]
struct Found {
    machines: Vec<MachineRow>,
    snapshots: Vec<(MachineId, SnapshotRecord, u64)>,
    problems: Vec<LibraryProblem>,
}

impl Found {
    fn read(layout: &Layout) -> Self {
        let mut found = Self::default();
        for folder in machine_folders(&layout.machines()) {
            if let Some(spec) = found.spec(&folder) {
                found.snapshots_of(&folder, &spec.id);
                found.machines.push(MachineRow {
                    spec,
                    trashed_at: None,
                });
            }
        }
        for folder in machine_folders(&layout.trash()) {
            if let Some(spec) = found.spec(&folder) {
                let deleted_at = std::fs::metadata(folder.path())
                    .and_then(|meta| meta.modified())
                    .map_or_else(|_| OffsetDateTime::now_utc(), OffsetDateTime::from);
                found.snapshots_of(&folder, &spec.id);
                found.machines.push(MachineRow {
                    spec,
                    trashed_at: Some(deleted_at),
                });
            }
        }
        found
    }

    fn present(&self) -> impl Iterator<Item = &MachineSpec> {
        self.machines
            .iter()
            .filter(|row| row.trashed_at.is_none())
            .map(|row| &row.spec)
    }

    fn spec(&mut self, folder: &MachineFolder) -> Option<MachineSpec> {
        let path = folder.path().display().to_string();
        let problem = match files::read_spec(folder) {
            Ok(spec)
                if folder
                    .path()
                    .file_name()
                    .is_some_and(|name| name == spec.id.as_str()) =>
            {
                return Some(spec);
            }
            Ok(spec) => LibraryProblem {
                code: "folder-name".into(),
                message: format!(
                    "The folder of “{}” does not carry its id, so it is left alone.",
                    spec.name
                ),
                path: Some(path),
            },
            Err(error) => LibraryProblem {
                code: error.code,
                message: error.message,
                path: Some(path),
            },
        };
        self.problems.push(problem);
        None
    }

    fn snapshots_of(&mut self, folder: &MachineFolder, id: &MachineId) {
        let (records, errors) = files::read_records(folder);
        for record in records {
            let size = crate::snapshots::size_on_disk(folder, &record);
            self.snapshots.push((id.clone(), record, size));
        }
        self.problems
            .extend(errors.into_iter().map(|error| LibraryProblem {
                path: Some(folder.path().display().to_string()),
                code: error.code,
                message: error.message,
            }));
    }

    /// Makes the index anew. Two folders of one name (a copy made by hand): the younger gets a free name.
    fn write_to(&self, layout: &Layout, library: &Library) -> Result<()> {
        for renamed in library.rebuild(&self.machines, &self.snapshots)? {
            files::write_spec(&layout.machine(&renamed.id), &renamed)?;
        }
        Ok(())
    }
}

fn machine_folders(parent: &Path) -> Vec<MachineFolder> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut folders: Vec<_> = entries
        .flatten()
        .map(|entry| MachineFolder(entry.path()))
        .filter(|folder| folder.spec().exists())
        .collect();
    folders.sort_by(|a, b| a.0.cmp(&b.0));
    folders
}

impl Engine {
    /// Makes a handle for every machine of the library and adopts those that run.
    pub(crate) async fn load_machines(&self) -> Result<()> {
        let counts = self.library().snapshot_counts()?;
        for indexed in self.library().machines()? {
            let folder = self.folder(&indexed.id);
            // The folder is the truth: a spec changed by hand, or written just before a crash, wins.
            let (spec, broken) = match files::read_spec(&folder) {
                Ok(spec) => {
                    if spec != indexed {
                        self.reindex(&spec);
                    }
                    (spec, None)
                }
                Err(error) => (indexed, Some(error.message)),
            };
            let state = if broken.is_some() {
                MachineState::Broken
            } else {
                at_rest(&spec)
            };
            let handle = Arc::new(Handle::new(spec, state));
            {
                let mut cell = handle.write();
                cell.reason = broken;
                cell.snapshot_count = counts.get(&handle.id).copied().unwrap_or(0);
            }
            self.add_handle(handle.clone());
            self.reindex_snapshots(&handle);
            // A broken one too: its process may still run.
            self.adopt(&handle).await;
            files::remove_temporary(&folder);
        }
        Ok(())
    }

    /// What a service that died left between two states of a machine, once its operations are finished or rolled back.
    pub(crate) async fn settle_between_runs(&self) {
        for handle in &self.handles() {
            let spec = handle.spec();
            match (handle.session(), spec.suspended.is_some()) {
                // It was being woken: its memory is still good, since the guest never ran.
                (Ok(session), true) => {
                    self.end_quietly(handle, &session).await;
                    self.set_state(handle, at_rest(&spec), None);
                }
                (Err(_), false) => self.end_disposable_or_say(handle),
                (Ok(_), false) => {
                    if let Err(error) = self.drop_unplugged(handle).await {
                        tracing::warn!(%error, machine = %handle.id, "its disks were not compared with the guest's");
                    }
                }
                _ => {}
            }
        }
    }

    /// The folders' records win over the index here, too. A record that can't be read keeps its row.
    fn reindex_snapshots(&self, handle: &Handle) {
        let library = self.library();
        let folder = self.folder(&handle.id);
        let reindexed = (|| {
            let (records, unreadable) = files::read_records(&folder);
            let indexed = library.snapshots(&handle.id)?;
            for record in &records {
                if !indexed.iter().any(|(row, _)| row == record) {
                    let size = crate::snapshots::size_on_disk(&folder, record);
                    library.upsert_snapshot(&handle.id, record, size)?;
                }
            }
            if unreadable.is_empty() && folder.path().exists() {
                for (row, _) in indexed {
                    if !records.iter().any(|record| record.id == row.id) {
                        tracing::warn!(machine = %handle.id, snapshot = %row.id, "its folder is not there any more");
                        library.remove_snapshot(&handle.id, &row.id)?;
                    }
                }
            }
            let count = library.snapshot_counts()?.get(&handle.id).copied().unwrap_or(0);
            handle.write().snapshot_count = count;
            Ok::<(), Error>(())
        })();
        if let Err(error) = reindexed {
            tracing::warn!(%error, machine = %handle.id, "could not bring the index of its snapshots up to date");
        }
    }

    fn reindex(&self, spec: &MachineSpec) {
        if let Err(error) = self.library().upsert_machine(spec) {
            tracing::warn!(%error, machine = %spec.id, "could not bring the index up to date");
        }
    }

    async fn adopt(&self, handle: &Arc<Handle>) {
        let run = self.layout().machine_run(&handle.id);
        match self.0.backend.adopt(&run).await {
            Ok(Adoption::Running(session)) => {
                {
                    let mut cell = handle.write();
                    cell.accelerator = Some(session.accelerator());
                    cell.started_at = Some(session.started_at());
                }
                self.attach_session(handle, session).await;
                self.explain_accelerator(handle);
            }
            Ok(Adoption::Gone { reason }) => {
                let mut cell = handle.write();
                cell.reason =
                    Some(reason.unwrap_or_else(|| "It ended while Nestbox was not running.".into()));
            }
            Ok(Adoption::Nothing) => {}
            Err(error) => {
                tracing::warn!(%error, machine = %handle.id, "could not adopt a machine");
                handle.write().reason = Some(error.message);
            }
        }
    }

    /// Why an adopted machine runs as it does. The verdict may have to be proved anew, which no start waits for.
    fn explain_accelerator(&self, handle: &Arc<Handle>) {
        let (engine, handle) = (self.clone(), handle.clone());
        tokio::spawn(async move {
            let (arch, accelerator) = {
                let cell = handle.read();
                (cell.spec.arch, cell.accelerator)
            };
            let Some(accelerator) = accelerator else { return };
            let reason = match engine.0.probe.choose(arch, None).await {
                Ok(choice) if choice.accelerator == accelerator => choice.reason,
                _ => format!("It was started with {accelerator}."),
            };
            handle.write().accelerator_reason = Some(reason);
            engine.tell_machine(nestbox_model::EventKind::MachineChanged, &handle, None);
        });
    }

    /// Compares the index with the folders; with `rebuild`, makes the index anew from them. Nothing is deleted.
    pub async fn check_library(&self, rebuild: bool) -> Result<LibraryReport> {
        // A rebuild reads what operations write: it runs alone.
        let _alone = if rebuild {
            self.stop_operations()?
        } else {
            Vec::new()
        };
        let layout = self.layout().clone();
        let found = tokio::task::spawn_blocking(move || Found::read(&layout))
            .await
            .map_err(|e| Error::failed("internal", format!("The check ended unexpectedly: {e}.")))?;
        let mut problems = Vec::new();
        let library = self.library();
        let on_disk: HashMap<&MachineId, &MachineSpec> =
            found.present().map(|spec| (&spec.id, spec)).collect();
        let indexed = library.machines()?;
        for spec in &indexed {
            match on_disk.get(&spec.id) {
                None => problems.push(LibraryProblem {
                    code: "folder-missing".into(),
                    message: format!("“{}” is in the library but its folder is not there.", spec.name),
                    path: Some(self.folder(&spec.id).path().display().to_string()),
                }),
                Some(truth) if **truth != *spec => problems.push(LibraryProblem {
                    code: "index-differs".into(),
                    message: format!("The index and machine.toml of “{}” differ.", spec.name),
                    path: Some(self.folder(&spec.id).spec().display().to_string()),
                }),
                Some(_) => {}
            }
        }
        for spec in found.present() {
            if !indexed.iter().any(|other| other.id == spec.id) {
                problems.push(LibraryProblem {
                    code: "not-indexed".into(),
                    message: format!("The folder of “{}” is not in the library.", spec.name),
                    path: Some(self.folder(&spec.id).path().display().to_string()),
                });
            }
            problems.extend(self.check_images(spec));
            problems.extend(self.check_records(spec));
        }
        let rebuilt = if rebuild {
            found.write_to(self.layout(), &library)?;
            self.meet_indexed().await?;
            problems.retain(|p| !matches!(p.code.as_str(), "index-differs" | "not-indexed"));
            Some(u32::try_from(found.present().count()).unwrap_or(u32::MAX))
        } else {
            None
        };
        problems.extend(found.problems);
        problems.extend(
            self.0
                .notices
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .map(|notice| LibraryProblem {
                    code: "notice".into(),
                    message: notice.clone(),
                    path: None,
                }),
        );
        let ok = problems.iter().all(|p| p.code == "notice");
        Ok(LibraryReport {
            ok,
            problems,
            rebuilt,
        })
    }

    /// Every machine's operation lock.
    ///
    /// # Errors
    /// `operations-running` (conflict) when an operation or a job works on a machine.
    fn stop_operations(&self) -> Result<Vec<tokio::sync::OwnedMutexGuard<()>>> {
        let busy = |handle: &Handle| {
            Error::conflict(
                "operations-running",
                format!("Another operation is working on “{}”.", handle.name()),
            )
            .with_hint("Wait for it to end, then try again.")
        };
        self.handles()
            .iter()
            .map(|handle| match handle.try_lock_owned() {
                Some(guard) if handle.state() != MachineState::Creating => Ok(guard),
                _ => Err(busy(handle)),
            })
            .collect()
    }

    /// Takes machines into memory that a rebuild found.
    async fn meet_indexed(&self) -> Result<()> {
        let counts = self.library().snapshot_counts()?;
        for spec in &self.library().machines()? {
            let handle = match self.handle_by_id(&spec.id) {
                Some(handle) => {
                    handle.write().spec = spec.clone();
                    handle
                }
                None => {
                    let handle = Arc::new(Handle::new(spec.clone(), at_rest(spec)));
                    self.add_handle(handle.clone());
                    self.adopt(&handle).await;
                    handle
                }
            };
            handle.write().snapshot_count = counts.get(&spec.id).copied().unwrap_or(0);
            self.tell_machine(nestbox_model::EventKind::MachineChanged, &handle, None);
        }
        self.refresh_clones()
    }
}
