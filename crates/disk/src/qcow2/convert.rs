//! Writes the content of a raw disk into a new qcow2 file: what is there and not zero, one cluster after the other.
//! One pass, no tool, and the result is compact.
//!
//! The file: header, data clusters, L2 tables, L1 table, reference count table and blocks, in this order. The header is
//! written last, so a file that was cut off is no image.

use super::create::{CLUSTER, CLUSTER_BITS, COPIED, COUNTS_PER_BLOCK, L2_ENTRIES, Plan, header_cluster};
use crate::{copy::SourceState, work::Control};
use nestbox_model::{Error, Result};
use rustix::fs::SeekFrom;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::Path,
};

/// Bytes read at once.
const CHUNK: u64 = 64 * CLUSTER;

/// Writes `source` (whose state was `state`) into `out`, which must be empty. Returns the capacity.
pub(crate) fn raw_to_qcow2(
    source: &File,
    state: &SourceState,
    out: &File,
    out_path: &Path,
    control: &Control,
) -> Result<u64> {
    let failed = |error: &io::Error| Error::io("write the machine's disk", out_path, error);
    let mut writer = Writer {
        out,
        next: 1,
        tables: BTreeMap::new(),
    };
    control.set_total(state.length);
    let mut buffer = vec![0; CHUNK as usize];
    let mut at = 0;
    while at < state.length {
        control.go_on()?;
        let data = next_data(source, at, state.length).map_err(|error| crate::source::unreadable(&error))?;
        // Clusters, not bytes: what is before in the same cluster is zeros or was written already.
        let data = (data - data % CLUSTER).max(at);
        control.advance(data - at);
        at = data;
        if at >= state.length {
            break;
        }
        let room = CHUNK.min(state.length - at);
        let piece = &mut buffer[..room.next_multiple_of(CLUSTER) as usize];
        source
            .read_exact_at(&mut piece[..room as usize], at)
            .map_err(|error| {
                if error.kind() == ErrorKind::UnexpectedEof {
                    crate::copy::changed()
                } else {
                    crate::source::unreadable(&error)
                }
            })?;
        piece[room as usize..].fill(0);
        for (index, cluster) in piece.chunks_exact(CLUSTER as usize).enumerate() {
            if !is_zero(cluster) {
                writer
                    .data(at / CLUSTER + index as u64, cluster)
                    .map_err(|error| failed(&error))?;
            }
        }
        control.advance(room);
        at += room;
    }
    state.check(source)?;
    writer
        .finish(state.length.next_multiple_of(512))
        .map_err(|error| failed(&error))
}

/// The next place at or after `at` that may hold data.
fn next_data(source: &File, at: u64, length: u64) -> io::Result<u64> {
    match rustix::fs::seek(source, SeekFrom::Data(at)) {
        Ok(data) => Ok(data.clamp(at, length)),
        Err(rustix::io::Errno::NXIO) => Ok(length),
        // Not every file system knows its holes.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::OPNOTSUPP) => Ok(at),
        Err(error) => Err(error.into()),
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    // In pieces that the compiler makes wide instructions of.
    bytes
        .chunks(64)
        .all(|piece| piece.iter().fold(0, |sum, byte| sum | byte) == 0)
}

struct Writer<'a> {
    out: &'a File,
    /// The next free cluster of the file.
    next: u64,
    /// L2 tables by number; entries that are not there are 0.
    tables: BTreeMap<u64, Vec<u64>>,
}

impl Writer<'_> {
    fn data(&mut self, guest_cluster: u64, data: &[u8]) -> io::Result<()> {
        self.out.write_all_at(data, self.next * CLUSTER)?;
        let table = self
            .tables
            .entry(guest_cluster / L2_ENTRIES)
            .or_insert_with(|| vec![0; L2_ENTRIES as usize]);
        table[(guest_cluster % L2_ENTRIES) as usize] = (self.next * CLUSTER) | COPIED;
        self.next += 1;
        Ok(())
    }

    fn append(&mut self, words: &[u64]) -> io::Result<u64> {
        let offset = self.next * CLUSTER;
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        self.out.write_all_at(&bytes, offset)?;
        self.next += (bytes.len() as u64).div_ceil(CLUSTER);
        Ok(offset)
    }

    fn finish(mut self, capacity: u64) -> io::Result<u64> {
        let l1_entries = capacity.div_ceil(L2_ENTRIES << CLUSTER_BITS);
        let mut l1 = vec![0; l1_entries as usize];
        for (index, table) in std::mem::take(&mut self.tables) {
            let offset = self.append(&table)?;
            l1[index as usize] = offset | COPIED;
        }
        let l1_offset = self.append(&l1)?;
        // The reference counts count themselves: grow until they suffice.
        let (mut blocks, mut table_clusters) = (1, 1);
        loop {
            let clusters = self.next + blocks + table_clusters;
            let needed = (
                clusters.div_ceil(COUNTS_PER_BLOCK),
                (blocks * 8).div_ceil(CLUSTER),
            );
            if needed.0 <= blocks && needed.1 <= table_clusters {
                break;
            }
            (blocks, table_clusters) = (needed.0.max(blocks), needed.1.max(table_clusters));
        }
        let refcount_table_offset = self.next * CLUSTER;
        let blocks_offset = refcount_table_offset + table_clusters * CLUSTER;
        let table: Vec<u64> = (0..blocks).map(|index| blocks_offset + index * CLUSTER).collect();
        self.append(&table)?;
        self.next = refcount_table_offset / CLUSTER + table_clusters;
        let total = self.next + blocks;
        for index in 0..blocks {
            let used = total
                .saturating_sub(index * COUNTS_PER_BLOCK)
                .min(COUNTS_PER_BLOCK) as usize;
            self.out
                .write_all_at(&[0u8, 1].repeat(used), blocks_offset + index * CLUSTER)?;
        }
        self.out.set_len(total * CLUSTER)?;
        let plan = Plan {
            capacity,
            l1_entries,
            l1_offset,
            l1_clusters: (l1_entries * 8).div_ceil(CLUSTER),
            refcount_table_offset,
            refcount_table_clusters: table_clusters,
        };
        // Everything else first.
        self.out.sync_data()?;
        self.out.write_all_at(&header_cluster(&plan, None), 0)?;
        Ok(capacity)
    }
}
