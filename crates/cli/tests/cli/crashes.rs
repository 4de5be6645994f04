//! A killed service, a killed QEMU, and what the next start makes of it.

use crate::common::{Server, empty_qcow2, home};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
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
