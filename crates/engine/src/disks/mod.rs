//! The disks of a machine: what there is, and everything that changes it.
//!
//! A disk is attached (the guest sees it), detached, or in the bin (detached, and freed after a week). All three stand in
//! `machine.toml`, so that no image is ever without an owner; the guest's own are `disks`, the others `detached`.

mod add;
mod bin;
mod compact;
mod moved;
mod options;
mod place;
mod plug;
mod resize;
mod transfer;
mod verify;
mod view;

use crate::Engine;
use crate::jobs::JobHandle;
use crate::machine::{Handle, shell_word};
use nestbox_model::{DiskSpec, Error, Result};
pub(crate) use place::{Place, set_aside};
pub(crate) use resize::RESIZE;
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;
pub(crate) use transfer::MOVE;

/// Journal: a disk is made or brought in.
pub(crate) const ADD: &str = "disk-add";

/// Characters of a label.
const LABEL_MAX_CHARS: usize = 120;

impl Engine {
    /// Runs `work` as the job that holds the machine until it ended.
    fn run_disk_job<F>(&self, handle: &Arc<Handle>, turn: OwnedMutexGuard<()>, job: JobHandle, work: F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        handle.write().job = Some(job.id());
        let handle = handle.clone();
        tokio::spawn(async move {
            let done = work.await;
            handle.write().job = None;
            // Whoever waits for the job finds the machine free.
            drop(turn);
            job.finish(&done);
        });
    }
}

/// How a disk is called in messages: its label, or its place.
pub(crate) fn disk_name(disk: &DiskSpec, number: usize) -> String {
    match &disk.label {
        Some(label) => format!("“{label}”"),
        None => format!("disk {number}"),
    }
}

/// The disks of the present may be others from now on: nothing that was saved of it needs them as they are.
///
/// # Errors
/// `machine-suspended`, `disposable-run` (conflict).
fn check_changeable(handle: &Handle) -> Result<()> {
    let spec = handle.spec();
    let name = shell_word(&spec.name);
    if spec.suspended.is_some() {
        return Err(Error::conflict(
            "machine-suspended",
            format!(
                "“{}” is suspended: its memory goes on with the same disks only.",
                spec.name
            ),
        )
        .with_hint(format!(
            "Start it and shut it down, or throw its memory away: nestbox discard-state {name}"
        )));
    }
    if spec.disposable.is_some() {
        return Err(Error::conflict(
            "disposable-run",
            format!(
                "“{}” is in a disposable run, and its disks stay as they are until it ends.",
                spec.name
            ),
        )
        .with_hint(format!(
            "Stop it, or keep what it wrote: nestbox keep-changes {name}"
        )));
    }
    Ok(())
}

/// # Errors
/// `machine-running` (conflict), saying what can't be done meanwhile.
fn check_off(handle: &Handle, what: &str) -> Result<()> {
    let state = handle.state();
    if !state.is_active() && handle.session().is_err() {
        return Ok(());
    }
    let name = handle.name();
    Err(Error::conflict(
        "machine-running",
        format!("“{name}” is {}: {what}", state.as_str()),
    )
    .with_hint(format!("Stop it first: nestbox stop {}", shell_word(&name))))
}

/// # Errors
/// `bad-value` (usage).
fn clean_label(label: &str) -> Result<Option<String>> {
    let label = label.trim();
    if label.chars().count() > LABEL_MAX_CHARS {
        return Err(Error::usage(
            "bad-value",
            format!("A disk's label takes at most {LABEL_MAX_CHARS} characters."),
        ));
    }
    if label.chars().any(char::is_control) {
        return Err(Error::usage("bad-value", "A disk's label is one line of text."));
    }
    Ok((!label.is_empty()).then(|| label.to_owned()))
}

/// What the backend is told of how a disk is connected.
pub(crate) fn connection(disk: &DiskSpec) -> nestbox_qemu::Connection {
    nestbox_qemu::Connection {
        bus: disk.bus,
        cache: disk.cache,
        discard: disk.discard,
        iothread: disk.iothread,
        slot: disk.slot,
    }
}
