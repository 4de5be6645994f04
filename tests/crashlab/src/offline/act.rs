//! What is begun on machines that are off, and cut short.

use super::{BACKUP, OTHER, SOURCE, WEB};
use serde::Serialize;

/// An operation on a machine that is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Act {
    Resize,
    Compact,
    Check,
    AddBlank,
    AddFile,
    AddMoved,
    Remove,
    Detach,
    Attach,
    MoveDisk,
    Convert,
    ExportQcow2,
    ExportOva,
    ExportUtm,
    Backup,
    RestoreBackup,
    Import,
    ImportMoved,
    Rename,
    Delete,
}

use Act::*;

impl Act {
    /// All of them, with how often each comes up, and the most milliseconds after which it is cut short.
    pub const ALL: [(Self, u32, u64); 20] = [
        (Resize, 2, 60),
        (Compact, 4, 150),
        (Check, 1, 120),
        (AddBlank, 2, 60),
        (AddFile, 2, 110),
        (AddMoved, 2, 110),
        (Remove, 2, 45),
        (Detach, 1, 45),
        (Attach, 1, 45),
        (MoveDisk, 4, 90),
        (Convert, 2, 130),
        (ExportQcow2, 2, 160),
        (ExportOva, 2, 250),
        (ExportUtm, 2, 200),
        (Backup, 3, 200),
        (RestoreBackup, 4, 220),
        (Import, 2, 140),
        (ImportMoved, 2, 140),
        (Rename, 1, 40),
        (Delete, 1, 45),
    ];

    /// Its name as in `--only`.
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// The command. `disk` is the one it is about, `files` the folder of the user's files, `fresh` a name nobody has.
    pub fn command(self, disk: &str, files: &str, fresh: &str) -> Vec<String> {
        let target = self.target(files, fresh).unwrap_or_default();
        let source = format!("{files}/{SOURCE}");
        let moved = format!("{files}/{fresh}.qcow2");
        let backup = format!("{files}/{BACKUP}");
        let words: &[&str] = match self {
            Resize => &["disk", "resize", WEB, disk, "64M"],
            Compact => &["disk", "compact", WEB, disk],
            Check => &["disk", "check", WEB, disk, "--repair"],
            AddBlank => &["disk", "add", WEB, "--size", "16M"],
            AddFile => &["disk", "add", WEB, "--file", &source, "--copy"],
            AddMoved => &["disk", "add", WEB, "--file", &moved, "--move"],
            Remove => &["disk", "remove", WEB, disk],
            Detach => &["disk", "detach", WEB, disk],
            Attach => &["disk", "attach", WEB, disk],
            MoveDisk => &["disk", "attach", WEB, disk, "--to", OTHER],
            Convert => &["disk", "convert", &source, &target],
            ExportQcow2 | ExportOva | ExportUtm => &["export", WEB, &target],
            Backup => &["backup", WEB, &target],
            RestoreBackup => &["restore-backup", &backup, "--name", fresh],
            Import => &["import", &source, "--name", fresh],
            ImportMoved => &["import", &moved, "--move", "--name", fresh],
            Rename => &["rename", WEB, fresh],
            Delete => &["delete", OTHER, "--yes"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// The file that it makes outside the library.
    pub fn target(self, files: &str, fresh: &str) -> Option<String> {
        let ending = match self {
            Convert => "vmdk",
            ExportQcow2 => "qcow2",
            ExportOva => "ova",
            ExportUtm => "utm",
            Backup => "backup",
            _ => return None,
        };
        Some(format!("{files}/out/{fresh}.{ending}"))
    }

    /// It makes a machine.
    pub fn makes_machine(self) -> bool {
        matches!(self, RestoreBackup | Import | ImportMoved)
    }

    /// It takes a file of the user's away.
    pub fn takes_file(self) -> bool {
        matches!(self, AddMoved | ImportMoved)
    }

    /// It is about a disk beside the first.
    pub fn about_second_disk(self) -> bool {
        matches!(self, Remove | Detach | Attach | MoveDisk)
    }
}
