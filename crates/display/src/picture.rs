//! Pictures as files: PNG, and thumbnails one can tell apart.

use image::{ExtendedColorType, ImageEncoder, RgbaImage, codecs::png, imageops};
use nestbox_model::{Error, Result};

/// Width of a thumbnail in pixels, at most.
pub const THUMBNAIL_WIDTH: u32 = 320;
/// How much closer a text console is shown than a whole screen, at most.
const TEXT_ZOOM: f64 = 2.3;
/// Brightness below which a pixel is background, of 255.
const DARK: u32 = 40;
/// Share of the screen that text may light up; a desktop lights up more.
const LIT_MAX: f64 = 0.2;

/// A PNG of the picture, made narrower to `max_width` pixels if it is wider.
///
/// # Errors
/// `picture-failed` if the encoder refuses.
pub fn encode_png(picture: &RgbaImage, max_width: Option<u32>) -> Result<Vec<u8>> {
    let narrower = max_width
        .filter(|max| *max > 0 && *max < picture.width())
        .map(|width| shrink(picture, width));
    let picture = narrower.as_ref().unwrap_or(picture);
    let mut bytes = Vec::new();
    png::PngEncoder::new_with_quality(&mut bytes, png::CompressionType::Fast, png::FilterType::Adaptive)
        .write_image(
            picture.as_raw(),
            picture.width(),
            picture.height(),
            ExtendedColorType::Rgba8,
        )
        .map_err(|error| {
            Error::failed("picture-failed", "The picture could not be written as PNG.")
                .with_detail("technical", error.to_string())
        })?;
    Ok(bytes)
}

/// A small picture for lists, at most [`THUMBNAIL_WIDTH`] wide. A text console, which shrunk as a whole would be just
/// black, is shown closer: cropped to its text, up to 2.3 times.
pub fn thumbnail(picture: &RgbaImage) -> RgbaImage {
    match text_area(picture) {
        Some((x, y, width, height)) => {
            let part = imageops::crop_imm(picture, x, y, width, height).to_image();
            if width > THUMBNAIL_WIDTH {
                shrink(&part, THUMBNAIL_WIDTH)
            } else {
                part
            }
        }
        None if picture.width() > THUMBNAIL_WIDTH => shrink(picture, THUMBNAIL_WIDTH),
        None => picture.clone(),
    }
}

fn shrink(picture: &RgbaImage, width: u32) -> RgbaImage {
    let height = (u64::from(picture.height()) * u64::from(width) / u64::from(picture.width().max(1))).max(1);
    imageops::thumbnail(picture, width.max(1), u32::try_from(height).unwrap_or(u32::MAX))
}

/// Where the text of a text console is: left, top, width, height in the picture's own proportions. `None` for
/// anything else: a bright screen, an empty one, one lit far from the top left corner, or full of text.
fn text_area(picture: &RgbaImage) -> Option<(u32, u32, u32, u32)> {
    let (width, height) = picture.dimensions();
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    let mut lit = 0_u64;
    let row_bytes = width as usize * 4;
    for (y, row) in (0..height).zip(picture.as_raw().chunks_exact(row_bytes.max(4))) {
        for (x, pixel) in (0..width).zip(row.chunks_exact(4)) {
            let brightness = (u32::from(pixel[0]) * 2 + u32::from(pixel[1]) * 5 + u32::from(pixel[2])) / 8;
            if brightness >= DARK {
                lit += 1;
                (left, top) = (left.min(x), top.min(y));
                (right, bottom) = (right.max(x + 1), bottom.max(y + 1));
            }
        }
    }
    let share = lit as f64 / (f64::from(width) * f64::from(height));
    if lit == 0 || share > LIT_MAX || left > width / 4 || top > height / 4 {
        return None;
    }
    // A little air around, and the smallest crop of the picture's proportions that holds it.
    let (margin_x, margin_y) = (width / 100, height / 100);
    let (left, top) = (left.saturating_sub(margin_x), top.saturating_sub(margin_y));
    let needed = f64::max(
        f64::from(right + margin_x - left) / f64::from(width),
        f64::from(bottom + margin_y - top) / f64::from(height),
    );
    let share = needed.max(1.0 / TEXT_ZOOM);
    if share >= 1.0 {
        return None;
    }
    let side = |length: u32| ((f64::from(length) * share).ceil() as u32).clamp(1, length);
    let (crop_width, crop_height) = (side(width), side(height));
    Some((
        left.min(width - crop_width),
        top.min(height - crop_height),
        crop_width,
        crop_height,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;

    fn console(text: (u32, u32)) -> RgbaImage {
        RgbaImage::from_fn(720, 400, |x, y| {
            let lit = x < text.0 && y < text.1 && x % 3 == 0 && y % 4 < 2;
            if lit {
                Rgba([170, 170, 170, 255])
            } else {
                Rgba([0, 0, 0, 255])
            }
        })
    }

    #[test]
    fn a_console_is_cropped_to_its_text() {
        let small = thumbnail(&console((200, 60)));
        // 720 / 2.3 = 313: no larger than needed, never enlarged.
        assert_eq!(small.dimensions(), (314, 174));
        let lit = |image: &RgbaImage| image.pixels().filter(|pixel| pixel[0] > 60).count() as f64;
        let share = lit(&small) / f64::from(314 * 174);
        assert!(share > 0.02, "text is visible: {share}");
        let wide = thumbnail(&console((600, 60)));
        assert_eq!(wide.width(), THUMBNAIL_WIDTH);
    }

    #[test]
    fn other_screens_are_shown_whole() {
        let desktop = RgbaImage::from_pixel(1280, 800, Rgba([40, 80, 160, 255]));
        assert_eq!(thumbnail(&desktop).dimensions(), (320, 200));
        let black = RgbaImage::from_pixel(1280, 800, Rgba([0, 0, 0, 255]));
        assert_eq!(thumbnail(&black).dimensions(), (320, 200));
        let full = console((720, 400));
        assert_eq!(thumbnail(&full).dimensions(), (320, 177));
        let logo = RgbaImage::from_fn(1280, 800, |x, y| {
            let lit = (600..680).contains(&x) && (360..440).contains(&y);
            Rgba([if lit { 255 } else { 0 }, 0, 0, 255])
        });
        assert_eq!(thumbnail(&logo).dimensions(), (320, 200));
        let tiny = RgbaImage::from_pixel(2, 1, Rgba([255; 4]));
        assert_eq!(thumbnail(&tiny).dimensions(), (2, 1));
    }

    #[test]
    fn png_round_trip_and_narrowing() {
        let picture = console((200, 60));
        let png = encode_png(&picture, None).unwrap();
        let back = image::load_from_memory(&png).unwrap().to_rgba8();
        assert_eq!(back, picture);
        let narrow = encode_png(&picture, Some(100)).unwrap();
        assert_eq!(
            image::load_from_memory(&narrow).unwrap().to_rgba8().dimensions(),
            (100, 55)
        );
    }
}
