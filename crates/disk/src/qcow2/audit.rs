//! Follows every table of a qcow2 file and refuses what contradicts itself: tables that overlap, clusters with too few
//! references, data behind the end, one cluster claimed for several places. `qemu-img check` passes some of these.
//!
//! Work is bounded: every table is read once, and together they may have 2 GiB (16 TiB of data in the usual clusters).

use super::Header;
use crate::{
    refuse,
    source::{FileSource, Source, be16, be32, be64, piece},
};
use nestbox_model::Result;
use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
};

/// Most clusters of a file we take: 4 TiB of 64 KiB clusters.
const CLUSTERS_MAX: u64 = 1 << 26;
/// Most bytes of tables we read.
const TABLES_MAX: u64 = 2 << 30;
/// Most bytes of the snapshot table (QEMU's limit).
const SNAPSHOT_TABLE_MAX: u64 = 64 << 20;

const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const RESERVED_L1: u64 = 0x7f00_0000_0000_01ff;
const RESERVED_L2: u64 = 0x3f00_0000_0000_01fe;

/// What is in an image that was found sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Clusters of the active disk that are stored as they are.
    pub plain_clusters: u64,
    /// Clusters of the active disk that are stored compressed.
    pub compressed_clusters: u64,
}

/// Follows all tables of `file`, whose header is `header`.
///
/// # Errors
/// `image-damaged`, `image-truncated`, `image-expands`, `image-too-large`, `io-error`.
pub fn audit(file: &File, header: &Header) -> Result<Audit> {
    let length = file
        .metadata()
        .map_err(|error| crate::source::unreadable(&error))?
        .len();
    audit_source(&FileSource { file, length }, header)
}

pub(crate) fn audit_source(source: &dyn Source, header: &Header) -> Result<Audit> {
    let clusters = source.length().div_ceil(header.cluster_size());
    if clusters > CLUSTERS_MAX {
        return Err(refuse::too_large(
            "it has more clusters than can be checked; use larger clusters",
        ));
    }
    let mut walk = Walk {
        source,
        header,
        references: vec![0; clusters as usize],
        tables: Bits::new(clusters),
        copied: Bits::new(clusters),
        active: Bits::new(clusters),
        compressed_at: Vec::new(),
        budget: TABLES_MAX,
        found: Audit::default(),
    };
    walk.run()?;
    Ok(walk.found)
}

struct Walk<'a> {
    source: &'a dyn Source,
    header: &'a Header,
    /// References found, by cluster of the file.
    references: Vec<u16>,
    tables: Bits,
    copied: Bits,
    active: Bits,
    /// Where the compressed clusters of the active disk begin.
    compressed_at: Vec<u64>,
    budget: u64,
    found: Audit,
}

/// How an L2 table is reached.
#[derive(Clone, Copy, Default)]
struct Reached {
    times: u16,
    active: bool,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<()> {
        let header = self.header;
        self.mark(0, header.cluster_size())?;
        let blocks = self.refcount_table()?;
        let mut l2_tables = BTreeMap::<u64, Reached>::new();
        self.l1_table(header.l1_offset, header.l1_entries, true, &mut l2_tables)?;
        for (offset, entries) in self.snapshot_table()? {
            self.l1_table(offset, entries, false, &mut l2_tables)?;
        }
        // All tables are marked before any data is looked at, so that data in a table is always seen.
        for (offset, reached) in &l2_tables {
            self.mark(*offset, header.cluster_size())?;
            self.add_references(offset >> header.cluster_bits, reached.times - 1)?;
        }
        for (offset, reached) in &l2_tables {
            self.l2_table(*offset, *reached)?;
        }
        self.compressed_at.sort_unstable();
        if self.compressed_at.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(refuse::bomb());
        }
        // After a crash with lazy reference counts they are stale, and QEMU counts them anew.
        if header.dirty {
            Ok(())
        } else {
            self.compare(&blocks)
        }
    }

    fn read(&mut self, offset: u64, length: u64) -> Result<Vec<u8>> {
        self.budget = self
            .budget
            .checked_sub(length)
            .ok_or_else(|| refuse::too_large("its tables have more than 2 GiB"))?;
        piece(self.source, offset, length)
    }

    fn add_references(&mut self, cluster: u64, times: u16) -> Result<()> {
        let count = usize::try_from(cluster)
            .ok()
            .and_then(|index| self.references.get_mut(index))
            .ok_or_else(|| refuse::truncated("a table lies behind the end of the file"))?;
        *count = count.saturating_add(times);
        Ok(())
    }

    /// Marks a table; tables may not share clusters.
    fn mark(&mut self, offset: u64, length: u64) -> Result<()> {
        let bits = self.header.cluster_bits;
        let last = offset
            .checked_add(length.max(1) - 1)
            .ok_or_else(|| refuse::damaged("a table lies at an impossible place"))?;
        for cluster in (offset >> bits)..=(last >> bits) {
            self.add_references(cluster, 1)?;
            if self.tables.replace(cluster) {
                return Err(refuse::damaged("two of its tables overlap"));
            }
        }
        Ok(())
    }

    fn aligned(&self, offset: u64, what: &str) -> Result<()> {
        if offset.is_multiple_of(self.header.cluster_size()) {
            Ok(())
        } else {
            Err(refuse::damaged(format_args!(
                "{what} lies at an impossible place"
            )))
        }
    }

    fn refcount_table(&mut self) -> Result<Vec<u64>> {
        let header = self.header;
        let bytes = u64::from(header.refcount_table_clusters) << header.cluster_bits;
        self.mark(header.refcount_table_offset, bytes)?;
        let table = self.read(header.refcount_table_offset, bytes)?;
        let mut blocks = Vec::new();
        for at in (0..table.len()).step_by(8) {
            let entry = be64(&table, at);
            if entry & 0x1ff != 0 {
                return Err(refuse::damaged(
                    "its reference count table has bits that mean nothing",
                ));
            }
            if entry != 0 {
                self.aligned(entry, "a block of reference counts")?;
                self.mark(entry, header.cluster_size())?;
            }
            blocks.push(entry);
        }
        Ok(blocks)
    }

    fn l1_table(
        &mut self,
        offset: u64,
        entries: u32,
        active: bool,
        l2_tables: &mut BTreeMap<u64, Reached>,
    ) -> Result<()> {
        if entries == 0 {
            return Ok(());
        }
        let bytes = u64::from(entries) * 8;
        self.aligned(offset, "an L1 table")?;
        self.mark(offset, bytes)?;
        let table = self.read(offset, bytes)?;
        let mut seen = HashSet::new();
        for at in (0..table.len()).step_by(8) {
            let entry = be64(&table, at);
            let target = entry & OFFSET;
            if entry & RESERVED_L1 != 0 {
                return Err(refuse::damaged("an L1 table has bits that mean nothing"));
            }
            if target == 0 {
                continue;
            }
            self.aligned(target, "an L2 table")?;
            if !seen.insert(target) {
                return Err(refuse::bomb());
            }
            let reached = l2_tables.entry(target).or_default();
            reached.times = reached.times.saturating_add(1);
            reached.active |= active;
            if l2_tables.len() as u64 > TABLES_MAX >> self.header.cluster_bits {
                return Err(refuse::too_large("its tables have more than 2 GiB"));
            }
            // Snapshots' tables may keep stale marks; nobody acts on them.
            if active && entry & COPIED != 0 {
                self.copied.replace(target >> self.header.cluster_bits);
            }
        }
        Ok(())
    }

    /// The L1 tables of the internal snapshots: offset and entries.
    fn snapshot_table(&mut self) -> Result<Vec<(u64, u32)>> {
        let header = self.header;
        let mut tables = Vec::new();
        let mut at = header.snapshots_offset;
        for _ in 0..header.snapshots {
            let head = self.read(at, 40)?;
            let (extra, id, name) = (be32(&head, 36), be16(&head, 12), be16(&head, 14));
            if extra > 1024 {
                return Err(refuse::damaged("a snapshot's entry is longer than QEMU allows"));
            }
            let entries = be32(&head, 8);
            if u64::from(entries) * 8 > 32 << 20 {
                return Err(refuse::damaged(
                    "a snapshot's L1 table is larger than QEMU allows",
                ));
            }
            tables.push((be64(&head, 0), entries));
            let length = (40 + u64::from(extra) + u64::from(id) + u64::from(name)).next_multiple_of(8);
            at = at
                .checked_add(length)
                .ok_or_else(|| refuse::damaged("its snapshot table has no end"))?;
            if at - header.snapshots_offset > SNAPSHOT_TABLE_MAX {
                return Err(refuse::damaged("its snapshot table is larger than QEMU allows"));
            }
        }
        if header.snapshots > 0 {
            self.mark(header.snapshots_offset, at - header.snapshots_offset)?;
        }
        Ok(tables)
    }

    fn l2_table(&mut self, offset: u64, reached: Reached) -> Result<()> {
        let table = self.read(offset, self.header.cluster_size())?;
        let step = self.header.l2_entry_size() as usize;
        for at in (0..table.len()).step_by(step) {
            let entry = be64(&table, at);
            if entry & COMPRESSED != 0 {
                self.compressed_cluster(entry, reached)?;
            } else if entry & OFFSET != 0 {
                self.plain_cluster(entry, reached)?;
            }
        }
        Ok(())
    }

    fn compressed_cluster(&mut self, entry: u64, reached: Reached) -> Result<()> {
        let bits = self.header.cluster_bits;
        let split = 62 - (bits - 8);
        let offset = entry & ((1 << split) - 1);
        let sectors = (entry >> split) & ((1 << (bits - 8)) - 1);
        if entry & COPIED != 0 {
            return Err(refuse::damaged("a compressed cluster is marked as writable"));
        }
        let end = (offset & !511) + (sectors + 1) * 512;
        // The last sector may reach behind the end of a file that was not padded.
        if offset == 0
            || offset >= self.source.length()
            || end > self.source.length().next_multiple_of(512) + 512
        {
            return Err(refuse::truncated(
                "compressed data lies behind the end of the file",
            ));
        }
        let last = ((end - 1) >> bits).min(self.references.len() as u64 - 1);
        for cluster in (offset >> bits)..=last {
            if self.tables.get(cluster) {
                return Err(refuse::damaged("compressed data lies in one of its tables"));
            }
            self.add_references(cluster, reached.times)?;
        }
        if reached.active {
            self.compressed_at.push(offset);
            self.found.compressed_clusters += 1;
        }
        Ok(())
    }

    fn plain_cluster(&mut self, entry: u64, reached: Reached) -> Result<()> {
        let offset = entry & OFFSET;
        if entry & RESERVED_L2 != 0 {
            return Err(refuse::damaged("an L2 table has bits that mean nothing"));
        }
        self.aligned(offset, "a cluster")?;
        if offset >= self.source.length() {
            return Err(refuse::truncated("data lies behind the end of the file"));
        }
        let cluster = offset >> self.header.cluster_bits;
        if self.tables.get(cluster) {
            return Err(refuse::damaged("a place of the disk lies in one of its tables"));
        }
        self.add_references(cluster, reached.times)?;
        if reached.active {
            if entry & COPIED != 0 {
                self.copied.replace(cluster);
            }
            if self.active.replace(cluster) {
                return Err(refuse::bomb());
            }
            self.found.plain_clusters += 1;
        }
        Ok(())
    }

    /// Compares the references found with the counts in the file. More than there are only waste space.
    fn compare(&mut self, blocks: &[u64]) -> Result<()> {
        let order = self.header.refcount_order;
        let counts_per_block = (self.header.cluster_size() * 8) >> order;
        let clusters = self.references.len() as u64;
        for first in (0..clusters).step_by(counts_per_block as usize) {
            let last = (first + counts_per_block).min(clusters);
            let block = match blocks.get((first / counts_per_block) as usize) {
                Some(offset) if *offset != 0 => self.read(*offset, self.header.cluster_size())?,
                _ => Vec::new(),
            };
            for cluster in first..last {
                let found = u64::from(self.references[cluster as usize]);
                if found == 0 {
                    continue;
                }
                if count_at(&block, order, cluster - first) < found {
                    return Err(refuse::damaged(
                        "data in use is not counted as used, so it would be overwritten",
                    ));
                }
                if found > 1 && self.copied.get(cluster) {
                    return Err(refuse::damaged("a shared cluster is marked as writable"));
                }
            }
        }
        Ok(())
    }
}

/// Count number `index` of a block, whose counts have `1 << order` bits.
fn count_at(block: &[u8], order: u32, index: u64) -> u64 {
    let index = index as usize;
    match order {
        0..=2 => {
            let bits = 1usize << order;
            let per_byte = 8 / bits;
            let byte = block.get(index / per_byte).copied().unwrap_or(0);
            u64::from((byte >> ((index % per_byte) * bits)) & ((1u16 << bits) - 1) as u8)
        }
        3 => u64::from(block.get(index).copied().unwrap_or(0)),
        4 => u64::from(be16(block, index * 2)),
        5 => u64::from(be32(block, index * 4)),
        _ => be64(block, index * 8),
    }
}

/// A set of cluster numbers.
struct Bits(Vec<u64>);

impl Bits {
    fn new(size: u64) -> Self {
        Self(vec![0; size.div_ceil(64) as usize])
    }
    fn get(&self, index: u64) -> bool {
        self.0
            .get((index / 64) as usize)
            .is_some_and(|word| word >> (index % 64) & 1 == 1)
    }
    /// Adds `index`; true if it was there.
    fn replace(&mut self, index: u64) -> bool {
        let Some(word) = self.0.get_mut((index / 64) as usize) else {
            return false;
        };
        let bit = 1 << (index % 64);
        let before = *word & bit != 0;
        *word |= bit;
        before
    }
}
