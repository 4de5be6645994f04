//! Freezing disks, UEFI variables and memory at one instant.
//!
//! ```text
//! overlays opened ─▶ memory streams ─▶ stands still ─▶ (the others, too) ─▶ transaction ─▶ memory's rest ─▶ goes on
//!                    guest runs         RAM and disks are cut here
//! ```
//! Whatever fails, the guest goes on with the images it had: overlays not yet in use are closed, overlays in use are
//! merged back.

use super::{
    QemuSession, Quiet, disks,
    disks::Overlay,
    saving::{Saving, explain, leave_postmigrate, settle_migration},
    tidy,
};
use crate::{FreezeRequest, Frozen, Rendezvous, RunState, rendezvous::Participant};
use nestbox_model::{Error, Result};
use qapi::qmp as commands;
use std::{path::Path, time::Duration};
use tokio::time::Instant;

/// How far a freeze got, for undoing it.
struct Freezing<'a> {
    saving: Saving<'a>,
    overlays: &'a [Overlay],
    together: Option<Participant>,
    cut: bool,
}

impl Freezing<'_> {
    /// Once the guest stands still: cuts the disks, together with those of other machines where there are any.
    async fn cut(&mut self) -> Result<()> {
        if let Some(others) = &mut self.together {
            others.arrive().await?;
        }
        disks::cut(self.saving.qmp, self.overlays)
            .await
            .map_err(|error| explain(error, "the disks could not be switched"))?;
        self.cut = true;
        if let Some(others) = &self.together {
            others.cut();
        }
        Ok(())
    }

    /// Before the guest goes on: nobody's guest does before all were cut.
    async fn all_cut(&mut self) -> Result<()> {
        match &mut self.together {
            Some(others) => others.all_cut().await,
            None => Ok(()),
        }
    }
}

impl QemuSession {
    pub(super) async fn freeze_all(&self, request: &FreezeRequest) -> Result<Frozen> {
        // First of all, so that the others learn of every failure.
        let together = request.together.as_ref().map(Rendezvous::join);
        let _no_merge = self.no_merge()?;
        let _alone = self.operation.lock().await;
        let qmp = self.qmp()?;
        tidy::end_jobs(&qmp, tidy::Inner::Cancel).await?;
        let was_running = self.runs_or_stands(&qmp).await?;
        let _quiet = Quiet::begin(&self.link.quiet);
        let overlays = self
            .open_overlays(&qmp, request)
            .await
            .map_err(|error| explain(error, "the new disk images could not be opened"))?;
        let mut freezing = Freezing {
            saving: Saving::new(&qmp, was_running),
            overlays: &overlays,
            together,
            cut: false,
        };
        let frozen = match &request.memory {
            None => self.freeze_disks(&mut freezing).await,
            Some(target) => self.freeze_memory(&mut freezing, target).await,
        };
        let frozen = match frozen {
            Ok(paused) => Ok(Frozen {
                paused_seconds: paused.as_secs_f64(),
            }),
            Err(error) => {
                drop(freezing.together.take());
                Err(self.undo(&freezing, error).await)
            }
        };
        self.end_saving(&mut freezing.saving).await;
        frozen
    }

    async fn freeze_disks(&self, freezing: &mut Freezing<'_>) -> Result<Duration> {
        let qmp = freezing.saving.qmp;
        let must_stop = freezing.together.is_some() && freezing.saving.was_running;
        if let Some(others) = &mut freezing.together {
            others.all_ready().await?;
        }
        if must_stop {
            qmp.execute(commands::stop {}).await?;
        }
        // Alone, the guest stands still only inside the transaction; the round trip is the most it can have been.
        freezing.saving.paused_at = Some(Instant::now());
        freezing.cut().await?;
        freezing.all_cut().await?;
        if must_stop {
            qmp.execute(commands::cont {}).await?;
        }
        Ok(freezing.saving.paused())
    }

    async fn freeze_memory(&self, freezing: &mut Freezing<'_>, target: &Path) -> Result<Duration> {
        let part = self.begin_saving(&mut freezing.saving, target).await?;
        self.wait_for(&mut freezing.saving, "pre-switchover").await?;
        freezing.cut().await?;
        self.save_rest(&mut freezing.saving).await?;
        freezing.all_cut().await?;
        let saving = &freezing.saving;
        if saving.was_running {
            saving.qmp.execute(commands::cont {}).await?;
        } else {
            leave_postmigrate(saving.qmp).await?;
        }
        let paused = saving.paused();
        self.name_memory(part, target).await?;
        Ok(paused)
    }

    /// Puts everything back; returns what to tell the user.
    async fn undo(&self, freezing: &Freezing<'_>, error: Error) -> Error {
        let (qmp, was_running) = (freezing.saving.qmp, freezing.saving.was_running);
        if !qmp.is_open() {
            return error;
        }
        let back = async {
            settle_migration(qmp).await?;
            if freezing.cut {
                self.merge_back(qmp, freezing.overlays).await?;
            } else {
                disks::close_overlays(qmp, freezing.overlays).await;
            }
            match (Self::state_of(qmp).await?, was_running) {
                (RunState::Running, true) | (RunState::Paused, false) => Ok(()),
                (_, true) => qmp.execute(commands::cont {}).await.map(drop),
                (_, false) => qmp.execute(commands::stop {}).await.map(drop),
            }
        };
        match back.await {
            Ok(()) => error,
            Err(second) => {
                tracing::error!(%error, %second, "a failed snapshot could not be undone");
                if was_running {
                    let _ = qmp.execute(commands::cont {}).await;
                }
                if !freezing.cut {
                    return error;
                }
                Error::failed("snapshot-stuck", "The snapshot failed, and the machine's old disk images could not be put back.")
                    .with_hint("The machine goes on, on the new images; nothing is lost. Stop it before the next snapshot.")
                    .with_detail("first", error.message)
                    .with_detail("second", second.message)
            }
        }
    }
}
