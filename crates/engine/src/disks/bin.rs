//! Detaching, attaching, removing into the bin and bringing back.

use super::place::set_aside;
use super::{Place, check_changeable, disk_name};
use crate::machine::{Handle, MachineRef, shell_word};
use crate::{Engine, files};
use nestbox_model::{
    BinnedDisk, DiskDetails, DiskRemoved, DiskSpec, Error, EventKind, MachineSpec, Result, SnapshotRecord,
};
use std::path::PathBuf;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// How long a removed disk stays in the bin.
const BIN_DAYS: i64 = 7;

/// When the bin frees what was removed then.
pub(super) fn purged_at(removed_at: OffsetDateTime) -> OffsetDateTime {
    removed_at + Duration::days(BIN_DAYS)
}

impl Engine {
    /// Moves a disk to the machine's bin, or with `now` frees it. With `dry_run`, says what would happen.
    ///
    /// # Errors
    /// `disk-not-found`, `machine-suspended`, `disposable-run`; while the machine runs, what unplugging fails with.
    pub async fn remove_disk(
        &self,
        wanted: MachineRef<'_>,
        disk: &str,
        now: bool,
        dry_run: bool,
    ) -> Result<DiskRemoved> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let spec = handle.spec();
        let place = Place::find(&spec, disk)?;
        let attached = place.detached(&spec).is_none();
        if attached {
            check_changeable(&handle)?;
        }
        let removed = self.disk_details(&handle, place);
        if removed.removed_at.is_some() && !now {
            return Err(Error::conflict(
                "disk-removed",
                format!(
                    "{} is in the bin already.",
                    capital(&disk_name(place.disk(&spec), place.number(&spec)))
                ),
            )
            .with_hint("Free it at once with --now, or bring it back: nestbox disk restore"));
        }
        let mut after = spec.clone();
        let gone = place.take(&mut after);
        let notes = missing_notes(&spec, &after);
        let doomed = if now {
            self.images_freed(&after, &gone)?
        } else {
            Vec::new()
        };
        let freed = doomed.iter().map(|path| files::allocated_bytes(path)).sum();
        let aside = set_aside(gone.clone(), true);
        let purge_at = (!now).then(|| aside.removed_at.map(purged_at)).flatten();
        if !dry_run {
            if attached {
                self.unplug_if_running(&handle, &gone).await?;
            }
            if now {
                self.save_spec(&handle, after)?;
                self.sweep(&handle, std::slice::from_ref(&gone.image))?;
            } else {
                after.detached.push(aside);
                self.save_spec(&handle, after)?;
            }
            let told = format!("Removed {}", disk_name(&gone, place.number(&spec)));
            self.tell_machine(EventKind::MachineChanged, &handle, Some(told));
        }
        Ok(DiskRemoved {
            removed,
            purge_at,
            freed,
            notes,
        })
    }

    /// Brings a disk back from the bin, and attaches it where that is possible now.
    ///
    /// # Errors
    /// `disk-not-removed` (conflict).
    pub async fn restore_disk(&self, wanted: MachineRef<'_>, disk: &str) -> Result<DiskDetails> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let mut spec = handle.spec();
        let place = Place::find(&spec, disk)?;
        let Place::Detached(index) = place else {
            return Err(not_removed(&spec, place));
        };
        if spec.detached[index].removed_at.take().is_none() {
            return Err(not_removed(&spec, place));
        }
        let id = spec.detached[index].disk.id.clone();
        self.save_spec(&handle, spec)?;
        let told = "A disk came back from the bin".to_owned();
        self.tell_machine(EventKind::MachineChanged, &handle, Some(told));
        // Where it can't be attached now it is detached, which the answer says.
        if let Err(error) = self.attach_here(&handle, Place::Detached(index)).await {
            tracing::info!(%error, machine = %handle.id, "a disk came back detached");
        }
        let place = Place::find(&handle.spec(), id.as_str())?;
        Ok(self.disk_details(&handle, place))
    }

    /// The guest does not see the disk any more; its data stay.
    ///
    /// # Errors
    /// `disk-not-attached` (conflict); as [`Self::remove_disk`].
    pub async fn detach_disk(&self, wanted: MachineRef<'_>, disk: &str) -> Result<DiskDetails> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let before = handle.spec();
        let place = Place::find(&before, disk)?;
        if place.detached(&before).is_some() {
            return Err(Error::conflict(
                "disk-not-attached",
                format!("“{}” does not see that disk already.", before.name),
            ));
        }
        check_changeable(&handle)?;
        let mut spec = before;
        let gone = place.take(&mut spec);
        self.unplug_if_running(&handle, &gone).await?;
        spec.detached.push(set_aside(gone.clone(), false));
        self.save_spec(&handle, spec)?;
        self.tell_machine(EventKind::MachineChanged, &handle, Some("Detached a disk".into()));
        let place = Place::find(&handle.spec(), gone.id.as_str())?;
        Ok(self.disk_details(&handle, place))
    }

    /// The guest sees a detached disk again: at once, or when it starts.
    ///
    /// # Errors
    /// `disk-attached`, `disk-removed` (conflict); what the board can't do; while the machine runs, what plugging in
    /// fails with.
    pub(super) async fn attach_own(&self, handle: &Arc<Handle>, disk: &str) -> Result<DiskDetails> {
        let spec = handle.spec();
        let place = Place::find(&spec, disk)?;
        let Some(detached) = place.detached(&spec) else {
            return Err(Error::conflict(
                "disk-attached",
                format!("“{}” sees that disk already.", spec.name),
            ));
        };
        if detached.removed_at.is_some() {
            return Err(
                Error::conflict("disk-removed", "That disk is in the bin.").with_hint(format!(
                    "Bring it back: nestbox disk restore {} {}",
                    shell_word(&spec.name),
                    detached.disk.id.short()
                )),
            );
        }
        let id = detached.disk.id.clone();
        self.attach_here(handle, place).await?;
        self.tell_machine(EventKind::MachineChanged, handle, Some("Attached a disk".into()));
        let place = Place::find(&handle.spec(), id.as_str())?;
        Ok(self.disk_details(handle, place))
    }

    async fn attach_here(&self, handle: &Arc<Handle>, place: Place) -> Result<()> {
        check_changeable(handle)?;
        let mut spec = handle.spec();
        let disk = place.take(&mut spec);
        self.attach_last(handle, spec, disk).await
    }

    /// Gives the guest `disk` as its last one: `spec` is the machine without it.
    pub(super) async fn attach_last(
        &self,
        handle: &Arc<Handle>,
        mut spec: MachineSpec,
        mut disk: DiskSpec,
    ) -> Result<()> {
        let image = self.folder(&spec.id).disk_image(&disk.image);
        self.chain(&image, disk.linked.as_deref())?;
        super::options::check_cache(&image, disk.cache)?;
        disk.slot = self.free_slot(handle, &disk)?;
        spec.disks.push(disk.clone());
        self.check_disks(&spec).await?;
        let journal = self.note_plugging(handle, &disk)?;
        let attached = match self.plug_if_running(handle, &disk).await {
            Ok(()) => self.save_spec(handle, spec),
            Err(error) => Err(error),
        };
        if attached.is_err() && self.guest_has(handle, &disk).await {
            // The guest is not to write to what no settings name. If it holds it, the journal keeps that in mind.
            if let Err(error) = self.unplug_if_running(handle, &disk).await {
                tracing::warn!(%error, machine = %handle.id, "the guest has a disk that no settings name yet");
                return attached;
            }
        }
        if let Some(journal) = journal {
            self.library().finish(journal)?;
        }
        attached
    }

    /// Images that only this disk needs, once `after` are the settings.
    fn images_freed(&self, after: &MachineSpec, gone: &DiskSpec) -> Result<Vec<PathBuf>> {
        let all = self.library().snapshots(&after.id)?;
        let living: Vec<&SnapshotRecord> = all.iter().map(|(record, _)| record).collect();
        self.unneeded(after, &living, &[], std::slice::from_ref(&gone.image))
    }

    /// Every disk in a bin.
    pub(crate) fn binned_disks(&self) -> Result<Vec<BinnedDisk>> {
        let mut binned = Vec::new();
        for handle in self.handles() {
            let spec = handle.spec();
            for entry in spec.detached.iter().filter(|disk| disk.removed_at.is_some()) {
                let mut after = spec.clone();
                after.detached.retain(|other| other.disk.id != entry.disk.id);
                let images = self.images_freed(&after, &entry.disk).unwrap_or_default();
                binned.push(BinnedDisk {
                    machine: spec.id.clone(),
                    machine_name: spec.name.clone(),
                    id: entry.disk.id.clone(),
                    label: entry.disk.label.clone(),
                    bytes: images.iter().map(|path| files::allocated_bytes(path)).sum(),
                });
            }
        }
        Ok(binned)
    }

    /// Frees the disks in bins that were removed before `until`. A machine that is busy keeps its own for now.
    pub(crate) async fn empty_bins(&self, until: OffsetDateTime) {
        for handle in self.handles() {
            let due = |handle: &Handle| {
                let cell = handle.read();
                let removed = cell.spec.detached.iter().filter_map(|disk| disk.removed_at);
                removed.filter(|at| *at <= until).count()
            };
            if due(&handle) == 0 {
                continue;
            }
            let freed = match handle.lock_ready().await {
                Ok(_guard) => self.empty_bin(&handle, until),
                Err(error) => Err(error),
            };
            if let Err(error) = freed {
                tracing::warn!(%error, machine = %handle.id, "removed disks were not freed yet");
            }
        }
    }

    /// As [`Self::empty_bins`], of what was removed so long ago that the bin's days are over.
    pub(crate) async fn empty_old_bins(&self, now: OffsetDateTime) {
        self.empty_bins(now - Duration::days(BIN_DAYS)).await;
    }

    fn empty_bin(&self, handle: &Handle, until: OffsetDateTime) -> Result<()> {
        let mut spec = handle.spec();
        let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut spec.detached)
            .into_iter()
            .partition(|disk| disk.removed_at.is_some_and(|at| at <= until));
        spec.detached = kept;
        self.save_spec(handle, spec)?;
        let images: Vec<String> = gone.into_iter().map(|disk| disk.disk.image).collect();
        self.sweep(handle, &images)?;
        self.tell_machine(
            EventKind::MachineChanged,
            handle,
            Some("Freed removed disks".into()),
        );
        Ok(())
    }
}

/// What the guest misses without a disk.
fn missing_notes(before: &MachineSpec, after: &MachineSpec) -> Vec<String> {
    if before.disks.len() == after.disks.len() {
        return Vec::new();
    }
    match (before.disks.first(), after.disks.first()) {
        (Some(_), None) => {
            vec![
                "The machine has no disk any more: it starts from its CD/DVD drive or the network only."
                    .into(),
            ]
        }
        (Some(old), Some(new)) if old.id != new.id => {
            vec!["The machine starts from what was its second disk now.".into()]
        }
        _ => Vec::new(),
    }
}

fn not_removed(spec: &MachineSpec, place: Place) -> Error {
    Error::conflict(
        "disk-not-removed",
        format!(
            "{} of “{}” is not in the bin.",
            capital(&disk_name(place.disk(spec), place.number(spec))),
            spec.name
        ),
    )
    .with_hint("See what is there with: nestbox disk list --all")
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}
