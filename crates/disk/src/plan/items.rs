//! The plan line by line: what is kept, changed and dropped, and why; and what is worth knowing.

use crate::{
    BundleFacts, Facts, ForeignFacts, Inspection, PackedFacts,
    raw::{DiskFacts, Table},
    systems::System,
};
use nestbox_model::{ImportItem, ItemFate, Recognised, units::format_size};

pub(super) fn item(what: impl Into<String>, fate: ItemFate, why: Option<&str>) -> ImportItem {
    ImportItem {
        what: what.into(),
        fate,
        why: why.map(str::to_owned),
    }
}

pub(super) fn items(inspection: &Inspection, system: &System, warnings: &mut Vec<String>) -> Vec<ImportItem> {
    let mut items = Vec::new();
    match &inspection.facts {
        Facts::Iso(iso) => {
            items.push(item(
                "The ISO, read where it is and never written",
                ItemFate::Kept,
                None,
            ));
            items.push(item(
                format!("A new empty disk of {}", format_size(system.disk)),
                ItemFate::Changed,
                Some("an installer needs a disk to install on"),
            ));
            if iso.boot_damaged {
                warnings.push("Its boot record is damaged, so it may not start.".into());
            } else if iso.boot.none() {
                warnings.push("It is not bootable: it holds files, but nothing that starts.".into());
            }
            warnings.push("If the ISO is moved or deleted, the machine's CD drive will be empty.".into());
        }
        Facts::Qcow2 { header, disk, .. } => {
            items.push(all_data());
            qcow2_items(header, &mut items, warnings);
            warn_about_disk(disk, warnings);
        }
        Facts::Raw(disk) => {
            items.push(all_data());
            items.push(new_format(Recognised::Raw));
            warn_about_disk(disk, warnings);
        }
        Facts::Foreign(foreign) => foreign_items(inspection.recognised, foreign, &mut items, warnings),
        Facts::Packed(packed) => packed_items(packed, system, &mut items, warnings),
        Facts::Bundle(machine) => bundle_items(machine, &inspection.disks, &mut items, warnings),
    }
    if inspection.capacity() != exact_capacity(inspection) {
        items.push(item(
            "The size, rounded up to whole sectors of 512 bytes",
            ItemFate::Changed,
            Some("disks have whole sectors"),
        ));
    }
    if inspection.is_link {
        warnings.push(
            "The path is a link; the file it leads to is never moved, only copied or used in place.".into(),
        );
    }
    items
}

fn all_data() -> ImportItem {
    item("All data, byte for byte", ItemFate::Kept, None)
}

fn new_format(from: Recognised) -> ImportItem {
    let from = match from {
        Recognised::Raw => "raw".to_owned(),
        other => other.as_str().to_ascii_uppercase(),
    };
    item(
        format!("The format: {from} becomes qcow2"),
        ItemFate::Changed,
        Some("so that empty space takes no room and snapshots are quick"),
    )
}

fn qcow2_items(header: &crate::qcow2::Header, items: &mut Vec<ImportItem>, warnings: &mut Vec<String>) {
    if header.snapshots > 0 {
        items.push(item(
            format!("{} inside the image", counted(header.snapshots, "snapshot")),
            ItemFate::Kept,
            Some("they stay in the file; Nestbox's own snapshots don't use them"),
        ));
    }
    if header.bitmaps > 0 {
        items.push(item(
            format!("{} for incremental backups", counted(header.bitmaps, "bitmap")),
            ItemFate::Kept,
            Some("they stay in the file; Nestbox does not use them"),
        ));
    }
    if header.dirty {
        items.push(item(
            "Reference counts",
            ItemFate::Changed,
            Some("the image was not closed properly; the copy is repaired, the data stay"),
        ));
        warnings
            .push("The image was not closed properly. If a program still uses it, stop that first.".into());
    }
}

fn foreign_items(
    kind: Recognised,
    foreign: &ForeignFacts,
    items: &mut Vec<ImportItem>,
    warnings: &mut Vec<String>,
) {
    items.push(all_data());
    if foreign.several_files {
        items.push(item(
            "The pieces of the disk become one file",
            ItemFate::Changed,
            Some("a disk of a machine is one image"),
        ));
    }
    items.push(new_format(kind));
    for (what, why) in &foreign.dropped {
        items.push(item(what, ItemFate::Dropped, Some(why)));
    }
    warnings.extend(foreign.warnings.iter().cloned());
    warn_about_disk(&foreign.disk, warnings);
}

fn packed_items(
    packed: &PackedFacts,
    system: &System,
    items: &mut Vec<ImportItem>,
    warnings: &mut Vec<String>,
) {
    items.push(all_data());
    items.push(item(
        "It is unpacked",
        ItemFate::Changed,
        Some("a machine needs to reach every part of it at once"),
    ));
    if packed.inside == Recognised::Iso {
        items.push(item(
            format!("A new empty disk of {}", format_size(system.disk)),
            ItemFate::Changed,
            Some("an installer needs a disk to install on"),
        ));
    } else if packed.inside != Recognised::Qcow2 && !packed.inside.is_bundle() {
        items.push(new_format(packed.inside));
    }
    if let Some(machine) = &packed.machine {
        items.extend(machine.items.iter().cloned());
        warnings.extend(machine.warnings.iter().cloned());
    }
    if let Some(name) = &packed.name {
        items.push(item(
            format!("The name in the archive, “{name}”"),
            ItemFate::Dropped,
            Some("files of the library have names of their own"),
        ));
    }
    warnings.push("Only its first part was looked at; the rest is judged while it is unpacked.".into());
}

fn bundle_items(
    machine: &BundleFacts,
    disks: &[Inspection],
    items: &mut Vec<ImportItem>,
    warnings: &mut Vec<String>,
) {
    items.extend(machine.items.iter().cloned());
    warnings.extend(machine.warnings.iter().cloned());
    for disk in disks {
        let name = crate::qcow2::printable(&disk.path.to_string_lossy());
        match &disk.facts {
            Facts::Qcow2 { header, .. } => qcow2_items(header, items, warnings),
            Facts::Foreign(foreign) => {
                for (what, why) in &foreign.dropped {
                    items.push(item(format!("{what} ({name})"), ItemFate::Dropped, Some(why)));
                }
                warnings.extend(foreign.warnings.iter().cloned());
            }
            _ => {}
        }
        if disk.recognised != Recognised::Qcow2 {
            items.push(new_format(disk.recognised));
        }
    }
    if let Some(facts) = disks.first().and_then(Inspection::disk_facts) {
        warn_about_disk(facts, warnings);
    }
}

fn exact_capacity(inspection: &Inspection) -> u64 {
    match &inspection.facts {
        Facts::Qcow2 { header, .. } => header.capacity,
        Facts::Foreign(foreign) => foreign.capacity,
        Facts::Raw(_) | Facts::Iso(_) => inspection.length,
        Facts::Packed(_) | Facts::Bundle(_) => inspection.capacity(),
    }
}

fn warn_about_disk(disk: &DiskFacts, warnings: &mut Vec<String>) {
    match disk.table {
        Table::Blank => {
            warnings.push("The disk looks empty: there are no partitions and no file system.".into());
        }
        Table::Unknown => {
            warnings.push("No partitions or file system were recognised; it may not start.".into());
        }
        Table::Whole if disk.boot.none() => {
            warnings.push("The disk is one file system without anything that starts.".into());
        }
        _ => {}
    }
    if disk.cut_off {
        warnings
            .push("The partition table speaks of more than the disk has: it may have been cut off.".into());
    }
}

fn counted(count: u32, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}
