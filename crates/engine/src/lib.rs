//! The engine: every operation on the library, each the same for the window, the command line and scripts.
//!
//! One [`Engine`] owns a data directory. Each machine has one operation lock, so operations on it happen one after
//! the other; observed changes (the guest shut down, the process died) come in from a watcher task. The folder's
//! `machine.toml` is written first, the SQLite index after it; steps that span several files are journalled and
//! finished or rolled back at the next start ([`recover`]).
//!
//! Absent on purpose: HTTP, the command line's words, anything about windows.

mod auto;
mod browse;
mod cache;
mod carry;
mod changes;
mod check;
mod clone;
mod clones;
mod compare;
mod console;
mod create;
mod deep;
mod delete;
mod disks;
mod doctor;
mod events;
mod files;
mod from_template;
mod garbage;
mod hardware;
mod import;
mod jobs;
mod library;
mod lifecycle;
mod machine;
mod media;
mod pack;
mod ports;
mod recover;
mod restore;
mod screen;
mod settings;
mod snapshots;
mod space;
mod stats;
mod suspend;
mod take;
mod tidy;
mod trash;

pub use browse::FilesQuery;
pub use console::{Console, ConsoleOutput};
pub use events::EventStream;
pub use machine::MachineRef;

use machine::Handle;
use nestbox_accel::Probe;
use nestbox_catalog::{Catalog, Mirrors};
use nestbox_model::layout::Layout;
use nestbox_model::{MachineId, Result};
use nestbox_qemu::{Backend, QemuBackend};
use nestbox_store::Library;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock, RwLock};
use time::OffsetDateTime;

/// The engine; cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

pub(crate) struct Inner {
    layout: Layout,
    library: RwLock<Library>,
    catalog: Catalog,
    probe: Arc<Probe>,
    backend: Arc<dyn Backend>,
    events: events::Events,
    jobs: jobs::Jobs,
    settings: settings::Settings,
    stats: stats::Sampler,
    machines: RwLock<HashMap<MachineId, Arc<Handle>>>,
    /// Who stands on whose images.
    clones: RwLock<Vec<clones::Link>>,
    started_at: OffsetDateTime,
    notices: RwLock<Vec<String>>,
    trash: tokio::sync::Mutex<()>,
    disk_reader: OnceLock<nestbox_browse::Helper>,
    /// Held for reading while a machine is being made from a download, for writing while downloads are removed.
    making: tokio::sync::RwLock<()>,
    /// Images that jobs read just now.
    readings: carry::Readings,
}

impl Engine {
    /// Opens the library in `layout`, mends what a crash left, and adopts the machines that still run. The caller
    /// holds the service lock.
    ///
    /// # Errors
    /// When the data directory can't be used at all, or its library is from a newer Nestbox.
    pub async fn open(layout: Layout) -> Result<Self> {
        library::make_folders(&layout)?;
        let mut notices = Vec::new();
        let library = library::open_or_rebuild(&layout, &mut notices)?;
        let settings = settings::Settings::load(&layout.settings())?;
        let catalog = Catalog::load(&layout.cache(), Some(&layout.home().join("templates")))?;
        let engine = Self(Arc::new(Inner {
            probe: Arc::new(Probe::new(layout.cache().join("accelerators.json"))),
            backend: Arc::new(QemuBackend::default()),
            events: events::Events::default(),
            jobs: jobs::Jobs::load(&library)?,
            settings,
            stats: stats::Sampler::default(),
            machines: RwLock::default(),
            clones: RwLock::default(),
            started_at: OffsetDateTime::now_utc(),
            notices: RwLock::new(notices),
            trash: tokio::sync::Mutex::default(),
            disk_reader: OnceLock::new(),
            making: tokio::sync::RwLock::default(),
            readings: carry::Readings::default(),
            library: RwLock::new(library),
            catalog,
            layout,
        }));
        engine.recover().await?;
        engine.sweep_trash();
        engine.load_machines().await?;
        engine.refresh_clones()?;
        engine.recover_snapshots().await?;
        engine.settle_between_runs().await;
        engine.spawn_sampler();
        engine.spawn_schedule();
        engine.tidy_all();
        Ok(engine)
    }

    /// The data directory's paths.
    pub fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// When this engine was opened.
    pub fn started_at(&self) -> OffsetDateTime {
        self.0.started_at
    }

    /// A machine runs or a job works: the service must stay.
    pub fn is_busy(&self) -> bool {
        self.0.jobs.any_active() || self.handles().iter().any(|handle| handle.state().is_active())
    }

    pub(crate) fn library(&self) -> Library {
        self.0
            .library
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn mirrors(&self) -> Result<Mirrors> {
        self.0.settings.mirrors()
    }
}
