//! Snapshots that Nestbox takes by itself, and the rule that thins them out.

use crate::Engine;
use crate::machine::Handle;
use crate::take::Occasion;
use nestbox_model::{
    AutoSnapshots, EventKind, MachineState, Result, SnapshotId, SnapshotKind, SnapshotRecord, SnapshotRequest,
};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(60);
/// Memory is compressed only while this computer has little to do: most tasks that run or wait, over a minute.
const QUIET_LOAD: f64 = 0.5;

impl Engine {
    /// Looks at the clock while the service runs.
    pub(crate) fn spawn_schedule(&self) {
        let inner = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                let Some(inner) = inner.upgrade() else { return };
                let engine = Self(inner);
                engine.run_schedule(OffsetDateTime::now_utc()).await;
                engine.empty_old_bins(OffsetDateTime::now_utc()).await;
                engine.pack_when_quiet().await;
            }
        });
    }

    /// Takes what is due at `now`. A machine that is busy gets its turn with the next tick.
    pub async fn run_schedule(&self, now: OffsetDateTime) {
        for handle in self.handles() {
            let taken = self.take_if_due(&handle, now).await;
            if let Err(error) = taken {
                tracing::warn!(%error, machine = %handle.id, "no automatic snapshot");
                let told = format!("No automatic snapshot: {}", error.message);
                self.tell_machine(EventKind::MachineChanged, &handle, Some(told));
            }
        }
    }

    async fn take_if_due(&self, handle: &Arc<Handle>, now: OffsetDateTime) -> Result<()> {
        let rule = handle.read().spec.auto_snapshots;
        if rule.every_hours == 0 || handle.state() != MachineState::Running {
            return Ok(());
        }
        let started = handle.read().started_at.unwrap_or(now);
        let records = self.records(handle)?;
        let last = records
            .iter()
            .filter(|record| record.kind() == SnapshotKind::Scheduled)
            .map(|record| record.created_at)
            .max();
        // A clock that was set back must not stop the schedule.
        let since = now - last.map_or(started, |last| last.max(started)).min(now);
        if since < time::Duration::hours(i64::from(rule.every_hours)) {
            return Ok(());
        }
        let _guard = handle.lock_ready().await?;
        if handle.state() != MachineState::Running {
            return Ok(());
        }
        self.take_automatic(handle, SnapshotKind::Scheduled, rule).await
    }

    /// Where the machine wants one before each start, unless nothing was written since the last.
    pub(crate) async fn snapshot_before_start(&self, handle: &Arc<Handle>) -> Result<()> {
        let spec = handle.spec();
        if !spec.auto_snapshots.before_start || !self.was_written(handle) {
            return Ok(());
        }
        self.take_automatic(handle, SnapshotKind::BeforeStart, spec.auto_snapshots)
            .await
    }

    async fn take_automatic(
        &self,
        handle: &Arc<Handle>,
        kind: SnapshotKind,
        rule: AutoSnapshots,
    ) -> Result<()> {
        let taken = self
            .take_locked(handle, SnapshotRequest::default(), Occasion::from(kind))
            .await?;
        let surplus: Vec<SnapshotId> = surplus(&self.records(handle)?, &taken.snapshot.id, rule.keep)
            .into_iter()
            .filter(|id| self.clones_of_snapshot(&handle.id, id).is_empty())
            .collect();
        if surplus.is_empty() {
            return Ok(());
        }
        self.delete_locked(handle, &surplus)?;
        self.tell_machine(EventKind::SnapshotDeleted, handle, None);
        self.tidy_if_worthwhile(handle).map(drop)
    }

    /// Whether the active images hold anything of their own. A fresh overlay is header and tables only.
    fn was_written(&self, handle: &Handle) -> bool {
        let folder = self.folder(&handle.id);
        let spec = handle.spec();
        spec.disks
            .iter()
            .any(|disk| nestbox_disk::holds_data(&folder.disk_image(&disk.image)).unwrap_or(true))
    }

    fn records(&self, handle: &Handle) -> Result<Vec<SnapshotRecord>> {
        let all = self.library().snapshots(&handle.id)?;
        Ok(all.into_iter().map(|(record, _)| record).collect())
    }

    async fn pack_when_quiet(&self) {
        if sysinfo::System::load_average().one > QUIET_LOAD {
            return;
        }
        if let Err(error) = self.pack_one_at_rest().await {
            tracing::debug!(%error, "memory stays as it is");
        }
    }
}

/// Of the automatic snapshots that may go, oldest first, those beyond the last `keep`. The newest is the one just taken,
/// whatever the clock said.
fn surplus(records: &[SnapshotRecord], newest: &SnapshotId, keep: u32) -> Vec<SnapshotId> {
    let mut thinned: Vec<&SnapshotRecord> = records
        .iter()
        .filter(|record| record.kind().is_thinned() && !record.keep)
        .collect();
    thinned.sort_by_key(|record| (record.id == *newest, record.created_at));
    let beyond = thinned.len().saturating_sub(keep.max(1) as usize);
    thinned[..beyond].iter().map(|record| record.id.clone()).collect()
}
