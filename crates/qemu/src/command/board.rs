//! What each architecture's board needs: machine type, buses, screen, input.

use crate::{Capabilities, plan::MachinePlan};
use nestbox_model::{Arch, DiskBus, Firmware};

/// How a board differs from the others.
pub(crate) struct Board {
    /// `-machine` type with its own options, without accelerator and flash.
    pub machine: &'static str,
    /// Suffix of virtio devices: `pci` or `ccw`.
    pub virtio: &'static str,
    /// The CD/DVD drive hangs on virtio-scsi instead of the board's IDE/AHCI.
    pub scsi_medium: bool,
    /// `bus=` of an IDE drive.
    pub ide_bus: &'static str,
    /// Takes firmware and its variables as two flash chips.
    pub flash: bool,
}

/// The board of `arch`.
pub(crate) fn board(arch: Arch) -> Board {
    let virt = Board {
        machine: "virt",
        virtio: "pci",
        scsi_medium: true,
        ide_bus: "",
        flash: true,
    };
    match arch {
        Arch::X86_64 => Board {
            machine: "q35",
            scsi_medium: false,
            ide_bus: "ide.0",
            ..virt
        },
        // Systems this old know the i440FX board and its IDE best.
        Arch::I386 => Board {
            machine: "pc",
            scsi_medium: false,
            ide_bus: "ide.1",
            ..virt
        },
        Arch::Aarch64 => Board {
            machine: "virt,gic-version=max",
            ..virt
        },
        Arch::Arm => Board {
            machine: "virt,highmem=off",
            ..virt
        },
        Arch::Riscv64 => virt,
        Arch::Ppc64 => Board {
            machine: "pseries",
            flash: false,
            ..virt
        },
        Arch::S390x => Board {
            machine: "s390-ccw-virtio",
            virtio: "ccw",
            flash: false,
            ..virt
        },
    }
}

/// Controllers that the board of `arch` can have for disks, the fastest first.
pub fn disk_buses(arch: Arch) -> &'static [DiskBus] {
    match arch {
        Arch::X86_64 | Arch::I386 => &[
            DiskBus::Virtio,
            DiskBus::Scsi,
            DiskBus::Nvme,
            DiskBus::Sata,
            DiskBus::Usb,
        ],
        Arch::Aarch64 | Arch::Arm | Arch::Riscv64 => {
            &[DiskBus::Virtio, DiskBus::Scsi, DiskBus::Nvme, DiskBus::Usb]
        }
        Arch::Ppc64 => &[DiskBus::Virtio, DiskBus::Scsi, DiskBus::Usb],
        Arch::S390x => &[DiskBus::Virtio, DiskBus::Scsi],
    }
}

/// Disks that the board's own AHCI or IDE controller has room for beside the CD/DVD drive.
pub fn sata_places(arch: Arch) -> usize {
    match arch {
        Arch::X86_64 => 5,
        Arch::I386 => 3,
        _ => 0,
    }
}

/// Whether this QEMU has the devices for disks on `bus`.
pub fn has_disk_bus(arch: Arch, bus: DiskBus, qemu: &Capabilities) -> bool {
    let virtio = board(arch).virtio;
    let needed: &[&str] = match bus {
        DiskBus::Virtio => &[],
        DiskBus::Scsi => &["scsi-hd"],
        DiskBus::Nvme => &["nvme"],
        DiskBus::Sata => &["ide-hd"],
        DiskBus::Usb => &["usb-storage", "qemu-xhci"],
    };
    let scsi = bus != DiskBus::Scsi || qemu.has_device(&format!("virtio-scsi-{virtio}"));
    scsi && needed.iter().all(|device| qemu.has_device(device))
}

/// The display device with the screen size the guest is offered.
pub(crate) fn display(plan: &MachinePlan, qemu: &Capabilities) -> Option<String> {
    let size = format!("xres={},yres={}", plan.resolution.0, plan.resolution.1);
    let wanted: &[&str] = match (plan.arch, plan.firmware) {
        (Arch::X86_64 | Arch::I386, Firmware::Uefi) => &["virtio-vga", "VGA", "bochs-display"],
        // A system started by a BIOS may have no virtio driver, every one can draw on a VGA.
        (Arch::X86_64 | Arch::I386, Firmware::Bios) => &["VGA", "virtio-vga", "bochs-display"],
        (Arch::S390x, _) => &["virtio-gpu-ccw"],
        (Arch::Ppc64, _) => &["VGA", "virtio-gpu-pci"],
        _ => &["virtio-gpu-pci", "bochs-display"],
    };
    let device = wanted.iter().find(|name| qemu.has_device(name))?;
    Some(match *device {
        "VGA" => format!("VGA,id=display,vgamem_mb={},{size}", vga_memory(plan.resolution)),
        name => format!("{name},id=display,{size}"),
    })
}

/// Megabytes of VGA memory for two screens of this size, a power of two as the device wants it.
fn vga_memory((width, height): (u32, u32)) -> u64 {
    let bytes = u64::from(width) * u64::from(height) * 4 * 2;
    bytes.div_ceil(1 << 20).next_power_of_two().clamp(16, 256)
}

/// Keyboard and pointer: absolute, so that the pointer never has to be caught.
pub(crate) fn input(plan: &MachinePlan, qemu: &Capabilities) -> Vec<String> {
    let mut devices = Vec::new();
    if plan.arch == Arch::S390x {
        devices.extend(
            ["virtio-keyboard-ccw", "virtio-tablet-ccw"]
                .iter()
                .map(|name| format!("{name},id={name}")),
        );
    } else if qemu.has_device("qemu-xhci") {
        devices.push("qemu-xhci,id=usb".to_owned());
        devices.push("usb-tablet,id=tablet,bus=usb.0".to_owned());
        // PCs have a PS/2 keyboard; systems started by a BIOS may know no other.
        if plan.firmware == Firmware::Uefi || !matches!(plan.arch, Arch::X86_64 | Arch::I386) {
            devices.push("usb-kbd,id=keyboard,bus=usb.0".to_owned());
        }
    }
    devices.retain(|device| qemu.has_device(device.split(',').next().unwrap_or_default()));
    devices
}
