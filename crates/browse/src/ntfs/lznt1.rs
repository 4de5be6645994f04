//! LZNT1, NTFS's compression (MS-XCA, section 2.5): chunks that give 4 KiB each; bounded by the buffers it gets.

use crate::filesystem::{Outcome, damaged};
use crate::source::{bytes_at, le16};

const CHUNK: usize = 4096;

/// Decompresses into all of `out`; what the data do not fill is zeros.
pub(super) fn decompress(packed: &[u8], out: &mut [u8]) -> Outcome<()> {
    let mut at = 0;
    let mut chunks = out.chunks_mut(CHUNK);
    loop {
        let header = le16(packed, at);
        if header == 0 || at + 2 > packed.len() {
            break;
        }
        let Some(chunk) = chunks.next() else {
            break;
        };
        let data = bytes_at(packed, at + 2, usize::from(header & 0xfff) + 1);
        if data.is_empty() {
            return damaged("a compressed file is cut off");
        }
        let filled = if header & 0x8000 == 0 {
            let count = data.len().min(chunk.len());
            chunk[..count].copy_from_slice(&data[..count]);
            count
        } else {
            decompress_chunk(data, chunk)?
        };
        chunk[filled..].fill(0);
        at += 2 + data.len();
    }
    for chunk in chunks {
        chunk.fill(0);
    }
    Ok(())
}

/// Eight tokens behind each byte of flags: a byte as it is, or a distance and a length in 16 bits, which are divided by
/// how far into the chunk it is.
fn decompress_chunk(data: &[u8], out: &mut [u8]) -> Outcome<usize> {
    let (mut at, mut done) = (0, 0);
    while at < data.len() {
        let flags = data[at];
        at += 1;
        for bit in 0..8 {
            if at >= data.len() || done >= out.len() {
                return Ok(done);
            }
            if flags >> bit & 1 == 0 {
                out[done] = data[at];
                (at, done) = (at + 1, done + 1);
                continue;
            }
            if at + 2 > data.len() || done == 0 {
                return damaged("a compressed file makes no sense");
            }
            let pair = le16(data, at);
            let length_bits = length_bits(done);
            let length = usize::from(pair & ((1 << length_bits) - 1)) + 3;
            let distance = usize::from(pair >> length_bits) + 1;
            if distance > done {
                return damaged("a compressed file makes no sense");
            }
            for _ in 0..length.min(out.len() - done) {
                out[done] = out[done - distance];
                done += 1;
            }
            at += 2;
        }
    }
    Ok(done)
}

/// Bits of a length: 12 at the beginning, one less each time that distances need one more.
fn length_bits(done: usize) -> u32 {
    let mut bits = 12;
    let mut farthest = (done - 1) >> 4;
    while farthest > 0 {
        bits -= 1;
        farthest >>= 1;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification() {
        // MS-XCA, section 3.2.
        let packed: [u8; 59] = [
            0x38, 0xb0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00, 0x10, 0xa2, 0x47, 0x01,
            0xa0, 0x45, 0x20, 0x44, 0x00, 0x08, 0x45, 0x01, 0x50, 0x79, 0x00, 0xc0, 0x45, 0x20, 0x05, 0x24,
            0x13, 0x88, 0x05, 0xb4, 0x02, 0x4a, 0x44, 0xef, 0x03, 0x58, 0x02, 0x8c, 0x09, 0x16, 0x01, 0x48,
            0x45, 0x00, 0xbe, 0x00, 0x9e, 0x00, 0x04, 0x01, 0x18, 0x90, 0x00,
        ];
        let mut out = [1; 142];
        decompress(&packed, &mut out).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&out),
            "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\0"
        );
    }
}
