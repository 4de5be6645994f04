//! ZRLE: tiles of 64 × 64 pixels, packed by one zlib stream (RFC 6143, 7.7.6).

use super::{
    inflate::{Piece, Stream},
    wire::{Outcome, nonsense},
};
use crate::Rect;

/// Side of a tile in pixels.
const TILE: u16 = 64;

/// Most packed bytes of a rectangle: every encoder's worst case (four bytes a pixel and a palette for each tile), and
/// as much again for what zlib adds to what it can't pack.
pub(super) fn length_max(rect: Rect) -> u64 {
    let tiles = u64::from(rect.width.div_ceil(TILE)) * u64::from(rect.height.div_ceil(TILE));
    rect.area() * 4 + tiles * 512 + 64 * 1024
}

/// One rectangle, decoded a row of tiles at a time.
pub(super) struct Tiles<'a> {
    piece: Piece<'a>,
    rect: Rect,
    /// Rows done, in pixels.
    done: u16,
}

impl<'a> Tiles<'a> {
    pub(super) fn new(stream: &'a mut Stream, packed: &'a [u8], rect: Rect) -> Self {
        Self {
            piece: Piece::new(stream, packed),
            rect,
            done: 0,
        }
    }

    /// The next row of tiles as RGBA; `None` after the last.
    pub(super) fn next(&mut self) -> Outcome<Option<(Rect, Vec<u8>)>> {
        let height = (self.rect.height - self.done).min(TILE);
        if height == 0 || self.rect.width == 0 {
            return Ok(None);
        }
        let band = Rect::new(self.rect.x, self.rect.y + self.done, self.rect.width, height);
        let mut rgba = vec![255; band.area() as usize * 4];
        let mut x = 0;
        while x < band.width {
            let width = (band.width - x).min(TILE);
            let mut canvas = Canvas {
                rgba: &mut rgba,
                stride: usize::from(band.width),
                x: usize::from(x),
                width: usize::from(width),
                area: usize::from(width) * usize::from(height),
            };
            tile(&mut self.piece, &mut canvas)?;
            x += width;
        }
        self.done += height;
        Ok(Some((band, rgba)))
    }

    pub(super) fn finish(self) -> Outcome<()> {
        self.piece.finish()
    }
}

type Colour = [u8; 3];

/// A tile within its band.
struct Canvas<'a> {
    rgba: &'a mut [u8],
    /// Pixels of a row of the band.
    stride: usize,
    x: usize,
    width: usize,
    area: usize,
}

impl Canvas<'_> {
    /// Paints `count` pixels from the `index`th of the tile on, row by row.
    fn run(&mut self, index: usize, count: usize, colour: Colour) -> Outcome<()> {
        if count > self.area - index.min(self.area) {
            return nonsense("a run beyond its tile");
        }
        for index in index..index + count {
            let at = (index / self.width * self.stride + self.x + index % self.width) * 4;
            if let Some(pixel) = self.rgba.get_mut(at..at + 3) {
                pixel.copy_from_slice(&colour);
            }
        }
        Ok(())
    }
}

fn tile(piece: &mut Piece<'_>, canvas: &mut Canvas<'_>) -> Outcome<()> {
    match piece.u8()? {
        0 => {
            let mut row = vec![0; canvas.width * 3];
            for start in (0..canvas.area).step_by(canvas.width.max(1)) {
                piece.fill(&mut row)?;
                for (index, pixel) in (start..).zip(row.chunks_exact(3)) {
                    canvas.run(index, 1, [pixel[2], pixel[1], pixel[0]])?;
                }
            }
            Ok(())
        }
        1 => {
            let colour = colour(piece)?;
            canvas.run(0, canvas.area, colour)
        }
        size @ 2..=16 => packed(piece, canvas, size),
        128 => runs(piece, canvas, |piece| Ok((colour(piece)?, true))),
        size @ 130..=255 => {
            let palette = palette(piece, size - 128)?;
            runs(piece, canvas, |piece| {
                let index = piece.u8()?;
                Ok((pick(&palette, index & 127)?, index & 128 != 0))
            })
        }
        other => nonsense(format!("tile of kind {other}")),
    }
}

/// Indices into a palette, packed to 1, 2 or 4 bits; each row begins a byte.
fn packed(piece: &mut Piece<'_>, canvas: &mut Canvas<'_>, size: u8) -> Outcome<()> {
    let palette = palette(piece, size)?;
    let bits = match size {
        2 => 1,
        3..=4 => 2,
        _ => 4,
    };
    let mut row = vec![0_u8; (canvas.width * bits).div_ceil(8)];
    for start in (0..canvas.area).step_by(canvas.width.max(1)) {
        piece.fill(&mut row)?;
        for x in 0..canvas.width {
            let at = x * bits;
            let byte = row.get(at / 8).copied().unwrap_or(0);
            let index = (byte >> (8 - bits - at % 8)) & ((1 << bits) - 1);
            canvas.run(start + x, 1, pick(&palette, index)?)?;
        }
    }
    Ok(())
}

/// Runs of colours: `next` reads a colour and says whether a length follows.
fn runs(
    piece: &mut Piece<'_>,
    canvas: &mut Canvas<'_>,
    mut next: impl FnMut(&mut Piece<'_>) -> Outcome<(Colour, bool)>,
) -> Outcome<()> {
    let mut index = 0;
    while index < canvas.area {
        let (colour, long) = next(piece)?;
        let count = if long { run_length(piece, canvas.area)? } else { 1 };
        canvas.run(index, count, colour)?;
        index += count;
    }
    Ok(())
}

/// One and the sum of bytes up to the first below 255; at most some more than `max`.
fn run_length(piece: &mut Piece<'_>, max: usize) -> Outcome<usize> {
    let mut count = 1;
    while count <= max {
        let more = piece.u8()?;
        count += usize::from(more);
        if more < 255 {
            return Ok(count);
        }
    }
    nonsense("a run beyond its tile")
}

/// A pixel without its unused byte: blue, green, red in our format.
fn colour(piece: &mut Piece<'_>) -> Outcome<Colour> {
    let mut bgr = [0; 3];
    piece.fill(&mut bgr)?;
    Ok([bgr[2], bgr[1], bgr[0]])
}

fn palette(piece: &mut Piece<'_>, size: u8) -> Outcome<Vec<Colour>> {
    (0..size).map(|_| colour(piece)).collect()
}

fn pick(palette: &[Colour], index: u8) -> Outcome<Colour> {
    match palette.get(usize::from(index)) {
        Some(colour) => Ok(*colour),
        None => nonsense("a colour beyond the palette"),
    }
}
