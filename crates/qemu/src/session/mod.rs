//! A running machine: its connection, its events, its end.

mod disks;
mod forwards;
mod freeze;
mod jobs;
mod keys;
mod loading;
pub(crate) mod logs;
mod media;
pub(crate) mod memory;
mod merge;
mod operations;
pub(crate) mod pack;
mod plug;
mod saving;
mod tidy;
mod watch;

use crate::{
    ExitInfo, SessionEvent,
    process::Handle,
    qmp::{Qmp, SILENT},
    record::SessionRecord,
};
use nestbox_model::{DiskId, Error, Result, layout::RunFolder};
use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::{
    process::Child,
    sync::{broadcast, watch as tokio_watch},
    task::JoinHandle,
};

/// Whose child the process is: only its parent learns how it ended.
pub(crate) enum Owner {
    /// This process started it.
    Us(Child),
    /// An earlier service did.
    Other,
}

/// A running machine. Its tasks end with it; the machine does not.
pub(crate) struct QemuSession {
    record: SessionRecord,
    run: RunFolder,
    handle: Arc<Handle>,
    link: Arc<Link>,
    exit: tokio_watch::Receiver<Option<ExitInfo>>,
    /// Operations of several steps come one after the other.
    operation: tokio::sync::Mutex<()>,
    /// Merges take long and let other operations in; snapshots are kept out.
    merging: tokio::sync::Mutex<()>,
    /// Names of nodes added while it runs.
    next_name: AtomicU64,
    /// Makes names differ from those of an earlier service.
    nonce: u32,
    /// Lets an operation go on when its caller has gone.
    me: Weak<Self>,
    tasks: Vec<JoinHandle<()>>,
}

/// What the session and its watcher share.
pub(crate) struct Link {
    /// The connection, while there is one.
    qmp: Mutex<Option<Arc<Qmp>>>,
    events: broadcast::Sender<SessionEvent>,
    /// Pauses that are part of an operation are nobody's business.
    quiet: AtomicBool,
    /// The end was asked for.
    end_asked: AtomicBool,
    /// Reason of QEMU's last SHUTDOWN event.
    shutdown: Mutex<Option<String>>,
    /// Disks, those that came while it ran too.
    disks: Mutex<Vec<DiskId>>,
}

impl Link {
    fn current(&self) -> Option<Arc<Qmp>> {
        self.qmp.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn set(&self, qmp: Option<Arc<Qmp>>) {
        *self.qmp.lock().unwrap_or_else(PoisonError::into_inner) = qmp;
    }
    fn disks(&self) -> Vec<DiskId> {
        self.disks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn emit(&self, event: SessionEvent) {
        let _ = self.events.send(event);
    }
}

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

impl Drop for QemuSession {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        // The next client of the socket is served only when this one has gone.
        self.link.set(None);
    }
}

impl QemuSession {
    /// Watches a process that answers on `qmp`.
    pub fn new(
        record: SessionRecord,
        run: RunFolder,
        handle: Arc<Handle>,
        qmp: Qmp,
        owner: Owner,
    ) -> Arc<Self> {
        let (events, _) = broadcast::channel(256);
        let link = Arc::new(Link {
            qmp: Mutex::new(Some(Arc::new(qmp))),
            events,
            quiet: AtomicBool::new(false),
            end_asked: AtomicBool::new(false),
            shutdown: Mutex::new(None),
            disks: Mutex::new(record.disks.clone()),
        });
        let (exiting, exit) = tokio_watch::channel(None);
        let pump = tokio::spawn(watch::pump(
            Arc::clone(&link),
            run.clone(),
            record.process.clone(),
        ));
        let keeper = tokio::spawn(logs::keep_short(
            record.serial_log.clone(),
            record.backend_log.clone(),
        ));
        // Not among the tasks that end with the session: a child must be reaped whoever still looks at it.
        tokio::spawn(watch::until_exit(
            owner,
            Arc::clone(&handle),
            Arc::downgrade(&link),
            record.clone(),
            run.clone(),
            exiting,
        ));
        let nonce = RandomState::new().hash_one(record.process.pid) as u32;
        Arc::new_cyclic(|me| Self {
            record,
            run,
            handle,
            link,
            exit,
            operation: Default::default(),
            merging: Default::default(),
            next_name: AtomicU64::new(1),
            nonce,
            me: me.clone(),
            tasks: vec![pump, keeper],
        })
    }

    /// The connection.
    fn qmp(&self) -> Result<Arc<Qmp>> {
        if self.exit.borrow().is_some() {
            return Err(Error::conflict(
                "machine-not-running",
                "The machine is not running any more.",
            ));
        }
        self.link.current().filter(|qmp| qmp.is_open()).ok_or_else(|| {
            Error::failed(
                SILENT,
                "The connection to the machine's process was lost; Nestbox is trying to get it back.",
            )
            .with_hint("Try again in a moment.")
        })
    }

    /// Runs an operation of several steps to its end (done or undone), even if whoever asked for it gives up.
    async fn to_the_end<T, F>(&self, work: impl FnOnce(Arc<Self>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let internal = |why: &str| {
            Error::failed(
                "internal",
                format!("An operation on the machine broke off: {why}."),
            )
        };
        let me = self
            .me
            .upgrade()
            .ok_or_else(|| internal("the session has ended"))?;
        tokio::spawn(work(me))
            .await
            .map_err(|error| internal(&error.to_string()))?
    }
}
