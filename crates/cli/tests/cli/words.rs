//! Words, exit codes and JSON of the contract (`docs/cli.md`).

use crate::common::home;
use serde_json::Value;

#[test]
fn wrong_usage_is_2_and_said_as_json_when_asked() {
    let home = home();
    home.nestbox(["frobnicate"]).fails_with(2);
    home.nestbox(["create", "x"]).fails_with(2);
    let error = home
        .nestbox(["--json", "create", "x", "--blank", "--memory", "many"])
        .fails_with(2)
        .error();
    assert_eq!(error.code, "usage");
    assert!(error.message.contains("--memory"), "{}", error.message);
    assert!(
        error.message.ends_with('.') && !error.message.ends_with(".."),
        "{}",
        error.message
    );
    let error = home.nestbox(["--json", "create"]).fails_with(2).error();
    assert!(
        error.message.contains("<NAME>"),
        "the fact is lost: {}",
        error.message
    );
    let error = home
        .nestbox(["--json", "create", "x", "--blank", "--cpus", "0"])
        .fails_with(2)
        .error();
    assert_eq!(error.code, "bad-value");
}

#[test]
fn what_is_not_there_is_3_with_a_hint() {
    let home = home();
    home.nestbox(["create", "web server", "--blank"]).ok();
    let error = home.nestbox(["--json", "show", "web"]).fails_with(3).error();
    assert_eq!(error.code, "machine-not-found");
    assert!(error.hint.contains("web server"), "{}", error.hint);
    assert_eq!(
        home.nestbox(["--json", "snapshot", "show", "web server", "x"])
            .fails_with(3)
            .error()
            .code,
        "snapshot-not-found"
    );
    assert_eq!(
        home.nestbox(["--json", "template", "show", "ubunto-24.04"])
            .fails_with(3)
            .error()
            .code,
        "template-not-found"
    );
    assert_eq!(
        home.nestbox(["--json", "jobs", "show", "nope"])
            .fails_with(3)
            .error()
            .code,
        "job-not-found"
    );
    assert_eq!(
        home.nestbox(["--json", "config", "get", "nope"])
            .fails_with(3)
            .error()
            .code,
        "setting-not-found"
    );
}

#[test]
fn conflicts_are_4() {
    let home = home();
    home.nestbox(["create", "Äpfel", "--blank"]).ok();
    assert_eq!(
        home.nestbox(["--json", "create", "äpfel", "--blank"])
            .fails_with(4)
            .error()
            .code,
        "name-taken"
    );
    home.nestbox(["create", "other", "--blank"]).ok();
    assert_eq!(
        home.nestbox(["--json", "rename", "other", "ÄPFEL"])
            .fails_with(4)
            .error()
            .code,
        "name-taken"
    );
    for verb in ["stop", "pause", "resume", "reset"] {
        assert_eq!(
            home.nestbox(["--json", verb, "other"]).fails_with(4).error().code,
            "machine-not-running",
            "{verb}"
        );
    }
    // Nothing of the refused machine is left.
    let machines = home.json(["list"]);
    assert_eq!(machines["machines"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        std::fs::read_dir(home.path().join("machines")).unwrap().count(),
        2
    );
}

#[test]
fn a_machine_shows_every_key_of_the_contract() {
    let home = home();
    let machine = home.json([
        "create", "web", "--blank", "--cpus", "1", "--memory", "64M", "--disk", "10M", "--tag", "lab",
    ]);
    for key in [
        "id",
        "name",
        "state",
        "state_reason",
        "arch",
        "template",
        "cpus",
        "memory",
        "accelerator",
        "accelerator_reason",
        "created_at",
        "started_at",
        "tags",
        "notes",
        "pid",
        "current_snapshot",
        "folder",
        "disks",
        "nics",
        "ports",
        "shares",
        "settable",
    ] {
        assert!(machine.get(key).is_some(), "{key} is missing: {machine}");
    }
    assert_eq!(machine["state"], "stopped");
    assert_eq!(machine["memory"], 64 << 20);
    assert_eq!(machine["disks"][0]["capacity"], 10 << 20);
    assert_eq!(machine["nics"][0]["network"], "default");
    let id = machine["id"].as_str().unwrap();
    assert_eq!(home.json(["show", &id[..8]])["name"], "web");
    assert_eq!(home.json(["list", "--tag", "LAB"])["machines"][0]["name"], "web");
    assert_eq!(
        home.json(["list", "--search", "nothing"])["machines"],
        Value::Array(vec![])
    );
    home.nestbox(["list", "--state", "sleepy"]).fails_with(2);
}

#[test]
fn settings_of_a_machine_change_all_or_none() {
    let home = home();
    home.nestbox(["create", "web", "--blank"]).ok();
    let changed = home.json([
        "set",
        "web",
        "cpus=3",
        "memory=1.5G",
        "notes=a=b, “c”",
        "tags=lab,work",
        "display.resolution=1920x1080",
    ]);
    assert_eq!(changed["cpus"], 3);
    assert_eq!(changed["memory"], 1536u64 << 20);
    assert_eq!(changed["notes"], "a=b, “c”");
    assert_eq!(changed["tags"][1], "work");
    let error = home
        .nestbox(["--json", "set", "web", "cpus=4", "nonsense=1"])
        .fails_with(3)
        .error();
    assert_eq!(error.code, "setting-not-found");
    assert_eq!(home.json(["show", "web"])["cpus"], 3);
    home.nestbox(["set", "web", "memory"]).fails_with(2);
}

#[test]
fn names_can_hold_anything_printable() {
    let home = home();
    let names = [
        "a b",
        "it's \"quoted\"",
        "comma, = and :",
        "日本語 🦀",
        "-rf",
        "../up",
        "a/b%20c",
        "{json:1}",
    ];
    for name in names {
        let made = home.json(["create", "--blank", "--disk", "1M", "--", name]);
        assert_eq!(made["name"], name);
        let command = home.json(["show", "--command", "--", name]);
        assert!(command["argv"].as_array().is_some_and(|argv| argv.len() > 10));
        assert_eq!(home.json(["show", "--", name])["id"], made["id"]);
    }
    assert_eq!(
        home.json(["list"])["machines"].as_array().map(Vec::len),
        Some(names.len())
    );
    for bad in ["", "  ", "a\nb", &"x".repeat(121)] {
        assert_eq!(
            home.nestbox(["--json", "create", "--blank", "--", bad])
                .fails_with(2)
                .error()
                .code,
            "bad-name"
        );
    }
}

#[test]
fn config_keeps_and_refuses() {
    let home = home();
    home.nestbox([
        "config",
        "set",
        "mirror.ubuntu",
        "https://mirror.example.org/ubuntu",
    ])
    .ok();
    assert_eq!(
        home.json(["config", "get", "mirror.ubuntu"])["value"],
        "https://mirror.example.org/ubuntu"
    );
    let template = home.json(["template", "show", "ubuntu-24.04"]);
    let url = template["arches"]["aarch64"]["url"].as_str().unwrap();
    assert!(url.starts_with("https://mirror.example.org/ubuntu/"), "{url}");
    assert_eq!(
        home.nestbox(["--json", "config", "set", "theme", "pink"])
            .fails_with(2)
            .error()
            .code,
        "bad-value"
    );
    home.nestbox(["config", "set", "mirror.ubuntu"]).ok();
    home.nestbox(["config", "get", "mirror.ubuntu"]).fails_with(3);
}

#[test]
fn completions_know_the_commands() {
    let home = home();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let text = home.nestbox(["completions", shell]).ok().stdout;
        assert!(
            text.contains("snapshot") && text.contains("screenshot"),
            "{shell}"
        );
    }
}

#[test]
fn doctor_finds_what_really_works() {
    let home = home();
    let report = home.json(["doctor"]);
    assert_eq!(report["ok"], true, "{report}");
    let accelerators = report["accelerators"].as_array().unwrap();
    let tcg = accelerators
        .iter()
        .find(|a| a["name"] == "tcg" && a["arch"] == "x86_64")
        .unwrap();
    assert_eq!(
        (&tcg["usable"], &tcg["tested"]),
        (&Value::Bool(true), &Value::Bool(true))
    );
    for accelerator in accelerators {
        assert!(
            accelerator["reason"]
                .as_str()
                .is_some_and(|reason| !reason.is_empty()),
            "{accelerator}"
        );
        if accelerator["usable"] == false {
            assert!(accelerator["cure"].is_string(), "{accelerator}");
        }
    }
}

#[test]
fn a_missing_qemu_is_5_and_says_what_to_install() {
    let home = home().env("NESTBOX_QEMU_DIR", "/nonexistent");
    let error = home
        .nestbox([
            "--json",
            "create",
            "x",
            "--template",
            "alpine-3.23",
            "--arch",
            "aarch64",
        ])
        .fails_with(5)
        .error();
    assert_eq!(error.code, "qemu-missing");
    assert!(error.hint.contains("install"), "{}", error.hint);
    assert_eq!(home.json(["list"])["machines"], Value::Array(vec![]));
    home.nestbox(["doctor"]).fails_with(5);
}

#[test]
fn a_data_directory_with_a_long_path_works() {
    let home = home();
    let long = home
        .path()
        .join("a-rather-long-folder-name-".repeat(6))
        .join("ü, with = odd 'characters'");
    let run = home.nestbox([
        "--json",
        "--data-dir",
        long.to_str().unwrap(),
        "create",
        "x",
        "--blank",
        "--disk",
        "1M",
        "--start",
    ]);
    let machine = run.ok().json();
    assert_eq!(machine["state"], "running");
    home.nestbox(["--data-dir", long.to_str().unwrap(), "stop", "--force", "x"])
        .ok();
    home.nestbox(["--data-dir", long.to_str().unwrap(), "service", "stop"])
        .ok();
}
