//! Which controller each imported disk gets, and what the guest's clock shows. A system starts only from a disk whose
//! controller it has a driver for, so the one it knew stays, or becomes the nearest that there is.

use super::items::item;
use nestbox_model::{Arch, DiskBus, ImportDisk, ImportItem, ItemFate};

/// Sets the disks' buses; `told` is what a description said, in the disks' order.
pub(super) fn settle(
    disks: &mut [ImportDisk],
    told: &[Option<DiskBus>],
    arch: Arch,
    windows: bool,
    items: &mut Vec<ImportItem>,
) {
    let told = told.iter().copied().chain(std::iter::repeat(None));
    for (disk, told) in disks.iter_mut().zip(told) {
        // A fresh Windows has no driver for virtio, and a computer it ran on before rarely had it.
        let known = told.or(windows.then_some(DiskBus::Sata));
        let bus = known.map_or(DiskBus::Virtio, |bus| on_board(bus, arch));
        disk.bus = bus;
        let name = &disk.name;
        match told {
            Some(told) if told == bus => items.push(item(
                format!("The controller of “{name}”: {}", words(bus)),
                ItemFate::Kept,
                None,
            )),
            Some(_) => items.push(item(
                format!("The controller of “{name}” becomes {}", words(bus)),
                ItemFate::Changed,
                Some("these boards don't have the one it was on, and systems know this one"),
            )),
            None if windows => items.push(item(
                format!("The controller of “{name}”: {}", words(bus)),
                ItemFate::Changed,
                Some("Windows starts from it without further drivers; virtio is faster once its drivers are installed"),
            )),
            None => {}
        }
    }
}

/// Of a disk that a system is going to be installed on.
pub(super) fn for_new(arch: Arch, windows: bool) -> DiskBus {
    if windows {
        on_board(DiskBus::Sata, arch)
    } else {
        DiskBus::Virtio
    }
}

/// The nearest controller that the board has.
fn on_board(bus: DiskBus, arch: Arch) -> DiskBus {
    match (bus, arch) {
        (DiskBus::Sata, Arch::X86_64 | Arch::I386) => DiskBus::Sata,
        (DiskBus::Sata | DiskBus::Nvme, Arch::S390x) => DiskBus::Virtio,
        (DiskBus::Sata, _) => DiskBus::Nvme,
        (other, _) => other,
    }
}

fn words(bus: DiskBus) -> &'static str {
    match bus {
        DiskBus::Virtio => "virtio",
        DiskBus::Scsi => "virtio-scsi",
        DiskBus::Nvme => "NVMe",
        DiskBus::Sata => "SATA",
        DiskBus::Usb => "USB",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestbox_model::Recognised;

    fn settled(told: &[Option<DiskBus>], arch: Arch, windows: bool) -> (Vec<DiskBus>, Vec<ItemFate>) {
        let disk = ImportDisk {
            name: "disk".into(),
            recognised: Recognised::Vmdk,
            description: String::new(),
            capacity: 1,
            size: 1,
            partitions: Vec::new(),
            bus: DiskBus::default(),
        };
        let mut disks = vec![disk; told.len().max(1)];
        let mut items = Vec::new();
        settle(&mut disks, told, arch, windows, &mut items);
        (
            disks.iter().map(|disk| disk.bus).collect(),
            items.iter().map(|item| item.fate).collect(),
        )
    }

    #[test]
    fn the_controller_stays_or_becomes_one_that_the_system_knows() {
        use DiskBus::*;
        assert_eq!(settled(&[], Arch::X86_64, false), (vec![Virtio], vec![]));
        assert_eq!(
            settled(&[], Arch::X86_64, true),
            (vec![Sata], vec![ItemFate::Changed])
        );
        assert_eq!(
            settled(&[], Arch::Aarch64, true),
            (vec![Nvme], vec![ItemFate::Changed])
        );
        assert_eq!(
            settled(&[Some(Sata), Some(Virtio)], Arch::X86_64, true),
            (vec![Sata, Virtio], vec![ItemFate::Kept, ItemFate::Kept])
        );
        assert_eq!(
            settled(&[Some(Sata)], Arch::Aarch64, false),
            (vec![Nvme], vec![ItemFate::Changed])
        );
    }
}
