//! The session's interface, for the most part one command each.

use super::{QemuSession, keys};
use crate::{
    ActiveImages, Counters, DiskPlan, ExitInfo, FreezeRequest, Frozen, MergeRequest, Merged, RunState,
    Session, SessionEvent,
    plan::nic_device,
    process::{self, ended_within},
    qmp::{self, Qmp},
};
use async_trait::async_trait;
use nestbox_model::{Accelerator, Arch, DiskId, Error, NicId, PortForward, Result};
use qapi::qmp as commands;
use serde_json::{Value, json};
use std::{path::Path, sync::atomic::Ordering, time::Duration};
use time::OffsetDateTime;
use tokio::sync::broadcast;

/// What each way of ending gets.
const END_PATIENCE: Duration = Duration::from_secs(4);

impl QemuSession {
    /// What the guest behind `qmp` does. Read leniently: new states come with new QEMUs.
    pub(super) async fn state_of(qmp: &Qmp) -> Result<RunState> {
        let answer = qmp.raw("query-status", Value::Null).await?;
        let word = answer["status"].as_str().unwrap_or_default();
        Ok(match word {
            "running" => RunState::Running,
            "paused" | "prelaunch" | "postmigrate" | "suspended" | "debug" | "finish-migrate" | "save-vm"
            | "restore-vm" => RunState::Paused,
            "inmigrate" => RunState::Incoming,
            "io-error" => RunState::IoError,
            "shutdown" | "guest-panicked" | "internal-error" => RunState::Ended,
            other => RunState::Other(qmp::tame(other).chars().take(40).collect()),
        })
    }

    /// `quit`, then SIGTERM, then SIGKILL.
    pub(super) async fn end_process(&self) -> Result<()> {
        self.link.end_asked.store(true, Ordering::Release);
        let escalation = async {
            let quitting = self.ask_to_quit();
            tokio::pin!(quitting);
            tokio::select! {
                () = &mut quitting => {}
                () = self.handle.ended() => return true,
            }
            if ended_within(&self.handle, END_PATIENCE).await {
                return true;
            }
            tracing::warn!(pid = self.record.process.pid, "a machine ignored quit");
            self.handle.terminate();
            if ended_within(&self.handle, END_PATIENCE).await {
                return true;
            }
            tracing::warn!(pid = self.record.process.pid, "a machine ignored SIGTERM");
            self.handle.kill();
            ended_within(&self.handle, 2 * END_PATIENCE).await
        };
        if escalation.await && tokio::time::timeout(END_PATIENCE, self.wait_exit()).await.is_ok() {
            return Ok(());
        }
        Err(Error::failed(
            "machine-unkillable",
            "The machine's process can't be ended, not even by force.",
        )
        .with_hint("It is stuck in the system, most likely waiting for a disk or network drive.")
        .with_detail("pid", self.record.process.pid))
    }

    async fn ask_to_quit(&self) {
        if let Ok(qmp) = self.qmp() {
            // Its answer may get lost in its own end.
            let _ = qmp.raw_within("quit", Value::Null, Duration::from_secs(2)).await;
        }
    }
}

#[async_trait]
impl Session for QemuSession {
    fn pid(&self) -> u32 {
        self.record.process.pid
    }
    fn started_at(&self) -> OffsetDateTime {
        self.record.started_at
    }
    fn accelerator(&self) -> Accelerator {
        self.record.accelerator
    }
    fn version(&self) -> String {
        self.record.qemu_version.clone()
    }
    fn subscribe(&self) -> broadcast::Receiver<SessionEvent> {
        self.link.events.subscribe()
    }
    async fn wait_exit(&self) -> ExitInfo {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(info) => info.clone().unwrap_or_default(),
            Err(_) => ExitInfo::default(),
        }
    }
    async fn run_state(&self) -> Result<RunState> {
        Self::state_of(&*self.qmp()?).await
    }
    async fn pause(&self) -> Result<()> {
        let _alone = self.operation.lock().await;
        self.qmp()?.execute(commands::stop {}).await.map(drop)
    }
    async fn resume(&self) -> Result<()> {
        let _alone = self.operation.lock().await;
        self.qmp()?.execute(commands::cont {}).await.map(drop)
    }
    async fn reset(&self) -> Result<()> {
        self.qmp()?.execute(commands::system_reset {}).await.map(drop)
    }
    async fn shut_down(&self) -> Result<()> {
        self.qmp()?.execute(commands::system_powerdown {}).await.map(drop)
    }
    async fn end(&self) -> Result<()> {
        self.end_process().await
    }
    async fn suspend(&self, memory: &Path) -> Result<()> {
        let memory = memory.to_owned();
        self.to_the_end(|me| async move { me.suspend_to(&memory).await })
            .await
    }
    async fn merge(&self, request: &MergeRequest) -> Result<Merged> {
        let request = request.clone();
        self.to_the_end(|me| async move { me.merge_images(&request).await })
            .await
    }
    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen> {
        let request = request.clone();
        self.to_the_end(|me| async move { me.freeze_all(&request).await })
            .await
    }
    async fn active_images(&self) -> Result<ActiveImages> {
        self.find_active_images().await
    }
    async fn load_memory(&self, file: &Path) -> Result<()> {
        self.load_memory_file(file).await
    }
    async fn screenshot(&self, png: &Path) -> Result<()> {
        self.take_screenshot(png).await
    }
    async fn send_keys(&self, chords: &[String]) -> Result<()> {
        let chords = chords
            .iter()
            .map(|chord| keys::chord(chord))
            .collect::<Result<Vec<_>>>()?;
        for chord in chords {
            self.press(chord, Duration::from_millis(60)).await?;
        }
        Ok(())
    }
    async fn type_text(&self, text: &str) -> Result<Vec<char>> {
        let mut missing = Vec::new();
        for letter in text.chars() {
            match keys::typed(letter) {
                // Short enough to be quick, long enough for a firmware that polls.
                Some(chord) => self.press(chord, Duration::from_millis(20)).await?,
                None if letter == '\r' => {}
                None => missing.push(letter),
            }
        }
        Ok(missing)
    }
    async fn add_forward(&self, nic: &NicId, forward: PortForward) -> Result<PortForward> {
        self.make_forward(nic, forward).await
    }
    async fn remove_forward(&self, nic: &NicId, forward: PortForward) -> Result<()> {
        self.drop_forward(nic, forward).await
    }
    async fn forwards(&self) -> Result<Vec<PortForward>> {
        Ok(self
            .list_forwards()
            .await?
            .into_iter()
            .map(|(_, forward)| forward)
            .collect())
    }
    async fn insert_medium(&self, path: &Path) -> Result<()> {
        let path = path.to_owned();
        self.to_the_end(|me| async move { me.change_medium(Some(&path)).await })
            .await
    }
    async fn eject_medium(&self) -> Result<()> {
        self.to_the_end(|me| async move { me.change_medium(None).await })
            .await
    }
    async fn plug_disk(&self, disk: &DiskPlan, arch: Arch) -> Result<()> {
        let disk = disk.clone();
        self.to_the_end(|me| async move { me.plug(&disk, arch).await })
            .await
    }
    async fn unplug_disk(&self, disk: &DiskPlan) -> Result<()> {
        let disk = disk.clone();
        self.to_the_end(|me| async move { me.unplug(&disk).await }).await
    }
    async fn resize_disk(&self, disk: &DiskId, capacity: u64) -> Result<()> {
        self.grow(disk, capacity).await
    }
    async fn set_link(&self, nic: &NicId, up: bool) -> Result<()> {
        self.qmp()?
            .execute(commands::set_link {
                name: nic_device(nic),
                up,
            })
            .await
            .map(drop)
    }
    async fn counters(&self) -> Result<Counters> {
        let used = process::usage(self.pid())
            .ok_or_else(|| Error::conflict("machine-not-running", "The machine is not running any more."))?;
        let answer = self
            .qmp()?
            .raw("query-blockstats", json!({"query-nodes": false}))
            .await?;
        let devices = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        let sum = |key: &str| {
            devices
                .iter()
                .filter_map(|device| device["stats"][key].as_u64())
                .sum()
        };
        Ok(Counters {
            cpu_seconds: used.cpu_seconds,
            memory_resident: used.resident,
            disk_read_bytes: sum("rd_bytes"),
            disk_written_bytes: sum("wr_bytes"),
        })
    }
}
