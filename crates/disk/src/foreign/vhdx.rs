//! VHDX, Hyper-V's format: two headers (the newer sound one counts), a log, two region tables, metadata, a table of
//! blocks. Microsoft's [MS-VHDX] is the specification.

use super::{
    BLOCKS_MAX, Beside, Opened,
    blocks::{Blocks, NOT_STORED},
    judge_capacity,
};
use crate::{
    detect::{Detector, Fate},
    refuse,
    source::{SharedSource, Source, le16, le32, le64, piece},
};
use nestbox_model::{Recognised, Result};
use std::sync::Arc;

pub(crate) const DETECTOR: Detector = Detector {
    name: "VHDX",
    found: |p| p.starts(b"vhdxfile"),
    fate: Fate::Disk(Recognised::Vhdx, open),
};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const HEADERS: [u64; 2] = [64 * KIB, 128 * KIB];
const REGION_TABLES: [u64; 2] = [192 * KIB, 256 * KIB];
const REGIONS_MAX: u32 = 2047;
const METADATA_MAX: u16 = 2047;

// First four bytes of the GUIDs, as they stand in the file: they tell the known ones apart.
const REGION_BLOCKS: u32 = 0x2dc2_7766;
const REGION_METADATA: u32 = 0x8b7c_a206;
const FILE_PARAMETERS: u32 = 0xcaa1_6737;
const DISK_SIZE: u32 = 0x2fa5_4224;
const DISK_ID: u32 = 0xbeca_12ab;
const LOGICAL_SECTOR: u32 = 0x8141_bf1d;
const PHYSICAL_SECTOR: u32 = 0xcda3_48c7;
const PARENT_LOCATOR: u32 = 0xa8d3_5f2d;

/// # Errors
/// `image-truncated`, `image-damaged`, `image-too-large`, `image-empty`, `image-refers-elsewhere` (a differencing
/// image), `image-not-closed` (its log holds changes that are not in place yet), `image-feature-unsupported`,
/// `image-expands`, `io-error`.
pub(crate) fn open(file: SharedSource, _: &dyn Beside) -> Result<Opened> {
    judge_header(&newest_header(&*file)?)?;
    let (table, metadata) = regions(&*file)?;
    let disk = Metadata::read(&*file, metadata)?;
    let places = disk.places(&*file, table)?;
    let stored = file.length();
    let blocks = Blocks {
        file,
        capacity: disk.capacity,
        block_size: disk.block_size,
        places,
        base: 0,
        unit: MIB,
        compressed: false,
        behind_last: 0,
    };
    let words = if disk.fixed {
        "VHDX, fixed size"
    } else {
        "VHDX, dynamic"
    };
    let mut opened = Opened::new(Arc::new(blocks.judge()?), words, stored);
    if disk.sector != 512 {
        opened.warnings.push(format!(
            "The disk was made for sectors of {} bytes; machines here have sectors of 512, so it may not start.",
            disk.sector
        ));
    }
    Ok(opened)
}

/// The sound header with the higher number.
fn newest_header(file: &dyn Source) -> Result<Vec<u8>> {
    let mut newest: Option<Vec<u8>> = None;
    for at in HEADERS {
        let Ok(header) = file.piece(at, 4 * KIB) else {
            continue;
        };
        let sound = header.starts_with(b"head") && checksum_fits(&header);
        if sound
            && newest
                .as_ref()
                .is_none_or(|other| le64(other, 8) < le64(&header, 8))
        {
            newest = Some(header);
        }
    }
    newest.ok_or_else(|| {
        if file.length() < HEADERS[1] + 4 * KIB {
            refuse::truncated("it ends within its own headers")
        } else {
            refuse::damaged("both of its headers are damaged")
        }
    })
}

fn judge_header(header: &[u8]) -> Result<()> {
    if le16(header, 66) != 1 {
        return Err(refuse::unsupported_feature(format!(
            "The image is a VHDX of version {}; Nestbox knows version 1.",
            le16(header, 66)
        )));
    }
    if header[48..64].iter().any(|byte| *byte != 0) {
        return Err(refuse::not_closed(
            "The image was not closed properly: its log holds changes that are not in their places yet.",
            "In Windows, mount it once and eject it again (Mount-VHD, Dismount-VHD), or start and shut down its machine \
             in Hyper-V; then import it.",
        ));
    }
    Ok(())
}

/// Where a region is: offset and length, bytes.
#[derive(Clone, Copy)]
struct Region {
    offset: u64,
    length: u64,
}

/// The table of blocks and the metadata.
fn regions(file: &dyn Source) -> Result<(Region, Region)> {
    let table = REGION_TABLES
        .iter()
        .filter_map(|at| file.piece(*at, 64 * KIB).ok())
        .find(|table| table.starts_with(b"regi") && checksum_fits(table))
        .ok_or_else(|| refuse::damaged("both of its region tables are damaged"))?;
    let count = le32(&table, 8);
    if count > REGIONS_MAX {
        return Err(refuse::damaged("it claims more regions than fit"));
    }
    let (mut blocks, mut metadata) = (None, None);
    let mut taken: Vec<Region> = vec![Region {
        offset: 0,
        length: MIB,
    }];
    for entry in table[16..].chunks_exact(32).take(count as usize) {
        let region = Region {
            offset: le64(entry, 16),
            length: u64::from(le32(entry, 24)),
        };
        let end = region.offset.checked_add(region.length);
        if !region.offset.is_multiple_of(MIB) || region.length == 0 || end.is_none() {
            return Err(refuse::damaged("a region lies at an impossible place"));
        }
        if end.is_some_and(|end| end > file.length()) {
            return Err(refuse::truncated("a region lies behind the end of the file"));
        }
        let overlaps = |other: &Region| {
            region.offset < other.offset + other.length && other.offset < region.offset + region.length
        };
        if taken.iter().any(overlaps) {
            return Err(refuse::damaged("two of its regions overlap"));
        }
        taken.push(region);
        match le32(entry, 0) {
            REGION_BLOCKS if blocks.is_none() => blocks = Some(region),
            REGION_METADATA if metadata.is_none() => metadata = Some(region),
            REGION_BLOCKS | REGION_METADATA => {
                return Err(refuse::damaged("it has one of its regions twice"));
            }
            _ if le32(entry, 28) & 1 != 0 => {
                return Err(refuse::unsupported_feature(
                    "The image needs a region that Nestbox does not know.",
                ));
            }
            _ => {}
        }
    }
    match (blocks, metadata) {
        (Some(blocks), Some(metadata)) => Ok((blocks, metadata)),
        _ => Err(refuse::damaged("a region that it needs is missing")),
    }
}

#[derive(Default)]
struct Metadata {
    capacity: u64,
    block_size: u64,
    sector: u64,
    fixed: bool,
}

impl Metadata {
    fn read(file: &dyn Source, region: Region) -> Result<Self> {
        let table = piece(file, region.offset, (64 * KIB).min(region.length))?;
        let count = le16(&table, 10);
        if !table.starts_with(b"metadata") || count > METADATA_MAX {
            return Err(refuse::damaged("its metadata is damaged"));
        }
        let mut out = Self::default();
        for at in (32..).step_by(32).take(usize::from(count)) {
            let Some(entry) = table.get(at..at + 32) else {
                return Err(refuse::damaged("its metadata is cut off"));
            };
            let (offset, length) = (u64::from(le32(entry, 16)), u64::from(le32(entry, 20)));
            if offset + length > region.length {
                return Err(refuse::damaged("an entry of its metadata is out of bounds"));
            }
            let read = |wanted: u64| {
                if length < wanted {
                    return Err(refuse::damaged("an entry of its metadata is too short"));
                }
                piece(file, region.offset + offset, wanted)
            };
            match le32(entry, 0) {
                FILE_PARAMETERS => {
                    let value = read(8)?;
                    out.block_size = u64::from(le32(&value, 0));
                    out.fixed = le32(&value, 4) & 1 != 0;
                    if le32(&value, 4) & 2 != 0 {
                        return Err(differencing());
                    }
                }
                PARENT_LOCATOR => return Err(differencing()),
                DISK_SIZE => out.capacity = le64(&read(8)?, 0),
                LOGICAL_SECTOR => out.sector = u64::from(le32(&read(4)?, 0)),
                DISK_ID | PHYSICAL_SECTOR => {}
                _ if le32(entry, 24) & 4 != 0 => {
                    return Err(refuse::unsupported_feature(
                        "The image needs metadata that Nestbox does not know.",
                    ));
                }
                _ => {}
            }
        }
        out.judge()?;
        Ok(out)
    }

    fn judge(&self) -> Result<()> {
        judge_capacity(self.capacity)?;
        if !self.block_size.is_power_of_two() || !(MIB..=256 * MIB).contains(&self.block_size) {
            return Err(refuse::damaged("its block size is impossible"));
        }
        if self.sector != 512 && self.sector != 4096 {
            return Err(refuse::damaged("its sector size is impossible"));
        }
        if !self.capacity.is_multiple_of(self.sector) {
            return Err(refuse::damaged("its size is no multiple of its sectors"));
        }
        Ok(())
    }

    /// Reads the table: after each `ratio` blocks stands the place of a bitmap, which only differencing images use.
    fn places(&self, file: &dyn Source, region: Region) -> Result<Vec<u32>> {
        const PIECE: u64 = MIB;
        let ratio = (self.sector << 23) / self.block_size;
        let count = self.capacity.div_ceil(self.block_size);
        if count > BLOCKS_MAX {
            return Err(refuse::too_large("it has more blocks than can be checked"));
        }
        let entries = count + (count - 1) / ratio;
        if entries * 8 > region.length {
            return Err(refuse::damaged(
                "the table of its blocks is too short for its size",
            ));
        }
        let mut places = Vec::with_capacity(count as usize);
        let mut at = 0;
        while at < entries * 8 {
            let part = piece(file, region.offset + at, PIECE.min(entries * 8 - at))?;
            for (index, entry) in part.chunks_exact(8).enumerate() {
                if (at / 8 + index as u64) % (ratio + 1) != ratio {
                    places.push(place(le64(entry, 0))?);
                }
            }
            at += part.len() as u64;
        }
        Ok(places)
    }
}

/// A block's place in MiB.
fn place(entry: u64) -> Result<u32> {
    match entry & 7 {
        0..=3 => Ok(NOT_STORED),
        6 => match u32::try_from(entry >> 20) {
            Ok(place) if place > 0 && place != NOT_STORED => Ok(place),
            Ok(_) => Err(refuse::damaged("a block lies in its header")),
            Err(_) => Err(refuse::truncated("data lies behind the end of the file")),
        },
        7 => Err(differencing()),
        _ => Err(refuse::damaged("a block is in a state that VHDX does not have")),
    }
}

fn differencing() -> nestbox_model::Error {
    refuse::differencing(
        "VHDX",
        "In Hyper-V, merge it with its parent (Merge-VHD or “Edit Disk”), then import the result.",
    )
}

/// The CRC-32C at 4 is that of all bytes with zeros in its place.
fn checksum_fits(bytes: &[u8]) -> bool {
    let sum = [&bytes[..4], &[0; 4], &bytes[8..]]
        .into_iter()
        .flatten()
        .fold(u32::MAX, |sum, byte| {
            (sum >> 8) ^ CRC_32C[usize::from(sum as u8 ^ byte)]
        });
    !sum == le32(bytes, 4)
}

/// Castagnoli's polynomial, bits reversed.
const CRC_32C: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut sum = index as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ 0x82f6_3b78
            } else {
                sum >> 1
            };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
};
