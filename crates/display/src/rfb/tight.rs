//! Tight: four zlib streams, palettes, a gradient filter and JPEG (the community's RFB description, “Tight encoding”).

use super::{
    inflate::{Piece, Stream},
    wire::{Outcome, Wire, nonsense},
};
use crate::Rect;
use tokio::io::AsyncRead;
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

/// Fewer bytes than this are not packed.
const PACKED_MIN: usize = 12;
/// Bytes of RGBA decoded at a time.
const BAND: usize = 1024 * 1024;
/// Longest side of a JPEG picture: the protocol's limit for the width of a rectangle.
const JPEG_SIDE_MAX: u16 = 2048;

/// The streams of a connection.
#[derive(Default)]
pub(super) struct Tight {
    streams: [Stream; 4],
}

/// How the bytes of a rectangle become pixels.
enum Filter {
    Copy,
    Palette(Vec<[u8; 3]>),
    Gradient,
}

/// A rectangle as read off the wire.
pub(super) struct Packed {
    body: Body,
}

enum Body {
    Fill([u8; 3]),
    Jpeg(Vec<u8>),
    Basic {
        stream: usize,
        filter: Filter,
        data: Vec<u8>,
        plain: bool,
    },
}

impl Tight {
    /// Reads one rectangle, which fits the picture and is not empty. At most 4 MiB.
    pub(super) async fn read<R>(&mut self, wire: &mut Wire<R>, rect: Rect) -> Outcome<Packed>
    where
        R: AsyncRead + Unpin,
    {
        let control = wire.u8().await?;
        for (bit, stream) in self.streams.iter_mut().enumerate() {
            if control & (1 << bit) != 0 {
                *stream = Stream::default();
            }
        }
        let body = match control >> 4 {
            8 => Body::Fill(wire.array().await?),
            9 => {
                let length = compact(wire).await?;
                Body::Jpeg(wire.bytes(length).await?)
            }
            kind @ 0..=7 => {
                let filter = if kind & 4 != 0 {
                    filter(wire).await?
                } else {
                    Filter::Copy
                };
                let size = row_bytes(&filter, rect.width) * usize::from(rect.height);
                let plain = size < PACKED_MIN;
                let length = if plain { size } else { compact(wire).await? };
                Body::Basic {
                    stream: usize::from(kind & 3),
                    filter,
                    data: wire.bytes(length).await?,
                    plain,
                }
            }
            kind => return nonsense(format!("tight rectangle of kind {kind}")),
        };
        Ok(Packed { body })
    }

    /// Decodes it band by band.
    pub(super) fn bands<'a>(&'a mut self, packed: &'a Packed, rect: Rect) -> Outcome<Bands<'a>> {
        let source = match &packed.body {
            Body::Fill(colour) => Source::Fill(*colour),
            Body::Jpeg(data) => Source::Picture(Some(jpeg(data, rect)?)),
            Body::Basic {
                filter,
                data,
                plain: true,
                ..
            } => Source::Basic(filter, Bytes::Plain(data)),
            Body::Basic {
                stream, filter, data, ..
            } => match self.streams.get_mut(*stream) {
                Some(stream) => Source::Basic(filter, Bytes::Packed(Piece::new(stream, data))),
                None => return nonsense("a stream beyond the fourth"),
            },
        };
        Ok(Bands {
            source,
            rect,
            done: 0,
            above: vec![0; usize::from(rect.width) * 3],
        })
    }
}

/// A rectangle being decoded.
pub(super) struct Bands<'a> {
    source: Source<'a>,
    rect: Rect,
    /// Rows done.
    done: u16,
    /// The last row as RGB, for the gradient filter.
    above: Vec<u8>,
}

enum Source<'a> {
    Fill([u8; 3]),
    Picture(Option<Vec<u8>>),
    Basic(&'a Filter, Bytes<'a>),
}

enum Bytes<'a> {
    Plain(&'a [u8]),
    Packed(Piece<'a>),
}

impl Bytes<'_> {
    fn fill(&mut self, out: &mut [u8]) -> Outcome<()> {
        match self {
            Self::Packed(piece) => piece.fill(out),
            Self::Plain(data) => match data.split_at_checked(out.len()) {
                Some((now, later)) => {
                    out.copy_from_slice(now);
                    *data = later;
                    Ok(())
                }
                None => nonsense("plain data is short"),
            },
        }
    }
}

impl Bands<'_> {
    /// The next band as RGBA; `None` after the last.
    pub(super) fn next(&mut self) -> Outcome<Option<(Rect, Vec<u8>)>> {
        let row = usize::from(self.rect.width) * 4;
        let left = self.rect.height - self.done;
        if left == 0 || row == 0 {
            return Ok(None);
        }
        if let Source::Picture(picture) = &mut self.source {
            self.done = self.rect.height;
            return Ok(picture.take().map(|rgba| (self.rect, rgba)));
        }
        let height = usize::from(left).min((BAND / row).max(1));
        let mut rgba = vec![255; row * height];
        for line in rgba.chunks_exact_mut(row) {
            match &mut self.source {
                Source::Fill(colour) => {
                    for pixel in line.chunks_exact_mut(4) {
                        pixel[..3].copy_from_slice(colour);
                    }
                }
                Source::Basic(filter, bytes) => decode_row(filter, bytes, &mut self.above, line)?,
                Source::Picture(_) => {}
            }
        }
        let height = u16::try_from(height).unwrap_or(left);
        let band = Rect::new(self.rect.x, self.rect.y + self.done, self.rect.width, height);
        self.done += height;
        Ok(Some((band, rgba)))
    }

    pub(super) fn finish(self) -> Outcome<()> {
        match self.source {
            Source::Basic(_, Bytes::Packed(piece)) => piece.finish(),
            _ => Ok(()),
        }
    }
}

fn decode_row(filter: &Filter, bytes: &mut Bytes<'_>, above: &mut [u8], line: &mut [u8]) -> Outcome<()> {
    let width = line.len() / 4;
    match filter {
        Filter::Copy => {
            bytes.fill(above)?;
            spread(above, line);
        }
        Filter::Gradient => {
            let mut deltas = vec![0; width * 3];
            bytes.fill(&mut deltas)?;
            // Each channel is told as the difference from what its neighbours make likely: left + above − above left.
            let (mut left, mut corner) = ([0_u8; 3], [0_u8; 3]);
            for (delta, above) in deltas.chunks_exact(3).zip(above.chunks_exact_mut(3)) {
                for channel in 0..3 {
                    let likely =
                        i16::from(left[channel]) + i16::from(above[channel]) - i16::from(corner[channel]);
                    corner[channel] = above[channel];
                    left[channel] = (likely.clamp(0, 255) as u8).wrapping_add(delta[channel]);
                    above[channel] = left[channel];
                }
            }
            spread(above, line);
        }
        Filter::Palette(palette) => {
            let bits = if palette.len() <= 2 { 1 } else { 8 };
            let mut row = vec![0_u8; (width * bits).div_ceil(8)];
            bytes.fill(&mut row)?;
            for (x, pixel) in line.chunks_exact_mut(4).enumerate() {
                let byte = row.get(x * bits / 8).copied().unwrap_or(0);
                let index = if bits == 1 {
                    (byte >> (7 - x % 8)) & 1
                } else {
                    byte
                };
                let Some(colour) = palette.get(usize::from(index)) else {
                    return nonsense("a colour beyond the palette");
                };
                pixel[..3].copy_from_slice(colour);
            }
        }
    }
    Ok(())
}

/// RGB to RGBA.
fn spread(rgb: &[u8], rgba: &mut [u8]) {
    for (to, from) in rgba.chunks_exact_mut(4).zip(rgb.chunks_exact(3)) {
        to[..3].copy_from_slice(from);
    }
}

fn row_bytes(filter: &Filter, width: u16) -> usize {
    let width = usize::from(width);
    match filter {
        Filter::Copy | Filter::Gradient => width * 3,
        Filter::Palette(palette) if palette.len() <= 2 => width.div_ceil(8),
        Filter::Palette(_) => width,
    }
}

async fn filter<R: AsyncRead + Unpin>(wire: &mut Wire<R>) -> Outcome<Filter> {
    match wire.u8().await? {
        0 => Ok(Filter::Copy),
        1 => {
            let count = usize::from(wire.u8().await?) + 1;
            let bytes = wire.bytes(count * 3).await?;
            Ok(Filter::Palette(
                bytes.chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect(),
            ))
        }
        2 => Ok(Filter::Gradient),
        other => nonsense(format!("tight filter {other}")),
    }
}

/// A length of up to 22 bits in one to three bytes.
async fn compact<R: AsyncRead + Unpin>(wire: &mut Wire<R>) -> Outcome<usize> {
    let mut length = 0;
    for shift in [0, 7, 14] {
        let byte = usize::from(wire.u8().await?);
        if shift == 14 {
            return Ok(length | byte << shift);
        }
        length |= (byte & 127) << shift;
        if byte & 128 == 0 {
            break;
        }
    }
    Ok(length)
}

/// A JPEG picture of exactly the rectangle's size, as RGBA.
fn jpeg(data: &[u8], rect: Rect) -> Outcome<Vec<u8>> {
    if rect.width > JPEG_SIDE_MAX || rect.height > JPEG_SIDE_MAX {
        return nonsense("a JPEG picture beyond 2048 a side");
    }
    let options = DecoderOptions::default()
        .set_max_width(usize::from(rect.width))
        .set_max_height(usize::from(rect.height))
        .jpeg_set_out_colorspace(ColorSpace::RGBA);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(data), options);
    let damaged = |error: &dyn std::fmt::Display| format!("a damaged JPEG picture: {error}");
    if let Err(error) = decoder.decode_headers() {
        return nonsense(damaged(&error));
    }
    // The size is known before any pixel is made room for.
    if decoder.dimensions() != Some((usize::from(rect.width), usize::from(rect.height))) {
        return nonsense("a JPEG picture of another size than its rectangle");
    }
    match decoder.decode() {
        Ok(rgba) if rgba.len() as u64 == rect.area() * 4 => Ok(rgba),
        Ok(_) => nonsense("a JPEG picture of another size than its rectangle"),
        Err(error) => nonsense(damaged(&error)),
    }
}
