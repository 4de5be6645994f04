//! A killed service, a killed QEMU, and what the next start makes of it.

use crate::common::{Server, empty_qcow2, holds, home, qemu_io, wait_for_jobs};
use nestbox_guests::TestHome;
use nestbox_model::layout::Layout;
use nestbox_model::{MachineId, MachineSpec};
use nestbox_store::Library;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

fn kill(pid: &Value) {
    let pid = Pid::from_raw(i32::try_from(pid.as_i64().expect("a pid")).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).expect("killed");
}

#[test]
fn machines_outlive_a_killed_service() {
    let home = home();
    home.nestbox([
        "create", "web", "--blank", "--disk", "1M", "--memory", "64M", "--start",
    ])
    .ok();
    let pid = home.json(["show", "web"])["pid"].clone();
    kill(&home.json(["service", "status"])["service"]["pid"]);
    let machine = home.json(["show", "web"]);
    assert_eq!(machine["state"], "running");
    assert_eq!(machine["pid"], pid);
    // It is really spoken to again, not only believed to be there.
    assert_eq!(home.json(["pause", "web"])["state"], "paused");
    assert_eq!(home.json(["resume", "web"])["state"], "running");
    home.nestbox(["snapshot", "take", "web", "after"]).ok();
    home.nestbox(["snapshot", "restore", "web", "after"]).ok();
}

#[test]
fn a_dead_qemu_is_seen_with_its_reason() {
    let home = home();
    home.nestbox([
        "create", "web", "--blank", "--disk", "1M", "--memory", "64M", "--start",
    ])
    .ok();
    kill(&home.json(["show", "web"])["pid"]);
    let machine = home.wait_state("web", "stopped", Duration::from_secs(20));
    assert!(
        machine["state_reason"]
            .as_str()
            .is_some_and(|reason| !reason.is_empty()),
        "{machine}"
    );
    home.nestbox(["start", "web"]).ok();
    // The same while no service watches.
    let pid = home.json(["show", "web"])["pid"].clone();
    home.nestbox(["service", "stop"]).ok();
    kill(&pid);
    std::thread::sleep(Duration::from_secs(3));
    let machine = home.json(["show", "web"]);
    assert_eq!(machine["state"], "stopped");
    assert!(machine["state_reason"].is_string());
}

#[test]
fn a_creation_cut_short_leaves_nothing_and_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let image = empty_qcow2(folder.path(), "image.qcow2");
    std::fs::OpenOptions::new()
        .append(true)
        .open(&image)
        .unwrap()
        .set_len(8 << 20)
        .unwrap();
    let server = Server::with_ubuntu("x86_64", &image);
    server.mirror.set_rate(Some(256 << 10));
    let home = server.home();
    home.nestbox([
        "create",
        "web",
        "--template",
        "ubuntu-24.04",
        "--arch",
        "x86_64",
        "--detach",
    ])
    .ok();
    assert_eq!(home.json(["show", "web"])["state"], "creating");
    std::thread::sleep(Duration::from_millis(1500));
    kill(&home.json(["service", "status"])["service"]["pid"]);
    assert_eq!(home.json(["list"])["machines"], Value::Array(vec![]));
    assert_eq!(
        std::fs::read_dir(home.path().join("machines")).unwrap().count(),
        0
    );
    let job = home.json(["jobs", "list"])["jobs"][0].clone();
    assert_eq!(
        (&job["state"], &job["error"]["code"]),
        (&Value::from("failed"), &Value::from("interrupted"))
    );
    server.mirror.set_rate(None);
    home.nestbox(["create", "web", "--template", "ubuntu-24.04", "--arch", "x86_64"])
        .ok();
    let resumed = server.mirror.image_requests();
    assert!(resumed.len() >= 2, "the download goes on where it was");
}

#[test]
fn a_cancelled_creation_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let image = empty_qcow2(folder.path(), "image.qcow2");
    std::fs::OpenOptions::new()
        .append(true)
        .open(&image)
        .unwrap()
        .set_len(8 << 20)
        .unwrap();
    let server = Server::with_ubuntu("x86_64", &image);
    server.mirror.set_rate(Some(256 << 10));
    let home = server.home();
    let started = home.json([
        "create",
        "web",
        "--template",
        "ubuntu-24.04",
        "--arch",
        "x86_64",
        "--detach",
    ]);
    let job = started["job"]["id"].as_str().unwrap().to_owned();
    home.nestbox(["jobs", "cancel", &job]).ok();
    for _ in 0..100 {
        if home.json(["jobs", "show", &job])["state"] == "cancelled" {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(home.json(["jobs", "show", &job])["state"], "cancelled");
    assert_eq!(home.json(["list"])["machines"], Value::Array(vec![]));
    assert_eq!(
        std::fs::read_dir(home.path().join("machines")).unwrap().count(),
        0
    );
}

/// Puts an entry into the journal, as a service leaves it that dies at `step`.
fn leave_open(home: &TestHome, op: &str, machine: &Value, step: &str, payload: &Value) {
    home.nestbox(["service", "stop"]).ok();
    let library = Library::open(&Layout::new(home.path(), Path::new("/tmp"))).expect("the library");
    let machine = MachineId::from_text(machine.as_str().unwrap());
    let entry = library.begin(op, Some(&machine), payload).expect("an entry");
    if !step.is_empty() {
        library.advance(entry, step, payload).expect("a step");
    }
}

#[test]
fn a_moved_file_is_never_taken_back_with_its_machine() {
    let home = home();
    let folder = tempfile::tempdir().unwrap();
    let image = empty_qcow2(folder.path(), "only copy.qcow2");
    let path = image.to_str().unwrap().to_owned();
    let machine = home.json(["import", &path, "--move", "--name", "moved"]);
    assert!(!image.exists());
    leave_open(
        &home,
        "create",
        &machine["id"],
        "move",
        &serde_json::json!({ "moved_from": path }),
    );
    assert_eq!(home.json(["show", "moved"])["state"], "stopped");
    home.nestbox(["start", "moved"]).ok();
    home.nestbox(["stop", "--force", "moved"]).ok();
    // A creation that moved nothing is undone.
    let other = home.json(["create", "half", "--blank", "--disk", "1M"]);
    leave_open(&home, "create", &other["id"], "", &serde_json::json!({}));
    home.nestbox(["show", "half"]).fails_with(3);
    home.nestbox(["show", "moved"]).ok();
}

#[test]
fn a_snapshot_cut_short_is_before_or_after() {
    let home = home();
    let machine = home.json(["create", "web", "--blank", "--disk", "64M"]);
    let disks = home.machine_folder("web").join("disks");
    let active = std::path::PathBuf::from(machine["disks"][0]["path"].as_str().unwrap());
    let spec = std::fs::read_to_string(home.machine_folder("web").join("machine.toml")).unwrap();
    let overlay = |name: &str| {
        let made = std::process::Command::new("qemu-img")
            .args([
                "create",
                "-q",
                "-f",
                "qcow2",
                "-F",
                "qcow2",
                "-b",
                active.file_name().unwrap().to_str().unwrap(),
            ])
            .arg(disks.join(name))
            .current_dir(&disks)
            .status();
        assert!(made.unwrap().success());
    };
    // The journal carries the spec to come.
    let parsed = |name: &str| {
        let old = active.file_name().unwrap().to_str().unwrap();
        let after: MachineSpec = toml::from_str(&spec.replace(old, name)).unwrap();
        serde_json::to_value(after).unwrap()
    };
    let id = "0".repeat(32);
    for (step, name, adopted) in [("", "before.qcow2", false), ("freeze", "after.qcow2", true)] {
        overlay(name);
        qemu_io(&disks.join(name), "write -P 0x5a 1M 1M");
        let payload = serde_json::json!({ "snapshot": id, "images": [name], "after": parsed(name) });
        leave_open(&home, "snapshot-take", &machine["id"], step, &payload);
        wait_for_jobs(&home);
        // Unused, it went; in use, it became one with the image that no snapshot names.
        let after = home.json(["show", "web"]);
        assert_eq!(after["disks"][0]["path"], active.to_str().unwrap(), "{step}");
        assert!(!disks.join(name).exists(), "{step}");
        assert_eq!(holds(&active, 1, 0x5a), adopted, "{step}");
        assert!(active.exists());
        assert_eq!(
            home.json(["snapshot", "list", "web"])["snapshots"],
            Value::Array(vec![])
        );
    }
    home.nestbox(["library", "check"]).ok();
}
