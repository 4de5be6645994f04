//! What a client makes of a stream: ours, and the other one to compare it with.

use nestbox_display::{CursorShape, DisplaySession, PixelEncoding, Pixels, RfbSession, SessionEvent};
use std::{
    future::{Ready, ready},
    io::Cursor,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use vnc::{PixelFormat, VncClient, VncConnector, VncEncoding, VncError, VncEvent};

/// A picture and the pointer's shape.
#[derive(Default, PartialEq)]
pub struct Painted {
    pub width: usize,
    pub height: usize,
    /// RGB.
    pub pixels: Vec<[u8; 3]>,
    pub cursor: Option<CursorShape>,
    pub frames: usize,
}

impl Painted {
    fn resize(&mut self, width: u16, height: u16) {
        (self.width, self.height) = (usize::from(width), usize::from(height));
        self.pixels = vec![[0; 3]; self.width * self.height];
    }
    fn put(&mut self, x: u16, y: u16, width: u16, rgb: impl Iterator<Item = [u8; 3]>) {
        let (x, y, width) = (usize::from(x), usize::from(y), usize::from(width));
        for (index, pixel) in rgb.enumerate() {
            self.pixels[(y + index / width) * self.width + x + index % width] = pixel;
        }
    }
    fn copy(&mut self, to: (u16, u16), from: (u16, u16), width: u16, height: u16) {
        let from: Vec<[u8; 3]> = (0..usize::from(height))
            .flat_map(|line| {
                let at = (usize::from(from.1) + line) * self.width + usize::from(from.0);
                self.pixels[at..at + usize::from(width)].to_vec()
            })
            .collect();
        self.put(to.0, to.1, width, from.into_iter());
    }

    pub fn take(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Size { width, height } => self.resize(width, height),
            SessionEvent::Pixels { rect, pixels } => match pixels {
                Pixels::Rgbx(bytes) => {
                    let rgb = bytes.chunks_exact(4).map(|p| [p[0], p[1], p[2]]);
                    self.put(rect.x, rect.y, rect.width, rgb);
                }
                Pixels::Bgrx(bytes) => {
                    let rgb = bytes.chunks_exact(4).map(|p| [p[2], p[1], p[0]]);
                    self.put(rect.x, rect.y, rect.width, rgb);
                }
            },
            SessionEvent::Copy { to, from_x, from_y } => {
                self.copy((to.x, to.y), (from_x, from_y), to.width, to.height);
            }
            SessionEvent::Cursor(cursor) => self.cursor = cursor,
            SessionEvent::FrameEnd => self.frames += 1,
            _ => {}
        }
    }
}

/// Paints what our client makes of a whole stream; and why it ended.
pub async fn ours(stream: Vec<u8>) -> (Painted, String) {
    let mut painted = Painted::default();
    let session = RfbSession::start(Cursor::new(stream), tokio::io::sink(), PixelEncoding::Raw).await;
    let mut session = match session {
        Ok(session) => session,
        Err(error) => return (painted, why(&error)),
    };
    loop {
        match timeout(Duration::from_secs(10), session.next())
            .await
            .expect("no hang")
        {
            Ok(event) => painted.take(event),
            Err(error) => return (painted, why(&error)),
        }
    }
}

fn why(error: &nestbox_model::Error) -> String {
    format!("{} {:?}", error.message, error.details)
}

/// A client of the other kind on a connection.
pub async fn oracle<S>(stream: S, encodings: &[VncEncoding]) -> VncClient
where
    S: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static,
{
    let connector: VncConnector<_, Ready<Result<String, VncError>>> = VncConnector::new(stream)
        .set_auth_method(ready(Err(VncError::NoPassword)))
        .set_pixel_format(PixelFormat::bgra())
        .allow_shared(true);
    encodings
        .iter()
        .fold(connector, |connector, encoding| connector.add_encoding(*encoding))
        .build()
        .unwrap()
        .try_start()
        .await
        .unwrap()
        .finish()
        .unwrap()
}

impl Painted {
    pub fn take_vnc(&mut self, event: VncEvent) {
        let rgb =
            |bgra: &[u8]| -> Vec<[u8; 3]> { bgra.chunks_exact(4).map(|p| [p[2], p[1], p[0]]).collect() };
        match event {
            VncEvent::SetResolution(size) => self.resize(size.width, size.height),
            VncEvent::RawImage(rect, bgra) => {
                self.put(rect.x, rect.y, rect.width, rgb(&bgra).into_iter());
            }
            VncEvent::Copy(to, from) => self.copy((to.x, to.y), (from.x, from.y), to.width, to.height),
            VncEvent::SetCursor(rect, bgra) => {
                let rgba = bgra
                    .chunks_exact(4)
                    .flat_map(|p| [p[2], p[1], p[0], p[3]])
                    .collect();
                self.cursor = (rect.width > 0).then_some(CursorShape {
                    hot_x: rect.x,
                    hot_y: rect.y,
                    width: rect.width,
                    height: rect.height,
                    rgba,
                });
            }
            _ => {}
        }
    }
}
