//! What there is at one moment: machines, their states and their trees, from the service and from the files.

use crate::Finding;
use nestbox_guests::TestHome;
use nestbox_model::layout::{Layout, MachineFolder, SnapshotFolder};
use nestbox_model::{MachineSpec, SnapshotRecord};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// One machine.
#[derive(Clone, Debug)]
pub struct Machine {
    pub folder: MachineFolder,
    pub state: String,
    pub reason: String,
    pub pid: Option<u32>,
    pub spec: MachineSpec,
    /// By id.
    pub tree: BTreeMap<String, SnapshotRecord>,
}

impl Machine {
    /// The present's disk.
    pub fn disk(&self) -> PathBuf {
        self.folder.disk_image(&self.spec.disks[0].image)
    }

    /// The disk that a snapshot froze.
    pub fn frozen(&self, snapshot: &str) -> Option<PathBuf> {
        let disk = self.tree.get(snapshot)?.disks.first()?;
        Some(self.folder.disk_image(&disk.image))
    }

    pub fn current(&self) -> Option<String> {
        self.spec.current_snapshot.as_ref().map(ToString::to_string)
    }

    /// Where each snapshot is, and the present: what operations change.
    pub fn edges(&self) -> Edges {
        let parent = |record: &SnapshotRecord| record.parent.as_ref().map(ToString::to_string);
        Edges {
            parents: self
                .tree
                .iter()
                .map(|(id, record)| (id.clone(), parent(record)))
                .collect(),
            current: self.current(),
        }
    }

    pub fn serial_log(&self) -> PathBuf {
        self.folder.serial_log()
    }
}

/// The tree of snapshots, by ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edges {
    pub parents: BTreeMap<String, Option<String>>,
    pub current: Option<String>,
}

/// All machines, by name.
pub type World = BTreeMap<String, Machine>;

/// Looks at everything; starts the service when it isn't there.
///
/// # Errors
/// A command that fails, a tree that is no tree, an index that says something else than the files.
pub fn look(home: &TestHome) -> Finding<World> {
    let listed = json(home, &["list"])?;
    let machines = listed["machines"].as_array().ok_or("no list of machines")?;
    let mut world = World::new();
    for shown in machines {
        let id = text(&shown["id"]);
        let layout = Layout::new(home.path(), Path::new("/tmp"));
        let folder = MachineFolder(layout.machines().join(&id));
        let tree = tree(&folder)?;
        let spec: MachineSpec = read(&folder.spec())?;
        let machine = Machine {
            state: text(&shown["state"]),
            reason: text(&shown["state_reason"]),
            pid: shown["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()),
            folder,
            spec,
            tree,
        };
        same_as_index(home, &id, &machine)?;
        world.insert(text(&shown["name"]), machine);
    }
    Ok(world)
}

/// The records of a machine's snapshots, by id.
///
/// # Errors
/// One that can't be read.
pub fn tree(folder: &MachineFolder) -> Finding<BTreeMap<String, SnapshotRecord>> {
    let mut tree = BTreeMap::new();
    for entry in std::fs::read_dir(folder.snapshots())
        .into_iter()
        .flatten()
        .flatten()
    {
        let record: SnapshotRecord = read(&SnapshotFolder(entry.path()).record())?;
        tree.insert(record.id.to_string(), record);
    }
    Ok(tree)
}

fn same_as_index(home: &TestHome, id: &str, machine: &Machine) -> Finding<()> {
    let listed = json(home, &["snapshot", "list", id])?;
    let all = listed["snapshots"].as_array().ok_or("no list of snapshots")?;
    let indexed: BTreeMap<String, Option<String>> = all
        .iter()
        .map(|s| (text(&s["id"]), s["parent"].as_str().map(str::to_owned)))
        .collect();
    let edges = machine.edges();
    let current = listed["current"].as_str().map(str::to_owned);
    if (&indexed, &current) != (&edges.parents, &edges.current) {
        return Err(format!(
            "the index says {indexed:?} at {current:?}, the files say {edges:?}"
        ));
    }
    let known = |id: &String| edges.parents.contains_key(id);
    if let Some(lost) = edges
        .parents
        .values()
        .flatten()
        .chain(&edges.current)
        .find(|id| !known(id))
    {
        return Err(format!("{lost} is in the tree, and there is no such snapshot"));
    }
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Finding<T> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// Looks when no machine is on its way any more.
///
/// # Errors
/// As [`look`]; a machine that does not arrive.
pub fn look_when_settled(home: &TestHome, patience: Duration) -> Finding<World> {
    let deadline = Instant::now() + patience;
    loop {
        let world = look(home)?;
        let under_way = |machine: &&Machine| {
            matches!(
                machine.state.as_str(),
                "starting" | "stopping" | "creating" | "paused"
            )
        };
        let Some(machine) = world.values().find(under_way) else {
            return Ok(world);
        };
        if Instant::now() > deadline {
            return Err(format!("“{}” stays {}", machine.spec.name, machine.state));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Runs a command with `--json`.
///
/// # Errors
/// When it fails.
pub fn json(home: &TestHome, args: &[&str]) -> Finding<Value> {
    let run = home.nestbox(["--json"].iter().chain(args));
    if run.code != Some(0) {
        return Err(format!(
            "“{}” failed: {}{}",
            args.join(" "),
            run.stdout,
            run.stderr
        ));
    }
    serde_json::from_str(&run.stdout).map_err(|e| format!("“{}” printed no JSON: {e}", args.join(" ")))
}

/// Waits until no job works.
///
/// # Errors
/// One that does not end.
pub fn idle(home: &TestHome, patience: Duration) -> Finding<()> {
    let deadline = Instant::now() + patience;
    loop {
        let jobs = json(home, &["jobs", "list"])?;
        let active = jobs["jobs"].as_array().into_iter().flatten().find(|job| {
            !matches!(
                job["state"].as_str(),
                Some("done" | "succeeded" | "failed" | "cancelled")
            )
        });
        let Some(active) = active else { return Ok(()) };
        if Instant::now() > deadline {
            return Err(format!("a job does not end: {active}"));
        }
        std::thread::sleep(Duration::from_millis(150));
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
