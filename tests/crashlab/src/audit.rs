//! Are all files there, whole and needed?

use crate::guest::{self, Numbers};
use crate::world::{Machine, World};
use crate::{Finding, world};
use nestbox_guests::TestHome;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// What was seen of files that must not change any more.
#[derive(Default)]
pub struct Audit {
    /// What each snapshot showed when it was first seen.
    shown: BTreeMap<String, Numbers>,
    /// Images already checked, with size and time of change.
    checked: BTreeSet<(PathBuf, u64, std::time::SystemTime)>,
    /// What was found once is not found again.
    told: BTreeSet<PathBuf>,
    pub checks: u32,
    /// Clusters marked as used that nobody uses: space, no danger.
    pub leaks: u32,
}

impl Audit {
    /// Looks at all files.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn all(&mut self, home: &TestHome, world: &World) -> Finding<()> {
        let mut wrong = Vec::new();
        let report = world::json(home, &["library", "check"]);
        match report {
            Ok(report) if report["problems"].as_array().is_some_and(Vec::is_empty) => {}
            Ok(report) => wrong.push(format!("library check: {report}")),
            Err(error) => wrong.push(error),
        }
        let mut needed = BTreeSet::new();
        for machine in world.values() {
            self.machine(machine, &mut needed, &mut wrong);
        }
        for machine in world.values() {
            self.extra_files(machine, &needed, &mut wrong);
        }
        let folders = std::fs::read_dir(home.path().join("machines"))
            .into_iter()
            .flatten();
        let known: BTreeSet<&Path> = world.values().map(|machine| machine.folder.path()).collect();
        for entry in folders.flatten() {
            if !known.contains(entry.path().as_path()) {
                wrong.push(format!("{} belongs to no machine", entry.path().display()));
            }
        }
        strangers(home, world, &mut wrong);
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("; "))
        }
    }

    fn machine(&mut self, machine: &Machine, needed: &mut BTreeSet<PathBuf>, wrong: &mut Vec<String>) {
        let mut tops = vec![machine.disk()];
        tops.extend(
            machine
                .spec
                .nvram
                .iter()
                .map(|name| machine.folder.nvram_image(name)),
        );
        if let Some(before) = &machine.spec.disposable {
            tops.extend(
                before
                    .disks
                    .iter()
                    .map(|disk| machine.folder.disk_image(&disk.image)),
            );
            tops.extend(before.nvram.iter().map(|name| machine.folder.nvram_image(name)));
        }
        let written = tops.clone();
        for record in machine.tree.values() {
            tops.extend(
                record
                    .disks
                    .iter()
                    .map(|disk| machine.folder.disk_image(&disk.image)),
            );
            tops.extend(record.nvram.iter().map(|name| machine.folder.nvram_image(name)));
        }
        for top in tops {
            match chain(&top) {
                Ok(chain) => needed.extend(chain),
                Err(error) => wrong.push(error),
            }
        }
        let runs = machine.pid.is_some();
        for image in images(machine) {
            // QEMU holds what it writes.
            if runs && written.contains(&image) {
                continue;
            }
            if let Err(error) = self.check(&image) {
                wrong.push(error);
            }
        }
        for (id, record) in &machine.tree {
            if let Err(error) = self.snapshot(machine, id) {
                wrong.push(format!("“{}”: {error}", record.name));
            }
        }
    }

    /// A snapshot shows what it showed when it was first seen.
    fn snapshot(&mut self, machine: &Machine, id: &str) -> Finding<()> {
        let image = machine.frozen(id).ok_or("it froze no disk")?;
        let now = guest::numbers(&image)?;
        let record = &machine.tree[id];
        let folder = machine.folder.snapshot(&record.id);
        if record.memory != (folder.memory().exists() || folder.packed_memory().exists()) {
            return Err(format!("memory: {}, and its file says otherwise", record.memory));
        }
        match self.shown.get(id) {
            None => {
                self.shown.insert(id.to_owned(), now);
                Ok(())
            }
            Some(before) if *before == now => Ok(()),
            Some(before) => Err(format!(
                "it showed numbers up to {}, and shows up to {} now",
                before.highest, now.highest
            )),
        }
    }

    /// The highest number on a snapshot's disk.
    pub fn highest(&self, snapshot: &str) -> Option<u64> {
        self.shown.get(snapshot).map(|numbers| numbers.highest)
    }

    /// Files that nobody needs.
    fn extra_files(&mut self, machine: &Machine, needed: &BTreeSet<PathBuf>, wrong: &mut Vec<String>) {
        let folder = &machine.folder;
        let suspended = machine.spec.suspended.is_some();
        let mut judge = |path: PathBuf, good: bool| {
            if !good && self.told.insert(path.clone()) {
                wrong.push(format!("{} is left over", path.display()));
            }
        };
        for path in files_in(folder.path()) {
            let name = name(&path);
            let good = match name.as_str() {
                "machine.toml" | "disks" | "nvram" | "snapshots" | "logs" | "ssh" | "seed.img"
                | "thumbnail.png" => true,
                "suspended" => suspended,
                _ => false,
            };
            judge(path, good);
        }
        for path in files_in(&folder.disks())
            .into_iter()
            .chain(files_in(&folder.nvram()))
        {
            let good = needed.contains(&path.canonicalize().unwrap_or_else(|_| path.clone()));
            judge(path, good);
        }
        for snapshot in files_in(&folder.snapshots()) {
            for path in files_in(&snapshot) {
                let good = matches!(
                    name(&path).as_str(),
                    "snapshot.toml" | "memory" | "memory.zst" | "screenshot.png"
                );
                judge(path, good);
            }
        }
        for path in files_in(folder.suspended().path()) {
            let good = matches!(name(&path).as_str(), "memory" | "memory.zst");
            judge(path, good);
        }
    }

    fn check(&mut self, image: &Path) -> Finding<()> {
        let facts = std::fs::metadata(image).map_err(|e| format!("{}: {e}", image.display()))?;
        let changed = facts.modified().map_err(|e| e.to_string())?;
        let key = (image.to_owned(), facts.len(), changed);
        if self.checked.contains(&key) {
            return Ok(());
        }
        let mut output = ask_about(image)?;
        // The tool of a service that was killed may still be merging into it; it ends by itself.
        for _ in 0..100 {
            if output.status.code() != Some(1) || !String::from_utf8_lossy(&output.stderr).contains("lock") {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
            output = ask_about(image)?;
        }
        self.checks += 1;
        match output.status.code() {
            Some(0) => {}
            Some(3) => self.leaks += 1,
            code => {
                let said = String::from_utf8_lossy(&output.stderr);
                let report = String::from_utf8_lossy(&output.stdout);
                return Err(format!(
                    "qemu-img check {} ends with {code:?}: {said}{report}",
                    image.display()
                ));
            }
        }
        self.checked.insert(key);
        Ok(())
    }
}

pub fn ask_about(image: &Path) -> Finding<Output> {
    Command::new("qemu-img")
        .args(["check", "-f", "qcow2", "--output=json"])
        .arg(image)
        .output()
        .map_err(|e| format!("qemu-img: {e}"))
}

/// QEMUs on this home that the service does not know. One that is ending may take a moment.
fn strangers(home: &TestHome, world: &World, wrong: &mut Vec<String>) {
    let known = |pid: &u32| world.values().any(|machine| machine.pid == Some(*pid));
    let is_qemu = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("qemu-system"))
            && std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
    };
    let look = || -> Vec<u32> {
        let all = home.processes().into_iter();
        all.filter(|pid| is_qemu(pid) && !known(pid)).collect()
    };
    let mut seen = look();
    for _ in 0..20 {
        if seen.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
        seen = look();
    }
    wrong.push(format!("these QEMUs belong to nobody: {seen:?}"));
}

/// An image and everything it stands on.
fn chain(top: &Path) -> Finding<Vec<PathBuf>> {
    let output = Command::new("qemu-img")
        .args(["info", "-U", "--backing-chain", "--output=json", "-f", "qcow2"])
        .arg(top)
        .output()
        .map_err(|e| format!("qemu-img: {e}"))?;
    if !output.status.success() {
        return Err(format!(
            "the chain of {} is broken: {}",
            top.display(),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let links: Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
    let links = links.as_array().ok_or("qemu-img info gave no chain")?;
    Ok(links
        .iter()
        .filter_map(|link| link["filename"].as_str())
        .map(|name| Path::new(name).canonicalize().unwrap_or_else(|_| name.into()))
        .collect())
}

fn images(machine: &Machine) -> Vec<PathBuf> {
    [machine.folder.disks(), machine.folder.nvram()]
        .iter()
        .flat_map(|folder| files_in(folder))
        .filter(|path| path.extension().is_some_and(|extension| extension == "qcow2"))
        .collect()
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
