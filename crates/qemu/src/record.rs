//! `session.json`: what a later service needs to take a running machine up again.

use crate::{
    MachinePlan, MemorySupport,
    process::{self, ProcessId},
};
use nestbox_model::{Accelerator, DiskId, Error, MachineId, NicId, Result, layout::RunFolder};
use serde::{Deserialize, Serialize};
use std::{
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};
use time::OffsetDateTime;

/// Version of the file.
const VERSION: u32 = 1;

/// The file's content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SessionRecord {
    pub version: u32,
    pub machine: MachineId,
    pub process: ProcessId,
    pub accelerator: Accelerator,
    pub qemu_version: String,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    pub memory: MemorySupport,
    /// Bytes of guest memory.
    pub ram: u64,
    pub disks: Vec<DiskId>,
    pub nics: Vec<NicId>,
    pub serial_log: PathBuf,
    pub backend_log: PathBuf,
    /// Where in the backend's log this start begins.
    pub log_start: u64,
}

impl SessionRecord {
    pub fn new(plan: &MachinePlan, process: ProcessId, qemu: &crate::Capabilities, log_start: u64) -> Self {
        Self {
            version: VERSION,
            machine: plan.id.clone(),
            process,
            accelerator: plan.accelerator,
            qemu_version: qemu.version_text(),
            started_at: OffsetDateTime::now_utc(),
            memory: qemu.memory,
            ram: plan.memory,
            disks: plan.disks.iter().map(|disk| disk.id.clone()).collect(),
            nics: plan.nics.iter().map(|nic| nic.id.clone()).collect(),
            serial_log: plan.serial_log.clone(),
            backend_log: plan.backend_log.clone(),
            log_start,
        }
    }

    /// Reads `run`'s record; `None` when there is none or it makes no sense.
    pub fn read(run: &RunFolder) -> Option<Self> {
        let text = std::fs::read(run.session())
            .ok()
            .filter(|text| text.len() < 1 << 20)?;
        let record: Self = serde_json::from_slice(&text).ok()?;
        (record.version == VERSION).then_some(record)
    }

    /// Writes it in one step.
    pub fn write(&self, run: &RunFolder) -> Result<()> {
        let target = run.session();
        let io = |error: &std::io::Error| Error::io("note the machine's process", &target, error);
        let text = serde_json::to_vec_pretty(self).map_err(|error| {
            Error::failed(
                "internal",
                format!("The session record can't be written: {error}."),
            )
        })?;
        let part = target.with_extension("part");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)
            .map_err(|error| io(&error))?;
        file.write_all(&text).map_err(|error| io(&error))?;
        std::fs::rename(&part, &target).map_err(|error| io(&error))
    }

    /// What QEMU wrote since this start, at most 64 KiB from the end.
    pub fn said(&self) -> String {
        said_since(&self.backend_log, self.log_start)
    }
}

/// Where a process that is to be QEMU writes its pid before it is.
pub(crate) fn pid_note(run: &RunFolder) -> PathBuf {
    run.path().join("qemu.pid")
}

/// A process that was started and never recorded, because the service died in between. Nobody waits for it.
pub(crate) fn unrecorded(run: &RunFolder) -> Option<ProcessId> {
    if SessionRecord::read(run).is_some() {
        return None;
    }
    let pid = std::fs::read_to_string(pid_note(run)).ok()?.parse().ok()?;
    let process = ProcessId::of(pid)?;
    // The pid may be another's by now.
    process::command_line_names(pid, run.path()).then_some(process)
}

/// The end of `log` after `start`.
pub(crate) fn said_since(log: &Path, start: u64) -> String {
    use std::os::unix::fs::FileExt;
    const MOST: u64 = 64 << 10;
    let Ok(file) = std::fs::File::open(log) else {
        return String::new();
    };
    let length = file.metadata().map(|meta| meta.len()).unwrap_or(0);
    // A log that was cut meanwhile is shorter than where we began: take its end.
    let start = if start > length { 0 } else { start };
    let from = start.max(length.saturating_sub(MOST));
    let mut bytes = vec![0; usize::try_from(length - from).unwrap_or(0)];
    match file.read_exact_at(&mut bytes, from) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

/// Clearing and making run folders must not cross: a machine may be started again the moment it ended.
static FOLDERS: Mutex<()> = Mutex::new(());

/// An empty private folder.
pub(crate) fn make_fresh(run: &RunFolder) -> Result<()> {
    let _alone = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let path = run.path();
    let io = |error: &std::io::Error| Error::io("make the machine's run folder", path, error);
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(&error)),
        _ => {}
    }
    if let Some(parent) = path.parent() {
        let mut make = std::fs::DirBuilder::new();
        make.recursive(true)
            .mode(0o700)
            .create(parent)
            .map_err(|error| io(&error))?;
    }
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(path)
        .map_err(|error| io(&error))
}

/// Removes the run folder if it still belongs to `process`.
pub(crate) fn clear(run: &RunFolder, process: &ProcessId) {
    let _alone = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    if SessionRecord::read(run).is_some_and(|record| record.process == *process)
        && let Err(error) = std::fs::remove_dir_all(run.path())
    {
        tracing::warn!(path = %run.path().display(), %error, "a run folder could not be removed");
    }
}
