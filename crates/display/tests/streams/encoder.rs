//! A small RFB encoder of our own, for streams that hold every kind of rectangle.

use flate2::{Compress, Compression, FlushCompress};

pub type Rgb = [u8; 3];

/// Numbers that look random and are the same each time.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        // Knuth's constants for a linear congruential generator of 64 bits.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
    fn u16(&mut self, end: u16) -> u16 {
        self.below(u64::from(end)) as u16
    }
    fn byte(&mut self) -> u8 {
        self.next() as u8
    }
    fn colour(&mut self) -> Rgb {
        [self.byte(), self.byte(), self.byte()]
    }
}

/// The handshake of a server that needs no password.
pub fn hello(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = b"RFB 003.008\n\x01\x01\0\0\0\0".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
    bytes.extend([0, 0, 0, 4]);
    bytes.extend(b"test");
    bytes
}

pub fn header(x: u16, y: u16, width: u16, height: u16, encoding: i32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [x, y, width, height] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(encoding.to_be_bytes());
    bytes
}

pub fn update(rects: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend((rects.len() as u16).to_be_bytes());
    bytes.extend(rects.concat());
    bytes
}

pub fn zlib(compress: &mut Compress, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 4096);
    compress
        .compress_vec(data, &mut out, FlushCompress::Sync)
        .unwrap();
    out
}

pub fn compact(length: usize) -> Vec<u8> {
    match length {
        0..128 => vec![length as u8],
        128..16384 => vec![length as u8 | 128, (length >> 7) as u8],
        _ => vec![
            length as u8 | 128,
            (length >> 7) as u8 | 128,
            (length >> 14) as u8,
        ],
    }
}

/// Encodes rectangles of random content for a picture of a fixed size.
pub struct Encoder {
    pub width: u16,
    pub height: u16,
    pub dice: Dice,
    zrle: Compress,
    tight: [Option<Compress>; 4],
}

impl Encoder {
    pub fn new(width: u16, height: u16, seed: u64) -> Self {
        Self {
            width,
            height,
            dice: Dice(seed),
            zrle: Compress::new(Compression::fast(), true),
            tight: [None, None, None, None],
        }
    }

    fn place(&mut self) -> (u16, u16, u16, u16) {
        let (x, y) = (self.dice.u16(self.width), self.dice.u16(self.height));
        let width = 1 + self.dice.u16(self.width - x);
        let height = 1 + self.dice.u16(self.height - y);
        (x, y, width, height)
    }

    /// Content as guests have it: noise, stripes, few colours or one.
    fn pixels(&mut self, width: u16, height: u16, colours: usize) -> Vec<Rgb> {
        let palette: Vec<Rgb> = (0..colours).map(|_| self.dice.colour()).collect();
        let mut left = 0;
        let mut colour = [0; 3];
        (0..u32::from(width) * u32::from(height))
            .map(|_| {
                if left == 0 {
                    left = self.dice.below(20);
                    colour = match palette.len() {
                        0 => self.dice.colour(),
                        length => palette[self.dice.below(length as u64) as usize],
                    };
                } else {
                    left -= 1;
                }
                colour
            })
            .collect()
    }

    pub fn raw(&mut self) -> Vec<u8> {
        let (x, y, width, height) = self.place();
        let mut rect = header(x, y, width, height, 0);
        for [r, g, b] in self.pixels(width, height, 0) {
            rect.extend([b, g, r, 0]);
        }
        rect
    }

    pub fn copy(&mut self) -> Vec<u8> {
        let (x, y, width, height) = self.place();
        let mut rect = header(x, y, width, height, 1);
        rect.extend(self.dice.u16(self.width - width + 1).to_be_bytes());
        rect.extend(self.dice.u16(self.height - height + 1).to_be_bytes());
        rect
    }

    pub fn zrle(&mut self) -> Vec<u8> {
        let (x, y, width, height) = self.place();
        let mut plain = Vec::new();
        for top in (0..height).step_by(64) {
            for left in (0..width).step_by(64) {
                let (tile_width, tile_height) = ((width - left).min(64), (height - top).min(64));
                self.tile(tile_width, tile_height, &mut plain);
            }
        }
        let packed = zlib(&mut self.zrle, &plain);
        let mut rect = header(x, y, width, height, 16);
        rect.extend((packed.len() as u32).to_be_bytes());
        rect.extend(packed);
        rect
    }

    fn tile(&mut self, width: u16, height: u16, out: &mut Vec<u8>) {
        let bgr = |[r, g, b]: Rgb| [b, g, r];
        match self.dice.below(5) {
            0 => {
                out.push(0);
                out.extend(self.pixels(width, height, 0).into_iter().flat_map(bgr));
            }
            1 => {
                out.push(1);
                out.extend(self.dice.colour());
            }
            2 => self.packed_palette(width, height, out),
            3 => {
                out.push(128);
                for (colour, count) in runs(&self.pixels(width, height, 9)) {
                    out.extend(bgr(colour));
                    run_length(count, out);
                }
            }
            _ => {
                let size = 2 + self.dice.below(126) as usize;
                let pixels = self.pixels(width, height, size);
                let palette = palette_of(&pixels, size);
                out.push(128 + size as u8);
                out.extend(palette.iter().flat_map(|colour| bgr(*colour)));
                for (colour, count) in runs(&pixels) {
                    let index = palette.iter().position(|known| *known == colour).unwrap() as u8;
                    if count == 1 {
                        out.push(index);
                    } else {
                        out.push(index | 128);
                        run_length(count, out);
                    }
                }
            }
        }
    }

    fn packed_palette(&mut self, width: u16, height: u16, out: &mut Vec<u8>) {
        let size = 2 + self.dice.below(15) as usize;
        let pixels = self.pixels(width, height, size);
        let palette = palette_of(&pixels, size);
        out.push(size as u8);
        out.extend(palette.iter().flat_map(|[r, g, b]| [*b, *g, *r]));
        let bits = match size {
            2 => 1,
            3..=4 => 2,
            _ => 4,
        };
        for row in pixels.chunks(usize::from(width)) {
            let mut bytes = vec![0_u8; (row.len() * bits).div_ceil(8)];
            for (x, pixel) in row.iter().enumerate() {
                let index = palette.iter().position(|known| known == pixel).unwrap() as u8;
                bytes[x * bits / 8] |= index << (8 - bits - x * bits % 8);
            }
            out.extend(bytes);
        }
    }

    pub fn tight(&mut self) -> Vec<u8> {
        let (x, y, width, height) = self.place();
        let mut rect = header(x, y, width, height, 7);
        if self.dice.below(6) == 0 {
            rect.push(0x80);
            rect.extend(self.dice.colour());
            return rect;
        }
        let stream = self.dice.below(4) as usize;
        let fresh = self.tight[stream].is_none() || self.dice.below(8) == 0;
        let reset = if fresh { 1 << stream } else { 0 };
        if fresh {
            self.tight[stream] = Some(Compress::new(Compression::fast(), true));
        }
        let kind = (stream as u8) << 4 | reset;
        let data = match self.dice.below(4) {
            0 => {
                rect.push(kind);
                self.pixels(width, height, 0).concat()
            }
            1 => {
                rect.extend([kind | 0x40, 2]);
                gradient(&self.pixels(width, height, 0), usize::from(width))
            }
            choice => {
                let size = if choice == 2 {
                    2
                } else {
                    3 + self.dice.below(254) as usize
                };
                let pixels = self.pixels(width, height, size);
                let palette = palette_of(&pixels, size);
                rect.extend([kind | 0x40, 1, (size - 1) as u8]);
                rect.extend(palette.concat());
                indices(&pixels, &palette, usize::from(width))
            }
        };
        if data.len() < 12 {
            rect.extend(data);
        } else {
            let packed = zlib(self.tight[stream].as_mut().unwrap(), &data);
            rect.extend(compact(packed.len()));
            rect.extend(packed);
        }
        rect
    }

    pub fn cursor(&mut self) -> Vec<u8> {
        let (width, height) = (1 + self.dice.u16(40), 1 + self.dice.u16(40));
        let mut rect = header(self.dice.u16(width), self.dice.u16(height), width, height, -239);
        for [r, g, b] in self.pixels(width, height, 4) {
            rect.extend([b, g, r, 0]);
        }
        for _ in 0..u32::from(width.div_ceil(8)) * u32::from(height) {
            rect.push(self.dice.byte());
        }
        rect
    }

    /// An update of some rectangles of all kinds both clients know.
    pub fn any(&mut self) -> Vec<u8> {
        let rects: Vec<_> = (0..1 + self.dice.below(4))
            .map(|_| match self.dice.below(6) {
                0 => self.raw(),
                1 => self.copy(),
                2 => self.cursor(),
                3 => self.zrle(),
                _ => self.tight(),
            })
            .collect();
        update(&rects)
    }
}

fn palette_of(pixels: &[Rgb], size: usize) -> Vec<Rgb> {
    let mut palette: Vec<Rgb> = Vec::new();
    for pixel in pixels {
        if !palette.contains(pixel) {
            palette.push(*pixel);
        }
    }
    palette.resize(size, [0; 3]);
    palette
}

fn runs(pixels: &[Rgb]) -> Vec<(Rgb, usize)> {
    let mut runs: Vec<(Rgb, usize)> = Vec::new();
    for pixel in pixels {
        match runs.last_mut() {
            Some((colour, count)) if colour == pixel => *count += 1,
            _ => runs.push((*pixel, 1)),
        }
    }
    runs
}

fn run_length(count: usize, out: &mut Vec<u8>) {
    let rest = count - 1;
    out.extend(std::iter::repeat_n(255, rest / 255));
    out.push((rest % 255) as u8);
}

fn gradient(pixels: &[Rgb], width: usize) -> Vec<u8> {
    let at = |x: isize, y: isize, channel: usize| {
        if x < 0 || y < 0 {
            0
        } else {
            i16::from(pixels[y as usize * width + x as usize][channel])
        }
    };
    let mut out = Vec::new();
    for (index, pixel) in pixels.iter().enumerate() {
        let (x, y) = ((index % width) as isize, (index / width) as isize);
        for (channel, value) in pixel.iter().enumerate() {
            let likely = at(x - 1, y, channel) + at(x, y - 1, channel) - at(x - 1, y - 1, channel);
            out.push(value.wrapping_sub(likely.clamp(0, 255) as u8));
        }
    }
    out
}

fn indices(pixels: &[Rgb], palette: &[Rgb], width: usize) -> Vec<u8> {
    let index = |pixel: &Rgb| palette.iter().position(|known| known == pixel).unwrap() as u8;
    if palette.len() > 2 {
        return pixels.iter().map(index).collect();
    }
    let mut out = Vec::new();
    for row in pixels.chunks(width) {
        let mut bytes = vec![0_u8; width.div_ceil(8)];
        for (x, pixel) in row.iter().enumerate() {
            bytes[x / 8] |= index(pixel) << (7 - x % 8);
        }
        out.extend(bytes);
    }
    out
}
