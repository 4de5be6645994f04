//! VHD, the format of Virtual PC, old Hyper-V, Azure and Xen: fixed (the disk and a footer) or dynamic (a table of
//! blocks between two copies of the footer).

use super::{
    Beside, Opened,
    blocks::{Blocks, read_table},
    extents::{Extent, Extents},
    judge_capacity,
};
use crate::{
    detect::{Detector, Fate},
    refuse,
    source::{SharedSource, be32, be64, piece},
};
use nestbox_model::{Recognised, Result};
use std::sync::Arc;

pub(crate) const DETECTOR: Detector = Detector {
    name: "VHD",
    found: |p| p.starts(MAGIC) || p.tail_starts(MAGIC),
    fate: Fate::Disk(Recognised::Vhd, open),
};

const MAGIC: &[u8] = b"conectix";
const FOOTER: u64 = 512;
const HEADER: u64 = 1024;
const FIXED: u32 = 2;
const DYNAMIC: u32 = 3;
const DIFFERENCING: u32 = 4;

/// # Errors
/// `image-truncated`, `image-damaged`, `image-too-large`, `image-empty`, `image-refers-elsewhere` (a differencing
/// image), `image-expands`, `io-error`.
pub(crate) fn open(file: SharedSource, _: &dyn Beside) -> Result<Opened> {
    let Some(footer_at) = file.length().checked_sub(FOOTER).filter(|at| *at > 0) else {
        return Err(refuse::truncated("it is shorter than its own footer"));
    };
    let footer = piece(&*file, footer_at, FOOTER)?;
    if !footer.starts_with(MAGIC) {
        return Err(refuse::truncated("the footer at its end is missing"));
    }
    if !checksum_fits(&footer, 64) {
        return Err(refuse::damaged("the checksum of its footer is wrong"));
    }
    let capacity = be64(&footer, 48);
    judge_capacity(capacity)?;
    if be32(&footer, 12) >> 16 != 1 {
        return Err(refuse::unsupported_feature(
            "The image is a VHD of a version that Nestbox does not know.",
        ));
    }
    match be32(&footer, 60) {
        FIXED => fixed(file, capacity, footer_at),
        DYNAMIC => dynamic(file, &footer),
        DIFFERENCING => Err(refuse::differencing(
            "VHD",
            "In Hyper-V, merge it with its parent (Merge-VHD or “Edit Disk”), then import the result.",
        )),
        _ => Err(refuse::damaged("it is of a kind that VHD does not have")),
    }
}

fn fixed(file: SharedSource, capacity: u64, footer_at: u64) -> Result<Opened> {
    if capacity > footer_at {
        return Err(refuse::truncated("it is shorter than the disk it should hold"));
    }
    let stored = file.length();
    let whole = Extent {
        content: Some(file),
        offset: 0,
        length: capacity,
    };
    let disk = Extents::new(vec![whole]).ok_or_else(|| refuse::too_large("its disk is too long"))?;
    Ok(Opened::new(Arc::new(disk), "VHD, fixed size", stored))
}

fn dynamic(file: SharedSource, footer: &[u8]) -> Result<Opened> {
    let capacity = be64(footer, 48);
    let header = piece(&*file, be64(footer, 16), HEADER)?;
    if !header.starts_with(b"cxsparse") || !checksum_fits(&header, 36) {
        return Err(refuse::damaged("its second header is damaged"));
    }
    if header[40..56].iter().any(|byte| *byte != 0) {
        return Err(refuse::differencing(
            "VHD",
            "In Hyper-V, merge it with its parent (Merge-VHD or “Edit Disk”), then import the result.",
        ));
    }
    let (table_at, entries) = (be64(&header, 16), u64::from(be32(&header, 28)));
    let block_size = u64::from(be32(&header, 32));
    if !block_size.is_power_of_two() || !(4096..=256 << 20).contains(&block_size) {
        return Err(refuse::damaged("its block size is impossible"));
    }
    if entries < capacity.div_ceil(block_size) {
        return Err(refuse::damaged(
            "the table of its blocks is too short for its size",
        ));
    }
    let table = read_table(&*file, table_at, entries, true)?;
    // A bitmap of its sectors stands before each block.
    let bitmap = (block_size / 512 / 8).next_multiple_of(512);
    let stored = file.length();
    let copy_is_good = file
        .piece(0, FOOTER)
        .is_ok_and(|copy| copy.starts_with(MAGIC) && checksum_fits(&copy, 64));
    let blocks = Blocks {
        file,
        capacity,
        block_size,
        places: table,
        base: bitmap,
        unit: 512,
        compressed: false,
        behind_last: 0,
    };
    let mut opened = Opened::new(Arc::new(blocks.judge()?), "VHD, dynamic", stored);
    if !copy_is_good {
        opened.warnings.push(
            "The copy of the header at the image's start is damaged; the one at its end was used.".into(),
        );
    }
    Ok(opened)
}

/// The checksum at `at` is the complement of the sum of all other bytes.
fn checksum_fits(bytes: &[u8], at: usize) -> bool {
    let own: u32 = bytes[at..at + 4].iter().map(|byte| u32::from(*byte)).sum();
    let all: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
    !(all - own) == be32(bytes, at)
}
