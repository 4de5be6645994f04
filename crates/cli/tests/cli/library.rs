//! The library: trash, rebuild, two clients, the service's coming and going.

use crate::common::home;
use nestbox_guests::TestHome;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

fn names(home: &TestHome) -> Vec<String> {
    let machines = home.json(["list"]);
    machines["machines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn delete_is_the_trash_and_comes_back() {
    let home = home();
    let machine = home.json(["create", "web", "--blank", "--disk", "1M"]);
    home.nestbox(["snapshot", "take", "web", "one"]).ok();
    let would = home.json(["delete", "web", "--dry-run"]);
    assert_eq!(would["name"], "web");
    assert_eq!(names(&home), ["web"]);
    home.nestbox(["delete", "web"]).ok();
    assert!(names(&home).is_empty());
    assert_eq!(home.json(["trash", "list"])["entries"][0]["id"], machine["id"]);
    // Its name is free again, and it comes back beside the new one.
    home.nestbox(["create", "web", "--blank", "--disk", "1M"]).ok();
    assert_eq!(home.json(["trash", "restore", "web"])["name"], "web 2");
    assert_eq!(names(&home), ["web", "web 2"]);
    assert_eq!(
        home.json(["snapshot", "list", "web 2"])["snapshots"][0]["name"],
        "one"
    );
    home.nestbox(["delete", "web 2"]).ok();
    assert_eq!(
        home.nestbox(["--json", "trash", "empty"])
            .fails_with(2)
            .error()
            .code,
        "needs-yes"
    );
    assert_eq!(
        home.json(["trash", "empty", "--yes"])["removed"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(home.json(["trash", "list"])["entries"], Value::Array(vec![]));
    assert_eq!(std::fs::read_dir(home.path().join("trash")).unwrap().count(), 0);
}

#[test]
fn files_of_others_stay() {
    let home = home();
    let machine = home.json(["create", "web", "--blank", "--disk", "1M"]);
    let theirs = std::path::Path::new(machine["folder"].as_str().unwrap()).join("disks/mine.qcow2");
    std::fs::write(&theirs, "not an image").unwrap();
    let beside = home.path().join("trash/notes.txt");
    std::fs::write(&beside, "keep").unwrap();
    home.nestbox(["snapshot", "take", "web", "one"]).ok();
    home.nestbox(["snapshot", "delete", "web", "one"]).ok();
    assert!(theirs.exists());
    home.nestbox(["trash", "empty", "--yes"]).ok();
    assert!(beside.exists());
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn the_index_is_made_anew_from_the_folders() {
    let home = home();
    home.nestbox(["create", "web", "--blank", "--disk", "1M"]).ok();
    home.nestbox(["create", "db", "--blank", "--disk", "1M", "--tag", "lab"])
        .ok();
    home.nestbox(["snapshot", "take", "db", "clean"]).ok();
    home.nestbox(["service", "stop"]).ok();
    let database = home.path().join("library.db");
    for spoil in [b"garbage".to_vec(), Vec::new(), vec![0; 8192]] {
        let _ = std::fs::remove_file(home.path().join("library.db-wal"));
        let _ = std::fs::remove_file(home.path().join("library.db-shm"));
        std::fs::write(&database, &spoil).unwrap();
        assert_eq!(names(&home), ["db", "web"], "after {} bytes", spoil.len());
        assert_eq!(
            home.json(["snapshot", "list", "db"])["snapshots"][0]["name"],
            "clean"
        );
        home.nestbox(["service", "stop"]).ok();
    }
    let kept = std::fs::read_dir(home.path()).unwrap().flatten();
    assert!(
        kept.filter(|e| e.file_name().to_string_lossy().starts_with("library.db.broken"))
            .count()
            >= 1
    );
    let report = home.json(["library", "check", "--rebuild"]);
    assert_eq!(report["rebuilt"], 2);
}

#[test]
fn a_newer_library_is_left_alone() {
    let home = home();
    home.nestbox(["create", "web", "--blank", "--disk", "1M"]).ok();
    home.nestbox(["service", "stop"]).ok();
    let python = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('pragma user_version=999999'); c.commit()";
    let raised = std::process::Command::new("python3")
        .args(["-c", python])
        .arg(home.path().join("library.db"))
        .status();
    assert!(raised.expect("python3").success());
    let before = std::fs::read(home.path().join("library.db")).unwrap();
    let error = home.nestbox(["--json", "list"]).fails_with(5).error();
    assert!(error.message.contains("newer"), "{}", error.message);
    assert_eq!(std::fs::read(home.path().join("library.db")).unwrap(), before);
}

#[test]
fn two_clients_see_each_other_within_a_second() {
    let home = home();
    home.nestbox(["create", "web", "--blank", "--disk", "1M"]).ok();
    let mut follower = home
        .command(["--json", "events", "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        lines
            .map_while(Result::ok)
            .try_for_each(|line| sender.send((Instant::now(), line)).map_err(drop))
    });
    std::thread::sleep(Duration::from_millis(500));
    let changed_at = Instant::now();
    home.nestbox(["rename", "web", "db"]).ok();
    let (seen_at, event) = loop {
        let (at, line) = receiver.recv_timeout(Duration::from_secs(10)).expect("an event");
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["kind"] == "machine.changed" {
            break (at, event);
        }
    };
    follower.kill().unwrap();
    follower.wait().unwrap();
    assert_eq!(event["machine_now"]["name"], "db");
    // Generous: what is asserted is that it is pushed, not polled for at leisure.
    assert!(seen_at - changed_at < Duration::from_secs(5));
}

#[test]
fn the_service_goes_when_nobody_needs_it_and_stays_for_a_machine() {
    let home = home().env("NESTBOX_IDLE_EXIT", "1");
    home.nestbox(["create", "web", "--blank", "--disk", "1M", "--memory", "64M"])
        .ok();
    // Asking keeps it awake, so ask seldom.
    let gone_after = |seconds: u64| {
        std::thread::sleep(Duration::from_secs(seconds));
        home.json(["service", "status"])["running"] == false
    };
    let gone = |tries: u32| (0..tries).any(|_| gone_after(4));
    assert!(gone(5));
    let pid = home.json(["start", "web"])["pid"].clone();
    assert!(!gone_after(4));
    // Stopped by force it leaves the machine, and the next one takes it up again.
    home.nestbox(["service", "stop"]).ok();
    let machine = home.json(["show", "web"]);
    assert_eq!(
        (&machine["state"], &machine["pid"]),
        (&Value::from("running"), &pid)
    );
    home.nestbox(["stop", "--force", "web"]).ok();
    assert!(gone(5));
}
