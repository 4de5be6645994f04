//! The guest's pointer shape: with a mask (RFC 6143, 7.8.1) or with alpha (the community's RFB description).

use super::{
    update::encoding,
    wire::{Outcome, Wire, nonsense},
};
use crate::{CursorShape, Rect};
use tokio::io::AsyncRead;

/// Longest side of a shape in pixels.
const SIDE_MAX: u16 = 512;

/// A shape whose pixels are there or not. An empty one hides the pointer.
pub(super) async fn with_mask<R>(wire: &mut Wire<R>, rect: Rect) -> Outcome<Option<CursorShape>>
where
    R: AsyncRead + Unpin,
{
    check(rect)?;
    let mut rgba = wire.bytes(rect.area() as usize * 4).await?;
    let row = usize::from(rect.width).div_ceil(8);
    let mask = wire.bytes(row * usize::from(rect.height)).await?;
    let width = usize::from(rect.width);
    for (index, pixel) in rgba.chunks_exact_mut(4).enumerate() {
        let (x, y) = (index % width, index / width);
        let byte = mask.get(y * row + x / 8).copied().unwrap_or(0);
        let shown = byte & (128 >> (x % 8)) != 0;
        pixel.swap(0, 2);
        pixel[3] = if shown { 255 } else { 0 };
    }
    Ok(shape(rect, rgba))
}

/// A shape with alpha, multiplied into its colours on the way. The protocol sends red first; `bgr`: blue first, as QEMU
/// does, which sends its own memory.
pub(super) async fn with_alpha<R>(wire: &mut Wire<R>, rect: Rect, bgr: bool) -> Outcome<Option<CursorShape>>
where
    R: AsyncRead + Unpin,
{
    check(rect)?;
    let encoding = wire.i32().await?;
    if encoding != encoding::RAW {
        return nonsense(format!("a pointer shape in encoding {encoding}"));
    }
    let mut rgba = wire.bytes(rect.area() as usize * 4).await?;
    for pixel in rgba.chunks_exact_mut(4) {
        if bgr {
            pixel.swap(0, 2);
        }
        let alpha = u32::from(pixel[3]);
        for colour in &mut pixel[..3] {
            // A colour brighter than its alpha was not multiplied after all; it stays as bright as can be.
            let plain = (u32::from(*colour) * 255 + alpha / 2).checked_div(alpha);
            *colour = plain.map_or(0, |plain| plain.min(255) as u8);
        }
    }
    Ok(shape(rect, rgba))
}

fn check(rect: Rect) -> Outcome<()> {
    if rect.width > SIDE_MAX || rect.height > SIDE_MAX {
        return nonsense(format!("a pointer shape of {} × {}", rect.width, rect.height));
    }
    Ok(())
}

/// In the rectangle of a shape the corner is its hot spot.
fn shape(rect: Rect, rgba: Vec<u8>) -> Option<CursorShape> {
    if rect.is_empty() {
        return None;
    }
    Some(CursorShape {
        hot_x: rect.x.min(rect.width - 1),
        hot_y: rect.y.min(rect.height - 1),
        width: rect.width,
        height: rect.height,
        rgba,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn masks_and_alpha_become_rgba_and_nothing_hides() {
        let mut bytes = [[1, 2, 3, 0]; 9].concat();
        bytes.extend([0b1000_0000, 0b1000_0000]);
        let shape = with_mask(&mut Wire::new(&bytes[..]), Rect::new(99, 0, 9, 1)).await;
        let shape = shape.unwrap().unwrap();
        assert_eq!((shape.hot_x, shape.hot_y), (8, 0), "kept inside the shape");
        assert_eq!(shape.rgba[..8], [3, 2, 1, 255, 3, 2, 1, 0]);
        assert_eq!(shape.rgba[32..], [3, 2, 1, 255]);

        let bytes = [0, 0, 0, 0, 100, 50, 25, 128, 9, 9, 9, 0, 10, 20, 30, 255];
        let rect = Rect::new(0, 0, 3, 1);
        let shape = with_alpha(&mut Wire::new(&bytes[..]), rect, true).await;
        let expected = [50, 100, 199, 128, 0, 0, 0, 0, 30, 20, 10, 255];
        assert_eq!(shape.unwrap().unwrap().rgba, expected);
        let shape = with_alpha(&mut Wire::new(&bytes[..]), rect, false).await;
        assert_eq!(shape.unwrap().unwrap().rgba[..4], [199, 100, 50, 128]);

        let nothing = with_mask(&mut Wire::new(&[][..]), Rect::new(0, 0, 0, 0)).await;
        assert_eq!(nothing.unwrap(), None);
        for rect in [Rect::new(0, 0, 513, 1), Rect::new(0, 0, 1, 65535)] {
            assert!(with_mask(&mut Wire::new(&[][..]), rect).await.is_err());
            assert!(with_alpha(&mut Wire::new(&[][..]), rect, true).await.is_err());
        }
        let other = with_alpha(&mut Wire::new(&[0, 0, 0, 99][..]), Rect::new(0, 0, 1, 1), true).await;
        assert!(other.is_err());
    }
}
