//! A short stay in the laboratory, with a fixed seed; `make crashlab` is the long one.

use nestbox_crashlab::{Lab, Options};
use nestbox_guests::{Guests, TestHome};
use std::time::Duration;

#[test]
fn killed_at_any_moment_the_tree_is_before_or_after() {
    let name = "killed_at_any_moment_the_tree_is_before_or_after";
    let Some(guests) = Guests::for_test(name, &["qemu-system-x86_64", "qemu-img"]) else {
        return;
    };
    let options = Options {
        kills: 30,
        seed: 20_261,
        only: Vec::new(),
        limit: Duration::from_secs(150),
        boot: false,
        verbose: false,
    };
    let home = TestHome::new().expect("a home");
    let mut lab = Lab::open(home, &guests, options).expect("a guest that writes");
    let report = lab.work();
    eprintln!("{report}");
    assert!(
        report.findings.is_empty(),
        "again: make crashlab N={} SEED={}\n{report}",
        report.wanted,
        report.seed
    );
}
