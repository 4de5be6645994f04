//! Reads the disk a guest sees in a qcow2 file: alone, to find out what is on it, or as one layer of a chain.

use super::{Compression, Header};
use crate::source::{Source, be64};
use std::io::{self, ErrorKind};

const COMPRESSED: u64 = 1 << 62;
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const ZERO: u64 = 1;
/// Clusters are at most 2 MiB, so no compressor needs a longer window for one; bytes.
const ZSTD_WINDOW_MAX: u64 = 8 << 20;

/// The active disk of a qcow2 file.
pub(crate) struct Content<'a> {
    pub file: &'a dyn Source,
    pub header: &'a Header,
}

/// Where the bytes from some place on are, up to the end of the [`Content::unit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// This image does not have them: what it stands on does, if anything.
    Below,
    Zeros,
    /// In the file at this offset.
    Data(u64),
    /// In the compressed cluster of this table entry.
    Compressed(u64),
}

/// See [`Content::place`].
pub(crate) type ReadEntry<'a> = dyn FnMut(u64, u64, u64, u64) -> io::Result<(u64, u64)> + 'a;

impl Source for Content<'_> {
    fn length(&self) -> u64 {
        self.header.capacity
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            let at = offset.checked_add(done as u64).ok_or(ErrorKind::UnexpectedEof)?;
            if at >= self.header.capacity {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let unit = self.unit();
            let room = (unit - at % unit).min((buffer.len() - done) as u64) as usize;
            self.read_in_unit(at, &mut buffer[done..done + room])?;
            done += room;
        }
        Ok(())
    }
}

impl Content<'_> {
    /// Bytes that are in one place: a cluster; with subclusters one of them, since each may be allocated or not.
    pub fn unit(&self) -> u64 {
        if self.header.extended_l2 {
            self.header.cluster_size() / 32
        } else {
            self.header.cluster_size()
        }
    }

    fn read_in_unit(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let mut entry = |table: u64, _, inside, size| {
            let entry = self.file.piece(table.saturating_add(inside), size)?;
            entry_at(&entry, 0, size)
        };
        match self.place(at, &mut entry)? {
            Place::Below | Place::Zeros => out.fill(0),
            Place::Data(offset) => self.read_data(offset, out)?,
            Place::Compressed(entry) => {
                let cluster = self.decompress(entry)?;
                let start = (at % self.header.cluster_size()) as usize;
                let piece = cluster.get(start..start + out.len());
                out.copy_from_slice(piece.ok_or(ErrorKind::InvalidData)?);
            }
        }
        Ok(())
    }

    /// Where the byte `at` is. `entry` gives the entry of a table as [`entry_at`] does: it gets the offset of a cluster of
    /// the table and that cluster's length, for who keeps tables, and the entry's place in it and its size, 8 or 16.
    pub fn place(&self, at: u64, entry: &mut ReadEntry<'_>) -> io::Result<Place> {
        let header = self.header;
        let cluster_size = header.cluster_size();
        let l1_index = at / header.l2_reach();
        if l1_index >= u64::from(header.l1_entries) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let first = header.l1_offset + (l1_index * 8) / cluster_size * cluster_size;
        let inside = (l1_index * 8) % cluster_size;
        let l1_entry = entry(first, cluster_size, inside, 8)?.0 & OFFSET;
        if l1_entry == 0 {
            return Ok(Place::Below);
        }
        let l2_index = (at % header.l2_reach()) >> header.cluster_bits;
        let size = header.l2_entry_size();
        let (main, bitmap) = entry(l1_entry, cluster_size, l2_index * size, size)?;
        if main & COMPRESSED != 0 {
            return Ok(Place::Compressed(main));
        }
        let data = main & OFFSET;
        if header.extended_l2 {
            let subcluster = at % cluster_size / (cluster_size / 32);
            return Ok(if bitmap >> (32 + subcluster) & 1 == 1 {
                Place::Zeros
            } else if bitmap >> subcluster & 1 == 1 && data != 0 {
                Place::Data(data.saturating_add(at % cluster_size))
            } else {
                Place::Below
            });
        }
        Ok(if main & ZERO != 0 {
            Place::Zeros
        } else if data == 0 {
            Place::Below
        } else {
            Place::Data(data.saturating_add(at % cluster_size))
        })
    }

    /// Fills `out` from the file's `offset`. The last cluster of a file may be cut short; what is missing is zeros.
    pub fn read_data(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = self.file.length().saturating_sub(offset).min(out.len() as u64) as usize;
        let (front, rest) = out.split_at_mut(there);
        self.file.read_at(offset, front)?;
        rest.fill(0);
        Ok(())
    }

    /// The whole cluster of a table entry that is marked as compressed.
    pub fn decompress(&self, entry: u64) -> io::Result<Vec<u8>> {
        let bits = self.header.cluster_bits;
        let split = 62 - (bits - 8);
        let offset = entry & ((1 << split) - 1);
        let sectors = (entry >> split) & ((1 << (bits - 8)) - 1);
        let length = (sectors + 1) * 512 - offset % 512;
        let packed = self.file.piece_up_to(offset, length)?;
        let mut cluster = vec![0; self.header.cluster_size() as usize];
        match self.header.compression {
            Compression::Zlib => {
                let mut inflate = flate2::Decompress::new(false);
                inflate
                    .decompress(&packed, &mut cluster, flate2::FlushDecompress::Finish)
                    .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
                if inflate.total_out() != cluster.len() as u64 {
                    return Err(ErrorKind::InvalidData.into());
                }
            }
            Compression::Zstd => {
                let mut decoder = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(
                    packed.as_slice(),
                    ZSTD_WINDOW_MAX,
                )
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))?;
                io::Read::read_exact(&mut decoder, &mut cluster)?;
            }
        }
        Ok(cluster)
    }
}

/// The number at `inside` and, in an entry of 16 bytes, the one behind it.
pub(crate) fn entry_at(table: &[u8], inside: u64, size: u64) -> io::Result<(u64, u64)> {
    let start = inside as usize;
    let entry = table
        .get(start..start + size as usize)
        .ok_or(ErrorKind::UnexpectedEof)?;
    Ok((be64(entry, 0), if size == 16 { be64(entry, 8) } else { 0 }))
}
