//! The copy of the guest's picture.

use crate::{Pixels, Rect};
use image::RgbaImage;

/// Longest side of a picture in pixels.
pub const SIDE_MAX: u16 = 8192;
/// Most bytes of a picture (8192 × 8192 pixels of 4 bytes).
pub const SIZE_MAX: usize = SIDE_MAX as usize * SIDE_MAX as usize * 4;

/// Pixels as RGBA, opaque, row by row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Framebuffer {
    width: u16,
    height: u16,
    pixels: Vec<u8>,
    /// Pixels still to come after a resize before the picture is whole.
    missing: u64,
}

impl Framebuffer {
    pub(crate) fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }
    /// Every pixel was sent since the last resize, as far as their number tells.
    pub(crate) fn is_whole(&self) -> bool {
        self.missing == 0 && !self.pixels.is_empty()
    }
    pub(crate) fn whole(&self) -> Rect {
        Rect::new(0, 0, self.width, self.height)
    }

    /// Starts a new picture: black, or the old one until new pixels come where the size is the same. `None` (and no change)
    /// when a side is zero or too long.
    pub(crate) fn resize(&mut self, width: u16, height: u16) -> Option<()> {
        if width == 0 || height == 0 || width > SIDE_MAX || height > SIDE_MAX {
            return None;
        }
        self.missing = u64::from(width) * u64::from(height);
        if self.size() == (width, height) {
            return Some(());
        }
        (self.width, self.height) = (width, height);
        self.pixels.clear();
        self.pixels
            .resize(usize::from(width) * usize::from(height) * 4, 0);
        self.pixels.shrink_to_fit();
        for pixel in self.pixels.chunks_exact_mut(4) {
            pixel[3] = 255;
        }
        Some(())
    }

    /// Writes a rectangle of pixels. `None` when it does not fit or the data is short.
    pub(crate) fn put(&mut self, rect: Rect, pixels: &Pixels) -> Option<()> {
        let (data, bgr) = match pixels {
            Pixels::Rgbx(data) => (data, false),
            Pixels::Bgrx(data) => (data, true),
        };
        if !rect.fits(self.width, self.height) || data.len() as u64 != rect.area() * 4 {
            return None;
        }
        if rect.is_empty() {
            return Some(());
        }
        let row = usize::from(rect.width) * 4;
        for (line, from) in (usize::from(rect.y)..).zip(data.chunks_exact(row)) {
            let at = self.offset(usize::from(rect.x), line);
            let to = self.pixels.get_mut(at..at + row)?;
            if bgr {
                opaque(to, from, |bgrx| {
                    bgrx & 0xff00 | (bgrx & 0xff) << 16 | (bgrx >> 16) & 0xff
                });
            } else {
                opaque(to, from, |rgbx| rgbx);
            }
        }
        self.missing = self.missing.saturating_sub(rect.area());
        Some(())
    }

    /// Copies a rectangle of the picture to another place; they may overlap. `None` when either does not fit.
    pub(crate) fn copy(&mut self, to: Rect, from_x: u16, from_y: u16) -> Option<()> {
        let from = Rect {
            x: from_x,
            y: from_y,
            ..to
        };
        if !to.fits(self.width, self.height) || !from.fits(self.width, self.height) {
            return None;
        }
        let row = usize::from(to.width) * 4;
        let mut lines: Vec<usize> = (0..usize::from(to.height)).collect();
        if to.y > from.y {
            lines.reverse();
        }
        for line in lines {
            let source = self.offset(usize::from(from.x), usize::from(from.y) + line);
            let target = self.offset(usize::from(to.x), usize::from(to.y) + line);
            self.pixels.copy_within(source..source + row, target);
        }
        self.missing = self.missing.saturating_sub(to.area());
        Some(())
    }

    /// Appends the pixels of `rect`, which must fit, to `out`.
    pub(crate) fn append(&self, rect: Rect, out: &mut Vec<u8>) {
        let row = usize::from(rect.width) * 4;
        for line in usize::from(rect.y)..usize::from(rect.y) + usize::from(rect.height) {
            let at = self.offset(usize::from(rect.x), line);
            if let Some(pixels) = self.pixels.get(at..at + row) {
                out.extend_from_slice(pixels);
            }
        }
    }

    /// A copy as an image; `None` while there is nothing.
    pub(crate) fn image(&self) -> Option<RgbaImage> {
        if self.pixels.is_empty() {
            return None;
        }
        RgbaImage::from_raw(u32::from(self.width), u32::from(self.height), self.pixels.clone())
    }

    fn offset(&self, x: usize, y: usize) -> usize {
        (y * usize::from(self.width) + x) * 4
    }
}

/// Copies pixels as little-endian numbers through `order`, which the compiler makes one of many at once, and makes them opaque.
fn opaque(to: &mut [u8], from: &[u8], order: impl Fn(u32) -> u32) {
    let (to, _) = to.as_chunks_mut::<4>();
    let (from, _) = from.as_chunks::<4>();
    for (to, from) in to.iter_mut().zip(from) {
        *to = (order(u32::from_le_bytes(*from)) | 0xff00_0000).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(width: u16, height: u16) -> Framebuffer {
        let mut picture = Framebuffer::default();
        picture.resize(width, height).unwrap();
        let data: Vec<u8> = (0..u32::from(width) * u32::from(height))
            .flat_map(|n| [n as u8, 0, 0, 0])
            .collect();
        picture
            .put(Rect::new(0, 0, width, height), &Pixels::Rgbx(data))
            .unwrap();
        picture
    }
    fn reds(picture: &Framebuffer) -> Vec<u8> {
        picture.pixels.chunks(4).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn pixels_are_opaque_and_the_picture_is_whole_once_all_came() {
        let mut picture = Framebuffer::default();
        assert!(!picture.is_whole() && picture.image().is_none());
        picture.resize(4, 2).unwrap();
        assert!(!picture.is_whole());
        picture
            .put(Rect::new(0, 0, 4, 1), &Pixels::Rgbx(vec![9; 16]))
            .unwrap();
        picture
            .put(Rect::new(0, 1, 4, 1), &Pixels::Rgbx(vec![8; 16]))
            .unwrap();
        assert!(picture.is_whole());
        let image = picture.image().unwrap();
        assert_eq!(image.get_pixel(3, 1).0, [8, 8, 8, 255]);
        let blue_first = Pixels::Bgrx(vec![1, 2, 3, 0]);
        picture.put(Rect::new(0, 0, 1, 1), &blue_first).unwrap();
        assert_eq!(picture.image().unwrap().get_pixel(0, 0).0, [3, 2, 1, 255]);
        let mut out = Vec::new();
        picture.append(Rect::new(3, 0, 1, 2), &mut out);
        assert_eq!(out, [9, 9, 9, 255, 8, 8, 8, 255]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut picture = numbered(4, 4);
        assert!(
            picture
                .put(Rect::new(3, 0, 2, 1), &Pixels::Rgbx(vec![0; 8]))
                .is_none()
        );
        assert!(
            picture
                .put(Rect::new(0, 0, 2, 1), &Pixels::Rgbx(vec![0; 7]))
                .is_none()
        );
        assert!(
            picture
                .put(Rect::new(u16::MAX, 0, u16::MAX, 1), &Pixels::Rgbx(vec![0; 4]))
                .is_none()
        );
        assert!(picture.copy(Rect::new(0, 0, 4, 4), 1, 0).is_none());
        assert!(picture.resize(0, 4).is_none() && picture.resize(9000, 4).is_none());
        assert_eq!(reds(&picture), (0..16).collect::<Vec<u8>>());
    }

    #[test]
    fn overlapping_copies_go_both_ways() {
        let mut down = numbered(2, 4);
        down.copy(Rect::new(0, 1, 2, 3), 0, 0).unwrap();
        assert_eq!(reds(&down), [0, 1, 0, 1, 2, 3, 4, 5]);
        let mut up = numbered(2, 4);
        up.copy(Rect::new(0, 0, 2, 3), 0, 1).unwrap();
        assert_eq!(reds(&up), [2, 3, 4, 5, 6, 7, 6, 7]);
        let mut right = numbered(4, 1);
        right.copy(Rect::new(1, 0, 3, 1), 0, 0).unwrap();
        assert_eq!(reds(&right), [0, 0, 1, 2]);
    }
}
