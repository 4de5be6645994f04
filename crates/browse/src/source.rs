//! Bounded reading of the disk: blocks are kept for a while, and nobody gets more at once than a few MiB.

use nestbox_disk::Layers;
use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    io::{self, ErrorKind},
    rc::Rc,
};

/// Bytes of one kept block.
const BLOCK: u64 = 64 << 10;
/// Blocks kept: 16 MiB.
const BLOCKS_MAX: usize = 256;
/// The longest piece a reader may ask for, bytes.
const PIECE_MAX: u64 = 16 << 20;

/// Bytes that can be read at any offset.
pub(crate) trait Blocks {
    /// How many there are.
    fn length(&self) -> u64;
    /// Fills `buffer` from `offset`; an end before that is `UnexpectedEof`.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl Blocks for Layers {
    fn length(&self) -> u64 {
        self.capacity()
    }
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        Self::read_at(self, offset, buffer)
    }
}

/// A disk with a cache; the regions of its volumes share it.
pub(crate) struct Disk {
    blocks: Box<dyn Blocks>,
    kept: HashMap<u64, Vec<u8>>,
    order: VecDeque<u64>,
}

impl Disk {
    fn block(&mut self, index: u64) -> io::Result<&[u8]> {
        if !self.kept.contains_key(&index) {
            let start = index * BLOCK;
            let mut block = vec![0; BLOCK.min(self.blocks.length().saturating_sub(start)) as usize];
            self.blocks.read_at(start, &mut block)?;
            if self.order.len() == BLOCKS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.kept.remove(&oldest);
            }
            self.order.push_back(index);
            self.kept.insert(index, block);
        }
        Ok(self.kept.get(&index).map_or(&[], Vec::as_slice))
    }
}

/// A part of a disk: the whole, or a partition.
#[derive(Clone)]
pub(crate) struct Region {
    disk: Rc<RefCell<Disk>>,
    offset: u64,
    length: u64,
}

impl Region {
    /// All of a disk.
    pub fn whole(blocks: Box<dyn Blocks>) -> Self {
        let length = blocks.length();
        let disk = Disk {
            blocks,
            kept: HashMap::new(),
            order: VecDeque::new(),
        };
        Self {
            disk: Rc::new(RefCell::new(disk)),
            offset: 0,
            length,
        }
    }

    /// The part from `offset`, cut off where this one ends.
    pub fn part(&self, offset: u64, length: u64) -> Self {
        let offset = offset.min(self.length);
        Self {
            disk: self.disk.clone(),
            offset: self.offset + offset,
            length: length.min(self.length - offset),
        }
    }

    pub fn length(&self) -> u64 {
        self.length
    }

    /// Fills `buffer` from `offset`; an end before that is `UnexpectedEof`.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.length) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut disk = self.disk.borrow_mut();
        let mut done = 0;
        while done < buffer.len() {
            let at = self.offset + offset + done as u64;
            let block = disk.block(at / BLOCK)?;
            let inside = (at % BLOCK) as usize;
            let there = block.get(inside..).unwrap_or_default();
            let count = there.len().min(buffer.len() - done);
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            buffer[done..done + count].copy_from_slice(&there[..count]);
            done += count;
        }
        Ok(())
    }

    /// `length` bytes from `offset`, all or an error; at most 16 MiB.
    pub fn piece(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        if length > PIECE_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        if offset.checked_add(length).is_none_or(|end| end > self.length) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut piece = vec![0; length as usize];
        self.read_at(offset, &mut piece)?;
        Ok(piece)
    }

    /// Up to `length` bytes from `offset`: fewer at the end.
    pub fn piece_up_to(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        self.piece(offset, length.min(self.length.saturating_sub(offset)))
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    if let Some(part) = at.checked_add(N).and_then(|end| bytes.get(at..end)) {
        out.copy_from_slice(part);
    }
    out
}

// Beyond the end these give 0, so that a reader can't panic.
pub(crate) fn le16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}
pub(crate) fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}
pub(crate) fn le64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}
/// `length` bytes from `at`; nothing where they are not all there.
pub(crate) fn bytes_at(bytes: &[u8], at: usize, length: usize) -> &[u8] {
    at.checked_add(length)
        .and_then(|end| bytes.get(at..end))
        .unwrap_or_default()
}
