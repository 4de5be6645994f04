//! Disks as devices: on the command line, and the same when they are plugged in later, so that memory that was saved with
//! them loads either way.

use super::{BootOrder, Line, Use, board::Board};
use crate::{
    Capabilities,
    plan::{DiskPlan, MachinePlan, disk_node},
};
use nestbox_model::{Arch, DiskBus, DiskCache};
use serde_json::{Map, Value, json};

/// Root ports for disks that come while the machine runs: as many as fit into one place of the root bus.
const SLOTS: u8 = 4;
/// Place on the root bus of the first of them; what QEMU places by itself stays below.
const SLOT_PLACE: u8 = 0x1c;
/// Places of the pointer's and keyboard's USB controller that they do not take, and their number.
const USB_FREE: (u8, u8) = (3, 2);

/// Where a disk's device goes.
pub(crate) enum Spot {
    /// Where QEMU puts it.
    Usual,
    /// On a controller, as its nth disk.
    On(Controller),
    /// Where it was plugged in.
    Slot { bus: String, place: Option<String> },
}

/// A controller that several disks share.
pub(crate) enum Controller {
    Scsi(usize),
    Sata { bus: String, unit: u8 },
    Usb { bus: &'static str, port: usize },
}

pub(super) fn purpose(disk: &DiskPlan) -> Use {
    if disk.read_only { Use::Read } else { Use::Write }
}

/// How many slots a machine of this architecture gets when it starts anew; 0 where disks can't come while it runs.
pub fn expansion_slots(arch: Arch, qemu: &Capabilities) -> u8 {
    match arch {
        Arch::X86_64 | Arch::Aarch64 | Arch::Riscv64 if qemu.has_device("pcie-root-port") => SLOTS,
        Arch::I386 => SLOTS,
        _ => 0,
    }
}

/// How many disks on `bus` can come while a machine with `slots` expansion slots runs.
pub fn slots_for(bus: DiskBus, slots: u8) -> u8 {
    match bus {
        DiskBus::Virtio | DiskBus::Scsi | DiskBus::Nvme => slots,
        DiskBus::Usb if slots > 0 => USB_FREE.1,
        DiskBus::Usb | DiskBus::Sata => 0,
    }
}

/// The slots themselves, at places of their own.
pub(super) fn slots(line: &mut Line, plan: &MachinePlan) {
    if plan.arch == Arch::I386 {
        return;
    }
    for slot in 0..plan.expansion_slots.min(SLOTS) {
        line.device(format!(
            "pcie-root-port,id=slot-{slot},bus=pcie.0,chassis={0},slot={0},addr={SLOT_PLACE:#x}.{slot},multifunction=on",
            slot + 1
        ));
    }
}

/// Disks that are not where they always were: on other controllers, or in a slot.
pub(super) fn other_disks(line: &mut Line, plan: &MachinePlan, board: &Board) {
    let order = BootOrder::of(plan);
    let (mut scsi, mut sata, mut usb) = (0, 0, 0);
    for (nth, disk) in plan.disks.iter().enumerate() {
        let node = disk_node(&disk.id);
        if disk.connection.slot.is_some() {
            for device in plugged(disk, plan.arch, board, &node) {
                line.device(words(&device));
            }
            continue;
        }
        let spot = match disk.connection.bus {
            DiskBus::Virtio => continue,
            DiskBus::Nvme => Spot::Usual,
            DiskBus::Scsi if disk.connection.iothread => Spot::Usual,
            DiskBus::Scsi => {
                if scsi == 0 {
                    line.device(format!("virtio-scsi-{},id=scsi-disks", board.virtio));
                }
                scsi += 1;
                Spot::On(Controller::Scsi(scsi - 1))
            }
            DiskBus::Sata => {
                sata += 1;
                Spot::On(sata_place(plan.arch, sata))
            }
            DiskBus::Usb => {
                if usb == 0 {
                    line.device("qemu-xhci,id=usb-disks".to_owned());
                }
                usb += 1;
                Spot::On(Controller::Usb {
                    bus: "usb-disks.0",
                    port: usb,
                })
            }
        };
        let devices = devices(disk, board, &spot, &node);
        let last = devices.len();
        for (index, device) in devices.iter().enumerate() {
            let boot = if index + 1 == last {
                order.index("disk", nth)
            } else {
                String::new()
            };
            line.device(format!("{}{boot}", words(device)));
        }
    }
}

/// The CD/DVD drive has the first place of q35's AHCI controller and of the PC's second IDE cable.
fn sata_place(arch: Arch, nth: u8) -> Controller {
    let (bus, unit) = match (arch, nth) {
        (Arch::I386, 1) => (0, 0),
        (Arch::I386, 2) => (0, 1),
        (Arch::I386, _) => (1, 1),
        (_, nth) => (nth, 0),
    };
    Controller::Sata {
        bus: format!("ide.{bus}"),
        unit,
    }
}

/// The devices of a disk that was plugged in, its controller first if it has one of its own.
pub(crate) fn plugged(disk: &DiskPlan, arch: Arch, board: &Board, node: &str) -> Vec<Value> {
    let slot = disk.connection.slot.unwrap_or_default();
    let spot = match (disk.connection.bus, arch) {
        (DiskBus::Usb, _) => Spot::On(Controller::Usb {
            bus: "usb.0",
            port: usize::from(USB_FREE.0 + slot),
        }),
        (_, Arch::I386) => Spot::Slot {
            bus: "pci.0".into(),
            place: Some(format!("{:#x}", SLOT_PLACE - SLOTS + slot)),
        },
        _ => Spot::Slot {
            bus: format!("slot-{slot}"),
            place: None,
        },
    };
    devices(disk, board, &spot, node)
}

/// The thread of a disk that has one of its own.
pub(crate) fn iothread(disk: &DiskPlan) -> Option<Value> {
    let id = thread_name(disk);
    let wanted = disk.connection.iothread && matches!(disk.connection.bus, DiskBus::Virtio | DiskBus::Scsi);
    wanted.then(|| json!({ "qom-type": "iothread", "id": id }))
}

fn thread_name(disk: &DiskPlan) -> String {
    format!("thread-{}", disk.id.short())
}

/// A disk's devices as `device_add` takes them; the last one is the disk, on the block node `node`.
pub(crate) fn devices(disk: &DiskPlan, board: &Board, spot: &Spot, node: &str) -> Vec<Value> {
    let connection = &disk.connection;
    let short = disk.id.short();
    let mut device = Map::new();
    let mut controller = None;
    let driver = match connection.bus {
        DiskBus::Virtio => format!("virtio-blk-{}", board.virtio),
        DiskBus::Scsi => "scsi-hd".to_owned(),
        DiskBus::Nvme => "nvme".to_owned(),
        DiskBus::Sata => "ide-hd".to_owned(),
        DiskBus::Usb => "usb-storage".to_owned(),
    };
    device.insert("driver".into(), json!(driver));
    device.insert("drive".into(), json!(node));
    device.insert("id".into(), json!(disk_node(&disk.id)));
    device.insert("serial".into(), json!(short));
    if connection.cache == DiskCache::Writethrough {
        device.insert("write-cache".into(), json!("off"));
    }
    match spot {
        Spot::On(Controller::Scsi(nth)) => {
            device.insert("bus".into(), json!("scsi-disks.0"));
            device.insert("scsi-id".into(), json!(nth));
        }
        Spot::On(Controller::Sata { bus, unit }) => {
            device.insert("bus".into(), json!(bus));
            device.insert("unit".into(), json!(unit));
        }
        Spot::On(Controller::Usb { bus, port }) => {
            device.insert("bus".into(), json!(bus));
            device.insert("port".into(), json!(port.to_string()));
        }
        Spot::Usual | Spot::Slot { .. } => {
            let mut own = Map::new();
            if connection.bus == DiskBus::Scsi {
                own.insert("driver".into(), json!(format!("virtio-scsi-{}", board.virtio)));
                own.insert("id".into(), json!(controller_name(disk)));
                device.insert("bus".into(), json!(format!("{}.0", controller_name(disk))));
            }
            let target = if own.is_empty() { &mut device } else { &mut own };
            if let Spot::Slot { bus, place } = spot {
                target.insert("bus".into(), json!(bus));
                if let Some(place) = place {
                    target.insert("addr".into(), json!(place));
                }
            }
            if iothread(disk).is_some() {
                target.insert("iothread".into(), json!(thread_name(disk)));
            }
            controller = (!own.is_empty()).then_some(own);
        }
    }
    controller
        .into_iter()
        .chain([device])
        .map(Value::Object)
        .collect()
}

fn controller_name(disk: &DiskPlan) -> String {
    format!("scsi-{}", disk.id.short())
}

/// A device of [`devices`] as a word of the command line.
pub(super) fn words(device: &Value) -> String {
    let mut words = device["driver"].as_str().unwrap_or_default().to_owned();
    for (key, value) in device.as_object().into_iter().flatten() {
        if key != "driver" {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            words.push_str(&format!(",{key}={value}"));
        }
    }
    words
}
