//! ext2, ext3 and ext4: inodes, their content ([`map`], [`inline`]), folders, and a journal that is replayed in memory
//! ([`journal`]); only reads.
//!
//! Written anew: the library that there is misreads holes of ext2 and ext3, knows neither older journals nor inline data,
//! and does not end on some damage. The layout is that of the kernel's `Documentation/filesystems/ext4`.

mod inline;
mod journal;
mod map;

use crate::filesystem::{
    CONTENT_PIECE, Facts, Fault, FileSystem, Found, Kind, Outcome, Sink, Stat, Visit, damaged,
};
use crate::source::{Region, bytes_at, le16, le32};
use std::collections::HashMap;

const SUPERBLOCK: u64 = 1024;
const ROOT: u32 = 2;
/// Longest folder read, bytes, and longest target of a link.
const FOLDER_MAX: u64 = 2 << 30;
const TARGET_MAX: u64 = 4096;

/// Features without which nothing can be understood, those of them that this reader knows, and by number those it doesn't.
mod incompatible {
    pub const RECOVER: u32 = 0x4;
    pub const META_GROUPS: u32 = 0x10;
    pub const EXTENTS: u32 = 0x40;
    pub const WIDE: u32 = 0x80;
    /// File types in folders, recovery, meta groups, extents, 64 bits, multiple mount protection, flexible groups,
    /// attributes in inodes, a seed of checksums, large folders, inline data, encryption, folding of case.
    pub const KNOWN: u32 = 0x2 | RECOVER | META_GROUPS | EXTENTS | WIDE | 0x3_e700;
}

const FLAG_ENCRYPTED: u32 = 0x800;
const FLAG_EXTENTS: u32 = 0x8_0000;
const FLAG_INLINE: u32 = 0x1000_0000;

pub(crate) struct Ext {
    region: Region,
    block_size: u64,
    blocks: u64,
    first_block: u64,
    inodes: u32,
    inodes_per_group: u32,
    blocks_per_group: u64,
    inode_size: u64,
    descriptor_size: u64,
    /// First meta group whose descriptors are in its own groups.
    first_meta_group: Option<u64>,
    sparse: Sparse,
    /// Blocks whose newest content is in the journal.
    replayed: HashMap<u64, journal::Place>,
    facts: Facts,
}

/// Which groups have a copy of the superblock at their start.
enum Sparse {
    All,
    Powers,
    Two([u32; 2]),
}

/// An inode as it is stored.
struct Inode {
    bytes: Vec<u8>,
}

impl Inode {
    fn mode(&self) -> u16 {
        le16(&self.bytes, 0)
    }
    fn size(&self) -> u64 {
        u64::from(le32(&self.bytes, 0x6c)) << 32 | u64::from(le32(&self.bytes, 4))
    }
    fn flags(&self) -> u32 {
        le32(&self.bytes, 0x20)
    }
    /// 60 bytes: a map of blocks, a short target, or the beginning of inline data.
    fn block(&self) -> &[u8] {
        bytes_at(&self.bytes, 0x28, 60)
    }
    fn extra_size(&self) -> usize {
        usize::from(le16(&self.bytes, 0x80))
    }
    fn kind(&self) -> Kind {
        match self.mode() & 0xf000 {
            0x8000 => Kind::File,
            0x4000 => Kind::Folder,
            0xa000 => Kind::Link,
            _ => Kind::Other,
        }
    }
    /// Seconds since 1970: 32 signed bits and, in large inodes, two more.
    fn modified(&self) -> i64 {
        let low = i64::from(le32(&self.bytes, 0x10) as i32);
        let more = if self.extra_size() >= 12 {
            le32(&self.bytes, 0x88) & 3
        } else {
            0
        };
        low + (i64::from(more) << 32)
    }
}

impl Ext {
    pub fn open(region: &Region) -> Outcome<Self> {
        let superblock = region.piece(SUPERBLOCK, 1024)?;
        let unknown = le32(&superblock, 0x60) & !incompatible::KNOWN;
        if unknown != 0 {
            return Err(Fault::Unsupported(format!(
                "it uses a feature that Nestbox does not know (ext4 feature {unknown:#x})"
            )));
        }
        let mut ext = Self::layout(region, &superblock)?;
        if le32(&superblock, 0x60) & incompatible::RECOVER != 0 {
            let (replayed, note) = journal::replay(&ext, le32(&superblock, 0xe0));
            ext.replayed = replayed;
            ext.facts.notes.push(note.into());
        } else if le16(&superblock, 0x3a) & 1 == 0 {
            ext.facts.notes.push(crate::fat::UNCLEAN.into());
        }
        Ok(ext)
    }

    fn layout(region: &Region, superblock: &[u8]) -> Outcome<Self> {
        let incompatible = le32(superblock, 0x60);
        let wide = incompatible & incompatible::WIDE != 0;
        let number = |low: usize, high: usize| {
            let high = if wide { le32(superblock, high) } else { 0 };
            u64::from(high) << 32 | u64::from(le32(superblock, low))
        };
        let power = le32(superblock, 0x18);
        let inode_size = if le32(superblock, 0x4c) == 0 {
            128
        } else {
            u64::from(le16(superblock, 0x58))
        };
        let descriptor_size = if wide {
            u64::from(le16(superblock, 0xfe)).max(64)
        } else {
            32
        };
        let block_size = 1024u64 << power.min(6);
        let ext = Self {
            region: region.clone(),
            block_size,
            blocks: number(4, 0x150),
            first_block: u64::from(le32(superblock, 0x14)),
            inodes: le32(superblock, 0),
            inodes_per_group: le32(superblock, 0x28),
            blocks_per_group: u64::from(le32(superblock, 0x20)),
            inode_size,
            descriptor_size,
            first_meta_group: (incompatible & incompatible::META_GROUPS != 0)
                .then(|| u64::from(le32(superblock, 0x104))),
            sparse: sparse(superblock),
            replayed: HashMap::new(),
            facts: facts(
                superblock,
                number(4, 0x150)
                    .saturating_sub(number(0xc, 0x158))
                    .saturating_mul(block_size),
            ),
        };
        let sane = power <= 6
            && ext.inodes_per_group > 0
            && ext.blocks_per_group > 0
            && (128..=block_size).contains(&inode_size)
            && descriptor_size <= block_size
            && ext.first_block <= 1;
        if sane {
            Ok(ext)
        } else {
            damaged("its superblock makes no sense")
        }
    }

    /// Fills `out` from a block on; what the journal has of it is newer.
    fn read(&self, block: u64, offset: u64, out: &mut [u8]) -> Outcome<()> {
        let mut at = block
            .checked_mul(self.block_size)
            .and_then(|at| at.checked_add(offset))
            .ok_or_else(|| Fault::Damaged("something lies behind its end".into()))?;
        if self.replayed.is_empty() {
            return self.region.read_at(at, out).map_err(Into::into);
        }
        let mut done = 0;
        while done < out.len() {
            let inside = at % self.block_size;
            let count = (self.block_size - inside).min((out.len() - done) as u64);
            let piece = &mut out[done..done + count as usize];
            match self.replayed.get(&(at / self.block_size)) {
                None => self.region.read_at(at, piece)?,
                Some(place) => {
                    self.region
                        .read_at(place.block.saturating_mul(self.block_size) + inside, piece)?;
                    // A block that begins like the journal's own has its first bytes taken away.
                    if place.escaped && inside < 4 {
                        let magic = &journal::MAGIC.to_be_bytes()[inside as usize..];
                        let count = magic.len().min(piece.len());
                        piece[..count].copy_from_slice(&magic[..count]);
                    }
                }
            }
            done += count as usize;
            at += count;
        }
        Ok(())
    }

    fn inode(&self, number: u32) -> Outcome<Inode> {
        if number == 0 || number > self.inodes {
            return damaged("a folder names a file that is not there");
        }
        let (group, index) = (
            (number - 1) / self.inodes_per_group,
            (number - 1) % self.inodes_per_group,
        );
        let mut descriptor = vec![0; self.descriptor_size as usize];
        let (block, offset) = self.descriptor(u64::from(group));
        self.read(block, offset, &mut descriptor)?;
        let high = if self.descriptor_size >= 64 {
            le32(&descriptor, 0x28)
        } else {
            0
        };
        let table = u64::from(high) << 32 | u64::from(le32(&descriptor, 8));
        if table == 0 || table >= self.blocks {
            return damaged("a table of its files lies nowhere");
        }
        let mut bytes = vec![0; self.inode_size as usize];
        self.read(table, u64::from(index) * self.inode_size, &mut bytes)?;
        Ok(Inode { bytes })
    }

    /// Block and offset of a group's descriptor.
    fn descriptor(&self, group: u64) -> (u64, u64) {
        let per_block = self.block_size / self.descriptor_size;
        let (meta_group, offset) = (group / per_block, group % per_block * self.descriptor_size);
        if self.first_meta_group.is_none_or(|first| meta_group < first) {
            return (self.first_block + 1 + meta_group, offset);
        }
        let first = meta_group * per_block;
        let start = self
            .first_block
            .saturating_add(first.saturating_mul(self.blocks_per_group));
        (
            start.saturating_add(u64::from(self.has_superblock(first))),
            offset,
        )
    }

    fn has_superblock(&self, group: u64) -> bool {
        match self.sparse {
            Sparse::All => true,
            Sparse::Two(two) => group == 0 || two.iter().any(|other| u64::from(*other) == group),
            Sparse::Powers => group <= 1 || [3, 5, 7].into_iter().any(|base| is_power_of(group, base)),
        }
    }

    /// Sends the content of an inode with a map of blocks.
    fn send(&self, inode: &Inode, sink: &mut dyn Sink) -> Outcome<()> {
        let size = inode.size();
        let mut buffer = vec![0; CONTENT_PIECE as usize];
        let mut at = 0;
        while at < size {
            let run = self.find_run(inode, at / self.block_size)?;
            let end = at
                .saturating_add(run.length.saturating_mul(self.block_size))
                .min(size);
            let Some(block) = run.place else {
                sink.hole(end - at)?;
                at = end;
                continue;
            };
            let start = at;
            while at < end {
                let count = (end - at).min(CONTENT_PIECE) as usize;
                self.read(block, at - start, &mut buffer[..count])?;
                crate::zeros::send(&buffer[..count], sink)?;
                at += count as u64;
            }
        }
        Ok(())
    }

    /// Calls `visit` with the entries in one block of a folder.
    fn entries(&self, block: &[u8], visit: &mut Visit<'_, u32>) -> Outcome<()> {
        let mut at = 0;
        while at + 8 <= block.len() {
            let number = le32(block, at);
            let length = match usize::from(le16(block, at + 4)) {
                // The largest block's only entry.
                0 | 0xffff if self.block_size == 64 << 10 => block.len() - at,
                length => length,
            };
            let name = bytes_at(block, at + 8, usize::from(block[at + 6]));
            if length < 8 || at + length > block.len() || name.len() + 8 > length {
                return damaged("an entry of a folder is cut off");
            }
            if number != 0 && !name.is_empty() && name != b"." && name != b".." {
                visit(Found {
                    name: name.to_vec(),
                    node: number,
                })?;
            }
            at += length;
        }
        Ok(())
    }
}

fn is_power_of(number: u64, base: u64) -> bool {
    let mut power = base;
    while power < number {
        power = power.saturating_mul(base);
    }
    power == number
}

fn sparse(superblock: &[u8]) -> Sparse {
    if le32(superblock, 0x5c) & 0x200 != 0 {
        Sparse::Two([le32(superblock, 0x24c), le32(superblock, 0x250)])
    } else if le32(superblock, 0x64) & 1 != 0 {
        Sparse::Powers
    } else {
        Sparse::All
    }
}

fn facts(superblock: &[u8], used: u64) -> Facts {
    let label = bytes_at(superblock, 0x78, 16);
    let label = label.split(|byte| *byte == 0).next().unwrap_or_default();
    let has_extents = le32(superblock, 0x60) & incompatible::EXTENTS != 0;
    let has_journal = le32(superblock, 0x5c) & 4 != 0;
    Facts {
        filesystem: match (has_extents, has_journal) {
            (true, _) => "ext4",
            (false, true) => "ext3",
            (false, false) => "ext2",
        },
        label: (!label.is_empty()).then(|| crate::names::shown(label)),
        used: Some(used),
        notes: Vec::new(),
    }
}

impl FileSystem for Ext {
    type Node = u32;

    fn facts(&self) -> &Facts {
        &self.facts
    }
    fn root(&self) -> u32 {
        ROOT
    }

    fn read_folder(&self, folder: &u32, visit: &mut Visit<'_, u32>) -> Outcome<()> {
        let inode = self.inode(*folder)?;
        if inode.kind() != Kind::Folder {
            return Err(Fault::NotAFolder);
        }
        if inode.flags() & FLAG_ENCRYPTED != 0 {
            return Err(Fault::Unsupported("it is encrypted".into()));
        }
        if inode.flags() & FLAG_INLINE != 0 {
            // The parent's number stands before the first entries.
            self.entries(inode.block().get(4..).unwrap_or_default(), visit)?;
            return self.entries(inline::rest(&inode), visit);
        }
        let count = inode.size().min(FOLDER_MAX) / self.block_size;
        let mut block = vec![0; self.block_size as usize];
        let mut at = 0;
        while at < count {
            let run = self.find_run(&inode, at)?;
            let end = at.saturating_add(run.length).min(count);
            if let Some(place) = run.place {
                for index in 0..end - at {
                    self.read(place + index, 0, &mut block)?;
                    self.entries(&block, visit)?;
                }
            }
            at = end;
        }
        Ok(())
    }

    fn stat(&self, node: &u32) -> Outcome<Stat> {
        let inode = self.inode(*node)?;
        let kind = inode.kind();
        Ok(Stat {
            kind,
            size: if kind == Kind::File { inode.size() } else { 0 },
            modified: Some(inode.modified()),
        })
    }

    fn link_target(&self, node: &u32) -> Outcome<Vec<u8>> {
        let inode = self.inode(*node)?;
        let size = inode.size().min(TARGET_MAX) as usize;
        if inode.flags() & FLAG_INLINE != 0 {
            return Ok(inline::content(&inode, size));
        }
        if size < 60 && inode.flags() & FLAG_EXTENTS == 0 {
            return Ok(bytes_at(inode.block(), 0, size).to_vec());
        }
        if inode.flags() & FLAG_ENCRYPTED != 0 {
            return Ok(Vec::new());
        }
        let mut target = vec![0; size];
        if let Some(block) = self.find_run(&inode, 0)?.place {
            self.read(block, 0, &mut target)?;
        }
        Ok(target)
    }

    fn read_file(&self, node: &u32, sink: &mut dyn Sink) -> Outcome<()> {
        let inode = self.inode(*node)?;
        if inode.flags() & FLAG_ENCRYPTED != 0 {
            return Err(Fault::Unsupported("it is encrypted".into()));
        }
        if inode.flags() & FLAG_INLINE == 0 {
            return self.send(&inode, sink);
        }
        let size = inode.size();
        let content = inline::content(&inode, size.min(self.block_size) as usize);
        if (content.len() as u64) < size {
            return damaged("a file is shorter than it says");
        }
        crate::zeros::send(&content, sink)
    }
}
