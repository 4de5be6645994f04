//! Finding the service, or starting it.

use crate::{API_VERSION, Client};
use nestbox_model::layout::Layout;
use nestbox_model::{Error, Result};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A service that is starting answers within this long; opening a large damaged library takes a while.
const START_PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
/// Exit code of a service that found the library in another's hands.
const LOCKED_OUT: i32 = 4;
/// Pause before the next try to start one, doubled from try to try.
const RESPAWN_FIRST: Duration = Duration::from_millis(50);
const RESPAWN_LAST: Duration = Duration::from_millis(500);

/// A client of the service of this data directory; starts it when none runs. A service of another version is asked to
/// make way (machines don't notice).
///
/// # Errors
/// `service-not-found` when there is no `nestbox` program to start; `service-other-version` when it is not of this
/// version; `service-not-ready` with the end of its log.
pub async fn connect_or_start(layout: &Layout) -> Result<Client> {
    let client = Client::new(layout.service_socket());
    let deadline = Instant::now() + START_PATIENCE;
    let mut asked_to_go = None;
    let mut child: Option<std::process::Child> = None;
    let mut pause = RESPAWN_FIRST;
    let mut spawn_at = Instant::now();
    loop {
        if let Ok(info) = client.service().await {
            if info.api == API_VERSION && info.version == env!("CARGO_PKG_VERSION") {
                return Ok(client);
            }
            if asked_to_go != Some(info.pid) {
                let _ = client.stop_service().await;
                asked_to_go = Some(info.pid);
            }
            if child.as_ref().is_some_and(|child| child.id() == info.pid) {
                return Err(other_version(&info.version));
            }
        }
        match child.as_mut().map(std::process::Child::try_wait) {
            None if Instant::now() >= spawn_at => {
                let binary = find_service_binary()?;
                private_folder(layout.home())?;
                private_folder(&layout.home().join("logs"))?;
                child = Some(spawn(&binary, layout)?);
            }
            // Another one holds the lock: one that several clients' starts let live, or one that is on its way out.
            // It may be gone without ever having answered, so try again.
            Some(Ok(Some(status))) if status.code() == Some(LOCKED_OUT) => {
                child = None;
                spawn_at = Instant::now() + pause;
                pause = (pause * 2).min(RESPAWN_LAST);
            }
            Some(Ok(Some(status))) => {
                return Err(not_ready(layout, &format!("it ended at once ({status})")));
            }
            _ => {}
        }
        if Instant::now() > deadline {
            return Err(not_ready(layout, "it does not answer"));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// No service owns the data directory any more: its lock is free, so the next one can begin.
///
/// # Errors
/// When the lock can't be looked at.
pub fn service_is_gone(layout: &Layout) -> Result<bool> {
    let path = layout.service_lock();
    Ok(!path.exists() || lock(&path)?.is_some())
}

fn other_version(version: &str) -> Error {
    Error::unfit(
        "service-other-version",
        format!(
            "The nestbox program that runs the machines is version {version}, this one is {}.",
            env!("CARGO_PKG_VERSION")
        ),
    )
    .with_hint("Install both from one release.")
}

fn not_ready(layout: &Layout, why: &str) -> Error {
    let log = std::fs::read_to_string(layout.service_log()).unwrap_or_default();
    let lines: Vec<&str> = log.lines().rev().take(5).collect();
    let last: Vec<&str> = lines.into_iter().rev().collect();
    let said = last
        .iter()
        .rev()
        .find_map(|line| line.strip_prefix("nestbox: "))
        .unwrap_or_default();
    let message = if said.is_empty() {
        format!("The Nestbox service could not be started: {why}.")
    } else {
        format!("The Nestbox service could not be started: {said}")
    };
    Error::unfit("service-not-ready", message)
        .with_hint(format!("Its log: {}", layout.service_log().display()))
        .with_detail("log", last.join("\n"))
}

/// The `nestbox` program: `NESTBOX_SERVICE`, beside this program, or on the path.
///
/// # Errors
/// `service-not-found`.
pub fn find_service_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("NESTBOX_SERVICE") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().ok();
    let beside = own
        .as_deref()
        .and_then(Path::parent)
        .map(|folder| folder.join("nestbox"));
    let on_path = std::env::var_os("PATH").into_iter().flat_map(|path| {
        std::env::split_paths(&path)
            .map(|folder| folder.join("nestbox"))
            .collect::<Vec<_>>()
    });
    beside
        .into_iter()
        .chain(on_path)
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Error::unfit(
                "service-not-found",
                "The nestbox program, which runs the machines, is not installed beside this one.",
            )
            .with_hint("Reinstall Nestbox, or put `nestbox` on the PATH.")
        })
}

fn spawn(binary: &Path, layout: &Layout) -> Result<std::process::Child> {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(layout.service_log())
        .map_err(|e| Error::io("open the service's log", &layout.service_log(), &e))?;
    let log_too = log
        .try_clone()
        .map_err(|e| Error::io("open the service's log", &layout.service_log(), &e))?;
    let mut command = Command::new(binary);
    command
        .arg("--data-dir")
        .arg(layout.home())
        .args(["service", "serve"])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(log_too);
    // SAFETY: setsid is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| {
            // The service outlives the terminal and the window that started it.
            rustix::process::setsid()?;
            Ok(())
        });
    }
    command
        .spawn()
        .map_err(|e| Error::io("start the Nestbox service", binary, &e))
}

/// The service's lock; `None` when another process holds it. Held as long as the file lives.
pub(crate) fn lock(path: &Path) -> Result<Option<File>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|e| Error::io("open the service's lock", path, &e))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(Error::io("lock the library", path, &error.into())),
    }
}

pub(crate) fn private_folder(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Error::io("make Nestbox's folder", path, &e))
}
