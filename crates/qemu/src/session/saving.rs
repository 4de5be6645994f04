//! Streaming a guest's memory into a file, and ending a machine with its memory saved.
//!
//! ```text
//! migrate to file ─▶ pre-switchover ─▶ (disks are cut) ─▶ migrate-continue ─▶ completed ─▶ note, fsync, name
//! guest runs          guest stands still
//! ```

use super::{
    QemuSession, Quiet,
    media::FdSet,
    memory::{MemoryPart, Note},
    tidy,
};
use crate::{
    RunState, process,
    qmp::{Qmp, QmpEvent, REFUSED, SILENT, tame},
    trouble,
};
use nestbox_model::{Error, Result};
use qapi::qmp as commands;
use serde_json::{Value, json};
use std::{os::fd::AsFd, path::Path, time::Duration};
use tokio::{sync::broadcast, time::Instant};

/// A guest that writes memory quicker than it can be saved is made to stand still after this.
const LIVE_MOST: Duration = Duration::from_secs(20);
/// Saving that makes no progress for so long has failed.
pub(super) const STALLED: Duration = Duration::from_secs(60);
/// Room beside the memory itself: devices, screen, QEMU's own notes.
const MARGIN: u64 = 64 << 20;

/// Memory on its way into a file.
pub(super) struct Saving<'a> {
    pub qmp: &'a Qmp,
    pub was_running: bool,
    /// Since when the guest stands still.
    pub paused_at: Option<Instant>,
    events: broadcast::Receiver<QmpEvent>,
    /// The memory file as QEMU has it. QEMU opens it again for each of its threads, at a time of its own, so it is
    /// taken back only when all is over.
    set: Option<FdSet>,
}

impl<'a> Saving<'a> {
    pub fn new(qmp: &'a Qmp, was_running: bool) -> Self {
        Self {
            qmp,
            was_running,
            paused_at: None,
            events: qmp.subscribe(),
            set: None,
        }
    }

    /// How long a guest that ran has been standing still.
    pub fn paused(&self) -> Duration {
        self.paused_at
            .filter(|_| self.was_running)
            .map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl QemuSession {
    /// Whether the guest runs.
    ///
    /// # Errors
    /// `snapshot-refused` in a state that can't be saved.
    pub(super) async fn runs_or_stands(&self, qmp: &Qmp) -> Result<bool> {
        match Self::state_of(qmp).await? {
            RunState::Running => Ok(true),
            RunState::Paused => {
                leave_postmigrate(qmp).await?;
                Ok(false)
            }
            state => Err(Error::conflict(
                "snapshot-refused",
                "The machine is in a state in which it can't be frozen.",
            )
            .with_hint("Resume or stop it first.")
            .with_detail("state", format!("{state:?}"))),
        }
    }

    /// Saves the memory, then ends the process. The guest stands still from the beginning.
    pub(super) async fn suspend_to(&self, memory: &Path) -> Result<()> {
        let _no_merge = self.no_merge()?;
        let _alone = self.operation.lock().await;
        let qmp = self.qmp()?;
        tidy::end_jobs(&qmp, tidy::Inner::Cancel).await?;
        let was_running = self.runs_or_stands(&qmp).await?;
        let _quiet = Quiet::begin(&self.link.quiet);
        let mut saving = Saving::new(&qmp, was_running);
        let saved = async {
            qmp.execute(commands::stop {}).await?;
            let part = self.begin_saving(&mut saving, memory).await?;
            self.saved_until_completed(&mut saving).await?;
            self.name_memory(part, memory).await
        };
        if let Err(error) = saved.await {
            self.go_on_after_saving(&mut saving).await;
            return Err(error);
        }
        self.end_process().await
    }

    /// The guest goes on as it was before its memory was to be saved.
    async fn go_on_after_saving(&self, saving: &mut Saving<'_>) {
        let qmp = saving.qmp;
        let back = async {
            settle_migration(qmp).await?;
            if saving.was_running {
                qmp.execute(commands::cont {}).await.map(drop)
            } else {
                leave_postmigrate(qmp).await
            }
        };
        if let Err(second) = back.await {
            tracing::error!(error = %second, "a guest could not go on after its memory was not saved");
        }
        self.end_saving(saving).await;
    }

    /// Gives the memory file its note and its name.
    pub(super) async fn name_memory(&self, part: MemoryPart, target: &Path) -> Result<()> {
        let note = Note {
            qemu: self.record.qemu_version.clone(),
            mapped_ram: self.record.memory.mapped_ram,
            ram: self.record.ram,
            length: 0,
        };
        let io = |error: &std::io::Error| Error::io("save the machine's memory", target, error);
        tokio::task::spawn_blocking(move || part.finish(note))
            .await
            .map_err(|error| Error::failed("internal", error.to_string()))?
            .map_err(|error| io(&error))
    }

    /// From where the guest stands still to where its memory is in the file.
    pub(super) async fn save_rest(&self, saving: &mut Saving<'_>) -> Result<()> {
        saving
            .qmp
            .raw("migrate-continue", json!({"state": "pre-switchover"}))
            .await?;
        self.wait_for(saving, "completed").await?;
        finalised(saving.qmp).await
    }

    async fn saved_until_completed(&self, saving: &mut Saving<'_>) -> Result<()> {
        self.wait_for(saving, "pre-switchover").await?;
        self.save_rest(saving).await
    }

    /// QEMU may close the file.
    pub(super) async fn end_saving(&self, saving: &mut Saving<'_>) {
        if let Some(set) = saving.set.take() {
            self.take_back(saving.qmp, &set).await;
        }
    }

    /// Begins to save into a file beside `target`.
    pub(super) async fn begin_saving(&self, saving: &mut Saving<'_>, target: &Path) -> Result<MemoryPart> {
        let support = self.record.memory;
        let resident = process::usage(self.record.process.pid).map_or(0, |used| used.resident);
        let part = MemoryPart::begin(target, resident + MARGIN)?;
        prepare(saving.qmp, support.mapped_ram, support.multifd).await?;
        // What was said before belongs to something else.
        saving.events = saving.qmp.subscribe();
        self.migrate_to(saving, &part).await?;
        Ok(part)
    }

    async fn migrate_to(&self, saving: &mut Saving<'_>, part: &MemoryPart) -> Result<()> {
        let qmp = saving.qmp;
        let begun = if self.record.memory.mapped_ram {
            let set = self.give(qmp, &part.file).await?;
            let channel = file_channel(&set.name);
            saving.set = Some(set);
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
    pub(super) async fn wait_for(&self, saving: &mut Saving<'_>, wanted: &str) -> Result<()> {
        let begun = Instant::now();
        let mut moved = (Instant::now(), 0);
        let mut made_to_stop = false;
        loop {
            // The event says it at once; asking every now and then makes up for lost events.
            let event = tokio::time::timeout(Duration::from_millis(10), saving.events.recv()).await;
            let heard = match &event {
                Ok(Ok(event)) if event.name == "STOP" => {
                    saving.paused_at.get_or_insert_with(Instant::now);
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
                    let answer = saving.qmp.raw("query-migrate", Value::Null).await?;
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
                saving.paused_at.get_or_insert_with(Instant::now);
                return if status == wanted {
                    Ok(())
                } else {
                    Err(saving_failed("it was over too early"))
                };
            }
            if moved.0.elapsed() > STALLED {
                return Err(saving_failed("it made no progress"));
            }
            if begun.elapsed() > LIVE_MOST && saving.was_running && !made_to_stop {
                made_to_stop = true;
                saving.qmp.execute(commands::stop {}).await?;
            }
        }
    }
}

/// Waits for the moment between "completed" and "the guest may go on": they are not the same.
pub(super) async fn finalised(qmp: &Qmp) -> Result<()> {
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
pub(super) async fn settle_migration(qmp: &Qmp) -> Result<()> {
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

pub(super) async fn prepare(qmp: &Qmp, mapped_ram: bool, multifd: bool) -> Result<()> {
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

pub(super) fn file_channel(name: &str) -> Value {
    json!({"channel-type": "main", "addr": {"transport": "file", "filename": name, "offset": 0}})
}

pub(super) fn saving_failed(why: &str) -> Error {
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

/// QEMU keeps a saved guest in a state it neither writes disks nor can be saved again in; only going on leads out of
/// it. Sent as one, the two let it go on for less than a time slice.
pub(super) async fn leave_postmigrate(qmp: &Qmp) -> Result<()> {
    let answer = qmp.raw("query-status", Value::Null).await?;
    if answer["status"] == "postmigrate" {
        qmp.back_to_back("cont", "stop").await?;
    }
    Ok(())
}

/// A refusal of QEMU's as a failed snapshot.
pub(super) fn explain(error: Error, what: &str) -> Error {
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
