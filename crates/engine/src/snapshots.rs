//! Snapshots: take, list, rename, delete. Restoring is in [`crate::restore`].
//!
//! Taking a snapshot freezes the active images and puts empty overlays on top; see `docs/snapshots.md` for the
//! order of steps and what a crash between them means.

use crate::lifecycle::new_image_name;
use crate::machine::{Handle, MachineRef};
use crate::{Engine, files};
use nestbox_disk::Backing;
use nestbox_model::layout::MachineFolder;
use nestbox_model::units::{MIB, format_size};
use nestbox_model::{
    DiskId, Error, EventKind, ImageFormat, MachineSpec, MachineState, Result, Snapshot, SnapshotDisk,
    SnapshotId, SnapshotList, SnapshotRecord, SnapshotRequest, SnapshotTaken, SnapshotsDeleted,
    validate_name,
};
use nestbox_qemu::FreezeRequest;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use time::OffsetDateTime;
use time::macros::format_description;

/// Free space kept beside what a memory file needs.
const SPACE_MARGIN: u64 = 256 * MIB;

/// Bytes that only this snapshot holds: its frozen images and its memory.
pub(crate) fn size_on_disk(folder: &MachineFolder, record: &SnapshotRecord) -> u64 {
    let images = record
        .disks
        .iter()
        .map(|disk| files::allocated_bytes(&folder.disk_image(&disk.image)));
    let nvram = record
        .nvram
        .iter()
        .map(|name| files::allocated_bytes(&folder.nvram_image(name)));
    images.chain(nvram).sum::<u64>() + files::allocated_bytes(folder.snapshot(&record.id).path())
}

/// Fresh overlays, one for each disk and the UEFI variables.
pub(crate) struct Overlays {
    pub disks: Vec<(DiskId, String)>,
    pub nvram: Option<String>,
}

impl Overlays {
    pub fn names_for(disks: &[DiskId], nvram: bool) -> Self {
        Self {
            disks: disks.iter().map(|id| (id.clone(), new_image_name())).collect(),
            nvram: nvram.then(new_image_name),
        }
    }

    /// All names, for the journal.
    pub fn names(&self) -> Vec<String> {
        self.disks
            .iter()
            .map(|(_, name)| name.clone())
            .chain(self.nvram.clone())
            .collect()
    }

    /// Makes the files on top of `base`'s images.
    pub async fn create(&self, folder: &MachineFolder, base: &MachineSpec) -> Result<()> {
        for (id, name) in &self.disks {
            let Some(disk) = base.disks.iter().find(|disk| disk.id == *id) else {
                continue;
            };
            overlay(
                &folder.disk_image(name),
                &folder.disk_image(&disk.image),
                &disk.image,
                Some(disk.capacity),
            )
            .await?;
        }
        if let (Some(name), Some(below)) = (&self.nvram, &base.nvram) {
            overlay(&folder.nvram_image(name), &folder.nvram_image(below), below, None).await?;
        }
        Ok(())
    }

    /// `base` with the overlays as its active images.
    pub fn on(&self, base: &MachineSpec) -> MachineSpec {
        let mut spec = base.clone();
        for disk in &mut spec.disks {
            if let Some((_, name)) = self.disks.iter().find(|(id, _)| *id == disk.id) {
                disk.image.clone_from(name);
            }
        }
        if self.nvram.is_some() {
            spec.nvram.clone_from(&self.nvram);
        }
        spec
    }
}

async fn overlay(path: &Path, below: &Path, stored_as: &str, capacity: Option<u64>) -> Result<()> {
    let capacity = match capacity {
        Some(capacity) => capacity,
        None => {
            let file =
                std::fs::File::open(below).map_err(|e| Error::io("read the UEFI variables", below, &e))?;
            nestbox_disk::qcow2::Header::read(&file)?.capacity
        }
    };
    let backing = Backing {
        path: below,
        format: ImageFormat::Qcow2,
        stored_as: stored_as.to_owned(),
    };
    nestbox_disk::create(path, capacity, Some(backing)).await
}

/// `after` with its new images, at the place in the tree that `before` had.
fn without_snapshot(before: &MachineSpec, after: MachineSpec) -> MachineSpec {
    MachineSpec {
        current_snapshot: before.current_snapshot.clone(),
        ..after
    }
}

impl Engine {
    /// All snapshots of a machine.
    pub fn snapshots(&self, wanted: MachineRef<'_>) -> Result<SnapshotList> {
        let handle = self.find(wanted)?;
        let snapshots = self.library().snapshots(&handle.id)?;
        Ok(SnapshotList {
            current: handle.read().spec.current_snapshot.clone(),
            snapshots: snapshots
                .iter()
                .map(|(record, size)| self.snapshot_view(&handle, record, *size))
                .collect(),
        })
    }

    /// One snapshot.
    pub fn snapshot(&self, wanted: MachineRef<'_>, snapshot: &str) -> Result<Snapshot> {
        let handle = self.find(wanted)?;
        let (record, size) = self.find_snapshot(&handle, snapshot)?;
        Ok(self.snapshot_view(&handle, &record, size))
    }

    pub(crate) fn snapshot_view(&self, handle: &Handle, record: &SnapshotRecord, size: u64) -> Snapshot {
        let screenshot = self.folder(&handle.id).snapshot(&record.id).screenshot();
        Snapshot {
            id: record.id.clone(),
            name: record.name.clone(),
            parent: record.parent.clone(),
            created_at: record.created_at,
            memory: record.memory,
            size,
            screenshot: screenshot.exists().then(|| screenshot.display().to_string()),
            notes: record.notes.clone(),
            automatic: record.automatic,
        }
    }

    /// By id, name, name without regard to case, or unambiguous id prefix. Of several with one name: the newest.
    pub(crate) fn find_snapshot(&self, handle: &Handle, wanted: &str) -> Result<(SnapshotRecord, u64)> {
        let mut all = self.library().snapshots(&handle.id)?;
        let folded = wanted.to_lowercase();
        let at = all
            .iter()
            .position(|(s, _)| s.id.as_str() == wanted)
            .or_else(|| all.iter().rposition(|(s, _)| s.name == wanted))
            .or_else(|| all.iter().rposition(|(s, _)| s.name.to_lowercase() == folded))
            .or_else(|| {
                let mut prefixed = all
                    .iter()
                    .enumerate()
                    .filter(|(_, (s, _))| wanted.len() >= 4 && s.id.as_str().starts_with(&folded));
                match (prefixed.next(), prefixed.next()) {
                    (Some((at, _)), None) => Some(at),
                    _ => None,
                }
            });
        at.map(|at| all.swap_remove(at)).ok_or_else(|| {
            Error::not_found(
                "snapshot-not-found",
                format!("“{}” has no snapshot “{wanted}”.", handle.name()),
            )
            .with_hint(format!(
                "See all with: nestbox snapshot list {}",
                crate::machine::shell_word(&handle.name())
            ))
        })
    }

    /// Takes a snapshot: of a running or paused guest with its memory unless told otherwise, else of the disks.
    pub async fn take_snapshot(
        &self,
        wanted: MachineRef<'_>,
        request: SnapshotRequest,
    ) -> Result<SnapshotTaken> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        self.take_locked(&handle, request, false).await
    }

    pub(crate) async fn take_locked(
        &self,
        handle: &Arc<Handle>,
        request: SnapshotRequest,
        automatic: bool,
    ) -> Result<SnapshotTaken> {
        let now = OffsetDateTime::now_utc();
        let name = match &request.name {
            Some(name) => validate_name(name)?,
            None => now
                .format(format_description!(
                    "Snapshot [year]-[month]-[day] [hour]:[minute]:[second]"
                ))
                .unwrap_or_else(|_| "Snapshot".into()),
        };
        let state = handle.state();
        let session = handle.session().ok();
        let memory = match (&session, request.memory) {
            (Some(_), wanted) => wanted.unwrap_or(true),
            (None, Some(true)) => {
                return Err(Error::conflict(
                    "machine-not-running",
                    format!("“{}” is off, so there is no memory to keep.", handle.name()),
                )
                .with_hint("Leave the memory out, or start it first."));
            }
            (None, _) => false,
        };
        if matches!(state, MachineState::Starting | MachineState::Broken) {
            return Err(Error::conflict(
                "machine-busy",
                format!("“{}” is {}.", handle.name(), state.as_str()),
            ));
        }
        let spec = handle.spec();
        let folder = self.folder(&handle.id);
        if memory {
            self.check_space_for_memory(&spec, &folder)?;
        }
        let record = SnapshotRecord {
            version: 1,
            id: SnapshotId::random(),
            name,
            parent: spec.current_snapshot.clone(),
            created_at: now,
            notes: request.notes,
            automatic,
            memory,
            paused: state == MachineState::Paused,
            nvram: spec.nvram.clone(),
            backend_version: session.as_ref().map(|session| session.version()),
            accelerator: memory.then(|| handle.read().accelerator).flatten(),
            disks: spec
                .disks
                .iter()
                .map(|disk| SnapshotDisk {
                    id: disk.id.clone(),
                    image: disk.image.clone(),
                })
                .collect(),
            spec: spec.clone(),
        };
        let disks: Vec<DiskId> = spec.disks.iter().map(|disk| disk.id.clone()).collect();
        let overlays = Overlays::names_for(&disks, spec.nvram.is_some());
        let mut after = overlays.on(&spec);
        after.current_snapshot = Some(record.id.clone());

        let library = self.library();
        let payload = json!({
            "snapshot": record.id,
            "images": overlays.names(),
            "after": after,
            "was_running": state == MachineState::Running,
        });
        let journal = library.begin("snapshot-take", Some(&handle.id), &payload)?;
        let snapshot_folder = folder.snapshot(&record.id);
        let frozen = async {
            files::make_private_folder(snapshot_folder.path())?;
            overlays.create(&folder, &spec).await?;
            let Some(session) = &session else { return Ok(0.0) };
            if let Err(error) = session.screenshot(&snapshot_folder.screenshot()).await {
                tracing::debug!(%error, "no picture for the snapshot");
            }
            library.advance(journal, "freeze", &payload)?;
            let request = FreezeRequest {
                memory: memory.then(|| snapshot_folder.memory()),
                disks: overlays
                    .disks
                    .iter()
                    .map(|(id, name)| (id.clone(), folder.disk_image(name)))
                    .collect(),
                nvram: overlays.nvram.as_ref().map(|name| folder.nvram_image(name)),
            };
            Ok(session.freeze(&request).await?.paused_seconds)
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
        Ok(SnapshotTaken {
            snapshot: self.snapshot_view(handle, &record, size),
            paused_seconds,
        })
    }

    fn check_space_for_memory(&self, spec: &MachineSpec, folder: &MachineFolder) -> Result<()> {
        let free = crate::doctor::disk_space(folder.path()).map_or(u64::MAX, |(free, _)| free);
        let needed = spec.memory + SPACE_MARGIN;
        if free < needed {
            return Err(Error::unfit(
                "no-space",
                format!(
                    "Keeping the guest's memory may need {}, and {} are free.",
                    format_size(needed),
                    format_size(free)
                ),
            )
            .with_hint("Free some space, or take it without memory: --no-memory")
            .with_detail("needed", needed)
            .with_detail("free", free));
        }
        Ok(())
    }

    /// Changes a snapshot's name or notes.
    pub async fn change_snapshot(
        &self,
        wanted: MachineRef<'_>,
        snapshot: &str,
        name: Option<&str>,
        notes: Option<&str>,
    ) -> Result<Snapshot> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let (mut record, size) = self.find_snapshot(&handle, snapshot)?;
        if let Some(name) = name {
            record.name = validate_name(name)?;
        }
        if let Some(notes) = notes {
            record.notes = notes.to_owned();
        }
        files::write_record(&self.folder(&handle.id).snapshot(&record.id), &record)?;
        self.library().upsert_snapshot(&handle.id, &record, size)?;
        self.tell_machine(EventKind::SnapshotChanged, &handle, None);
        Ok(self.snapshot_view(&handle, &record, size))
    }

    /// Deletes a snapshot; its children live on under its parent. With `subtree`, the children go too. The present is
    /// never touched: images that it or another snapshot stands on stay until nobody needs them.
    pub async fn delete_snapshot(
        &self,
        wanted: MachineRef<'_>,
        snapshot: &str,
        subtree: bool,
        dry_run: bool,
    ) -> Result<SnapshotsDeleted> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let (record, _) = self.find_snapshot(&handle, snapshot)?;
        let all = self.library().snapshots(&handle.id)?;
        let mut doomed = vec![record.id.clone()];
        if subtree {
            let mut at = 0;
            while at < doomed.len() {
                let children = all.iter().filter(|(s, _)| s.parent.as_ref() == Some(&doomed[at]));
                doomed.extend(children.map(|(s, _)| s.id.clone()).collect::<Vec<_>>());
                at += 1;
            }
        }
        let deleted: Vec<Snapshot> = all
            .iter()
            .filter(|(s, _)| doomed.contains(&s.id))
            .map(|(record, size)| self.snapshot_view(&handle, record, *size))
            .collect();
        let garbage = self.garbage(&handle.spec(), &all, &doomed)?;
        let folder = self.folder(&handle.id);
        let freed = garbage
            .iter()
            .map(|path| files::allocated_bytes(path))
            .sum::<u64>()
            + doomed
                .iter()
                .map(|id| files::allocated_bytes(folder.snapshot(id).path()))
                .sum::<u64>();
        if !dry_run {
            let library = self.library();
            let journal = library.begin(
                "snapshot-delete",
                Some(&handle.id),
                &json!({ "snapshots": doomed }),
            )?;
            self.finish_delete(&handle, &doomed)?;
            library.finish(journal)?;
            let names: Vec<String> = deleted.iter().map(|s| format!("“{}”", s.name)).collect();
            self.tell_machine(
                EventKind::SnapshotDeleted,
                &handle,
                Some(format!("Deleted snapshot {}", names.join(", "))),
            );
        }
        Ok(SnapshotsDeleted { deleted, freed })
    }

    /// The steps of a deletion; repeating them after a crash is harmless.
    pub(crate) fn finish_delete(&self, handle: &Handle, doomed: &[SnapshotId]) -> Result<()> {
        let library = self.library();
        let folder = self.folder(&handle.id);
        let all = library.snapshots(&handle.id)?;
        let garbage = self.garbage(&handle.spec(), &all, doomed)?;
        let living_parent = |mut parent: Option<SnapshotId>| {
            while let Some(id) = parent.clone().filter(|id| doomed.contains(id)) {
                parent = all
                    .iter()
                    .find(|(s, _)| s.id == id)
                    .and_then(|(s, _)| s.parent.clone());
            }
            parent
        };
        for (record, size) in all.iter().filter(|(s, _)| !doomed.contains(&s.id)) {
            let parent = living_parent(record.parent.clone());
            if parent != record.parent {
                let record = SnapshotRecord {
                    parent,
                    ..record.clone()
                };
                files::write_record(&folder.snapshot(&record.id), &record)?;
                library.upsert_snapshot(&handle.id, &record, *size)?;
            }
        }
        let spec = handle.spec();
        let current = living_parent(spec.current_snapshot.clone());
        if current != spec.current_snapshot {
            self.save_spec(
                handle,
                MachineSpec {
                    current_snapshot: current,
                    ..spec
                },
            )?;
        }
        for path in &garbage {
            files::remove_file(path)?;
        }
        for id in doomed {
            files::remove_folder(folder.snapshot(id).path())?;
            library.remove_snapshot(&handle.id, id)?;
        }
        handle.write().snapshot_count = library.snapshot_counts()?.get(&handle.id).copied().unwrap_or(0);
        Ok(())
    }
}
