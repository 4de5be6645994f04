//! What the QEMU that is installed can do, asked of the binary itself and remembered while its file is the same.

use crate::qmp::{self, Qmp};
use nestbox_accel::QemuBinary;
use nestbox_model::{Arch, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::process::Command;

/// How long QEMU may take to describe itself.
const PROBE_DEADLINE: Duration = Duration::from_secs(30);

/// What one QEMU binary can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The binary.
    pub binary: PathBuf,
    /// Its version.
    pub version: (u32, u32, u32),
    /// Every device it can make.
    pub devices: BTreeSet<String>,
    /// Every machine type, aliases too.
    pub machines: BTreeSet<String>,
    /// It has the seccomp sandbox.
    pub sandbox: bool,
    /// It has user networking (libslirp).
    pub user_network: bool,
    /// How it can save memory.
    pub memory: MemorySupport,
}

/// How a QEMU can save a running guest's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemorySupport {
    /// Straight to a file with a fixed place for every page (9.0).
    pub mapped_ram: bool,
    /// Several threads write it.
    pub multifd: bool,
    /// Stops at the last moment so that disks can be cut at the same instant (2.11).
    pub pause_before_switchover: bool,
}

impl Capabilities {
    /// Whether `-device name` exists.
    pub fn has_device(&self, name: &str) -> bool {
        self.devices.contains(name)
    }
    /// `10.0.2`.
    pub fn version_text(&self) -> String {
        let (major, minor, micro) = self.version;
        format!("{major}.{minor}.{micro}")
    }
}

/// Remembers answers by path and time of change of the binary.
#[derive(Debug, Default)]
pub(crate) struct CapabilityCache {
    known: Mutex<HashMap<PathBuf, (SystemTime, Arc<Capabilities>)>>,
    asking: tokio::sync::Mutex<()>,
}

impl CapabilityCache {
    /// What the QEMU for `arch` can do.
    pub async fn get(&self, arch: Arch) -> Result<Arc<Capabilities>> {
        let binary = tokio::task::spawn_blocking(move || nestbox_accel::find_qemu(arch))
            .await
            .map_err(|error| {
                Error::failed("internal", format!("The search for QEMU broke off: {error}."))
            })??;
        let changed = std::fs::metadata(&binary.path)
            .and_then(|meta| meta.modified())
            .map_err(|error| Error::io("look at QEMU", &binary.path, &error))?;
        if let Some(known) = self.look_up(&binary.path, changed) {
            return Ok(known);
        }
        let _one_at_a_time = self.asking.lock().await;
        if let Some(known) = self.look_up(&binary.path, changed) {
            return Ok(known);
        }
        let path = binary.path.clone();
        let found = Arc::new(probe(binary).await?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(path, (changed, Arc::clone(&found)));
        Ok(found)
    }

    fn look_up(&self, path: &Path, changed: SystemTime) -> Option<Arc<Capabilities>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(path)
            .filter(|(time, _)| *time == changed)
            .map(|(_, found)| Arc::clone(found))
    }
}

/// Starts `binary` without a machine and asks it over QMP.
pub(crate) async fn probe(binary: QemuBinary) -> Result<Capabilities> {
    let unfit = |why: String| {
        Error::unfit(
            "qemu-unfit",
            "QEMU is installed but does not answer when asked what it can do.",
        )
        .with_hint("Reinstall QEMU from your system's packages.")
        .with_detail("path", binary.path.display().to_string())
        .with_detail("technical", why)
    };
    let folder = tempfile::Builder::new()
        .prefix("nestbox-")
        .tempdir()
        .map_err(|error| unfit(error.to_string()))?;
    let socket = folder.path().join("qmp.sock");
    let mut command = Command::new(&binary.path);
    command
        .args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-machine",
            "none",
            "-chardev",
        ])
        .arg(format!(
            "socket,id=qmp,path={},server=on,wait=off",
            socket.display()
        ))
        .args(["-mon", "chardev=qmp,mode=control"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    end_with_us(&mut command);
    let mut child = command.spawn().map_err(|error| unfit(error.to_string()))?;
    let asked = tokio::select! {
        asked = ask(&socket, &binary) => asked,
        _ = child.wait() => Err(unfit("It ended before it answered.".into())),
        () = tokio::time::sleep(PROBE_DEADLINE) => Err(unfit("It took too long.".into())),
    };
    let _ = child.start_kill();
    if asked.is_err()
        && let Ok(output) = child.wait_with_output().await
    {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return asked.map_err(|error| error.with_detail("stderr", said));
    }
    asked
}

/// A service that is killed takes it along; nobody else would end it.
#[cfg(target_os = "linux")]
fn end_with_us(command: &mut Command) {
    let ask = || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        Ok(())
    };
    // SAFETY: between fork and exec, one system call that takes no lock and allocates nothing.
    unsafe { command.pre_exec(ask) };
}

#[cfg(not(target_os = "linux"))]
fn end_with_us(_: &mut Command) {}

async fn ask(socket: &Path, binary: &QemuBinary) -> Result<Capabilities> {
    let qmp = loop {
        match Qmp::connect(socket).await {
            Ok(qmp) => break qmp,
            // One that is just coming up may say something else first.
            Err(error) if matches!(error.code.as_str(), qmp::NOT_THERE | qmp::SILENT) => {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            Err(error) => return Err(error),
        }
    };
    let schema = Schema(qmp.raw("query-qmp-schema", Value::Null).await?);
    let names = |answer: &Value, key: &str| -> BTreeSet<String> {
        let entries = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        entries
            .iter()
            .filter_map(|entry| entry[key].as_str().map(str::to_owned))
            .collect()
    };
    let types = qmp
        .raw(
            "qom-list-types",
            serde_json::json!({"implements": "device", "abstract": false}),
        )
        .await?;
    let machines = qmp.raw("query-machines", Value::Null).await?;
    let options = qmp.raw("query-command-line-options", Value::Null).await?;
    let mut machine_names = names(&machines, "name");
    machine_names.extend(names(&machines, "alias"));
    let migration = schema.words(&["migrate-set-capabilities", "capabilities", "capability"]);
    let has = |word: &str| migration.iter().any(|known| known == word);
    Ok(Capabilities {
        binary: binary.path.clone(),
        version: binary.version,
        devices: names(&types, "name"),
        machines: machine_names,
        sandbox: names(&options, "option").contains("sandbox"),
        user_network: schema
            .words(&["netdev_add", "type"])
            .iter()
            .any(|word| word == "user"),
        memory: MemorySupport {
            mapped_ram: has("mapped-ram"),
            multifd: has("multifd"),
            pause_before_switchover: has("pause-before-switchover"),
        },
    })
}

/// QEMU's description of its own commands (`query-qmp-schema`): a flat list that refers to itself by name.
struct Schema(Value);

impl Schema {
    fn entry(&self, name: &str) -> Option<&Value> {
        self.0.as_array()?.iter().find(|entry| entry["name"] == name)
    }
    /// The words an argument takes: `path` is the command, the argument, then members of objects and lists.
    fn words(&self, path: &[&str]) -> Vec<String> {
        self.follow(path).unwrap_or_default()
    }
    fn follow(&self, path: &[&str]) -> Option<Vec<String>> {
        let (command, members) = path.split_first()?;
        let mut at = self.entry(self.entry(command)?["arg-type"].as_str()?)?;
        for wanted in members {
            if at["meta-type"] == "array" {
                at = self.entry(at["element-type"].as_str()?)?;
            }
            let member = at["members"]
                .as_array()?
                .iter()
                .find(|member| member["name"] == *wanted)?;
            at = self.entry(member["type"].as_str()?)?;
        }
        let words = at["values"].as_array()?;
        Some(
            words
                .iter()
                .filter_map(|word| word.as_str().map(str::to_owned))
                .collect(),
        )
    }
}
