//! What an import would do: pure conclusions from an [`Inspection`].

use crate::{
    BootFacts, Facts, Inspection, inspect,
    qcow2::printable,
    raw::{DiskFacts, Table},
    systems::{self, System},
};
use nestbox_model::{Arch, Firmware, ImportItem, ImportPlan, ItemFate, Result, validate_name};
use std::path::Path;

/// What importing `path` would do, with proposals for the machine. `arch` overrides the guess.
///
/// # Errors
/// As [`inspect`].
pub fn plan(path: &Path, arch: Option<Arch>) -> Result<ImportPlan> {
    inspect(path).map(|inspection| inspection.plan(arch))
}

impl Inspection {
    /// What importing this file would do; see [`plan`].
    pub fn plan(&self, arch: Option<Arch>) -> ImportPlan {
        let file_name = self
            .path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let volume = match &self.facts {
            Facts::Iso(iso) => Some(iso.volume.as_str()),
            _ => None,
        };
        let guess = volume
            .and_then(systems::guess)
            .or_else(|| systems::guess(&file_name));
        let (system, words) = match guess {
            Some((system, words)) => (system, Some(words)),
            None => (&systems::UNKNOWN, None),
        };
        let mut warnings = Vec::new();
        let (arch, arch_reason) = self.choose_arch(arch, volume, &file_name, &mut warnings);
        let firmware = choose_firmware(arch, self.boot());
        let (disk, needs) = match &self.facts {
            Facts::Iso(_) => (system.disk, 0),
            _ => (self.capacity(), self.allocated.min(self.length)),
        };
        let items = self.items(system, &mut warnings);
        ImportPlan {
            path: self.path.to_string_lossy().into_owned(),
            recognised: self.recognised.clone(),
            description: self.describe(),
            name: words.clone().unwrap_or_else(|| name_from(&file_name)),
            glyph: system.glyph.to_owned(),
            system: words,
            arch,
            arch_reason,
            firmware,
            cpus: system.cpus.min(processors()),
            memory: system.memory,
            disk,
            size: self.length,
            needs,
            partitions: self
                .disk_facts()
                .map(|facts| facts.words.clone())
                .unwrap_or_default(),
            items,
            warnings,
        }
    }

    fn disk_facts(&self) -> Option<&DiskFacts> {
        match &self.facts {
            Facts::Qcow2 { disk, .. } | Facts::Raw(disk) => Some(disk),
            Facts::Iso(_) => None,
        }
    }

    fn boot(&self) -> &BootFacts {
        match &self.facts {
            Facts::Qcow2 { disk, .. } | Facts::Raw(disk) => &disk.boot,
            Facts::Iso(iso) => &iso.boot,
        }
    }

    fn describe(&self) -> String {
        match &self.facts {
            Facts::Qcow2 { header, .. } => header.describe(),
            Facts::Raw(_) => "raw disk".into(),
            Facts::Iso(iso) => match iso.boot.words() {
                Some(words) => format!("ISO 9660, bootable ({words})"),
                None => "ISO 9660, not bootable".into(),
            },
        }
    }

    fn choose_arch(
        &self,
        asked: Option<Arch>,
        volume: Option<&str>,
        file_name: &str,
        warnings: &mut Vec<String>,
    ) -> (Arch, String) {
        let boots = &self.boot().uefi_arches;
        if let Some(asked) = asked {
            if !boots.is_empty() && !boots.contains(&asked) {
                warnings.push(format!(
                    "It starts on {} only, so it will probably not start on {}.",
                    boots
                        .iter()
                        .map(|arch| arch.common_name())
                        .collect::<Vec<_>>()
                        .join(", "),
                    asked.common_name()
                ));
            }
            return (asked, "your choice".into());
        }
        let named = volume
            .and_then(systems::arch_in)
            .map(|arch| (arch, "the volume's name"))
            .or_else(|| systems::arch_in(file_name).map(|arch| (arch, "the file's name")));
        // Several boot files (64 and 32 bit, usually): the one the name speaks of, else the one this computer can run.
        let boot_file = boots
            .iter()
            .find(|arch| named.is_some_and(|(named, _)| named == **arch))
            .or_else(|| boots.iter().find(|arch| arch.is_native()))
            .or_else(|| boots.first());
        if let Some(arch) = boot_file {
            return (*arch, "EFI boot file".into());
        }
        if let Some(arch) = self.disk_facts().and_then(|facts| facts.arch) {
            return (arch, "a partition's type".into());
        }
        if let Some((arch, why)) = named {
            return (arch, why.into());
        }
        if self.boot().bios {
            return (Arch::X86_64, "code for a PC's BIOS".into());
        }
        (Arch::host().unwrap_or(Arch::X86_64), "this computer's".into())
    }

    fn items(&self, system: &System, warnings: &mut Vec<String>) -> Vec<ImportItem> {
        let mut items = Vec::new();
        let mut item = |what: String, fate: ItemFate, why: Option<&str>| {
            items.push(ImportItem {
                what,
                fate,
                why: why.map(str::to_owned),
            });
        };
        match &self.facts {
            Facts::Iso(iso) => {
                item(
                    "The ISO, read where it is and never written".into(),
                    ItemFate::Kept,
                    None,
                );
                item(
                    format!(
                        "A new empty disk of {}",
                        nestbox_model::units::format_size(system.disk)
                    ),
                    ItemFate::Changed,
                    Some("an installer needs a disk to install on"),
                );
                if iso.boot_damaged {
                    warnings.push("Its boot record is damaged, so it may not start.".into());
                } else if iso.boot.none() {
                    warnings.push("It is not bootable: it holds files, but nothing that starts.".into());
                }
                warnings.push("If the ISO is moved or deleted, the machine's CD drive will be empty.".into());
            }
            Facts::Qcow2 { header, disk, .. } => {
                item("All data, byte for byte".into(), ItemFate::Kept, None);
                if header.snapshots > 0 {
                    item(
                        format!("{} inside the image", counted(header.snapshots, "snapshot")),
                        ItemFate::Kept,
                        Some("they stay in the file; Nestbox's own snapshots don't use them"),
                    );
                }
                if header.bitmaps > 0 {
                    item(
                        format!("{} for incremental backups", counted(header.bitmaps, "bitmap")),
                        ItemFate::Kept,
                        Some("they stay in the file; Nestbox does not use them"),
                    );
                }
                if header.dirty {
                    item(
                        "Reference counts".into(),
                        ItemFate::Changed,
                        Some("the image was not closed properly; the copy is repaired, the data stay"),
                    );
                    warnings.push(
                        "The image was not closed properly. If a program still uses it, stop that first."
                            .into(),
                    );
                }
                warn_about_disk(disk, warnings);
            }
            Facts::Raw(disk) => {
                item("All data, byte for byte".into(), ItemFate::Kept, None);
                item(
                    "The format: raw becomes qcow2".into(),
                    ItemFate::Changed,
                    Some("so that empty space takes no room and snapshots are quick"),
                );
                warn_about_disk(disk, warnings);
            }
        }
        if self.capacity() != self.exact_capacity() {
            item(
                "The size, rounded up to whole sectors of 512 bytes".into(),
                ItemFate::Changed,
                Some("disks have whole sectors"),
            );
        }
        if self.is_link {
            warnings.push(
                "The path is a link; the file it leads to is never moved, only copied or used in place."
                    .into(),
            );
        }
        items
    }

    fn exact_capacity(&self) -> u64 {
        match &self.facts {
            Facts::Qcow2 { header, .. } => header.capacity,
            Facts::Raw(_) | Facts::Iso(_) => self.length,
        }
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

fn choose_firmware(arch: Arch, boot: &BootFacts) -> Firmware {
    match arch {
        Arch::Aarch64 | Arch::Riscv64 | Arch::Arm => Firmware::Uefi,
        Arch::X86_64 if boot.uefi => Firmware::Uefi,
        Arch::I386 if boot.uefi && !boot.bios => Firmware::Uefi,
        Arch::X86_64 | Arch::I386 | Arch::Ppc64 | Arch::S390x => Firmware::Bios,
    }
}

fn processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1))
}

/// A machine's name from a file's.
fn name_from(file_name: &str) -> String {
    let (stem, end) = file_name.rsplit_once('.').unwrap_or((file_name, ""));
    let known = ["iso", "qcow2", "qcow", "img", "raw", "bin", "dd"];
    let stem = if known.contains(&end.to_ascii_lowercase().as_str()) {
        stem
    } else {
        file_name
    };
    let clean: String = printable(stem)
        .chars()
        .filter(|c| *c != '\u{fffd}')
        .take(100)
        .collect();
    validate_name(clean.trim_matches([' ', '.'])).unwrap_or_else(|_| "Imported machine".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_clean_whatever_the_file_is_called() {
        for (file, name) in [
            ("my disk.qcow2", "my disk"),
            ("a.b.IMG", "a.b"),
            ("noend", "noend"),
            ("archive.tar", "archive.tar"),
            (".qcow2", "Imported machine"),
            ("...", "Imported machine"),
            ("\u{202e}gpj.2wocq.qcow2", "gpj.2wocq"),
            ("ta\tb.raw", "tab"),
            ("", "Imported machine"),
        ] {
            assert_eq!(name_from(file), name, "{file:?}");
            assert!(validate_name(&name_from(file)).is_ok());
        }
        assert_eq!(name_from(&"ä".repeat(300)).chars().count(), 100);
    }

    #[test]
    fn firmware_follows_what_is_there() {
        let uefi = BootFacts {
            bios: true,
            uefi: true,
            uefi_arches: vec![],
        };
        assert_eq!(choose_firmware(Arch::X86_64, &uefi), Firmware::Uefi);
        assert_eq!(
            choose_firmware(Arch::X86_64, &BootFacts::default()),
            Firmware::Bios
        );
        assert_eq!(
            choose_firmware(Arch::Aarch64, &BootFacts::default()),
            Firmware::Uefi
        );
        assert_eq!(
            choose_firmware(Arch::S390x, &BootFacts::default()),
            Firmware::Bios
        );
    }
}
