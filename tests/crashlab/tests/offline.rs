//! A short stay among machines that are off, with a fixed seed; `make crashlab` is the long one.

use nestbox_crashlab::{OfflineLab, Options};
use nestbox_guests::TestHome;
use std::time::Duration;

#[test]
fn killed_at_any_moment_no_disk_and_no_file_is_lost_or_half_made() {
    let options = Options {
        kills: 40,
        seed: 20_261,
        only: Vec::new(),
        limit: Duration::from_secs(150),
        boot: false,
        verbose: false,
    };
    let home = TestHome::new().expect("a home");
    let mut lab = OfflineLab::open(home, options, Vec::new()).expect("two machines");
    let report = lab.work();
    eprintln!("{report}");
    assert!(
        report.findings.is_empty(),
        "again: nestbox-crashlab --offline --kills {} --seed {}\n{report}",
        report.wanted,
        report.seed
    );
}
