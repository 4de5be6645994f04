//! What is on a disk: partition tables (MBR, GPT), file systems without one, and how it starts. Works on raw images and
//! on the disks inside qcow2 files. Bounded; reads only.

use crate::{
    boot::BootFacts,
    fat,
    source::{Part, Source, be32, le32, le64},
};
use nestbox_model::{Arch, units::format_size};
use std::io;

/// Most partitions shown.
const PARTITIONS_MAX: usize = 128;
/// Most bytes of a GPT's entries read.
const GPT_BYTES_MAX: u64 = 1 << 20;

/// How a disk is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// A GUID partition table.
    Gpt,
    /// A PC partition table.
    Mbr,
    /// A file system (or a boot sector) without a partition table.
    Whole,
    /// Nothing but zeros where a table would be.
    Blank,
    /// Something unknown.
    Unknown,
}

/// What a disk holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFacts {
    /// How it is divided.
    pub table: Table,
    /// The table and the partitions in words.
    pub words: Vec<String>,
    /// How it starts.
    pub boot: BootFacts,
    /// Architecture that the types of its partitions name.
    pub arch: Option<Arch>,
    /// The table speaks of more than there is.
    pub cut_off: bool,
}

/// Looks at a disk. What can't be read counts as not there.
pub(crate) fn look(source: &dyn Source) -> DiskFacts {
    try_look(source).unwrap_or_else(|_| DiskFacts::new(Table::Unknown))
}

impl DiskFacts {
    pub(crate) fn new(table: Table) -> Self {
        Self {
            table,
            words: Vec::new(),
            boot: BootFacts::default(),
            arch: None,
            cut_off: false,
        }
    }
    fn look_into_esp(&mut self, source: &dyn Source, offset: u64, length: u64) {
        self.boot.uefi = true;
        let part = Part {
            whole: source,
            offset,
            length,
        };
        self.boot.add_boot_files(&fat::efi_boot_files(&part));
    }
}

fn try_look(source: &dyn Source) -> io::Result<DiskFacts> {
    let head = source.piece_up_to(0, 128 << 10)?;
    let signed = head.len() >= 512 && head[510..512] == [0x55, 0xaa];
    for sector in [512u64, 4096] {
        let at = sector as usize;
        if head.get(at..at + 8) == Some(b"EFI PART") {
            return look_at_gpt(source, &head, sector);
        }
    }
    if let Some(name) = file_system(&head) {
        let mut facts = DiskFacts::new(Table::Whole);
        facts
            .words
            .push(format!("No partition table: {name} on the whole disk"));
        if name == "FAT" {
            let files = fat::efi_boot_files(source);
            facts.boot.add_boot_files(&files);
        }
        facts.boot.bios = signed && boot_code(&head);
        return Ok(facts);
    }
    if signed && mbr_is_plausible(&head) {
        return Ok(look_at_mbr(source, &head));
    }
    let mut facts = DiskFacts::new(if head.iter().all(|byte| *byte == 0) {
        Table::Blank
    } else {
        Table::Unknown
    });
    if signed {
        facts.table = Table::Whole;
        facts.boot.bios = true;
        facts.words.push("A boot sector, no partition table".into());
    }
    Ok(facts)
}

/// There is code where a BIOS jumps to.
fn boot_code(head: &[u8]) -> bool {
    head.get(..440)
        .is_some_and(|code| code.iter().filter(|byte| **byte != 0).count() > 8)
}

/// The four entries of a partition table make sense.
pub(crate) fn mbr_is_plausible(head: &[u8]) -> bool {
    let Some(entries) = head.get(446..510) else {
        return false;
    };
    let mut used = 0;
    for entry in entries.chunks_exact(16) {
        if entry[0] & 0x7f != 0 {
            return false;
        }
        if entry[4] != 0 {
            if le32(entry, 12) == 0 {
                return false;
            }
            used += 1;
        }
    }
    used > 0
}

fn look_at_mbr(source: &dyn Source, head: &[u8]) -> DiskFacts {
    let mut facts = DiskFacts::new(Table::Mbr);
    facts.boot.bios = boot_code(head);
    for (index, entry) in head[446..510].chunks_exact(16).enumerate() {
        let kind = entry[4];
        if kind == 0 {
            continue;
        }
        let (start, length) = (u64::from(le32(entry, 8)) * 512, u64::from(le32(entry, 12)) * 512);
        facts.cut_off |= start + length > source.length();
        facts.words.push(format!(
            "Partition {}: {}, {}",
            index + 1,
            mbr_kind(kind),
            format_size(length)
        ));
        if kind == 0xef {
            facts.look_into_esp(source, start, length);
        }
    }
    let count = facts.words.len();
    facts
        .words
        .insert(0, format!("MBR partition table, {}", partitions(count)));
    facts
}

fn partitions(count: usize) -> String {
    if count == 1 {
        "1 partition".into()
    } else {
        format!("{count} partitions")
    }
}

fn mbr_kind(kind: u8) -> &'static str {
    match kind {
        0x01 | 0x04 | 0x06 | 0x0b | 0x0c | 0x0e => "FAT",
        0x05 | 0x0f | 0x85 => "extended",
        0x07 => "NTFS or exFAT",
        0x27 => "Windows recovery",
        0x82 => "Linux swap",
        0x83 => "Linux",
        0x8e => "Linux LVM",
        0xa5 => "FreeBSD",
        0xa6 => "OpenBSD",
        0xa9 => "NetBSD",
        0xaf => "macOS",
        0xee => "protects a GPT",
        0xef => "EFI system",
        0xfd => "Linux RAID",
        _ => "other",
    }
}

fn look_at_gpt(source: &dyn Source, head: &[u8], sector: u64) -> io::Result<DiskFacts> {
    let mut facts = DiskFacts::new(Table::Gpt);
    let table = &head[sector as usize..];
    let (entries_at, count, size) = (
        le64(table, 72),
        u64::from(le32(table, 80)),
        u64::from(le32(table, 84)),
    );
    let last_usable = le64(table, 48);
    facts.cut_off = last_usable
        .checked_add(1)
        .and_then(|n| n.checked_mul(sector))
        .is_none_or(|end| end > source.length());
    facts.boot.bios = head[510..512] == [0x55, 0xaa] && boot_code(head);
    if !(128..=4096).contains(&size) || count > 4096 {
        facts.words.push("GPT partition table, damaged".into());
        return Ok(facts);
    }
    let offset = entries_at
        .checked_mul(sector)
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let entries = source.piece_up_to(offset, (count * size).min(GPT_BYTES_MAX))?;
    for (index, entry) in entries.chunks_exact(size as usize).enumerate() {
        if entry[..16].iter().all(|byte| *byte == 0) {
            continue;
        }
        if facts.words.len() == PARTITIONS_MAX {
            break;
        }
        let (first, last) = (le64(entry, 32), le64(entry, 40));
        let bytes = last
            .saturating_sub(first)
            .saturating_add(1)
            .saturating_mul(sector);
        let (name, arch) = gpt_kind(entry);
        facts.arch = facts.arch.or(arch);
        facts
            .words
            .push(format!("Partition {}: {name}, {}", index + 1, format_size(bytes)));
        if name == "EFI system" {
            facts.look_into_esp(source, first.saturating_mul(sector), bytes);
        }
    }
    let shown = facts.words.len();
    facts
        .words
        .insert(0, format!("GPT partition table, {}", partitions(shown)));
    Ok(facts)
}

/// A partition's type, by the first four bytes of its GUID (they tell the known ones apart).
fn gpt_kind(entry: &[u8]) -> (&'static str, Option<Arch>) {
    match le32(entry, 0) {
        0xc12a_7328 => ("EFI system", None),
        0x2168_6148 => ("BIOS boot code", None),
        0x0fc6_3daf => ("Linux", None),
        0x4f68_bce3 => ("Linux root for x86_64", Some(Arch::X86_64)),
        0xb921_b045 => ("Linux root for aarch64", Some(Arch::Aarch64)),
        0x72ec_70a6 => ("Linux root for riscv64", Some(Arch::Riscv64)),
        0x4447_9540 => ("Linux root for i386", Some(Arch::I386)),
        0x69da_d710 => ("Linux root for arm", Some(Arch::Arm)),
        0x5eea_d9a9 => ("Linux root for s390x", Some(Arch::S390x)),
        0x0657_fd6d => ("Linux swap", None),
        0xe6d6_d379 => ("Linux LVM", None),
        0xbc13_c2ff => ("Linux boot", None),
        0x9e1a_2d38 => ("PowerPC boot code", Some(Arch::Ppc64)),
        0xe3c9_e316 => ("Microsoft reserved", None),
        0xebd0_a0a2 => ("Windows data", None),
        0xde94_bba4 => ("Windows recovery", None),
        0x516e_7cb4 | 0x516e_7cb6 | 0x516e_7cba => ("FreeBSD", None),
        0x516e_7cb5 => ("FreeBSD swap", None),
        0x83bd_6b9d => ("FreeBSD boot code", None),
        0x824c_c7a0 => ("OpenBSD", None),
        0x4846_5300 | 0x7c34_57ef => ("macOS", None),
        _ => ("other", None),
    }
}

/// The file system that begins at the start of `head` (at least 128 KiB of it where there are so many).
fn file_system(head: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| head.get(offset..offset + magic.len()) == Some(magic);
    Some(if at(3, b"NTFS    ") {
        "NTFS"
    } else if at(3, b"EXFAT   ") {
        "exFAT"
    } else if at(54, b"FAT1") || at(82, b"FAT32") {
        "FAT"
    } else if at(0x438, &[0x53, 0xef]) && le32(head, 0x404) != 0 {
        "ext2/3/4"
    } else if at(0, b"XFSB") {
        "XFS"
    } else if at(0x10040, b"_BHRfS_M") {
        "Btrfs"
    } else if at(512, b"LABELONE") {
        "LVM"
    } else if at(0, b"hsqs") {
        "SquashFS"
    } else if at(0, b"LUKS\xba\xbe") {
        "an encrypted volume (LUKS)"
    } else if at(0x400, &[0x10, 0x20, 0xf5, 0xf2]) {
        "F2FS"
    } else if be32(head, 0x55c) == 0x0001_1954
        || le32(head, 0x1055c) == 0x1954_0119
        || le32(head, 0x255c) == 0x0001_1954
    {
        "UFS"
    } else {
        return None;
    })
}
