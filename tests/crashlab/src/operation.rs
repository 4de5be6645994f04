//! The operations that are cut short.

use crate::lab::{CLONE, GROUND, MACHINE, TWIN};
use serde::Serialize;

/// What is begun, and then cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// A snapshot with memory.
    Take,
    /// A snapshot of the disks of a running machine.
    TakeDisks,
    /// A snapshot of two machines at one instant.
    TakeTogether,
    /// A snapshot in a disposable run.
    TakeDisposable,
    /// Going back, the present is kept.
    Restore,
    /// Going back, the present is thrown away.
    RestoreDiscard,
    /// Deleting a snapshot in the middle, and the merge that follows.
    Delete,
    /// Deleting a snapshot and its children.
    DeleteSubtree,
    /// Merging and compressing.
    Tidy,
    /// A linked clone of the running machine.
    Clone,
    /// A linked clone of a snapshot, which goes on at once.
    CloneStart,
    /// Memory to disk, process gone.
    Suspend,
    /// The way back.
    Wake,
    /// Beginning a run that is thrown away.
    DisposableStart,
    /// Ending it.
    DisposableStop,
    /// Keeping it after all.
    KeepChanges,
}

use Operation::*;

impl Operation {
    /// All of them, with how often each comes up, and the most milliseconds after which it is cut short.
    pub const ALL: [(Self, u32, u64); 16] = [
        (Take, 4, 450),
        (TakeDisks, 2, 300),
        (TakeTogether, 2, 600),
        (TakeDisposable, 1, 450),
        (Restore, 3, 1500),
        (RestoreDiscard, 3, 1100),
        (Delete, 5, 900),
        (DeleteSubtree, 2, 500),
        (Tidy, 2, 900),
        (Clone, 2, 600),
        (CloneStart, 2, 1200),
        (Suspend, 4, 900),
        (Wake, 3, 1200),
        (DisposableStart, 2, 700),
        (DisposableStop, 2, 250),
        (KeepChanges, 1, 200),
    ];

    /// Its name as in `--only`.
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// The command; `fresh` is a name that nobody has, `target` a snapshot.
    pub fn command(self, fresh: &str, target: &str) -> Vec<String> {
        let words: &[&str] = match self {
            Take | TakeDisposable => &["snapshot", "take", MACHINE, fresh],
            TakeDisks => &["snapshot", "take", MACHINE, fresh, "--no-memory"],
            TakeTogether => &["snapshot", "take", MACHINE, TWIN, "--name", fresh],
            Restore => &["snapshot", "restore", MACHINE, target],
            RestoreDiscard => &["snapshot", "restore", MACHINE, target, "--discard"],
            Delete => &["snapshot", "delete", MACHINE, target],
            DeleteSubtree => &["snapshot", "delete", MACHINE, target, "--subtree"],
            Tidy => &["snapshot", "tidy", MACHINE],
            Clone => &["clone", MACHINE, CLONE],
            CloneStart => &["clone", MACHINE, CLONE, "--snapshot", GROUND, "--start"],
            Suspend => &["suspend", MACHINE],
            Wake => &["start", MACHINE],
            DisposableStart => &["start", MACHINE, "--disposable"],
            DisposableStop => &["stop", MACHINE, "--force"],
            KeepChanges => &["keep-changes", MACHINE],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// It is begun in a disposable run.
    pub fn in_disposable_run(self) -> bool {
        matches!(self, TakeDisposable | DisposableStop | KeepChanges)
    }

    /// It needs a snapshot that may go or be gone back to.
    pub fn needs_target(self) -> bool {
        matches!(self, Restore | RestoreDiscard | Delete | DeleteSubtree)
    }
}
