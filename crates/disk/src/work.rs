//! Long work away from the async threads: progress, cancelling, and what files need to be durable.

use nestbox_model::{Error, Result};
use std::{
    fs::File,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How often progress is reported.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// Progress of a long work: bytes done and bytes in all.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// What a worker shares with the one who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Control {
    done: AtomicU64,
    total: AtomicU64,
    cancelled: AtomicBool,
}

impl Control {
    /// One piece of work more.
    pub(crate) fn add_total(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }
    pub(crate) fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }
    /// An error once the work was cancelled; workers call it at least every few MiB.
    pub(crate) fn go_on(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    }
}

/// Stops the worker when the future that waits for it is dropped.
struct CancelOnDrop(Arc<Control>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` on a blocking thread, reports its progress, and hands cancelling on. Always waits for the worker, so
/// that it has cleaned up; if this future is dropped the worker cleans up by itself a moment later.
pub(crate) async fn run<T: Send + 'static>(
    progress: Progress<'_>,
    cancel: &CancellationToken,
    work: impl FnOnce(&Control) -> Result<T> + Send + 'static,
) -> Result<T> {
    let control = Arc::new(Control::default());
    let _guard = CancelOnDrop(control.clone());
    let for_worker = control.clone();
    let mut worker = tokio::task::spawn_blocking(move || work(&for_worker));
    let mut ticks = tokio::time::interval(REPORT_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut waiting_for_cancel = true;
    loop {
        tokio::select! {
            outcome = &mut worker => {
                let outcome = outcome.unwrap_or_else(|error| Err(worker_died(&error)));
                if outcome.is_ok() {
                    progress(control.done.load(Ordering::Relaxed), control.total.load(Ordering::Relaxed));
                }
                return outcome;
            }
            _ = ticks.tick() => {
                progress(control.done.load(Ordering::Relaxed), control.total.load(Ordering::Relaxed));
            }
            () = cancel.cancelled(), if waiting_for_cancel => {
                control.cancelled.store(true, Ordering::Relaxed);
                waiting_for_cancel = false;
            }
        }
    }
}

/// Runs short blocking work.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(worker_died(&error)))
}

fn worker_died(error: &tokio::task::JoinError) -> Error {
    Error::failed(
        "internal-error",
        "A part of Nestbox failed while it worked on a disk image.",
    )
    .with_hint("Please report this.")
    .with_detail("system", error.to_string())
}

/// Makes the names in the folder of `path` durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(
        path.parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new(".")),
    )?
    .sync_all()
}

/// Errors unless the file system of `folder` has `needed` bytes free, and some to spare.
pub(crate) fn need_space(folder: &Path, needed: u64) -> Result<()> {
    const SPARE: u64 = 16 << 20;
    // Where it can't be told, the write itself will.
    let Ok(facts) = rustix::fs::statvfs(folder) else {
        return Ok(());
    };
    let free = facts.f_bavail.saturating_mul(facts.f_frsize);
    if free >= needed.saturating_add(SPARE) {
        return Ok(());
    }
    let text = nestbox_model::units::format_size;
    Err(Error::unfit(
        "no-space",
        format!(
            "There is not enough space: {} are needed, {} are free.",
            text(needed),
            text(free)
        ),
    )
    .with_hint("Free some space (the trash and the image cache are good places to look), then try again.")
    .with_detail("needed", needed)
    .with_detail("free", free)
    .with_detail("path", folder.display().to_string()))
}
