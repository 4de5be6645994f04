//! What the tests share.

use nestbox_guests::mirror::Mirror;
use nestbox_guests::{Guests, TestHome};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// A guest under emulation on a busy computer.
pub const BOOT: Duration = Duration::from_secs(240);

pub fn home() -> TestHome {
    TestHome::with_binary(env!("CARGO_BIN_EXE_nestbox")).expect("a home")
}

/// A running mirror, its folder, and the runtime it lives on.
pub struct Server {
    pub mirror: Mirror,
    _folder: TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Publishes `image` as Ubuntu 24.04 for `arch`.
    pub fn with_ubuntu(arch: &str, image: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let mirror = runtime.block_on(Mirror::start(folder.path())).expect("a mirror");
        mirror.publish("ubuntu-24.04", arch, image).expect("published");
        Self {
            mirror,
            _folder: folder,
            _runtime: runtime,
        }
    }

    /// A home whose downloads come from here.
    pub fn home(&self) -> TestHome {
        self.mirror
            .environment()
            .into_iter()
            .fold(home(), |home, (name, value)| home.env(name, value))
    }
}

/// The guests, or `None` (said on standard error) where they can't be built.
pub fn guests(test: &str) -> Option<Guests> {
    Guests::for_test(test, &["qemu-system-x86_64", "qemu-system-aarch64"])
}

/// A small qcow2 that boots nothing.
pub fn empty_qcow2(folder: &Path, name: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    let made = std::process::Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2"])
        .arg(&path)
        .arg("64M")
        .status();
    assert!(made.expect("qemu-img").success());
    path
}
