//! What came of it.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// One operation's fates.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Row {
    /// How often it was cut short.
    pub kills: u32,
    /// All was as before.
    pub before: u32,
    /// All was as after.
    pub after: u32,
    /// A whole step of several was done: the present is kept, but not yet gone back.
    pub steps: u32,
    /// Something between, or something lost.
    pub lost: u32,
}

/// All operations' fates.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Everything random came from it.
    pub seed: u64,
    /// How many kills were wanted.
    pub wanted: u32,
    /// How many there were.
    pub kills: u32,
    /// Of these: the service alone, QEMU alone, both.
    pub victims: [u32; 3],
    /// By operation.
    pub rows: BTreeMap<String, Row>,
    /// Images that `qemu-img check` judged, and how many of them had lost clusters.
    pub checks: u32,
    /// Space that is lost in an image; no harm to data.
    pub leaks: u32,
    /// How often a guest was booted from a disk at the end of the road.
    pub boots: u32,
    /// What went wrong, with what it takes to do it again.
    pub findings: Vec<String>,
    /// How long it took.
    pub seconds: u64,
}

impl Report {
    pub(crate) fn new(seed: u64, wanted: u32) -> Self {
        Self {
            seed,
            wanted,
            kills: 0,
            victims: [0; 3],
            rows: BTreeMap::new(),
            checks: 0,
            leaks: 0,
            boots: 0,
            findings: Vec::new(),
            seconds: 0,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:18} {:>6} {:>7} {:>6} {:>6} {:>5}",
            "operation", "kills", "before", "after", "steps", "lost"
        )?;
        let mut line = |name: &str, row: &Row| {
            writeln!(
                f,
                "{name:18} {:>6} {:>7} {:>6} {:>6} {:>5}",
                row.kills, row.before, row.after, row.steps, row.lost
            )
        };
        let mut all = Row::default();
        for (operation, row) in &self.rows {
            line(operation, row)?;
            all.kills += row.kills;
            all.before += row.before;
            all.after += row.after;
            all.steps += row.steps;
            all.lost += row.lost;
        }
        line("all", &all)?;
        let [service, qemu, both] = self.victims;
        writeln!(
            f,
            "killed: service {service}, QEMU {qemu}, both {both}; {} image checks, {} with leaks; {} boots; {} s; seed {}",
            self.checks, self.leaks, self.boots, self.seconds, self.seed
        )?;
        for finding in &self.findings {
            writeln!(f, "- {finding}")?;
        }
        Ok(())
    }
}
