//! The snapshot timeline with a real guest, on one boot: a counter in memory and on disk tells whether both are of one instant.

use crate::common::{BOOT, guests, home, wait_for_jobs};
use nestbox_guests::TestHome;
use nestbox_guests::serial::Counter;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(90);

/// The counter as the guest says it next, after having listened anew.
fn count(home: &TestHome, machine: &str) -> Counter {
    let mut console = home.console(machine).unwrap();
    let counter = console.wait_counter(PATIENCE).unwrap();
    // The disk is written first, so that a cut between the two shows the disk one ahead at most.
    assert!(
        counter.disk == counter.ram || counter.disk == counter.ram + 1,
        "memory and disk of {machine} are of one instant: {counter:?}"
    );
    counter
}

#[test]
fn memory_goes_on_after_suspending_in_clones_and_in_a_disposable_run() {
    let Some(guests) = guests("memory_goes_on_after_suspending_in_clones_and_in_a_disposable_run") else {
        return;
    };
    let home = home();
    let image = guests.amd64_disk();
    home.run(
        [
            "create",
            "web",
            "--disk-image",
            image.to_str().unwrap(),
            "--memory",
            "192M",
            "--start",
            "--wait",
            "booted",
            "--timeout",
            "240",
        ],
        b"",
        BOOT + PATIENCE,
    )
    .ok();
    {
        let mut console = home.console("web").unwrap();
        console.send_line("").unwrap();
        // Without a seed root needs no password.
        console.wait_for("login:", PATIENCE).unwrap();
        console.send_line("root").unwrap();
        console.wait_for("built-in shell", PATIENCE).unwrap();
        console.run("counter start", PATIENCE).unwrap();
    }
    let first = count(&home, "web");

    home.nestbox(["suspend", "web"]).ok();
    std::thread::sleep(Duration::from_secs(2));
    home.nestbox(["start", "web"]).ok();
    let woken = count(&home, "web");
    // It went on, and stood still meanwhile: half a second a step.
    assert!(woken.ram > first.ram, "{first:?} {woken:?}");

    let taken = home.json(["snapshot", "take", "web", "running"]);
    let at = count(&home, "web");
    home.nestbox(["clone", "web", "twin", "--snapshot", "running", "--start"])
        .ok();
    let twin = count(&home, "twin");
    assert!(
        twin.ram + 4 >= at.ram && twin.ram <= at.ram + 20,
        "{at:?} {twin:?}"
    );
    // Both run on, each on its own disk.
    assert!(count(&home, "web").ram >= at.ram && count(&home, "twin").ram >= twin.ram);
    assert!(taken["paused_seconds"].as_f64().is_some_and(|s| s > 0.0));

    // What a disposable run and its snapshots did goes with it; merging under a running guest changes nothing it sees.
    for name in ["one", "two", "three"] {
        home.nestbox(["snapshot", "take", "web", name]).ok();
    }
    home.nestbox(["snapshot", "delete", "web", "two"]).ok();
    home.nestbox(["snapshot", "delete", "web", "one"]).ok();
    wait_for_jobs(&home);
    let merged = count(&home, "web");
    assert!(merged.ram > at.ram, "{merged:?}");
    home.nestbox(["snapshot", "restore", "web", "running"]).ok();
    let back = count(&home, "web");
    assert!(back.ram < merged.ram, "{back:?} {merged:?}");

    // A full clone of the present needs nobody.
    home.nestbox(["clone", "web", "alone", "--full", "--start"]).ok();
    assert!(count(&home, "alone").ram >= back.ram);
    for name in ["web", "twin", "alone"] {
        home.nestbox(["stop", "--force", name]).ok();
    }
    home.nestbox(["library", "check"]).ok();
}
