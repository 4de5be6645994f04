//! What VDI, VHD, VHDX and VMDK have in common: a disk in blocks of one size, and a table that says where each is.

use crate::{
    refuse,
    source::{SharedSource, Source, be32, le32},
};
use nestbox_model::Result;
use std::io::{self, ErrorKind};

/// In a table: the block is not stored and reads as zeros.
pub(crate) const NOT_STORED: u32 = u32::MAX;
/// Bytes before a compressed grain's data: its first sector (8) and their length (4).
const GRAIN_HEAD: u64 = 12;

/// A disk in blocks, whose table was read and judged once.
pub(crate) struct Blocks {
    pub file: SharedSource,
    /// Bytes the guest sees.
    pub capacity: u64,
    /// Bytes.
    pub block_size: u64,
    /// Place of each block, or [`NOT_STORED`].
    pub places: Vec<u32>,
    /// A place is at `base + place * unit`, bytes.
    pub base: u64,
    pub unit: u64,
    /// Blocks are VMDK grains compressed with deflate.
    pub compressed: bool,
    /// Bytes that must follow the last place at least.
    pub behind_last: u64,
}

impl Blocks {
    /// Refuses tables whose blocks overlap or lie behind the end of the file.
    pub(crate) fn judge(self) -> Result<Self> {
        let mut stored: Vec<u32> = self
            .places
            .iter()
            .copied()
            .filter(|place| *place != NOT_STORED)
            .collect();
        stored.sort_unstable();
        let apart = if self.compressed { 1 } else { self.block_size };
        for pair in stored.windows(2) {
            if pair[0] == pair[1] {
                return Err(refuse::bomb());
            }
            if u64::from(pair[1] - pair[0]) * self.unit < apart {
                return Err(refuse::damaged("two blocks of its disk overlap"));
            }
        }
        let Some(last) = stored.last() else {
            return Ok(self);
        };
        let end = if self.compressed {
            let place = self.offset_of(*last);
            let length = self
                .compressed_length(place)
                .map_err(|e| crate::source::unreadable(&e))?;
            // Padded to whole sectors.
            let padded = (place + GRAIN_HEAD + length).next_multiple_of(512);
            padded.max(place.saturating_add(self.behind_last))
        } else {
            // The block at the disk's end may be cut off where the disk ends.
            let index = self.places.iter().position(|place| place == last).unwrap_or(0) as u64;
            let wanted = self
                .block_size
                .min(self.capacity.saturating_sub(index * self.block_size));
            self.offset_of(*last).saturating_add(wanted)
        };
        if end > self.file.length() {
            return Err(refuse::truncated("data lies behind the end of the file"));
        }
        Ok(self)
    }

    fn offset_of(&self, place: u32) -> u64 {
        self.base.saturating_add(u64::from(place) * self.unit)
    }

    fn place(&self, index: u64) -> Option<u64> {
        let place = *self.places.get(usize::try_from(index).ok()?)?;
        (place != NOT_STORED).then(|| self.offset_of(place))
    }

    /// Bytes of compressed data that follow the grain's head at `place`.
    fn compressed_length(&self, place: u64) -> io::Result<u64> {
        let length = u64::from(le32(&self.file.piece(place, GRAIN_HEAD)?, 8));
        if length == 0 || length > 2 * self.block_size + 1024 {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(length)
    }

    fn read_compressed(&self, index: u64, place: u64, inside: usize, out: &mut [u8]) -> io::Result<()> {
        let length = self.compressed_length(place)?;
        let sector = crate::source::le64(&self.file.piece(place, 8)?, 0);
        if sector.checked_mul(512) != Some(index * self.block_size) {
            return Err(ErrorKind::InvalidData.into());
        }
        let packed = self.file.piece(place + GRAIN_HEAD, length)?;
        let mut grain = vec![0; self.block_size as usize];
        let mut inflate = flate2::Decompress::new(true);
        inflate
            .decompress(&packed, &mut grain, flate2::FlushDecompress::Finish)
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        // The grain at the disk's end may hold only what the disk has.
        let wanted = self.block_size.min(self.capacity - index * self.block_size);
        if inflate.total_out() < wanted {
            return Err(ErrorKind::InvalidData.into());
        }
        out.copy_from_slice(
            grain
                .get(inside..inside + out.len())
                .ok_or(ErrorKind::InvalidData)?,
        );
        Ok(())
    }
}

impl Source for Blocks {
    fn length(&self) -> u64 {
        self.capacity
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.capacity) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            let (index, inside) = (at / self.block_size, at % self.block_size);
            let room = (self.block_size - inside).min((buffer.len() - done) as u64) as usize;
            let out = &mut buffer[done..done + room];
            match self.place(index) {
                None => out.fill(0),
                Some(place) if self.compressed => self.read_compressed(index, place, inside as usize, out)?,
                Some(place) => self.file.read_at(place + inside, out)?,
            }
            done += room;
        }
        Ok(())
    }

    fn next_data(&self, at: u64) -> io::Result<u64> {
        let mut index = at / self.block_size;
        while index * self.block_size < self.capacity {
            if self.place(index).is_some() {
                return Ok((index * self.block_size).max(at));
            }
            index += 1;
        }
        Ok(self.capacity)
    }

    fn check_unchanged(&self) -> Result<()> {
        self.file.check_unchanged()
    }
}

/// A table of numbers of 32 bits, `count` of them from `offset`; read in pieces.
pub(crate) fn read_table(file: &dyn Source, offset: u64, count: u64, big_endian: bool) -> Result<Vec<u32>> {
    const PIECE: u64 = 1 << 20;
    let bytes = count
        .checked_mul(4)
        .filter(|_| count <= super::BLOCKS_MAX)
        .ok_or_else(|| refuse::damaged("the table of its blocks is impossibly long"))?;
    if offset.checked_add(bytes).is_none_or(|end| end > file.length()) {
        return Err(refuse::truncated(
            "the table of its blocks lies behind the end of the file",
        ));
    }
    let word = if big_endian { be32 } else { le32 };
    let mut table = Vec::with_capacity(count as usize);
    let mut at = 0;
    while at < bytes {
        let piece = crate::source::piece(file, offset + at, PIECE.min(bytes - at))?;
        table.extend((0..piece.len()).step_by(4).map(|at| word(&piece, at)));
        at += piece.len() as u64;
    }
    Ok(table)
}
