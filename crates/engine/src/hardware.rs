//! What a machine may have and what it gets unless told otherwise.

use crate::lifecycle::new_image_name;
use nestbox_model::units::{MIB, format_size};
use nestbox_model::{
    Arch, CreateRequest, DiskBus, DiskCache, DiskId, DiskSpec, Error, Firmware, MachineSpec, Result, Template,
};
use std::path::Path;

const MEMORY_MIN: u64 = 32 * MIB;
const DISK_MIN: u64 = MIB;
const DISK_MAX: u64 = 64 << 40;
const CPUS_MAX: u32 = 256;

/// What the board starts with when nobody says: UEFI where its firmware is installed, else the built-in one.
pub(crate) fn default_firmware(arch: Arch) -> Firmware {
    if nestbox_qemu::firmware::find(arch, Firmware::Uefi).is_ok() {
        Firmware::Uefi
    } else {
        Firmware::Bios
    }
}

pub(crate) fn new_disk(capacity: u64) -> DiskSpec {
    DiskSpec {
        id: DiskId::random(),
        image: new_image_name(),
        capacity,
        read_only: false,
        linked: None,
        bus: DiskBus::default(),
        cache: DiskCache::default(),
        discard: true,
        iothread: false,
        label: None,
        slot: None,
    }
}

pub(crate) fn host_cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1))
}

pub(crate) fn default_cpus() -> u32 {
    host_cpus().clamp(1, 2)
}

pub(crate) fn apply_hardware(spec: &mut MachineSpec, request: &CreateRequest) {
    if let Some(cpus) = request.cpus {
        spec.cpus = cpus;
    }
    if let Some(memory) = request.memory {
        spec.memory = memory;
    }
    if let Some(network) = &request.network
        && let Some(nic) = spec.nics.first_mut()
    {
        nic.network.clone_from(network);
    }
}

/// Limits of processors and memory: what no computer or guest could use is a typing mistake.
pub(crate) fn check_limits(cpus: u32, memory: u64) -> Result<()> {
    if cpus == 0 || cpus > CPUS_MAX {
        return Err(
            Error::usage("bad-value", format!("A machine can't have {cpus} processors."))
                .with_hint(format!("Use 1 to {CPUS_MAX}.")),
        );
    }
    if memory < MEMORY_MIN {
        return Err(Error::usage(
            "bad-value",
            format!("{} of memory is too little.", format_size(memory)),
        )
        .with_hint(format!("Use at least {}.", format_size(MEMORY_MIN))));
    }
    let host = sysinfo_memory();
    if host > 0 && memory > host {
        return Err(Error::unfit(
            "not-enough-memory",
            format!(
                "This computer has {} of memory, less than the {} asked for.",
                format_size(host),
                format_size(memory)
            ),
        )
        .with_hint("Choose less memory."));
    }
    Ok(())
}

fn sysinfo_memory() -> u64 {
    crate::doctor::host_memory().0
}

pub(crate) fn check_disk(capacity: u64) -> Result<u64> {
    if !(DISK_MIN..=DISK_MAX).contains(&capacity) {
        return Err(Error::usage(
            "bad-value",
            format!("A disk can't have {}.", format_size(capacity)),
        )
        .with_hint(format!(
            "Use {} to {}.",
            format_size(DISK_MIN),
            format_size(DISK_MAX)
        )));
    }
    // Whole sectors of 4 KiB suit every guest.
    Ok(capacity.div_ceil(4096) * 4096)
}

pub(crate) fn pick_arch(template: &Template, wanted: Option<Arch>) -> Result<Arch> {
    match wanted {
        Some(arch) if template.arches.contains_key(&arch) => Ok(arch),
        Some(arch) => Err(Error::not_found(
            "arch-not-offered",
            format!("{} does not come for {arch}.", template.name),
        )
        .with_hint(format!(
            "It comes for {}.",
            template
                .arches
                .keys()
                .map(|a| a.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        ))),
        None => Arch::host()
            .filter(|arch| template.arches.contains_key(arch))
            .or_else(|| template.arches.keys().next().copied())
            .ok_or_else(|| {
                Error::failed(
                    "template-empty",
                    format!("{} offers no architecture.", template.name),
                )
            }),
    }
}

/// Whether `path` is absolute and names something; clients resolve relative paths themselves.
pub(crate) fn check_absolute(path: &str) -> Result<()> {
    if Path::new(path).is_absolute() {
        Ok(())
    } else {
        Err(
            Error::usage("path-not-absolute", format!("The path is not absolute: {path}"))
                .with_hint("Give the whole path."),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestbox_model::units::GIB;

    #[test]
    fn disks_are_whole_sectors_and_bounded() {
        assert_eq!(check_disk(GIB + 1).unwrap(), GIB + 4096);
        assert!(check_disk(0).is_err());
        assert!(check_disk(u64::MAX).is_err());
    }
}
