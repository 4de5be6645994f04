//! Taking machines and disks elsewhere: conversion, export, backup.
//!
//! What is read must hold still. A machine that is off is read under its operation lock; of one that runs a snapshot is
//! read, whose images are frozen. Those are told to be in use ([`reading`]), so that no other operation on the machine
//! has to wait, and none removes or merges them.

mod archive;
mod backup;
mod convert;
mod export;
mod notes;
mod reading;
mod restore;
mod write;

pub(crate) use reading::Readings;

use crate::Engine;
use crate::jobs::JobHandle;
use nestbox_model::{Job, Result};

impl Engine {
    /// Does `work` as a job in the background; the job as it begins.
    fn run_carrying<F>(&self, job: &JobHandle, work: F) -> Job
    where
        F: Future<Output = Result<serde_json::Value>> + Send + 'static,
    {
        let shown = job.snapshot();
        let job = job.clone();
        tokio::spawn(async move {
            let done = work.await.map(|found| job.found(found));
            job.finish(&done);
        });
        shown
    }
}
