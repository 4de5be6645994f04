//! The messages between a display and a viewer, as they travel: binary, little-endian, first byte the kind.
//!
//! ```text
//! 1 frame      u8 kind, u8 flags (bit 0: more of this frame follows), u16 count, u32 sequence, u64 captured_us,
//!              count × { u16 x, u16 y, u16 width, u16 height, width × height × 4 bytes RGBA }
//! 2 resize     u8 kind, u8 0, u16 width, u16 height           the whole picture is invalid until the next frame
//! 3 cursor     u8 kind, u8 visible, u16 hot_x, u16 hot_y, u16 width, u16 height, width × height × 4 bytes RGBA
//! 4 status     u8 kind, UTF-8 JSON {"state", "reason", "retry_in"}
//! 5 clipboard  u8 kind, UTF-8 text
//! 6 bell       u8 kind
//! 7 pointer    u8 kind, u8 absolute    0: the guest takes steps (“move”), not positions; positions are turned into steps
//! 8 lights     u8 kind, u8 lights      the guest's keyboard: 1 Scroll Lock, 2 Num Lock, 4 Caps Lock
//! ```
//! Viewers answer with JSON text, see [`ClientMessage`].

use crate::{CursorShape, DisplayStatus, Rect, framebuffer::Framebuffer};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Longest frame message in bytes of pixels; a larger frame is sent in several.
const FRAME_MAX: usize = 16 * 1024 * 1024;

/// What a message is about; the number is its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum MessageKind {
    Frame = 1,
    Resize = 2,
    Cursor = 3,
    Status = 4,
    Clipboard = 5,
    Bell = 6,
    Pointer = 7,
    Lights = 8,
}

/// One encoded message to a viewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewerMessage {
    /// Its kind.
    pub kind: MessageKind,
    /// The whole message, kind byte included.
    pub bytes: Bytes,
}

/// What a viewer says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ClientMessage {
    /// The frame with this sequence number is drawn; the next may come.
    Ack {
        /// Of the frame.
        sequence: u32,
    },
    /// Pointer position in guest pixels, and RFB's button bits (1 left, 2 middle, 4 right, 8/16 wheel, 32/64 sideways).
    Pointer {
        /// From the left; clamped to the picture.
        x: f64,
        /// From the top; clamped to the picture.
        y: f64,
        /// Button bits.
        buttons: u8,
    },
    /// A step of the pointer, for guests that take no positions; ignored while they do.
    Move {
        /// Pixels to the right.
        dx: f64,
        /// Pixels down.
        dy: f64,
        /// As those of `Pointer`.
        buttons: u8,
    },
    /// A key by its place, and by X11 keysym where the display or the browser knows no places.
    Key {
        /// X11 keysym; 0 where the key has none.
        keysym: u32,
        /// Name of the physical key, as browsers call it (`KeyA`).
        #[serde(default)]
        code: String,
        /// Pressed, not released.
        down: bool,
    },
    /// Release every key and button this viewer holds.
    ReleaseAll,
    /// Send the whole picture again.
    Refresh,
    /// The guest's screen would best have this size; guests without a driver for that keep theirs.
    Resize {
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// The host's clipboard holds this text.
    Clipboard {
        /// The text.
        text: String,
    },
}

impl ViewerMessage {
    fn new(kind: MessageKind, rest: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(1 + rest.len());
        bytes.push(kind as u8);
        bytes.extend_from_slice(rest);
        Self {
            kind,
            bytes: bytes.into(),
        }
    }

    pub(crate) fn resize(width: u16, height: u16) -> Self {
        let ([w0, w1], [h0, h1]) = (width.to_le_bytes(), height.to_le_bytes());
        Self::new(MessageKind::Resize, &[0, w0, w1, h0, h1])
    }

    pub(crate) fn cursor(shape: Option<&CursorShape>) -> Self {
        let hidden = CursorShape::default();
        let cursor = shape.unwrap_or(&hidden);
        let mut rest = Vec::with_capacity(9 + cursor.rgba.len());
        rest.push(u8::from(shape.is_some()));
        for number in [cursor.hot_x, cursor.hot_y, cursor.width, cursor.height] {
            rest.extend_from_slice(&number.to_le_bytes());
        }
        rest.extend_from_slice(&cursor.rgba);
        Self::new(MessageKind::Cursor, &rest)
    }

    pub(crate) fn status(status: &DisplayStatus) -> Self {
        let json = serde_json::to_vec(status).unwrap_or_default();
        Self::new(MessageKind::Status, &json)
    }

    pub(crate) fn clipboard(text: &str) -> Self {
        Self::new(MessageKind::Clipboard, text.as_bytes())
    }

    pub(crate) fn bell() -> Self {
        Self::new(MessageKind::Bell, &[])
    }

    pub(crate) fn pointer(absolute: bool) -> Self {
        Self::new(MessageKind::Pointer, &[u8::from(absolute)])
    }

    pub(crate) fn lights(lights: u8) -> Self {
        Self::new(MessageKind::Lights, &[lights])
    }

    /// The rectangles of one frame, in as many messages as their size asks for (at least one rectangle each).
    pub(crate) fn frame(picture: &Framebuffer, rects: &[Rect], sequence: u32, captured_us: u64) -> Vec<Self> {
        let rects: Vec<Rect> = rects.iter().flat_map(|rect| bands(*rect)).collect();
        let mut messages = Vec::new();
        let mut rest = rects.as_slice();
        while !rest.is_empty() {
            let mut size = 0;
            let fitting = rest.iter().take_while(|rect| {
                size += rect.area() as usize * 4;
                size <= FRAME_MAX
            });
            let (now, later) = rest.split_at(fitting.count().max(1));
            rest = later;
            let pixels: usize = now.iter().map(|rect| rect.area() as usize * 4 + 8).sum();
            let mut bytes = Vec::with_capacity(16 + pixels);
            bytes.extend_from_slice(&[MessageKind::Frame as u8, u8::from(!rest.is_empty())]);
            bytes.extend_from_slice(&u16::try_from(now.len()).unwrap_or(u16::MAX).to_le_bytes());
            bytes.extend_from_slice(&sequence.to_le_bytes());
            bytes.extend_from_slice(&captured_us.to_le_bytes());
            for rect in now {
                for number in [rect.x, rect.y, rect.width, rect.height] {
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
                picture.append(*rect, &mut bytes);
            }
            messages.push(Self {
                kind: MessageKind::Frame,
                bytes: bytes.into(),
            });
        }
        messages
    }
}

/// Cuts a rectangle into bands that fit a message.
fn bands(rect: Rect) -> Vec<Rect> {
    let lines = (FRAME_MAX / (usize::from(rect.width).max(1) * 4)).clamp(1, usize::from(u16::MAX)) as u16;
    let mut bands = Vec::new();
    let (mut y, mut left) = (rect.y, rect.height);
    while left > 0 {
        let height = left.min(lines);
        bands.push(Rect { y, height, ..rect });
        y = y.saturating_add(height);
        left -= height;
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_messages_are_read_as_the_window_writes_them() {
        let read = |text: &str| serde_json::from_str::<ClientMessage>(text);
        assert_eq!(
            read(r#"{"type":"ack","sequence":7}"#).unwrap(),
            ClientMessage::Ack { sequence: 7 }
        );
        assert_eq!(
            read(r#"{"type":"pointer","x":10.5,"y":20,"buttons":64}"#).unwrap(),
            ClientMessage::Pointer {
                x: 10.5,
                y: 20.0,
                buttons: 64
            }
        );
        assert_eq!(
            read(r#"{"type":"key","keysym":97,"code":"KeyA","down":true}"#).unwrap(),
            ClientMessage::Key {
                keysym: 97,
                code: "KeyA".into(),
                down: true
            }
        );
        assert_eq!(
            read(r#"{"type":"release-all"}"#).unwrap(),
            ClientMessage::ReleaseAll
        );
        assert_eq!(read(r#"{"type":"refresh"}"#).unwrap(), ClientMessage::Refresh);
        assert!(read(r#"{"type":"clipboard","text":"é"}"#).is_ok());
        assert!(read(r#"{"type":"move","dx":-1.5,"dy":2,"buttons":1}"#).is_ok());
        assert!(read(r#"{"type":"resize","width":1280,"height":800}"#).is_ok());
        for bad in [
            "",
            "{}",
            r#"{"type":"x"}"#,
            r#"{"type":"pointer","x":1}"#,
            r#"{"type":"ack","sequence":-1}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_frame_is_laid_out_as_documented() {
        let mut picture = Framebuffer::default();
        picture.resize(3, 2).unwrap();
        picture
            .put(Rect::new(0, 0, 3, 2), &crate::Pixels::Rgbx((0..24).collect()))
            .unwrap();
        let messages = ViewerMessage::frame(&picture, &[Rect::new(1, 1, 2, 1)], 0x0102_0304, 5);
        assert_eq!(messages.len(), 1);
        let expected: [u8; 32] = [
            1, 0, 1, 0, 4, 3, 2, 1, 5, 0, 0, 0, 0, 0, 0, 0, // header
            1, 0, 1, 0, 2, 0, 1, 0, // rectangle
            16, 17, 18, 255, 20, 21, 22, 255,
        ];
        assert_eq!(messages[0].bytes[..], expected);
    }

    #[test]
    fn a_huge_frame_is_cut_into_messages_that_add_up() {
        let mut picture = Framebuffer::default();
        picture.resize(4096, 3000).unwrap();
        let messages = ViewerMessage::frame(&picture, &[picture.whole(), Rect::new(0, 0, 1, 1)], 1, 2);
        let flags: Vec<u8> = messages.iter().map(|message| message.bytes[1]).collect();
        assert_eq!(flags, [1, 1, 0]);
        let pixels: usize = messages
            .iter()
            .map(|message| {
                let count = usize::from(u16::from_le_bytes([message.bytes[2], message.bytes[3]]));
                assert!(message.bytes.len() <= FRAME_MAX + 16 + 8 * count);
                message.bytes.len() - 16 - 8 * count
            })
            .sum();
        assert_eq!(pixels, 4096 * 3000 * 4 + 4);
    }

    #[test]
    fn a_hidden_cursor_has_no_pixels() {
        assert_eq!(
            ViewerMessage::cursor(None).bytes[..],
            [3, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
        let shape = CursorShape {
            hot_x: 1,
            hot_y: 2,
            width: 1,
            height: 1,
            rgba: vec![9, 9, 9, 255],
        };
        assert_eq!(
            ViewerMessage::cursor(Some(&shape)).bytes[..],
            [3, 1, 1, 0, 2, 0, 1, 0, 1, 0, 9, 9, 9, 255]
        );
    }
}
