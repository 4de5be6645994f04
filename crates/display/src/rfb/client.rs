//! What we send, and the task that sends it: input never waits for pictures, nor pictures for input.

use super::{
    link::Link,
    update::encoding,
    wire::{Fault, lost},
};
use crate::SessionInput;
use nestbox_model::{Error, Result};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    time::timeout,
};

/// For the other side to take what is written; its socket holds thousands of events before it comes to this.
const WRITE_TIMEOUT: Duration = Duration::from_secs(3);
/// Events waiting to be written.
pub(super) const QUEUE: usize = 1024;
/// Most events written at once.
const BATCH: usize = 64;
/// Longest clipboard text sent, in bytes.
const TEXT_MAX: usize = 256 * 1024;
/// No step: relative positions are told around this number.
const STILL: i32 = 0x7fff;

/// 32 bits a pixel, true colour, little-endian, blue lowest: what QEMU keeps in memory on the hosts we run on.
const PIXEL_FORMAT: [u8; 16] = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];

/// Encodings for pixels, beside those for everything else, which are always asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PixelEncoding {
    /// As they are: the quickest on one computer, where encoding costs more than copying.
    #[default]
    Raw,
    /// Packed by zlib, lossless.
    Zrle,
    /// Packed by zlib, lossless.
    Tight,
    /// Packed by zlib, or as JPEG where that looks alike.
    TightJpeg,
}

/// The first words after the handshake: pixel format, encodings, and a request for the whole picture.
pub(super) fn opening(pixels: PixelEncoding, link: &Link) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0];
    bytes.extend_from_slice(&PIXEL_FORMAT);
    let mut encodings = match pixels {
        PixelEncoding::Raw => vec![],
        PixelEncoding::Zrle => vec![encoding::ZRLE],
        PixelEncoding::Tight => vec![encoding::TIGHT],
        PixelEncoding::TightJpeg => vec![encoding::TIGHT, encoding::JPEG_QUALITY_8],
    };
    encodings.extend([
        encoding::RAW,
        encoding::COPY_RECT,
        encoding::DESKTOP_SIZE,
        encoding::EXTENDED_DESKTOP_SIZE,
        encoding::ALPHA_CURSOR,
        encoding::CURSOR,
        encoding::POINTER_CHANGE,
        encoding::EXTENDED_KEYS,
        encoding::LED_STATE,
    ]);
    bytes.extend_from_slice(&[2, 0]);
    bytes.extend_from_slice(&(encodings.len() as u16).to_be_bytes());
    for encoding in encodings {
        bytes.extend_from_slice(&encoding.to_be_bytes());
    }
    request(&mut bytes, false, link.size());
    bytes
}

/// Writes what comes through `queue` until that ends; an error is told to `events`.
pub(super) async fn write_all<W, T>(
    mut writer: W,
    link: Arc<Link>,
    mut queue: mpsc::Receiver<SessionInput>,
    events: mpsc::Sender<Result<T>>,
) where
    W: AsyncWrite + Unpin,
{
    let mut encoder = Encoder { link, x: 0, y: 0 };
    let mut inputs = Vec::with_capacity(BATCH);
    let mut bytes = Vec::new();
    while queue.recv_many(&mut inputs, BATCH).await > 0 {
        bytes.clear();
        for input in inputs.drain(..) {
            encoder.encode(input, &mut bytes);
        }
        let written = match timeout(WRITE_TIMEOUT, writer.write_all(&bytes)).await {
            Ok(written) => written.map_err(Fault::Closed),
            Err(_) => Err(Fault::Deaf),
        };
        if let Err(fault) = written {
            // Where the other side left, the reader knows too and says so, behind the events still to be taken.
            if matches!(fault, Fault::Deaf) {
                let _ = events.send(Err(fault.into())).await;
            }
            return;
        }
    }
}

/// The queue is full, so the other side takes nothing.
pub(super) fn deaf() -> Error {
    Fault::Deaf.into()
}

/// The writing task is gone.
pub(super) fn gone() -> Error {
    lost("The machine closed its display.")
}

/// Turns input into messages.
struct Encoder {
    link: Arc<Link>,
    /// Where the pointer was put last.
    x: u16,
    y: u16,
}

impl Encoder {
    fn encode(&mut self, input: SessionInput, out: &mut Vec<u8>) {
        match input {
            SessionInput::Pointer { x, y, buttons } => {
                (self.x, self.y) = (x, y);
                if self.link.absolute() {
                    pointer(out, buttons, x, y);
                } else {
                    // The guest changed its mind on the way: the buttons count, the place can't.
                    pointer(out, buttons, step(0), step(0));
                }
            }
            SessionInput::Motion { dx, dy, buttons } => {
                if self.link.absolute() {
                    pointer(out, buttons, self.x, self.y);
                } else {
                    pointer(out, buttons, step(dx), step(dy));
                }
            }
            SessionInput::Key {
                keysym,
                scancode,
                down,
            } => match scancode {
                Some(scancode) if self.link.extended_keys() => {
                    out.extend_from_slice(&[255, 0, 0, u8::from(down)]);
                    out.extend_from_slice(&keysym.to_be_bytes());
                    out.extend_from_slice(&u32::from(scancode.rfb()).to_be_bytes());
                }
                // Without a keysym nothing is said that the server could understand.
                _ if keysym == 0 => {}
                _ => {
                    out.extend_from_slice(&[4, u8::from(down), 0, 0]);
                    out.extend_from_slice(&keysym.to_be_bytes());
                }
            },
            SessionInput::Clipboard(text) => {
                if text.len() <= TEXT_MAX {
                    out.extend_from_slice(&[6, 0, 0, 0]);
                    out.extend_from_slice(&(text.len() as u32).to_be_bytes());
                    out.extend_from_slice(text.as_bytes());
                }
            }
            SessionInput::Size { width, height } => {
                out.extend_from_slice(&[251, 0]);
                for number in [width, height, 0x0100, 0, 0, 0, 0, width, height, 0, 0] {
                    out.extend_from_slice(&number.to_be_bytes());
                }
            }
            SessionInput::Update => request(out, true, self.link.size()),
            SessionInput::Refresh => request(out, false, self.link.size()),
        }
    }
}

fn step(delta: i16) -> u16 {
    (STILL + i32::from(delta)).clamp(0, i32::from(u16::MAX)) as u16
}

fn pointer(out: &mut Vec<u8>, buttons: u8, x: u16, y: u16) {
    out.extend_from_slice(&[5, buttons]);
    out.extend_from_slice(&x.to_be_bytes());
    out.extend_from_slice(&y.to_be_bytes());
}

fn request(out: &mut Vec<u8>, incremental: bool, (width, height): (u16, u16)) {
    out.extend_from_slice(&[3, u8::from(incremental), 0, 0, 0, 0]);
    out.extend_from_slice(&width.to_be_bytes());
    out.extend_from_slice(&height.to_be_bytes());
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Scancode;

    fn encoded(link: &Arc<Link>, inputs: &[SessionInput]) -> Vec<Vec<u8>> {
        let mut encoder = Encoder {
            link: Arc::clone(link),
            x: 0,
            y: 0,
        };
        inputs
            .iter()
            .map(|input| {
                let mut out = Vec::new();
                encoder.encode(input.clone(), &mut out);
                out
            })
            .collect()
    }

    #[test]
    fn keys_go_by_place_where_the_server_takes_that() {
        let link = Arc::new(Link::new(2, 3));
        let key = |keysym, code| SessionInput::Key {
            keysym,
            scancode: Scancode::of(code),
            down: true,
        };
        let inputs = [key(0x7a, "KeyY"), key(0, "IntlBackslash"), key(0x61, "")];
        assert_eq!(
            encoded(&link, &inputs),
            [
                vec![4, 1, 0, 0, 0, 0, 0, 0x7a],
                vec![],
                vec![4, 1, 0, 0, 0, 0, 0, 0x61]
            ]
        );
        link.set_extended_keys();
        assert_eq!(
            encoded(&link, &inputs),
            [
                vec![255, 0, 0, 1, 0, 0, 0, 0x7a, 0, 0, 0, 0x15],
                vec![255, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x56],
                vec![4, 1, 0, 0, 0, 0, 0, 0x61]
            ]
        );
    }

    #[test]
    fn pointers_go_as_the_guest_takes_them_and_buttons_are_never_lost() {
        let link = Arc::new(Link::new(2, 3));
        let inputs = [
            SessionInput::Pointer {
                x: 7,
                y: 8,
                buttons: 1,
            },
            SessionInput::Motion {
                dx: -1,
                dy: i16::MIN,
                buttons: 0,
            },
        ];
        assert_eq!(encoded(&link, &inputs), [[5, 1, 0, 7, 0, 8], [5, 0, 0, 7, 0, 8]]);
        link.set_absolute(false);
        assert_eq!(
            encoded(&link, &inputs),
            [[5, 1, 0x7f, 0xff, 0x7f, 0xff], [5, 0, 0x7f, 0xfe, 0, 0]]
        );
    }

    #[test]
    fn requests_and_sizes_are_laid_out_as_documented() {
        let link = Arc::new(Link::new(0x102, 0x304));
        let size = SessionInput::Size {
            width: 800,
            height: 600,
        };
        let got = encoded(&link, &[SessionInput::Update, SessionInput::Refresh, size]);
        assert_eq!(got[0], [3, 1, 0, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(got[1], [3, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
        let mut expected = vec![251, 0, 3, 32, 2, 88, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        expected.extend([3, 32, 2, 88, 0, 0, 0, 0]);
        assert_eq!(got[2], expected);
        let opening = opening(PixelEncoding::Raw, &link);
        assert_eq!(opening.len(), 20 + 4 + 9 * 4 + 10);
    }
}
