//! Taking machines and disks elsewhere: conversion, export, backup.
//!
//! What is read must hold still. A machine that is off is read under its operation lock; of one that runs a snapshot is
//! read, whose images are frozen. Those are told to be in use ([`reading`]), so that no other operation on the machine
//! has to wait, and none removes or merges them.

mod archive;
mod backup;
mod believe;
mod convert;
mod export;
mod notes;
mod reading;
mod restore;
mod write;

pub(crate) use reading::Readings;

use crate::Engine;
use crate::jobs::JobHandle;
use crate::recover::field;
use nestbox_disk::export::{Place, sweep};
use nestbox_model::{Job, MachineId, Result, SnapshotKind};
use nestbox_store::JournalEntry;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Journalled while files are written outside of the library.
pub(crate) const WRITE: &str = "write";

impl Engine {
    /// Does `work`, which writes to `places`, as a job in the background; the job as it begins. Should the service die,
    /// the next one removes what it left there.
    fn run_carrying<'p, F>(
        &self,
        job: &JobHandle,
        places: impl IntoIterator<Item = &'p Place>,
        work: F,
    ) -> Result<Job>
    where
        F: Future<Output = Result<serde_json::Value>> + Send + 'static,
    {
        let shown = job.snapshot();
        let targets: Vec<&Path> = places.into_iter().map(Place::path).collect();
        let details = json!({ "targets": targets, "machine": shown.machine });
        let library = self.library();
        let journal = match library.begin(WRITE, None, &details) {
            Ok(journal) => journal,
            Err(error) => {
                job.finish(&Err(error.clone()));
                return Err(error);
            }
        };
        let job = job.clone();
        tokio::spawn(async move {
            let done = work.await.map(|found| job.found(found));
            if let Err(error) = library.finish(journal) {
                tracing::warn!(%error, "an export's entry stays open");
            }
            job.finish(&done);
        });
        Ok(shown)
    }

    /// After a crash: nothing half-written stays among the user's files, and no snapshot that only an export needed.
    pub(crate) fn recover_writing(&self, entry: &JournalEntry) -> Result<()> {
        for target in field::<Vec<PathBuf>>(entry, "targets") {
            sweep(&target, self.layout().home())?;
        }
        let machine: Option<MachineId> = field(entry, "machine");
        let Some(handle) = machine.and_then(|id| self.handle_by_id(&id)) else {
            return Ok(());
        };
        let all = self.library().snapshots(&handle.id)?;
        let doomed: Vec<_> = all
            .into_iter()
            .map(|(record, _)| record)
            .filter(|record| record.kind == SnapshotKind::ForClone && record.name == export::SNAPSHOT_NAME)
            .map(|record| record.id)
            .collect();
        if doomed.is_empty() {
            return Ok(());
        }
        self.finish_delete(&handle, &doomed)
    }
}
