//! How a disk is connected, and what boards can do.

use super::{Place, check_changeable, check_off, clean_label};
use crate::Engine;
use crate::machine::MachineRef;
use nestbox_model::{
    Arch, DiskBus, DiskCache, DiskChangeRequest, DiskDetails, DiskSpec, Error, EventKind, MachineSpec, Result,
};
use std::path::Path;

/// Most disks that a guest sees: boards have so many places.
const DISKS_MAX: usize = 16;
/// Places of the controller for USB disks.
const USB_MAX: usize = 4;

impl Engine {
    /// Changes how a disk is connected; its label at any time, all else while the machine is off.
    ///
    /// # Errors
    /// `disk-not-found`, `bad-value`, `machine-running`, `machine-suspended`, `disposable-run`; `bus-unsupported`,
    /// `option-unsupported`, `cache-unsupported` (unfit) with what there is instead.
    pub async fn change_disk(
        &self,
        wanted: MachineRef<'_>,
        disk: &str,
        request: DiskChangeRequest,
    ) -> Result<DiskDetails> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let before = handle.spec();
        let mut place = Place::find(&before, disk)?;
        let mut spec = before.clone();
        apply(place.disk_mut(&mut spec), &request)?;
        if let Some(position) = request.position {
            place = move_to(&mut spec, place, position)?;
        }
        if spec == before {
            return Ok(self.disk_details(&handle, place));
        }
        let structure = DiskChangeRequest {
            label: None,
            ..request
        } != DiskChangeRequest::default();
        if structure {
            if place.detached(&spec).is_none() {
                check_off(
                    &handle,
                    "how its disks are connected can only change while it is off.",
                )?;
                check_changeable(&handle)?;
                self.check_disks(&spec).await?;
            }
            let image = self.folder(&spec.id).disk_image(&place.disk(&spec).image);
            check_cache(&image, place.disk(&spec).cache)?;
        }
        self.save_spec(&handle, spec)?;
        self.tell_machine(EventKind::MachineChanged, &handle, Some("Changed a disk".into()));
        Ok(self.disk_details(&handle, place))
    }

    /// Whether the machine's board and the QEMU here can have these disks.
    ///
    /// # Errors
    /// `bus-unsupported`, `option-unsupported`, `too-many-disks`.
    pub(super) async fn check_disks(&self, spec: &MachineSpec) -> Result<()> {
        check_board(spec.arch, &spec.disks)?;
        // Where there is no QEMU, the start says so.
        let Ok(qemu) = self.0.backend.capabilities(spec.arch).await else {
            return Ok(());
        };
        let missing = spec
            .disks
            .iter()
            .find(|disk| !nestbox_qemu::has_disk_bus(spec.arch, disk.bus, &qemu));
        match missing {
            None => Ok(()),
            Some(disk) => Err(unsupported_bus(
                spec.arch,
                disk.bus,
                &format!("QEMU {} of this computer can't make it", qemu.version_text()),
            )),
        }
    }
}

/// What of it holds for the board alone.
fn check_board(arch: Arch, disks: &[DiskSpec]) -> Result<()> {
    if disks.len() > DISKS_MAX {
        return Err(Error::unfit(
            "too-many-disks",
            format!("A machine has at most {DISKS_MAX} disks."),
        )
        .with_hint("Detach one first."));
    }
    let on = |bus: DiskBus| disks.iter().filter(|disk| disk.bus == bus).count();
    for disk in disks {
        if !nestbox_qemu::disk_buses(arch).contains(&disk.bus) {
            return Err(unsupported_bus(
                arch,
                disk.bus,
                "the board has no such controller",
            ));
        }
        if disk.iothread && !matches!(disk.bus, DiskBus::Virtio | DiskBus::Scsi) {
            return Err(Error::unfit(
                "option-unsupported",
                format!("A disk on {} can't have a thread of its own.", disk.bus.as_str()),
            )
            .with_hint("Only disks on virtio and scsi can: set bus=virtio, or iothread=false."));
        }
        if disk.read_only && disk.bus == DiskBus::Sata {
            return Err(
                Error::unfit("option-unsupported", "A disk on sata can't be read-only.")
                    .with_hint("Disks on virtio, scsi, nvme and usb can: set another bus."),
            );
        }
    }
    for (bus, places) in [
        (DiskBus::Sata, nestbox_qemu::sata_places(arch)),
        (DiskBus::Usb, USB_MAX),
    ] {
        if on(bus) > places && nestbox_qemu::disk_buses(arch).contains(&bus) {
            return Err(Error::unfit(
                "too-many-disks",
                format!("The {} controller has {places} places for disks.", bus.as_str()),
            )
            .with_hint("Put one on another bus, for example scsi."));
        }
    }
    Ok(())
}

fn unsupported_bus(arch: Arch, bus: DiskBus, why: &str) -> Error {
    let can: Vec<&str> = nestbox_qemu::disk_buses(arch)
        .iter()
        .map(|bus| bus.as_str())
        .collect();
    Error::unfit(
        "bus-unsupported",
        format!(
            "A machine of {arch} can't have a disk on {}: {why}.",
            bus.as_str()
        ),
    )
    .with_hint(format!("It can have disks on {}.", can.join(", ")))
}

/// `O_DIRECT` is a property of the file system.
///
/// # Errors
/// `cache-unsupported` (unfit).
pub(super) fn check_cache(image: &Path, cache: DiskCache) -> Result<()> {
    if cache != DiskCache::None || opens_directly(image) {
        return Ok(());
    }
    Err(Error::unfit(
        "cache-unsupported",
        "The file system of the library can't be read around the page cache (O_DIRECT).",
    )
    .with_hint("Use cache=writeback, which is as safe.")
    .with_detail("path", image.display().to_string()))
}

#[cfg(target_os = "linux")]
fn opens_directly(image: &Path) -> bool {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::DIRECT.bits() as i32;
    let opened = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(image);
    // Other failures are the start's to tell.
    !opened.is_err_and(|error| error.kind() == std::io::ErrorKind::InvalidInput)
}

#[cfg(not(target_os = "linux"))]
fn opens_directly(_: &Path) -> bool {
    true
}

fn apply(disk: &mut DiskSpec, request: &DiskChangeRequest) -> Result<()> {
    disk.bus = request.bus.unwrap_or(disk.bus);
    disk.cache = request.cache.unwrap_or(disk.cache);
    disk.discard = request.discard.unwrap_or(disk.discard);
    disk.iothread = request.iothread.unwrap_or(disk.iothread);
    disk.read_only = request.read_only.unwrap_or(disk.read_only);
    if let Some(label) = &request.label {
        disk.label = clean_label(label)?;
    }
    Ok(())
}

/// Puts an attached disk at `position` (from 1) among the attached ones.
fn move_to(spec: &mut MachineSpec, place: Place, position: u32) -> Result<Place> {
    let Place::Attached(index) = place else {
        return Err(Error::conflict(
            "disk-not-attached",
            "Only attached disks have a place among the disks.",
        )
        .with_hint("Attach it first."));
    };
    let last = spec.disks.len();
    let wanted = usize::try_from(position).unwrap_or(usize::MAX);
    if !(1..=last).contains(&wanted) {
        return Err(Error::usage(
            "bad-value",
            format!("There is no place {position} among {last} disks."),
        )
        .with_hint(format!("Use 1 to {last}; the first one boots.")));
    }
    let disk = spec.disks.remove(index);
    spec.disks.insert(wanted - 1, disk);
    Ok(Place::Attached(wanted - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::new_disk;

    fn disk(bus: DiskBus) -> DiskSpec {
        DiskSpec {
            bus,
            ..new_disk(1 << 20)
        }
    }

    #[test]
    fn boards_say_what_they_can() {
        let refused = |arch, disk| check_board(arch, &[disk]).unwrap_err();
        assert!(check_board(Arch::X86_64, &[disk(DiskBus::Sata), disk(DiskBus::Nvme)]).is_ok());
        let error = refused(Arch::Aarch64, disk(DiskBus::Sata));
        assert_eq!(error.code, "bus-unsupported");
        assert!(error.hint.contains("virtio, scsi, nvme, usb"), "{}", error.hint);
        assert_eq!(refused(Arch::S390x, disk(DiskBus::Nvme)).code, "bus-unsupported");
        let threaded = DiskSpec {
            iothread: true,
            ..disk(DiskBus::Nvme)
        };
        assert_eq!(refused(Arch::X86_64, threaded).code, "option-unsupported");
        let many: Vec<_> = (0..6).map(|_| disk(DiskBus::Sata)).collect();
        assert_eq!(
            check_board(Arch::X86_64, &many).unwrap_err().code,
            "too-many-disks"
        );
        assert!(check_board(Arch::X86_64, &many[..5]).is_ok());
    }
}
