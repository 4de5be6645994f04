//! zlib streams that live as long as a connection and yield exactly what is asked of them.

use super::wire::{Outcome, nonsense};
use flate2::{Decompress, FlushDecompress, Status};

/// Bytes unpacked ahead of those asked for.
const AHEAD: usize = 16 * 1024;

/// One zlib stream, unpacked piece by piece.
pub(super) struct Stream(Decompress);

impl Default for Stream {
    fn default() -> Self {
        Self(Decompress::new(true))
    }
}

/// One packed piece of a [`Stream`]. What it holds beyond what is taken is an error of [`Piece::finish`], so a bomb unpacks
/// at most some 16 KiB more than the rectangle it came for.
pub(super) struct Piece<'a> {
    stream: &'a mut Stream,
    packed: &'a [u8],
    ahead: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<'a> Piece<'a> {
    pub(super) fn new(stream: &'a mut Stream, packed: &'a [u8]) -> Self {
        Self {
            stream,
            packed,
            ahead: vec![0; AHEAD].into(),
            start: 0,
            end: 0,
        }
    }

    pub(super) fn u8(&mut self) -> Outcome<u8> {
        let mut byte = [0];
        self.fill(&mut byte)?;
        Ok(byte[0])
    }

    /// Unpacks exactly as many bytes as `out` takes.
    pub(super) fn fill(&mut self, out: &mut [u8]) -> Outcome<()> {
        let mut done = 0;
        while done < out.len() {
            if self.start == self.end {
                self.unpack()?;
            }
            let part = (out.len() - done).min(self.end - self.start);
            let (Some(to), Some(from)) = (
                out.get_mut(done..done + part),
                self.ahead.get(self.start..self.start + part),
            ) else {
                return nonsense("packed data out of step");
            };
            to.copy_from_slice(from);
            done += part;
            self.start += part;
        }
        Ok(())
    }

    /// Takes the rest, which must unpack to nothing: only then does the stream stand where the next piece begins.
    pub(super) fn finish(mut self) -> Outcome<()> {
        if self.start != self.end {
            return nonsense("packed data holds more than its rectangle");
        }
        while !self.packed.is_empty() {
            let rest = self.packed.len();
            let status = self.step()?;
            if self.end > 0 {
                return nonsense("packed data holds more than its rectangle");
            }
            if self.packed.len() == rest || status == Status::StreamEnd {
                break;
            }
        }
        Ok(())
    }

    fn unpack(&mut self) -> Outcome<()> {
        loop {
            let rest = self.packed.len();
            self.step()?;
            if self.end > 0 {
                return Ok(());
            }
            if self.packed.len() == rest {
                return nonsense("packed data holds less than its rectangle");
            }
        }
    }

    fn step(&mut self) -> Outcome<Status> {
        let zlib = &mut self.stream.0;
        let (before_in, before_out) = (zlib.total_in(), zlib.total_out());
        let status = zlib.decompress(self.packed, &mut self.ahead, FlushDecompress::Sync);
        let taken = (zlib.total_in() - before_in) as usize;
        self.packed = self.packed.get(taken..).unwrap_or_default();
        self.start = 0;
        self.end = (zlib.total_out() - before_out) as usize;
        match status {
            Ok(status) => Ok(status),
            Err(error) => nonsense(format!("packed data is damaged: {error}")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};

    fn pack(compress: &mut Compress, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len() + 1024);
        compress
            .compress_vec(data, &mut out, FlushCompress::Sync)
            .unwrap();
        out
    }

    #[test]
    fn pieces_of_one_stream_follow_each_other() {
        let mut compress = Compress::new(Compression::fast(), true);
        let mut stream = Stream::default();
        for n in 0..20_u8 {
            let data: Vec<u8> = (0..40_000_u32).map(|i| (i as u8).wrapping_mul(n)).collect();
            let packed = pack(&mut compress, &data);
            let mut piece = Piece::new(&mut stream, &packed);
            let mut out = vec![0; data.len()];
            piece.fill(&mut out).unwrap();
            assert_eq!(out, data);
            piece.finish().unwrap();
        }
    }

    #[test]
    fn too_much_and_too_little_and_damage_are_told() {
        let packed = pack(&mut Compress::new(Compression::best(), true), &vec![0; 64 << 20]);
        let mut stream = Stream::default();
        let mut piece = Piece::new(&mut stream, &packed);
        piece.fill(&mut [0; 4096]).unwrap();
        assert!(piece.finish().is_err());
        let mut stream = Stream::default();
        let packed = pack(&mut Compress::new(Compression::best(), true), &[1; 10]);
        assert!(Piece::new(&mut stream, &packed).fill(&mut [0; 11]).is_err());
        let mut stream = Stream::default();
        assert!(Piece::new(&mut stream, &[0xff; 100]).u8().is_err());
    }
}
