//! Machines for the tests: a real QEMU under emulation, and a boot sector for a guest.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout)]

use nestbox_model::{Accelerator, Arch, DiskId, Firmware, ImageFormat, MachineId, layout::RunFolder};
use nestbox_qemu::{
    Adoption, Backend, DiskPlan, ImageRef, MachinePlan, QemuBackend, RunState, Session, SessionEvent,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::broadcast;

/// See `counter.S`.
pub const COUNTER: &[u8; 512] = include_bytes!("counter.bin");

pub struct Place {
    pub folder: tempfile::TempDir,
    pub backend: QemuBackend,
}

impl Drop for Place {
    /// A failed test must not leave machines running; what QEMU said is worth reading then.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for folder in std::fs::read_dir(self.folder.path()).unwrap().flatten() {
            let log = folder.path().join("logs/qemu.log");
            println!("{}", std::fs::read_to_string(log).unwrap_or_default());
            let record = std::fs::read(folder.path().join("session.json")).unwrap_or_default();
            let record: serde_json::Value = serde_json::from_slice(&record).unwrap_or_default();
            let pid = record["process"]["pid"]
                .as_i64()
                .and_then(|pid| i32::try_from(pid).ok());
            if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

impl Place {
    pub fn new() -> Self {
        Self {
            folder: tempfile::Builder::new().prefix("nb-").tempdir().unwrap(),
            backend: QemuBackend::new(),
        }
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    /// A BIOS machine without disks: it sits in its firmware.
    pub fn plan(&self) -> MachinePlan {
        let id = MachineId::random();
        let home = self.path(&format!("machine, “{}”", id.short()));
        std::fs::create_dir_all(home.join("disks")).unwrap();
        MachinePlan {
            name: "Test, with a \"comma\"".into(),
            arch: Arch::X86_64,
            cpus: 1,
            memory: 64 << 20,
            firmware: Firmware::Bios,
            firmware_code: None,
            nvram: None,
            accelerator: Accelerator::Tcg,
            cpu_model: String::new(),
            disks: vec![],
            images: home.join("disks"),
            expansion_slots: 0,
            seed: None,
            medium: None,
            nics: vec![],
            resolution: (1024, 768),
            clock_local: false,
            boot_order: vec![],
            run: RunFolder(self.folder.path().join(id.short())),
            serial_log: home.join("logs/serial.log"),
            backend_log: home.join("logs/qemu.log"),
            incoming: false,
            id,
        }
    }
    /// A machine that counts on its first disk.
    pub fn counting_plan(&self) -> MachinePlan {
        let mut plan = self.plan();
        let path = self.disks(&plan).join("base.qcow2");
        let raw = self.path("counter.raw");
        let mut image = vec![0; 1 << 20];
        image[..512].copy_from_slice(COUNTER);
        std::fs::write(&raw, image).unwrap();
        qemu_img(&["convert", "-f", "raw", "-O", "qcow2"], &[&raw, &path]);
        plan.disks = vec![DiskPlan {
            id: DiskId::random(),
            chain: vec![ImageRef {
                path,
                format: ImageFormat::Qcow2,
            }],
            read_only: false,
            connection: Default::default(),
        }];
        plan
    }
    pub fn disks(&self, plan: &MachinePlan) -> PathBuf {
        plan.serial_log.parent().unwrap().parent().unwrap().join("disks")
    }
    /// An empty disk.
    pub fn disk(&self, plan: &MachinePlan, name: &str) -> DiskPlan {
        let path = self.disks(plan).join(name);
        qemu_img(&["create", "-f", "qcow2"], &[&path]);
        DiskPlan {
            id: DiskId::random(),
            chain: vec![ImageRef {
                path,
                format: ImageFormat::Qcow2,
            }],
            read_only: false,
            connection: Default::default(),
        }
    }
    pub async fn launch(&self, plan: &MachinePlan) -> Arc<dyn Session> {
        self.backend.launch(plan).await.unwrap()
    }
    pub async fn adopt(&self, plan: &MachinePlan) -> Arc<dyn Session> {
        match QemuBackend::new().adopt(&plan.run).await.unwrap() {
            Adoption::Running(session) => session,
            _ => panic!("nothing to adopt"),
        }
    }
}

pub fn qemu_img(arguments: &[&str], paths: &[&Path]) {
    let mut command = Command::new("qemu-img");
    command
        .args(&arguments[..1])
        .arg("-q")
        .args(&arguments[1..])
        .args(paths);
    if arguments[0] == "create" && !arguments.contains(&"-b") {
        command.arg("1M");
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An overlay as the engine makes it: the backing file is recorded with its format.
pub fn overlay(backing: &Path, path: &Path) {
    let backing = backing.to_str().unwrap();
    qemu_img(&["create", "-f", "qcow2", "-b", backing, "-F", "qcow2"], &[path]);
}

pub async fn state(session: &Arc<dyn Session>) -> RunState {
    session.run_state().await.unwrap()
}

/// Waits for an event, for at most ten seconds.
pub async fn event(
    events: &mut broadcast::Receiver<SessionEvent>,
    wanted: impl Fn(&SessionEvent) -> bool,
) -> SessionEvent {
    let wait = async {
        loop {
            let event = events.recv().await.unwrap();
            if wanted(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait)
        .await
        .expect("the event did not come")
}

/// Waits until `done` says so, for at most half a minute.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub fn serial(plan: &MachinePlan) -> String {
    String::from_utf8_lossy(&std::fs::read(&plan.serial_log).unwrap_or_default()).replace('\r', "")
}

/// The numbers a counting guest has said so far, complete lines only.
pub fn numbers(text: &str) -> Vec<u32> {
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    complete
        .lines()
        .filter_map(|line| u32::from_str_radix(line.trim(), 16).ok())
        .collect()
}

/// Waits until the guest has counted past `number`.
pub async fn counted_past(plan: &MachinePlan, number: u32) -> u32 {
    let mut last = 0;
    until("the guest does not count", || {
        last = numbers(&serial(plan)).last().copied().unwrap_or(0);
        last > number
    })
    .await;
    last
}

pub async fn ended(session: &Arc<dyn Session>) -> nestbox_qemu::ExitInfo {
    tokio::time::timeout(Duration::from_secs(20), session.wait_exit())
        .await
        .expect("it did not end")
}
