//! Looking at a guest's screen.

use nestbox_model::{Error, Result};

/// The guest's own colours, as `paint COLOUR` in the guest fills the screen; it is green once the guest is ready.
pub mod colour {
    #![allow(missing_docs)]
    pub const GREEN: [u8; 3] = [0, 170, 0];
    pub const RED: [u8; 3] = [170, 0, 0];
    pub const BLUE: [u8; 3] = [0, 0, 170];
    pub const BLACK: [u8; 3] = [0, 0, 0];
    pub const MAGENTA: [u8; 3] = [170, 0, 170];
    pub const CYAN: [u8; 3] = [0, 170, 170];
}

/// Share of a PNG's pixels that have this colour, 0 to 1, give or take 12 steps a channel for scaled pictures.
///
/// # Errors
/// `picture-unreadable` when it is no PNG.
pub fn share_of(png: &[u8], colour: [u8; 3]) -> Result<f64> {
    let picture = image::load_from_memory_with_format(png, image::ImageFormat::Png)
        .map_err(|error| Error::failed("picture-unreadable", format!("Not a picture: {error}.")))?
        .to_rgb8();
    let same = picture
        .pixels()
        .filter(|pixel| pixel.0.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 12))
        .count();
    #[allow(clippy::cast_precision_loss)]
    Ok(same as f64 / f64::from(picture.width() * picture.height()).max(1.0))
}
