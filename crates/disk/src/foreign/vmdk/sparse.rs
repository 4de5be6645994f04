//! A sparse VMDK file: a header, a directory of tables, tables of grains (usually 64 KiB), the grains. With the
//! directory's place unknown in the header, as VMware's exports have it, a second header stands near the end.

use crate::{
    foreign::{
        BLOCKS_MAX,
        blocks::{Blocks, NOT_STORED, read_table},
    },
    refuse,
    source::{SharedSource, Source, le16, le32, le64, piece},
};
use nestbox_model::Result;

const SECTOR: u64 = 512;
const AT_END: u64 = u64::MAX;
/// Footer, end-of-stream marker and nothing else behind them.
const FOOTER_FROM_END: u64 = 1024;
const DESCRIPTOR_MAX: u64 = 1 << 20;

const FLAG_NEWLINES: u32 = 1 << 0;
const FLAG_ZERO_GRAINS: u32 = 1 << 2;
const FLAG_COMPRESSED: u32 = 1 << 16;

/// Grain table entries: not stored; zeros (with its flag).
const ENTRY_NONE: u32 = 0;
const ENTRY_ZERO: u32 = 1;

pub(crate) struct Header {
    flags: u32,
    /// Bytes the guest sees.
    pub capacity: u64,
    grain: u64,
    descriptor_at: u64,
    descriptor_length: u64,
    entries_per_table: u64,
    directory_at: u64,
    /// A second header at the end was found.
    footer: bool,
    /// A program has it open, or ended without closing it.
    pub unclean: bool,
}

impl Header {
    pub(crate) fn read(file: &dyn Source) -> Result<Self> {
        let header = Self::parse(file, 0)?;
        if header.directory_at != AT_END {
            return Ok(header);
        }
        let cut = || refuse::truncated("the second header at its end is missing");
        let at = file
            .length()
            .checked_sub(FOOTER_FROM_END)
            .filter(|at| *at >= SECTOR)
            .ok_or_else(cut)?;
        if piece(file, at, 4)? != super::SPARSE_MAGIC {
            return Err(cut());
        }
        let footer = Self::parse(file, at)?;
        if footer.directory_at == AT_END {
            return Err(refuse::damaged(
                "neither of its headers says where its tables are",
            ));
        }
        if (footer.capacity, footer.grain, footer.flags) != (header.capacity, header.grain, header.flags) {
            return Err(refuse::damaged("its two headers contradict each other"));
        }
        Ok(Self {
            directory_at: footer.directory_at,
            footer: true,
            ..header
        })
    }

    fn parse(file: &dyn Source, at: u64) -> Result<Self> {
        let raw = piece(file, at, SECTOR)?;
        if !raw.starts_with(super::SPARSE_MAGIC) {
            return Err(refuse::damaged("a piece of it is no VMDK file"));
        }
        let version = le32(&raw, 4);
        if !(1..=3).contains(&version) {
            return Err(refuse::unsupported_feature(format!(
                "The image is a VMDK of version {version}; Nestbox knows versions 1 to 3."
            )));
        }
        let flags = le32(&raw, 8);
        if flags & FLAG_NEWLINES != 0 && raw[73..77] != *b"\n \r\n" {
            return Err(refuse::damaged(
                "it was changed by a transfer as text; copy it again in binary mode",
            ));
        }
        if flags & FLAG_COMPRESSED != 0 && le16(&raw, 77) != 1 {
            return Err(refuse::unsupported_feature(
                "The image is compressed in a way Nestbox does not know.",
            ));
        }
        let sectors = |at: usize| le64(&raw, at).checked_mul(SECTOR);
        let impossible = |what: &str| refuse::damaged(format_args!("its {what} is impossible"));
        let grain = sectors(20).unwrap_or(0);
        if !grain.is_power_of_two() || !(4096..=64 << 20).contains(&grain) {
            return Err(impossible("grain size"));
        }
        let entries_per_table = u64::from(le32(&raw, 44));
        if entries_per_table == 0 || entries_per_table > 1 << 16 {
            return Err(impossible("table size"));
        }
        let directory = le64(&raw, 56);
        Ok(Self {
            flags,
            capacity: sectors(12).ok_or_else(|| impossible("size"))?,
            grain,
            descriptor_at: sectors(28).ok_or_else(|| impossible("description"))?,
            descriptor_length: sectors(36).ok_or_else(|| impossible("description"))?,
            entries_per_table,
            directory_at: match directory {
                AT_END => AT_END,
                sector => sector
                    .checked_mul(SECTOR)
                    .ok_or_else(|| impossible("directory"))?,
            },
            footer: false,
            unclean: raw[72] != 0,
        })
    }

    /// The text inside; pieces of a disk have none.
    pub(crate) fn descriptor(&self, file: &dyn Source) -> Result<Option<Vec<u8>>> {
        if self.descriptor_at == 0 || self.descriptor_length == 0 {
            return Ok(None);
        }
        let end = self.descriptor_at.checked_add(self.descriptor_length);
        if self.descriptor_length > DESCRIPTOR_MAX || end.is_none() {
            return Err(refuse::damaged("its description is impossibly long"));
        }
        if end.is_some_and(|end| end > file.length()) {
            return Err(refuse::truncated(
                "its description lies behind the end of the file",
            ));
        }
        let text = piece(file, self.descriptor_at, self.descriptor_length)?;
        Ok((text.first() != Some(&0)).then_some(text))
    }

    /// Reads and judges all tables.
    pub(crate) fn open(&self, file: SharedSource) -> Result<Blocks> {
        let grains = self.capacity.div_ceil(self.grain);
        if grains > BLOCKS_MAX {
            return Err(refuse::too_large("it has more grains than can be checked"));
        }
        let tables = grains.div_ceil(self.entries_per_table);
        if self.directory_at < SECTOR {
            return Err(refuse::damaged("its directory lies in its header"));
        }
        let directory = read_table(&*file, self.directory_at, tables, false)?;
        let mut places = Vec::with_capacity(grains as usize);
        let mut seen = std::collections::HashSet::new();
        for table in directory {
            let count = self.entries_per_table.min(grains - places.len() as u64);
            if table == 0 {
                places.resize(places.len() + count as usize, NOT_STORED);
                continue;
            }
            if !seen.insert(table) {
                return Err(refuse::bomb());
            }
            let entries = read_table(&*file, u64::from(table) * SECTOR, count, false)?;
            places.extend(entries.into_iter().map(|entry| self.place(entry)));
        }
        let blocks = Blocks {
            file,
            capacity: self.capacity,
            block_size: self.grain,
            places,
            base: 0,
            unit: SECTOR,
            compressed: self.flags & FLAG_COMPRESSED != 0,
            // QEMU writes no second header, so nothing tells a complete file from one that was cut off, but that room
            // for a whole grain is kept at its end.
            behind_last: if self.footer { 0 } else { self.grain },
        };
        blocks.judge()
    }

    fn place(&self, entry: u32) -> u32 {
        match entry {
            ENTRY_NONE => NOT_STORED,
            ENTRY_ZERO if self.flags & FLAG_ZERO_GRAINS != 0 => NOT_STORED,
            place => place,
        }
    }
}
