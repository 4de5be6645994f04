//! The content of an attribute: in its record, or in runs of clusters, maybe compressed.

use super::record::Attribute;
use super::{Ntfs, lznt1};
use crate::filesystem::{CONTENT_PIECE, Fault, Outcome, Sink, damaged};
use crate::source::bytes_at;

const COMPRESSED: u16 = 0x00ff;
const ENCRYPTED: u16 = 0x4000;
/// Most runs of one attribute.
const RUNS_MAX: usize = 4 << 20;
/// Largest unit of compression, bytes; Windows writes 64 KiB.
const UNIT_MAX: u64 = 1 << 20;

pub(super) enum Stream {
    Resident(Vec<u8>),
    Runs(Runs),
}

pub(super) struct Runs {
    runs: Vec<Run>,
    size: u64,
    written: u64,
    /// Clusters in a unit of compression.
    unit: Option<u64>,
    encrypted: bool,
}

/// Clusters one behind the other, from the content's cluster `at` on.
#[derive(Clone, Copy, Debug)]
struct Run {
    at: u64,
    length: u64,
    /// Where they are on the volume; nowhere if they are not stored.
    place: Option<u64>,
}

impl Stream {
    /// The content that the parts of one attribute make together, in order.
    pub fn of(parts: &[Attribute]) -> Outcome<Self> {
        let Some(first) = parts.first() else {
            return damaged("an attribute is missing");
        };
        if first.is_resident() {
            return Ok(Self::Resident(first.resident().to_vec()));
        }
        let mut runs = Vec::new();
        for part in parts {
            let expected = runs.last().map_or(0, |run: &Run| run.at + run.length);
            if part.is_resident() || part.first_cluster != expected {
                return damaged("a part of a file's content is missing");
            }
            decode(&part.run_list, &mut runs)?;
        }
        Ok(Self::Runs(Runs {
            runs,
            size: first.size,
            written: first.written.min(first.size),
            unit: (first.flags & COMPRESSED != 0).then(|| 1u64 << first.unit_power.min(16)),
            encrypted: first.flags & ENCRYPTED != 0,
        }))
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Resident(bytes) => bytes.len() as u64,
            Self::Runs(runs) => runs.size,
        }
    }

    /// Fills `out` from `offset` of content that is not compressed.
    pub fn read_at(&self, ntfs: &Ntfs, offset: u64, out: &mut [u8]) -> Outcome<()> {
        match self {
            Self::Resident(bytes) => {
                let piece = usize::try_from(offset).map(|at| bytes_at(bytes, at, out.len()));
                let piece = piece
                    .ok()
                    .filter(|piece| piece.len() == out.len())
                    .ok_or(Fault::NotFound)?;
                out.copy_from_slice(piece);
                Ok(())
            }
            Self::Runs(runs) => {
                if offset
                    .checked_add(out.len() as u64)
                    .is_none_or(|end| end > runs.size)
                {
                    return damaged("something lies behind a file's end");
                }
                runs.read(ntfs, offset, out)
            }
        }
    }

    /// Sends all of it.
    pub fn send(&self, ntfs: &Ntfs, sink: &mut dyn Sink) -> Outcome<()> {
        match self {
            Self::Resident(bytes) => crate::zeros::send(bytes, sink),
            Self::Runs(runs) if runs.encrypted => Err(Fault::Unsupported("Windows encrypted it".into())),
            Self::Runs(runs) => {
                match runs.unit {
                    Some(unit) => runs.send_compressed(ntfs, unit, sink)?,
                    None => runs.send_plain(ntfs, sink)?,
                }
                match runs.size - runs.written {
                    0 => Ok(()),
                    behind => sink.hole(behind),
                }
            }
        }
    }
}

impl Runs {
    /// The run that holds a cluster of the content.
    fn run_of(&self, cluster: u64) -> Option<Run> {
        let index = self.runs.partition_point(|run| run.at + run.length <= cluster);
        self.runs.get(index).copied()
    }

    /// Fills `out` from the stored clusters, whatever was written of them.
    fn read(&self, ntfs: &Ntfs, offset: u64, out: &mut [u8]) -> Outcome<()> {
        let mut done = 0;
        while done < out.len() {
            let at = offset + done as u64;
            let run = self.run_of(at / ntfs.cluster_size);
            let Some(run) = run else {
                return damaged("a part of a file's content is missing");
            };
            let inside = at - run.at * ntfs.cluster_size;
            let left = run.length.saturating_mul(ntfs.cluster_size) - inside;
            let count = left.min((out.len() - done) as u64) as usize;
            let piece = &mut out[done..done + count];
            match run.place {
                None => piece.fill(0),
                Some(place) => {
                    let start = place
                        .checked_mul(ntfs.cluster_size)
                        .and_then(|start| start.checked_add(inside));
                    let start =
                        start.ok_or_else(|| Fault::Damaged("a file lies behind the volume's end".into()))?;
                    ntfs.region.read_at(start, piece)?;
                }
            }
            done += count;
        }
        Ok(())
    }

    fn send_plain(&self, ntfs: &Ntfs, sink: &mut dyn Sink) -> Outcome<()> {
        let mut buffer = vec![0; CONTENT_PIECE as usize];
        let mut at = 0;
        while at < self.written {
            let Some(run) = self.run_of(at / ntfs.cluster_size) else {
                return damaged("a part of a file's content is missing");
            };
            let end = (run.at + run.length)
                .saturating_mul(ntfs.cluster_size)
                .min(self.written);
            if run.place.is_none() {
                sink.hole(end - at)?;
                at = end;
                continue;
            }
            let count = (end - at).min(CONTENT_PIECE) as usize;
            self.read(ntfs, at, &mut buffer[..count])?;
            crate::zeros::send(&buffer[..count], sink)?;
            at += count as u64;
        }
        Ok(())
    }

    /// Each unit is stored whole, compressed into its first clusters, or not stored.
    fn send_compressed(&self, ntfs: &Ntfs, unit: u64, sink: &mut dyn Sink) -> Outcome<()> {
        let unit_bytes = unit.saturating_mul(ntfs.cluster_size);
        if unit_bytes > UNIT_MAX {
            return damaged("a compressed file has impossibly large units");
        }
        let mut packed = Vec::new();
        let mut plain = vec![0; unit_bytes as usize];
        let mut at = 0;
        while at < self.written {
            let first = at / ntfs.cluster_size;
            let count = (self.written - at).min(unit_bytes);
            let stored = self.stored_clusters(first, unit);
            if stored == 0 {
                // All the holes that follow at once.
                let end = self.run_of(first).map_or(first + unit, |run| run.at + run.length);
                let units = (end.saturating_sub(first) / unit).max(1);
                let length = units.saturating_mul(unit_bytes).min(self.written - at);
                sink.hole(length)?;
                at += length;
                continue;
            }
            if stored >= unit {
                self.read(ntfs, at, &mut plain)?;
            } else {
                packed.resize((stored * ntfs.cluster_size) as usize, 0);
                self.read(ntfs, at, &mut packed)?;
                lznt1::decompress(&packed, &mut plain)?;
            }
            crate::zeros::send(&plain[..count as usize], sink)?;
            at += count;
        }
        Ok(())
    }

    /// How many clusters are stored at the beginning of a unit.
    fn stored_clusters(&self, first: u64, unit: u64) -> u64 {
        let mut stored = 0;
        while stored < unit {
            match self.run_of(first + stored) {
                Some(run) if run.place.is_some() => stored = run.at + run.length - first,
                _ => break,
            }
        }
        stored.min(unit)
    }
}

/// Adds the runs of a stored list: each begins with the sizes of its two numbers; the place is relative to the one before.
fn decode(list: &[u8], runs: &mut Vec<Run>) -> Outcome<()> {
    let mut at = 0;
    let mut place = 0i64;
    while let Some(sizes) = list.get(at).copied().filter(|sizes| *sizes != 0) {
        let (length_size, place_size) = (usize::from(sizes & 15), usize::from(sizes >> 4));
        let length = number(bytes_at(list, at + 1, length_size));
        let delta = bytes_at(list, at + 1 + length_size, place_size);
        if length_size == 0 || length_size > 8 || place_size > 8 || delta.len() != place_size || length <= 0 {
            return damaged("the list of a file's clusters makes no sense");
        }
        if place_size > 0 {
            place = place.wrapping_add(number(delta));
        }
        let before = runs.last().map_or(0, |run| run.at + run.length);
        let end = before.checked_add(length as u64).filter(|end| *end < 1 << 52);
        if end.is_none() || place < 0 || runs.len() == RUNS_MAX {
            return damaged("the list of a file's clusters makes no sense");
        }
        runs.push(Run {
            at: before,
            length: length as u64,
            place: (place_size > 0).then_some(place as u64),
        });
        at += 1 + length_size + place_size;
    }
    Ok(())
}

/// A signed number of up to 8 bytes, little endian.
fn number(bytes: &[u8]) -> i64 {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut all = if negative { [0xff; 8] } else { [0; 8] };
    let count = bytes.len().min(8);
    all[..count].copy_from_slice(&bytes[..count]);
    i64::from_le_bytes(all)
}
