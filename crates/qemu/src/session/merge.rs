//! Merging one image of a running chain into the one below it.
//!
//! ```text
//! in between:  commit ─▶ concluded; whoever stood on `top` stands on `base`
//! active:      commit ─▶ ready ─▶ guest stands still ─▶ complete ─▶ pending ─▶ settle ─▶ finalize ─▶ goes on
//!                                                        both show the same, nothing is in flight
//! ```
//! Until `finalize` an active merge can be taken back: what was written to `base` is hidden by `top`.

use super::{
    QemuSession, Quiet,
    disks::{self, Link},
    jobs::{Job, JobState, Patience, changed},
    saving::leave_postmigrate,
    tidy,
};
use crate::{
    MergeRequest, Merged, RunState,
    qmp::{Qmp, REFUSED, tame},
    trouble,
};
use nestbox_model::{Error, Result};
use qapi::qmp as commands;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How often a merge is asked how far it is.
const EVERY: Duration = Duration::from_millis(100);
/// The guest is made to stand still when no more than this is left, in bytes, …
const LITTLE: u64 = 4 << 20;
/// … or when it keeps writing for so long that it never gets so little.
const CATCHING_UP_MOST: Duration = Duration::from_secs(20);

/// First part of the names of jobs whose end changes what the guest writes.
pub(super) const ACTIVE_JOB: &str = "merge-active";
/// Likewise, where it does not.
pub(super) const INNER_JOB: &str = "merge-inner";

impl QemuSession {
    /// Holds merges off.
    ///
    /// # Errors
    /// `snapshot-refused` while there is one.
    pub(super) fn no_merge(&self) -> Result<tokio::sync::MutexGuard<'_, ()>> {
        self.merging.try_lock().map_err(|_| {
            Error::conflict(
                "snapshot-refused",
                "The machine can't be frozen while its disk images are merged.",
            )
            .with_hint("Wait until that is done, or cancel it.")
        })
    }

    pub(super) async fn merge_images(&self, request: &MergeRequest) -> Result<Merged> {
        let _only = self
            .merging
            .try_lock()
            .map_err(|_| refused("a merge or a snapshot of this machine is under way"))?;
        let qmp = self.qmp()?;
        tidy::end_jobs(&qmp, tidy::Inner::Cancel).await?;
        let link = self.find_link(&qmp, request).await?;
        if request.cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        let job = self.begin_merge(&qmp, &link, request).await?;
        let merged = if link.active {
            self.merge_active(&job, request).await
        } else {
            follow(&job, request, |_| false).await.map(|_| Merged::default())
        };
        job.dismiss().await;
        if merged.is_ok() {
            disks::close_if_unused(&qmp, &link.top).await;
        }
        merged
    }

    async fn begin_merge<'a>(&self, qmp: &'a Qmp, link: &Link, request: &MergeRequest) -> Result<Job<'a>> {
        let _alone = self.operation.lock().await;
        match Self::state_of(qmp).await? {
            RunState::Running | RunState::IoError => {}
            RunState::Paused => leave_postmigrate(qmp).await?,
            state => {
                return Err(
                    refused("it is in a state without disks").with_detail("state", format!("{state:?}"))
                );
            }
        }
        let id = self.fresh_name(if link.active { ACTIVE_JOB } else { INNER_JOB });
        let mut arguments = json!({
            "job-id": id, "device": link.root, "top-node": link.top, "base-node": link.base,
            "auto-finalize": !link.active, "auto-dismiss": false,
        });
        if !link.active {
            // Chains are read from the headers; names in them are relative to the folder.
            let name = request.base.file_name().and_then(|name| name.to_str());
            arguments["backing-file"] = json!(name.ok_or_else(|| refused("an image's name is not text"))?);
        }
        qmp.raw("block-commit", arguments).await.map_err(explain)?;
        Ok(Job { qmp, id })
    }

    async fn merge_active(&self, job: &Job<'_>, request: &MergeRequest) -> Result<Merged> {
        let mut since = None;
        follow(job, request, |state| {
            let waited = since.get_or_insert_with(Instant::now).elapsed();
            state.total.saturating_sub(state.done) <= LITTLE || waited > CATCHING_UP_MOST
        })
        .await?;
        let _alone = self.operation.lock().await;
        let _quiet = Quiet::begin(&self.link.quiet);
        let qmp = job.qmp;
        let running = Self::state_of(qmp).await.map(|state| state == RunState::Running);
        let was_running = match running {
            Ok(running) => running,
            Err(error) => return Err(take_back(job, error).await),
        };
        let paused_at = Instant::now();
        let gone_over = async {
            if was_running && let Err(error) = qmp.execute(commands::stop {}).await {
                return Err(take_back(job, error).await);
            }
            go_over(job, request).await
        };
        let gone_over = gone_over.await;
        if was_running {
            let went_on = qmp.execute(commands::cont {}).await;
            gone_over?;
            went_on?;
        } else {
            gone_over?;
        }
        let paused = if was_running {
            paused_at.elapsed()
        } else {
            Duration::ZERO
        };
        Ok(Merged {
            paused_seconds: paused.as_secs_f64(),
        })
    }
}

/// The guest stands still and goes over from `top` to `base`.
async fn go_over(job: &Job<'_>, request: &MergeRequest) -> Result<()> {
    let drained = async {
        job.order("job-complete").await.map_err(explain)?;
        let state = job.until(&["pending"]).await?;
        if state.status != "pending" {
            return Err(failed(state.error.as_deref().unwrap_or("it ended too early")));
        }
        if request.cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        settle(request).await
    };
    if let Err(error) = drained.await {
        return Err(take_back(job, error).await);
    }
    let finalised = async {
        job.order("job-finalize").await?;
        match job.until(&[]).await?.error {
            None => Ok(()),
            Some(why) => Err(failed(&why)),
        }
    };
    finalised.await.map_err(|error: Error| {
        tracing::error!(%error, "a guest could not go over to the image below");
        Error::failed(
            "merge-stuck",
            "Two disk images were merged, but the machine could not go over to the result.",
        )
        .with_hint(
            "It goes on, on the image it had; nothing is lost. Stop the machine before the next snapshot.",
        )
        .with_detail(
            "technical",
            error.details.get("technical").cloned().unwrap_or_default(),
        )
        .with_detail("cause", error.message)
    })
}

async fn settle(request: &MergeRequest) -> Result<()> {
    let Some(settle) = request.settle.clone() else {
        return Ok(());
    };
    let base = request.base.clone();
    let settled = tokio::task::spawn_blocking(move || {
        // QEMU has flushed it to the file system; what `settle` notes must not reach the disk before it.
        std::fs::File::open(&base)
            .and_then(|file| file.sync_all())
            .map_err(|error| Error::io("write the merged disk image", &base, &error))?;
        settle()
    });
    settled
        .await
        .map_err(|error| Error::failed("internal", format!("Noting a merge broke off: {error}.")))?
}

/// Waits until the job concludes, or is ready and `enough` says so. Cancels it when asked to, and when it stalls.
async fn follow(
    job: &Job<'_>,
    request: &MergeRequest,
    mut enough: impl FnMut(&JobState) -> bool,
) -> Result<JobState> {
    let mut events = job.qmp.subscribe();
    let mut patience = Patience::new();
    let mut told = (u64::MAX, u64::MAX);
    loop {
        let state = job.state().await?;
        if told != (state.done, state.total)
            && let Some(progress) = &request.progress
        {
            told = (state.done, state.total);
            progress(state.done, state.total);
        }
        match state.status.as_str() {
            "concluded" => {
                return match &state.error {
                    None => Ok(state),
                    Some(why) => Err(failed(why)),
                };
            }
            "ready" if enough(&state) => return Ok(state),
            // A job that is ready may rest for as long as the guest writes nothing.
            "ready" => {}
            _ => {
                if let Err(error) = patience.check(&state) {
                    return Err(take_back(job, error).await);
                }
            }
        }
        tokio::select! {
            () = request.cancel.cancelled() => {
                let end = job.cancel().await?;
                return if end.error.is_some() { Err(Error::cancelled()) } else { Ok(end) };
            }
            () = changed(&mut events) => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Cancels the job; returns what to tell.
async fn take_back(job: &Job<'_>, error: Error) -> Error {
    if let Err(second) = job.cancel().await {
        tracing::error!(%error, %second, "a merge could not be cancelled");
    }
    error
}

fn refused(why: &str) -> Error {
    Error::conflict(
        "merge-refused",
        format!("The disk images can't be merged: {why}."),
    )
    .with_hint("Try again later, or when the machine is off.")
}

fn failed(why: &str) -> Error {
    if trouble::is_no_space(why) {
        return Error::unfit(
            "no-space",
            "The disk images could not be merged: the disk is full.",
        )
        .with_hint("Free some space, then try again.")
        .with_detail("technical", tame(why));
    }
    Error::failed("merge-failed", "The disk images could not be merged.")
        .with_hint("Nothing was changed.")
        .with_detail("technical", tame(why))
}

/// A refusal of QEMU's as a failed merge.
fn explain(error: Error) -> Error {
    if error.code != REFUSED {
        return error;
    }
    failed(
        error
            .details
            .get("technical")
            .and_then(Value::as_str)
            .unwrap_or_default(),
    )
}
