//! Writes a disk of any other format into a new qcow2 (or raw) file: what is there and not zero, one cluster after the other.
//! One pass, no tool, and the result is compact.
//!
//! The file: header, data clusters, L2 tables, L1 table, reference count table and blocks, in this order. The header is
//! written last, so a file that was cut off is no image.

use super::create::{CLUSTER, CLUSTER_BITS, COPIED, COUNTS_PER_BLOCK, L2_ENTRIES, Plan, header_cluster};
use crate::{
    refuse,
    source::{Source, unreadable},
    work::{self, Control},
};
use nestbox_model::{Error, Result};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, ErrorKind},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
};

/// Bytes read at once.
const CHUNK: u64 = 64 * CLUSTER;
/// Bytes written between two looks at the free space.
const SPACE_EVERY: u64 = 256 << 20;

/// Writes `disk` into `out`, which must be empty. Returns the capacity. `control` counts bytes of the disk.
pub(crate) fn disk_to_qcow2(
    disk: &dyn Source,
    out: &File,
    out_path: &Path,
    control: &Control,
) -> Result<u64> {
    let mut writer = Writer {
        out,
        next: 1,
        tables: BTreeMap::new(),
    };
    each_run(disk, out_path, control, &mut |cluster, run| {
        writer.data(cluster, run)
    })?;
    writer
        .finish(disk.length().next_multiple_of(512))
        .map_err(|error| failed(out_path, &error))
}

/// Writes `disk` into `out`, which must be empty, byte for byte; zeros become holes. Returns the capacity.
pub(crate) fn disk_to_raw(disk: &dyn Source, out: &File, out_path: &Path, control: &Control) -> Result<u64> {
    let capacity = disk.length().next_multiple_of(512);
    out.set_len(capacity).map_err(|error| failed(out_path, &error))?;
    each_run(disk, out_path, control, &mut |cluster, run| {
        let at = cluster * CLUSTER;
        // The last cluster may reach behind the disk's end.
        let room = (run.len() as u64).min(capacity - at) as usize;
        out.write_all_at(&run[..room], at)
    })?;
    Ok(capacity)
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::io("write the disk", path, error)
}

/// Gives `write` each run of whole clusters that are not all zeros, and the number of its first cluster. Watches the
/// free space around `out_path`.
fn each_run(
    disk: &dyn Source,
    out_path: &Path,
    control: &Control,
    write: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
) -> Result<()> {
    let length = disk.length();
    control.add_total(length);
    let folder = out_path.parent().unwrap_or(Path::new("/"));
    let (mut written, mut next_look) = (0u64, SPACE_EVERY);
    let mut buffer = vec![0; CHUNK as usize];
    let mut at = 0;
    while at < length {
        control.go_on()?;
        let data = disk.next_data(at).map_err(|error| unreadable(&error))?;
        // Clusters, not bytes: what is before in the same cluster is zeros or was written already.
        let data = (data - data % CLUSTER).max(at);
        control.advance(data - at);
        at = data;
        if at >= length {
            break;
        }
        let room = CHUNK.min(length - at);
        let piece = &mut buffer[..room.next_multiple_of(CLUSTER) as usize];
        read(disk, at, &mut piece[..room as usize])?;
        piece[room as usize..].fill(0);
        for run in runs(piece) {
            write((at + run.start as u64) / CLUSTER, &piece[run.clone()])
                .map_err(|error| failed(out_path, &error))?;
            written += run.len() as u64;
        }
        if written >= next_look {
            work::need_space(folder, SPACE_EVERY)?;
            next_look = written + SPACE_EVERY;
        }
        control.advance(room);
        at += room;
    }
    disk.check_unchanged()
}

/// Ranges of whole clusters with data, as long as they can be.
fn runs(piece: &[u8]) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for (index, cluster) in piece.chunks_exact(CLUSTER as usize).enumerate() {
        if is_zero(cluster) {
            continue;
        }
        let start = index * CLUSTER as usize;
        let end = start + CLUSTER as usize;
        match out.last_mut() {
            Some(run) if run.end == start => run.end = end,
            _ => out.push(start..end),
        }
    }
    out
}

/// Reads all of `piece`. What can't be decoded is damage; an end that comes too early is a change, since the length
/// was judged before.
fn read(disk: &dyn Source, at: u64, piece: &mut [u8]) -> Result<()> {
    disk.read_at(at, piece).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => refuse::damaged("a part of its compressed data can't be unpacked"),
        ErrorKind::UnexpectedEof => match disk.check_unchanged() {
            Ok(()) => refuse::truncated("data lies behind the end of the file"),
            Err(changed) => changed,
        },
        _ => unreadable(&error),
    })
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
    /// Clusters of the guest, one after the other.
    fn data(&mut self, first: u64, data: &[u8]) -> io::Result<()> {
        self.out.write_all_at(data, self.next * CLUSTER)?;
        for guest_cluster in first..first + data.len() as u64 / CLUSTER {
            let table = self
                .tables
                .entry(guest_cluster / L2_ENTRIES)
                .or_insert_with(|| vec![0; L2_ENTRIES as usize]);
            table[(guest_cluster % L2_ENTRIES) as usize] = (self.next * CLUSTER) | COPIED;
            self.next += 1;
        }
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
