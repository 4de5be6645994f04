//! A library that someone wrote into: nothing outside a machine's folder is touched, nothing needed is removed.

use crate::common::home;
use nestbox_guests::TestHome;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Changes a text file of the machine while no service runs.
fn edit(home: &TestHome, file: &PathBuf, change: impl FnOnce(String) -> String) {
    home.nestbox(["service", "stop"]).ok();
    let text = fs::read_to_string(file).unwrap();
    fs::write(file, change(text)).unwrap();
}

fn record(home: &TestHome, machine: &str, snapshot: &Value) -> PathBuf {
    let id = snapshot["id"].as_str().unwrap();
    home.machine_folder(machine)
        .join("snapshots")
        .join(id)
        .join("snapshot.toml")
}

#[test]
fn a_snapshot_record_cannot_name_other_folders() {
    let home = home();
    home.nestbox(["create", "web", "--blank", "--disk", "1M"]).ok();
    let victim = home.path().join("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("file"), "precious").unwrap();
    let snapshot = home.json(["snapshot", "take", "web", "one"]);
    let file = record(&home, "web", &snapshot);
    let id = snapshot["id"].as_str().unwrap().to_owned();
    edit(&home, &file, |text| text.replacen(&id, "../../../victim", 1));
    home.nestbox(["library", "check", "--rebuild"]).fails_with(1);
    home.nestbox(["snapshot", "delete", "web", "one"]).fails_with(3);
    assert!(victim.join("file").exists());
}

#[test]
fn a_restored_record_cannot_make_the_machine_another() {
    let home = home();
    let machine = home.json(["create", "web", "--blank", "--disk", "1M"]);
    let other = home.json(["create", "other", "--blank", "--disk", "1M"]);
    let snapshot = home.json(["snapshot", "take", "web", "one"]);
    let file = record(&home, "web", &snapshot);
    let (own, foreign) = (
        machine["id"].as_str().unwrap().to_owned(),
        other["id"].as_str().unwrap().to_owned(),
    );
    edit(&home, &file, |text| text.replace(&own, &foreign));
    home.nestbox(["library", "check", "--rebuild"]).ok();
    let restored = home.json(["snapshot", "restore", "web", "one", "--discard"]);
    assert_eq!(restored["machine"]["id"], machine["id"]);
    assert_eq!(home.json(["show", "other"])["id"], other["id"]);
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn settings_cannot_name_other_files() {
    let home = home();
    home.nestbox(["create", "web", "--blank", "--disk", "1M"]).ok();
    let file = home.machine_folder("web").join("machine.toml");
    let good = fs::read_to_string(&file).unwrap();
    for bad in ["seed = \"../../../../etc/shadow\"\n", "nvram = \"/etc/shadow\"\n"] {
        edit(&home, &file, |_| format!("{bad}{good}"));
        assert_eq!(home.json(["show", "web"])["state"], "broken", "{bad}");
        home.nestbox(["start", "web"]).fails_with(1);
    }
    edit(&home, &file, |_| good.clone());
    home.nestbox(["start", "web"]).ok();
}

#[test]
fn images_of_an_unreadable_snapshot_stay() {
    let home = home();
    home.nestbox(["create", "web", "--blank", "--disk", "1M"]).ok();
    home.nestbox(["snapshot", "take", "web", "one"]).ok();
    let second = home.json(["snapshot", "take", "web", "two"]);
    let file = record(&home, "web", &second);
    let good = fs::read_to_string(&file).unwrap();
    edit(&home, &file, |text| text + "[[[");
    home.nestbox(["library", "check", "--rebuild"]).fails_with(1);
    home.nestbox(["snapshot", "restore", "web", "one", "--discard"])
        .ok();
    home.nestbox(["snapshot", "delete", "web", "one"]).ok();
    edit(&home, &file, |_| good);
    // What could not be removed meanwhile is told, and goes when that is asked for.
    home.nestbox(["library", "check", "--rebuild"]).fails_with(1);
    home.nestbox(["snapshot", "tidy", "web"]).ok();
    home.nestbox(["library", "check", "--rebuild"]).ok();
    home.nestbox(["snapshot", "restore", "web", "two"]).ok();
    home.nestbox(["start", "web"]).ok();
}

#[test]
fn a_machine_whose_settings_broke_while_it_ran_is_still_in_hand() {
    let home = home();
    home.nestbox([
        "create", "web", "--blank", "--disk", "1M", "--memory", "64M", "--start",
    ])
    .ok();
    let file = home.machine_folder("web").join("machine.toml");
    let good = fs::read_to_string(&file).unwrap();
    edit(&home, &file, |text| text + "[[[");
    assert_eq!(home.json(["show", "web"])["state"], "running");
    home.nestbox(["delete", "web"]).fails_with(4);
    home.nestbox(["stop", "--force", "web"]).ok();
    assert_eq!(home.json(["show", "web"])["state"], "broken");
    edit(&home, &file, |_| good);
    home.nestbox(["start", "web"]).ok();
}

#[test]
fn an_id_is_never_shadowed_by_a_name() {
    let home = home();
    let machine = home.json(["create", "web", "--blank", "--disk", "1M"]);
    let id = machine["id"].as_str().unwrap();
    assert_eq!(
        home.nestbox(["--json", "create", id, "--blank"])
            .fails_with(2)
            .error()
            .code,
        "bad-name"
    );
    home.nestbox(["create", &id[..10], "--blank", "--disk", "1M"])
        .ok();
    assert_eq!(home.json(["show", id])["name"], "web");
}

#[test]
fn options_without_effect_are_refused() {
    let home = home();
    let error = home
        .nestbox(["--json", "create", "x", "--blank", "--network", "nosuch"])
        .fails_with(3)
        .error();
    assert_eq!(error.code, "network-not-found");
    let error = home
        .nestbox(["--json", "create", "x", "--blank", "--user", "ada"])
        .fails_with(2)
        .error();
    assert_eq!(error.code, "option-not-applicable");
    // Said before anything is downloaded: no mirror is there to answer.
    let template = [
        "--json",
        "create",
        "x",
        "--template",
        "ubuntu-24.04",
        "--arch",
        "x86_64",
    ];
    let error = home
        .nestbox(template.into_iter().chain(["--user", "not a name"]))
        .fails_with(2)
        .error();
    assert_eq!(error.code, "bad-user");
    assert_eq!(home.json(["list"])["machines"], Value::Array(vec![]));
}

#[test]
fn deleting_twice_and_starting_at_once_ends_in_one_of_them() {
    let home = home();
    home.nestbox(["create", "web", "--blank", "--disk", "1M", "--memory", "64M"])
        .ok();
    let run = |words: &[&str]| {
        home.command(words)
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut racing = [
        run(&["delete", "web"]),
        run(&["start", "web"]),
        run(&["delete", "web"]),
    ];
    for child in &mut racing {
        child.wait().unwrap();
    }
    let machines = home.json(["list"])["machines"].as_array().map(Vec::len);
    let trashed = home.json(["trash", "list"])["entries"].as_array().map(Vec::len);
    assert_eq!(machines.unwrap() + trashed.unwrap(), 1, "exactly one of them won");
    if trashed == Some(1) {
        home.nestbox(["trash", "restore", "web"]).ok();
    }
    home.nestbox(["library", "check"]).ok();
}
