//! The snapshot timeline without a guest system: merging, rules, clones of machines that are off, disposable runs,
//! comparison, space.

use crate::common::{holds, home, qemu_io, wait_for_jobs};
use nestbox_guests::TestHome;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

fn blank(home: &TestHome, name: &str) {
    home.nestbox(["create", name, "--blank", "--disk", "64M", "--memory", "64M"])
        .ok();
}

fn images(home: &TestHome, name: &str) -> BTreeSet<PathBuf> {
    std::fs::read_dir(home.machine_folder(name).join("disks"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn active(home: &TestHome, name: &str) -> PathBuf {
    PathBuf::from(home.machine(name)["disks"][0]["path"].as_str().unwrap())
}

/// Writes what a guest would have: a megabyte of one byte.
fn write(home: &TestHome, name: &str, mebibyte: u32, byte: u8) {
    qemu_io(&active(home, name), &format!("write -P {byte} {mebibyte}M 1M"));
}

fn names(home: &TestHome, machine: &str) -> Vec<String> {
    let list = home.json(["snapshot", "list", machine]);
    let all = list["snapshots"].as_array().unwrap();
    all.iter()
        .map(|s| s["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_deleted_snapshot_s_images_are_merged_and_every_byte_stays() {
    let home = home();
    blank(&home, "web");
    for (at, name) in ["one", "two", "three"].into_iter().enumerate() {
        write(&home, "web", at as u32, 0x11 * (at as u8 + 1));
        home.nestbox(["snapshot", "take", "web", name]).ok();
    }
    write(&home, "web", 0, 0xaa);
    assert_eq!(images(&home, "web").len(), 4);
    let deleted = home.json(["snapshot", "delete", "web", "two"]);
    assert!(deleted["job"].is_string(), "{deleted}");
    wait_for_jobs(&home);
    // Two neighbours became one, under the name of the lower.
    assert_eq!(images(&home, "web").len(), 3);
    home.nestbox(["library", "check"]).ok();
    home.nestbox(["snapshot", "delete", "web", "one"]).ok();
    wait_for_jobs(&home);
    assert_eq!(images(&home, "web").len(), 2);
    assert!(holds(&active(&home, "web"), 0, 0xaa));
    assert!(holds(&active(&home, "web"), 1, 0x22));
    home.nestbox(["snapshot", "restore", "web", "three", "--discard"])
        .ok();
    for at in 0..3 {
        assert!(holds(&active(&home, "web"), at, 0x11 * (at as u8 + 1)), "{at}");
    }
    // The last one goes, too: the present then stands on nothing.
    home.nestbox(["snapshot", "delete", "web", "three"]).ok();
    wait_for_jobs(&home);
    assert_eq!(images(&home, "web").len(), 1);
    assert!(holds(&active(&home, "web"), 2, 0x33));
    home.nestbox(["library", "check"]).ok();
    home.nestbox(["start", "web"]).ok();
}

#[test]
fn a_branch_keeps_what_it_stands_on_until_it_goes() {
    let home = home();
    blank(&home, "web");
    write(&home, "web", 0, 1);
    home.nestbox(["snapshot", "take", "web", "root"]).ok();
    write(&home, "web", 1, 2);
    home.nestbox(["snapshot", "take", "web", "left"]).ok();
    home.nestbox(["snapshot", "restore", "web", "root", "--discard"])
        .ok();
    write(&home, "web", 1, 3);
    home.nestbox(["snapshot", "take", "web", "right"]).ok();
    home.nestbox(["snapshot", "delete", "web", "root"]).ok();
    wait_for_jobs(&home);
    // Two stand on its image, so it stays, unseen.
    assert_eq!(images(&home, "web").len(), 4);
    home.nestbox(["snapshot", "restore", "web", "left", "--discard"])
        .ok();
    assert!(holds(&active(&home, "web"), 0, 1) && holds(&active(&home, "web"), 1, 2));
    home.nestbox(["snapshot", "delete", "web", "right"]).ok();
    wait_for_jobs(&home);
    assert_eq!(images(&home, "web").len(), 2);
    assert!(holds(&active(&home, "web"), 0, 1) && holds(&active(&home, "web"), 1, 2));
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn images_merge_while_the_machine_runs() {
    let home = home();
    blank(&home, "web");
    write(&home, "web", 0, 7);
    home.nestbox(["start", "web"]).ok();
    for name in ["one", "two", "three"] {
        home.nestbox(["snapshot", "take", "web", name]).ok();
    }
    let pid = home.machine("web")["pid"].clone();
    // In the middle, at the bottom, and right under the active image.
    for name in ["two", "one", "three"] {
        home.nestbox(["snapshot", "delete", "web", name]).ok();
        wait_for_jobs(&home);
        home.nestbox(["library", "check"]).ok();
    }
    assert_eq!(images(&home, "web").len(), 1);
    assert_eq!(home.machine("web")["pid"], pid);
    // The machine knows which image it writes: the next snapshot, and a new service, agree with it.
    home.nestbox(["snapshot", "take", "web", "again"]).ok();
    home.nestbox(["service", "stop"]).ok();
    home.nestbox(["snapshot", "delete", "web", "again"]).ok();
    wait_for_jobs(&home);
    home.nestbox(["stop", "--force", "web"]).ok();
    assert_eq!(images(&home, "web").len(), 1);
    assert!(holds(&active(&home, "web"), 0, 7));
}

#[test]
fn a_merge_gives_way_to_other_operations() {
    let home = home();
    blank(&home, "web");
    for at in 0..20 {
        write(&home, "web", at % 60, 9);
        home.nestbox(["snapshot", "take", "web", &format!("s{at}")]).ok();
    }
    for at in 0..19 {
        home.nestbox(["snapshot", "delete", "web", &format!("s{at}")])
            .ok();
    }
    // Not one of these waits for the merging, and none of it is lost.
    home.nestbox(["start", "web"]).ok();
    home.nestbox(["snapshot", "take", "web", "between"]).ok();
    home.nestbox(["stop", "--force", "web"]).ok();
    wait_for_jobs(&home);
    home.nestbox(["snapshot", "tidy", "web"]).ok();
    assert_eq!(images(&home, "web").len(), 3);
    for at in 0..20 {
        assert!(holds(&active(&home, "web"), at, 9), "{at}");
    }
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn a_linked_clone_keeps_its_original_and_a_full_one_does_not() {
    let home = home();
    blank(&home, "web");
    write(&home, "web", 0, 5);
    home.nestbox(["snapshot", "take", "web", "base"]).ok();
    write(&home, "web", 0, 6);
    let made = home.json(["clone", "web", "linked", "--snapshot", "base"]);
    assert_eq!(made["machine"]["origin"]["snapshot_name"], "base");
    assert!(!made["notes"].as_array().unwrap().is_empty());
    assert_ne!(
        made["machine"]["nics"][0]["mac"],
        home.machine("web")["nics"][0]["mac"]
    );
    assert!(holds(&active(&home, "linked"), 0, 5));
    for words in [
        vec!["--json", "snapshot", "delete", "web", "base"],
        vec!["--json", "delete", "web"],
    ] {
        let error = home.nestbox(words).fails_with(4).error();
        assert_eq!(error.details["needed_by"][0], "linked");
    }
    assert_eq!(home.machine("web")["needed_by"][0], "linked");
    // Deleted, it can come back, so it still counts.
    home.nestbox(["delete", "linked"]).ok();
    home.nestbox(["snapshot", "delete", "web", "base"]).fails_with(4);
    home.nestbox(["trash", "restore", "linked"]).ok();
    assert!(holds(&active(&home, "linked"), 0, 5));
    home.nestbox(["start", "linked"]).ok();
    home.nestbox(["stop", "--force", "linked"]).ok();
    home.nestbox(["library", "check"]).ok();

    home.nestbox(["clone", "web", "full", "--full"]).ok();
    assert_eq!(home.machine("full")["origin"]["linked"], false);
    assert!(holds(&active(&home, "full"), 0, 6));
    home.nestbox(["delete", "linked"]).ok();
    home.nestbox(["trash", "empty", "--yes"]).ok();
    home.nestbox(["delete", "web"]).ok();
    home.nestbox(["trash", "empty", "--yes"]).ok();
    assert!(holds(&active(&home, "full"), 0, 6));
    home.nestbox(["start", "full"]).ok();
    home.nestbox(["clone", "full", "full"]).fails_with(4);
}

#[test]
fn a_disposable_run_leaves_nothing_unless_it_is_kept_after_all() {
    let home = home();
    blank(&home, "web");
    write(&home, "web", 0, 1);
    let before = active(&home, "web");
    home.nestbox(["start", "web", "--disposable"]).ok();
    assert_eq!(home.machine("web")["disposable"], true);
    assert_ne!(active(&home, "web"), before);
    home.nestbox(["stop", "--force", "web"]).ok();
    assert_eq!(active(&home, "web"), before);
    assert_eq!(images(&home, "web").len(), 1);
    // A service that died with it makes no difference, nor does the end while none watched.
    home.nestbox(["start", "web", "--disposable"]).ok();
    home.nestbox(["service", "stop"]).ok();
    assert_eq!(home.machine("web")["disposable"], true);
    home.nestbox(["stop", "--force", "web"]).ok();
    assert_eq!(images(&home, "web"), BTreeSet::from([before.clone()]));

    home.nestbox(["start", "web", "--disposable"]).ok();
    home.nestbox(["keep-changes", "web"]).ok();
    home.nestbox(["stop", "--force", "web"]).ok();
    assert_ne!(active(&home, "web"), before);
    home.nestbox(["keep-changes", "web"]).fails_with(4);
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn rules_take_and_thin_out_snapshots() {
    let home = home();
    blank(&home, "web");
    home.nestbox(["set", "web", "snapshots.before-start=true", "snapshots.keep=2"])
        .ok();
    for at in 0..4 {
        write(&home, "web", at, 1);
        home.nestbox(["start", "web"]).ok();
        home.nestbox(["stop", "--force", "web"]).ok();
    }
    let list = home.json(["snapshot", "list", "web"]);
    let all = list["snapshots"].as_array().unwrap();
    assert_eq!(all.len(), 2, "{list:#}");
    assert!(
        all.iter()
            .all(|s| s["kind"] == "before-start" && s["automatic"] == true)
    );
    // One that is to be kept is not counted and not removed.
    let kept = all[0]["id"].as_str().unwrap();
    home.nestbox(["snapshot", "keep", "web", kept]).ok();
    for at in 4..7 {
        write(&home, "web", at, 1);
        home.nestbox(["start", "web"]).ok();
        home.nestbox(["stop", "--force", "web"]).ok();
    }
    let list = home.json(["snapshot", "list", "web"]);
    let all = list["snapshots"].as_array().unwrap();
    assert!(all.len() == 3 && all.iter().any(|s| s["id"] == kept), "{list:#}");
    // Nothing was written since: a start takes none.
    let before = names(&home, "web").len();
    home.nestbox(["snapshot", "restore", "web", kept, "--discard"])
        .ok();
    home.nestbox(["start", "web"]).ok();
    assert_eq!(names(&home, "web").len(), before);
    for bad in [
        "snapshots.keep=0",
        "snapshots.every=-1",
        "snapshots.before-start=maybe",
    ] {
        home.nestbox(["set", "web", bad]).fails_with(2);
    }
    wait_for_jobs(&home);
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn what_differs_and_what_takes_space_is_said() {
    let home = home();
    blank(&home, "web");
    home.nestbox(["snapshot", "take", "web", "early"]).ok();
    write(&home, "web", 0, 1);
    home.nestbox(["set", "web", "cpus=1", "memory=128M"]).ok();
    let comparison = home.json(["snapshot", "compare", "web", "early"]);
    let changed: Vec<&str> = comparison["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["key"].as_str().unwrap())
        .collect();
    assert!(changed.contains(&"memory"), "{comparison:#}");
    assert!(comparison["disks"][0]["written"].as_u64().unwrap() >= 1 << 20);
    let restored = home.json(["snapshot", "restore", "web", "early"]);
    let notes = restored["notes"].to_string();
    assert!(notes.contains("memory"), "{restored:#}");

    home.nestbox(["start", "web"]).ok();
    home.nestbox(["snapshot", "take", "web", "running"]).ok();
    let space = home.json(["space"]);
    let of = |kind: &str| {
        let items = space["items"].as_array().unwrap();
        items.iter().find(|item| item["kind"] == kind).cloned()
    };
    let memory = of("memory").expect("the memory file");
    assert_eq!(memory["action"], "drop-memory");
    assert!(memory["bytes"].as_u64().unwrap() > 0 && space["free"].as_u64().unwrap() > 0);
    let dropped = home.json(["snapshot", "drop-memory", "web", "running"]);
    assert_eq!(
        (&dropped["memory"], &dropped["memory_size"]),
        (&false.into(), &0.into())
    );
    home.nestbox(["snapshot", "drop-memory", "web", "running"])
        .fails_with(4);
    assert_eq!(
        home.json(["snapshot", "restore", "web", "running"])["machine"]["state"],
        "running"
    );
}

#[test]
fn memory_that_another_version_wrote_is_refused_before_the_guest_ends() {
    let home = home();
    blank(&home, "web");
    home.nestbox(["start", "web"]).ok();
    let taken = home.json(["snapshot", "take", "web", "running"]);
    let memory = home
        .machine_folder("web")
        .join("snapshots")
        .join(taken["id"].as_str().unwrap())
        .join("memory");
    // Saved for a machine with another amount of memory, as its own note says.
    let bytes = std::fs::read(&memory).unwrap();
    let needle = b"\"ram\":67108864";
    let at = bytes
        .windows(needle.len())
        .rposition(|window| window == needle)
        .expect("the note");
    let mut file = std::fs::OpenOptions::new().write(true).open(&memory).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(at as u64)).unwrap();
    file.write_all(b"\"ram\":67108865").unwrap();
    let pid = home.machine("web")["pid"].clone();
    let error = home
        .nestbox(["--json", "snapshot", "restore", "web", "running"])
        .fails_with(5)
        .error();
    assert_eq!(error.code, "memory-unfit");
    assert!(error.hint.contains("--no-memory"), "{error:?}");
    assert_eq!(home.machine("web")["pid"], pid, "the guest still runs");
    home.nestbox(["snapshot", "restore", "web", "running", "--no-memory"])
        .ok();
    assert_eq!(home.machine("web")["state"], "running");
}

#[test]
fn several_machines_are_cut_together_or_not_at_all() {
    let home = home();
    for name in ["a", "b", "c"] {
        blank(&home, name);
        home.nestbox(["set", name, "tags=lab"]).ok();
    }
    home.nestbox(["start", "a", "b"]).ok();
    let taken = home.json(["snapshot", "take", "a", "b", "c", "--name", "Lab"]);
    let snapshots = taken["snapshots"].as_array().unwrap();
    assert_eq!(snapshots.len(), 3);
    for one in snapshots {
        assert_eq!(one["snapshot"]["group"], taken["group"]);
        let runs = one["machine_name"] != "c";
        assert_eq!(one["snapshot"]["memory"], runs, "{one:#}");
    }
    assert_eq!(home.machine("a")["state"], "running");
    assert_eq!(
        home.json(["snapshot", "take", "--tag", "LAB", "--no-memory"])["snapshots"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    // One of them can't: none is taken, and the others go on.
    let folder = home.machine_folder("b").join("snapshots");
    let aside = folder.with_extension("aside");
    std::fs::rename(&folder, &aside).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    home.nestbox(["snapshot", "take", "a", "b", "c", "--name", "Not"])
        .fails_with(1);
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&aside, &folder).unwrap();
    for name in ["a", "b", "c"] {
        assert!(!names(&home, name).contains(&"Not".to_owned()), "{name}");
    }
    assert_eq!(home.machine("a")["state"], "running");
    home.nestbox(["snapshot", "take", "--tag", "nobody"])
        .fails_with(2);
    wait_for_jobs(&home);
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn saved_state_survives_the_service_and_can_be_thrown_away() {
    let home = home();
    blank(&home, "web");
    home.nestbox(["start", "web"]).ok();
    assert_eq!(home.json(["suspend", "web"])["state"], "suspended");
    home.nestbox(["suspend", "web"]).fails_with(4);
    home.nestbox(["service", "stop"]).ok();
    let machine = home.machine("web");
    assert_eq!(
        (&machine["state"], &machine["pid"]),
        (&"suspended".into(), &Value::Null)
    );
    // Its memory goes on with the same hardware only.
    let error = home
        .nestbox(["--json", "set", "web", "cpus=1"])
        .fails_with(4)
        .error();
    assert_eq!(error.code, "machine-suspended");
    home.nestbox(["set", "web", "notes=still"]).ok();
    home.nestbox(["start", "web", "--disposable"]).fails_with(4);
    // A snapshot of it holds the memory, and so does a clone.
    assert_eq!(home.json(["snapshot", "take", "web", "asleep"])["memory"], true);
    home.nestbox(["clone", "web", "copy"]).ok();
    assert_eq!(home.machine("copy")["state"], "suspended");
    home.nestbox(["start", "web", "copy"]).ok();
    assert_eq!(home.machine("copy")["state"], "running");
    home.nestbox(["suspend", "web"]).ok();
    home.nestbox(["discard-state", "web"]).ok();
    assert_eq!(home.machine("web")["state"], "stopped");
    home.nestbox(["discard-state", "web"]).fails_with(4);
    home.nestbox(["snapshot", "restore", "web", "asleep"]).ok();
    assert_eq!(home.machine("web")["state"], "running");
    // Memory at rest is compressed on request, and used all the same.
    home.nestbox(["snapshot", "tidy", "web"]).ok();
    assert_eq!(
        home.json(["snapshot", "show", "web", "asleep"])["memory_packed"],
        true
    );
    home.nestbox(["snapshot", "restore", "web", "asleep"]).ok();
    assert_eq!(home.machine("web")["state"], "running");
    home.nestbox(["library", "check"]).ok();
}

/// Makes writing the settings fail for one command, as a full disk would, and mends it.
fn while_settings_fail(home: &TestHome, machine: &str, words: &[&str]) {
    let file = home.machine_folder(machine).join("machine.toml");
    let aside = file.with_extension("aside");
    std::fs::rename(&file, &aside).unwrap();
    std::fs::create_dir_all(file.join("in the way")).unwrap();
    let run = home.nestbox(words);
    assert_ne!(run.code, Some(0), "{}", run.words);
    std::fs::remove_dir_all(&file).unwrap();
    std::fs::rename(&aside, &file).unwrap();
}

#[test]
fn an_operation_that_failed_half_way_never_comes_back() {
    let home = home();
    blank(&home, "web");
    while_settings_fail(&home, "web", &["snapshot", "take", "web", "failed"]);
    home.nestbox(["snapshot", "take", "web", "later"]).ok();
    write(&home, "web", 0, 0x77);
    let present = active(&home, "web");
    home.nestbox(["service", "stop"]).ok();
    wait_for_jobs(&home);
    assert!(holds(&active(&home, "web"), 0, 0x77), "{}", present.display());
    home.nestbox(["library", "check"]).ok();

    home.nestbox(["start", "web"]).ok();
    while_settings_fail(&home, "web", &["suspend", "web"]);
    assert_eq!(home.machine("web")["state"], "suspended");
    home.nestbox(["start", "web"]).ok();
    let pid = home.machine("web")["pid"].clone();
    home.nestbox(["service", "stop"]).ok();
    let machine = home.machine("web");
    assert_eq!((&machine["state"], &machine["pid"]), (&"running".into(), &pid));
}

#[test]
fn a_clone_whose_settings_are_unreadable_keeps_its_original() {
    let home = home();
    blank(&home, "web");
    write(&home, "web", 0, 0x21);
    home.nestbox(["clone", "web", "copy"]).ok();
    write(&home, "web", 0, 0x22);
    let file = home.machine_folder("copy").join("machine.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\nname = twice")).unwrap();
    home.nestbox(["library", "check", "--rebuild"]);
    home.nestbox(["service", "stop"]).ok();
    let snapshot = names(&home, "web").remove(0);
    home.nestbox(["snapshot", "delete", "web", &snapshot]);
    home.nestbox(["snapshot", "tidy", "web"]);
    home.nestbox(["delete", "web"]).fails_with(4);
    std::fs::write(&file, &text).unwrap();
    home.nestbox(["library", "check", "--rebuild"]);
    assert!(holds(&active(&home, "copy"), 0, 0x21));
    assert!(holds(&active(&home, "web"), 0, 0x22));
}

#[test]
fn folders_and_records_changed_by_hand_do_no_harm() {
    let home = home();
    blank(&home, "web");
    for name in ["one", "two", "three"] {
        home.nestbox(["snapshot", "take", "web", name]).ok();
    }
    let list = home.json(["snapshot", "list", "web"]);
    let id = |at: usize| list["snapshots"][at]["id"].as_str().unwrap().to_owned();
    let snapshots = home.machine_folder("web").join("snapshots");
    // One that is gone is told, not mixed up with another.
    std::fs::remove_dir_all(snapshots.join(id(1))).unwrap();
    home.nestbox(["library", "check"]).fails_with(1);
    home.nestbox(["snapshot", "restore", "web", "two"]).fails_with(3);
    // One that names itself as its parent ends nobody's patience.
    let record = snapshots.join(id(0)).join("snapshot.toml");
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, format!("parent = \"{}\"\n{text}", id(0))).unwrap();
    home.nestbox(["service", "stop"]).ok();
    assert_eq!(names(&home, "web"), ["one", "three"]);
    home.nestbox(["snapshot", "delete", "web", "one"]).ok();
    // What a newer Nestbox wrote is left as it is.
    let file = home.machine_folder("web").join("machine.toml");
    let newer = std::fs::read_to_string(&file)
        .unwrap()
        .replacen("version = 1", "version = 99", 1);
    wait_for_jobs(&home);
    std::fs::write(&file, &newer).unwrap();
    home.nestbox(["service", "stop"]).ok();
    home.nestbox(["rename", "web", "other"]).fails_with(1);
    home.nestbox(["set", "web", "notes=x"]).fails_with(1);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), newer);
}

#[test]
fn a_disposable_run_is_ended_or_kept_before_a_restore() {
    let home = home();
    blank(&home, "web");
    home.nestbox(["snapshot", "take", "web", "old"]).ok();
    write(&home, "web", 0, 0x11);
    home.nestbox(["start", "web", "--disposable"]).ok();
    let error = home
        .nestbox(["--json", "snapshot", "restore", "web", "old"])
        .fails_with(4)
        .error();
    assert_eq!(error.code, "disposable-run");
    home.nestbox(["stop", "--force", "web"]).ok();
    assert!(holds(&active(&home, "web"), 0, 0x11));
    home.nestbox(["snapshot", "restore", "web", "old"]).ok();
}
