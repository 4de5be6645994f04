//! A disk that lies in several pieces, one behind the other.

use crate::source::{SharedSource, Source};
use nestbox_model::Result;
use std::io::{self, ErrorKind};

/// One piece.
pub(crate) struct Extent {
    /// `None`: zeros.
    pub content: Option<SharedSource>,
    /// Where in the content it begins, bytes.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// The pieces as one disk.
pub(crate) struct Extents {
    /// With where each begins on the disk.
    parts: Vec<(u64, Extent)>,
    length: u64,
}

impl Extents {
    /// `None` if they are longer than can be counted.
    pub(crate) fn new(extents: Vec<Extent>) -> Option<Self> {
        let mut length = 0u64;
        let mut parts = Vec::with_capacity(extents.len());
        for extent in extents {
            let begin = length;
            length = length.checked_add(extent.length)?;
            parts.push((begin, extent));
        }
        Some(Self { parts, length })
    }

    /// The piece that holds `at`, and where it begins.
    fn at(&self, at: u64) -> Option<&(u64, Extent)> {
        let after = self.parts.partition_point(|(begin, _)| *begin <= at);
        self.parts[..after]
            .iter()
            .rev()
            .find(|(begin, extent)| at < begin + extent.length)
    }
}

impl Source for Extents {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            let at = offset.checked_add(done as u64).ok_or(ErrorKind::UnexpectedEof)?;
            let (begin, extent) = self.at(at).ok_or(ErrorKind::UnexpectedEof)?;
            let inside = at - begin;
            let room = (extent.length - inside).min((buffer.len() - done) as u64) as usize;
            let out = &mut buffer[done..done + room];
            match &extent.content {
                None => out.fill(0),
                Some(content) => content.read_at(extent.offset + inside, out)?,
            }
            done += room;
        }
        Ok(())
    }

    fn next_data(&self, mut at: u64) -> io::Result<u64> {
        while let Some((begin, extent)) = self.at(at) {
            if let Some(content) = &extent.content {
                let inside = content
                    .next_data(extent.offset + at - begin)?
                    .saturating_sub(extent.offset);
                if inside < extent.length {
                    return Ok(begin + inside);
                }
            }
            at = begin + extent.length;
        }
        Ok(self.length)
    }

    fn check_unchanged(&self) -> Result<()> {
        self.parts
            .iter()
            .filter_map(|(_, extent)| extent.content.as_ref())
            .try_for_each(|content| content.check_unchanged())
    }
}
