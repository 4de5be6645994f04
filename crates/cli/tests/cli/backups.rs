//! A machine in one file, and back, elsewhere.

use crate::common::{BOOT, Server, empty_qcow2, guests, holds, home, qemu_io, wait_for_jobs};
use nestbox_guests::TestHome;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(90);

fn active(home: &TestHome, name: &str) -> PathBuf {
    PathBuf::from(home.machine(name)["disks"][0]["path"].as_str().unwrap())
}

/// SHA-256 of the disk that an image shows.
fn content(image: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("raw");
    let done = Command::new("qemu-img")
        .args(["convert", "-f", "qcow2", "-O", "raw"])
        .args([image, &raw])
        .status();
    assert!(done.unwrap().success());
    let sum = Command::new("sha256sum").arg(&raw).output().unwrap();
    String::from_utf8(sum.stdout).unwrap()[..64].to_owned()
}

/// The content of each snapshot's disk, by the snapshot's name, as an export writes it.
fn contents(home: &TestHome, name: &str) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let list = home.json(["snapshot", "list", name]);
    let snapshots = list["snapshots"].as_array().unwrap().iter();
    let mut out: Vec<_> = snapshots
        .map(|snapshot| {
            let id = snapshot["id"].as_str().unwrap();
            let file = folder.path().join(format!("{id}.qcow2"));
            let to = file.to_str().unwrap();
            home.nestbox(["export", name, to, "--disk", "1", "--snapshot", id])
                .ok();
            (snapshot["name"].as_str().unwrap().to_owned(), content(&file))
        })
        .collect();
    out.sort();
    out
}

fn nothing_is_left(home: &TestHome) {
    assert_eq!(home.json(["list"])["machines"].as_array().map(Vec::len), Some(0));
    let machines = std::fs::read_dir(home.path().join("machines")).unwrap();
    assert_eq!(machines.count(), 0);
}

fn restore_fails(home: &TestHome, file: &Path, exit: i32) -> String {
    let run = home.nestbox(["--json", "restore-backup", file.to_str().unwrap()]);
    run.fails_with(exit).error().code
}

/// A machine of a downloaded image with three snapshots, one of them with memory.
fn with_history(home: &TestHome) {
    home.nestbox([
        "create",
        "web",
        "--template",
        "ubuntu-24.04",
        "--arch",
        "x86_64",
        "--disk",
        "64M",
    ])
    .ok();
    home.nestbox(["set", "web", "memory=64M"]).ok();
    for (name, byte) in [("one", 1), ("two", 2)] {
        qemu_io(&active(home, "web"), &format!("write -P {byte} {byte}M 1M"));
        home.nestbox(["snapshot", "take", "web", name]).ok();
    }
    home.nestbox(["start", "web"]).ok();
    home.nestbox(["snapshot", "take", "web", "running"]).ok();
    home.nestbox(["stop", "--force", "web"]).ok();
    qemu_io(&active(home, "web"), "write -P 3 3M 1M");
}

#[test]
fn a_machine_comes_back_elsewhere_with_nothing_but_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let image = empty_qcow2(folder.path(), "image.qcow2");
    qemu_io(&image, "write -P 9 9M 1M");
    let server = Server::with_ubuntu("x86_64", &image);
    let (home, other) = (server.home(), home());
    with_history(&home);
    let (before, machine) = (contents(&home, "web"), home.machine("web"));
    let now = content(&active(&home, "web"));
    let file = folder.path().join("web.nestbox-backup");
    let path = file.to_str().unwrap();
    let result = home.json(["backup", "web", path]);
    assert_eq!(result["path"], path);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        home.nestbox(["--json", "backup", "web", path])
            .fails_with(4)
            .error()
            .code,
        "file-exists"
    );
    // Other programs can unpack it.
    let listed = Command::new("sh")
        .args(["-c", &format!("zstd -dc '{path}' | tar tf -")])
        .output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    assert!(listed.starts_with("backup.json\nmachine.toml\n"), "{listed}");
    assert!(listed.ends_with("sha256sums\n"), "{listed}");
    home.nestbox(["delete", "web"]).ok();
    home.nestbox(["trash", "empty", "--yes"]).ok();
    home.nestbox(["cache", "prune"]).ok();

    let info = other.json(["restore-backup", path, "--dry-run"]);
    assert_eq!(
        (info["name"].as_str(), info["snapshots"].as_u64()),
        (Some("web"), Some(3))
    );
    nothing_is_left(&other);
    other.nestbox(["restore-backup", path]).ok();
    let back = other.machine("web");
    for key in ["id", "cpus", "memory", "nics", "firmware"] {
        assert_eq!(back[key], machine[key], "{key}");
    }
    assert_eq!(contents(&other, "web"), before);
    assert_eq!(content(&active(&other, "web")), now);
    assert!(holds(&active(&other, "web"), 9, 9));
    let key = other.machine_folder("web").join("ssh/id_ed25519");
    assert!(key.is_file());
    other.nestbox(["library", "check"]).ok();
    // Memory goes on, and the disks start.
    other.nestbox(["snapshot", "restore", "web", "running"]).ok();
    assert_eq!(other.machine("web")["state"], "running");
    other.nestbox(["stop", "--force", "web"]).ok();
    for name in ["one", "two"] {
        other
            .nestbox(["snapshot", "restore", "web", name, "--discard"])
            .ok();
        other.nestbox(["start", "web"]).ok();
        other.nestbox(["stop", "--force", "web"]).ok();
    }
    wait_for_jobs(&other);

    // Once more, beside itself: another id, name and address.
    let twin = other.json(["restore-backup", path]);
    assert_eq!(twin["name"], "web 2");
    assert_ne!(twin["id"], back["id"]);
    assert_ne!(twin["nics"][0]["mac"], back["nics"][0]["mac"]);
    assert_eq!(contents(&other, "web 2"), before);
    let code = other
        .nestbox(["--json", "restore-backup", path, "--name", "web"])
        .fails_with(4);
    assert_eq!(code.error().code, "name-taken");
}

#[test]
fn linked_files_and_originals_of_clones_come_along() {
    let (home, other) = (home(), home());
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("disk.img");
    let mut bytes = vec![0u8; 8 << 20];
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes[5 << 20..6 << 20].fill(5);
    std::fs::write(&raw, &bytes).unwrap();
    home.nestbox(["import", raw.to_str().unwrap(), "--link", "--name", "linked"])
        .ok();
    qemu_io(&active(&home, "linked"), "write -P 6 6M 1M");
    home.nestbox(["clone", "linked", "twin", "--linked"]).ok();
    qemu_io(&active(&home, "twin"), "write -P 7 7M 1M");
    for name in ["linked", "twin"] {
        let file = folder.path().join(format!("{name}.backup"));
        home.nestbox(["backup", name, file.to_str().unwrap()]).ok();
    }
    std::fs::remove_file(&raw).unwrap();
    for name in ["linked", "twin"] {
        let file = folder.path().join(format!("{name}.backup"));
        other.nestbox(["restore-backup", file.to_str().unwrap()]).ok();
        let image = active(&other, name);
        assert!(holds(&image, 5, 5) && holds(&image, 6, 6), "{name}");
        assert_eq!(holds(&image, 7, 7), name == "twin");
        assert_eq!(other.machine(name)["disks"][0]["linked"], Value::Null);
    }
    other.nestbox(["library", "check"]).ok();
}

#[test]
fn spoiled_backups_are_refused_and_leave_nothing() {
    let (home, other) = (home(), home());
    let folder = tempfile::tempdir().unwrap();
    home.nestbox(["create", "web", "--blank", "--disk", "64M"]).ok();
    qemu_io(&active(&home, "web"), "write -P 1 1M 64k");
    home.nestbox(["snapshot", "take", "web", "one"]).ok();
    let file = folder.path().join("web.backup");
    home.nestbox(["backup", "web", file.to_str().unwrap()]).ok();
    let good = std::fs::read(&file).unwrap();
    let spoiled = folder.path().join("spoiled.backup");
    let refused = |bytes: &[u8]| {
        std::fs::write(&spoiled, bytes).unwrap();
        restore_fails(&other, &spoiled, 6)
    };
    assert_eq!(refused(b"Dear Sir or Madam"), "not-a-backup");
    assert_eq!(refused(b""), "not-a-backup");
    for part in [5, good.len() / 2, good.len() - 1] {
        assert_eq!(refused(&good[..part]), "backup-truncated", "{part}");
    }
    // Always the same bytes.
    let mut at = 0x2545_f491_usize;
    for _ in 0..40 {
        at = at
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut bytes = good.clone();
        let place = (at >> 20) % bytes.len();
        bytes[place] ^= 1 << (at >> 61);
        std::fs::write(&spoiled, &bytes).unwrap();
        let run = other.nestbox(["--json", "restore-backup", spoiled.to_str().unwrap()]);
        assert_ne!(run.code, Some(0), "byte {place}");
        nothing_is_left(&other);
    }
    let iso = folder.path().join("other.qcow2");
    empty_qcow2(folder.path(), "other.qcow2");
    assert_eq!(restore_fails(&other, &iso, 6), "not-a-backup");
    assert_eq!(
        restore_fails(&other, &folder.path().join("none"), 3),
        "file-not-found"
    );
    other.nestbox(["restore-backup", file.to_str().unwrap()]).ok();
}

#[test]
fn a_running_guest_goes_on_from_its_backup() {
    let Some(guests) = guests("a_running_guest_goes_on_from_its_backup") else {
        return;
    };
    let (home, other) = (home(), home());
    let folder = tempfile::tempdir().unwrap();
    let image = guests.amd64_disk();
    let args = [
        "create",
        "web",
        "--disk-image",
        image.to_str().unwrap(),
        "--memory",
        "192M",
        "--start",
    ];
    let wait = ["--wait", "booted", "--timeout", "240"];
    home.run(args.iter().chain(&wait), b"", BOOT + PATIENCE).ok();
    {
        let mut console = home.console("web").unwrap();
        console.send_line("").unwrap();
        console.wait_for("login:", PATIENCE).unwrap();
        console.send_line("root").unwrap();
        console.wait_for("built-in shell", PATIENCE).unwrap();
        console.run("counter start", PATIENCE).unwrap();
        console.wait_counter(PATIENCE).unwrap();
    }
    let file = folder.path().join("web.backup");
    let result = home
        .run(["--json", "backup", "web", file.to_str().unwrap()], b"", BOOT)
        .ok()
        .json();
    assert!(
        result["notes"][0].as_str().unwrap().contains("It ran"),
        "{result:#}"
    );
    let at = home.console("web").unwrap().wait_counter(PATIENCE).unwrap();
    home.nestbox(["stop", "--force", "web"]).ok();
    let back = other
        .run(["--json", "restore-backup", file.to_str().unwrap()], b"", BOOT)
        .ok()
        .json();
    assert_eq!(back["state"], "suspended");
    other.nestbox(["start", "web"]).ok();
    let counter = other.console("web").unwrap().wait_counter(PATIENCE).unwrap();
    assert!(counter.ram > 0 && counter.ram < at.ram + 60, "{at:?} {counter:?}");
    assert!(
        counter.disk == counter.ram || counter.disk == counter.ram + 1,
        "{counter:?}"
    );
    other.nestbox(["stop", "--force", "web"]).ok();
}
