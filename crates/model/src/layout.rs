//! Every name Nestbox uses on disk, in one place. Pure: nothing here touches the file system.
//!
//! ```text
//! NESTBOX_HOME/
//!   library.db            SQLite index (+ -wal, -shm), application id "Nest"
//!   service.lock          held by the one running service
//!   settings.toml         the user's settings
//!   backups/              copies of library.db before a migration
//!   machines/<id>/        one folder a machine
//!     machine.toml        the spec: the truth
//!     disks/<uuid>.qcow2  the active images and those snapshots froze
//!     nvram/<uuid>.qcow2  UEFI variables, likewise
//!     snapshots/<id>/     snapshot.toml, memory (or memory.zst), screenshot.png
//!     suspended/          memory of a machine that was suspended
//!     ssh/id_ed25519[.pub]
//!     seed.img            cloud-init NoCloud seed (vfat, label CIDATA)
//!     logs/qemu.log, logs/serial.log
//!     thumbnail.png       last picture of the screen
//!   trash/<id>/           the same, deleted
//!   window.json           size and place of the window
//!   cache/images/<digest>.<ext>  verified downloads, read-only
//!   cache/partial/        downloads under way
//!   cache/accelerators.json
//!   logs/service.log
//!   run/                  sockets; elsewhere when the path is too long for a unix socket
//!     service.sock
//!     window.sock, window.lock  the one window of this data dir
//!     <short id>/         qmp.sock, vnc.sock, serial.sock, agent.sock, session.json
//! ```

use crate::{MachineId, SnapshotId};
use std::path::{Path, PathBuf};

/// Longest usable unix socket path in bytes: `sun_path` less its NUL, the smaller of Linux's 108 and macOS's 104.
pub const SOCKET_PATH_MAX: usize = 103;

/// Name of the spec in a machine's folder.
pub const MACHINE_FILE: &str = "machine.toml";
/// Name of a snapshot's record in its folder.
pub const SNAPSHOT_FILE: &str = "snapshot.toml";

/// The data directory's paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    home: PathBuf,
    run: PathBuf,
}

impl Layout {
    /// `home` must be absolute. `short_run_base` is where the run folder goes when `home/run` is too long for
    /// sockets: a private folder of this user such as `/run/user/1000`; a name made from `home` is added to it.
    pub fn new(home: impl Into<PathBuf>, short_run_base: &Path) -> Self {
        let home = home.into();
        let inside = home.join("run");
        // The longest socket name under run/ is "<8 digits>/serial.sock".
        let longest = inside.as_os_str().len() + 1 + 8 + 1 + "serial.sock".len();
        let run = if longest <= SOCKET_PATH_MAX {
            inside
        } else {
            short_run_base.join(format!(
                "nestbox-{:016x}",
                fnv1a(home.as_os_str().as_encoded_bytes())
            ))
        };
        Self { home, run }
    }
    /// The data directory.
    pub fn home(&self) -> &Path {
        &self.home
    }
    /// The SQLite file.
    pub fn database(&self) -> PathBuf {
        self.home.join("library.db")
    }
    /// Copies of the database before migrations.
    pub fn backups(&self) -> PathBuf {
        self.home.join("backups")
    }
    /// Locked by the one running service.
    pub fn service_lock(&self) -> PathBuf {
        self.home.join("service.lock")
    }
    /// User settings.
    pub fn settings(&self) -> PathBuf {
        self.home.join("settings.toml")
    }
    /// All machines.
    pub fn machines(&self) -> PathBuf {
        self.home.join("machines")
    }
    /// One machine.
    pub fn machine(&self, id: &MachineId) -> MachineFolder {
        MachineFolder(self.machines().join(id.as_str()))
    }
    /// Deleted machines.
    pub fn trash(&self) -> PathBuf {
        self.home.join("trash")
    }
    /// One deleted machine.
    pub fn trashed(&self, id: &MachineId) -> MachineFolder {
        MachineFolder(self.trash().join(id.as_str()))
    }
    /// The image cache and other things that can be made again.
    pub fn cache(&self) -> PathBuf {
        self.home.join("cache")
    }
    /// Logs of the service.
    pub fn service_log(&self) -> PathBuf {
        self.home.join("logs").join("service.log")
    }
    /// Folder of sockets (mode 0700).
    pub fn run(&self) -> &Path {
        &self.run
    }
    /// The service's socket.
    pub fn service_socket(&self) -> PathBuf {
        self.run.join("service.sock")
    }
    /// Size and place of the window.
    pub fn window_state(&self) -> PathBuf {
        self.home.join("window.json")
    }
    /// Where a second launch of the window asks the first to come forward.
    pub fn window_socket(&self) -> PathBuf {
        self.run.join("window.sock")
    }
    /// Held by the one window.
    pub fn window_lock(&self) -> PathBuf {
        self.run.join("window.lock")
    }
    /// Run folder of one machine.
    pub fn machine_run(&self, id: &MachineId) -> RunFolder {
        RunFolder(self.run.join(id.short()))
    }
}

/// Paths in one machine's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineFolder(pub PathBuf);

#[allow(missing_docs)]
impl MachineFolder {
    pub fn path(&self) -> &Path {
        &self.0
    }
    pub fn spec(&self) -> PathBuf {
        self.0.join(MACHINE_FILE)
    }
    pub fn disks(&self) -> PathBuf {
        self.0.join("disks")
    }
    pub fn disk_image(&self, file_name: &str) -> PathBuf {
        self.disks().join(file_name)
    }
    pub fn nvram(&self) -> PathBuf {
        self.0.join("nvram")
    }
    pub fn nvram_image(&self, file_name: &str) -> PathBuf {
        self.nvram().join(file_name)
    }
    pub fn snapshots(&self) -> PathBuf {
        self.0.join("snapshots")
    }
    pub fn snapshot(&self, id: &SnapshotId) -> SnapshotFolder {
        SnapshotFolder(self.snapshots().join(id.as_str()))
    }
    /// Where a suspended machine's memory is, laid out as a snapshot's.
    pub fn suspended(&self) -> SnapshotFolder {
        SnapshotFolder(self.0.join("suspended"))
    }
    pub fn ssh(&self) -> PathBuf {
        self.0.join("ssh")
    }
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }
    pub fn backend_log(&self) -> PathBuf {
        self.logs().join("qemu.log")
    }
    pub fn serial_log(&self) -> PathBuf {
        self.logs().join("serial.log")
    }
    pub fn thumbnail(&self) -> PathBuf {
        self.0.join("thumbnail.png")
    }
}

/// Paths in one snapshot's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFolder(pub PathBuf);

#[allow(missing_docs)]
impl SnapshotFolder {
    pub fn path(&self) -> &Path {
        &self.0
    }
    pub fn record(&self) -> PathBuf {
        self.0.join(SNAPSHOT_FILE)
    }
    pub fn memory(&self) -> PathBuf {
        self.0.join("memory")
    }
    /// The memory file compressed; never beside a complete [`Self::memory`] for longer than a step.
    pub fn packed_memory(&self) -> PathBuf {
        self.0.join("memory.zst")
    }
    pub fn screenshot(&self) -> PathBuf {
        self.0.join("screenshot.png")
    }
}

/// Sockets of one running machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder(pub PathBuf);

#[allow(missing_docs)]
impl RunFolder {
    pub fn path(&self) -> &Path {
        &self.0
    }
    pub fn qmp(&self) -> PathBuf {
        self.0.join("qmp.sock")
    }
    pub fn vnc(&self) -> PathBuf {
        self.0.join("vnc.sock")
    }
    pub fn serial(&self) -> PathBuf {
        self.0.join("serial.sock")
    }
    pub fn agent(&self) -> PathBuf {
        self.0.join("agent.sock")
    }
    /// Pid, process start time, accelerator: what adoption needs.
    pub fn session(&self) -> PathBuf {
        self.0.join("session.json")
    }
}

/// FNV-1a, 64 bit: a short stable name for a folder, not a security measure.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_homes_get_a_short_run_folder_of_their_own() {
        let base = Path::new("/run/user/1000");
        let short = Layout::new("/home/a/.local/share/nestbox", base);
        assert_eq!(short.run(), Path::new("/home/a/.local/share/nestbox/run"));
        let long = Layout::new(format!("/home/{}/nestbox", "x".repeat(200)), base);
        let other = Layout::new(format!("/home/{}/nestbox", "y".repeat(200)), base);
        assert_ne!(long.run(), other.run());
        for layout in [&short, &long, &other] {
            let socket = layout.machine_run(&MachineId::random()).serial();
            assert!(
                socket.as_os_str().len() <= SOCKET_PATH_MAX,
                "{}",
                socket.display()
            );
        }
    }
}
