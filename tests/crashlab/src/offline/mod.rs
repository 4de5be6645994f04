//! Operations on machines that are off, cut short by killing the service.

mod act;
mod stock;

pub use act::Act;

use crate::judge::Fate;
use crate::lab::{Options, ended, kill};
use crate::{Finding, Report, world};
use nestbox_guests::TestHome;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use stock::Stock;

pub(crate) const WEB: &str = "web";
pub(crate) const OTHER: &str = "other";
/// The user's own image, which nothing may change.
pub(crate) const SOURCE: &str = "source.qcow2";
/// A backup of the machine as it was at the beginning.
pub(crate) const BACKUP: &str = "whole.backup";

/// Bytes of the disks: small, so that a round is short.
const CAPACITY: &str = "48M";
const PATIENCE: Duration = Duration::from_secs(90);

/// Two machines that are off, and a folder of the user's files.
pub struct OfflineLab {
    home: TestHome,
    files: tempfile::TempDir,
    random: StdRng,
    report: Report,
    options: Options,
    acts: Vec<Act>,
    source: String,
    names: u32,
}

impl OfflineLab {
    /// Makes the machines. `acts`: only these; all when empty.
    ///
    /// # Errors
    /// Whatever hinders that.
    pub fn open(home: TestHome, options: Options, acts: Vec<Act>) -> Finding<Self> {
        let files = tempfile::tempdir().map_err(|e| e.to_string())?;
        std::fs::create_dir(files.path().join("out")).map_err(|e| e.to_string())?;
        let mut lab = Self {
            random: StdRng::seed_from_u64(options.seed),
            report: Report::new(options.seed, options.kills),
            home,
            files,
            options,
            acts,
            source: String::new(),
            names: 0,
        };
        let source = lab.file(SOURCE);
        lab.make_image(&source)?;
        lab.source = stock::content(&source)?;
        lab.new_web()?;
        if lab.acts.is_empty() || lab.acts.contains(&Act::RestoreBackup) {
            lab.run(&["backup", WEB, &text(&lab.file(BACKUP))])?;
        }
        Ok(lab)
    }

    /// The home, for a look at what is left.
    pub fn home(&self) -> &TestHome {
        &self.home
    }

    /// Runs all rounds.
    pub fn work(&mut self) -> &Report {
        let began = Instant::now();
        for round in 1..=self.options.kills {
            if began.elapsed() > self.options.limit {
                break;
            }
            let act = self.pick();
            self.report.rows.entry(act.name()).or_default().kills += 1;
            let done = self.round(round, act);
            let row = self.report.rows.entry(act.name()).or_default();
            match done {
                Ok(Fate::Before) => row.before += 1,
                Ok(Fate::After) => row.after += 1,
                Ok(Fate::Step) => row.steps += 1,
                Err(why) => {
                    row.lost += 1;
                    let finding = format!("round {round}, {}: {why}", act.name());
                    self.say(&finding);
                    self.report.findings.push(finding);
                    if let Err(worse) = self.anew() {
                        self.report
                            .findings
                            .push(format!("and no new beginning: {worse}"));
                        break;
                    }
                }
            }
            self.report.kills = round;
            self.report.victims[0] = round;
        }
        self.report.seconds = began.elapsed().as_secs();
        &self.report
    }

    fn pick(&mut self) -> Act {
        let wanted: Vec<_> = Act::ALL
            .into_iter()
            .filter(|(act, ..)| self.acts.is_empty() || self.acts.contains(act))
            .collect();
        wanted
            .choose_weighted(&mut self.random, |(_, weight, _)| *weight)
            .map_or(Act::Compact, |(act, ..)| *act)
    }

    fn round(&mut self, round: u32, act: Act) -> Finding<Fate> {
        self.names += 1;
        let fresh = format!("n{}", self.names);
        let disk = self
            .prepare(act, &fresh)
            .map_err(|why| format!("making ready: {why}"))?;
        let before = stock::look(&self.home)?;
        let most = Act::ALL
            .iter()
            .find(|(other, ..)| *other == act)
            .map_or(200, |(_, _, most)| *most);
        let delay = Duration::from_micros(self.random.gen_range(0..most * 1000));
        self.say(&format!("{round} {} {delay:?}", act.name()));
        self.cut_short(act, &disk, &fresh, delay)?;
        self.judge(act, &disk, &fresh, &before)
            .map_err(|why| format!("killed after {delay:?}: {why}"))
    }

    fn cut_short(&self, act: Act, disk: &str, fresh: &str, delay: Duration) -> Finding<()> {
        let service = world::json(&self.home, &["service", "status"])?["service"]["pid"].as_u64();
        let files = text(self.files.path());
        let mut child = self
            .home
            .command(act.command(disk, &files, fresh))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| e.to_string())?;
        std::thread::sleep(delay);
        kill(service.and_then(|pid| u32::try_from(pid).ok()));
        ended(&mut child, PATIENCE)?;
        // A tool of the dead service ends by itself.
        let deadline = Instant::now() + PATIENCE;
        while self.tool_runs() {
            if Instant::now() > deadline {
                return Err("a tool of the killed service does not end".to_owned());
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        Ok(())
    }

    fn tool_runs(&self) -> bool {
        let is_tool = |pid: &u32| {
            std::fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name.starts_with("qemu-img"))
        };
        self.home.processes().iter().any(is_tool)
    }

    fn judge(&self, act: Act, disk: &str, fresh: &str, before: &Stock) -> Finding<Fate> {
        // The next service begins with the first command, and mends what it finds.
        world::look_when_settled(&self.home, PATIENCE)?;
        world::idle(&self.home, PATIENCE)?;
        let now = stock::look(&self.home)?;
        let problems = world::json(&self.home, &["library", "check"])?["problems"].clone();
        if problems.as_array().is_none_or(|list| !list.is_empty()) {
            return Err(format!("library check: {problems}"));
        }
        stock::nothing_extra(&self.home, &now)?;
        if stock::content(&self.file(SOURCE))? != self.source {
            return Err("the user's own image is another".to_owned());
        }
        self.nothing_lost(act, fresh, before, &now)?;
        let fate = self.fate(act, disk, fresh, before, &now)?;
        self.user_files(act, fresh)?;
        Ok(fate)
    }

    /// What disks and snapshots showed before is still shown.
    fn nothing_lost(&self, act: Act, fresh: &str, before: &Stock, now: &Stock) -> Finding<()> {
        let mut have = stock::contents(now);
        let moved = self.file(&format!("{fresh}.qcow2"));
        if act.takes_file() && moved.exists() {
            *have.entry(stock::content(&moved)?).or_default() += 1;
        }
        let mut wanted = stock::contents(before);
        if act.takes_file() {
            *wanted.entry(self.source.clone()).or_default() += 1;
        }
        for (content, count) in wanted {
            let found = have.get(&content).copied().unwrap_or(0);
            // A machine in the trash is looked at when it is brought back.
            let away = act == Act::Delete && !now.contains_key(OTHER);
            if found < count && !away {
                return Err(format!("{count} disks showed {content}, now {found} do"));
            }
        }
        for (name, machine) in before {
            let same = now.values().find(|other| other.folder == machine.folder);
            match same {
                Some(other) if other.frozen == machine.frozen => {}
                None if act == Act::Delete && name == OTHER => {}
                _ => return Err(format!("the snapshots of “{name}” show something else")),
            }
        }
        Ok(())
    }

    fn fate(&self, act: Act, disk: &str, fresh: &str, before: &Stock, now: &Stock) -> Finding<Fate> {
        let is = |after: bool| Ok(if after { Fate::After } else { Fate::Before });
        if act.makes_machine() {
            let Some(made) = now.get(fresh) else {
                return if now.len() == before.len() {
                    Ok(Fate::Before)
                } else {
                    Err(format!("there is one machine more: {:?}", now.keys()))
                };
            };
            let first = made.disks.first().ok_or("the new machine has no disk")?;
            if made.state != "stopped" || (act != Act::RestoreBackup && first.content != self.source) {
                return Err(format!(
                    "the new machine is {} and shows {}",
                    made.state, first.content
                ));
            }
            return Ok(Fate::After);
        }
        if let Some(target) = act.target(&text(self.files.path()), fresh).map(PathBuf::from) {
            if !target.exists() {
                return Ok(Fate::Before);
            }
            self.whole(act, &target, fresh, before)?;
            return Ok(Fate::After);
        }
        if act == Act::Delete {
            if now.contains_key(OTHER) {
                return Ok(Fate::Before);
            }
            self.run(&["trash", "restore", OTHER])?;
            let back = stock::look(&self.home)?;
            self.nothing_lost(Act::Rename, fresh, before, &back)?;
            return Ok(Fate::After);
        }
        if act == Act::Rename {
            return is(now.contains_key(fresh));
        }
        let (was, web) = (machine(before, WEB)?, machine(now, WEB)?);
        let find = |machine: &stock::Machine| machine.disks.iter().find(|other| other.id == disk).cloned();
        match act {
            Act::AddBlank | Act::AddFile | Act::AddMoved => {
                match web.disks.len().checked_sub(was.disks.len()) {
                    Some(more @ 0..=1) => is(more == 1),
                    _ => Err(format!("{} disks became {}", was.disks.len(), web.disks.len())),
                }
            }
            Act::Resize => {
                let (old, new) = (find(was), find(web).ok_or("the disk is gone")?);
                let header = capacity(&new.image)?;
                if new.capacity != header {
                    return Err(format!("the settings say {}, the image {header}", new.capacity));
                }
                is(old.is_some_and(|old| old.capacity != new.capacity))
            }
            Act::MoveDisk => {
                let content = find(was).ok_or("the disk was not there")?.content;
                let shows = |machine: &stock::Machine| {
                    machine
                        .disks
                        .iter()
                        .any(|disk| disk.attached && disk.content == content)
                };
                let (here, there) = (shows(web), shows(machine(now, OTHER)?));
                // Two machines that write one disk each are none the worse, but it was one.
                if here && there {
                    return Err("both machines have it".to_owned());
                }
                is(there)
            }
            Act::Remove => is(find(web).is_none_or(|disk| disk.removed)),
            Act::Detach => is(find(web).is_some_and(|disk| !disk.attached)),
            Act::Attach => is(find(web).is_some_and(|disk| disk.attached)),
            _ => is(true),
        }
    }

    /// A file that was made is whole.
    fn whole(&self, act: Act, target: &Path, fresh: &str, before: &Stock) -> Finding<()> {
        let web = &machine(before, WEB)?.disks[0].content;
        match act {
            Act::Convert => same(&stock::content(target)?, &self.source),
            Act::ExportQcow2 => same(&stock::content(target)?, web),
            _ => {
                let made = format!("{fresh}-again");
                let command = if act == Act::Backup {
                    ["restore-backup", &text(target), "--name", &made].map(str::to_owned)
                } else {
                    ["import", &text(target), "--name", &made].map(str::to_owned)
                };
                self.run(&command.each_ref().map(String::as_str))?;
                let again = stock::look(&self.home)?;
                let shown = machine(&again, &made)?.disks[0].content.clone();
                self.run(&["delete", &made, "--yes"])?;
                same(&shown, web)
            }
        }
    }

    /// Beside what was asked for there is no file that was not there.
    fn user_files(&self, act: Act, fresh: &str) -> Finding<()> {
        let here = stock::names(self.files.path());
        let moved = format!("{fresh}.qcow2");
        let known = |name: &String| {
            matches!(name.as_str(), "out" | SOURCE | BACKUP) || (act.takes_file() && *name == moved)
        };
        let mut strange: Vec<_> = here.into_iter().filter(|name| !known(name)).collect();
        let out = stock::names(&self.files.path().join("out"));
        strange.extend(out.into_iter().filter(|name| !name.starts_with(fresh)));
        let out = stock::names(&self.files.path().join("out"));
        strange.extend(
            out.into_iter()
                .filter(|name| name.contains(".part") || name.starts_with('.')),
        );
        if strange.is_empty() {
            Ok(())
        } else {
            Err(format!("left over among the user's files: {strange:?}"))
        }
    }

    /// What the act needs; the disk it is about.
    fn prepare(&mut self, act: Act, fresh: &str) -> Finding<String> {
        for name in stock::names(&self.files.path().join("out")) {
            let path = self.files.path().join("out").join(name);
            let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
        }
        // Of a move that was not begun.
        for name in stock::names(self.files.path()) {
            if !matches!(name.as_str(), "out" | SOURCE | BACKUP) {
                let _ = std::fs::remove_file(self.file(&name));
            }
        }
        let mut now = stock::look(&self.home)?;
        let crowded = now.values().map(|machine| machine.disks.len()).sum::<usize>() > 8;
        let missing = !now.contains_key(WEB) || !now.contains_key(OTHER);
        if crowded || missing || machine(&now, WEB)?.disks[0].capacity > 48 << 20 {
            self.anew()?;
            now = stock::look(&self.home)?;
        }
        if act.takes_file() {
            let copied = std::fs::copy(self.file(SOURCE), self.file(&format!("{fresh}.qcow2")));
            copied.map_err(|e| e.to_string())?;
        }
        let web = machine(&now, WEB)?;
        if !act.about_second_disk() {
            return Ok(web.disks[0].id.clone());
        }
        let attached = |disk: &&stock::Disk| disk.attached && !disk.removed;
        let second = match web.disks.iter().filter(attached).nth(1) {
            Some(disk) => disk.id.clone(),
            None => {
                let source = text(&self.file(SOURCE));
                self.run(&["disk", "add", WEB, "--file", &source, "--copy"])?;
                let now = stock::look(&self.home)?;
                let disk = machine(&now, WEB)?.disks.iter().filter(attached).nth(1).cloned();
                disk.ok_or("the added disk is not there")?.id
            }
        };
        if act == Act::Attach {
            self.run(&["disk", "detach", WEB, &second])?;
        }
        Ok(second)
    }

    /// Everything away, and the two machines again.
    fn anew(&mut self) -> Finding<()> {
        let listed = world::json(&self.home, &["list"])?;
        for machine in listed["machines"].as_array().into_iter().flatten() {
            self.run(&["delete", &world::text(&machine["id"]), "--yes"])?;
        }
        self.run(&["trash", "empty", "--yes"])?;
        self.new_web()
    }

    /// A machine with a snapshot and data before and after it, and an empty one.
    fn new_web(&mut self) -> Finding<()> {
        let source = text(&self.file(SOURCE));
        self.run(&[
            "create",
            WEB,
            "--firmware",
            "bios",
            "--memory",
            "64M",
            "--disk-image",
            &source,
            "--copy",
        ])?;
        self.run(&[
            "create",
            OTHER,
            "--firmware",
            "bios",
            "--memory",
            "64M",
            "--blank",
            "--disk",
            "1M",
        ])?;
        self.run(&["snapshot", "take", WEB, "first"])?;
        let now = stock::look(&self.home)?;
        let image = machine(&now, WEB)?.disks[0].image.clone();
        self.write(&image)?;
        self.run(&["snapshot", "take", WEB, "second"])?;
        let now = stock::look(&self.home)?;
        let image = machine(&now, WEB)?.disks[0].image.clone();
        self.write(&image)
    }

    fn make_image(&mut self, path: &Path) -> Finding<()> {
        tool(
            "qemu-img",
            &["create", "-q", "-f", "qcow2", &text(path), CAPACITY],
        )?;
        self.write(path)
    }

    /// Some data, and some that is zero again and takes space.
    fn write(&mut self, image: &Path) -> Finding<()> {
        let mut arguments = vec!["-f".to_owned(), "qcow2".to_owned()];
        for _ in 0..12 {
            let (at, byte) = (self.random.gen_range(0..47), self.random.gen_range(1..255));
            arguments.extend(["-c".to_owned(), format!("write -P {byte} {at}M 512k")]);
        }
        let at = self.random.gen_range(0..40);
        arguments.extend(["-c".to_owned(), format!("write -P 0 {at}M 4M")]);
        arguments.push(text(image));
        tool(
            "qemu-io",
            &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Finding<()> {
        world::json(&self.home, args).map(drop)
    }

    fn say(&self, text: &str) {
        if self.options.verbose {
            eprintln!("{text}");
        }
    }
}

fn machine<'a>(stock: &'a Stock, name: &str) -> Finding<&'a stock::Machine> {
    stock.get(name).ok_or_else(|| format!("“{name}” is gone"))
}

fn same(shown: &str, wanted: &str) -> Finding<()> {
    if shown == wanted {
        Ok(())
    } else {
        Err(format!("it is there and shows {shown}, not {wanted}"))
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn capacity(image: &Path) -> Finding<u64> {
    let output = Command::new("qemu-img")
        .args(["info", "-U", "--output=json"])
        .arg(image)
        .output()
        .map_err(|e| e.to_string())?;
    let facts: serde_json::Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
    facts["virtual-size"].as_u64().ok_or_else(|| "no size".to_owned())
}

fn tool(name: &str, arguments: &[&str]) -> Finding<()> {
    let output = Command::new(name)
        .args(arguments)
        .output()
        .map_err(|e| format!("{name}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)))
}
