//! The volumes of a disk: partition tables (GPT, MBR with logical partitions) and what is in each. Bounded; only reads.

use crate::source::{Region, bytes_at, le32, le64};
use std::io;

/// Most volumes shown.
const VOLUMES_MAX: usize = 128;
/// Most bytes of a GPT's entries read.
const GPT_BYTES_MAX: u64 = 1 << 20;

/// A part of the disk that may hold a file system.
pub(crate) struct Part {
    pub number: u32,
    pub name: Option<String>,
    pub region: Region,
}

/// The partitions, or the whole disk as number 1 where it has no table.
pub(crate) fn parts(disk: &Region) -> io::Result<Vec<Part>> {
    let head = disk.piece_up_to(0, 8192)?;
    for sector in [512u64, 4096] {
        if bytes_at(&head, sector as usize, 8) == b"EFI PART" {
            return gpt(disk, &head[sector as usize..], sector);
        }
    }
    // An ISO may have a PC's table as well: for USB sticks, with the medium itself as a partition.
    if contents(disk)? == Contents::Unknown && bytes_at(&head, 510, 2) == [0x55, 0xaa] {
        let parts = mbr(disk, &head)?;
        if !parts.is_empty() {
            return Ok(parts);
        }
    }
    Ok(vec![Part {
        number: 1,
        name: None,
        region: disk.clone(),
    }])
}

fn gpt(disk: &Region, table: &[u8], sector: u64) -> io::Result<Vec<Part>> {
    let (count, size) = (u64::from(le32(table, 80)), u64::from(le32(table, 84)));
    if !(128..=4096).contains(&size) {
        return Ok(Vec::new());
    }
    let offset = le64(table, 72).saturating_mul(sector);
    let entries = disk.piece_up_to(offset, count.saturating_mul(size).min(GPT_BYTES_MAX))?;
    let mut parts = Vec::new();
    for (entry, number) in entries.chunks_exact(size as usize).zip(1..) {
        let (first, last) = (le64(entry, 32), le64(entry, 40));
        if entry[..16].iter().all(|byte| *byte == 0) || last < first || parts.len() == VOLUMES_MAX {
            continue;
        }
        let length = (last - first).saturating_add(1).saturating_mul(sector);
        let units = bytes_at(entry, 56, 72)
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .take_while(|unit| *unit != 0);
        let name = crate::names::shown(&crate::filesystem::from_utf16(units));
        parts.push(Part {
            number,
            name: (!name.is_empty()).then_some(name),
            region: disk.part(first.saturating_mul(sector), length),
        });
    }
    Ok(parts)
}

fn mbr(disk: &Region, head: &[u8]) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut extended = None;
    for (entry, number) in bytes_at(head, 446, 64).chunks_exact(16).zip(1..) {
        let (start, length) = (u64::from(le32(entry, 8)) * 512, u64::from(le32(entry, 12)) * 512);
        match entry[4] {
            0 => {}
            _ if length == 0 => {}
            0x05 | 0x0f | 0x85 => extended = extended.or(Some(start)),
            _ => parts.push(Part {
                number,
                name: None,
                region: disk.part(start, length),
            }),
        }
    }
    if let Some(start) = extended {
        logical(disk, start, &mut parts)?;
    }
    Ok(parts)
}

/// Logical partitions: a chain of tables, each with one partition, relative to it, and the next table, relative to the
/// extended partition's start.
fn logical(disk: &Region, extended: u64, parts: &mut Vec<Part>) -> io::Result<()> {
    let mut at = extended;
    for number in 5..5 + VOLUMES_MAX as u32 {
        let Ok(table) = disk.piece(at, 512) else {
            return Ok(());
        };
        if bytes_at(&table, 510, 2) != [0x55, 0xaa] {
            return Ok(());
        }
        let (own, next) = (bytes_at(&table, 446, 16), bytes_at(&table, 462, 16));
        if own[4] != 0 && le32(own, 12) != 0 {
            parts.push(Part {
                number,
                name: None,
                region: disk.part(at + u64::from(le32(own, 8)) * 512, u64::from(le32(own, 12)) * 512),
            });
        }
        if next[4] == 0 || le32(next, 8) == 0 {
            return Ok(());
        }
        at = extended + u64::from(le32(next, 8)) * 512;
    }
    Ok(())
}

/// What is in a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    Ext,
    Fat,
    Ntfs,
    Iso,
    /// A word for it, and why it can't be looked into.
    Other(&'static str, &'static str),
    Blank,
    Unknown,
}

const USE_THE_GUEST: &str =
    "Start the machine and copy the files inside of it, through a shared folder or over the network.";
const ENCRYPTED: &str = "It is encrypted, and the key is known to the guest only. Start the machine and copy the files inside of it.";
const LVM: &str = "It is part of a volume group (LVM), which Nestbox does not put together. Start the machine and copy the files inside of it.";
const NO_FILES: &str = "It holds no files.";
const RAID: &str = "It is part of a RAID array, which Nestbox does not put together. Start the machine and copy the files inside of it.";

/// What is known by a few bytes: offset, the bytes, word, reason.
const OTHERS: [(u64, &[u8], &str, &str); 17] = [
    (0, b"XFSB", "xfs", USE_THE_GUEST),
    (0x10040, b"_BHRfS_M", "btrfs", USE_THE_GUEST),
    (0x400, &[0x10, 0x20, 0xf5, 0xf2], "f2fs", USE_THE_GUEST),
    (0, b"LUKS\xba\xbe", "luks", ENCRYPTED),
    (3, b"-FVE-FS-", "bitlocker", ENCRYPTED),
    (512, b"LABELONE", "lvm", LVM),
    (0, b"LABELONE", "lvm", LVM),
    (0xff6, b"SWAPSPACE2", "swap", NO_FILES),
    (0xff6, b"SWAP-SPACE", "swap", NO_FILES),
    (0xfff6, b"SWAPSPACE2", "swap", NO_FILES),
    (32, b"NXSB", "apfs", USE_THE_GUEST),
    (0x400, b"H+", "hfs+", USE_THE_GUEST),
    (0x400, b"HX", "hfs+", USE_THE_GUEST),
    (0, b"hsqs", "squashfs", USE_THE_GUEST),
    (4096, &[0xfc, 0x4e, 0x2b, 0xa9], "raid", RAID),
    (0x400, &[0xe2, 0xe1, 0xf5, 0xe0], "erofs", USE_THE_GUEST),
    (3, b"ReFS\0\0\0\0", "refs", USE_THE_GUEST),
];

/// Recognises what is in a part by its first bytes.
pub(crate) fn contents(region: &Region) -> io::Result<Contents> {
    let head = region.piece_up_to(0, 160 << 10)?;
    let at = |offset: u64, magic: &[u8]| bytes_at(&head, offset as usize, magic.len()) == magic;
    if let Some((_, _, word, reason)) = OTHERS.iter().find(|(offset, magic, ..)| at(*offset, magic)) {
        return Ok(Contents::Other(word, reason));
    }
    Ok(if at(3, b"NTFS    ") {
        Contents::Ntfs
    } else if at(3, b"EXFAT   ") || (at(510, &[0x55, 0xaa]) && is_fat(&head)) {
        Contents::Fat
    } else if at(0x438, &[0x53, 0xef]) && le32(&head, 0x404) != 0 {
        Contents::Ext
    } else if at(0x8001, b"CD001") {
        Contents::Iso
    } else if at(0x8001, b"BEA01") {
        Contents::Other("udf", USE_THE_GUEST)
    } else if is_zfs(&head) {
        Contents::Other("zfs", USE_THE_GUEST)
    } else if le32(&head, 0x55c) == 0x0001_1954 || le32(&head, 0x1055c) == 0x1954_0119 {
        Contents::Other("ufs", USE_THE_GUEST)
    } else if head.iter().all(|byte| *byte == 0) {
        Contents::Blank
    } else {
        Contents::Unknown
    })
}

/// FAT names itself in one of two places, or has at least a jump, sane sizes and a media byte.
fn is_fat(head: &[u8]) -> bool {
    let sector = usize::from(crate::source::le16(head, 11));
    let jump = matches!(head.first(), Some(0xeb | 0xe9));
    let sane = [512, 1024, 2048, 4096].contains(&sector)
        && head[13].is_power_of_two()
        && matches!(head[16], 1 | 2)
        && head[21] >= 0xf0;
    sane && (jump || bytes_at(head, 54, 3) == b"FAT" || bytes_at(head, 82, 3) == b"FAT")
}

/// One of the uberblocks of the first label, of either byte order.
fn is_zfs(head: &[u8]) -> bool {
    (128 << 10..head.len())
        .step_by(1024)
        .any(|at| matches!(le64(head, at), 0x00ba_b10c | 0x0cb1_ba00_0000_0000))
}
