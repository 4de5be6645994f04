//! Reads the disk a guest sees in a qcow2 file without a backing file: enough to find out what is on it.

use super::{Compression, Header};
use crate::source::{Source, be64};
use std::io::{self, ErrorKind};

const COMPRESSED: u64 = 1 << 62;
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const ZERO: u64 = 1;

/// The active disk of a qcow2 file. Reading zstd-compressed clusters is `Unsupported`.
pub(crate) struct Content<'a> {
    pub file: &'a dyn Source,
    pub header: &'a Header,
}

impl Source for Content<'_> {
    fn length(&self) -> u64 {
        self.header.capacity
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let cluster_size = self.header.cluster_size();
        let mut done = 0;
        while done < buffer.len() {
            let at = offset.checked_add(done as u64).ok_or(ErrorKind::UnexpectedEof)?;
            if at >= self.header.capacity {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let inside = at % cluster_size;
            // With subclusters, one at a time, since each may be allocated or not.
            let unit = if self.header.extended_l2 {
                cluster_size / 32
            } else {
                cluster_size
            };
            let room = (unit - at % unit).min((buffer.len() - done) as u64) as usize;
            self.read_in_cluster(at, inside, &mut buffer[done..done + room])?;
            done += room;
        }
        Ok(())
    }
}

impl Content<'_> {
    fn read_in_cluster(&self, at: u64, inside: u64, out: &mut [u8]) -> io::Result<()> {
        let header = self.header;
        let l1_index = at / header.l2_reach();
        if l1_index >= u64::from(header.l1_entries) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let l1_entry = be64(&self.file.piece(header.l1_offset + l1_index * 8, 8)?, 0) & OFFSET;
        if l1_entry == 0 {
            out.fill(0);
            return Ok(());
        }
        let l2_index = (at % header.l2_reach()) >> header.cluster_bits;
        let size = header.l2_entry_size();
        let entry = self.file.piece(l1_entry.saturating_add(l2_index * size), size)?;
        let (main, bitmap) = (be64(&entry, 0), be64(&entry, 8));
        if main & COMPRESSED != 0 {
            let cluster = self.decompress(main)?;
            let start = inside as usize;
            out.copy_from_slice(
                cluster
                    .get(start..start + out.len())
                    .ok_or(ErrorKind::InvalidData)?,
            );
            return Ok(());
        }
        let stored = if header.extended_l2 {
            let subcluster = inside / (header.cluster_size() / 32);
            bitmap >> subcluster & 1 == 1
        } else {
            main & ZERO == 0
        };
        let data = main & OFFSET;
        if data == 0 || !stored {
            out.fill(0);
            return Ok(());
        }
        // The last cluster of a file may be cut short; what is missing is zeros.
        let start = data.saturating_add(inside);
        let there = self.file.piece_up_to(start, out.len() as u64)?;
        let (front, rest) = out.split_at_mut(there.len());
        front.copy_from_slice(&there);
        rest.fill(0);
        Ok(())
    }

    fn decompress(&self, entry: u64) -> io::Result<Vec<u8>> {
        if self.header.compression != Compression::Zlib {
            return Err(ErrorKind::Unsupported.into());
        }
        let bits = self.header.cluster_bits;
        let split = 62 - (bits - 8);
        let offset = entry & ((1 << split) - 1);
        let sectors = (entry >> split) & ((1 << (bits - 8)) - 1);
        let length = (sectors + 1) * 512 - offset % 512;
        let packed = self.file.piece_up_to(offset, length)?;
        let mut cluster = vec![0; self.header.cluster_size() as usize];
        let mut inflate = flate2::Decompress::new(false);
        inflate
            .decompress(&packed, &mut cluster, flate2::FlushDecompress::Finish)
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        if inflate.total_out() == cluster.len() as u64 {
            Ok(cluster)
        } else {
            Err(ErrorKind::InvalidData.into())
        }
    }
}
