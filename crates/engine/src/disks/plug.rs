//! Disks that come and go while the machine runs.

use super::place::set_aside;
use super::{ADD, connection};
use crate::Engine;
use crate::machine::{Handle, shell_word};
use nestbox_model::{DiskBus, DiskSpec, Error, MachineSpec, MachineState, Result};
use nestbox_qemu::{DiskPlan, ImageRef, Session};
use serde_json::json;
use std::sync::Arc;

impl Engine {
    /// Where the disk would go if it came now: nowhere yet while the machine is off, else a free slot.
    ///
    /// # Errors
    /// `machine-busy`, `hot-plug-unsupported`, `no-free-slot` (conflict).
    pub(super) fn free_slot(&self, handle: &Handle, disk: &DiskSpec) -> Result<Option<u8>> {
        let state = handle.state();
        let spec = handle.spec();
        if !state.is_active() && handle.session().is_err() {
            return Ok(None);
        }
        if !matches!(state, MachineState::Running | MachineState::Paused) {
            return Err(
                Error::conflict("machine-busy", format!("“{}” is {}.", spec.name, state.as_str()))
                    .with_hint("Try again in a moment."),
            );
        }
        let stop = format!("Stop it first: nestbox stop {}", shell_word(&spec.name));
        if disk.bus == DiskBus::Sata {
            return Err(Error::conflict(
                "hot-plug-unsupported",
                "A disk on sata can't come or go while the machine runs.",
            )
            .with_hint(format!("Use virtio, scsi, nvme or usb. {stop}")));
        }
        let places = nestbox_qemu::slots_for(disk.bus, spec.expansion_slots);
        let free = (0..places).find(|slot| {
            let same_kind = |other: &&DiskSpec| (other.bus == DiskBus::Usb) == (disk.bus == DiskBus::Usb);
            spec.disks
                .iter()
                .filter(same_kind)
                .all(|other| other.slot != Some(*slot))
        });
        match (free, places) {
            (Some(slot), _) => Ok(Some(slot)),
            (None, 0) => Err(Error::conflict(
                "no-free-slot",
                format!(
                    "“{}” was started without slots for disks that come while it runs.",
                    spec.name
                ),
            )
            .with_hint(format!(
                "{stop}. From its next start on it has them, if its board can."
            ))),
            (None, _) => Err(Error::conflict(
                "no-free-slot",
                format!("All {places} slots of “{}” are taken.", spec.name),
            )
            .with_hint(format!(
                "Detach a disk, or stop the machine: disks leave the slots at its next start. {stop}"
            ))),
        }
    }

    /// Gives the running guest the disk, in the slot that it names. What the settings say of it is the caller's.
    pub(super) async fn plug_if_running(&self, handle: &Handle, disk: &DiskSpec) -> Result<()> {
        let Ok(session) = handle.session() else {
            return Ok(());
        };
        let arch = handle.read().spec.arch;
        session
            .plug_disk(&self.disk_plan(&handle.spec(), disk)?, arch)
            .await
    }

    /// Takes the disk from the guest if it runs.
    ///
    /// # Errors
    /// `disk-not-hot-pluggable`, `guest-holds-disk`, `machine-busy` (conflict).
    pub(super) async fn unplug_if_running(&self, handle: &Handle, disk: &DiskSpec) -> Result<()> {
        let Ok(session) = handle.session() else {
            return super::check_off(handle, "wait until it is.");
        };
        if disk.slot.is_none() {
            let spec = handle.spec();
            return Err(Error::conflict(
                "disk-not-hot-pluggable",
                format!(
                    "“{}” was started with that disk, and keeps it while it runs.",
                    spec.name
                ),
            )
            .with_hint(format!(
                "Stop it first: nestbox stop {}. Disks that were added while it runs can go at once.",
                shell_word(&spec.name)
            )));
        }
        session.unplug_disk(&self.disk_plan(&handle.spec(), disk)?).await
    }

    fn disk_plan(&self, spec: &MachineSpec, disk: &DiskSpec) -> Result<DiskPlan> {
        let image = self.folder(&spec.id).disk_image(&disk.image);
        let links = self.chain(&image, disk.linked.as_deref())?;
        let image = |link: nestbox_disk::ChainLink| ImageRef {
            path: link.path,
            format: link.format,
        };
        Ok(DiskPlan {
            id: disk.id.clone(),
            chain: links.into_iter().map(image).collect(),
            read_only: disk.read_only,
            connection: connection(disk),
        })
    }

    /// A note for the journal that the guest gets the disk, before it does.
    pub(super) fn note_plugging(
        &self,
        handle: &Handle,
        disk: &DiskSpec,
    ) -> Result<Option<nestbox_store::JournalId>> {
        if disk.slot.is_none() {
            return Ok(None);
        }
        let payload = json!({ "images": [disk.image], "disk": disk });
        self.library().begin(ADD, Some(&handle.id), &payload).map(Some)
    }

    pub(super) async fn guest_has(&self, handle: &Handle, disk: &DiskSpec) -> bool {
        match handle.session() {
            Ok(session) => has(&session, disk).await,
            Err(_) => false,
        }
    }

    /// The guest let go of a disk by itself, or after it was not waited for any more.
    pub(crate) fn disk_is_gone(&self, handle: &Arc<Handle>) {
        let (engine, handle) = (self.clone(), handle.clone());
        tokio::spawn(async move {
            if let Ok(_turn) = handle.lock().await
                && let Err(error) = engine.drop_unplugged(&handle).await
            {
                tracing::warn!(%error, machine = %handle.id, "a disk that the guest let go of is attached still");
            }
        });
    }

    /// Disks in slots that the running guest does not have are detached.
    pub(crate) async fn drop_unplugged(&self, handle: &Handle) -> Result<()> {
        let Ok(session) = handle.session() else {
            return Ok(());
        };
        let mut spec = handle.spec();
        let slotted: Vec<DiskSpec> = spec
            .disks
            .iter()
            .filter(|disk| disk.slot.is_some())
            .cloned()
            .collect();
        let mut changed = false;
        for disk in slotted {
            if !has(&session, &disk).await {
                // Closes what is open still.
                let _ = session.unplug_disk(&self.disk_plan(&spec, &disk)?).await;
                spec.disks.retain(|other| other.id != disk.id);
                spec.detached.push(set_aside(disk, false));
                changed = true;
            }
        }
        if changed {
            self.save_spec(handle, spec)?;
            let told = "The guest let go of a disk".to_owned();
            self.tell_machine(nestbox_model::EventKind::MachineChanged, handle, Some(told));
        }
        Ok(())
    }

    /// A machine that starts anew has its disks where they belong, and free slots.
    pub(crate) async fn settle_slots(&self, handle: &Handle) -> Result<()> {
        let spec = handle.spec();
        let qemu = self.0.backend.capabilities(spec.arch).await?;
        let mut after = spec.clone();
        if after.expansion_slots == 0 {
            after.expansion_slots = nestbox_qemu::expansion_slots(spec.arch, &qemu);
        }
        for disk in &mut after.disks {
            disk.slot = None;
        }
        if after == spec {
            return Ok(());
        }
        self.save_spec(handle, after)
    }
}

async fn has(session: &Arc<dyn Session>, disk: &DiskSpec) -> bool {
    let active = session.active_images().await.unwrap_or_default();
    active.disks.iter().any(|(id, _)| *id == disk.id)
}
