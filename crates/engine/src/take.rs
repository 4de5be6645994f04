//! Taking snapshots, of one machine or of several at one instant.
//!
//! The active images are frozen and get empty overlays on top; see `docs/snapshots.md` for the order of steps and what
//! a crash between them means.

use crate::machine::{Handle, MachineRef};
use crate::snapshots::{Overlays, size_on_disk};
use crate::{Engine, files};
use nestbox_model::layout::{MachineFolder, SnapshotFolder};
use nestbox_model::units::{MIB, format_size};
use nestbox_model::{
    DiskBus, DiskId, Error, EventKind, MachineSnapshot, MachineSpec, MachineState, Result, SnapshotDisk,
    SnapshotId, SnapshotKind, SnapshotRecord, SnapshotRequest, SnapshotTaken, TakenTogether, TogetherRequest,
    validate_name,
};
use nestbox_qemu::{FreezeRequest, Rendezvous, Session};
use serde_json::json;
use std::sync::Arc;
use time::OffsetDateTime;

/// Free space kept beside what a memory file needs.
const SPACE_MARGIN: u64 = 256 * MIB;
/// Most machines that are cut at one instant.
const TOGETHER_MAX: usize = 64;

/// Journal: snapshots of several machines, all or none.
pub(crate) const TOGETHER: &str = "take-together";

/// Several machines are cut at one instant.
#[derive(Clone)]
struct Together {
    group: String,
    rendezvous: Option<Arc<Rendezvous>>,
}

/// Why and with whom a snapshot is taken.
#[derive(Clone, Default)]
pub(crate) struct Occasion {
    kind: SnapshotKind,
    together: Option<Together>,
}

impl From<SnapshotKind> for Occasion {
    fn from(kind: SnapshotKind) -> Self {
        Self { kind, together: None }
    }
}

/// Where a snapshot's memory comes from.
enum Memory {
    None,
    /// The running guest.
    Live,
    /// The file of a suspended machine.
    Suspended,
}

impl Engine {
    /// Takes a snapshot: of a running or paused guest with its memory unless told otherwise, else of the disks.
    pub async fn take_snapshot(
        &self,
        wanted: MachineRef<'_>,
        request: SnapshotRequest,
    ) -> Result<SnapshotTaken> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        self.take_locked(&handle, request, SnapshotKind::User.into())
            .await
    }

    /// Takes snapshots of several machines, all cut at one instant: every guest that runs stands still before the first
    /// is cut, and none goes on before the last was. All are taken or none.
    ///
    /// # Errors
    /// `no-machines` (usage) when nothing is meant; whatever hinders any of them.
    pub async fn take_together(&self, request: TogetherRequest) -> Result<TakenTogether> {
        let handles = self.meant(&request)?;
        // Always in the same order, so that two of these can't wait for each other.
        let mut guards = Vec::new();
        for handle in &handles {
            guards.push(handle.lock_ready().await?);
        }
        let running = handles.iter().filter(|handle| handle.session().is_ok()).count();
        let together = Together {
            group: SnapshotId::random().to_string(),
            rendezvous: (running > 1).then(|| Arc::new(Rendezvous::new(running))),
        };
        let machines: Vec<_> = handles.iter().map(|handle| &handle.id).collect();
        let library = self.library();
        let payload = json!({ "group": together.group, "machines": machines });
        let journal = library.begin(TOGETHER, None, &payload)?;
        let takes = handles.iter().map(|handle| {
            let each = SnapshotRequest {
                name: request.name.clone(),
                notes: request.notes.clone(),
                // Those that are off have none to keep; leaving it out concerns all.
                memory: request
                    .memory
                    .filter(|wanted| !wanted || handle.session().is_ok()),
                keep: request.keep,
            };
            let occasion = Occasion {
                kind: SnapshotKind::User,
                together: Some(together.clone()),
            };
            self.take_one_of_several(handle, each, occasion)
        });
        let taken = futures_util::future::join_all(takes).await;
        let errors = || taken.iter().filter_map(|one| one.as_ref().err());
        // The cause, not what the others say because of it.
        let cause = errors().find(|error| error.code != "snapshot-refused");
        if let Some(error) = cause.or_else(|| errors().next()) {
            let error = error.clone();
            self.take_back(&handles, &taken)?;
            library.finish(journal)?;
            return Err(error);
        }
        library.finish(journal)?;
        let taken: Vec<(&Arc<Handle>, SnapshotTaken)> =
            handles.iter().zip(taken.into_iter().flatten()).collect();
        Ok(TakenTogether {
            group: together.group,
            paused_seconds: taken.iter().map(|(_, t)| t.paused_seconds).fold(0.0, f64::max),
            snapshots: taken
                .into_iter()
                .map(|(handle, taken)| MachineSnapshot {
                    machine: handle.id.clone(),
                    machine_name: handle.name(),
                    snapshot: taken.snapshot,
                })
                .collect(),
        })
    }

    /// Whoever can't come must not be waited for.
    async fn take_one_of_several(
        &self,
        handle: &Arc<Handle>,
        request: SnapshotRequest,
        occasion: Occasion,
    ) -> Result<SnapshotTaken> {
        let rendezvous = occasion.together.as_ref().and_then(|t| t.rendezvous.clone());
        let taken = self.take_locked(handle, request, occasion).await;
        if let (Err(_), Some(rendezvous)) = (&taken, rendezvous) {
            rendezvous.call_off();
        }
        taken
    }

    /// The machines a request means, without doubles, in the order of their ids.
    fn meant(&self, request: &TogetherRequest) -> Result<Vec<Arc<Handle>>> {
        let mut handles = Vec::new();
        for wanted in &request.machines {
            handles.push(self.find(wanted)?);
        }
        if let Some(tag) = &request.tag {
            let tag = tag.to_lowercase();
            let tagged = |handle: &Arc<Handle>| {
                let cell = handle.read();
                cell.spec.tags.iter().any(|have| have.to_lowercase() == tag)
            };
            handles.extend(self.handles().into_iter().filter(tagged));
        }
        if let Some(network) = &request.network {
            let on = |handle: &Arc<Handle>| handle.read().spec.nics.iter().any(|nic| nic.network == *network);
            handles.extend(self.handles().into_iter().filter(on));
        }
        handles.sort_by(|a, b| a.id.cmp(&b.id));
        handles.dedup_by(|a, b| a.id == b.id);
        if handles.is_empty() {
            return Err(Error::usage("no-machines", "No machine is meant by that.")
                .with_hint("Name machines, or a tag or network that some have."));
        }
        if handles.len() > TOGETHER_MAX {
            return Err(Error::usage(
                "too-many-machines",
                format!("At most {TOGETHER_MAX} machines can be cut at one instant."),
            ));
        }
        Ok(handles)
    }

    fn take_back(&self, handles: &[Arc<Handle>], taken: &[Result<SnapshotTaken>]) -> Result<()> {
        for (handle, one) in handles.iter().zip(taken) {
            if let Ok(one) = one {
                self.finish_delete(handle, std::slice::from_ref(&one.snapshot.id))?;
                self.tell_machine(EventKind::SnapshotDeleted, handle, None);
            }
        }
        Ok(())
    }

    pub(crate) async fn take_locked(
        &self,
        handle: &Arc<Handle>,
        request: SnapshotRequest,
        occasion: Occasion,
    ) -> Result<SnapshotTaken> {
        let state = handle.state();
        if matches!(
            state,
            MachineState::Starting | MachineState::Broken | MachineState::Creating
        ) {
            return Err(Error::conflict(
                "machine-busy",
                format!("“{}” is {}.", handle.name(), state.as_str()),
            ));
        }
        let spec = handle.spec();
        let folder = self.folder(&handle.id);
        let session = handle.session().ok();
        let memory = memory_of(&spec, session.is_some(), request.memory)?;
        if matches!(memory, Memory::Live) {
            check_space(
                &folder,
                spec.memory,
                "Keeping the guest's memory",
                way_out(occasion.kind),
            )?;
        }
        self.check_depth(handle)?;
        let rendezvous = occasion.together.as_ref().and_then(|t| t.rendezvous.clone());
        let record = self.new_record(handle, &spec, request, occasion, &memory)?;
        let disks: Vec<DiskId> = spec.disks.iter().map(|disk| disk.id.clone()).collect();
        let overlays = Overlays::names_for(&disks, spec.nvram.is_some());
        let mut after = overlays.on(&spec);
        after.current_snapshot = Some(record.id.clone());

        let library = self.library();
        let payload = json!({
            "snapshot": record.id,
            "images": overlays.names(),
            "before": images_of(&spec),
            "after": after,
            "was_running": state == MachineState::Running,
        });
        let journal = library.begin("snapshot-take", Some(&handle.id), &payload)?;
        let snapshot_folder = folder.snapshot(&record.id);
        let frozen = async {
            files::make_private_folder(snapshot_folder.path())?;
            overlays.create(&folder, &spec).await?;
            if matches!(memory, Memory::Suspended) {
                share_memory(&folder.suspended(), &snapshot_folder)?;
            }
            let Some(session) = &session else { return Ok(0.0) };
            if let Err(error) = session.screenshot(&snapshot_folder.screenshot()).await {
                tracing::debug!(%error, "no picture for the snapshot");
            }
            library.advance(journal, "freeze", &payload)?;
            let live = matches!(memory, Memory::Live);
            self.freeze(session, &folder, &snapshot_folder, &overlays, live, rendezvous)
                .await
        }
        .await;
        let paused_seconds = match frozen {
            Ok(seconds) => seconds,
            Err(error) => {
                self.settle_images(handle, &overlays.names(), without_snapshot(&spec, after))
                    .await?;
                files::remove_folder(snapshot_folder.path())?;
                library.finish(journal)?;
                return Err(error);
            }
        };
        if session.is_none() && folder.thumbnail().exists() {
            // A picture of the screen when it was last on; the snapshot is as good without it.
            let _ = std::fs::copy(folder.thumbnail(), snapshot_folder.screenshot());
        }
        // The guest writes to the overlays now: whatever fails from here on, they are the present.
        if let Err(error) = files::write_record(&snapshot_folder, &record) {
            self.save_spec(handle, without_snapshot(&spec, after))?;
            files::remove_folder(snapshot_folder.path())?;
            library.finish(journal)?;
            return Err(error);
        }
        if let Err(error) = self.save_spec(handle, after.clone()) {
            // In memory at least; the journal entry stays open, so the next start writes it.
            handle.write().spec = after;
            return Err(error);
        }
        let size = size_on_disk(&folder, &record);
        library.upsert_snapshot(&handle.id, &record, size)?;
        library.finish(journal)?;
        handle.write().snapshot_count += 1;
        self.tell_machine(
            EventKind::SnapshotTaken,
            handle,
            Some(format!("Snapshot “{}”", record.name)),
        );
        self.tidy_if_too_deep(handle);
        Ok(SnapshotTaken {
            snapshot: self.snapshot_view(handle, &record, size),
            paused_seconds,
        })
    }

    async fn freeze(
        &self,
        session: &Arc<dyn Session>,
        folder: &MachineFolder,
        snapshot: &SnapshotFolder,
        overlays: &Overlays,
        memory: bool,
        together: Option<Arc<Rendezvous>>,
    ) -> Result<f64> {
        let request = FreezeRequest {
            memory: memory.then(|| snapshot.memory()),
            disks: overlays
                .disks
                .iter()
                .map(|(id, name)| (id.clone(), folder.disk_image(name)))
                .collect(),
            nvram: overlays.nvram.as_ref().map(|name| folder.nvram_image(name)),
            together,
        };
        Ok(session.freeze(&request).await?.paused_seconds)
    }

    fn new_record(
        &self,
        handle: &Handle,
        spec: &MachineSpec,
        request: SnapshotRequest,
        occasion: Occasion,
        memory: &Memory,
    ) -> Result<SnapshotRecord> {
        let name = match &request.name {
            Some(name) => validate_name(name)?,
            None => {
                let taken = self.library().snapshots(&handle.id)?;
                default_name(spec, &self.folder(&handle.id), |name| {
                    taken.iter().any(|(record, _)| record.name == name)
                })
            }
        };
        let suspended = spec
            .suspended
            .as_ref()
            .filter(|_| matches!(memory, Memory::Suspended));
        let live = matches!(memory, Memory::Live);
        let (accelerator, version) = match suspended {
            Some(suspended) => (suspended.accelerator, suspended.backend_version.clone()),
            None => (
                handle.read().accelerator.filter(|_| live),
                handle.session().ok().map(|session| session.version()),
            ),
        };
        let mut record_spec = spec.clone();
        record_spec.suspended = None;
        record_spec.disposable = None;
        // What the guest does not see is no part of what it was.
        record_spec.detached.clear();
        Ok(SnapshotRecord {
            version: 1,
            id: SnapshotId::random(),
            name,
            parent: spec.current_snapshot.clone(),
            created_at: OffsetDateTime::now_utc(),
            notes: request.notes,
            automatic: occasion.kind != SnapshotKind::User,
            kind: occasion.kind,
            keep: request.keep,
            group: occasion.together.map(|together| together.group),
            memory: !matches!(memory, Memory::None),
            paused: suspended.map_or(handle.state() == MachineState::Paused, |s| s.paused),
            nvram: spec.nvram.clone(),
            backend_version: version,
            accelerator,
            disks: spec
                .disks
                .iter()
                .map(|disk| SnapshotDisk {
                    id: disk.id.clone(),
                    image: disk.image.clone(),
                })
                .collect(),
            spec: record_spec,
        })
    }
}

fn memory_of(spec: &MachineSpec, runs: bool, wanted: Option<bool>) -> Result<Memory> {
    if runs && wanted != Some(false) && keeps_no_memory(spec) {
        return match wanted {
            Some(_) => Err(no_memory(spec)),
            None => Ok(Memory::None),
        };
    }
    match (runs, spec.suspended.is_some(), wanted) {
        (true, _, wanted) if wanted != Some(false) => Ok(Memory::Live),
        (false, true, wanted) if wanted != Some(false) => Ok(Memory::Suspended),
        (false, false, Some(true)) => Err(Error::conflict(
            "machine-not-running",
            format!("“{}” is off, so there is no memory to keep.", spec.name),
        )
        .with_hint("Leave the memory out, or start it first.")),
        _ => Ok(Memory::None),
    }
}

/// QEMU has no way to save the state of an NVMe controller.
fn keeps_no_memory(spec: &MachineSpec) -> bool {
    spec.disks.iter().any(|disk| disk.bus == DiskBus::Nvme)
}

/// # Errors
/// `memory-unsupported` (conflict) where the guest's memory can't be saved.
pub(crate) fn check_keeps_memory(spec: &MachineSpec) -> Result<()> {
    if keeps_no_memory(spec) {
        return Err(no_memory(spec));
    }
    Ok(())
}

fn no_memory(spec: &MachineSpec) -> Error {
    Error::conflict(
        "memory-unsupported",
        format!("“{}” has a disk on nvme, whose state QEMU can't save.", spec.name),
    )
    .with_hint("Keep the disks only, or put the disk on another bus while the machine is off.")
}

/// The time here and what changed: `24 Nov 14:05 · 120 MiB written`; with seconds where the minute is taken.
fn default_name(spec: &MachineSpec, folder: &MachineFolder, is_taken: impl Fn(&str) -> bool) -> String {
    let now = jiff::Zoned::now();
    let written: u64 = spec
        .disks
        .iter()
        .map(|disk| files::allocated_bytes(&folder.disk_image(&disk.image)))
        .sum();
    let named = |time: String| {
        if written < MIB {
            time
        } else {
            format!("{time} · {} written", format_size(written))
        }
    };
    let name = named(now.strftime("%-d %b %H:%M").to_string());
    if is_taken(&name) {
        named(now.strftime("%-d %b %H:%M:%S").to_string())
    } else {
        name
    }
}

/// Names of the active images.
pub(crate) fn images_of(spec: &MachineSpec) -> Vec<String> {
    let disks = spec.disks.iter().map(|disk| disk.image.clone());
    disks.chain(spec.nvram.clone()).collect()
}

/// `after` with its new images, at the place in the tree that `before` had.
fn without_snapshot(before: &MachineSpec, after: MachineSpec) -> MachineSpec {
    MachineSpec {
        current_snapshot: before.current_snapshot.clone(),
        ..after
    }
}

/// What else can be done where the memory has no room.
fn way_out(kind: SnapshotKind) -> &'static str {
    match kind {
        SnapshotKind::BeforeRestore => "or restore without keeping the present: --discard",
        SnapshotKind::ForClone => "or clone a snapshot instead of the present: --snapshot",
        _ => "or take it without memory: --no-memory",
    }
}

/// # Errors
/// `no-space` (unfit) with the bytes needed and free.
pub(crate) fn check_space(folder: &MachineFolder, bytes: u64, doing: &str, or: &str) -> Result<()> {
    let free = crate::doctor::disk_space(folder.path()).map_or(u64::MAX, |(free, _)| free);
    let needed = bytes.saturating_add(SPACE_MARGIN);
    if free >= needed {
        return Ok(());
    }
    Err(Error::unfit(
        "no-space",
        format!(
            "{doing} may need {}, and {} are free.",
            format_size(needed),
            format_size(free)
        ),
    )
    .with_hint(format!("Free some space (see: nestbox space), {or}"))
    .with_detail("needed", needed)
    .with_detail("free", free))
}

/// Gives a memory file, packed or not, to another owner. It is never written to, so a second name is as good as a copy,
/// and takes no time.
pub(crate) fn share_memory(from: &SnapshotFolder, to: &SnapshotFolder) -> Result<()> {
    let (source, target) = if from.memory().exists() {
        (from.memory(), to.memory())
    } else {
        (from.packed_memory(), to.packed_memory())
    };
    files::make_private_folder(to.path())?;
    std::fs::hard_link(&source, &target)
        .or_else(|_| std::fs::copy(&source, &target).map(drop))
        .map_err(|e| Error::io("keep the memory", &source, &e))?;
    files::sync_folder(to.path())
}
