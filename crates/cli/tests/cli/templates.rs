//! Machines from templates that are not a plain qcow2 or ISO: compressed images, media of the user's own, set-up.

use crate::common::{Server, empty_qcow2};
use std::{fs, path::Path, process::Command};

/// An ISO as far as anything here looks: the mark of a volume and nothing in it.
fn iso(path: &Path) {
    let mut bytes = vec![0; 300 << 10];
    bytes[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    bytes[0x8006] = 1;
    let blocks = 150_u32;
    bytes[0x8050..0x8054].copy_from_slice(&blocks.to_le_bytes());
    bytes[0x8054..0x8058].copy_from_slice(&blocks.to_be_bytes());
    bytes[0x8080..0x8084].copy_from_slice(&[0, 8, 8, 0]);
    bytes[0x8800..0x8806].copy_from_slice(b"\xffCD001");
    bytes[0x8806] = 1;
    fs::write(path, bytes).unwrap();
}

fn tool(name: &str, args: &[&str], folder: &Path) {
    let status = Command::new(name)
        .args(args)
        .current_dir(folder)
        .status()
        .unwrap();
    assert!(status.success(), "{name} {args:?}");
}

#[test]
fn compressed_images_are_unpacked_for_each_machine() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let image = empty_qcow2(folder, "image.qcow2");
    let server = Server::with_ubuntu("x86_64", &image);
    let home = server.home();
    tool("xz", &["--keep", "image.qcow2"], folder);
    server
        .mirror
        .publish("freebsd-15", "x86_64", &folder.join("image.qcow2.xz"))
        .unwrap();
    iso(&folder.join("live.iso"));
    let mut floppy = vec![0; 1440 << 10];
    floppy[510..512].copy_from_slice(&[0x55, 0xaa]);
    fs::write(folder.join("boot.img"), floppy).unwrap();
    tool("zip", &["-q", "live.zip", "boot.img", "live.iso"], folder);
    server
        .mirror
        .publish("freedos-1.4", "i386", &folder.join("live.zip"))
        .unwrap();

    let args = ["create", "bsd", "--template", "freebsd-15", "--arch", "x86_64"];
    home.nestbox(args).ok();
    let machine = home.machine("bsd");
    assert_eq!(machine["disks"][0]["capacity"], 20_u64 << 30);
    assert_eq!(machine["disks"][0]["format"], "qcow2");
    let disk = machine["disks"][0]["path"].as_str().unwrap();
    let info = Command::new("qemu-img")
        .args(["info", "--output=json", disk])
        .output()
        .unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.stdout).unwrap();
    assert_eq!(
        info.get("backing-filename"),
        None,
        "a compressed file can't be read in place"
    );

    home.nestbox(["create", "dos", "--template", "freedos-1.4", "--arch", "i386"])
        .ok();
    let spec = fs::read_to_string(home.machine_folder("dos").join("machine.toml")).unwrap();
    assert!(
        spec.contains("firmware = \"bios\"") && spec.contains("bus = \"sata\""),
        "{spec}"
    );
    let medium = home.machine_folder("dos").join("medium.iso");
    assert_eq!(
        fs::read(medium).unwrap(),
        fs::read(folder.join("live.iso")).unwrap()
    );
}

#[test]
fn a_system_without_an_address_takes_the_user_s_iso() {
    let folder = tempfile::tempdir().unwrap();
    let image = empty_qcow2(folder.path(), "image.qcow2");
    let medium = folder.path().join("own.iso");
    iso(&medium);
    let medium = medium.to_str().unwrap();
    let server = Server::with_ubuntu("x86_64", &image);
    let home = server.home();
    let create = ["create", "win", "--template", "windows-11"];
    let error = home
        .nestbox(["--json"].iter().chain(&create))
        .fails_with(2)
        .error();
    assert_eq!(error.code, "medium-needed");
    let with = |file: &str| {
        [
            "--json",
            "create",
            "win",
            "--template",
            "windows-11",
            "--iso",
            file,
        ]
        .map(str::to_owned)
    };
    let error = home.nestbox(with(image.to_str().unwrap())).fails_with(2).error();
    assert_eq!(error.code, "wrong-kind-of-file");
    let machine = home.nestbox(with(medium)).ok().json();
    assert_eq!(machine["template"], "windows-11");
    assert_eq!(machine["disks"][0]["capacity"], 80_u64 << 30);
    let spec = fs::read_to_string(home.machine_folder("win").join("machine.toml")).unwrap();
    assert!(spec.contains(medium), "{spec}");
    let wrong = [
        "--json",
        "create",
        "x",
        "--template",
        "ubuntu-24.04",
        "--iso",
        medium,
    ];
    assert_eq!(
        home.nestbox(wrong).fails_with(2).error().code,
        "option-not-applicable"
    );
    let list = home.json(["template", "list"]);
    let templates = list["templates"].as_array().unwrap();
    assert!(templates.len() >= 25);
    let windows = templates.iter().find(|t| t["id"] == "windows-11").unwrap();
    assert_eq!(windows["arches"]["x86_64"]["own_medium"], true);
    assert_eq!(windows["arches"]["x86_64"]["url"], "");
}

#[test]
fn a_template_s_set_up_and_the_user_s_go_into_the_seed() {
    let folder = tempfile::tempdir().unwrap();
    let image = empty_qcow2(folder.path(), "image.qcow2");
    let server = Server::with_ubuntu("x86_64", &image);
    server.mirror.publish("container-host", "x86_64", &image).unwrap();
    let home = server.home();
    let create = [
        "--json",
        "create",
        "docker",
        "--template",
        "container-host",
        "--arch",
        "x86_64",
    ];
    let bad = home
        .nestbox(create.iter().chain(&["--package", "a; rm -rf /"]))
        .fails_with(2)
        .error();
    assert_eq!(bad.code, "bad-setup");
    let wishes = [
        "--package",
        "vim",
        "--keyboard",
        "de",
        "--timezone",
        "Europe/Berlin",
        "--run",
        "touch /ok",
    ];
    home.nestbox(create.iter().chain(&wishes)).ok();
    let seed = fs::read(home.machine_folder("docker").join("seed.img")).unwrap();
    let has = |text: &str| seed.windows(text.len()).any(|window| window == text.as_bytes());
    for text in [
        "docker.io",
        "\"vim\"",
        "Europe/Berlin",
        "\"layout\": \"de\"",
        "touch /ok",
    ] {
        assert!(has(text), "{text}");
    }
}
