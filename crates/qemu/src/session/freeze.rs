//! Freezing disks, UEFI variables and memory at one instant, and filling a machine from a memory file.
//!
//! ```text
//! overlays opened ─▶ migrate to file ─▶ pre-switchover ─▶ transaction ─▶ migrate-continue ─▶ completed ─▶ cont
//!                    guest runs          guest stands still, RAM and disks are cut here
//! ```
//! Whatever fails, the guest goes on with the images it had: overlays not yet in use are closed, overlays in use are
//! merged back.

use super::{
    QemuSession, disks,
    disks::Overlay,
    media::FdSet,
    memory::{self, MemoryPart, Note},
};
use crate::{
    FreezeRequest, Frozen, RunState, process,
    qmp::{Qmp, QmpEvent, REFUSED, SILENT, tame},
    trouble,
};
use nestbox_model::{Error, Result};
use qapi::qmp as commands;
use serde_json::{Value, json};
use std::{
    os::fd::AsFd,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::{sync::broadcast, time::Instant};

/// A guest that writes memory quicker than it can be saved is made to stand still after this.
const LIVE_MOST: Duration = Duration::from_secs(20);
/// Saving that makes no progress for so long has failed.
const STALLED: Duration = Duration::from_secs(60);
/// Room beside the memory itself: devices, screen, QEMU's own notes.
const MARGIN: u64 = 64 << 20;

/// Set while it lives: pauses that belong to an operation are not told.
struct Quiet<'a>(&'a AtomicBool);

impl<'a> Quiet<'a> {
    fn begin(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Release);
        Self(flag)
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// How far a freeze got, for undoing it.
struct Progress<'a> {
    qmp: &'a Qmp,
    overlays: &'a [Overlay],
    was_running: bool,
    cut: bool,
    paused_at: Option<Instant>,
    /// The memory file as QEMU has it. QEMU opens it again for each of its threads, at a time of its own, so it is
    /// taken back only when all is over.
    set: Option<FdSet>,
}

impl QemuSession {
    pub(super) async fn freeze_all(&self, request: &FreezeRequest) -> Result<Frozen> {
        let _alone = self.operation.lock().await;
        let qmp = self.qmp()?;
        let was_running = match Self::state_of(&qmp).await? {
            RunState::Running => true,
            RunState::Paused => false,
            state => {
                return Err(Error::conflict(
                    "snapshot-refused",
                    "The machine is in a state in which it can't be frozen.",
                )
                .with_hint("Resume or stop it first.")
                .with_detail("state", format!("{state:?}")));
            }
        };
        let _quiet = Quiet::begin(&self.link.quiet);
        let overlays = self
            .open_overlays(&qmp, request)
            .await
            .map_err(|error| explain(error, "the new disk images could not be opened"))?;
        let mut progress = Progress {
            qmp: &qmp,
            overlays: &overlays,
            was_running,
            cut: false,
            paused_at: None,
            set: None,
        };
        let frozen = match &request.memory {
            None => self.freeze_disks(&mut progress).await,
            Some(target) => self.freeze_memory(&mut progress, target).await,
        };
        let frozen = match frozen {
            Ok(paused) => Ok(Frozen {
                paused_seconds: paused.as_secs_f64(),
            }),
            Err(error) => Err(self.undo(&progress, error).await),
        };
        if let Some(set) = &progress.set {
            self.take_back(&qmp, set).await;
        }
        frozen
    }

    async fn freeze_disks(&self, progress: &mut Progress<'_>) -> Result<Duration> {
        let start = Instant::now();
        disks::cut(progress.qmp, progress.overlays)
            .await
            .map_err(|error| explain(error, "the disks could not be switched"))?;
        progress.cut = true;
        // The guest stands still only inside the transaction; the round trip is the most it can have been.
        Ok(if progress.was_running {
            start.elapsed()
        } else {
            Duration::ZERO
        })
    }

    async fn freeze_memory(&self, progress: &mut Progress<'_>, target: &Path) -> Result<Duration> {
        let qmp = progress.qmp;
        let support = self.record.memory;
        let resident = process::usage(self.record.process.pid).map_or(0, |used| used.resident);
        let part = MemoryPart::begin(target, resident + MARGIN)?;
        prepare(qmp, support.mapped_ram, support.multifd).await?;
        let mut events = qmp.subscribe();
        self.begin_saving(progress, &part).await?;
        self.wait_for(progress, &mut events, "pre-switchover").await?;
        disks::cut(qmp, progress.overlays)
            .await
            .map_err(|error| explain(error, "the disks could not be switched"))?;
        progress.cut = true;
        qmp.raw("migrate-continue", json!({"state": "pre-switchover"}))
            .await?;
        self.wait_for(progress, &mut events, "completed").await?;
        finalised(qmp).await?;
        if progress.was_running {
            qmp.execute(commands::cont {}).await?;
        } else {
            // QEMU keeps a saved guest in a state it neither writes disks nor can be saved again in; only going on
            // leads out of it. Sent as one, the two let it go on for less than a time slice.
            qmp.back_to_back("cont", "stop").await?;
        }
        let paused = progress
            .paused_at
            .filter(|_| progress.was_running)
            .map_or(Duration::ZERO, |since| since.elapsed());
        let note = Note {
            qemu: self.record.qemu_version.clone(),
            mapped_ram: support.mapped_ram,
            ram: self.record.ram,
            length: 0,
        };
        let io = |error: &std::io::Error| Error::io("save the machine's memory", target, error);
        let finished = tokio::task::spawn_blocking(move || part.finish(note)).await;
        finished
            .map_err(|error| Error::failed("internal", error.to_string()))?
            .map_err(|error| io(&error))?;
        Ok(paused)
    }

    async fn begin_saving(&self, progress: &mut Progress<'_>, part: &MemoryPart) -> Result<()> {
        let qmp = progress.qmp;
        let begun = if self.record.memory.mapped_ram {
            let set = self.give(qmp, &part.file).await?;
            let channel = file_channel(&set.name);
            progress.set = Some(set);
            qmp.raw("migrate", json!({"channels": [channel]})).await
        } else {
            let name = self.fresh_name("memory");
            qmp.with_fd(commands::getfd { fdname: name.clone() }, part.file.as_fd())
                .await?;
            qmp.raw("migrate", json!({"uri": format!("fd:{name}")})).await
        };
        begun
            .map(drop)
            .map_err(|error| explain(error, "its memory could not be saved"))
    }

    /// Waits until saving reaches `wanted`; notes when the guest began to stand still.
    async fn wait_for(
        &self,
        progress: &mut Progress<'_>,
        events: &mut broadcast::Receiver<QmpEvent>,
        wanted: &str,
    ) -> Result<()> {
        let begun = Instant::now();
        let mut moved = (Instant::now(), 0);
        let mut made_to_stop = false;
        loop {
            // The event says it at once; asking every now and then makes up for lost events.
            let event = tokio::time::timeout(Duration::from_millis(10), events.recv()).await;
            let heard = match &event {
                Ok(Ok(event)) if event.name == "STOP" => {
                    progress.paused_at.get_or_insert_with(Instant::now);
                    continue;
                }
                Ok(Ok(event)) if event.name == "MIGRATION" => {
                    event.data["status"].as_str().map(str::to_owned)
                }
                Ok(Ok(_)) => continue,
                Ok(Err(broadcast::error::RecvError::Closed)) => {
                    return Err(Error::failed(
                        SILENT,
                        "The machine's process ended while its memory was saved.",
                    ));
                }
                _ => None,
            };
            let status = match heard {
                Some(status) if status == wanted => status,
                _ => {
                    let answer = progress.qmp.raw("query-migrate", Value::Null).await?;
                    let done = answer["ram"]["transferred"].as_u64().unwrap_or(0);
                    if done != moved.1 {
                        moved = (Instant::now(), done);
                    }
                    let status = answer["status"].as_str().unwrap_or("none").to_owned();
                    if matches!(status.as_str(), "failed" | "cancelled") {
                        let why = answer["error-desc"].as_str().unwrap_or("no reason given");
                        return Err(saving_failed(why));
                    }
                    status
                }
            };
            if status == wanted || (status == "completed" && wanted == "pre-switchover") {
                progress.paused_at.get_or_insert_with(Instant::now);
                return if status == wanted {
                    Ok(())
                } else {
                    Err(saving_failed("it was over too early"))
                };
            }
            if moved.0.elapsed() > STALLED {
                return Err(saving_failed("it made no progress"));
            }
            if begun.elapsed() > LIVE_MOST && progress.was_running && !made_to_stop {
                made_to_stop = true;
                progress.qmp.execute(commands::stop {}).await?;
            }
        }
    }

    /// Puts everything back; returns what to tell the user.
    async fn undo(&self, progress: &Progress<'_>, error: Error) -> Error {
        let qmp = progress.qmp;
        if !qmp.is_open() {
            return error;
        }
        let back = async {
            settle_migration(qmp).await?;
            if progress.cut {
                self.merge_back(qmp, progress.overlays).await?;
            } else {
                disks::close_overlays(qmp, progress.overlays).await;
            }
            match (Self::state_of(qmp).await?, progress.was_running) {
                (RunState::Running, true) | (RunState::Paused, false) => Ok(()),
                (_, true) => qmp.execute(commands::cont {}).await.map(drop),
                (_, false) => qmp.execute(commands::stop {}).await.map(drop),
            }
        };
        match back.await {
            Ok(()) => error,
            Err(second) => {
                tracing::error!(%error, %second, "a failed snapshot could not be undone");
                if progress.was_running {
                    let _ = qmp.execute(commands::cont {}).await;
                }
                if !progress.cut {
                    return error;
                }
                Error::failed("snapshot-stuck", "The snapshot failed, and the machine's old disk images could not be put back.")
                    .with_hint("The machine goes on, on the new images; nothing is lost. Stop it before the next snapshot.")
                    .with_detail("first", error.message)
                    .with_detail("second", second.message)
            }
        }
    }

    pub(super) async fn load_memory_file(&self, file: &Path) -> Result<()> {
        let _alone = self.operation.lock().await;
        let (file, note) = memory::open(file)?;
        let qmp = self.qmp()?;
        if Self::state_of(&qmp).await? != RunState::Incoming {
            return Err(Error::conflict(
                "not-waiting",
                "The machine was not started to be filled from a memory file.",
            ));
        }
        // With a place for every page QEMU itself does not mind when there is more memory than was saved.
        if note.ram != self.record.ram || note.mapped_ram && !self.record.memory.mapped_ram {
            return Err(unfit(&note.qemu, &self.record.qemu_version));
        }
        let _quiet = Quiet::begin(&self.link.quiet);
        let loaded = self.fill(&qmp, &file, note.mapped_ram).await;
        match loaded {
            Ok(()) => Ok(()),
            Err(error) => {
                // Most QEMUs end when filling fails; the reason is in their log.
                let _ = tokio::time::timeout(Duration::from_secs(3), self.handle.ended()).await;
                let said = format!(
                    "{}\n{}",
                    self.record.said(),
                    error
                        .details
                        .get("technical")
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                );
                Err(judge(&said, &note.qemu, &self.record.qemu_version).unwrap_or(error))
            }
        }
    }

    async fn fill(&self, qmp: &Qmp, file: &std::fs::File, mapped_ram: bool) -> Result<()> {
        prepare(qmp, mapped_ram, self.record.memory.multifd).await?;
        let mut given = None;
        if mapped_ram {
            let set = given.insert(self.give(qmp, file).await?);
            qmp.raw("migrate-incoming", json!({"channels": [file_channel(&set.name)]}))
                .await?;
        } else {
            let name = self.fresh_name("memory");
            qmp.with_fd(commands::getfd { fdname: name.clone() }, file.as_fd())
                .await?;
            qmp.raw("migrate-incoming", json!({"uri": format!("fd:{name}")}))
                .await?;
        }
        let mut moved = (Instant::now(), 0);
        loop {
            let answer = qmp.raw("query-migrate", Value::Null).await?;
            match answer["status"].as_str().unwrap_or("none") {
                "completed" => break,
                "failed" => return Err(saving_failed(answer["error-desc"].as_str().unwrap_or_default())),
                _ => {}
            }
            let used = process::usage(self.record.process.pid).map_or(0, |used| used.resident);
            if used != moved.1 {
                moved = (Instant::now(), used);
            }
            if moved.0.elapsed() > STALLED {
                return Err(saving_failed("it made no progress"));
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        for _ in 0..1000 {
            match Self::state_of(qmp).await? {
                RunState::Paused => {
                    if let Some(set) = &given {
                        self.take_back(qmp, set).await;
                    }
                    return Ok(());
                }
                RunState::Running => return qmp.execute(commands::stop {}).await.map(drop),
                _ => tokio::time::sleep(Duration::from_millis(3)).await,
            }
        }
        Err(saving_failed("the guest did not become ready"))
    }
}

/// Waits for the moment between "completed" and "the guest may go on": they are not the same.
async fn finalised(qmp: &Qmp) -> Result<()> {
    let until = Instant::now() + STALLED;
    loop {
        let answer = qmp.raw("query-status", Value::Null).await?;
        if answer["status"] != "finish-migrate" {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(saving_failed("it did not come to an end"));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Ends a migration that is under way and waits until QEMU has its disks again.
async fn settle_migration(qmp: &Qmp) -> Result<()> {
    let until = Instant::now() + STALLED;
    loop {
        let answer = qmp.raw("query-migrate", Value::Null).await?;
        match answer["status"].as_str().unwrap_or("none") {
            "none" | "completed" | "failed" | "cancelled" => return finalised(qmp).await,
            "cancelling" => {}
            _ => qmp.execute(commands::migrate_cancel {}).await.map(drop)?,
        }
        if Instant::now() > until {
            return Err(saving_failed("it could not be cancelled"));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn prepare(qmp: &Qmp, mapped_ram: bool, multifd: bool) -> Result<()> {
    let mut capabilities = vec![("events", true), ("pause-before-switchover", true)];
    if mapped_ram {
        capabilities.push(("mapped-ram", true));
        capabilities.push(("multifd", multifd));
    }
    let list: Vec<Value> = capabilities
        .iter()
        .map(|(name, state)| json!({"capability": name, "state": state}))
        .collect();
    qmp.raw("migrate-set-capabilities", json!({"capabilities": list}))
        .await?;
    // The default of 128 MiB/s is meant for networks.
    let mut parameters = json!({"max-bandwidth": 1_u64 << 40});
    if mapped_ram && multifd {
        parameters["multifd-channels"] = json!(2);
    }
    qmp.raw("migrate-set-parameters", parameters).await.map(drop)
}

fn file_channel(name: &str) -> Value {
    json!({"channel-type": "main", "addr": {"transport": "file", "filename": name, "offset": 0}})
}

fn saving_failed(why: &str) -> Error {
    if trouble::is_no_space(why) {
        return Error::unfit(
            "no-space",
            "The machine's memory could not be saved: the disk is full.",
        )
        .with_hint("Free some space, or take the snapshot without memory.")
        .with_detail("technical", tame(why));
    }
    Error::failed(
        "snapshot-failed",
        "The machine's memory could not be saved or loaded.",
    )
    .with_detail("technical", tame(why))
}

/// A refusal of QEMU's as a failed snapshot.
fn explain(error: Error, what: &str) -> Error {
    if error.code != REFUSED {
        return error;
    }
    let words = error
        .details
        .get("technical")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if trouble::is_no_space(&words) {
        return saving_failed(&words);
    }
    Error::failed(
        "snapshot-failed",
        format!("The machine could not be frozen: {what}."),
    )
    .with_detail("technical", words)
}

fn unfit(saved_by: &str, here: &str) -> Error {
    let why = if saved_by == here {
        "it was saved by a machine with other devices".to_owned()
    } else {
        format!("it was saved by QEMU {saved_by}, this computer has {here}")
    };
    Error::unfit(
        "memory-unfit",
        format!("The saved memory does not fit this machine: {why}."),
    )
    .with_hint("Restore the snapshot without memory: the guest starts as after a power cut.")
}

/// What a failed load means, from QEMU's words.
fn judge(said: &str, saved_by: &str, here: &str) -> Option<Error> {
    let has = |text: &str| said.contains(text);
    let other_machine = [
        "Machine type received",
        "Unknown ramblock",
        "Length mismatch",
        "Size mismatch",
        "Unknown savevm section",
        "does not support",
        "Unsupported version",
        "Missing section",
        "inconsistent",
        "capability is",
        "error while loading state",
    ];
    if has("Not a migration stream")
        || has("Invalid argument") && !has("Machine type")
        || has("Input/output error")
    {
        return Some(memory::damaged().with_detail("technical", tame(said)));
    }
    if other_machine.iter().any(|text| has(text)) {
        return Some(unfit(saved_by, here).with_detail("technical", tame(said)));
    }
    None
}
