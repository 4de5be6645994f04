//! The rounds: make ready, begin, kill, look.

use crate::audit::Audit;
use crate::guest;
use crate::judge::{Case, Fate};
use crate::world::{self, Machine, World, json};
use crate::{Finding, Operation, Report};
use nestbox_guests::{Guests, TestHome};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

pub const MACHINE: &str = "lab";
pub const TWIN: &str = "twin";
pub const CLONE: &str = "clone";
/// The snapshot that every round can go back to; nobody deletes it.
pub const GROUND: &str = "ground";

/// A guest under emulation on a busy computer.
const BOOT: Duration = Duration::from_secs(240);
/// A guest that runs says its next number within this long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most snapshots beside the ground.
const TREE_MOST: usize = 7;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    Service,
    Qemu,
    Both,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often something is killed.
    pub kills: u32,
    /// Where everything random comes from.
    pub seed: u64,
    /// Only these operations; all when empty.
    pub only: Vec<Operation>,
    /// No round begins after this long.
    pub limit: Duration,
    /// Boot from the disk at the end.
    pub boot: bool,
    /// Say what is done on standard error.
    pub verbose: bool,
}

/// A home with a guest in it.
pub struct Lab {
    home: TestHome,
    options: Options,
    random: StdRng,
    audit: Audit,
    report: Report,
    names: u32,
    /// The guest was booted, so that nothing writes in it.
    booted: bool,
}

impl Lab {
    /// Makes the machine, boots it and takes the ground snapshot.
    ///
    /// # Errors
    /// Whatever hinders that.
    pub fn open(home: TestHome, guests: &Guests, options: Options) -> Finding<Self> {
        let image = guests.amd64_disk();
        let image = image.to_str().ok_or("the guest's path is not text")?;
        let words = format!("create {MACHINE} --memory 128M --cpus 1 --firmware bios --start --disk-image");
        let mut args: Vec<&str> = words.split(' ').collect();
        args.push(image);
        json(&home, &args)?;
        guest::start_writer(&home, MACHINE, BOOT)?;
        let lab = Self {
            home,
            random: StdRng::seed_from_u64(options.seed),
            audit: Audit::default(),
            report: Report::new(options.seed, options.kills),
            options,
            names: 0,
            booted: false,
        };
        lab.run(&["snapshot", "take", MACHINE, GROUND])?;
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
            let operation = self.pick();
            let row = self.report.rows.entry(operation.name()).or_default();
            row.kills += 1;
            let done = self.round(round, operation);
            let row = self.report.rows.entry(operation.name()).or_default();
            match done {
                Ok(Fate::Before) => row.before += 1,
                Ok(Fate::After) => row.after += 1,
                Ok(Fate::Step) => row.steps += 1,
                Err(why) => {
                    row.lost += 1;
                    self.say(&format!("{round} {}: {why}", operation.name()));
                    self.report
                        .findings
                        .push(format!("round {round}, {}: {why}", operation.name()));
                    if let Err(worse) = self.back_to_ground() {
                        self.report.findings.push(format!("and no way back: {worse}"));
                        break;
                    }
                }
            }
            self.report.kills = round;
        }
        if self.options.boot
            && self.report.findings.is_empty()
            && let Err(why) = self.boot()
        {
            self.report.findings.push(format!("at the end: {why}"));
        }
        self.report.checks = self.audit.checks;
        self.report.leaks = self.audit.leaks;
        self.report.seconds = began.elapsed().as_secs();
        &self.report
    }

    fn pick(&mut self) -> Operation {
        let wanted: Vec<_> = Operation::ALL
            .into_iter()
            .filter(|(operation, ..)| self.options.only.is_empty() || self.options.only.contains(operation))
            .collect();
        wanted
            .choose_weighted(&mut self.random, |(_, weight, _)| *weight)
            .map_or(Operation::Take, |(operation, ..)| *operation)
    }

    fn round(&mut self, round: u32, operation: Operation) -> Finding<Fate> {
        self.names += 1;
        let fresh = format!("s{}", self.names);
        let target = self
            .prepare(operation)
            .map_err(|why| format!("making ready: {why}"))?;
        let before = world::look(&self.home)?;
        let victim = match self.random.gen_range(0..10) {
            0 => Victim::Qemu,
            1 | 2 => Victim::Both,
            _ => Victim::Service,
        };
        let most = Operation::ALL
            .iter()
            .find(|(other, ..)| *other == operation)
            .map_or(400, |(_, _, most)| *most);
        let delay = Duration::from_micros(self.random.gen_range(0..most * 1000));
        self.say(&format!("{round} {} {victim:?} {delay:?}", operation.name()));
        let said = self.cut_short(operation, &fresh, &target, victim, delay)?;
        self.report.victims[victim as usize] += 1;
        self.look_again(operation, &fresh, &target, victim, &before, said)
            .map_err(|why| format!("{victim:?} killed after {delay:?}: {why}"))
    }

    /// Begins the operation, kills, and waits for the command's end. The last number that the guest had said by then.
    fn cut_short(
        &mut self,
        operation: Operation,
        fresh: &str,
        target: &str,
        victim: Victim,
        delay: Duration,
    ) -> Finding<Option<u64>> {
        let service = json(&self.home, &["service", "status"])?["service"]["pid"].as_u64();
        let log = self.machine()?.serial_log();
        let mut command = self.home.command(operation.command(fresh, target));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| e.to_string())?;
        std::thread::sleep(delay);
        if victim != Victim::Qemu {
            kill(service.and_then(|pid| u32::try_from(pid).ok()));
        }
        if victim != Victim::Service {
            kill(self.qemu());
        }
        // The command ends now, or starts the next service and goes on; that belongs to what is tried.
        let ended = ended(&mut child, Duration::from_secs(90));
        let said = guest::said(&log);
        ended.map(|()| said)
    }

    fn look_again(
        &mut self,
        operation: Operation,
        fresh: &str,
        target: &str,
        victim: Victim,
        before: &World,
        said: Option<u64>,
    ) -> Finding<Fate> {
        let now = world::look_when_settled(&self.home, PATIENCE)?;
        let case = Case {
            operation,
            victim,
            fresh,
            target,
            before,
            now: &now,
        };
        let fate = case.judge()?;
        world::idle(&self.home, Duration::from_secs(120))?;
        let now = world::look(&self.home)?;
        Case { now: &now, ..case }.judge()?;
        self.audit.all(&self.home, &now)?;
        let machine = now.get(MACHINE).ok_or("the machine is gone")?;
        let writes = !operation.in_disposable_run() && operation != Operation::DisposableStart;
        if !writes {
            return Ok(fate);
        }
        if machine.state == "running" {
            self.goes_on(machine)?;
        }
        let went_back =
            matches!(operation, Operation::Restore | Operation::RestoreDiscard) && fate == Fate::After;
        let least = if went_back {
            self.audit.highest(target)
        } else {
            said
        };
        self.nothing_lost(machine, least)?;
        Ok(fate)
    }

    /// The present's disk holds every number up to `least`, without a gap. A machine that runs is asked now and then: it
    /// has to be ended for that.
    fn nothing_lost(&mut self, machine: &Machine, least: Option<u64>) -> Finding<()> {
        let mut least = least.unwrap_or(0);
        if machine.pid.is_some() {
            if !self.random.gen_bool(0.4) {
                return Ok(());
            }
            kill(machine.pid);
            self.wait_off()?;
            least = least.max(guest::said(&machine.serial_log()).unwrap_or(0).min(least + 1000));
            let now = world::look(&self.home)?;
            self.audit.all(&self.home, &now)?;
        }
        let machine = self.machine()?;
        let numbers = guest::numbers(&machine.disk())?;
        if numbers.highest < least {
            return Err(format!(
                "{least} was said after fsync, and the disk ends at {}",
                numbers.highest
            ));
        }
        Ok(())
    }

    /// What the operation needs; the snapshot it is about.
    fn prepare(&mut self, operation: Operation) -> Finding<String> {
        self.tidy_away()?;
        let machine = self.machine()?;
        let without_writer = machine.state != "running" || machine.spec.disposable.is_some() || self.booted;
        if without_writer || self.random.gen_bool(0.1) {
            self.back_to_ground()?;
        }
        // Chains of some length, so that there is something in the middle.
        let machine = self.machine()?;
        let others = machine.tree.len() - 1;
        let missing = if operation.needs_target() {
            3_usize.saturating_sub(others)
        } else {
            0
        };
        for nth in 0..missing {
            self.names += 1;
            let name = format!("s{}", self.names);
            let mut args = vec!["snapshot", "take", MACHINE, &name];
            if nth == 1 {
                args.push("--no-memory");
            }
            self.writes()?;
            self.run(&args)?;
        }
        if operation == Operation::Tidy {
            self.leave_a_gap()?;
        }
        self.writes()?;
        match operation {
            Operation::Wake => self.run(&["suspend", MACHINE])?,
            Operation::DisposableStart => {
                self.booted = true;
                self.run(&["stop", MACHINE, "--force"])?;
            }
            _ if operation.in_disposable_run() => {
                self.run(&["stop", MACHINE, "--force"])?;
                self.booted = true;
                self.run(&["start", MACHINE, "--disposable"])?;
            }
            Operation::TakeTogether => {
                self.run(&["clone", MACHINE, TWIN, "--snapshot", GROUND, "--start"])?;
            }
            _ => {}
        }
        self.target(operation)
    }

    /// A snapshot whose images are merged by the next tidying.
    fn leave_a_gap(&mut self) -> Finding<()> {
        self.names += 2;
        let (first, second) = (format!("s{}", self.names - 1), format!("s{}", self.names));
        for name in [&first, &second] {
            self.writes()?;
            self.run(&["snapshot", "take", MACHINE, name])?;
        }
        self.run(&["snapshot", "delete", MACHINE, &first])
    }

    /// Any snapshot but the ground; to be restored: one with memory, the ground among them.
    fn target(&mut self, operation: Operation) -> Finding<String> {
        if !operation.needs_target() {
            return Ok(String::new());
        }
        let machine = self.machine()?;
        let restores = matches!(operation, Operation::Restore | Operation::RestoreDiscard);
        let fits: Vec<&String> = machine
            .tree
            .iter()
            .filter(|(_, record)| {
                if restores {
                    record.memory
                } else {
                    record.name != GROUND
                }
            })
            .map(|(id, _)| id)
            .collect();
        let target = fits.choose(&mut self.random).ok_or("no snapshot to work on")?;
        Ok((*target).clone())
    }

    /// Clones go, and snapshots when they become too many.
    fn tidy_away(&mut self) -> Finding<()> {
        let world = world::look(&self.home)?;
        let mut emptied = true;
        for name in world.keys().filter(|name| *name != MACHINE) {
            if world[name].pid.is_some() {
                self.run(&["stop", name, "--force"])?;
            }
            self.run(&["delete", name, "--yes"])?;
            emptied = false;
        }
        if !emptied {
            self.run(&["trash", "empty", "--yes"])?;
        }
        let machine = self.machine()?;
        let mut others: Vec<&String> = machine
            .tree
            .iter()
            .filter(|(_, record)| record.name != GROUND)
            .map(|(id, _)| id)
            .collect();
        others.sort_by_key(|id| machine.tree[*id].created_at);
        let too_many = others.len().saturating_sub(TREE_MOST);
        for id in others
            .into_iter()
            .take(if too_many > 0 { too_many + 2 } else { 0 })
        {
            self.run(&["snapshot", "delete", MACHINE, id])?;
        }
        world::idle(&self.home, Duration::from_secs(120))
    }

    fn back_to_ground(&mut self) -> Finding<()> {
        self.booted = false;
        self.run(&["snapshot", "restore", MACHINE, GROUND, "--discard"])
    }

    /// The guest writes some more.
    fn writes(&mut self) -> Finding<()> {
        self.goes_on(&self.machine()?)
    }

    /// The guest says more numbers. When it does not: is it QEMU that stands still, or the system in it?
    fn goes_on(&self, machine: &Machine) -> Finding<()> {
        let log = machine.serial_log();
        let Err(why) = guest::goes_on(&log, 2, PATIENCE) else {
            return Ok(());
        };
        let said = self.run(&["resume", MACHINE]);
        let after_resume = guest::goes_on(&log, 2, PATIENCE).is_ok();
        let poked = self
            .home
            .console(MACHINE)
            .and_then(|mut console| console.send_line(""));
        let after_key = guest::goes_on(&log, 2, PATIENCE).is_ok();
        Err(format!(
            "{why}; goes on after resume ({said:?}): {after_resume}, after a key ({}): {after_key}",
            poked.is_ok()
        ))
    }

    /// From the disk alone: it boots, and every number is there.
    fn boot(&mut self) -> Finding<()> {
        self.back_to_ground()?;
        self.writes()?;
        let machine = self.machine()?;
        kill(machine.pid);
        self.wait_off()?;
        let said = guest::said(&machine.serial_log()).unwrap_or(0);
        let mut log = self.home.serial_log(MACHINE);
        log.skip_to_end();
        self.run(&["start", MACHINE])?;
        log.wait_ready(BOOT).map_err(|error| error.message)?;
        self.report.boots += 1;
        self.run(&["stop", MACHINE, "--force"])?;
        let numbers = guest::numbers(&self.machine()?.disk())?;
        if numbers.highest < said {
            return Err(format!(
                "{said} was said, and the disk ends at {}",
                numbers.highest
            ));
        }
        Ok(())
    }

    fn wait_off(&self) -> Finding<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.machine()?.pid.is_some() {
            if Instant::now() > deadline {
                return Err("a dead QEMU is not seen".to_owned());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn machine(&self) -> Finding<Machine> {
        world::look(&self.home)?
            .remove(MACHINE)
            .ok_or_else(|| "the machine is gone".to_owned())
    }

    /// The machine's process as its session file has it, without asking the service.
    fn qemu(&self) -> Option<u32> {
        let id = std::fs::read_dir(self.home.path().join("machines"))
            .ok()?
            .flatten()
            .find(|entry| {
                let spec = std::fs::read_to_string(entry.path().join("machine.toml"));
                let own = format!("name = \"{MACHINE}\"");
                spec.is_ok_and(|text| text.lines().any(|line| line == own))
            })?
            .file_name();
        let short: String = id.to_str()?.chars().take(8).collect();
        let session = self.home.path().join("run").join(short).join("session.json");
        let session: serde_json::Value = serde_json::from_slice(&std::fs::read(session).ok()?).ok()?;
        let pid = session["process"]["pid"]
            .as_u64()
            .or_else(|| session["pid"].as_u64())?;
        let pid = u32::try_from(pid).ok()?;
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        name.starts_with("qemu-system").then_some(pid)
    }

    fn run(&self, args: &[&str]) -> Finding<()> {
        json(&self.home, args).map(drop)
    }

    fn say(&self, text: &str) {
        if self.options.verbose {
            eprintln!("{text}");
        }
    }
}

pub fn kill(pid: Option<u32>) {
    let pid = pid
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself.
        let _ = kill_process(pid, Signal::KILL);
    }
}

pub fn ended(child: &mut Child, patience: Duration) -> Finding<()> {
    let deadline = Instant::now() + patience;
    loop {
        if child.try_wait().map_err(|e| e.to_string())?.is_some() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("the command does not end in {} s", patience.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
