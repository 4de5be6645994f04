//! Files become machines, or a clear refusal.

use crate::common::{BOOT, empty_qcow2, guests, home};
use std::time::Duration;

#[test]
fn disks_are_copied_moved_or_linked() {
    let home = home();
    let folder = tempfile::tempdir().unwrap();
    let image = empty_qcow2(folder.path(), "my disk, v1.qcow2");
    let original = std::fs::read(&image).unwrap();
    let plan = home.json(["import", image.to_str().unwrap(), "--dry-run"]);
    assert_eq!(plan["recognised"], "qcow2");
    assert_eq!(plan["disk"], 64 << 20);
    let copied = home.json(["import", image.to_str().unwrap()]);
    assert_eq!(copied["name"], plan["name"]);
    assert_eq!(std::fs::read(&image).unwrap(), original);
    let linked = home.json(["import", image.to_str().unwrap(), "--link", "--name", "linked"]);
    assert_eq!(linked["disks"][0]["capacity"], 64 << 20);
    home.nestbox(["start", "linked"]).ok();
    home.nestbox(["stop", "--force", "linked"]).ok();
    assert_eq!(std::fs::read(&image).unwrap(), original);
    home.nestbox([
        "create",
        "grown",
        "--disk-image",
        image.to_str().unwrap(),
        "--disk",
        "1G",
        "--move",
    ])
    .ok();
    assert!(!image.exists());
    assert_eq!(home.json(["show", "grown"])["disks"][0]["capacity"], 1 << 30);
    // The linked machine's file is gone now, and that is said by name.
    let error = home.nestbox(["--json", "start", "linked"]).fails_with(3).error();
    assert!(error.message.contains("my disk, v1.qcow2"), "{}", error.message);
}

#[test]
fn a_raw_disk_comes_in() {
    let home = home();
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("disk.img");
    // A boot sector that halts, with its signature.
    let mut bytes = vec![0u8; 1 << 20];
    bytes[..2].copy_from_slice(&[0xf4, 0xeb]);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(&raw, &bytes).unwrap();
    let machine = home.json(["import", raw.to_str().unwrap(), "--name", "raw"]);
    assert_eq!(machine["disks"][0]["format"], "qcow2");
    assert_eq!(machine["disks"][0]["capacity"], 1 << 20);
    home.nestbox(["start", "raw"]).ok();
}

#[test]
fn what_is_no_image_is_refused_with_the_reason() {
    let home = home();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("empty.iso"), "").unwrap();
    std::fs::write(path("letter.qcow2"), "Dear Sir or Madam").unwrap();
    let base = empty_qcow2(folder.path(), "base.qcow2");
    let made = std::process::Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"])
        .arg(&base)
        .arg(path("overlay.qcow2"))
        .status();
    assert!(made.unwrap().success());
    for name in ["empty.iso", "letter.qcow2", "overlay.qcow2"] {
        let error = home
            .nestbox(["--json", "import", &path(name)])
            .fails_with(6)
            .error();
        assert!(
            !error.message.is_empty() && !error.hint.is_empty(),
            "{name}: {error:?}"
        );
    }
    home.nestbox(["import", &path("missing.iso")]).fails_with(3);
    home.nestbox(["import", folder.path().to_str().unwrap()])
        .fails_with(6);
    assert_eq!(home.json(["list"])["machines"].as_array().map(Vec::len), Some(0));
    assert_eq!(
        std::fs::read_dir(home.path().join("machines")).unwrap().count(),
        0
    );
}

#[test]
fn an_iso_boots_and_media_change_while_it_runs() {
    let Some(guests) = guests("an_iso_boots_and_media_change_while_it_runs") else {
        return;
    };
    let home = home();
    let iso = guests.iso();
    let machine = home.json(["import", iso.to_str().unwrap(), "--name", "live", "--start"]);
    assert_eq!(machine["arch"], "x86_64");
    assert_eq!(machine["state"], "running");
    let ready = home.serial_log("live").wait_ready(BOOT).expect("it boots");
    assert_eq!((ready.medium.as_str(), ready.arch.as_str()), ("iso", "x86_64"));
    assert_eq!(
        home.json(["media", "eject", "live"])["medium"],
        serde_json::Value::Null
    );
    let back = home.json(["media", "insert", "live", iso.to_str().unwrap()]);
    assert_eq!(back["medium"]["name"], "tiny.iso");
    let folder = tempfile::tempdir().unwrap();
    let disk = empty_qcow2(folder.path(), "disk.qcow2");
    home.nestbox(["media", "insert", "live", disk.to_str().unwrap()])
        .fails_with(6);
    // A real picture of a real screen.
    let file = folder.path().join("screen.png");
    home.nestbox(["screenshot", "live", file.to_str().unwrap()]).ok();
    let png = std::fs::read(&file).unwrap();
    let black = nestbox_guests::picture::share_of(&png, [0, 0, 0]).expect("a picture");
    assert!(black < 1.0, "the screen shows something");
    home.nestbox(["keys", "live", "ctrl-alt-f1", "ret"]).ok();
    home.nestbox(["keys", "live", "no-such-key"]).fails_with(2);
    home.nestbox(["stop", "live", "--timeout", "60"]).ok();
    home.wait_state("live", "stopped", Duration::from_secs(5));
}
