//! A machine in memory: its spec, what is observed of it, and its one operation lock.

use crate::{Engine, files};
use nestbox_display::Display;
use nestbox_model::layout::MachineFolder;
use nestbox_model::{
    Accelerator, Disk, DiskSpec, Error, EventKind, JobId, Machine, MachineId, MachineSpec, MachineState,
    Medium, Nic, Protocol, Result, WaysIn,
};
use nestbox_qemu::Session;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::{Mutex, MutexGuard, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

/// How long an operation waits for the one before it.
const BUSY_WAIT: Duration = Duration::from_secs(20);

/// How clients name a machine: name, id or unambiguous id prefix.
pub type MachineRef<'a> = &'a str;

pub(crate) struct Handle {
    pub id: MachineId,
    operation: Arc<Mutex<()>>,
    /// Work in the background that waits for the lock or has it, and gives way.
    background: std::sync::Mutex<Vec<CancellationToken>>,
    gone: AtomicBool,
    /// Who reads images of snapshots; while anybody does, none is changed or removed.
    pub readers: AtomicUsize,
    cell: RwLock<Cell>,
}

/// What is known of a machine right now.
pub(crate) struct Cell {
    pub spec: MachineSpec,
    pub state: MachineState,
    pub reason: Option<String>,
    pub session: Option<Arc<dyn Session>>,
    pub accelerator: Option<Accelerator>,
    pub accelerator_reason: Option<String>,
    pub started_at: Option<OffsetDateTime>,
    pub display: Option<Display>,
    pub job: Option<JobId>,
    pub snapshot_count: u32,
    pub thumbnail: Option<crate::screen::Thumbnail>,
    pub console: std::sync::Weak<crate::console::ConsoleHub>,
}

impl Handle {
    pub fn new(spec: MachineSpec, state: MachineState) -> Self {
        Self {
            id: spec.id.clone(),
            operation: Arc::default(),
            background: std::sync::Mutex::default(),
            gone: AtomicBool::new(false),
            readers: AtomicUsize::new(0),
            cell: RwLock::new(Cell {
                spec,
                state,
                reason: None,
                session: None,
                accelerator: None,
                accelerator_reason: None,
                started_at: None,
                display: None,
                job: None,
                snapshot_count: 0,
                thumbnail: None,
                console: crate::console::none(),
            }),
        }
    }

    pub fn read(&self) -> RwLockReadGuard<'_, Cell> {
        self.cell.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, Cell> {
        self.cell.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn spec(&self) -> MachineSpec {
        self.read().spec.clone()
    }

    pub fn name(&self) -> String {
        self.read().spec.name.clone()
    }

    pub fn state(&self) -> MachineState {
        self.read().state
    }

    /// The running session.
    ///
    /// # Errors
    /// `machine-not-running` (conflict).
    pub fn session(&self) -> Result<Arc<dyn Session>> {
        let cell = self.read();
        cell.session.clone().ok_or_else(|| {
            Error::conflict(
                "machine-not-running",
                format!("“{}” is not running.", cell.spec.name),
            )
            .with_hint(format!(
                "Start it with: nestbox start {}",
                shell_word(&cell.spec.name)
            ))
        })
    }

    /// Waits for the operation before this one.
    ///
    /// # Errors
    /// `machine-busy` (conflict) when it takes too long, with the job's id if a job holds the machine.
    pub async fn lock(&self) -> Result<MutexGuard<'_, ()>> {
        let guard = self.wait_for_turn().await?;
        // Who waited behind a deletion holds a machine that is not there any more.
        if self.gone.load(Ordering::Acquire) {
            return Err(not_there(&self.name()));
        }
        Ok(guard)
    }

    /// The operation lock if nobody has it, to be kept for as long as wanted.
    pub fn try_lock_owned(&self) -> Option<OwnedMutexGuard<()>> {
        self.operation.clone().try_lock_owned().ok()
    }

    /// The operation lock for work that can be broken off: any other operation cancels the token that comes with it.
    ///
    /// # Errors
    /// `cancelled` when `job` is; the machine is gone.
    pub async fn lock_in_background(
        &self,
        job: &CancellationToken,
    ) -> Result<(BackgroundGuard<'_>, CancellationToken)> {
        loop {
            let token = job.child_token();
            self.background().retain(|other| !other.is_cancelled());
            self.background().push(token.clone());
            let guard = tokio::select! {
                guard = self.operation.lock() => guard,
                () = job.cancelled() => {
                    token.cancel();
                    return Err(Error::cancelled());
                }
            };
            if self.gone.load(Ordering::Acquire) {
                return Err(not_there(&self.name()));
            }
            // Somebody came while this waited: they first.
            if !token.is_cancelled() {
                let guard = BackgroundGuard {
                    token: token.clone(),
                    _turn: guard,
                };
                return Ok((guard, token));
            }
            drop(guard);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn background(&self) -> std::sync::MutexGuard<'_, Vec<CancellationToken>> {
        self.background.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait_for_turn(&self) -> Result<MutexGuard<'_, ()>> {
        for background in self.background().drain(..) {
            background.cancel();
        }
        match tokio::time::timeout(BUSY_WAIT, self.operation.lock()).await {
            Ok(guard) => Ok(guard),
            Err(_) => Err(self.busy()),
        }
    }

    /// Like [`Self::lock`] for a machine that must be complete: not while a create or import job makes it.
    pub async fn lock_ready(&self) -> Result<MutexGuard<'_, ()>> {
        if self.state() == MachineState::Creating {
            return Err(self.busy());
        }
        self.lock().await
    }

    /// As [`Self::lock_ready`], for a job that holds the machine until it ended.
    pub async fn lock_ready_owned(&self) -> Result<OwnedMutexGuard<()>> {
        drop(self.lock_ready().await?);
        let turn = tokio::time::timeout(BUSY_WAIT, self.operation.clone().lock_owned()).await;
        match turn {
            Ok(_) if self.gone.load(Ordering::Acquire) => Err(not_there(&self.name())),
            Ok(guard) => Ok(guard),
            Err(_) => Err(self.busy()),
        }
    }

    fn busy(&self) -> Error {
        let cell = self.read();
        let error = Error::conflict(
            "machine-busy",
            format!("Another operation is working on “{}”.", cell.spec.name),
        )
        .with_hint("Wait for it to end, or cancel its job.");
        match &cell.job {
            Some(job) => error.with_detail("job", job.as_str()),
            None => error,
        }
    }
}

/// The operation lock in the hands of background work.
pub(crate) struct BackgroundGuard<'a> {
    token: CancellationToken,
    _turn: MutexGuard<'a, ()>,
}

impl Drop for BackgroundGuard<'_> {
    fn drop(&mut self) {
        // Nobody need cancel it any more.
        self.token.cancel();
    }
}

/// A disk as clients see it.
pub(crate) fn view_disk(disk: &DiskSpec, number: u32, folder: &MachineFolder) -> Disk {
    let path = folder.disk_image(&disk.image);
    let linked = disk.linked.as_deref();
    Disk {
        id: disk.id.clone(),
        used: files::allocated_bytes(&path),
        path: path.display().to_string(),
        format: "qcow2".into(),
        capacity: disk.capacity,
        read_only: disk.read_only,
        number,
        bus: disk.bus,
        cache: disk.cache,
        discard: disk.discard,
        iothread: disk.iothread,
        label: disk.label.clone(),
        linked: disk.linked.clone(),
        linked_missing: linked.is_some_and(|path| !Path::new(path).exists()),
    }
}

fn not_there(wanted: &str) -> Error {
    Error::not_found("machine-not-found", format!("There is no machine “{wanted}”."))
}

/// Quoted for a POSIX shell where it needs to be, for hints.
pub(crate) fn shell_word(text: &str) -> String {
    nestbox_qemu::shell_quoted(&[text.to_owned()])
}

impl Engine {
    pub(crate) fn handles(&self) -> Vec<Arc<Handle>> {
        self.0
            .machines
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    pub(crate) fn handle_by_id(&self, id: &MachineId) -> Option<Arc<Handle>> {
        self.0
            .machines
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    pub(crate) fn add_handle(&self, handle: Arc<Handle>) {
        self.0
            .machines
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(handle.id.clone(), handle);
    }

    pub(crate) fn drop_handle(&self, id: &MachineId) {
        let dropped = self
            .0
            .machines
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        if let Some(handle) = dropped {
            handle.gone.store(true, Ordering::Release);
        }
    }

    pub(crate) fn folder(&self, id: &MachineId) -> MachineFolder {
        self.0.layout.machine(id)
    }

    /// Finds a machine by exact name, then by name without regard to case, then by id or unambiguous id prefix.
    ///
    /// # Errors
    /// `machine-not-found`, with near names; `machine-ambiguous` for a prefix of several ids.
    pub(crate) fn find(&self, wanted: MachineRef<'_>) -> Result<Arc<Handle>> {
        let handles = self.handles();
        let folded = wanted.to_lowercase();
        let by = |same: &dyn Fn(&Handle) -> bool| handles.iter().find(|handle| same(handle));
        if let Some(handle) = by(&|h| h.id.as_str() == wanted)
            .or_else(|| by(&|h| h.read().spec.name == wanted))
            .or_else(|| by(&|h| h.read().spec.name.to_lowercase() == folded))
        {
            return Ok(handle.clone());
        }
        let by_prefix: Vec<_> = handles
            .iter()
            .filter(|h| wanted.len() >= 4 && h.id.as_str().starts_with(&folded))
            .collect();
        match by_prefix.as_slice() {
            [one] => Ok((*one).clone()),
            [] => {
                let near: Vec<String> = handles
                    .iter()
                    .map(|h| h.name())
                    .filter(|name| {
                        name.to_lowercase().contains(&folded) || folded.contains(&name.to_lowercase())
                    })
                    .take(3)
                    .collect();
                let hint = if near.is_empty() {
                    "See all with: nestbox list".to_owned()
                } else {
                    format!(
                        "Did you mean {}?",
                        near.iter()
                            .map(|n| format!("“{n}”"))
                            .collect::<Vec<_>>()
                            .join(" or ")
                    )
                };
                Err(not_there(wanted).with_hint(hint))
            }
            several => Err(Error::usage(
                "machine-ambiguous",
                format!("“{wanted}” is the beginning of {} machines' ids.", several.len()),
            )
            .with_hint("Give more of the id, or the name.")),
        }
    }

    /// All machines, by name.
    pub fn machines(&self) -> Vec<Machine> {
        let mut all: Vec<Machine> = self.handles().iter().map(|handle| self.view(handle)).collect();
        all.sort_by_cached_key(|machine| (machine.name.to_lowercase(), machine.id.clone()));
        all
    }

    /// One machine.
    pub fn machine(&self, wanted: MachineRef<'_>) -> Result<Machine> {
        Ok(self.view(&*self.find(wanted)?))
    }

    /// Writes a changed spec: file first, then the index, then memory, then everyone is told.
    ///
    /// # Errors
    /// `machine-broken` where the file can't be read or is of a newer Nestbox: it is left as it is.
    pub(crate) fn save_spec(&self, handle: &Handle, spec: MachineSpec) -> Result<()> {
        if handle.state() == MachineState::Broken {
            let reason = handle.read().reason.clone().unwrap_or_default();
            return Err(Error::failed(
                "machine-broken",
                format!("“{}” is left as it is: {reason}", handle.name()),
            )
            .with_hint("Mend its machine.toml, or update Nestbox, and restart the service."));
        }
        files::write_spec(&self.folder(&handle.id), &spec)?;
        self.library().upsert_machine(&spec)?;
        handle.write().spec = spec;
        Ok(())
    }

    pub(crate) fn set_state(&self, handle: &Handle, state: MachineState, reason: Option<String>) {
        let changed = {
            let mut cell = handle.write();
            let changed = cell.state != state || cell.reason != reason;
            cell.state = state;
            cell.reason = reason;
            changed
        };
        if changed {
            self.tell_machine(EventKind::MachineState, handle, None);
        }
    }

    /// The machine as clients see it.
    pub(crate) fn view(&self, handle: &Handle) -> Machine {
        let cell = handle.read();
        let spec = &cell.spec;
        let folder = self.folder(&handle.id);
        let disks = spec
            .disks
            .iter()
            .zip(1..)
            .map(|(disk, number)| view_disk(disk, number, &folder))
            .collect();
        Machine {
            id: handle.id.clone(),
            name: spec.name.clone(),
            state: cell.state,
            state_reason: cell.reason.clone(),
            arch: spec.arch,
            template: spec.template.clone(),
            system: spec.system.clone(),
            cpus: spec.cpus,
            memory: spec.memory,
            firmware: spec.firmware,
            accelerator: cell.accelerator,
            accelerator_reason: cell.accelerator_reason.clone(),
            accelerator_choice: spec.accelerator,
            boot_order: spec.boot_order.clone(),
            clock_local: spec.clock_local,
            created_at: spec.created_at,
            started_at: cell.started_at,
            tags: spec.tags.clone(),
            notes: spec.notes.clone(),
            pid: cell.session.as_ref().map(|session| session.pid()),
            current_snapshot: spec.current_snapshot.clone(),
            snapshots: cell.snapshot_count,
            folder: folder.path().display().to_string(),
            resolution: (spec.display.width, spec.display.height),
            disks,
            medium: spec.medium.as_ref().map(|medium| Medium {
                name: Path::new(&medium.path)
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                missing: !Path::new(&medium.path).exists(),
                path: medium.path.clone(),
            }),
            nics: spec
                .nics
                .iter()
                .map(|nic| Nic {
                    id: nic.id.clone(),
                    network: nic.network.clone(),
                    mac: nic.mac.clone(),
                    address: None,
                    link: nic.link,
                })
                .collect(),
            ports: spec.ports.clone(),
            shares: Vec::new(),
            user: spec.user.clone(),
            ways_in: ways_in(spec, &folder),
            job: cell.job.clone(),
            auto_snapshots: spec.auto_snapshots,
            disposable: spec.disposable.is_some(),
            suspended_at: spec.suspended.as_ref().map(|suspended| suspended.at),
            origin: spec.origin.clone(),
            needed_by: self.clones_of(&handle.id),
            settable: crate::changes::KEYS.iter().map(|key| (*key).to_owned()).collect(),
        }
    }
}

fn ways_in(spec: &MachineSpec, folder: &MachineFolder) -> WaysIn {
    let forward = spec
        .ports
        .iter()
        .find(|port| port.guest == 22 && port.protocol == Protocol::Tcp && port.host != 0);
    let ssh_command = forward.zip(spec.user.as_ref()).map(|(forward, user)| {
        let mut argv = vec!["ssh".to_owned(), "-p".into(), forward.host.to_string()];
        if let Some(key) = &user.private_key {
            argv.extend(["-i".into(), folder.path().join(key).display().to_string()]);
        }
        argv.push(format!("{}@127.0.0.1", user.name));
        nestbox_qemu::shell_quoted(&argv)
    });
    WaysIn { ssh_command }
}
