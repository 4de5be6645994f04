//! What a backend is to the engine. The only implementation is [`crate::QemuBackend`].

use crate::{Capabilities, DiskPlan, MachinePlan, Rendezvous};
use async_trait::async_trait;
use nestbox_model::{Accelerator, Arch, DiskId, NicId, PortForward, Result, layout::RunFolder};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use time::OffsetDateTime;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Runs machines.
#[async_trait]
pub trait Backend: Send + Sync {
    /// What the installed hypervisor for `arch` can do; asked once for each version of its file.
    ///
    /// # Errors
    /// `qemu-missing` (with what to install), `qemu-too-old`, `qemu-unfit`.
    async fn capabilities(&self, arch: Arch) -> Result<Arc<Capabilities>>;

    /// Starts a machine; returns when its guest runs (or, with [`MachinePlan::incoming`], waits for its memory).
    /// On failure nothing is left running.
    ///
    /// # Errors
    /// `machine-running`, `disk-in-use`, `port-taken`, `no-memory`, `no-space`, `accelerator-unusable`,
    /// `firmware-missing`, `file-not-found`, `permission-denied`, `disk-damaged`, `qemu-incomplete`, `start-failed`,
    /// `start-timeout`, and those of [`Self::capabilities`]. QEMU's own words are in the detail `technical`.
    async fn launch(&self, plan: &MachinePlan) -> Result<Arc<dyn Session>>;

    /// Takes up again what an earlier service left in `run`. What it had begun is ended: memory on its way into a file
    /// and merges of an active image are cancelled (a merge further down comes to its end by itself), overlays that
    /// were not used are closed. The guest is left as it stands; [`Session::active_images`] says what it writes.
    ///
    /// # Errors
    /// `qemu-silent` when the process lives but does not answer, so that it must not be thought dead.
    async fn adopt(&self, run: &RunFolder) -> Result<Adoption>;
}

/// What [`Backend::adopt`] found.
pub enum Adoption {
    /// It still runs.
    Running(Arc<dyn Session>),
    /// It ran, and ended while nobody watched. Told once: the traces are cleared away.
    Gone {
        /// Why, when its log says so.
        reason: Option<String>,
    },
    /// There was nothing.
    Nothing,
}

/// What a guest is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It runs.
    Running,
    /// It stands still because it was told to, or waits to be started.
    Paused,
    /// It waits for [`Session::load_memory`].
    Incoming,
    /// It stands still because a disk failed or the host's disk is full; [`Session::resume`] tries again.
    IoError,
    /// It shut down or panicked and its process is about to end or needs a reset.
    Ended,
    /// Something else, in QEMU's word.
    Other(String),
}

/// What happened to a running machine.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// The guest stands still.
    Paused,
    /// The guest goes on.
    Resumed,
    /// The guest started anew, by itself or by us.
    Reset,
    /// The guest was asked to shut down.
    ShutdownRequested,
    /// The guest shut down by itself or as asked; the process ends next.
    GuestShutdown,
    /// A disk failed.
    IoError {
        /// Which, when QEMU says.
        disk: Option<DiskId>,
        /// The host's disk is full; the guest is paused.
        no_space: bool,
    },
    /// The guest let go of a disk, as asked or by itself.
    DiskGone(DiskId),
    /// The process ended. Always the last one.
    Exited(ExitInfo),
}

/// How a machine's process ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitInfo {
    /// Exit status, known only where this service started the process.
    pub code: Option<i32>,
    /// Signal that ended it, known likewise.
    pub signal: Option<i32>,
    /// Why, in a sentence, when it was not asked for.
    pub reason: Option<String>,
    /// The guest shut down, or the end was asked for.
    pub clean: bool,
}

/// What to freeze. The overlay files exist already: qcow2, their backing file recorded, of the same capacity.
#[derive(Clone, Debug, Default)]
pub struct FreezeRequest {
    /// Where memory goes; `None` freezes disks only.
    pub memory: Option<PathBuf>,
    /// The new active image of each disk.
    pub disks: Vec<(DiskId, PathBuf)>,
    /// The new active image of the UEFI variables.
    pub nvram: Option<PathBuf>,
    /// Where to meet the freezes of other machines, so that all are cut at one instant.
    pub together: Option<Arc<Rendezvous>>,
}

/// A freeze that worked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Frozen {
    /// How long the guest stood still, in seconds; 0 when it was paused anyway.
    pub paused_seconds: f64,
}

/// Which chain of a machine an image is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeTarget {
    /// A disk's.
    Disk(DiskId),
    /// The UEFI variables'.
    Nvram,
}

/// Told how far a merge is: bytes done, bytes in all as known now.
pub type MergeProgress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// Told when the active image and the one below it show the same, before the guest goes over to the latter.
pub type Settle = Arc<dyn Fn() -> Result<()> + Send + Sync>;

/// What to merge while the machine runs: `top` into `base`, which lies directly below it. Both are images in the
/// machine's own folders; nothing but this machine stands on either.
#[derive(Clone)]
pub struct MergeRequest {
    /// The chain.
    pub target: MergeTarget,
    /// The image that leaves the chain. Its file stays.
    pub top: PathBuf,
    /// The image that shows afterwards what `top` showed.
    pub base: PathBuf,
    /// Called every now and then.
    pub progress: Option<MergeProgress>,
    /// Gives up; the chain stays as it was.
    pub cancel: CancellationToken,
    /// Where `top` is the active image: notes durably that `base` is the active one from now on. Runs while the guest
    /// stands still, on a thread that may block; must not ask anything of the session. Its error calls the merge off.
    pub settle: Option<Settle>,
}

impl fmt::Debug for MergeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergeRequest")
            .field("target", &self.target)
            .field("top", &self.top)
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// A merge that worked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Merged {
    /// How long the guest stood still, in seconds; 0 when it was paused anyway or `top` was not the active image.
    pub paused_seconds: f64,
}

/// Which files a machine writes now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActiveImages {
    /// Disks.
    pub disks: Vec<(DiskId, PathBuf)>,
    /// UEFI variables.
    pub nvram: Option<PathBuf>,
}

/// Running totals since the machine's start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counters {
    /// Processor time of the process, in seconds.
    pub cpu_seconds: f64,
    /// Resident bytes of the process.
    pub memory_resident: u64,
    /// Bytes the guest read from its disks.
    pub disk_read_bytes: u64,
    /// Bytes the guest wrote to its disks.
    pub disk_written_bytes: u64,
}

/// A running machine. Dropping it leaves the machine running and lets it be adopted again.
///
/// Every call fails with `qemu-silent` when the process does not answer in time, with `machine-not-running` when it
/// ended, with `qemu-refused` when QEMU says no for a reason Nestbox has no words for.
#[async_trait]
pub trait Session: Send + Sync {
    /// The process.
    fn pid(&self) -> u32;
    /// When it was started.
    fn started_at(&self) -> OffsetDateTime;
    /// What it runs with.
    fn accelerator(&self) -> Accelerator;
    /// QEMU's version, `10.0.2`.
    fn version(&self) -> String;
    /// Events from now on.
    fn subscribe(&self) -> broadcast::Receiver<SessionEvent>;
    /// Waits for the process's end; any number may wait.
    async fn wait_exit(&self) -> ExitInfo;
    /// What the guest does now.
    async fn run_state(&self) -> Result<RunState>;
    /// Makes the guest stand still. No-op when it does.
    async fn pause(&self) -> Result<()>;
    /// Lets the guest go on. No-op when it runs.
    async fn resume(&self) -> Result<()>;
    /// Presses the reset button.
    async fn reset(&self) -> Result<()>;
    /// Presses the power button: the guest may take its time, or not react.
    async fn shut_down(&self) -> Result<()>;
    /// Ends the process: `quit`, then SIGTERM, then SIGKILL. Returns when it ended.
    ///
    /// # Errors
    /// `machine-unkillable` when even SIGKILL does not (a process stuck in the kernel).
    async fn end(&self) -> Result<()>;
    /// Saves the guest's memory, as [`Self::freeze`] does, and ends the process; the guest does not run again in
    /// between, so that the disks stay exactly those of the memory. The end counts as asked for. When saving fails
    /// the guest goes on as it was.
    ///
    /// # Errors
    /// `no-space`, `snapshot-failed`, `snapshot-refused`; `machine-unkillable` when all is saved but the process
    /// does not end.
    async fn suspend(&self, memory: &Path) -> Result<()>;
    /// Puts new overlays under all disks and the UEFI variables in one transaction, and saves the guest's memory as
    /// of the same instant. A paused guest stays paused. On any failure the guest goes on as before, on the images
    /// it had. The memory file appears complete or not at all.
    ///
    /// # Errors
    /// `no-space`, `snapshot-failed`, `snapshot-refused` (a state in which nothing can be frozen, or another machine
    /// of [`FreezeRequest::together`] failed).
    /// `snapshot-stuck` says that the old images could not be put back: ask [`Self::active_images`].
    async fn freeze(&self, request: &FreezeRequest) -> Result<Frozen>;
    /// Writes everything in one image of a chain into the image below it and takes it out of the chain, while the
    /// guest runs. On failure, and when it is cancelled, the chain is as before. One merge at a time.
    ///
    /// # Errors
    /// `cancelled`, `no-space`, `merge-failed`, `merge-refused` (not such images, or something else is under way), and
    /// what [`MergeRequest::settle`] fails with. `merge-stuck` says that the guest could not go over to `base` after
    /// `settle`: ask [`Self::active_images`].
    async fn merge(&self, request: &MergeRequest) -> Result<Merged>;
    /// Which files the machine writes now: what a service needs that died in the middle of a freeze.
    async fn active_images(&self) -> Result<ActiveImages>;
    /// Fills a machine launched with [`MachinePlan::incoming`] and leaves it paused.
    ///
    /// # Errors
    /// `file-not-found`, `memory-damaged`, `memory-unfit` (saved by another QEMU or for other devices).
    async fn load_memory(&self, file: &Path) -> Result<()>;
    /// Writes a picture of the screen as PNG.
    ///
    /// # Errors
    /// `no-picture` when there is no screen.
    async fn screenshot(&self, png: &Path) -> Result<()>;
    /// Presses chords one after the other: `ctrl-alt-delete`, `ret`, `a`.
    ///
    /// # Errors
    /// `bad-key` before anything is pressed.
    async fn send_keys(&self, chords: &[String]) -> Result<()>;
    /// Types text on a US keyboard. Returns the characters that it has no key for, which are left out.
    async fn type_text(&self, text: &str) -> Result<Vec<char>>;
    /// Adds a port forward; returns it with its real host port.
    ///
    /// # Errors
    /// `port-taken`.
    async fn add_forward(&self, nic: &NicId, forward: PortForward) -> Result<PortForward>;
    /// Removes the forward of this host port and protocol.
    ///
    /// # Errors
    /// `forward-not-found`.
    async fn remove_forward(&self, nic: &NicId, forward: PortForward) -> Result<()>;
    /// The forwards of all NICs as they are, real host ports included.
    async fn forwards(&self) -> Result<Vec<PortForward>>;
    /// Puts an image into the CD/DVD drive, throwing out what is there.
    ///
    /// # Errors
    /// `file-not-found`, `permission-denied`, `no-drive`.
    async fn insert_medium(&self, path: &Path) -> Result<()>;
    /// Empties the CD/DVD drive, even if the guest locked it.
    async fn eject_medium(&self) -> Result<()>;
    /// Plugs a disk into the slot that its plan says. Its own images lie in [`MachinePlan::images`].
    ///
    /// # Errors
    /// `plug-failed` (nothing is left), `file-not-found`, `permission-denied`.
    async fn plug_disk(&self, disk: &DiskPlan, arch: Arch) -> Result<()>;
    /// Asks the guest to let go of a disk that was plugged in, and closes its images.
    ///
    /// # Errors
    /// `guest-holds-disk` (conflict) when it does not.
    async fn unplug_disk(&self, disk: &DiskPlan) -> Result<()>;
    /// Makes a disk larger for the guest, now.
    ///
    /// # Errors
    /// `resize-failed`.
    async fn resize_disk(&self, disk: &DiskId, capacity: u64) -> Result<()>;
    /// Plugs a NIC's cable in or out.
    async fn set_link(&self, nic: &NicId, up: bool) -> Result<()>;
    /// What it used so far.
    async fn counters(&self) -> Result<Counters>;
}
