//! A machine of VirtualBox's: an XML file, its disks beside it.

use super::{
    Bundle,
    draft::Draft,
    invalid, text_of,
    xml::{self, Read},
};
use crate::{
    beside::outside,
    detect::{Detector, Fate},
    foreign::Beside,
    qcow2::printable,
    refuse,
    source::OpenFile,
};
use nestbox_model::{Arch, DiskBus, Firmware, Recognised, Result, units::MIB};
use roxmltree::Node;
use std::collections::BTreeMap;

pub(crate) const DETECTOR: Detector = Detector {
    name: "machines of VirtualBox",
    found: |p| p.root_is("VirtualBox"),
    fate: Fate::Bundle(Recognised::Vbox, open),
};

/// A disk image that the machine knows.
struct Image<'a> {
    location: &'a str,
    format: &'a str,
    /// It holds the changes to another one.
    differencing: bool,
}

/// # Errors
/// `bundle-invalid`, `bundle-entities`, `image-encrypted`, `image-refers-elsewhere`, `part-missing`, whatever a disk is
/// refused for.
pub(crate) fn open(file: &OpenFile, beside: &dyn Beside) -> Result<Bundle> {
    let bytes = text_of(file)?;
    let text = xml::decode(&bytes)?;
    let document = xml::parse(&text)?;
    let root = document.root_element();
    if root.first("MachineEncrypted").is_some() {
        return Err(refuse::encrypted());
    }
    let machine = root
        .only("Machine")?
        .ok_or_else(|| invalid("it describes no machine"))?;
    let hardware = machine
        .only("Hardware")?
        .ok_or_else(|| invalid("it has no hardware"))?;
    let mut draft = Draft::new("machine of VirtualBox", beside);
    draft.name(machine.key("name").unwrap_or_default());
    draft.notes(machine.words("Description").unwrap_or_default());
    read_system(&machine, &hardware, &mut draft);
    read_media(&machine, &hardware, &mut draft)?;
    read_network(&hardware, &mut draft)?;
    read_ways_out(&hardware, &mut draft);
    if let Some(first) = machine.first("Snapshot") {
        read_snapshots(first, &mut draft);
    }
    if machine.first("ExtraData").is_some() {
        draft.dropped("Extra data of VirtualBox", "only VirtualBox knows what it means");
    }
    draft.finish(Vec::new())
}

fn read_system(machine: &Node, hardware: &Node, draft: &mut Draft) {
    if let Some(kind) = machine.key("OSType") {
        draft.facts.system = Some(printable(kind));
        let kind = kind.to_ascii_lowercase();
        draft.facts.arch = Some(if kind.ends_with("_arm64") {
            Arch::Aarch64
        } else {
            Arch::X86_64
        });
    }
    if let Some(count) = hardware.first("CPU").and_then(|cpu| cpu.key("count")) {
        draft.cpus(count);
    }
    if let Some(size) = hardware.first("Memory").and_then(|memory| memory.key("RAMSize")) {
        draft.memory(
            size.trim()
                .parse::<u64>()
                .ok()
                .and_then(|size| size.checked_mul(MIB)),
        );
    }
    let clock = [*hardware, *machine].iter().find_map(|node| {
        let rtc = node.first("RTC")?;
        rtc.key("localOrUTC").map(|word| word == "local")
    });
    if let Some(local) = clock {
        draft.clock(local);
    }
    let efi = hardware
        .first("Firmware")
        .and_then(|firmware| firmware.key("type"));
    draft.firmware(if efi.is_some_and(|kind| kind.starts_with("EFI")) {
        Firmware::Uefi
    } else {
        Firmware::Bios
    });
}

/// All disk images by id; those inside another one's element hold only the changes to it.
fn images<'a>(registry: &Node<'a, '_>) -> Result<BTreeMap<&'a str, Image<'a>>> {
    let mut out = BTreeMap::new();
    for node in registry.descendants() {
        if !matches!(node.tag_name().name(), "HardDisk" | "Image") {
            continue;
        }
        let (Some(id), Some(location)) = (node.key("uuid"), node.key("location")) else {
            return Err(invalid("it names a medium without saying which"));
        };
        let image = Image {
            location,
            format: node.key("format").unwrap_or_default(),
            differencing: node
                .parent()
                .is_some_and(|parent| parent.tag_name().name() == "HardDisk"),
        };
        if out.insert(id, image).is_some() {
            return Err(invalid("it has a medium twice"));
        }
    }
    Ok(out)
}

fn read_media(machine: &Node, hardware: &Node, draft: &mut Draft) -> Result<()> {
    let images = match machine.only("MediaRegistry")? {
        Some(registry) => images(&registry)?,
        None => BTreeMap::new(),
    };
    // Newer versions have them inside the hardware.
    let controllers = machine
        .first("StorageControllers")
        .or_else(|| hardware.first("StorageControllers"));
    let Some(controllers) = controllers else {
        return Ok(());
    };
    let devices = controllers.all("StorageController").flat_map(|controller| {
        let bus = controller.key("type").and_then(bus_of);
        controller
            .all("AttachedDevice")
            .map(move |device| (bus, device))
            .collect::<Vec<_>>()
    });
    for (bus, device) in devices {
        draft.on(bus);
        let image = device.first("Image").and_then(|image| image.key("uuid"));
        let image = image.map(|id| {
            images
                .get(id)
                .ok_or_else(|| invalid("a drive has a medium that is not described"))
        });
        match (device.key("type"), image.transpose()?) {
            (Some("HardDisk"), Some(image)) => read_disk(image, draft)?,
            (Some("DVD"), Some(image)) => draft.medium(image.location),
            (Some("DVD"), None) if device.first("HostDrive").is_some() => {
                draft.dropped("The CD drive of the computer it was made on", "it is not here");
            }
            (Some("DVD"), None) => {}
            (Some("Floppy"), _) => draft.dropped("The floppy drive", "machines here have none"),
            _ => draft.dropped("A drive", "it has no medium that could be imported"),
        }
    }
    Ok(())
}

/// What stands here for a controller of VirtualBox's.
fn bus_of(kind: &str) -> Option<DiskBus> {
    match kind {
        // Of its SCSI controllers there is none here.
        "AHCI" | "PIIX3" | "PIIX4" | "ICH6" | "LsiLogic" | "LsiLogicSas" | "BusLogic" => Some(DiskBus::Sata),
        "NVMe" => Some(DiskBus::Nvme),
        "VirtioSCSI" => Some(DiskBus::Scsi),
        "USB" => Some(DiskBus::Usb),
        _ => None,
    }
}

fn read_disk(image: &Image, draft: &mut Draft) -> Result<()> {
    if image.format.eq_ignore_ascii_case("iscsi") || image.location.contains("://") {
        return Err(outside(image.location));
    }
    if image.differencing {
        return Err(refuse::differencing(
            "disk",
            "The machine has snapshots in VirtualBox: delete them there, or clone the machine (current state) or export \
             it as an OVA, then import that.",
        ));
    }
    draft.disk(image.location)
}

fn read_network(hardware: &Node, draft: &mut Draft) -> Result<()> {
    let Some(network) = hardware.first("Network") else {
        return Ok(());
    };
    for adapter in network
        .all("Adapter")
        .filter(|adapter| adapter.key("enabled") == Some("true"))
    {
        let ways = [
            "NAT",
            "BridgedInterface",
            "InternalNetwork",
            "HostOnlyInterface",
            "NATNetwork",
            "GenericInterface",
        ];
        let way = ways
            .into_iter()
            .find_map(|way| adapter.first(way).map(|node| (way, node)));
        let connection = match way.map(|(way, _)| way) {
            Some("NAT" | "NATNetwork") => "NAT",
            Some("BridgedInterface") => "bridged",
            Some("InternalNetwork") => "internal network",
            Some("HostOnlyInterface") => "host only",
            Some(_) => "another way",
            None => "not connected",
        };
        let connected = adapter.key("cable").is_none_or(|cable| cable == "true") && way.is_some();
        draft.nic(adapter.key("MACAddress"), connection, connected)?;
        if let Some(("NAT", nat)) = way {
            for forward in nat.all("Forwarding") {
                let key = |name| forward.key(name).unwrap_or_default();
                let protocol = if key("proto") == "1" || key("proto").is_empty() {
                    "tcp"
                } else {
                    "udp"
                };
                draft.port(protocol, key("hostip"), key("hostport"), key("guestport"))?;
            }
        }
    }
    Ok(())
}

/// Everything that reaches the computer it was made on.
fn read_ways_out(hardware: &Node, draft: &mut Draft) {
    if let Some(shares) = hardware.first("SharedFolders") {
        for share in shares.all("SharedFolder") {
            let writable = share.key("writable") == Some("true");
            draft.share(
                share.key("name").unwrap_or_default(),
                share.key("hostPath").unwrap_or_default(),
                !writable,
            );
        }
    }
    for (group, what) in [("UART", "serial port"), ("LPT", "parallel port")] {
        let ports = hardware
            .first(group)
            .into_iter()
            .flat_map(|group| group.all("Port").collect::<Vec<_>>());
        for port in ports.filter(|port| port.key("enabled") == Some("true")) {
            let path = port.key("path").unwrap_or("nowhere");
            draft.dropped(
                format!("A {what} to {}", printable(path)),
                "it would read or write files or devices of this computer",
            );
        }
    }
    for (name, what) in [
        ("USB", "USB devices of the computer it was made on"),
        ("HostPci", "PCI devices"),
        ("RemoteDisplay", "The remote display"),
    ] {
        let there = hardware.first(name).is_some_and(|node| {
            node.key("enabled") != Some("false")
                && (name != "USB"
                    || node
                        .descendants()
                        .any(|node| node.tag_name().name() == "DeviceFilter"))
        });
        if there {
            draft.dropped(what, "only the program that made it has such things");
        }
    }
}

fn read_snapshots(first: Node, draft: &mut Draft) {
    /// Nobody has more, and they lie one inside the other.
    const SNAPSHOTS_MAX: usize = 200;
    let all = first
        .descendants()
        .filter(|node| node.tag_name().name() == "Snapshot");
    for snapshot in all.take(SNAPSHOTS_MAX) {
        draft.snapshot(snapshot.key("name").unwrap_or_default());
    }
}
