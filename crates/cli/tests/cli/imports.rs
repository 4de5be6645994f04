//! Files become machines, or a clear refusal.

use crate::common::{BOOT, empty_qcow2, guests, holds, home, wait_for_jobs};
use nestbox_guests::TestHome;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn run(program: &str, folder: &Path, args: &[&str]) {
    let done = Command::new(program).current_dir(folder).args(args).output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(done.status.success(), "{program} {args:?}: {done:?}");
}

/// A disk of 4 MiB whose second MiB is full of `byte`, in a format of `qemu-img`, named `name`.
fn disk(folder: &Path, name: &str, format: &str, options: &[&str], byte: u8) -> PathBuf {
    let raw = folder.join(format!("{name}.source"));
    let mut bytes = vec![0u8; 4 << 20];
    bytes[..2].copy_from_slice(&[0xf4, 0xeb]);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes[1 << 20..2 << 20].fill(byte);
    std::fs::write(&raw, &bytes).unwrap();
    let source = format!("{name}.source");
    let mut args = vec!["convert", "-f", "raw", "-O", format];
    args.extend(options);
    args.extend([source.as_str(), name]);
    run("qemu-img", folder, &args);
    std::fs::remove_file(raw).unwrap();
    folder.join(name)
}

/// The image of a machine's disk.
fn image(machine: &Value, index: usize) -> PathBuf {
    PathBuf::from(machine["disks"][index]["path"].as_str().unwrap())
}

fn import(home: &TestHome, file: &Path, more: &[&str]) -> Value {
    let mut args = vec!["import", file.to_str().unwrap()];
    args.extend(more);
    home.json(args)
}

fn nothing_is_left(home: &TestHome) {
    assert_eq!(home.json(["list"])["machines"].as_array().map(Vec::len), Some(0));
    let machines = std::fs::read_dir(home.path().join("machines")).unwrap();
    assert_eq!(machines.count(), 0);
}

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
    nothing_is_left(&home);
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

#[test]
fn disks_of_other_programs_come_in_byte_for_byte() {
    let home = home();
    let folder = tempfile::tempdir().unwrap();
    let kinds: [(&str, &str, &[&str]); 4] = [
        ("vmdk", "vmdk", &["-o", "subformat=streamOptimized"]),
        ("vdi", "vdi", &[]),
        ("vhdx", "vhdx", &[]),
        ("vhd", "vpc", &["-o", "force_size=on"]),
    ];
    for (byte, (kind, driver, options)) in (1..).zip(kinds) {
        let file = disk(folder.path(), &format!("disk.{kind}"), driver, options, byte);
        let before = std::fs::read(&file).unwrap();
        let plan = import(&home, &file, &["--dry-run"]);
        assert_eq!(plan["recognised"], kind);
        let machine = import(&home, &file, &["--name", kind]);
        assert_eq!(machine["disks"][0]["capacity"], 4 << 20, "{kind}");
        assert!(
            holds(&image(&machine, 0), 1, byte) && holds(&image(&machine, 0), 2, 0),
            "{kind}"
        );
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }
    // A disk that has to be written anew can't stay where it is.
    let file = folder.path().join("disk.vdi");
    let refused = home.nestbox(["--json", "import", file.to_str().unwrap(), "--link"]);
    assert_eq!(refused.fails_with(2).error().code, "link-unsupported");
    assert_eq!(home.json(["list"])["machines"].as_array().map(Vec::len), Some(4));
    home.nestbox(["library", "check"]).ok();
}

/// A machine of two disks, 2 processors, 96 MiB and one NIC.
fn ova(folder: &Path, second_disk: &str) -> PathBuf {
    let item =
        |kind: u32, rest: &str| format!("<Item><rasd:ResourceType>{kind}</rasd:ResourceType>{rest}</Item>");
    let file = |id: &str, name: &str| format!(r#"<File ovf:id="f{id}" ovf:href="{name}"/>"#);
    let disk_of =
        |id: &str| format!(r#"<Disk ovf:diskId="d{id}" ovf:fileRef="f{id}" ovf:capacity="4194304"/>"#);
    let drive = |id: &str| {
        item(
            17,
            &format!("<rasd:HostResource>ovf:/disk/d{id}</rasd:HostResource>"),
        )
    };
    let ovf = [
        r#"<?xml version="1.0"?><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" "#,
        r#"xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="r"><References>"#,
        &(file("1", "a.vmdk") + &file("2", second_disk)),
        "</References><DiskSection><Info/>",
        &(disk_of("1") + &disk_of("2")),
        r#"</DiskSection><VirtualSystem ovf:id="vm"><Info/><Name>Two disks</Name>"#,
        "<AnnotationSection><Annotation>Mind the\ngap</Annotation></AnnotationSection>",
        "<VirtualHardwareSection>",
        &item(3, "<rasd:VirtualQuantity>2</rasd:VirtualQuantity>"),
        &item(
            4,
            "<rasd:AllocationUnits>MegaBytes</rasd:AllocationUnits><rasd:VirtualQuantity>96</rasd:VirtualQuantity>",
        ),
        &item(
            10,
            "<rasd:Connection>NAT</rasd:Connection><rasd:Address>08:00:27:AA:BB:CC</rasd:Address>",
        ),
        &(drive("1") + &drive("2")),
        "</VirtualHardwareSection></VirtualSystem></Envelope>",
    ]
    .concat();
    std::fs::write(folder.join("m.ovf"), ovf).unwrap();
    disk(
        folder,
        "a.vmdk",
        "vmdk",
        &["-o", "subformat=streamOptimized"],
        0x41,
    );
    disk(
        folder,
        "b.vmdk",
        "vmdk",
        &["-o", "subformat=streamOptimized"],
        0x42,
    );
    let members = ["-cf", "two.ova", "--format=ustar", "m.ovf", "a.vmdk", "b.vmdk"];
    run("tar", folder, &members);
    folder.join("two.ova")
}

fn is_the_machine_of_the_ova(machine: &Value) {
    assert_eq!(
        (&machine["cpus"], &machine["memory"]),
        (&2.into(), &(96 << 20).into())
    );
    assert_eq!(machine["notes"], "Mind the\ngap");
    assert_eq!(machine["disks"].as_array().map(Vec::len), Some(2));
    for (index, byte) in [(0, 0x41), (1, 0x42)] {
        assert_eq!(machine["disks"][index]["capacity"], 4 << 20);
        assert!(holds(&image(machine, index), 1, byte), "disk {index}");
        let image = image(machine, index);
        run(
            "qemu-img",
            Path::new("/"),
            &["check", "-q", image.to_str().unwrap()],
        );
    }
}

#[test]
fn an_ova_becomes_a_machine_with_all_its_disks() {
    let home = home();
    let folder = tempfile::tempdir().unwrap();
    let ova = ova(folder.path(), "b.vmdk");
    let first = import(&home, &ova, &[]);
    assert_eq!(first["name"], "Two disks");
    is_the_machine_of_the_ova(&first);
    assert_eq!(first["nics"][0]["mac"], "08:00:27:aa:bb:cc");
    // The address is taken now: it is said before and afterwards, and the second machine has one of its own.
    let plan = import(&home, &ova, &["--dry-run"]);
    let items = plan["items"].to_string();
    assert!(items.contains("“Two disks” has the MAC address"), "{items}");
    let done = home
        .nestbox(["import", ova.to_str().unwrap(), "--name", "again"])
        .ok();
    assert!(
        done.stderr.contains("so the NIC gets a new one"),
        "{}",
        done.stderr
    );
    let again = home.machine("again");
    assert_ne!(again["nics"][0]["mac"], "08:00:27:aa:bb:cc");
    // Compressed, the number of its disks comes from the description that its first part has.
    run("gzip", folder.path(), &["-k", "two.ova"]);
    let packed = import(&home, &folder.path().join("two.ova.gz"), &["--name", "packed"]);
    is_the_machine_of_the_ova(&packed);
    // Moved, it is gone from where it was, and both disks are in the library.
    let moved = import(&home, &ova, &["--name", "moved", "--move"]);
    is_the_machine_of_the_ova(&moved);
    assert!(!ova.exists());
    home.nestbox(["start", "moved"]).ok();
    home.nestbox(["stop", "--force", "moved"]).ok();
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn a_bundle_with_a_disk_missing_leaves_nothing() {
    let home = home();
    let folder = tempfile::tempdir().unwrap();
    let ova = ova(folder.path(), "not-there.vmdk");
    let before = std::fs::read(&ova).unwrap();
    for action in [None, Some("--move")] {
        let args = ["--json", "import", ova.to_str().unwrap()];
        let error = home.nestbox(args.into_iter().chain(action)).fails_with(6).error();
        assert!(!error.message.is_empty() && !error.hint.is_empty(), "{error:?}");
    }
    // Compressed, this is found only in the middle of the work.
    run("gzip", folder.path(), &["-k", "two.ova"]);
    let packed = folder.path().join("two.ova.gz");
    home.nestbox(["import", packed.to_str().unwrap(), "--move"])
        .fails_with(6);
    assert!(packed.exists());
    assert_eq!(std::fs::read(&ova).unwrap(), before);
    nothing_is_left(&home);
}

#[test]
fn a_machine_of_vmware_comes_with_its_disk() {
    let home = home();
    let folder = tempfile::tempdir().unwrap();
    disk(folder.path(), "box.vmdk", "vmdk", &[], 0x77);
    let text = "config.version = \"8\"\ndisplayName = \"Old box\"\nnumvcpus = \"1\"\nmemsize = \"128\"\n\
                annotation = \"From the cellar\"\n\
                scsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"box.vmdk\"\n\
                ethernet0.present = \"TRUE\"\nethernet0.connectionType = \"nat\"\n\
                ethernet0.address = \"00:50:56:00:00:0A\"\nethernet0.startConnected = \"FALSE\"\n";
    let vmx = folder.path().join("box.vmx");
    std::fs::write(&vmx, text).unwrap();
    // It is two files, which are never moved: this is said.
    let done = home.nestbox(["import", vmx.to_str().unwrap(), "--move"]).ok();
    assert!(done.stderr.contains("stays where it is"), "{}", done.stderr);
    assert!(vmx.exists() && folder.path().join("box.vmdk").exists());
    let machine = home.machine("Old box");
    assert_eq!(
        (&machine["cpus"], &machine["memory"]),
        (&1.into(), &(128 << 20).into())
    );
    assert_eq!(machine["notes"], "From the cellar");
    let nic = &machine["nics"][0];
    assert_eq!(
        (nic["mac"].as_str(), nic["link"].as_str()),
        (Some("00:50:56:00:00:0a"), Some("down"))
    );
    assert!(holds(&image(&machine, 0), 1, 0x77));
}

#[test]
fn a_taken_port_of_a_bundle_is_replaced() {
    let home = home();
    let folder = tempfile::tempdir().unwrap();
    disk(folder.path(), "disk.qcow2", "qcow2", &[], 0x31);
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().port();
    let conf = folder.path().join("box.conf");
    let text = format!(
        "guest_os=\"linux\"\ndisk_img=\"disk.qcow2\"\nram=\"64M\"\nport_forwards=(\"{taken}:8080\")\n"
    );
    std::fs::write(&conf, text).unwrap();
    let done = home
        .nestbox(["import", conf.to_str().unwrap(), "--name", "web"])
        .ok();
    assert!(
        done.stderr
            .contains(&format!("Port {taken} of this computer is taken")),
        "{}",
        done.stderr
    );
    let forward = &home.machine("web")["ports"][0];
    assert_eq!(forward["guest"], 8080);
    assert_ne!(forward["host"], taken);
    assert!(holds(&image(&home.machine("web"), 0), 1, 0x31));
}

#[test]
fn what_is_compressed_is_unpacked() {
    let home = home();
    let folder = tempfile::tempdir().unwrap();
    disk(folder.path(), "disk.qcow2", "qcow2", &[], 0x5a);
    run("gzip", folder.path(), &["disk.qcow2"]);
    let packed = folder.path().join("disk.qcow2.gz");
    let machine = import(&home, &packed, &[]);
    assert_eq!(
        (&machine["name"], &machine["disks"][0]["format"]),
        (&"disk".into(), &"qcow2".into())
    );
    assert!(holds(&image(&machine, 0), 1, 0x5a));
    assert!(packed.exists());
}

#[test]
fn a_compressed_iso_is_unpacked_into_the_machine_s_folder() {
    let Some(guests) = guests("a_compressed_iso_is_unpacked_into_the_machine_s_folder") else {
        return;
    };
    let home = home();
    let folder = tempfile::tempdir().unwrap();
    let iso = std::fs::read(guests.iso()).unwrap();
    std::fs::write(folder.path().join("live.iso"), &iso).unwrap();
    run("gzip", folder.path(), &["live.iso"]);
    let packed = folder.path().join("live.iso.gz");
    let machine = import(&home, &packed, &["--name", "live"]);
    let medium = PathBuf::from(machine["medium"]["path"].as_str().unwrap());
    assert_eq!(medium, home.machine_folder("live").join("medium.iso"));
    assert!(std::fs::read(&medium).unwrap() == iso, "the medium is another");
    assert_eq!(machine["disks"].as_array().map(Vec::len), Some(1));
    assert!(packed.exists());
    let space = home.json(["space"]);
    let told = space["items"]
        .as_array()
        .unwrap()
        .iter()
        .any(|item| item["title"] == "Unpacked CD image of “live”" && item["bytes"].as_u64() > Some(0));
    assert!(told, "{space}");

    // A clone has it, too, and goes on having it when the original is gone.
    home.nestbox(["clone", "live", "twin", "--full"]).ok();
    wait_for_jobs(&home);
    let own = home.machine_folder("twin").join("medium.iso");
    assert_eq!(
        home.machine("twin")["medium"]["path"].as_str().map(PathBuf::from),
        Some(own.clone())
    );
    home.nestbox(["delete", "live"]).ok();
    home.nestbox(["trash", "empty", "--yes"]).ok();
    assert!(
        std::fs::read(&own).unwrap() == iso,
        "the clone's medium is another"
    );
}

#[test]
fn a_cancelled_import_leaves_nothing() {
    let home = home();
    let folder = tempfile::tempdir().unwrap();
    // Unpacking this takes seconds.
    let raw = folder.path().join("disk.img");
    let mut start = vec![0u8; 512];
    start[510..].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(&raw, &start).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&raw).unwrap();
    file.set_len(3 << 30).unwrap();
    run("gzip", folder.path(), &["-1", "disk.img"]);
    let packed = folder.path().join("disk.img.gz");
    let started = import(&home, &packed, &["--move", "--detach"]);
    let job = started["job"]["id"].as_str().unwrap().to_owned();
    home.nestbox(["jobs", "cancel", &job]).ok();
    let over = || home.json(["jobs", "show", &job])["state"] != "running";
    let patience = 300;
    let waited = (0..patience).take_while(|_| !over());
    let waited = waited
        .inspect(|_| std::thread::sleep(Duration::from_millis(100)))
        .count();
    assert!(waited < patience, "the cancelling takes too long");
    assert_eq!(home.json(["jobs", "show", &job])["state"], "cancelled");
    assert!(packed.exists());
    nothing_is_left(&home);
}
