//! A home on a file system that is too small, and one that becomes full in the middle.

use nestbox_guests::{Guests, TestHome};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Room beside the guest's memory that a snapshot with memory asks for.
const MARGIN: u64 = 256 << 20;

/// A home on a tmpfs of its own.
struct SmallHome {
    home: Option<TestHome>,
    path: PathBuf,
}

impl SmallHome {
    /// `None`, said on standard error, where mounting isn't permitted.
    fn mount(test: &str, bytes: u64) -> Option<Self> {
        let home = TestHome::new().expect("a home");
        let path = home.path().to_owned();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=700"), "tmpfs"])
            .arg(&path)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self {
                home: Some(home),
                path,
            });
        }
        eprintln!("skipped {test}: mounting a tmpfs is not permitted");
        None
    }

    fn home(&self) -> &TestHome {
        self.home.as_ref().expect("a home")
    }
}

impl Drop for SmallHome {
    fn drop(&mut self) {
        // What runs in it ends first.
        self.home = None;
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
        let _ = std::fs::remove_dir(&self.path);
    }
}

fn free(path: &Path) -> u64 {
    let space = rustix::fs::statvfs(path).expect("the file system's space");
    space.f_bavail * space.f_frsize
}

/// Fills the file system until `left` bytes are free.
fn fill(path: &Path, left: u64) {
    let mut file = File::create(path.join("filler")).expect("a file");
    let piece = vec![0x5a; 1 << 20];
    while free(path) > left + piece.len() as u64 {
        if file.write_all(&piece).is_err() {
            return;
        }
    }
}

fn make_room(path: &Path) {
    std::fs::remove_file(path.join("filler")).expect("removed");
}

/// A guest that counts, in 128 MiB of memory.
fn counting(home: &TestHome, guests: &Guests) {
    let image = guests.amd64_disk();
    let image = image.to_str().expect("a path of text");
    home.nestbox([
        "create",
        "web",
        "--disk-image",
        image,
        "--memory",
        "128M",
        "--cpus",
        "1",
        "--firmware",
        "bios",
        "--start",
    ])
    .ok();
    let boot = Duration::from_secs(240);
    home.serial_log("web").wait_ready(boot).expect("it boots");
    let mut console = home.console("web").expect("a console");
    console.send_line("").expect("sent");
    console.wait_for("login:", boot).expect("a prompt");
    console.send_line("root").expect("sent");
    console.wait_for("built-in shell", boot).expect("a shell");
    console.run("counter start", boot).expect("it counts");
}

fn goes_on(home: &TestHome) {
    assert_eq!(home.machine("web")["state"], "running");
    let mut log = home.serial_log("web");
    log.skip_to_end();
    for _ in 0..2 {
        log.wait_for("counter ram=", Duration::from_secs(120))
            .expect("the guest goes on");
    }
}

fn snapshots(home: &TestHome) -> usize {
    home.json(["snapshot", "list", "web"])["snapshots"]
        .as_array()
        .map_or(0, Vec::len)
}

fn no_leftovers(home: &TestHome) {
    let folder = home.machine_folder("web");
    let entries = std::fs::read_dir(folder.join("snapshots")).into_iter().flatten();
    assert_eq!(entries.count(), snapshots(home), "folders of snapshots");
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn memory_that_does_not_fit_is_refused_before_and_rolled_back_in_the_middle() {
    let name = "memory_that_does_not_fit_is_refused_before_and_rolled_back_in_the_middle";
    let Some(guests) = Guests::for_test(name, &["qemu-system-x86_64"]) else {
        return;
    };
    let Some(small) = SmallHome::mount(name, 900 << 20) else {
        return;
    };
    let home = small.home();
    counting(home, &guests);
    let needed = (128 << 20) + MARGIN;

    // Short from the beginning: refused with the bytes that it takes, and nothing happened.
    fill(&small.path, needed - (64 << 20));
    let refused = home
        .nestbox(["--json", "snapshot", "take", "web", "short"])
        .fails_with(5)
        .error();
    assert_eq!(refused.code, "no-space");
    assert_eq!(refused.details["needed"], Value::from(needed));
    assert!(refused.details["free"].as_u64().is_some_and(|free| free < needed));
    goes_on(home);
    assert_eq!(snapshots(home), 0);
    let suspended = home.nestbox(["--json", "suspend", "web"]).fails_with(5).error();
    assert_eq!(suspended.code, "no-space");
    goes_on(home);
    make_room(&small.path);

    // Enough to begin with; then somebody else takes it while the memory is written. QEMU is held still meanwhile, since
    // it may be the quicker one.
    let qemu = process(&home.machine("web"));
    let mut taking = home
        .command(["--json", "snapshot", "take", "web", "full"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("begun");
    let parts = home.machine_folder("web").join("snapshots");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !a_part_is_there(&parts) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_micros(200));
    }
    kill_process(qemu, Signal::STOP).expect("held");
    fill(&small.path, 0);
    kill_process(qemu, Signal::CONT).expect("let go");
    let taken = taking.wait().expect("ended");
    assert_eq!(taken.code(), Some(5), "there was no space");
    assert_eq!(snapshots(home), 0);
    make_room(&small.path);
    if home.machine("web")["state"] == "paused" {
        // A guest that wrote to its disk in that moment was stopped by QEMU, and says why.
        assert!(home.machine("web")["state_reason"].is_string());
        home.nestbox(["resume", "web"]).ok();
    }
    goes_on(home);
    no_leftovers(home);
    home.nestbox(["snapshot", "take", "web", "after"]).ok();
    home.nestbox(["snapshot", "restore", "web", "after", "--discard"])
        .ok();
    goes_on(home);
    no_leftovers(home);
}

fn process(machine: &Value) -> Pid {
    let pid = machine["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    pid.and_then(Pid::from_raw).expect("it runs")
}

/// Memory is on its way into a file.
fn a_part_is_there(snapshots: &Path) -> bool {
    let folders = std::fs::read_dir(snapshots).into_iter().flatten().flatten();
    folders
        .flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten())
        .any(|file| {
            file.path()
                .extension()
                .is_some_and(|extension| extension == "part")
        })
}
