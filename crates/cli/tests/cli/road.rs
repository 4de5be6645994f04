//! The main road: from the catalogue to a restored guest, on one boot.

use crate::common::{BOOT, Server, guests};
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn ubuntu_arm64_from_the_catalogue_to_a_restored_guest() {
    let Some(guests) = guests("ubuntu_arm64_from_the_catalogue_to_a_restored_guest") else {
        return;
    };
    let server = Server::with_ubuntu("aarch64", &guests.arm64_disk());
    let home = server.home();
    let args = [
        "--json",
        "create",
        "Ubuntu arm64",
        "--template",
        "ubuntu-24.04",
        "--arch",
        "aarch64",
        "--user",
        "ada",
        "--password-stdin",
        "--memory",
        "512M",
        "--cpus",
        "2",
        "--start",
        "--wait",
        "ssh",
        "--timeout",
        "240",
    ];
    let machine = home
        .run(args, b"correct horse\n", BOOT + Duration::from_secs(60))
        .ok()
        .json();
    assert_eq!(
        (machine["state"].as_str(), machine["accelerator"].as_str()),
        (Some("running"), Some("tcg"))
    );
    assert!(
        machine["accelerator_reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("arm64")),
        "{machine}"
    );
    let job = home.json(["jobs", "list"])["jobs"][0].clone();
    let signature = job["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["id"] == "verify-signature")
        .unwrap()
        .clone();
    assert!(
        signature["detail"]
            .as_str()
            .unwrap()
            .contains(&server.mirror.key_id()),
        "{signature}"
    );

    // The account made by the seed signs in on the console, and the guest has an address.
    let mut console = home.console("Ubuntu arm64").unwrap();
    console.send_line("").unwrap();
    console.log_in("ada", "correct horse").unwrap();
    let (who, code) = console.run("id -un", Duration::from_secs(60)).unwrap();
    assert_eq!((who.trim(), code), ("ada", 0));
    console.run("counter start", Duration::from_secs(60)).unwrap();
    console.wait_counter(Duration::from_secs(60)).unwrap();

    // A snapshot of the running guest, then it is broken, then it goes back: memory and disk together.
    let taken = home.json(["snapshot", "take", "Ubuntu arm64", "Before", "--notes", "works"]);
    assert_eq!(taken["memory"], true);
    assert!(
        taken["paused_seconds"].as_f64().is_some_and(|s| s > 0.0),
        "{taken}"
    );
    assert!(taken["screenshot"].is_string());
    let before = console.wait_counter(Duration::from_secs(60)).unwrap();
    console
        .run("touch /data/scratch/broken", Duration::from_secs(60))
        .unwrap();
    std::thread::sleep(Duration::from_secs(3));
    drop(console);
    let restored = home.json(["snapshot", "restore", "Ubuntu arm64", "Before"]);
    assert_eq!(restored["machine"]["state"], "running");
    assert_eq!(restored["kept"]["name"], "Before restore");
    let mut console = home.console("Ubuntu arm64").unwrap();
    let after = console.wait_counter(Duration::from_secs(120)).unwrap();
    assert_eq!(after.ram, after.disk, "memory and disk are of one instant");
    assert!(
        after.ram <= before.ram + 3,
        "it went back: {before:?} → {after:?}"
    );
    let (found, _) = console.run("ls /data/scratch", Duration::from_secs(60)).unwrap();
    assert!(!found.contains("broken"), "{found}");

    // Undo: the present that was kept.
    let kept = restored["kept"]["id"].as_str().unwrap().to_owned();
    drop(console);
    home.nestbox(["snapshot", "restore", "Ubuntu arm64", &kept]).ok();
    let mut console = home.console("Ubuntu arm64").unwrap();
    console.wait_counter(Duration::from_secs(120)).unwrap();
    let (found, _) = console.run("ls /data/scratch", Duration::from_secs(60)).unwrap();
    assert!(found.contains("broken"), "{found}");
    drop(console);

    // A forward added while it runs reaches the guest.
    let forward = home.json(["port", "add", "Ubuntu arm64", "0:22"]);
    let port = u16::try_from(forward["host"].as_u64().unwrap()).unwrap();
    let mut greeting = [0; 4];
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"SSH-");
    let taken = home
        .nestbox(["--json", "port", "add", "Ubuntu arm64", &format!("{port}:80")])
        .fails_with(4)
        .error();
    assert_eq!(taken.code, "port-in-use");
    home.nestbox(["port", "remove", "Ubuntu arm64", &port.to_string()])
        .ok();

    // Hardware can't change under a running guest; it is asked to stop, and obeys.
    assert_eq!(
        home.nestbox(["--json", "set", "Ubuntu arm64", "cpus=1"])
            .fails_with(4)
            .error()
            .code,
        "machine-running"
    );
    assert_eq!(
        home.nestbox(["--json", "delete", "Ubuntu arm64"])
            .fails_with(4)
            .error()
            .code,
        "machine-running"
    );
    home.nestbox(["stop", "Ubuntu arm64", "--timeout", "120"]).ok();
    // The disk is clean and the second boot finds what the first wrote.
    home.nestbox(["start", "Ubuntu arm64"]).ok();
    let mut log = home.serial_log("Ubuntu arm64");
    let ready = std::iter::from_fn(|| log.wait_ready(BOOT).ok()).find(|ready| ready.boots == 2);
    assert_eq!(ready.map(|ready| ready.user), Some("ada".into()));
}
