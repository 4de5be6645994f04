//! OVF 0.9 to 2: a machine described in XML (DMTF DSP0243).

use super::{
    Bundle,
    draft::Draft,
    invalid,
    ova::compressed_disk,
    read_manifest, text_of,
    xml::{self, Read},
};
use crate::{
    beside::{judge_path, outside},
    detect::{Detector, Fate},
    foreign::Beside,
    qcow2::printable,
    refuse,
    source::{OpenFile, Source},
};
use nestbox_model::{DiskBus, Error, Firmware, Recognised, Result};
use percent_encoding::percent_decode_str;
use roxmltree::Node;
use std::collections::BTreeMap;

pub(crate) const DETECTOR: Detector = Detector {
    name: "OVF",
    found: |p| p.root_is("Envelope"),
    fate: Fate::Bundle(Recognised::Ovf, open),
};

/// # Errors
/// As [`read`]; `checksum-mismatch`.
pub(crate) fn open(file: &OpenFile, beside: &dyn Beside) -> Result<Bundle> {
    let text = text_of(file)?;
    let mut draft = Draft::new("machine described by OVF", beside);
    read(&text, beside, &mut draft)?;
    draft.finish(manifest(beside)?)
}

/// The list of checksums beside an unpacked description, if it is the only one there.
fn manifest(beside: &dyn Beside) -> Result<Vec<super::Checksum>> {
    let list = beside
        .folder()
        .and_then(|folder| super::only_with_end(folder, "mf"));
    match list.map(|name| beside.file(&name)) {
        Some(Ok(list)) => read_manifest(&text_of(&list)?, beside),
        _ => Ok(Vec::new()),
    }
}

/// Reads a description.
///
/// # Errors
/// `bundle-invalid`, `bundle-entities`, `machine-unsupported` (several machines, compressed disks),
/// `image-refers-elsewhere`, `part-missing`, `size-mismatch`, whatever a disk is refused for.
pub(super) fn read(bytes: &[u8], beside: &dyn Beside, draft: &mut Draft) -> Result<()> {
    let text = xml::decode(bytes)?;
    let document = xml::parse(&text)?;
    let envelope = document.root_element();
    if envelope.tag_name().name() != "Envelope" {
        return Err(invalid("it is no OVF"));
    }
    let files = files(&envelope, beside)?;
    let disks = disks(&envelope, &files, draft)?;
    let system = machine(&envelope)?;
    draft.name(
        system
            .words("Name")
            .or_else(|| system.key("id"))
            .unwrap_or_default(),
    );
    if let Some(about) = system.first("OperatingSystemSection") {
        read_system(&about, draft);
    }
    if let Some(notes) = system
        .first("AnnotationSection")
        .and_then(|notes| notes.words("Annotation"))
    {
        draft.notes(notes);
    }
    let hardware = system
        .first("VirtualHardwareSection")
        .ok_or_else(|| invalid("it has no hardware"))?;
    read_firmware(&system, &hardware, draft);
    let controllers = controllers(&hardware);
    let mut left: Vec<&str> = disks.keys().copied().collect();
    for item in hardware.children().filter(Node::is_element) {
        if matches!(
            item.tag_name().name(),
            "Item" | "StorageItem" | "EthernetPortItem"
        ) {
            let parent = item.words("Parent").and_then(|parent| controllers.get(parent));
            draft.on(parent.copied());
            read_item(&item, &disks, &mut left, draft)?;
        }
    }
    for disk in left {
        draft.dropped(
            format!("The disk “{}”", printable(disk)),
            "no machine in the description uses it",
        );
    }
    for product in system.all("ProductSection") {
        if product.first("Property").is_some() {
            draft.dropped(
                "Settings for the first start",
                "they are handed over by VMware's or VirtualBox's own ways",
            );
        }
    }
    Ok(())
}

/// What stands here for each storage controller, by its instance id. Numbers are CIM's resource types.
fn controllers<'a>(hardware: &Node<'a, '_>) -> BTreeMap<&'a str, DiskBus> {
    let items = hardware.children().filter(Node::is_element);
    items
        .filter_map(|item| {
            let kind = item.words("ResourceSubType").unwrap_or_default();
            let kind = kind.to_ascii_lowercase();
            let bus = match item.words("ResourceType")? {
                "6" if kind.contains("virtio") => DiskBus::Scsi,
                // Of VMware's and VirtualBox's SCSI controllers there is none here.
                "5" | "6" => DiskBus::Sata,
                "20" if kind.contains("nvme") => DiskBus::Nvme,
                "20" if kind.contains("virtio") => DiskBus::Scsi,
                "20" => DiskBus::Sata,
                _ => return None,
            };
            Some((item.words("InstanceID")?, bus))
        })
        .collect()
}

/// Paths by ids.
type Files<'a> = BTreeMap<&'a str, String>;

/// The path that a reference means: as it stands, or with its `%20` as letters where only such a file is there.
fn reference(text: &str, beside: &dyn Beside) -> String {
    if text.contains('%') && beside.file(text).is_err() {
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        if beside.file(&decoded).is_ok() {
            return decoded.into_owned();
        }
    }
    text.to_owned()
}

/// The one machine.
fn machine<'a, 'input>(envelope: &Node<'a, 'input>) -> Result<Node<'a, 'input>> {
    let mut all: Vec<_> = envelope.all("VirtualSystem").collect();
    for collection in envelope.all("VirtualSystemCollection") {
        all.extend(collection.all("VirtualSystem"));
    }
    match all[..] {
        [one] => Ok(one),
        [] => Err(invalid("it describes no machine")),
        _ => Err(super::several_machines()),
    }
}

/// The paths of the files by their ids; every one is there and as long as it should be.
fn files<'a>(envelope: &Node<'a, '_>, beside: &dyn Beside) -> Result<Files<'a>> {
    let mut out = BTreeMap::new();
    let Some(references) = envelope.only("References")? else {
        return Ok(out);
    };
    for file in references.all("File") {
        let (Some(id), Some(path)) = (file.key("id"), file.key("href")) else {
            return Err(invalid("it names a file without saying which"));
        };
        let path = reference(path, beside);
        judge_path(&path).map_err(|_| outside(&path))?;
        if file
            .key("compression")
            .is_some_and(|way| !way.is_empty() && way != "identity")
            || file.key("chunkSize").is_some()
        {
            return Err(compressed_disk());
        }
        // While only the first part of an archive can be seen, what is behind can't be judged.
        if let (Ok(there), Some(size)) = (beside.file(&path), file.key("size"))
            && size.trim().parse() != Ok(there.length())
        {
            return Err(wrong_size(&path, size, there.length()));
        }
        if out.insert(id, path).is_some() {
            return Err(invalid(format_args!("it has the file “{}” twice", printable(id))));
        }
    }
    Ok(out)
}

fn wrong_size(path: &str, told: &str, found: u64) -> Error {
    Error::unsafe_input(
        "size-mismatch",
        format!(
            "The file “{}” should have {} bytes and has {found}.",
            printable(path),
            printable(told)
        ),
    )
    .with_hint("Download or export it again; it was damaged or changed on its way.")
}

/// The paths of the disks' files by the disks' ids.
fn disks<'a>(envelope: &Node<'a, '_>, files: &Files<'a>, draft: &mut Draft) -> Result<Files<'a>> {
    let mut out = BTreeMap::new();
    let Some(section) = envelope.first("DiskSection") else {
        return Ok(out);
    };
    for disk in section.all("Disk") {
        let id = disk
            .key("diskId")
            .ok_or_else(|| invalid("it names a disk without saying which"))?;
        if disk.key("parentRef").is_some_and(|parent| !parent.is_empty()) {
            return Err(refuse::differencing(
                "disk",
                "Export the machine again without its snapshots.",
            ));
        }
        if disk
            .key("capacity")
            .is_some_and(|size| size.trim().parse::<u64>().is_err())
        {
            draft.changed(
                "The disk's size: as the disk itself says",
                "the size in the description is impossible",
            );
        }
        match disk.key("fileRef") {
            None | Some("") => draft.dropped(
                format!("The empty disk “{}”", printable(id)),
                "nothing is stored of it; add a disk afterwards if you need it",
            ),
            Some(file) => {
                let path = files.get(file).ok_or_else(|| refuse::part_missing(file))?;
                if out.insert(id, path.clone()).is_some() {
                    return Err(invalid(format_args!("it has the disk “{}” twice", printable(id))));
                }
            }
        }
    }
    Ok(out)
}

fn read_system(about: &Node, draft: &mut Draft) {
    let word = about
        .key("osType")
        .or_else(|| about.words("OSType"))
        .or_else(|| about.words("Description"));
    if let Some(word) = word {
        draft.facts.system = Some(printable(word));
    }
    // VMware's and CIM's words for ARM.
    if word.is_some_and(|word| word.to_ascii_lowercase().contains("arm")) {
        draft.facts.arch = Some(nestbox_model::Arch::Aarch64);
    }
}

fn read_firmware(system: &Node, hardware: &Node, draft: &mut Draft) {
    let vmware = hardware
        .all("Config")
        .any(|config| config.key("key") == Some("firmware") && config.key("value") == Some("efi"));
    let virtualbox = system.descendants().any(|node| {
        node.tag_name().name() == "Firmware" && node.key("type").is_some_and(|kind| kind.starts_with("EFI"))
    });
    let bios = hardware
        .all("Config")
        .any(|config| config.key("key") == Some("firmware") && config.key("value") == Some("bios"));
    if vmware || virtualbox {
        draft.firmware(Firmware::Uefi);
    } else if bios {
        draft.firmware(Firmware::Bios);
    }
}

fn read_item<'a>(
    item: &Node<'a, '_>,
    disks: &Files<'a>,
    left: &mut Vec<&'a str>,
    draft: &mut Draft,
) -> Result<()> {
    let kind = item.words("ResourceType").unwrap_or_default();
    match kind {
        "3" => draft.cpus(item.words("VirtualQuantity").unwrap_or_default()),
        "4" => draft.memory(memory(item)),
        "10" => read_nic(item, draft)?,
        "15" | "16" => drop_host_resource(item, "The CD drive's medium", draft),
        "17" => read_disk(item, disks, left, draft)?,
        // Controllers: machines here have their own.
        "5" | "6" | "20" | "23" | "24" | "13" | "18" => {}
        "14" => draft.dropped("The floppy drive", "machines here have none"),
        "35" => draft.dropped("The sound card", "machines here have their own"),
        "1" | "0" => {
            let name = item
                .words("ElementName")
                .or_else(|| item.words("Caption"))
                .unwrap_or("a device");
            draft.dropped(
                format!("“{}”", printable(name)),
                "it is a device of the program that made it",
            );
        }
        other => draft.dropped(
            format!("A device of the kind {}", printable(other)),
            "Nestbox does not know such devices",
        ),
    }
    Ok(())
}

/// A value and its unit: `byte * 2^20`, `MegaBytes`.
fn memory(item: &Node) -> Option<u64> {
    let value: u64 = item.words("VirtualQuantity")?.parse().ok()?;
    let unit = item
        .words("AllocationUnits")
        .unwrap_or("byte * 2^20")
        .to_ascii_lowercase();
    let unit: String = unit.chars().filter(|c| !c.is_whitespace()).collect();
    let shift = match unit.as_str() {
        "byte" | "bytes" => 0,
        "kilobytes" | "kb" => 10,
        "megabytes" | "mb" => 20,
        "gigabytes" | "gb" => 30,
        other => other
            .strip_prefix("byte*2^")?
            .parse::<u32>()
            .ok()
            .filter(|shift| *shift < 64)?,
    };
    value.checked_mul(1 << shift)
}

fn read_nic(item: &Node, draft: &mut Draft) -> Result<()> {
    let network = item.words("Connection").unwrap_or("NAT");
    let connection = if network.eq_ignore_ascii_case("nat") {
        "NAT".to_owned()
    } else {
        printable(network)
    };
    let connected = item
        .words("AutomaticAllocation")
        .is_none_or(|word| word != "false");
    draft.nic(item.words("Address"), &connection, connected)
}

fn drop_host_resource(item: &Node, what: &str, draft: &mut Draft) {
    if let Some(resource) = item.words("HostResource") {
        draft.dropped(
            format!("{what} ({})", printable(resource)),
            "it is a device or a file of the computer it was made on, or lies in the bundle",
        );
    }
}

fn read_disk<'a>(
    item: &Node<'a, '_>,
    disks: &Files<'a>,
    left: &mut Vec<&'a str>,
    draft: &mut Draft,
) -> Result<()> {
    let resource = item.words("HostResource").unwrap_or_default();
    let id = resource
        .strip_prefix("ovf:/disk/")
        .or_else(|| resource.strip_prefix("/disk/"));
    let Some(id) = id else {
        drop_host_resource(item, "A disk", draft);
        return Ok(());
    };
    match disks.get(id) {
        Some(path) => {
            left.retain(|other| *other != id);
            draft.disk_at(path)
        }
        None => {
            draft.dropped(
                format!("The disk “{}”", printable(id)),
                "the description does not say what it is",
            );
            Ok(())
        }
    }
}
