//! A machine of libvirt's (virt-manager, GNOME Boxes, virsh dumpxml): an XML file; its disks beside it.

use super::{
    Bundle,
    draft::Draft,
    invalid, text_of,
    xml::{self, Read},
};
use crate::{
    detect::{Detector, Fate},
    foreign::Beside,
    qcow2::printable,
    source::OpenFile,
};
use nestbox_model::{DiskBus, Firmware, Recognised, Result};
use roxmltree::Node;

pub(crate) const DETECTOR: Detector = Detector {
    name: "machines of libvirt",
    found: |p| p.root_is("domain"),
    fate: Fate::Bundle(Recognised::Libvirt, open),
};

/// # Errors
/// `bundle-invalid`, `bundle-entities`, `machine-unsupported` (an architecture), `image-refers-elsewhere`,
/// `part-missing`, whatever a disk is refused for.
pub(crate) fn open(file: &OpenFile, beside: &dyn Beside) -> Result<Bundle> {
    let bytes = text_of(file)?;
    let text = xml::decode(&bytes)?;
    let document = xml::parse(&text)?;
    let domain = document.root_element();
    let mut draft = Draft::new("machine of libvirt", beside);
    let title = domain.only("title")?.or(domain.only("name")?);
    draft.name(title.and_then(|name| name.text()).unwrap_or_default().trim());
    draft.notes(domain.words("description").unwrap_or_default());
    read_system(&domain, &mut draft)?;
    if let Some(devices) = domain.only("devices")? {
        for device in devices.children().filter(Node::is_element) {
            read_device(&device, &mut draft)?;
        }
    }
    for part in domain.children().filter(Node::is_element) {
        if part
            .tag_name()
            .namespace()
            .is_some_and(|space| space.contains("/qemu/"))
        {
            draft.dropped(
                "Additional arguments for QEMU",
                "they could reach anything on this computer",
            );
        }
    }
    draft.finish(Vec::new())
}

fn read_system(domain: &Node, draft: &mut Draft) -> Result<()> {
    if let Some(count) = domain.only("vcpu")?.and_then(|count| count.text()) {
        draft.cpus(count);
    }
    if let Some(memory) = domain.only("memory")? {
        draft.memory(size(&memory));
    }
    if let Some(offset) = domain.first("clock").and_then(|clock| clock.key("offset")) {
        draft.clock(offset == "localtime");
    }
    let Some(os) = domain.only("os")? else {
        return Ok(());
    };
    if let Some(arch) = os.first("type").and_then(|kind| kind.key("arch")) {
        draft.arch(arch)?;
    }
    let loader = os
        .first("loader")
        .is_some_and(|loader| loader.key("type") == Some("pflash"));
    draft.firmware(if loader || os.key("firmware") == Some("efi") {
        Firmware::Uefi
    } else {
        Firmware::Bios
    });
    for name in ["kernel", "initrd", "dtb", "acpi"] {
        if let Some(path) = os.children().find(|node| node.tag_name().name() == name) {
            draft.dropped(
                format!("“{name}” ({})", printable(path.text().unwrap_or_default())),
                "machines here start from their disks, not from files of this computer",
            );
        }
    }
    Ok(())
}

/// A number with a unit; KiB unless told otherwise.
fn size(node: &Node) -> Option<u64> {
    let value: u64 = node.text()?.trim().parse().ok()?;
    let unit = match node.key("unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KB" => 1000,
        "k" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1 << 40,
        _ => return None,
    };
    value.checked_mul(unit)
}

fn read_device(device: &Node, draft: &mut Draft) -> Result<()> {
    let kind = device.key("type").unwrap_or_default();
    match device.tag_name().name() {
        "disk" => read_disk(device, kind, draft)?,
        "interface" => read_nic(device, kind, draft)?,
        "filesystem" => {
            let host = device
                .first("source")
                .and_then(|source| source.key("dir"))
                .unwrap_or_default();
            let name = device
                .first("target")
                .and_then(|target| target.key("dir"))
                .unwrap_or_default();
            draft.share(name, host, device.first("readonly").is_some());
        }
        "hostdev" => draft.dropped(
            format!("A device of the computer it was made on ({})", printable(kind)),
            "devices are given to a machine only when you say so",
        ),
        "serial" | "console" | "parallel" | "channel"
            if !matches!(kind, "pty" | "unix" | "spicevmc" | "qemu-vdagent") =>
        {
            let source = device.first("source");
            let path = source
                .and_then(|source| source.key("path").or_else(|| source.key("host")))
                .unwrap_or("elsewhere");
            draft.dropped(
                format!(
                    "A {} port to {}",
                    printable(device.tag_name().name()),
                    printable(path)
                ),
                "it would read or write files, devices or networks of this computer",
            );
        }
        "emulator" => draft.dropped(
            format!("The emulator {}", printable(device.text().unwrap_or_default())),
            "machines here run on the QEMU that Nestbox found and tried",
        ),
        "tpm" => draft.dropped("The TPM", "what it holds is not in the description"),
        "redirdev" | "smartcard" | "shmem" | "nvram" | "crypto" | "vsock" => draft.dropped(
            format!("A device “{}”", device.tag_name().name()),
            "machines here have none",
        ),
        // Controllers, input, screens, sound and the like: machines here have their own.
        _ => {}
    }
    Ok(())
}

fn read_disk(disk: &Node, kind: &str, draft: &mut Draft) -> Result<()> {
    let source = disk.first("source");
    let words = |key: &str| source.and_then(|source| source.key(key)).unwrap_or_default();
    let bus = disk.first("target").and_then(|target| target.key("bus"));
    draft.on(bus.and_then(|bus| match bus {
        "virtio" => Some(DiskBus::Virtio),
        "scsi" => Some(DiskBus::Scsi),
        "ide" | "sata" => Some(DiskBus::Sata),
        "nvme" => Some(DiskBus::Nvme),
        "usb" => Some(DiskBus::Usb),
        _ => None,
    }));
    if disk.key("device") == Some("floppy") {
        draft.dropped("The floppy drive", "machines here have none");
        return Ok(());
    }
    let what = match kind {
        "file" => {
            let path = words("file");
            return match (disk.key("device"), path) {
                (Some("cdrom"), "") => Ok(()),
                (Some("cdrom"), path) => {
                    draft.medium(path);
                    Ok(())
                }
                (_, "") => Err(invalid("a disk has no file")),
                (_, path) => draft.disk(path),
            };
        }
        "block" => format!(
            "A disk of the computer it was made on ({})",
            printable(words("dev"))
        ),
        "network" => format!("A disk in a network ({})", printable(words("protocol"))),
        "dir" => format!("A folder as a disk ({})", printable(words("dir"))),
        "volume" => format!(
            "A volume “{}” of a pool “{}”",
            printable(words("volume")),
            printable(words("pool"))
        ),
        other => format!("A disk of the kind “{}”", printable(other)),
    };
    let why = "only files beside the description are imported";
    if disk.key("device") == Some("cdrom") {
        draft.dropped(what, why);
    } else {
        draft.dropped(what, why);
        draft
            .facts
            .warnings
            .push("A disk of the machine is not imported, so the guest may miss something.".into());
    }
    Ok(())
}

fn read_nic(nic: &Node, kind: &str, draft: &mut Draft) -> Result<()> {
    let source = nic.first("source");
    let connection = match kind {
        "user" => "NAT".to_owned(),
        "network" if source.and_then(|source| source.key("network")) == Some("default") => "NAT".into(),
        "network" => "a network of its own".into(),
        "bridge" | "direct" => "bridged".into(),
        other => printable(other),
    };
    let connected = nic.first("link").and_then(|link| link.key("state")) != Some("down");
    draft.nic(
        nic.first("mac").and_then(|mac| mac.key("address")),
        &connection,
        connected,
    )?;
    if let Some(script) = nic.first("script").and_then(|script| script.key("path")) {
        draft.dropped(
            format!("The script {}", printable(script)),
            "nothing that a description names is run",
        );
    }
    for forward in nic.all("portForward") {
        let protocol = forward.key("proto").unwrap_or("tcp");
        for range in forward.all("range") {
            let start = range.key("start").unwrap_or_default();
            let guest = range.key("to").unwrap_or(start);
            draft.port(protocol, forward.key("address").unwrap_or_default(), start, guest)?;
        }
    }
    Ok(())
}
