//! A hypervisor process seen from outside: who it is, whether it lives, what it uses, how it is ended.

use nestbox_model::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{os::unix::ffi::OsStrExt, path::Path, time::Duration};

/// One process for all time: a pid is used again, a pid with its start time is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    /// Pid.
    pub pid: u32,
    /// Start time: clock ticks since boot on Linux, seconds since 1970 elsewhere.
    pub start: u64,
    /// Which boot of the computer; empty where unknown.
    pub boot: String,
}

/// What a process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ProcessUse {
    pub cpu_seconds: f64,
    pub resident: u64,
}

impl ProcessId {
    /// The process that has `pid` now.
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self {
            pid,
            start: sys::start_time(pid)?,
            boot: sys::boot_id(),
        })
    }
    /// Whether exactly this process is still there and not just waiting to be reaped.
    pub fn lives(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self) && !sys::is_zombie(self.pid)
    }
}

pub(crate) use sys::{Handle, usage};

/// Waits until the process behind `handle` ended, for at most `limit`; true when it did.
pub(crate) async fn ended_within(handle: &Handle, limit: Duration) -> bool {
    tokio::time::timeout(limit, handle.ended()).await.is_ok()
}

/// Whether the process was told of something in `folder`.
pub(crate) fn command_line_names(pid: u32, folder: &Path) -> bool {
    let mut wanted = folder.as_os_str().as_bytes().to_owned();
    wanted.push(b'/');
    sys::command_line(pid).is_some_and(|line| line.windows(wanted.len()).any(|part| part == wanted))
}

fn gone(pid: u32) -> Error {
    Error::conflict(
        "machine-not-running",
        "The machine's process is not there any more.",
    )
    .with_detail("pid", pid)
}

#[cfg(target_os = "linux")]
mod sys {
    use super::{Error, ProcessId, ProcessUse, Result, gone};
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    use std::os::fd::OwnedFd;
    use tokio::io::{Interest, unix::AsyncFd};

    /// A pidfd: it means this very process even after its pid is used again.
    #[derive(Debug)]
    pub(crate) struct Handle(AsyncFd<OwnedFd>);

    impl Handle {
        /// Takes hold of `id`.
        ///
        /// # Errors
        /// `machine-not-running` when it is gone.
        pub fn open(id: &ProcessId) -> Result<Self> {
            let pid = i32::try_from(id.pid)
                .ok()
                .and_then(Pid::from_raw)
                .ok_or_else(|| gone(id.pid))?;
            let fd = pidfd_open(pid, PidfdFlags::NONBLOCK).map_err(|_| gone(id.pid))?;
            // Checked after opening: from here on the descriptor and the check speak of the same process.
            if ProcessId::of(id.pid).as_ref() != Some(id) {
                return Err(gone(id.pid));
            }
            // SAFETY: an `OwnedFd` keeps the same descriptor open until it is dropped, which the `AsyncFd` does last.
            let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(|error| {
                Error::failed("internal", format!("The process can't be watched: {error}."))
            })?;
            Ok(Self(fd))
        }
        /// Returns once the process ended (reaped or not).
        pub async fn ended(&self) {
            // A pidfd is readable for ever once its process ended; readiness is kept, never cleared.
            if self.0.readable().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        /// Asks it to end.
        pub fn terminate(&self) {
            let _ = pidfd_send_signal(self.0.get_ref(), Signal::TERM);
        }
        /// Ends it.
        pub fn kill(&self) {
            let _ = pidfd_send_signal(self.0.get_ref(), Signal::KILL);
        }
    }

    /// The fields of `/proc/<pid>/stat` after the name, which may hold anything.
    fn stat(pid: u32) -> Option<Vec<String>> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(
            text[text.rfind(')')? + 1..]
                .split_ascii_whitespace()
                .map(str::to_owned)
                .collect(),
        )
    }

    pub(super) fn start_time(pid: u32) -> Option<u64> {
        stat(pid)?.get(19)?.parse().ok()
    }

    pub(super) fn is_zombie(pid: u32) -> bool {
        stat(pid)
            .and_then(|fields| fields.first().cloned())
            .is_none_or(|state| state == "Z" || state == "X")
    }

    /// Words of its command line, each ended by a NUL.
    pub(super) fn command_line(pid: u32) -> Option<Vec<u8>> {
        std::fs::read(format!("/proc/{pid}/cmdline")).ok()
    }

    pub(super) fn boot_id() -> String {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        id.trim().to_owned()
    }

    /// What the process uses now.
    pub(crate) fn usage(pid: u32) -> Option<ProcessUse> {
        let fields = stat(pid)?;
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
        let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some(ProcessUse {
            cpu_seconds: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
            resident: pages * rustix::param::page_size() as u64,
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use super::{ProcessId, ProcessUse, Result, gone};
    use rustix::process::{Pid as UnixPid, Signal, kill_process};
    use std::time::Duration;
    use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

    /// A process checked by its start time before every touch.
    #[derive(Debug)]
    pub(crate) struct Handle(ProcessId);

    impl Handle {
        /// Takes hold of `id`.
        ///
        /// # Errors
        /// `machine-not-running` when it is gone.
        pub fn open(id: &ProcessId) -> Result<Self> {
            if id.lives() {
                Ok(Self(id.clone()))
            } else {
                Err(gone(id.pid))
            }
        }
        /// Returns once the process ended.
        pub async fn ended(&self) {
            while self.0.lives() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        /// Asks it to end.
        pub fn terminate(&self) {
            self.signal(Signal::TERM);
        }
        /// Ends it.
        pub fn kill(&self) {
            self.signal(Signal::KILL);
        }
        fn signal(&self, signal: Signal) {
            let pid = i32::try_from(self.0.pid).ok().and_then(UnixPid::from_raw);
            if let Some(pid) = pid.filter(|_| self.0.lives()) {
                let _ = kill_process(pid, signal);
            }
        }
    }

    fn with<T>(pid: u32, look: impl FnOnce(&sysinfo::Process) -> T) -> Option<T> {
        let mut system = System::new();
        let pid = Pid::from_u32(pid);
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        system.process(pid).map(look)
    }

    pub(super) fn start_time(pid: u32) -> Option<u64> {
        with(pid, sysinfo::Process::start_time)
    }

    pub(super) fn is_zombie(pid: u32) -> bool {
        with(pid, |process| {
            matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead)
        })
        .unwrap_or(true)
    }

    /// Words of its command line, each ended by a NUL.
    pub(super) fn command_line(pid: u32) -> Option<Vec<u8>> {
        let mut system = System::new();
        let pid = Pid::from_u32(pid);
        let what = ProcessRefreshKind::nothing().with_cmd(sysinfo::UpdateKind::Always);
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        let words = system.process(pid)?.cmd();
        Some(
            words
                .iter()
                .flat_map(|word| [word.as_encoded_bytes(), b"\0"].concat())
                .collect(),
        )
    }

    pub(super) fn boot_id() -> String {
        String::new()
    }

    /// What the process uses now.
    pub(crate) fn usage(pid: u32) -> Option<ProcessUse> {
        with(pid, |process| ProcessUse {
            cpu_seconds: process.accumulated_cpu_time() as f64 / 1000.0,
            resident: process.memory(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reused_pid_is_another_process() {
        let me = ProcessId::of(std::process::id()).unwrap();
        assert!(me.lives());
        let other = ProcessId {
            start: me.start + 1,
            ..me.clone()
        };
        assert!(!other.lives());
        assert_eq!(Handle::open(&other).unwrap_err().code, "machine-not-running");
        let earlier = ProcessId {
            boot: "another boot".into(),
            ..me
        };
        assert!(!earlier.lives());
    }

    #[tokio::test]
    async fn an_ended_child_is_noticed_before_it_is_reaped() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let id = ProcessId::of(child.id()).unwrap();
        let handle = Handle::open(&id).unwrap();
        assert!(!ended_within(&handle, Duration::from_millis(30)).await);
        handle.kill();
        assert!(ended_within(&handle, Duration::from_secs(5)).await);
        assert!(
            ended_within(&handle, Duration::from_secs(5)).await,
            "any number of waiters"
        );
        assert!(!id.lives(), "a zombie does not live");
        child.wait().unwrap();
    }
}
