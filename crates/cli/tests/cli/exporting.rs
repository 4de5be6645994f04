//! Disks and machines for other programs, and back.

use crate::common::{holds, home, qemu_io, wait_for_jobs};
use nestbox_guests::TestHome;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A machine whose disk has something in it, below and above a snapshot.
fn with_content(home: &TestHome) -> PathBuf {
    home.nestbox(["create", "web", "--blank", "--disk", "64M"]).ok();
    qemu_io(&active(home, "web", 0), "write -P 1 1M 2M");
    home.nestbox(["snapshot", "take", "web", "before"]).ok();
    let image = active(home, "web", 0);
    qemu_io(&image, "write -P 2 2M 3M");
    image
}

fn active(home: &TestHome, name: &str, index: usize) -> PathBuf {
    PathBuf::from(home.machine(name)["disks"][index]["path"].as_str().unwrap())
}

/// Both show the same disk.
fn same_disk(a: &Path, a_format: &str, b: &Path, b_format: &str) {
    let done = Command::new("qemu-img")
        .args(["compare", "-f", a_format, "-F", b_format])
        .args([a, b])
        .output()
        .unwrap();
    assert!(done.status.success(), "{} {}: {done:?}", a.display(), b.display());
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn sha256(path: &Path) -> String {
    let done = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(done.stdout).unwrap()[..64].to_owned()
}

#[test]
fn every_format_of_a_disk_comes_back_as_it_was() {
    let home = home();
    let image = with_content(&home);
    let folder = tempfile::tempdir().unwrap();
    for format in ["qcow2", "raw", "vmdk", "vdi", "vhdx"] {
        let file = folder.path().join(format!("web.{format}"));
        let result = home.json(["export", "web", file.to_str().unwrap()]);
        assert_eq!(result["files"][0]["path"], file.to_str().unwrap());
        assert_eq!(result["files"][0]["sha256"], sha256(&file).as_str());
        same_disk(&image, "qcow2", &file, format);
        let name = format!("from {format}");
        home.nestbox(["import", file.to_str().unwrap(), "--name", &name])
            .ok();
        same_disk(&image, "qcow2", &active(&home, &name, 0), "qcow2");
    }
    let settings = std::fs::read_to_string(folder.path().join("web.vdi.nestbox.toml"));
    assert!(settings.unwrap().contains("file = \"web.vdi\""));
    assert_eq!(names(folder.path()).len(), 10);
}

#[test]
fn a_snapshot_one_disk_and_a_running_machine_are_exported() {
    let home = home();
    with_content(&home);
    let folder = tempfile::tempdir().unwrap();
    let (before, now) = (folder.path().join("before.qcow2"), folder.path().join("now.raw"));
    let args = [
        "export",
        "web",
        before.to_str().unwrap(),
        "--snapshot",
        "before",
        "--compress",
    ];
    home.nestbox(args).ok();
    assert!(holds(&before, 1, 1) && holds(&before, 2, 1) && !holds(&before, 4, 2));
    home.nestbox(["start", "web"]).ok();
    let args = ["export", "web", now.to_str().unwrap(), "--disk", "1"];
    let result = home.json(args);
    assert_eq!(result["files"].as_array().map(Vec::len), Some(1));
    assert!(result["notes"][0].as_str().unwrap().contains("snapshot"));
    assert_eq!(std::fs::read(&now).unwrap()[4 << 20], 2);
    home.nestbox(["stop", "--force", "web"]).ok();
    wait_for_jobs(&home);
    // The snapshot that was taken for it is gone.
    let left = home.json(["snapshot", "list", "web"]);
    assert_eq!(left["snapshots"].as_array().map(Vec::len), Some(1));
    home.nestbox(["library", "check"]).ok();
    let error = home
        .nestbox(["--json", "export", "web", "/tmp/x.raw", "--disk", "7"])
        .fails_with(3)
        .error();
    assert_eq!(error.code, "disk-not-found");
}

#[test]
fn what_is_there_stays_and_nothing_is_left_behind() {
    let home = home();
    with_content(&home);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("old.vdi"), "mine").unwrap();
    std::fs::create_dir(path("folder.vdi")).unwrap();
    std::os::unix::fs::symlink(path("old.vdi"), path("link.vdi")).unwrap();
    let code = |to: &str, more: &[&str], exit: i32| {
        let mut args = vec!["--json", "export", "web", to];
        args.extend(more);
        home.nestbox(args).fails_with(exit).error().code
    };
    assert_eq!(code(&path("old.vdi"), &[], 4), "file-exists");
    assert_eq!(code(&path("link.vdi"), &[], 4), "file-exists");
    assert_eq!(code(&path("folder.vdi"), &["--overwrite"], 6), "not-a-file");
    assert_eq!(
        code("/dev/null", &["--overwrite", "--format", "raw"], 6),
        "not-a-file"
    );
    assert_eq!(code(&path("web"), &[], 2), "format-unclear");
    assert_eq!(code(&path("no/web.vdi"), &[], 3), "folder-missing");
    let inside = home.machine_folder("web").join("disks").join("web.vdi");
    assert_eq!(code(inside.to_str().unwrap(), &[], 2), "inside-library");
    let plan = home.json(["export", "web", &path("old.vdi"), "--dry-run"]);
    assert_eq!(plan["files"][0]["exists"], true);
    assert!(plan["notes"].as_array().unwrap().len() > 1, "{plan:#}");
    assert_eq!(names(folder.path()), ["folder.vdi", "link.vdi", "old.vdi"]);
    // A link is replaced, not followed.
    home.nestbox(["export", "web", &path("link.vdi"), "--overwrite"])
        .ok();
    assert!(!Path::new(&path("link.vdi")).is_symlink());
    assert_eq!(std::fs::read(path("old.vdi")).unwrap(), b"mine");
}

#[test]
fn a_name_that_leaves_no_room_for_those_beside_it_costs_nothing() {
    let home = home();
    with_content(&home);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("{}.raw", "a".repeat(245)));
    std::fs::write(&file, "the last export").unwrap();
    let to = file.to_str().unwrap();
    let error = home
        .nestbox(["--json", "export", "web", to, "--overwrite"])
        .fails_with(2)
        .error();
    assert_eq!(error.code, "not-a-file-name");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the last export");
    assert_eq!(names(folder.path()).len(), 1);
}

#[test]
fn any_image_becomes_any_other() {
    let home = home();
    let image = with_content(&home);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    home.nestbox(["export", "web", &path("a.vhdx"), "--disk", "1"])
        .ok();
    let mut from = "a.vhdx".to_owned();
    for (name, format) in [
        ("b.vdi", "vdi"),
        ("c.vmdk", "vmdk"),
        ("d.raw", "raw"),
        ("e.vhdx", "vhdx"),
        ("f.qcow2", "qcow2"),
        ("g.img", "raw"),
    ] {
        let result = home.json(["disk", "convert", &path(&from), &path(name)]);
        assert_eq!(result["path"], path(name));
        same_disk(&image, "qcow2", Path::new(&path(name)), format);
        from = name.to_owned();
    }
    let code = |args: &[&str], exit: i32| {
        let mut all = vec!["--json", "disk", "convert"];
        all.extend(args);
        home.nestbox(all).fails_with(exit).error().code
    };
    assert_eq!(
        code(&[&path("g.img"), &path("g.img"), "--overwrite"], 2),
        "same-file"
    );
    assert_eq!(code(&[&path("g.img"), &path("h.ova")], 2), "not-a-disk-format");
    std::fs::write(path("letter.raw"), "Dear Sir or Madam").unwrap();
    code(&[&path("letter.raw"), &path("h.qcow2")], 6);
    assert!(
        !names(folder.path())
            .iter()
            .any(|name| name.contains("partial") || name.starts_with('h'))
    );
}

/// A machine with two disks, addresses and notes of its own.
fn whole(home: &TestHome, firmware: &str) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    home.nestbox([
        "create",
        "web",
        "--blank",
        "--disk",
        "64M",
        "--firmware",
        firmware,
        "--cpus",
        "1",
    ])
    .ok();
    home.nestbox(["set", "web", "memory=768M", "notes=Röntgen <&> Co."])
        .ok();
    home.nestbox(["port", "add", "web", "42022:22"]).ok();
    qemu_io(&active(home, "web", 0), "write -P 7 5M 2M");
    drop(folder);
    home.machine("web")
}

fn same_machine(home: &TestHome, before: &serde_json::Value, name: &str) {
    let after = home.machine(name);
    for key in ["cpus", "memory", "firmware", "arch", "notes"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(after["disks"].as_array().map(Vec::len), Some(1));
    same_disk(&active(home, "web", 0), "qcow2", &active(home, name, 0), "qcow2");
}

#[test]
fn an_ova_is_the_same_machine_again() {
    let (home, other) = (home(), home());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.ova");
    let before = whole(&home, "uefi");
    let result = home.json(["export", "web", file.to_str().unwrap()]);
    assert_eq!(result["files"][0]["sha256"], sha256(&file).as_str());
    assert_eq!(names(folder.path()), ["web.ova"]);
    let listed = Command::new("tar").arg("tf").arg(&file).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&listed.stdout),
        "web.ovf\nweb.mf\nweb-disk1.vmdk\n"
    );
    // Without the machine itself, its addresses stay as they are.
    let came = other.json(["import", file.to_str().unwrap()]);
    assert_eq!(came["nics"][0]["mac"], before["nics"][0]["mac"]);
    home.nestbox(["import", file.to_str().unwrap(), "--name", "back"])
        .ok();
    same_machine(&home, &before, "back");
    let bios = folder.path().join("bios.ova");
    home.nestbox(["set", "web", "firmware=bios"]).ok();
    home.nestbox(["export", "web", bios.to_str().unwrap()]).ok();
    home.nestbox(["import", bios.to_str().unwrap(), "--name", "bios"])
        .ok();
    same_machine(&home, &home.machine("web"), "bios");
}

#[test]
fn a_folder_of_utm_is_the_same_machine_again() {
    let (home, other) = (home(), home());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.utm");
    let before = whole(&home, "uefi");
    // UEFI variables are there once it ran.
    home.nestbox(["start", "web"]).ok();
    home.nestbox(["stop", "--force", "web"]).ok();
    home.nestbox(["export", "web", path.to_str().unwrap()]).ok();
    assert_eq!(names(&path), ["Data", "config.plist"]);
    assert_eq!(names(&path.join("Data")).len(), 2);
    let came = other.json(["import", path.to_str().unwrap()]);
    assert_eq!(came["nics"][0]["mac"], before["nics"][0]["mac"]);
    assert_eq!(came["ports"], before["ports"]);
    home.nestbox(["import", path.to_str().unwrap(), "--name", "back"])
        .ok();
    same_machine(&home, &before, "back");
    home.nestbox(["--json", "export", "web", path.to_str().unwrap()])
        .fails_with(4);
    home.nestbox(["export", "web", path.to_str().unwrap(), "--overwrite"])
        .ok();
    assert_eq!(names(folder.path()), ["web.utm"]);
    std::fs::create_dir(folder.path().join("mine.utm")).unwrap();
    let mine = folder.path().join("mine.utm");
    home.nestbox(["--json", "export", "web", mine.to_str().unwrap(), "--overwrite"])
        .fails_with(6);
}
