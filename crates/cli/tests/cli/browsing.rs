//! Files on disks of machines that are off, and of snapshots, through the real service and its confined process.

use crate::common::{home, qemu_io};
use nestbox_guests::TestHome;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A compressed qcow2 with an ext4 file system, as cloud images are; `None` (said) where it can't be made.
fn image(test: &str, folder: &Path) -> Option<PathBuf> {
    let mke2fs = ["/usr/sbin/mke2fs", "/sbin/mke2fs", "/usr/bin/mke2fs"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let Some(mke2fs) = mke2fs else {
        eprintln!("skipped: {test} needs mke2fs");
        return None;
    };
    let tree = folder.join("tree");
    std::fs::create_dir_all(tree.join("etc/deep/er")).unwrap();
    std::fs::write(tree.join("etc/hostname"), "guest\n").unwrap();
    std::fs::write(tree.join("etc/deep/er/Größe"), vec![b'x'; 300_000]).unwrap();
    std::fs::write(tree.join("etc/new\nline"), "odd").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", tree.join("etc/link")).unwrap();
    let raw = folder.join("raw");
    std::fs::File::create(&raw).unwrap().set_len(64 << 20).unwrap();
    let made = Command::new(mke2fs)
        .args(["-q", "-F", "-t", "ext4", "-L", "root", "-d"])
        .args([&tree, &raw])
        .status();
    assert!(made.unwrap().success());
    let qcow2 = folder.join("guest.qcow2");
    let made = Command::new("qemu-img")
        .args(["convert", "-c", "-f", "raw", "-O", "qcow2"])
        .args([&raw, &qcow2])
        .status();
    assert!(made.unwrap().success());
    std::fs::remove_file(raw).unwrap();
    Some(qcow2)
}

fn import(home: &TestHome, image: &Path, name: &str) {
    home.nestbox(["import", image.to_str().unwrap(), "--name", name])
        .ok();
}

fn names(listing: &Value) -> Vec<&str> {
    let entries = listing["entries"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| entry["name"].as_str().unwrap())
        .collect()
}

#[test]
fn the_present_and_a_snapshot_are_listed_and_copied() {
    let folder = tempfile::tempdir().unwrap();
    let Some(image) = image("the_present_and_a_snapshot_are_listed_and_copied", folder.path()) else {
        return;
    };
    let home = home();
    import(&home, &image, "web");
    let root = home.json(["disk", "browse", "web", "1"]);
    assert_eq!(root["volumes"][0]["filesystem"], "ext4");
    assert_eq!(root["volumes"][0]["label"], "root");
    assert_eq!(names(&root), ["etc", "lost+found"]);
    let etc = home.json(["disk", "browse", "web", "1", "/etc"]);
    assert_eq!(names(&etc), ["deep", "hostname", "link", "new%0Aline"]);
    let table = home.nestbox(["disk", "browse", "web", "1", "etc"]).ok().stdout;
    assert!(
        table.contains("link -> /etc/passwd") && table.contains("6 B"),
        "{table}"
    );

    home.nestbox(["snapshot", "take", "web", "before"]).ok();
    // The present loses its file system; the snapshot has it.
    let active = home.machine("web")["disks"][0]["path"]
        .as_str()
        .unwrap()
        .to_owned();
    qemu_io(Path::new(&active), "write -P 0 0 64k");
    let gone = home
        .nestbox(["--json", "disk", "browse", "web", "1", "/"])
        .fails_with(5);
    assert_eq!(gone.error().code, "volume-not-browsable");
    let kept = home.json(["disk", "browse", "web", "1", "/etc", "--snapshot", "before"]);
    assert_eq!(names(&kept), names(&etc));

    let to = folder.path().join("out");
    std::fs::create_dir(&to).unwrap();
    let to_text = to.to_str().unwrap();
    let copy = [
        "disk",
        "copy-out",
        "web",
        "1",
        "/etc",
        to_text,
        "--snapshot",
        "before",
    ];
    let job = home.json(copy);
    assert_eq!(
        (job["kind"].as_str(), job["state"].as_str()),
        (Some("copy-out"), Some("done"))
    );
    assert_eq!(
        (job["result"]["files"].as_u64(), job["result"]["folders"].as_u64()),
        (Some(3), Some(3))
    );
    assert_eq!(job["result"]["skipped"][0]["path"], "/etc/link");
    assert_eq!(std::fs::read(to.join("etc/hostname")).unwrap(), b"guest\n");
    assert_eq!(
        std::fs::read(to.join("etc/deep/er/Größe")).unwrap(),
        vec![b'x'; 300_000]
    );
    assert_eq!(std::fs::read(to.join("etc/new%0Aline")).unwrap(), b"odd");
    let again = home.nestbox(["--json"].iter().chain(&copy)).fails_with(4);
    assert_eq!(again.error().code, "file-exists");
    home.nestbox(copy.iter().chain(&["--overwrite"])).ok();
    let inside = home.path().join("machines");
    let inside = [
        "--json",
        "disk",
        "copy-out",
        "web",
        "1",
        "/etc",
        inside.to_str().unwrap(),
        "--snapshot",
        "before",
    ];
    assert_eq!(
        home.nestbox(inside).fails_with(2).error().code,
        "path-inside-library"
    );
    // Nothing half-made, and the machine works on.
    assert_eq!(std::fs::read_dir(&to).unwrap().count(), 1);
    home.nestbox(["snapshot", "delete", "web", "before"]).ok();
}

#[test]
fn the_disk_of_a_running_machine_is_left_alone_and_its_snapshot_is_not() {
    let test = "the_disk_of_a_running_machine_is_left_alone_and_its_snapshot_is_not";
    let folder = tempfile::tempdir().unwrap();
    let Some(image) = image(test, folder.path()) else {
        return;
    };
    let home = home();
    import(&home, &image, "web");
    home.nestbox(["start", "web"]).ok();
    let refused = home
        .nestbox(["--json", "disk", "browse", "web", "1"])
        .fails_with(4);
    let error = refused.error();
    assert_eq!(error.code, "machine-running");
    assert!(error.hint.contains("--snapshot"), "{error:?}");
    let to = folder.path().join("hostname");
    let copy = [
        "disk",
        "copy-out",
        "web",
        "1",
        "/etc/hostname",
        to.to_str().unwrap(),
    ];
    home.nestbox(copy).fails_with(4);
    assert!(!to.exists());
    home.nestbox(["snapshot", "take", "web", "look", "--no-memory"])
        .ok();
    let listing = home.json(["disk", "browse", "web", "1", "/etc", "--snapshot", "look"]);
    assert!(names(&listing).contains(&"hostname"));
    home.nestbox(copy.iter().chain(&["--snapshot", "look"])).ok();
    assert_eq!(std::fs::read(&to).unwrap(), b"guest\n");
    home.nestbox(["stop", "web", "--force"]).ok();
    home.nestbox(["disk", "browse", "web", "1"]).ok();
}

#[test]
fn damage_is_told_and_the_service_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let Some(image) = image("damage_is_told_and_the_service_lives_on", folder.path()) else {
        return;
    };
    let home = home();
    import(&home, &image, "web");
    let service = home.json(["service", "status"])["service"]["pid"].clone();
    let active = home.machine("web")["disks"][0]["path"]
        .as_str()
        .unwrap()
        .to_owned();
    // The descriptors of its groups.
    qemu_io(Path::new(&active), "write -P 0xff 2k 6k");
    let damaged = home
        .nestbox(["--json", "disk", "browse", "web", "1", "/"])
        .fails_with(6);
    assert_eq!(damaged.error().code, "filesystem-damaged");
    let to = folder.path().join("out");
    let copy = ["disk", "copy-out", "web", "1", "/", to.to_str().unwrap()];
    home.nestbox(copy).fails_with(6);
    assert!(!to.exists());
    for (disk, code) in [("2", "disk-not-found"), ("0", "disk-not-found")] {
        let missing = home
            .nestbox(["--json", "disk", "browse", "web", disk])
            .fails_with(3);
        assert_eq!(missing.error().code, code);
    }
    assert_eq!(home.json(["service", "status"])["service"]["pid"], service);
}
