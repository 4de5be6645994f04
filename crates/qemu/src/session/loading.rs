//! Filling a machine from a memory file.

use super::{
    QemuSession, Quiet,
    memory::{self, unfit},
    saving::{STALLED, file_channel, prepare, saving_failed},
};
use crate::{
    RunState, process,
    qmp::{Qmp, tame},
};
use nestbox_model::{Error, Result};
use qapi::qmp as commands;
use serde_json::{Value, json};
use std::{os::fd::AsFd, path::Path, time::Duration};
use tokio::time::Instant;

impl QemuSession {
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
        memory::fits(
            &note,
            &self.record.qemu_version,
            self.record.memory,
            self.record.ram,
        )?;
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
