//! The disks of a machine that is off: made, brought in, connected otherwise, taken out and back.

use crate::common::{empty_qcow2, holds, home, qemu_io, wait_for_jobs};
use nestbox_guests::TestHome;
use nestbox_model::MachineSpec;
use nestbox_model::layout::Layout;
use nestbox_store::Library;
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

fn machine(home: &TestHome, name: &str) {
    let arguments = [
        "create", name, "--blank", "--arch", "x86_64", "--disk", "64M", "--memory", "64M",
    ];
    home.nestbox(arguments).ok();
}

fn disks(home: &TestHome, machine: &str) -> Vec<Value> {
    let list = home.json(["disk", "list", machine, "--all"]);
    list["disks"].as_array().unwrap().clone()
}

fn image(disk: &Value) -> PathBuf {
    disk["path"].as_str().unwrap().into()
}

fn hash(path: &Path) -> Vec<u8> {
    let sum = std::process::Command::new("sha256sum")
        .arg(path)
        .output()
        .unwrap();
    sum.stdout[..64].to_vec()
}

#[test]
fn a_disk_is_made_changed_removed_and_brought_back() {
    let home = home();
    machine(&home, "web");
    let added = home.json(["disk", "add", "web", "--size", "32M", "--label", "Data"]);
    let added = &added["disk"];
    assert_eq!(
        (added["number"].as_u64(), &added["label"]),
        (Some(2), &"Data".into())
    );
    qemu_io(&image(added), "write -P 7 0 1M");

    let set = [
        "bus=scsi",
        "cache=unsafe",
        "iothread=on",
        "discard=off",
        "position=1",
        "label=Mine",
    ];
    let changed = home.json(["disk", "set", "web", "data"].into_iter().chain(set));
    assert_eq!(
        (&changed["bus"], &changed["cache"]),
        (&"scsi".into(), &"unsafe".into())
    );
    assert_eq!(changed["number"], 1);
    let refused = home.nestbox(["disk", "set", "web", "mine", "bus=nvme"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.stderr.contains("virtio and scsi"), "{refused:?}");
    assert!(home.json(["show", "web"])["disks"][0]["label"] == "Mine");

    // Saying changes nothing.
    let would = home.json(["disk", "remove", "web", "mine", "--dry-run"]);
    assert!(would["purge_at"].is_string());
    assert_eq!(disks(&home, "web")[0]["attached"], true);

    let removed = home.json(["disk", "remove", "web", "mine"]);
    assert!(
        removed["purge_at"].is_string() && removed["freed"] == 0,
        "{removed:#}"
    );
    let left = disks(&home, "web");
    assert!(left[0]["attached"] == true && left[1]["removed_at"].is_string());
    let space = home.json(["space"]);
    let in_bin = |item: &Value| item["title"].as_str().unwrap().contains("“Mine” in the bin");
    assert!(space["items"].as_array().unwrap().iter().any(in_bin), "{space:#}");
    assert_eq!(home.nestbox(["disk", "attach", "web", "mine"]).code, Some(4));
    let back = home.json(["disk", "restore", "web", "mine"]);
    assert!(back["attached"] == true && back["removed_at"].is_null());
    assert!(holds(&image(&back), 0, 7));

    // Detached, it is of nobody's concern but its owner's.
    home.nestbox(["disk", "detach", "web", "mine"]).ok();
    home.nestbox(["snapshot", "take", "web", "One"]).ok();
    home.nestbox(["disk", "remove", "web", "mine"]).ok();
    home.nestbox(["snapshot", "restore", "web", "One"]).ok();
    assert!(disks(&home, "web")[1]["removed_at"].is_string());
    home.nestbox(["library", "check"]).ok();
    let image = image(&disks(&home, "web")[1]);
    let emptied = home.json(["trash", "empty", "--yes"]);
    assert_eq!(emptied["disks"][0]["label"], "Mine");
    assert!(
        !image.exists() && emptied["freed"].as_u64().unwrap() >= 1 << 20,
        "{emptied:#}"
    );
    assert_eq!(disks(&home, "web").len(), 1);
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn what_a_snapshot_needs_outlives_its_disk() {
    let home = home();
    machine(&home, "web");
    let added = home.json(["disk", "add", "web", "--size", "32M"]);
    qemu_io(&image(&added["disk"]), "write -P 5 0 1M");
    home.nestbox(["snapshot", "take", "web", "Both"]).ok();
    let gone = home.json(["disk", "remove", "web", "2", "--now", "--yes"]);
    assert!(gone["purge_at"].is_null());
    assert_eq!(disks(&home, "web").len(), 1);
    // A disk that no snapshot has is not thrown away with the present.
    let late = home.json(["disk", "add", "web", "--size", "8M", "--label", "Late"]);
    home.nestbox(["snapshot", "restore", "web", "Both", "--discard"])
        .ok();
    let kept = disks(&home, "web").pop().unwrap();
    assert!(kept["id"] == late["disk"]["id"] && kept["attached"] == false && image(&kept).exists());
    home.nestbox(["disk", "remove", "web", "late", "--now", "--yes"])
        .ok();
    home.nestbox(["snapshot", "restore", "web", "Both"]).ok();
    let back = disks(&home, "web");
    assert!(holds(&image(&back[1]), 0, 5));
    assert!(
        back[1]["in_snapshots"].as_u64().unwrap() >= 1 << 20,
        "{:#}",
        back[1]
    );

    // A disk that is detached and comes back with the snapshot, too, is two disks.
    home.nestbox(["disk", "detach", "web", "2"]).ok();
    home.nestbox(["snapshot", "restore", "web", "Both", "--discard"])
        .ok();
    let both = disks(&home, "web");
    assert_eq!(both.len(), 3, "{both:#?}");
    assert_ne!(both[1]["id"], both[2]["id"]);
    home.nestbox(["snapshot", "tidy", "web"]).ok();
    wait_for_jobs(&home);
    for disk in &both[1..] {
        let now = disks(&home, "web")
            .into_iter()
            .find(|d| d["id"] == disk["id"])
            .unwrap();
        assert!(holds(&image(&now), 0, 5));
    }
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn files_become_disks_and_stay_as_they_were() {
    let home = home();
    machine(&home, "web");
    let folder = tempfile::tempdir().unwrap();
    let file = empty_qcow2(folder.path(), "data.qcow2");
    qemu_io(&file, "write -P 9 1M 1M");
    let before = hash(&file);
    let path = file.to_str().unwrap();

    let copied = home.json(["disk", "add", "web", "--file", path]);
    assert_eq!(copied["job"]["state"], "done");
    assert!(holds(&image(&copied["disk"]), 1, 9));
    let linked = home.json(["disk", "add", "web", "--file", path, "--link", "--read-only"]);
    assert!(linked["disk"]["linked"] == path && linked["disk"]["read_only"] == true);
    assert!(
        linked["disk"]["shared"].as_u64().unwrap() >= 1 << 20,
        "{linked:#}"
    );
    assert_eq!(hash(&file), before);

    // The file that a disk stands on is away: said at once, and the start says which.
    let away = folder.path().join("away");
    std::fs::rename(&file, &away).unwrap();
    assert_eq!(disks(&home, "web")[2]["linked_missing"], true);
    let refused = home.nestbox(["start", "web"]);
    assert!(
        refused.code == Some(3) && refused.stderr.contains(path),
        "{refused:?}"
    );
    std::fs::rename(&away, &file).unwrap();
    home.nestbox(["disk", "remove", "web", "3", "--now", "--yes"])
        .ok();
    assert_eq!(hash(&file), before);

    let moved = home.json(["disk", "add", "web", "--file", path, "--move"]);
    assert!(!file.exists() && holds(&image(&moved["disk"]), 1, 9));

    // What an import refuses is no disk either.
    let hostile = folder.path().join("hostile.qcow2");
    let made = std::process::Command::new("qemu-img")
        .args([
            "create",
            "-q",
            "-f",
            "qcow2",
            "-u",
            "-b",
            "/etc/passwd",
            "-F",
            "raw",
        ])
        .arg(&hostile)
        .arg("1M")
        .status();
    assert!(made.unwrap().success());
    let refused = home.nestbox(["disk", "add", "web", "--file", hostile.to_str().unwrap()]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    let own = image(&disks(&home, "web")[0]);
    let refused = home.nestbox(["disk", "add", "web", "--file", own.to_str().unwrap(), "--move"]);
    assert!(refused.code == Some(4) && own.exists(), "{refused:?}");
    assert_eq!(disks(&home, "web").len(), 3);
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn a_moved_file_is_named_by_the_settings_or_back_where_it_was() {
    let home = home();
    machine(&home, "web");
    // Beside the library, so that moving is renaming.
    let folder = tempfile::tempdir_in(home.path().parent().unwrap()).unwrap();
    let file = empty_qcow2(folder.path(), "only copy.qcow2");
    qemu_io(&file, "write -P 9 0 1M");
    let path = file.to_str().unwrap();
    let settings = home.machine_folder("web").join("machine.toml");
    let aside = settings.with_extension("aside");

    // The settings can't be written: a folder has their name.
    let unwritable = |wanted: bool| match wanted {
        true => {
            std::fs::rename(&settings, &aside).unwrap();
            std::fs::create_dir(&settings).unwrap();
        }
        false => {
            std::fs::remove_dir(&settings).unwrap();
            std::fs::rename(&aside, &settings).unwrap();
        }
    };
    let images = || {
        std::fs::read_dir(settings.with_file_name("disks"))
            .unwrap()
            .count()
    };
    assert_eq!(disks(&home, "web").len(), 1);
    unwritable(true);
    let refused = home.nestbox(["disk", "add", "web", "--file", path, "--move"]);
    assert!(
        refused.code == Some(1) && refused.stderr.contains(path),
        "{refused:?}"
    );
    unwritable(false);
    assert!(holds(&file, 0, 9) && images() == 1);

    // One that had to be written anew can't go back as it was: the next start names it.
    let source = empty_qcow2(folder.path(), "source.qcow2");
    qemu_io(&source, "write -P 7 0 4M");
    let foreign = folder.path().join("only copy.vdi");
    let converted = std::process::Command::new("qemu-img")
        .args(["convert", "-f", "qcow2", "-O", "vdi"])
        .args([&source, &foreign])
        .status();
    assert!(converted.unwrap().success());
    unwritable(true);
    let refused = home.nestbox([
        "disk",
        "add",
        "web",
        "--file",
        foreign.to_str().unwrap(),
        "--move",
    ]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(!foreign.exists() && images() == 2);
    unwritable(false);
    home.nestbox(["service", "stop"]).ok();
    let all = disks(&home, "web");
    assert!(all.len() == 2 && all[1]["attached"] == false, "{all:#?}");
    assert!(holds(&image(&all[1]), 0, 7) && holds(&image(&all[1]), 3, 7));

    // The same after a crash between the move and the settings, even when the old name was taken meanwhile.
    let moved = home.json(["disk", "add", "web", "--file", path, "--move"]);
    let disk = &moved["disk"];
    let name = image(disk).file_name().unwrap().to_str().unwrap().to_owned();
    home.nestbox(["service", "stop"]).ok();
    std::fs::write(&file, "another").unwrap();
    let facts = std::fs::metadata(image(disk)).unwrap();
    let mut spec: MachineSpec = toml::from_str(&std::fs::read_to_string(&settings).unwrap()).unwrap();
    let gone = spec.disks.pop().unwrap();
    std::fs::write(&settings, toml::to_string(&spec).unwrap()).unwrap();
    let library = Library::open(&Layout::new(home.path(), Path::new("/tmp"))).unwrap();
    let payload = serde_json::json!({
        "images": [name], "disk": gone, "moved": { "path": path, "inode": facts.ino() },
    });
    let entry = library.begin("disk-add", Some(&spec.id), &payload).unwrap();
    library.advance(entry, "move", &payload).unwrap();
    drop(library);
    let all = disks(&home, "web");
    let kept = all.iter().find(|other| other["id"] == disk["id"]).expect("kept");
    assert!(kept["attached"] == false && holds(&image(kept), 0, 9), "{all:#?}");
    assert_eq!(std::fs::read(&file).unwrap(), b"another");
    home.nestbox(["library", "check"]).ok();
}

#[test]
fn a_disk_grows_is_compacted_checked_and_mended() {
    let home = home();
    machine(&home, "web");
    let first = image(&disks(&home, "web")[0]);
    qemu_io(&first, "write -P 3 0 8M");
    home.nestbox(["snapshot", "take", "web", "Full"]).ok();
    let grown = home.json(["disk", "resize", "web", "1", "96M"]);
    assert_eq!(grown["disk"]["capacity"], 96 << 20);
    assert!(grown["notes"].as_array().unwrap().len() > 1);
    assert_eq!(home.nestbox(["disk", "resize", "web", "1", "1M"]).code, Some(2));

    // Zeros and what was written twice take no room.
    let active = image(&disks(&home, "web")[0]);
    qemu_io(&active, "write -P 4 0 1M");
    qemu_io(&active, "write -P 0 1M 16M");
    let would = home.json(["disk", "compact", "web", "1", "--dry-run"]);
    let done = home.json(["disk", "compact", "web", "1"]);
    let number = |job: &Value, key: &str| job["result"][key].as_u64().unwrap();
    assert_eq!(number(&would, "before"), number(&done, "before"));
    assert!(
        number(&done, "after") + (12 << 20) < number(&done, "before"),
        "{done:#}"
    );
    assert!(holds(&active, 0, 4) && holds(&active, 2, 0) && holds(&active, 20, 0));
    home.nestbox(["snapshot", "restore", "web", "Full", "--discard"])
        .ok();
    let back = disks(&home, "web");
    assert!(back[0]["capacity"] == 64 << 20 && holds(&image(&back[0]), 2, 3));

    // A reference count that says free what is used: the next write would go over it.
    let active = image(&back[0]);
    qemu_io(&active, "write -P 6 0 1M");
    let good = home.json(["disk", "check", "web", "1"]);
    assert_eq!(good["result"]["ok"], true, "{good:#}");
    spoil(&active);
    let damaged = home.nestbox(["disk", "check", "web", "1"]);
    assert!(
        damaged.code == Some(1) && damaged.stdout.contains("damaged"),
        "{damaged:?}"
    );
    let mended = home.json(["disk", "check", "web", "1", "--repair"]);
    assert!(
        mended["result"]["ok"] == true && mended["result"]["repaired"] == true,
        "{mended:#}"
    );
    assert!(holds(&active, 0, 6));
    let kept = &disks(&home, "web")[1];
    assert!(kept["label"].as_str().unwrap().contains("before repair") && kept["removed_at"].is_string());
    home.nestbox(["trash", "empty", "--yes"]).ok();
    home.nestbox(["library", "check"]).ok();
}

/// Zeroes the first reference counts of data: QEMU's `docs/interop/qcow2.txt`, bytes 48 to 55 of the header name the table,
/// its first entry the block.
fn spoil(image: &Path) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(image)
        .unwrap();
    let at = |offset: u64| {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, offset).unwrap();
        u64::from_be_bytes(bytes)
    };
    let block = at(at(48));
    file.write_all_at(&[0; 16], block + 2 * 5).unwrap();
}

#[test]
fn a_disk_goes_to_another_machine() {
    let home = home();
    machine(&home, "web");
    machine(&home, "other");
    let added = home.json(["disk", "add", "web", "--size", "32M", "--label", "Data"]);
    let before = image(&added["disk"]);
    qemu_io(&before, "write -P 8 0 1M");
    let moved = home.json(["disk", "attach", "web", "data", "--to", "other"]);
    assert!(
        moved["job"].is_null() && moved["disk"]["label"] == "Data",
        "{moved:#}"
    );
    assert!(!before.exists() && holds(&image(&moved["disk"]), 0, 8));
    assert_eq!(disks(&home, "web").len(), 1);

    // What a snapshot needs stays, and is copied.
    home.nestbox(["snapshot", "take", "other", "With it"]).ok();
    qemu_io(&image(&disks(&home, "other")[1]), "write -P 9 1M 1M");
    let copied = home.json(["disk", "attach", "other", "data", "--to", "web"]);
    assert_eq!(copied["job"]["state"], "done", "{copied:#}");
    let there = image(&copied["disk"]);
    assert!(holds(&there, 0, 8) && holds(&there, 1, 9));
    assert!(disks(&home, "other")[1]["removed_at"].is_string());
    home.nestbox(["trash", "empty", "--yes"]).ok();
    home.nestbox(["snapshot", "restore", "other", "With it"]).ok();
    assert!(holds(&image(&disks(&home, "other")[1]), 0, 8));
    home.nestbox(["library", "check"]).ok();
}
