//! A machine comes back from a backup. Nothing in the file is believed: names, lengths, checksums, settings and every
//! image are judged before the machine is more than one in the making.

use super::archive::{Entry, Reader, SUMS, damaged, foreign};
use super::backup::{FORMAT, HEAD, Head, VERSION, blocking, suspended_at};
use super::believe;
use crate::create::COMPLETE;
use crate::jobs::JobHandle;
use crate::machine::Handle;
use crate::snapshots::Overlays;
use crate::take::{check_space, share_memory};
use crate::{Engine, files, ports};
use nestbox_model::layout::{MACHINE_FILE, MachineFolder};
use nestbox_model::{
    BackupInfo, BackupRestoreStarted, CloneOrigin, Error, ImageFormat, JobKind, MachineId, MachineSpec,
    NicSpec, RestoreBackupRequest, Result, StepState, free_name, validate_name,
};
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Pieces of that length that are zeros become holes.
const HOLE: usize = 64 << 10;
/// Bytes written between two looks at the free space.
const SPACE_EVERY: u64 = 256 << 20;
/// Most files of a backup.
const FILES_MAX: usize = 100_000;

/// What the first two entries say.
struct Opened {
    reader: Reader,
    head: Head,
    spec: MachineSpec,
}

impl Engine {
    /// What a backup holds. Reads its first part only.
    ///
    /// # Errors
    /// `file-not-found`, `not-a-backup`, `backup-newer`, `backup-damaged`, `backup-truncated`.
    pub async fn backup_info(&self, file: &str) -> Result<BackupInfo> {
        crate::hardware::check_absolute(file)?;
        let path = PathBuf::from(file);
        let opened = blocking(move || open(&path)).await?;
        let settled = self.settle_backup(&opened, None)?;
        let mut notes = opened.head.notes.clone();
        notes.extend(settled.notes);
        Ok(BackupInfo {
            name: opened.head.name,
            system: opened.head.system,
            created_at: opened.head.created_at,
            version: opened.head.version,
            snapshots: opened.head.snapshots,
            disks: opened.head.disks,
            bytes: opened.head.files.iter().map(|file| file.stored).sum(),
            notes,
        })
    }

    /// Makes the machine of a backup, with its snapshots.
    ///
    /// # Errors
    /// As [`Self::backup_info`]; `name-taken`, `no-space`. What is found only while it is read is the job's error, and
    /// then nothing is left.
    pub async fn restore_backup(&self, request: RestoreBackupRequest) -> Result<BackupRestoreStarted> {
        crate::hardware::check_absolute(&request.file)?;
        let path = PathBuf::from(&request.file);
        let opened = blocking(move || open(&path)).await?;
        let settled = self.settle_backup(&opened, request.name.as_deref())?;
        let bytes = opened.head.files.iter().map(|file| file.stored).sum();
        let home = MachineFolder(self.layout().machines());
        check_space(&home, bytes, "Restoring the backup", "or restore it elsewhere.")?;
        let (handle, journal) = self.begin_machine(settled.spec.clone())?;
        let steps = [
            ("read", "Read the backup"),
            ("check", "Check it"),
            ("finish", "Make the machine"),
        ];
        let job = self.making_job(&handle, journal, JobKind::RestoreBackup, &steps, false)?;
        let (engine, worker, making) = (self.clone(), job.clone(), handle.clone());
        let work = async move { engine.restore_all(opened, settled, &making, &worker).await };
        let started = self.run_making(handle, journal, job, false, work);
        Ok(BackupRestoreStarted {
            job: started.job,
            machine: started.machine,
        })
    }

    async fn restore_all(
        &self,
        opened: Opened,
        settled: SettledBackup,
        making: &Arc<Handle>,
        job: &JobHandle,
    ) -> Result<()> {
        let folder = self.folder(&making.id);
        job.step("read", StepState::Running, None);
        let (to, reporter, cancel) = (folder.clone(), job.clone(), job.cancel_token());
        let head = opened.head.clone();
        blocking(move || {
            unpack(opened, &to, &cancel, &|done, total| {
                reporter.bytes(done, Some(total));
            })
        })
        .await?;
        job.step("read", StepState::Done, None);
        job.step("check", StepState::Running, None);
        let (to, told, cancel) = (folder.clone(), head.clone(), job.cancel_token());
        blocking(move || judge_images(&to, &told, &cancel)).await?;
        job.step("check", StepState::Done, None);
        job.step("finish", StepState::Running, None);
        self.settle_records(&folder, &settled, &head)?;
        let spec = self.settle_present(&folder, settled.spec, &head).await?;
        self.judge_chains(&folder, &spec)?;
        self.save_spec(making, spec)?;
        let library = self.library();
        for record in files::read_records(&folder).0 {
            let size = crate::snapshots::size_on_disk(&folder, &record);
            library.upsert_snapshot(&making.id, &record, size)?;
        }
        making.write().snapshot_count = library.snapshot_counts()?.get(&making.id).copied().unwrap_or(0);
        let notes: Vec<String> = settled.notes;
        job.found(serde_json::json!({ "machine": making.id, "notes": notes }));
        job.step(
            "finish",
            StepState::Done,
            (!notes.is_empty()).then(|| notes.join(" ")),
        );
        tracing::debug!(machine = %making.id, step = COMPLETE, "restored from a backup");
        Ok(())
    }

    /// Records get the machine's new identity; what they name must be there.
    fn settle_records(&self, folder: &MachineFolder, settled: &SettledBackup, head: &Head) -> Result<()> {
        let (records, unreadable) = files::read_records(folder);
        if let Some(error) = unreadable.into_iter().next() {
            return Err(error);
        }
        for mut record in records {
            settled.identity.give(&mut record.spec);
            unlink(&mut record.spec);
            believe::settle_medium(&mut record.spec, folder, head);
            believe::make_printable(&mut record.name);
            let own = folder.snapshot(&record.id);
            if record.memory && !own.memory().exists() && !own.packed_memory().exists() {
                return Err(damaged("a snapshot's memory is not in it"));
            }
            files::write_record(&own, &record)?;
            self.judge_chains(folder, &super::backup::at_snapshot(&record))?;
        }
        Ok(())
    }

    /// Every image that the settings name is there, and stands on images of its own folder only.
    fn judge_chains(&self, folder: &MachineFolder, spec: &MachineSpec) -> Result<()> {
        let detached = spec.detached.iter().map(|detached| &detached.disk);
        let disks = spec.disks.iter().chain(detached);
        let nvram = spec.nvram.iter().map(|name| folder.nvram_image(name));
        for image in disks.map(|disk| folder.disk_image(&disk.image)).chain(nvram) {
            for link in nestbox_disk::chain(&image, &[folder.path()])? {
                // Those were judged.
                let is_qcow2 = link.path.extension().is_some_and(|ending| ending == "qcow2");
                if is_qcow2 != (link.format == ImageFormat::Qcow2) {
                    return Err(damaged("an image in it is not what its name says"));
                }
            }
        }
        Ok(())
    }

    /// The present of a backup of a running machine is a snapshot: it gets images of its own, and goes on from the
    /// snapshot's memory.
    async fn settle_present(
        &self,
        folder: &MachineFolder,
        mut spec: MachineSpec,
        head: &Head,
    ) -> Result<MachineSpec> {
        for disk in &mut spec.disks {
            disk.capacity = nestbox_disk::capacity(&folder.disk_image(&disk.image))?;
        }
        let Some(snapshot) = &head.on_top_of else {
            return Ok(spec);
        };
        let disks: Vec<_> = spec.disks.iter().map(|disk| disk.id.clone()).collect();
        let overlays = Overlays::names_for(&disks, spec.nvram.is_some());
        overlays.create(folder, &spec).await?;
        let mut present = overlays.on(&spec);
        let (records, _) = files::read_records(folder);
        let Some(record) = records.into_iter().find(|record| record.id == *snapshot) else {
            present.current_snapshot = None;
            return Ok(present);
        };
        present.current_snapshot = Some(record.id.clone());
        if record.memory {
            share_memory(&folder.snapshot(&record.id), &folder.suspended())?;
            present.suspended = Some(suspended_at(&record));
        }
        Ok(present)
    }

    /// The settings with a name, an id, addresses and ports that are free here.
    fn settle_backup(&self, opened: &Opened, name: Option<&str>) -> Result<SettledBackup> {
        let mut spec = opened.spec.clone();
        let taken: Vec<String> = self
            .handles()
            .iter()
            .map(|handle| handle.name().to_lowercase())
            .collect();
        let is_taken = |name: &str| taken.contains(&name.to_lowercase());
        let mut notes = Vec::new();
        let wanted = validate_name(name.unwrap_or(&spec.name))?;
        if name.is_some() && is_taken(&wanted) {
            return Err(Error::conflict(
                "name-taken",
                format!("There is a machine “{wanted}” already."),
            ));
        }
        spec.name = free_name(&wanted, is_taken);
        if spec.name != wanted {
            notes.push(format!(
                "There is a machine “{wanted}”: this one becomes “{}”.",
                spec.name
            ));
        }
        let there = |path: &Path| path.symlink_metadata().is_ok();
        if there(self.folder(&spec.id).path()) || there(self.layout().trashed(&spec.id).path()) {
            notes.push("The machine it was made of is here still: this one gets an id of its own.".into());
            spec.id = MachineId::random();
        }
        let others: Vec<String> = self
            .handles()
            .iter()
            .flat_map(|handle| handle.spec().nics.into_iter().map(|nic| nic.mac.to_lowercase()))
            .collect();
        let mut macs = HashMap::new();
        for nic in &spec.nics {
            if others.contains(&nic.mac.to_lowercase()) {
                let new = NicSpec::on_default_network().mac;
                notes.push(format!(
                    "The MAC address {} is another machine's here: it becomes {new}.",
                    nic.mac
                ));
                macs.insert(nic.mac.clone(), new);
            }
        }
        let mut given = Vec::new();
        for forward in &mut spec.ports {
            let told = *forward;
            forward.host = ports::free_for(self, told, &given)?;
            given.push((forward.protocol, forward.host));
            if forward.host != told.host {
                notes.push(format!(
                    "The port {} is taken: the forward becomes {forward}.",
                    told.host
                ));
            }
        }
        let folder = self.folder(&spec.id);
        notes.extend(believe::settle_medium(&mut spec, &folder, &opened.head));
        let identity = Identity {
            id: spec.id.clone(),
            name: spec.name.clone(),
            macs,
        };
        identity.give(&mut spec);
        unlink(&mut spec);
        Ok(SettledBackup {
            spec,
            identity,
            notes,
        })
    }
}

struct SettledBackup {
    spec: MachineSpec,
    identity: Identity,
    notes: Vec<String>,
}

/// Who the machine is here.
struct Identity {
    id: MachineId,
    name: String,
    /// New addresses by the old ones.
    macs: HashMap<String, String>,
}

impl Identity {
    fn give(&self, spec: &mut MachineSpec) {
        spec.id = self.id.clone();
        spec.name.clone_from(&self.name);
        for nic in &mut spec.nics {
            if let Some(new) = self.macs.get(&nic.mac) {
                nic.mac.clone_from(new);
            }
        }
    }
}

/// Nothing of it is outside of its folder any more.
fn unlink(spec: &mut MachineSpec) {
    spec.disposable = None;
    if let Some(CloneOrigin { linked, .. }) = &mut spec.origin {
        *linked = false;
    }
    for disk in &mut spec.disks {
        disk.linked = None;
    }
    for detached in &mut spec.detached {
        detached.disk.linked = None;
    }
}

/// Reads what a backup says of itself, and the settings.
fn open(path: &Path) -> Result<Opened> {
    let failed = |error: std::io::Error| Error::io("open the backup", path, &error);
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(foreign());
    }
    let mut reader = Reader::new(File::open(path).map_err(failed)?)?;
    let head = first(&mut reader).map_err(|error| {
        // What never was a backup is not a damaged one.
        let never = error.code == "backup-damaged" || error.code == "backup-truncated";
        if never && !is_zstd(path) { foreign() } else { error }
    })?;
    let entry = expect(&mut reader, MACHINE_FILE)?;
    let settings = reader.text(entry)?;
    let settings = std::str::from_utf8(&settings).map_err(|_| damaged("the settings are no text"))?;
    let spec = files::parse_spec(settings, Path::new(MACHINE_FILE))?;
    Ok(Opened { reader, head, spec })
}

fn is_zstd(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path)
        .and_then(|file| file.read_exact_at(&mut magic, 0))
        .is_ok()
        && magic == [0x28, 0xb5, 0x2f, 0xfd]
}

fn first(reader: &mut Reader) -> Result<Head> {
    let entry = expect(reader, HEAD)?;
    let text = reader.text(entry)?;
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(|_| foreign())?;
    if value["format"] != FORMAT {
        return Err(foreign());
    }
    if value["version"]
        .as_u64()
        .is_none_or(|version| version > u64::from(VERSION))
    {
        return Err(
            Error::conflict("backup-newer", "The backup was made by a newer Nestbox.")
                .with_hint("Update Nestbox to restore it."),
        );
    }
    let head: Head = serde_json::from_value(value).map_err(|_| damaged("its first part is not complete"))?;
    if head.files.len() > FILES_MAX || !head.files.iter().all(|file| belongs(&file.name)) {
        return Err(damaged("it names files that are no machine's"));
    }
    believe::judged(head)
}

fn expect(reader: &mut Reader, name: &str) -> Result<Entry> {
    match reader.next()? {
        Some(entry) if entry.name == name => Ok(entry),
        _ => Err(damaged(&format!("“{name}” is not where it should be"))),
    }
}

/// A file that a machine's folder may have. Names are plain already.
fn belongs(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    match parts[..] {
        [only] => ![MACHINE_FILE, HEAD, SUMS].contains(&only),
        ["disks" | "nvram" | "ssh" | "suspended", _] => true,
        ["snapshots", _, file] => {
            matches!(file, "snapshot.toml" | "memory" | "memory.zst" | "screenshot.png")
        }
        _ => false,
    }
}

/// Writes all files into the machine's folder, and compares every checksum.
fn unpack(
    opened: Opened,
    folder: &MachineFolder,
    cancel: &CancellationToken,
    progress: &dyn Fn(u64, u64),
) -> Result<()> {
    let Opened { mut reader, head, .. } = opened;
    let total: u64 = head.files.iter().map(|file| file.stored).sum();
    let (mut done, mut next_look) = (0u64, 0u64);
    for told in &head.files {
        let entry = expect(&mut reader, &told.name)?;
        if (entry.parts.length, entry.parts.stored()) != (told.length, told.stored) {
            return Err(damaged("a file in it is not as long as it should be"));
        }
        let path = folder.path().join(&told.name);
        let failed = |error: std::io::Error| Error::io("write the machine's files", &path, &error);
        if let Some(parent) = path.parent() {
            files::make_private_folder(parent)?;
        }
        let out = private_file(&path).map_err(failed)?;
        out.set_len(told.length).map_err(failed)?;
        reader.content(entry, &mut |at, piece| {
            if cancel.is_cancelled() {
                return Err(Error::cancelled());
            }
            if done >= next_look {
                check_space(
                    folder,
                    SPACE_EVERY.min(total - done.min(total)),
                    "Restoring the backup",
                    "or restore it elsewhere.",
                )?;
                next_look = done + SPACE_EVERY;
            }
            for (index, part) in piece.chunks(HOLE).enumerate() {
                if part.iter().any(|byte| *byte != 0) {
                    out.write_all_at(part, at + (index * HOLE) as u64)
                        .map_err(failed)?;
                }
            }
            done += piece.len() as u64;
            progress(done, total);
            Ok(())
        })?;
        out.sync_all().map_err(failed)?;
    }
    let entry = expect(&mut reader, SUMS)?;
    let list = reader.text(entry)?;
    reader.verify(&list)?;
    reader.end()
}

fn private_file(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Every qcow2 image is judged by our own parser, and told what it stands on here.
fn judge_images(folder: &MachineFolder, head: &Head, cancel: &CancellationToken) -> Result<()> {
    for file in &head.files {
        let image = file.name.ends_with(".qcow2")
            && (file.name.starts_with("disks/") || file.name.starts_with("nvram/"));
        if !image {
            continue;
        }
        if cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        let path = folder.path().join(&file.name);
        let at = |error: Error| error.with_detail("image", file.name.as_str());
        let open = File::open(&path).map_err(|error| Error::io("judge an image", &path, &error))?;
        let header = nestbox_disk::qcow2::Header::read(&open).map_err(at)?;
        nestbox_disk::qcow2::audit(&open, &header).map_err(at)?;
        if let Some(below) = head.renamed.get(&file.name) {
            nestbox_disk::rename_backing(&path, below).map_err(at)?;
        }
    }
    Ok(())
}
