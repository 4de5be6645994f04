//! From a plan to a process, and back to a process that is there already.

mod confine;
mod spawn;

use crate::{
    Adoption, Backend, Capabilities, MachinePlan, RunState, Session,
    capabilities::CapabilityCache,
    command_line,
    process::{Handle, ProcessId, ended_within},
    qmp::{self, Qmp},
    record::{self, SessionRecord, said_since},
    session::{Owner, QemuSession, logs},
    shell_quoted, trouble,
};
use async_trait::async_trait;
use nestbox_model::{
    Arch, Error, LinkState, Result,
    layout::{RunFolder, SOCKET_PATH_MAX},
};
use std::{io::Write, path::Path, process::ExitStatus, sync::Arc, time::Duration};
use tokio::process::Child;

/// How long a machine may take until QEMU answers. Loading firmware takes 0.1 s; a host that swaps takes long.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How often a connection that QEMU drops while it starts is made anew.
const EARLY_TRIES: u32 = 25;
/// How long an adopted process may take to answer.
const ADOPT_DEADLINE: Duration = Duration::from_secs(15);

/// Runs machines with the QEMU of this computer.
#[derive(Debug, Default)]
pub struct QemuBackend {
    capabilities: CapabilityCache,
}

impl QemuBackend {
    /// A backend that has asked nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Backend for QemuBackend {
    async fn capabilities(&self, arch: Arch) -> Result<Arc<Capabilities>> {
        self.capabilities.get(arch).await
    }

    async fn launch(&self, plan: &MachinePlan) -> Result<Arc<dyn Session>> {
        check(plan)?;
        let qemu = self.capabilities.get(plan.arch).await?;
        if SessionRecord::read(&plan.run).is_some_and(|record| record.process.lives()) {
            return Err(Error::conflict(
                "machine-running",
                format!("“{}” is running already.", plan.name),
            ));
        }
        end_unrecorded(&plan.run).await;
        record::make_fresh(&plan.run)?;
        let started = start(plan, &qemu).await;
        if started.is_err() {
            let _ = std::fs::remove_dir_all(plan.run.path());
        }
        Ok(started? as Arc<dyn Session>)
    }

    async fn adopt(&self, run: &RunFolder) -> Result<Adoption> {
        let Some(record) = SessionRecord::read(run) else {
            end_unrecorded(run).await;
            return Ok(Adoption::Nothing);
        };
        let gone = |record: &SessionRecord| {
            let reason = trouble::reason(&record.said());
            record::clear(run, &record.process);
            Ok(Adoption::Gone { reason })
        };
        let Ok(handle) = Handle::open(&record.process) else {
            return gone(&record);
        };
        if !record.process.lives() {
            return gone(&record);
        }
        let until = tokio::time::Instant::now() + ADOPT_DEADLINE;
        loop {
            match Qmp::connect(&run.qmp()).await {
                Ok(qmp) => {
                    let session = QemuSession::new(record, run.clone(), Arc::new(handle), qmp, Owner::Other);
                    if let Err(error) = session.tidy_up().await {
                        tracing::warn!(%error, pid = session.pid(), "a machine was not tidied up");
                    }
                    return Ok(Adoption::Running(session));
                }
                Err(_) if ended_within(&handle, Duration::from_millis(100)).await => return gone(&record),
                // A service that died a moment ago may still hold the connection.
                Err(error) if tokio::time::Instant::now() > until => return Err(error),
                Err(_) => {}
            }
        }
    }
}

/// Ends a process that a service started and did not live to record. Its guest had only just begun.
async fn end_unrecorded(run: &RunFolder) {
    let Some(process) = record::unrecorded(run) else {
        return;
    };
    tracing::info!(pid = process.pid, "ending a machine that nobody waits for");
    if let Ok(handle) = Handle::open(&process) {
        handle.kill();
        ended_within(&handle, Duration::from_secs(5)).await;
    }
}

/// What QEMU would only say in its own words, or not at all.
fn check(plan: &MachinePlan) -> Result<()> {
    for socket in [
        plan.run.qmp(),
        plan.run.serial(),
        plan.run.vnc(),
        plan.run.agent(),
    ] {
        if socket.as_os_str().len() > SOCKET_PATH_MAX {
            return Err(Error::unfit(
                "path-too-long",
                "The folder for the machine's sockets has too long a name.",
            )
            .with_hint("Use a shorter data folder.")
            .with_detail("path", socket.display().to_string()));
        }
    }
    let images = plan
        .disks
        .iter()
        .flat_map(|disk| &disk.chain)
        .chain(plan.nvram.iter().flatten());
    let paths = images
        .map(|image| image.path.as_path())
        .chain(plan.seed.as_deref())
        .chain(plan.medium.as_deref())
        .chain(plan.firmware_code.as_deref())
        .chain([
            plan.run.path(),
            plan.serial_log.as_path(),
            plan.backend_log.as_path(),
        ]);
    for path in paths {
        if path.to_str().is_none() {
            return Err(Error::unfit(
                "path-not-text",
                "QEMU can't open a file whose name is not valid text (UTF-8).",
            )
            .with_hint("Rename the file or folder.")
            .with_detail("path", path.display().to_string()));
        }
    }
    if plan.disks.iter().any(|disk| disk.chain.is_empty()) {
        return Err(Error::failed("internal", "A disk of the machine has no image."));
    }
    Ok(())
}

async fn start(plan: &MachinePlan, qemu: &Capabilities) -> Result<Arc<QemuSession>> {
    let argv = command_line(plan, qemu);
    let (log, log_start) = open_log(&plan.backend_log, &argv)?;
    if let Some(folder) = plan.serial_log.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::io("make the folder for logs", folder, &error))?;
    }
    let mut child = spawn::spawn(plan, qemu, &argv, &log)?;
    let pid = child.id().unwrap_or_default();
    let process = ProcessId::of(pid);
    let handle = process.as_ref().map(Handle::open);
    let (Some(process), Some(Ok(handle))) = (process, handle) else {
        let status = child.wait().await;
        return Err(ended_at_once(plan, log_start, status.ok()));
    };
    let record = SessionRecord::new(plan, process, qemu, log_start);
    let connected = async {
        record.write(&plan.run)?;
        connect(plan, &mut child, log_start).await
    };
    match connected.await {
        Ok(qmp) => {
            let session = QemuSession::new(record, plan.run.clone(), Arc::new(handle), qmp, Owner::Us(child));
            if let Err(error) = settle(plan, &session).await {
                let _ = session.end().await;
                return Err(error);
            }
            Ok(session)
        }
        Err(error) => {
            handle.kill();
            let _ = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
            Err(error)
        }
    }
}

/// Appends to the log, cut to a sensible size first. Returns it and its length.
fn open_log(path: &Path, argv: &[String]) -> Result<(std::fs::File, u64)> {
    let io = |error: &std::io::Error| Error::io("write the machine's log", path, error);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| io(&error))?;
    }
    logs::cut(path, logs::BACKEND_LOG_MAX).map_err(|error| io(&error))?;
    let mut log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| io(&error))?;
    let now = time::OffsetDateTime::now_utc()
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default();
    writeln!(log, "=== {now} {}", shell_quoted(argv)).map_err(|error| io(&error))?;
    let length = log.metadata().map_err(|error| io(&error))?.len();
    Ok((log, length))
}

async fn connect(plan: &MachinePlan, child: &mut Child, log_start: u64) -> Result<Qmp> {
    let socket = plan.run.qmp();
    let connecting = async {
        let mut dropped = 0;
        loop {
            match Qmp::connect(&socket).await {
                Ok(qmp) => return Ok(qmp),
                Err(error) if error.code == qmp::NOT_THERE => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                // A client that is early can be dropped while QEMU still sets up its monitor.
                Err(error) if error.code == qmp::SILENT && dropped < EARLY_TRIES => {
                    dropped += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(error),
            }
        }
    };
    tokio::select! {
        biased;
        status = child.wait() => Err(ended_at_once(plan, log_start, status.ok())),
        connected = connecting => match connected {
            Ok(qmp) => Ok(qmp),
            // It hung up: most likely because it is about to end and say why.
            Err(error) => match tokio::time::timeout(Duration::from_secs(2), child.wait()).await {
                Ok(status) => Err(ended_at_once(plan, log_start, status.ok())),
                Err(_) => Err(error),
            },
        },
        () = tokio::time::sleep(START_DEADLINE) => {
            Err(Error::failed("start-timeout", format!("QEMU did not get ready within {} s.", START_DEADLINE.as_secs()))
                .with_hint("This computer may be very busy. Try again, or use the accelerator tcg.")
                .with_detail("technical", said_since(&plan.backend_log, log_start)))
        }
    }
}

/// From "QEMU answers" to "the guest is where the plan wants it".
async fn settle(plan: &MachinePlan, session: &QemuSession) -> Result<()> {
    for nic in plan.nics.iter().filter(|nic| nic.link == LinkState::Down) {
        session.set_link(&nic.id, false).await?;
    }
    let wanted = |state: &RunState| match state {
        RunState::Incoming => plan.incoming,
        RunState::Paused => plan.incoming,
        // Whatever else it does already, it got past its start.
        _ => true,
    };
    for _ in 0..500 {
        if wanted(&session.run_state().await?) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(Error::failed(
        "start-failed",
        "The machine's guest did not begin to run.",
    ))
}

fn ended_at_once(plan: &MachinePlan, log_start: u64, status: Option<ExitStatus>) -> Error {
    let ending = status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
    trouble::start_failure(&said_since(&plan.backend_log, log_start), &ending)
}
