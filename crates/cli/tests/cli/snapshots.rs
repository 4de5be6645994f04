//! Snapshots without a guest system: the tree, the images, refusals.

use crate::common::{home, wait_for_jobs};
use nestbox_guests::TestHome;
use serde_json::Value;
use std::path::Path;

fn images(home: &TestHome) -> usize {
    std::fs::read_dir(home.machine_folder("web").join("disks"))
        .unwrap()
        .count()
}

fn list(home: &TestHome) -> Vec<(String, Option<String>)> {
    let list = home.json(["snapshot", "list", "web"]);
    let all = list["snapshots"].as_array().unwrap();
    let name = |id: &Value| {
        all.iter()
            .find(|s| s["id"] == *id)
            .map(|s| s["name"].as_str().unwrap().to_owned())
    };
    all.iter()
        .map(|s| (s["name"].as_str().unwrap().to_owned(), name(&s["parent"])))
        .collect()
}

fn check_disks(home: &TestHome) {
    wait_for_jobs(home);
    for disk in home.machine("web")["disks"].as_array().unwrap() {
        let path = Path::new(disk["path"].as_str().unwrap());
        let checked = std::process::Command::new("qemu-img")
            .args(["check", "-q", "-f", "qcow2"])
            .arg(path)
            .status()
            .unwrap();
        assert!(checked.success(), "{}", path.display());
    }
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn the_tree_grows_branches_and_loses_them() {
    let home = home();
    home.nestbox(["create", "web", "--blank", "--disk", "64M"]).ok();
    for name in ["one", "two", "three"] {
        home.nestbox(["snapshot", "take", "web", name]).ok();
    }
    assert_eq!(images(&home), 4);
    home.nestbox(["snapshot", "restore", "web", "one", "--discard"])
        .ok();
    // The discarded present is gone, the frozen images are not.
    assert_eq!(images(&home), 4);
    home.nestbox(["snapshot", "take", "web", "branch"]).ok();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        list(&home),
        [
            ("one".to_owned(), None),
            ("two".to_owned(), some("one")),
            ("three".to_owned(), some("two")),
            ("branch".to_owned(), some("one"))
        ]
    );
    let would = home.json(["snapshot", "delete", "web", "two", "--subtree", "--dry-run"]);
    assert_eq!(would["deleted"].as_array().map(Vec::len), Some(2));
    assert_eq!(list(&home).len(), 4);
    // “two” goes, “three” moves up; its image stays, since “three” stands on it.
    home.nestbox(["snapshot", "delete", "web", "two"]).ok();
    assert_eq!(list(&home)[1], ("three".to_owned(), some("one")));
    check_disks(&home);
    home.nestbox(["snapshot", "restore", "web", "three", "--discard"])
        .ok();
    check_disks(&home);
    home.nestbox(["snapshot", "delete", "web", "one", "--subtree"])
        .ok();
    assert!(list(&home).is_empty());
    check_disks(&home);
    assert_eq!(home.machine("web")["current_snapshot"], Value::Null);
    home.nestbox(["start", "web"]).ok();
}

#[test]
fn the_present_is_kept_before_a_restore() {
    let home = home();
    home.nestbox(["create", "web", "--blank", "--disk", "64M", "--memory", "64M"])
        .ok();
    home.nestbox(["snapshot", "take", "web", "clean"]).ok();
    home.nestbox(["set", "web", "memory=128M", "notes=later"]).ok();
    let would = home.json(["snapshot", "restore", "web", "clean", "--dry-run"]);
    assert_eq!(would["would_keep_present"], true);
    let restored = home.json(["snapshot", "restore", "web", "clean"]);
    // The hardware is the snapshot's; notes are the user's and stay.
    assert_eq!(restored["machine"]["memory"], 64 << 20);
    assert_eq!(restored["machine"]["notes"], "later");
    assert_eq!(restored["machine"]["state"], "stopped");
    let kept = restored["kept"]["id"].as_str().unwrap();
    assert_eq!(
        home.json(["snapshot", "restore", "web", kept, "--discard"])["machine"]["memory"],
        128 << 20
    );
    check_disks(&home);
}

#[test]
fn memory_of_a_machine_that_is_off_is_refused_and_a_paused_one_stays_paused() {
    let home = home();
    home.nestbox(["create", "web", "--blank", "--disk", "64M", "--memory", "64M"])
        .ok();
    home.nestbox(["start", "web"]).ok();
    home.nestbox(["pause", "web"]).ok();
    let taken = home.json(["snapshot", "take", "web", "paused"]);
    assert_eq!(
        (&taken["memory"], taken["paused_seconds"].as_f64()),
        (&Value::Bool(true), Some(0.0))
    );
    assert_eq!(home.machine("web")["state"], "paused");
    home.nestbox(["resume", "web"]).ok();
    assert_eq!(
        home.json(["snapshot", "restore", "web", "paused"])["machine"]["state"],
        "paused"
    );
    assert_eq!(
        home.json(["snapshot", "take", "web", "disks", "--no-memory"])["memory"],
        false
    );
    home.nestbox([
        "snapshot",
        "rename",
        "web",
        "disks",
        "Only disks",
        "--notes",
        "no memory",
    ])
    .ok();
    assert_eq!(
        home.json(["snapshot", "show", "web", "only disks"])["notes"],
        "no memory"
    );
    home.nestbox(["stop", "--force", "web"]).ok();
    check_disks(&home);
    // A memory file that was damaged is refused, and the disks stay good.
    let id = taken["id"].as_str().unwrap();
    let memory = home
        .machine_folder("web")
        .join("snapshots")
        .join(id)
        .join("memory");
    std::fs::write(&memory, "not memory").unwrap();
    let error = home
        .nestbox(["--json", "snapshot", "restore", "web", "paused"])
        .fails_with(1)
        .error();
    assert!(!error.hint.is_empty(), "{error:?}");
    check_disks(&home);
    home.nestbox(["start", "web"]).ok();
}
