//! Larger disks.

use super::{Place, check_changeable, disk_name};
use crate::Engine;
use crate::hardware::check_disk;
use crate::machine::{Handle, MachineRef};
use nestbox_model::units::format_size;
use nestbox_model::{DiskChanged, DiskId, Error, EventKind, MachineSpec, Result};
use nestbox_store::JournalEntry;
use serde_json::json;

/// Journal: a disk grows.
pub(crate) const RESIZE: &str = "disk-resize";

impl Engine {
    /// Makes a disk larger, for a running guest at once.
    ///
    /// # Errors
    /// `disk-shrink`, `bad-value` (usage); `disk-read-only`, `machine-suspended`, `disposable-run` (conflict);
    /// `resize-failed`.
    pub async fn resize_disk(&self, wanted: MachineRef<'_>, disk: &str, size: u64) -> Result<DiskChanged> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let spec = handle.spec();
        let place = Place::find(&spec, disk)?;
        let attached = place.detached(&spec).is_none();
        let disk = place.disk(&spec).clone();
        let name = disk_name(&disk, place.number(&spec));
        if size < disk.capacity {
            return Err(Error::usage(
                "disk-shrink",
                format!(
                    "{} has {} and can't become smaller: what the guest keeps at its end would be lost.",
                    super::bin::capital(&name),
                    format_size(disk.capacity)
                ),
            )
            .with_hint("Add a smaller disk, copy the data inside the guest, and remove this one."));
        }
        let capacity = check_disk(size)?;
        if disk.read_only {
            return Err(
                Error::conflict("disk-read-only", "The disk is read-only, so it does not grow.")
                    .with_hint("Let the guest write first: nestbox disk set … read-only=off"),
            );
        }
        if attached {
            check_changeable(&handle)?;
        }
        let session = handle.session().ok().filter(|_| attached);
        if attached && session.is_none() {
            super::check_off(&handle, "wait until it is.")?;
        }
        let image = self.folder(&spec.id).disk_image(&disk.image);
        if capacity > disk.capacity {
            self.chain(&image, disk.linked.as_deref())?;
            let library = self.library();
            let journal = library.begin(RESIZE, Some(&handle.id), &json!({ "disk": disk.id }))?;
            let grown = match &session {
                Some(session) => session.resize_disk(&disk.id, capacity).await,
                None => nestbox_disk::resize(&image, capacity).await,
            };
            // Whichever way it went, the image's header says the truth.
            let settled = self.settle_capacity(&handle, &disk.id);
            grown?;
            settled?;
            library.finish(journal)?;
            let told = format!("{} has {} now", super::bin::capital(&name), format_size(capacity));
            self.tell_machine(EventKind::MachineChanged, &handle, Some(told));
        }
        Ok(DiskChanged {
            job: None,
            disk: Some(self.disk_details(&handle, place)),
            notes: growth_notes(&spec, place, session.is_some()),
        })
    }

    fn settle_capacity(&self, handle: &Handle, id: &DiskId) -> Result<()> {
        let mut spec = handle.spec();
        let place = Place::find(&spec, id.as_str())?;
        let disk = place.disk_mut(&mut spec);
        let capacity = nestbox_disk::capacity(&self.folder(&handle.id).disk_image(&disk.image))?;
        if disk.capacity == capacity {
            return Ok(());
        }
        disk.capacity = capacity;
        self.save_spec(handle, spec)
    }

    /// A growth that was cut short: the image's header says how large the disk is.
    pub(crate) fn recover_resize(&self, handle: &Handle, entry: &JournalEntry) -> Result<()> {
        let id = entry.payload.get("disk").cloned();
        match id.and_then(|id| serde_json::from_value::<DiskId>(id).ok()) {
            Some(id) => self.settle_capacity(handle, &id),
            None => Ok(()),
        }
    }
}

/// How the guest's own partition and file system grow.
fn growth_notes(spec: &MachineSpec, place: Place, runs: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let boots = place == Place::Attached(0);
    if boots && spec.seed.is_some() {
        notes.push("The system grows its partition by itself at its next start.".to_owned());
    }
    if runs || !boots || spec.seed.is_none() {
        notes.push(
            "In the guest, grow the partition and its file system: on Linux “growpart /dev/vda 1”, then “resize2fs \
             /dev/vda1” (ext4) or “xfs_growfs /” (XFS), with the names of your disk; on Windows with Disk Management."
                .to_owned(),
        );
    }
    notes.push("Restoring an earlier snapshot brings the earlier size back.".to_owned());
    notes
}
