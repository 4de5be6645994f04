//! The server's messages, as events. One task reads them; everything has a limit in length and, once begun, in time.

use super::{
    cursor,
    inflate::Stream,
    link::Link,
    tight::Tight,
    wire::{Fault, Outcome, Wire, nonsense},
    zrle,
};
use crate::{Pixels, Rect, SIDE_MAX, SessionEvent};
use nestbox_model::Error;
use std::{sync::Arc, time::Duration};
use tokio::{io::AsyncRead, sync::mpsc, time::timeout};

/// For a message to arrive whole, once it began. A frame takes milliseconds, 256 MiB of one some 100.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of raw pixels handed on at a time: what a processor's second cache still holds when they are painted.
const BAND: usize = 256 * 1024;
/// Longest clipboard text handed on, and longest read, in bytes.
const TEXT_MAX: usize = 256 * 1024;
const TEXT_READ_MAX: u32 = 16 * 1024 * 1024;

/// Numbers of encodings (RFC 6143, 7.7, and the community's RFB description).
pub(super) mod encoding {
    pub(in crate::rfb) const RAW: i32 = 0;
    pub(in crate::rfb) const COPY_RECT: i32 = 1;
    pub(in crate::rfb) const TIGHT: i32 = 7;
    pub(in crate::rfb) const ZRLE: i32 = 16;
    pub(in crate::rfb) const JPEG_QUALITY_8: i32 = -24;
    pub(in crate::rfb) const DESKTOP_SIZE: i32 = -223;
    pub(in crate::rfb) const CURSOR: i32 = -239;
    pub(in crate::rfb) const POINTER_CHANGE: i32 = -257;
    pub(in crate::rfb) const EXTENDED_KEYS: i32 = -258;
    pub(in crate::rfb) const LED_STATE: i32 = -261;
    pub(in crate::rfb) const EXTENDED_DESKTOP_SIZE: i32 = -308;
    pub(in crate::rfb) const ALPHA_CURSOR: i32 = -314;
}

/// Reads messages until the connection ends.
pub(super) struct Reader<R> {
    wire: Wire<R>,
    link: Arc<Link>,
    events: mpsc::Sender<Result<SessionEvent, Error>>,
    zrle: Stream,
    tight: Tight,
    qemu: bool,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(
        wire: Wire<R>,
        link: Arc<Link>,
        events: mpsc::Sender<Result<SessionEvent, Error>>,
        qemu: bool,
    ) -> Self {
        Self {
            wire,
            link,
            events,
            zrle: Stream::default(),
            tight: Tight::default(),
            qemu,
        }
    }

    /// Until the end, whose reason is the last event.
    pub(super) async fn run(mut self) {
        let fault = loop {
            if let Err(fault) = self.message().await {
                break fault;
            }
        };
        let _ = self.events.send(Err(fault.into())).await;
    }

    async fn message(&mut self) -> Outcome<()> {
        // Nothing happening is no fault; half a message is.
        let kind = self.wire.u8().await?;
        timeout(MESSAGE_TIMEOUT, self.rest_of(kind))
            .await
            .map_err(|_| Fault::Silent)?
    }

    async fn rest_of(&mut self, kind: u8) -> Outcome<()> {
        match kind {
            0 => self.update().await,
            1 => {
                // A colour map, though we asked for true colours.
                self.wire.skip(3).await?;
                let colours = usize::from(self.wire.u16().await?);
                self.wire.skip(colours * 6).await
            }
            2 => self.tell(SessionEvent::Bell).await,
            3 => self.clipboard().await,
            other => nonsense(format!("message of kind {other}")),
        }
    }

    async fn tell(&mut self, event: SessionEvent) -> Outcome<()> {
        self.events.send(Ok(event)).await.map_err(|_| Fault::Unheard)
    }

    async fn clipboard(&mut self) -> Outcome<()> {
        self.wire.skip(3).await?;
        let length = self.wire.u32().await?;
        if length > TEXT_READ_MAX {
            return nonsense(format!("a clipboard text of {length} bytes"));
        }
        let length = length as usize;
        if length > TEXT_MAX {
            tracing::debug!(length, "the guest's clipboard text is too long and left out");
            return self.wire.skip(length).await;
        }
        let bytes = self.wire.bytes(length).await?;
        // The protocol says Latin-1; QEMU passes on the guest's UTF-8.
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect());
        self.tell(SessionEvent::Clipboard(text)).await
    }

    /// One update is one frame.
    async fn update(&mut self) -> Outcome<()> {
        self.wire.skip(1).await?;
        let mut painted = false;
        for _ in 0..self.wire.u16().await? {
            let rect = Rect::new(
                self.wire.u16().await?,
                self.wire.u16().await?,
                self.wire.u16().await?,
                self.wire.u16().await?,
            );
            painted |= self.rectangle(rect).await?;
        }
        if painted {
            self.tell(SessionEvent::FrameEnd).await?;
        }
        Ok(())
    }

    /// True when it painted.
    async fn rectangle(&mut self, rect: Rect) -> Outcome<bool> {
        let encoding = self.wire.i32().await?;
        match encoding {
            encoding::RAW | encoding::COPY_RECT | encoding::TIGHT | encoding::ZRLE => {
                let (width, height) = self.link.size();
                if !rect.fits(width, height) {
                    return nonsense(format!("{rect:?} in a picture of {width} × {height}"));
                }
                self.pixels(encoding, rect).await?;
                return Ok(!rect.is_empty());
            }
            encoding::DESKTOP_SIZE => self.resize(rect.width, rect.height).await?,
            encoding::EXTENDED_DESKTOP_SIZE => self.screens(rect).await?,
            encoding::CURSOR => {
                let cursor = cursor::with_mask(&mut self.wire, rect).await?;
                self.tell(SessionEvent::Cursor(cursor)).await?;
            }
            encoding::ALPHA_CURSOR => {
                let cursor = cursor::with_alpha(&mut self.wire, rect, self.qemu).await?;
                self.tell(SessionEvent::Cursor(cursor)).await?;
            }
            encoding::POINTER_CHANGE => {
                let absolute = rect.x != 0;
                self.link.set_absolute(absolute);
                self.tell(SessionEvent::PointerMode { absolute }).await?;
            }
            encoding::EXTENDED_KEYS => self.link.set_extended_keys(),
            encoding::LED_STATE => {
                let lights = self.wire.u8().await? & 7;
                self.tell(SessionEvent::Lights(lights)).await?;
            }
            other => return nonsense(format!("encoding {other}, which was not asked for")),
        }
        Ok(false)
    }

    async fn pixels(&mut self, encoding: i32, rect: Rect) -> Outcome<()> {
        match encoding {
            encoding::COPY_RECT => self.copy(rect).await,
            encoding::TIGHT if !rect.is_empty() => self.tight(rect).await,
            encoding::ZRLE => self.zrle(rect).await,
            _ => self.raw(rect).await,
        }
    }

    async fn raw(&mut self, rect: Rect) -> Outcome<()> {
        if rect.is_empty() {
            return Ok(());
        }
        let row = usize::from(rect.width) * 4;
        let lines = u16::try_from((BAND / row).max(1)).unwrap_or(u16::MAX);
        let mut done = 0;
        while done < rect.height {
            let height = (rect.height - done).min(lines);
            // The order QEMU keeps them in, so that it only copies.
            let pixels = Pixels::Bgrx(self.wire.bytes(row * usize::from(height)).await?);
            let rect = Rect::new(rect.x, rect.y + done, rect.width, height);
            self.tell(SessionEvent::Pixels { rect, pixels }).await?;
            done += height;
        }
        Ok(())
    }

    async fn copy(&mut self, to: Rect) -> Outcome<()> {
        let (from_x, from_y) = (self.wire.u16().await?, self.wire.u16().await?);
        let from = Rect {
            x: from_x,
            y: from_y,
            ..to
        };
        let (width, height) = self.link.size();
        if !from.fits(width, height) {
            return nonsense(format!("a copy of {from:?} in a picture of {width} × {height}"));
        }
        self.tell(SessionEvent::Copy { to, from_x, from_y }).await
    }

    async fn zrle(&mut self, rect: Rect) -> Outcome<()> {
        let length = self.wire.u32().await?;
        if u64::from(length) > zrle::length_max(rect) {
            return nonsense(format!("{length} packed bytes for {rect:?}"));
        }
        let packed = self.wire.bytes(length as usize).await?;
        let mut tiles = zrle::Tiles::new(&mut self.zrle, &packed, rect);
        while let Some((rect, rgba)) = tiles.next()? {
            let pixels = Pixels::Rgbx(rgba);
            let event = SessionEvent::Pixels { rect, pixels };
            self.events.send(Ok(event)).await.map_err(|_| Fault::Unheard)?;
        }
        tiles.finish()
    }

    async fn tight(&mut self, rect: Rect) -> Outcome<()> {
        let packed = self.tight.read(&mut self.wire, rect).await?;
        let mut bands = self.tight.bands(&packed, rect)?;
        while let Some((rect, rgba)) = bands.next()? {
            let pixels = Pixels::Rgbx(rgba);
            let event = SessionEvent::Pixels { rect, pixels };
            self.events.send(Ok(event)).await.map_err(|_| Fault::Unheard)?;
        }
        bands.finish()
    }

    async fn resize(&mut self, width: u16, height: u16) -> Outcome<()> {
        if width == 0 || height == 0 || width > SIDE_MAX || height > SIDE_MAX {
            return nonsense(format!("a picture of {width} × {height}"));
        }
        if self.link.size() == (width, height) {
            return Ok(());
        }
        self.link.set_size(width, height);
        self.tell(SessionEvent::Size { width, height }).await
    }

    /// The size with a list of screens; here x says why it comes and y how a request of ours went.
    async fn screens(&mut self, rect: Rect) -> Outcome<()> {
        let count = usize::from(self.wire.u8().await?);
        self.wire.skip(3 + count * 16).await?;
        let (asked_by_us, refused) = (rect.x == 1, rect.y != 0);
        if asked_by_us && refused {
            tracing::debug!(status = rect.y, "the guest's display keeps its size");
            return Ok(());
        }
        self.resize(rect.width, rect.height).await
    }
}
