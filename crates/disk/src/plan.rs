//! What an import would do: pure conclusions from an [`Inspection`].

mod controllers;
mod items;

use crate::{
    BootFacts, BundleFacts, Facts, Inspection, PackedFacts, inspect, qcow2::printable, raw::DiskFacts,
    systems,
};
use nestbox_model::{Arch, DiskBus, Firmware, ImportDisk, ImportPlan, Recognised, Result, validate_name};
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
        let file_name = self.file_name();
        let volume = match &self.facts {
            Facts::Iso(iso) => Some(iso.volume.as_str()),
            Facts::Packed(packed) => packed.volume.as_deref(),
            _ => None,
        };
        let machine = self.machine();
        let told = machine.and_then(|machine| machine.system.as_deref());
        let named = machine.and_then(|machine| machine.name.as_deref());
        let guess = [volume, told, named, Some(file_name.as_str())]
            .into_iter()
            .flatten()
            .find_map(systems::guess);
        let (system, words) = match guess {
            Some((system, words)) => (system, Some(words)),
            None => (&systems::UNKNOWN, None),
        };
        let mut warnings = Vec::new();
        let (arch, arch_reason) = self.choose_arch(arch, volume, &file_name, &mut warnings);
        let firmware = machine
            .and_then(|machine| machine.firmware)
            .unwrap_or_else(|| choose_firmware(arch, self.boot()));
        let (disk, needs) = match &self.facts {
            Facts::Iso(_) => (system.disk, 0),
            Facts::Packed(packed) => (
                packed.capacity.unwrap_or(system.disk),
                packed_needs(packed, self.length),
            ),
            Facts::Foreign(foreign) => (self.capacity(), foreign.stored.min(self.capacity())),
            Facts::Bundle(_) => (self.capacity(), self.disks.iter().map(Self::stored).sum()),
            _ => (self.capacity(), self.allocated.min(self.length)),
        };
        let mut items = items::items(self, system, &mut warnings);
        let mut disks = self.as_disks();
        let windows = told.is_some_and(|word| word.to_ascii_lowercase().contains("windows"))
            || system.glyph == systems::WINDOWS_GLYPH
            || self.disk_facts().is_some_and(looks_like_windows);
        let buses = machine
            .map(|machine| machine.buses.as_slice())
            .unwrap_or_default();
        controllers::settle(&mut disks, buses, arch, windows, &mut items);
        let clock_local = machine.and_then(|machine| machine.clock_local).unwrap_or(windows);
        if clock_local {
            items.push(items::item(
                "The clock shows the local time",
                nestbox_model::ItemFate::Kept,
                None,
            ));
        }
        ImportPlan {
            path: self.path.to_string_lossy().into_owned(),
            recognised: self.recognised,
            description: self.describe(),
            name: named
                .map(str::to_owned)
                .or_else(|| words.clone())
                .unwrap_or_else(|| name_from(&file_name)),
            glyph: system.glyph.to_owned(),
            system: words,
            arch,
            arch_reason,
            firmware,
            cpus: machine
                .and_then(|machine| machine.cpus)
                .unwrap_or(system.cpus)
                .min(processors()),
            memory: machine
                .and_then(|machine| machine.memory)
                .unwrap_or(system.memory),
            disk,
            size: self.stored(),
            needs,
            partitions: self.partitions(),
            items,
            warnings,
            inside: match &self.facts {
                Facts::Packed(packed) => Some(packed.inside),
                _ => None,
            },
            disks,
            nics: machine.map(|machine| machine.nics.clone()).unwrap_or_default(),
            ports: machine.map(|machine| machine.ports.clone()).unwrap_or_default(),
            shares: machine.map(|machine| machine.shares.clone()).unwrap_or_default(),
            snapshots: machine
                .map(|machine| machine.snapshots.clone())
                .unwrap_or_default(),
            medium: machine
                .and_then(|machine| machine.medium.as_ref())
                .map(|path| path.to_string_lossy().into_owned()),
            notes: machine.and_then(|machine| machine.notes.clone()),
            clock_local,
            new_disk_bus: controllers::for_new(arch, windows),
        }
    }

    /// What the description of a machine says.
    fn machine(&self) -> Option<&BundleFacts> {
        match &self.facts {
            Facts::Bundle(machine) => Some(machine),
            Facts::Packed(packed) => packed.machine.as_deref(),
            _ => None,
        }
    }

    fn as_disks(&self) -> Vec<ImportDisk> {
        if self.is_medium() {
            return Vec::new();
        }
        if let Facts::Bundle(_) = &self.facts {
            return self.disks.iter().flat_map(Self::as_disks).collect();
        }
        if let Some(machine) = self.machine().filter(|machine| !machine.unjudged.is_empty()) {
            return machine.unjudged.iter().map(|name| unjudged(name)).collect();
        }
        vec![ImportDisk {
            name: printable(&self.file_name()),
            recognised: self.recognised,
            description: self.describe(),
            capacity: self.capacity(),
            size: self.stored(),
            partitions: self.partitions(),
            bus: DiskBus::default(),
        }]
    }

    fn file_name(&self) -> String {
        self.path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    fn partitions(&self) -> Vec<String> {
        self.disk_facts()
            .map(|facts| facts.words.clone())
            .unwrap_or_default()
    }

    /// It is an ISO, compressed or not.
    fn is_medium(&self) -> bool {
        match &self.facts {
            Facts::Iso(_) => true,
            Facts::Packed(packed) => packed.inside == Recognised::Iso,
            _ => false,
        }
    }

    /// Bytes of its files, all together.
    fn stored(&self) -> u64 {
        match &self.facts {
            Facts::Foreign(foreign) => foreign.stored,
            Facts::Bundle(_) => self.disks.iter().map(Self::stored).sum::<u64>().max(self.length),
            _ => self.length,
        }
    }

    fn disk_facts(&self) -> Option<&DiskFacts> {
        match &self.facts {
            Facts::Qcow2 { disk, .. } | Facts::Raw(disk) => Some(disk),
            Facts::Foreign(foreign) => Some(&foreign.disk),
            Facts::Packed(packed) => Some(&packed.disk),
            Facts::Bundle(_) => self.disks.first().and_then(Self::disk_facts),
            Facts::Iso(_) => None,
        }
    }

    fn boot(&self) -> &BootFacts {
        match &self.facts {
            Facts::Qcow2 { disk, .. } | Facts::Raw(disk) => &disk.boot,
            Facts::Foreign(foreign) => &foreign.disk.boot,
            Facts::Packed(packed) => &packed.disk.boot,
            Facts::Bundle(_) => match self.disks.first() {
                Some(disk) => disk.boot(),
                None => &NOTHING_STARTS,
            },
            Facts::Iso(iso) => &iso.boot,
        }
    }

    fn describe(&self) -> String {
        match &self.facts {
            Facts::Qcow2 { header, .. } => header.describe(),
            Facts::Raw(_) => "raw disk".into(),
            Facts::Foreign(foreign) => foreign.words.clone(),
            Facts::Packed(packed) => packed.words.clone(),
            Facts::Bundle(bundle) => bundle.words.clone(),
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
        if let Some(arch) = self.machine().and_then(|machine| machine.arch) {
            return (arch, "the machine's description".into());
        }
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

static NOTHING_STARTS: BootFacts = BootFacts {
    bios: false,
    uefi: false,
    uefi_arches: Vec::new(),
};

/// Bytes for the unpacked file, and for the disk that is written anew from it.
fn packed_needs(packed: &PackedFacts, length: u64) -> u64 {
    let unpacked = packed.claimed.unwrap_or(length);
    if packed.inside == Recognised::Qcow2 || packed.inside == Recognised::Iso {
        unpacked
    } else {
        unpacked.saturating_mul(2)
    }
}

/// A disk that can be judged only once it is unpacked.
fn unjudged(name: &str) -> ImportDisk {
    ImportDisk {
        name: name.to_owned(),
        recognised: Recognised::Raw,
        description: "judged when it is unpacked".into(),
        capacity: 0,
        size: 0,
        partitions: Vec::new(),
        bus: DiskBus::default(),
    }
}

/// A disk that Windows put its partitions on, or an old one whose NTFS is started by a BIOS.
fn looks_like_windows(disk: &DiskFacts) -> bool {
    let has = |word: &str| disk.words.iter().any(|words| words.contains(word));
    has("Microsoft reserved") || (disk.boot.bios && has("NTFS") && !has("Linux"))
}

/// Ends of file names that are no part of a machine's name.
const ENDS: [&str; 19] = [
    "iso", "qcow2", "qcow", "img", "raw", "bin", "dd", "vmdk", "vdi", "vhd", "vhdx", "ova", "ovf", "utm",
    "vbox", "vmx", "conf", "xml", "vmwarevm",
];

/// A machine's name from a file's.
fn name_from(file_name: &str) -> String {
    let (stem, end) = file_name.rsplit_once('.').unwrap_or((file_name, ""));
    let end = end.to_ascii_lowercase();
    let stem = match end.as_str() {
        // What is compressed has two ends.
        "gz" | "xz" | "zst" | "bz2" | "zip" if !stem.is_empty() => return name_from(stem),
        _ if ENDS.contains(&end.as_str()) => stem,
        _ => file_name,
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
            ("Ubuntu 64-bit.vmdk", "Ubuntu 64-bit"),
            ("disk.img.xz", "disk"),
            ("disk.zst", "disk"),
            ("archive.gz.gz", "archive"),
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
