//! What a service that died in the middle of something leaves in a running machine.

use super::{
    QemuSession,
    disks::{self, UNDO_JOB},
    jobs::{self, Job},
    merge::ACTIVE_JOB,
    saving::settle_migration,
};
use crate::{RunState, qmp::Qmp};
use nestbox_model::Result;

impl QemuSession {
    /// Ends what nobody waits for any more: memory on its way into a file, merges. Whether the guest goes on is for
    /// the caller to say, who knows whether it ran; which images it writes can be asked of it.
    pub(crate) async fn tidy_up(&self) -> Result<()> {
        let qmp = self.qmp()?;
        if Self::state_of(&qmp).await? == RunState::Incoming {
            // It waits to be filled, or is being filled: nothing else can be under way.
            return Ok(());
        }
        settle_migration(&qmp).await?;
        end_jobs(&qmp, Inner::Leave).await?;
        disks::close_leftovers(&qmp).await
    }
}

/// What becomes of a merge further down that is still running.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Inner {
    /// It comes to its end by itself; it would only have to be done again.
    Leave,
    /// It is in the way.
    Cancel,
}

/// Ends jobs that nobody follows. One that would change what the guest writes is always cancelled.
pub(super) async fn end_jobs(qmp: &Qmp, inner: Inner) -> Result<()> {
    for (id, kind, state) in jobs::list(qmp).await? {
        if kind != "commit" {
            continue;
        }
        tracing::info!(job = id, status = state.status, "a merge that nobody waits for");
        let active = id.starts_with(ACTIVE_JOB) || id.starts_with(UNDO_JOB) || state.status == "ready";
        let job = Job { qmp, id };
        if state.status == "concluded" {
            job.dismiss().await;
        } else if active || inner == Inner::Cancel {
            job.cancel().await?;
        }
    }
    Ok(())
}
