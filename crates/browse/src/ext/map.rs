//! Where a file's blocks are: a tree of extents (ext4), or pointers, directly and by up to three levels of blocks.

use super::{Ext, FLAG_EXTENTS, Inode};
use crate::filesystem::{Outcome, damaged};
use crate::source::{bytes_at, le16, le32};

const EXTENTS_MAGIC: u16 = 0xf30a;
const DEPTH_MAX: u16 = 5;
/// Longer ones are not written yet and read as zeros.
const WRITTEN_MAX: u16 = 0x8000;
/// Pointers in the inode itself; then one each for one, two and three levels.
const DIRECT: u64 = 12;

/// Blocks of a file one behind the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// The first on the volume; nowhere for a hole.
    pub place: Option<u64>,
    /// Blocks, at least 1.
    pub length: u64,
}

impl Ext {
    /// The run that begins with a file's block `logical`.
    pub(super) fn find_run(&self, inode: &Inode, logical: u64) -> Outcome<Run> {
        let run = if inode.flags() & FLAG_EXTENTS != 0 {
            self.run_of_extents(inode, logical)?
        } else {
            self.run_of_pointers(inode, logical)?
        };
        let end = run.place.map(|place| place.checked_add(run.length));
        if end.is_some_and(|end| end.is_none_or(|end| end > self.blocks)) {
            return damaged("a file lies behind the volume's end");
        }
        Ok(run)
    }

    fn run_of_extents(&self, inode: &Inode, logical: u64) -> Outcome<Run> {
        let mut node = inode.block().to_vec();
        let mut depth = le16(&node, 6);
        if depth > DEPTH_MAX {
            return damaged("the map of a file is too deep");
        }
        // First block behind what this node is about.
        let mut behind = u64::MAX;
        loop {
            let count = usize::from(le16(&node, 2));
            if le16(&node, 0) != EXTENTS_MAGIC || le16(&node, 6) != depth || 12 + count * 12 > node.len() {
                return damaged("the map of a file makes no sense");
            }
            let entry = |index: usize| bytes_at(&node, 12 + index * 12, 12);
            let start = |index: usize| u64::from(le32(entry(index), 0));
            let next = (0..count).find(|index| start(*index) > logical);
            behind = next.map_or(behind, |index| behind.min(start(index)));
            let hole = Run {
                place: None,
                length: behind - logical,
            };
            let Some(index) = next.unwrap_or(count).checked_sub(1) else {
                return Ok(hole);
            };
            let found = entry(index);
            if depth == 0 {
                return Ok(extent(found, logical).unwrap_or(hole));
            }
            let block = u64::from(le16(found, 8)) << 32 | u64::from(le32(found, 4));
            node = vec![0; self.block_size as usize];
            self.read(block, 0, &mut node)?;
            depth -= 1;
        }
    }

    fn run_of_pointers(&self, inode: &Inode, logical: u64) -> Outcome<Run> {
        let one = |place: u32| Run {
            place: (place != 0).then(|| u64::from(place)),
            length: 1,
        };
        if logical < DIRECT {
            return Ok(one(le32(inode.block(), logical as usize * 4)));
        }
        let per_block = self.block_size / 4;
        let mut index = logical - DIRECT;
        let mut reach = per_block;
        let mut level = 1;
        while index >= reach {
            if level == 3 {
                return damaged("a file is longer than is possible");
            }
            index -= reach;
            reach = reach.saturating_mul(per_block);
            level += 1;
        }
        let mut pointer = le32(inode.block(), 44 + level * 4);
        for _ in 0..level {
            if pointer == 0 {
                // Nothing below this pointer is stored.
                return Ok(Run {
                    place: None,
                    length: reach - index % reach,
                });
            }
            reach /= per_block;
            let mut bytes = [0; 4];
            self.read(u64::from(pointer), index / reach % per_block * 4, &mut bytes)?;
            pointer = le32(&bytes, 0);
        }
        Ok(one(pointer))
    }
}

/// What an extent says of a block; nothing if it ends before it.
fn extent(entry: &[u8], logical: u64) -> Option<Run> {
    let (start, length) = (u64::from(le32(entry, 0)), le16(entry, 4));
    let (length, is_written) = match length {
        0..=WRITTEN_MAX => (length, true),
        _ => (length - WRITTEN_MAX, false),
    };
    let inside = logical - start;
    let left = u64::from(length).checked_sub(inside).filter(|left| *left > 0)?;
    let place = u64::from(le16(entry, 6)) << 32 | u64::from(le32(entry, 8));
    Some(Run {
        place: is_written.then_some(place + inside),
        length: left,
    })
}
