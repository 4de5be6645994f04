//! VDI, VirtualBox's own format: a header, a table of blocks (usually 1 MiB each), the blocks.

use super::{
    BLOCKS_MAX, Beside, Opened,
    blocks::{Blocks, NOT_STORED, read_table},
    judge_capacity,
};
use crate::{
    detect::{Detector, Fate},
    refuse,
    source::{SharedSource, le32, le64, piece},
};
use nestbox_model::{Recognised, Result};
use std::sync::Arc;

pub(crate) const DETECTOR: Detector = Detector {
    name: "VDI",
    found: |p| p.at(0x40, &[0x7f, 0x10, 0xda, 0xbe]),
    fate: Fate::Disk(Recognised::Vdi, open),
};

const HEADER: u64 = 0x1d8;
const DYNAMIC: u32 = 1;
const FIXED: u32 = 2;
const DIFFERENCING: u32 = 4;
/// Not stored, never written; and not stored, discarded. Both read as zeros.
const FREE: u32 = u32::MAX;
const DISCARDED: u32 = u32::MAX - 1;

/// # Errors
/// `image-truncated`, `image-damaged`, `image-too-large`, `image-empty`, `image-refers-elsewhere` (a differencing
/// image), `image-feature-unsupported`, `image-expands`, `io-error`.
pub(crate) fn open(file: SharedSource, _: &dyn Beside) -> Result<Opened> {
    let header = piece(&*file, 0, HEADER)?;
    let version = le32(&header, 0x44);
    if version != 0x0001_0001 {
        return Err(refuse::unsupported_feature(format!(
            "The image is a VDI of version {}.{}; Nestbox knows version 1.1.",
            version >> 16,
            version & 0xffff
        )));
    }
    let kind = le32(&header, 0x4c);
    let parents = &header[0x1a8..0x1c8];
    if kind == DIFFERENCING || parents.iter().any(|byte| *byte != 0) {
        return Err(refuse::differencing(
            "VDI",
            "In VirtualBox, clone the disk (VBoxManage clonemedium), or export the machine as an OVA.",
        ));
    }
    if kind != DYNAMIC && kind != FIXED {
        return Err(refuse::damaged("it is of a kind that VDI does not have"));
    }
    if !is_geometry(&header[0x1c8..]) {
        return Err(refuse::damaged("its geometry is impossible"));
    }
    let (table_at, data_at) = (u64::from(le32(&header, 0x154)), u64::from(le32(&header, 0x158)));
    let (capacity, block_size) = (le64(&header, 0x170), u64::from(le32(&header, 0x178)));
    let (extra, count) = (le32(&header, 0x17c), u64::from(le32(&header, 0x180)));
    judge_capacity(capacity)?;
    if !block_size.is_power_of_two() || !(4096..=256 << 20).contains(&block_size) {
        return Err(refuse::damaged("its block size is impossible"));
    }
    if extra != 0 {
        return Err(refuse::unsupported_feature(
            "The image keeps extra data with every block, which Nestbox does not know.",
        ));
    }
    if count > BLOCKS_MAX || count < capacity.div_ceil(block_size) {
        return Err(refuse::damaged("the number of its blocks does not fit its size"));
    }
    if le32(&header, 0x184) > le32(&header, 0x180) {
        return Err(refuse::damaged("it claims more stored blocks than it has"));
    }
    if table_at < 0x1c8 || data_at < table_at + count * 4 {
        return Err(refuse::damaged("its header, its table and its data overlap"));
    }
    let mut places = read_table(&*file, table_at, count, false)?;
    for place in &mut places {
        if *place == DISCARDED {
            *place = NOT_STORED;
        }
        if *place != FREE && u64::from(*place) >= count {
            return Err(refuse::damaged(
                "its table points to a block that it does not have",
            ));
        }
    }
    let stored = file.length();
    let blocks = Blocks {
        file,
        capacity,
        block_size,
        places,
        base: data_at,
        unit: block_size,
        compressed: false,
        behind_last: 0,
    };
    let words = if kind == FIXED {
        "VDI, fixed size"
    } else {
        "VDI, dynamic"
    };
    let mut opened = Opened::new(Arc::new(blocks.judge()?), words, stored);
    if header[0x54..0x154].iter().any(|byte| *byte != 0) {
        opened.dropped.push((
            "The image's comment".into(),
            "it is text for the program that made it".into(),
        ));
    }
    Ok(opened)
}

/// What a BIOS is to see: cylinders, heads, sectors, bytes of a sector; zeros if nobody set it.
fn is_geometry(raw: &[u8]) -> bool {
    le32(raw, 4) <= 255 && le32(raw, 8) <= 63 && matches!(le32(raw, 12), 0 | 512)
}
