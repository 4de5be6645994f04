//! What a running machine says unasked, and how it ends.

use super::{Link, Owner, QemuSession};
use crate::{
    ExitInfo, RunState, SessionEvent,
    process::{Handle, ProcessId},
    qmp::{Qmp, QmpEvent},
    record::{self, SessionRecord},
    trouble,
};
use nestbox_model::{DiskId, layout::RunFolder};
use std::{
    os::unix::process::ExitStatusExt,
    sync::{Arc, PoisonError, Weak, atomic::Ordering},
    time::Duration,
};
use tokio::sync::{broadcast::error::RecvError, watch};

/// Passes QEMU's events on and gets a lost connection back, until it is aborted or the process is gone.
pub(super) async fn pump(link: Arc<Link>, run: RunFolder, process: ProcessId) {
    let mut wait = Duration::from_millis(200);
    loop {
        if let Some(qmp) = link.current() {
            let mut events = qmp.subscribe();
            wait = Duration::from_millis(200);
            loop {
                tokio::select! {
                    biased;
                    event = events.recv() => match event {
                        Ok(event) => take(&link, &event),
                        Err(RecvError::Lagged(lost)) => tracing::warn!(lost, "events of a machine were lost"),
                        Err(RecvError::Closed) => break,
                    },
                    () = qmp.closed() => break,
                }
            }
            while let Ok(event) = events.try_recv() {
                take(&link, &event);
            }
            link.set(None);
        }
        if !process.lives() {
            return;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(5));
        if let Ok(qmp) = Qmp::connect(&run.qmp()).await {
            tracing::info!(pid = process.pid, "the connection to a machine is back");
            let state = QemuSession::state_of(&qmp).await;
            link.set(Some(Arc::new(qmp)));
            match state {
                Ok(RunState::Running) => link.emit(SessionEvent::Resumed),
                Ok(RunState::Paused) => link.emit(SessionEvent::Paused),
                _ => {}
            }
        }
    }
}

fn take(link: &Link, event: &QmpEvent) {
    let data = &event.data;
    let quiet = link.quiet.load(Ordering::Acquire);
    match event.name.as_str() {
        "STOP" if !quiet => link.emit(SessionEvent::Paused),
        "RESUME" if !quiet => link.emit(SessionEvent::Resumed),
        "RESET" => link.emit(SessionEvent::Reset),
        "POWERDOWN" => link.emit(SessionEvent::ShutdownRequested),
        "SHUTDOWN" => {
            let reason = data["reason"].as_str().unwrap_or("unknown").to_owned();
            let by_guest = data["guest"].as_bool().unwrap_or(false);
            *link.shutdown.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
            if by_guest {
                link.emit(SessionEvent::GuestShutdown);
            }
        }
        "BLOCK_IO_ERROR" if data["action"] != "ignore" => {
            let disk = disk_of(link, data["node-name"].as_str())
                .or_else(|| disk_of(link, data["qom-path"].as_str()));
            let no_space = data["nospace"].as_bool().unwrap_or(false);
            link.emit(SessionEvent::IoError { disk, no_space });
        }
        "DEVICE_DELETED" => {
            if let Some(disk) = disk_of(link, data["device"].as_str()) {
                link.emit(SessionEvent::DiskGone(disk));
            }
        }
        _ => {}
    }
}

/// The disk a node (`disk-1234abcd-2`) or a device path (`/machine/peripheral/disk-1234abcd/…`) belongs to.
fn disk_of(link: &Link, name: Option<&str>) -> Option<DiskId> {
    let rest = name?.split("disk-").nth(1)?;
    let short: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    link.disks().into_iter().find(|disk| disk.short() == short)
}

/// Reaps or watches the process to its end, clears its traces and tells everyone.
pub(super) async fn until_exit(
    owner: Owner,
    handle: Arc<Handle>,
    link: Weak<Link>,
    record: SessionRecord,
    run: RunFolder,
    exiting: watch::Sender<Option<ExitInfo>>,
) {
    let status = match owner {
        Owner::Us(mut child) => match child.wait().await {
            Ok(status) => Some(status),
            Err(error) => {
                tracing::warn!(%error, "a machine's process could not be waited for");
                handle.ended().await;
                None
            }
        },
        Owner::Other => {
            handle.ended().await;
            None
        }
    };
    let link = link.upgrade();
    if let Some(link) = &link {
        // Its last words may still be on their way through the pump.
        for _ in 0..50 {
            if link.current().is_none() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
    }
    let asked = link
        .as_ref()
        .is_some_and(|link| link.end_asked.load(Ordering::Acquire));
    let shutdown = link.as_ref().and_then(|link| {
        link.shutdown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    });
    let ending = Ending {
        code: status.and_then(|s| s.code()),
        signal: status.and_then(|s| s.signal()),
        asked,
        shutdown,
    };
    let info = ending.judge(&record.said());
    record::clear(&run, &record.process);
    tracing::info!(
        pid = record.process.pid,
        clean = info.clean,
        reason = info.reason,
        "a machine ended"
    );
    exiting.send_replace(Some(info.clone()));
    if let Some(link) = link {
        link.set(None);
        link.emit(SessionEvent::Exited(info));
    }
}

/// What is known about an end.
struct Ending {
    code: Option<i32>,
    signal: Option<i32>,
    asked: bool,
    shutdown: Option<String>,
}

impl Ending {
    fn judge(self, said: &str) -> ExitInfo {
        let (code, signal) = (self.code, self.signal);
        let info = |clean, reason| ExitInfo {
            code,
            signal,
            clean,
            reason,
        };
        if self.asked {
            return info(true, None);
        }
        match (self.shutdown.as_deref(), signal) {
            (Some("guest-panic"), _) => return info(false, Some("The guest system crashed (panic).".into())),
            (Some("host-signal"), _) => {
                return info(
                    false,
                    Some("Another program or the end of the login session ended it.".into()),
                );
            }
            (Some(_), None) => return info(true, None),
            (_, Some(9)) => {
                let why =
                    "It was killed (signal 9): by another program, or by the system for lack of memory.";
                return info(false, Some(why.into()));
            }
            (_, Some(number)) => {
                let word = format!("QEMU crashed (signal {number}).");
                let reason = match trouble::reason(said) {
                    Some(more) => format!("{word} {more}"),
                    None => word,
                };
                return info(false, Some(reason));
            }
            (None, None) => {}
        }
        if said.contains("terminating on signal") {
            return info(
                false,
                Some("Another program or the end of the login session ended it.".into()),
            );
        }
        match code {
            Some(0) => info(true, None),
            _ => {
                let reason =
                    trouble::reason(said).unwrap_or_else(|| "Its process ended without saying why.".into());
                info(false, Some(reason))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(code: Option<i32>, signal: Option<i32>, asked: bool, shutdown: Option<&str>) -> Ending {
        Ending {
            code,
            signal,
            asked,
            shutdown: shutdown.map(str::to_owned),
        }
    }

    #[test]
    fn ends_are_told_apart() {
        assert!(
            ending(Some(0), None, false, Some("guest-shutdown"))
                .judge("")
                .clean
        );
        assert!(
            ending(None, None, false, Some("guest-shutdown")).judge("").clean,
            "adopted, no status"
        );
        assert!(ending(None, Some(9), true, None).judge("").clean, "asked for");
        let killed = ending(None, Some(9), false, None).judge("");
        assert!(!killed.clean && killed.reason.unwrap().contains("signal 9"));
        assert!(!ending(Some(0), None, false, Some("host-signal")).judge("").clean);
        assert!(
            !ending(None, None, false, None).judge("").clean,
            "adopted and vanished"
        );
        let crash = ending(None, Some(6), false, None).judge("qemu: hw/x.c:1: f: Assertion `x' failed.");
        assert!(crash.reason.unwrap().contains("Assertion"));
        let full = ending(Some(1), None, false, None).judge("qemu: No space left on device");
        assert_eq!(full.reason.as_deref(), Some("The disk of this computer is full."));
    }
}
