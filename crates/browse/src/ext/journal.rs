//! The journal (JBD2), replayed in memory: which blocks have newer content in it. Nothing is written.
//!
//! A transaction counts when its commit block is there, in sequence; blocks revoked by the same or a later transaction
//! don't. Fast commits are passed over: what they hold is no older than the last full commit, and a note says so.

use super::{Ext, Inode};
use crate::filesystem::Outcome;
use crate::source::bytes_at;
use std::collections::HashMap;

pub(super) const MAGIC: u32 = 0xc03b_3998;

const DESCRIPTOR: u32 = 1;
const COMMIT: u32 = 2;
const REVOKE: u32 = 5;

const FEATURE_WIDE: u32 = 2;
const FEATURE_CHECKSUM_2: u32 = 8;
const FEATURE_CHECKSUM_3: u32 = 0x10;
/// Revoking, 64 bits, asynchronous commits, checksums, fast commits.
const FEATURES_KNOWN: u32 = 0x3f;

const TAG_ESCAPED: u32 = 1;
const TAG_SAME_VOLUME: u32 = 2;
const TAG_LAST: u32 = 8;

/// Most blocks of a journal, and most blocks that it may have content for.
const BLOCKS_MAX: u32 = 1 << 22;
const REPLAYED_MAX: usize = 1 << 20;

const REPLAYED: &str = "It was not shut down cleanly: what its journal holds is taken into account, what the guest had not written yet is missing.";
const NOT_REPLAYED: &str = "It was not shut down cleanly, and its journal can't be read: the newest changes may be missing or half written.";

/// Where the newest content of a block is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Block on the volume.
    pub block: u64,
    /// Its first four bytes are to be the journal's magic number.
    pub escaped: bool,
}

/// Blocks with newer content, and what to tell.
pub(super) fn replay(ext: &Ext, inode: u32) -> (HashMap<u64, Place>, &'static str) {
    match try_replay(ext, inode) {
        Ok(Some(places)) => (places, REPLAYED),
        Ok(None) | Err(_) => (HashMap::new(), NOT_REPLAYED),
    }
}

fn try_replay(ext: &Ext, inode: u32) -> Outcome<Option<HashMap<u64, Place>>> {
    let inode = ext.inode(inode)?;
    let Some(mut log) = Log::open(ext, inode)? else {
        return Ok(None);
    };
    log.scan()?;
    let Log { newest, revoked, .. } = log;
    let places = newest
        .into_iter()
        .filter(|(block, (sequence, _))| revoked.get(block).is_none_or(|by| before(*by, *sequence)))
        .map(|(block, (_, place))| (block, place));
    Ok(Some(places.collect()))
}

/// Sequence numbers wrap around.
fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

struct Log<'a> {
    ext: &'a Ext,
    inode: Inode,
    features: u32,
    /// First block of the log, one behind its last, and the next to be read.
    first: u32,
    end: u32,
    at: u32,
    sequence: u32,
    newest: HashMap<u64, (u32, Place)>,
    revoked: HashMap<u64, u32>,
}

impl<'a> Log<'a> {
    /// `None` where the journal is of a kind that is not known.
    fn open(ext: &'a Ext, inode: Inode) -> Outcome<Option<Self>> {
        let mut log = Self {
            ext,
            inode,
            features: 0,
            first: 0,
            end: BLOCKS_MAX,
            at: 0,
            sequence: 0,
            newest: HashMap::new(),
            revoked: HashMap::new(),
        };
        let (head, _) = log.block(0)?;
        let kind = be32(&head, 4);
        log.features = if kind == 4 { be32(&head, 40) } else { 0 };
        (log.end, log.first, log.sequence, log.at) =
            (be32(&head, 16), be32(&head, 20), be32(&head, 24), be32(&head, 28));
        let sane = be32(&head, 0) == MAGIC
            && matches!(kind, 3 | 4)
            && u64::from(be32(&head, 12)) == ext.block_size
            && log.features & !FEATURES_KNOWN == 0
            && log.end <= BLOCKS_MAX
            && (log.at == 0 || (log.first > 0 && log.first <= log.at && log.at < log.end));
        Ok(sane.then_some(log))
    }

    /// A block of the log, and where it is on the volume.
    fn block(&self, number: u32) -> Outcome<(Vec<u8>, u64)> {
        let run = self.ext.find_run(&self.inode, u64::from(number))?;
        let Some(place) = run.place else {
            return crate::filesystem::damaged("its journal has holes");
        };
        let mut block = vec![0; self.ext.block_size as usize];
        self.ext.read(place, 0, &mut block)?;
        Ok((block, place))
    }

    fn step(&mut self) {
        self.at += 1;
        if self.at >= self.end {
            self.at = self.first;
        }
    }

    /// Reads transaction after transaction until one is not complete.
    fn scan(&mut self) -> Outcome<()> {
        // The journal is empty.
        if self.at == 0 {
            return Ok(());
        }
        let mut logged: Vec<(u64, Place)> = Vec::new();
        let mut revoked: Vec<u64> = Vec::new();
        for _ in self.first..self.end {
            let (block, _) = self.block(self.at)?;
            if be32(&block, 0) != MAGIC || be32(&block, 8) != self.sequence {
                return Ok(());
            }
            self.step();
            match be32(&block, 4) {
                DESCRIPTOR => self.tags(&block, &mut logged)?,
                REVOKE => self.revocations(&block, &mut revoked),
                COMMIT => {
                    let sequence = self.sequence;
                    self.newest
                        .extend(logged.drain(..).map(|(block, place)| (block, (sequence, place))));
                    self.revoked
                        .extend(revoked.drain(..).map(|block| (block, sequence)));
                    self.sequence = sequence.wrapping_add(1);
                    if self.newest.len() > REPLAYED_MAX || self.revoked.len() > REPLAYED_MAX {
                        return crate::filesystem::damaged("its journal is impossibly large");
                    }
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// The blocks that follow a descriptor.
    fn tags(&mut self, block: &[u8], logged: &mut Vec<(u64, Place)>) -> Outcome<()> {
        let wide = self.features & FEATURE_WIDE != 0;
        let third = self.features & FEATURE_CHECKSUM_3 != 0;
        let size = match (third, wide, self.features & FEATURE_CHECKSUM_2 != 0) {
            (true, ..) => 16,
            (_, wide, checksum) => 8 + if wide { 4 } else { 0 } + if checksum { 2 } else { 0 },
        };
        let checksums = self.features & (FEATURE_CHECKSUM_2 | FEATURE_CHECKSUM_3) != 0;
        let end = block.len() - if checksums { 4 } else { 0 };
        let mut at = 12;
        while at + size <= end && logged.len() <= REPLAYED_MAX {
            let flags = if third {
                be32(block, at + 4)
            } else {
                be32(block, at + 4) & 0xffff
            };
            let high = if wide { be32(block, at + 8) } else { 0 };
            let number = u64::from(high) << 32 | u64::from(be32(block, at));
            let run = self.ext.find_run(&self.inode, u64::from(self.at))?;
            if let Some(place) = run.place {
                let escaped = flags & TAG_ESCAPED != 0;
                logged.push((
                    number,
                    Place {
                        block: place,
                        escaped,
                    },
                ));
            }
            self.step();
            at += size + if flags & TAG_SAME_VOLUME == 0 { 16 } else { 0 };
            if flags & TAG_LAST != 0 {
                break;
            }
        }
        Ok(())
    }

    fn revocations(&self, block: &[u8], revoked: &mut Vec<u64>) {
        let wide = self.features & FEATURE_WIDE != 0;
        let end = (be32(block, 12) as usize).min(block.len());
        let size = if wide { 8 } else { 4 };
        for number in bytes_at(block, 16, end.saturating_sub(16)).chunks_exact(size) {
            let high = if wide { u64::from(be32(number, 0)) << 32 } else { 0 };
            revoked.push(high | u64::from(be32(number, size - 4)));
        }
    }
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    crate::source::le32(bytes, at).swap_bytes()
}
