//! Disks that come, grow and go while a real guest runs, on one boot.

use crate::common::{BOOT, guests, home};
use nestbox_guests::TestHome;
use serde_json::Value;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(90);

/// What the guest's shell says to a command.
fn guest(home: &TestHome, command: &str) -> String {
    let mut console = home.console("web").unwrap();
    console.run(command, PATIENCE).unwrap().0
}

/// Asks again until the guest's answer holds `wanted`, for a while.
fn guest_says(home: &TestHome, command: &str, wanted: &str) -> String {
    let mut said = String::new();
    for _ in 0..20 {
        said = guest(home, command);
        if said.contains(wanted) {
            return said;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    panic!("{command}: no {wanted} in {said}");
}

fn disks(home: &TestHome) -> Vec<Value> {
    home.json(["disk", "list", "web", "--all"])["disks"]
        .as_array()
        .unwrap()
        .clone()
}

#[test]
fn disks_come_grow_and_go_while_the_guest_runs() {
    let Some(guests) = guests("disks_come_grow_and_go_while_the_guest_runs") else {
        return;
    };
    let home = home();
    let image = guests.amd64_disk();
    let create = [
        "create",
        "web",
        "--memory",
        "192M",
        "--start",
        "--wait",
        "booted",
        "--timeout",
        "240",
    ];
    let create = create
        .into_iter()
        .chain(["--disk-image", image.to_str().unwrap()]);
    home.run(create, b"", BOOT + PATIENCE).ok();
    {
        let mut console = home.console("web").unwrap();
        console.send_line("").unwrap();
        console.wait_for("login:", PATIENCE).unwrap();
        console.send_line("root").unwrap();
        console.wait_for("built-in shell", PATIENCE).unwrap();
    }
    let refused = home.nestbox(["disk", "detach", "web", "1"]);
    assert!(
        refused.code == Some(4) && refused.stderr.contains("while it runs"),
        "{refused:?}"
    );

    let added = home.json(["disk", "add", "web", "--size", "32M", "--label", "Data"]);
    let id = added["disk"]["id"].as_str().unwrap()[..8].to_owned();
    guest_says(&home, "cat /sys/block/vdb/size", "65536");
    guest_says(&home, "cat /sys/block/vdb/serial", &id);
    guest(&home, "echo precious | dd of=/dev/vdb bs=512 conv=sync,fsync");

    // Its memory goes on with the disk where it was.
    home.nestbox(["snapshot", "take", "web", "Plugged"]).ok();
    guest(&home, "echo spoiled | dd of=/dev/vdb bs=512 conv=sync,fsync");
    home.nestbox(["snapshot", "restore", "web", "Plugged"]).ok();
    guest(&home, "echo 3 > /proc/sys/vm/drop_caches");
    guest_says(&home, "head -c 8 /dev/vdb", "precious");

    let grown = home.json(["disk", "resize", "web", "data", "48M"]);
    assert_eq!(grown["disk"]["capacity"], 48 << 20);
    guest_says(&home, "cat /sys/block/vdb/size", "98304");
    let refused = home.nestbox(["disk", "resize", "web", "data", "16M"]);
    assert!(refused.code == Some(2), "{refused:?}");

    // A later service finds it as it is.
    home.nestbox(["service", "stop"]).ok();
    assert_eq!(disks(&home).len(), 2);
    home.nestbox(["disk", "remove", "web", "data"]).ok();
    guest_says(&home, "ls /sys/block | tr '\\n' ' '; echo end", "end");
    assert!(!guest(&home, "ls /sys/block").contains("vdb"));
    assert!(disks(&home)[1]["removed_at"].is_string());

    // The same disk comes back, on another controller as well.
    let back = home.json(["disk", "restore", "web", "data"]);
    assert_eq!(back["attached"], true, "{back:#}");
    guest_says(&home, "head -c 8 /dev/vdb", "precious");
    home.nestbox(["suspend", "web"]).ok();
    home.nestbox(["start", "web"]).ok();
    guest_says(&home, "head -c 8 /dev/vdb", "precious");
    home.nestbox(["stop", "--force", "web"]).ok();

    // Off, it moves out of the slot with the next start.
    home.nestbox(["disk", "set", "web", "data", "bus=scsi"]).ok();
    home.nestbox(["start", "web"]).ok();
    home.nestbox(["stop", "--force", "web"]).ok();
    home.nestbox(["library", "check"]).ok();
}
