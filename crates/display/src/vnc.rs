//! A display session over a VNC server that is not one of ours, by the `vnc-rs` client, which knows more kinds of servers.
//! It is also what the tests compare our own session with.
//!
//! What that client leaves open is closed here: time limits on connecting and input; reads small enough that its queue of
//! network chunks stays within some 64 MiB; and frame ends, of which it reports none, so a frame is what arrives
//! together.

use crate::{
    rfb::connect,
    session::{CursorShape, DisplaySession, Pixels, SessionEvent, SessionInput, SessionSource},
};
use nestbox_model::{Error, Result};
use std::{
    future::{Ready, ready},
    io,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
    time::{Instant, timeout, timeout_at},
};
use vnc::{PixelFormat, VncClient, VncConnector, VncEncoding, VncError, VncEvent, X11Event};

/// For connecting, and again for the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// For the other side to take one input; it has a queue of thousands before it comes to this.
const INPUT_TIMEOUT: Duration = Duration::from_secs(3);
/// A pause this long ends a frame.
const FRAME_GAP: Duration = Duration::from_millis(2);
/// A frame is shown after this even while more of it comes.
const FRAME_MAX: Duration = Duration::from_millis(30);
/// Bytes of one read. The client queues up to 4096 reads.
const READ_MAX: usize = 16 * 1024;
/// Longest clipboard text sent, in bytes.
const TEXT_MAX: usize = 256 * 1024;

/// A VNC server on a unix socket.
#[derive(Clone, Debug)]
pub struct VncSocket {
    /// The socket.
    pub path: PathBuf,
}

impl SessionSource for VncSocket {
    type Session = VncSession;

    async fn open(&self) -> Result<VncSession> {
        let stream = connect(&self.path).await?;
        let connector: VncConnector<_, Ready<Result<String, VncError>>> =
            VncConnector::new(SmallReads(stream))
                .set_auth_method(ready(Err(VncError::NoPassword)))
                .set_pixel_format(PixelFormat::rgba())
                .allow_shared(true);
        // Raw alone for pixels: on a local socket it is the quickest by far, as encoding is what costs QEMU time.
        let encodings = [
            VncEncoding::Raw,
            VncEncoding::CopyRect,
            VncEncoding::CursorPseudo,
            VncEncoding::DesktopSizePseudo,
        ];
        let connector = encodings.into_iter().fold(connector, VncConnector::add_encoding);
        let handshake = async { connector.build()?.try_start().await?.finish() };
        let client = timeout(HANDSHAKE_TIMEOUT, handshake)
            .await
            .map_err(|_| lost("The machine's display began to answer and then fell silent."))?
            .map_err(|error| {
                lost("The machine's display does not speak a kind of VNC that Nestbox knows.")
                    .with_detail("technical", error.to_string())
            })?;
        Ok(VncSession {
            client,
            frame_since: None,
        })
    }
}

/// One connection.
pub struct VncSession {
    client: VncClient,
    /// When the first pixels since the last frame end came.
    frame_since: Option<Instant>,
}

impl DisplaySession for VncSession {
    async fn next(&mut self) -> Result<SessionEvent> {
        loop {
            let event = match self.frame_since {
                Some(since) => {
                    let until = (Instant::now() + FRAME_GAP).min(since + FRAME_MAX);
                    match timeout_at(until, self.client.recv_event()).await {
                        Ok(event) => event,
                        Err(_) => {
                            self.frame_since = None;
                            return Ok(SessionEvent::FrameEnd);
                        }
                    }
                }
                None => self.client.recv_event().await,
            };
            if let Some(event) = self.translate(event.map_err(|error| closed(&error))?)? {
                return Ok(event);
            }
        }
    }

    async fn send(&mut self, input: SessionInput) -> Result<()> {
        let event = match input {
            SessionInput::Pointer { x, y, buttons } => X11Event::PointerEvent((x, y, buttons).into()),
            SessionInput::Key { keysym: 0, .. } => return Ok(()),
            SessionInput::Key { keysym, down, .. } => X11Event::KeyEvent((keysym, down).into()),
            // Never asked for: this client does not tell that a guest takes steps, nor sizes.
            SessionInput::Motion { .. } | SessionInput::Size { .. } => return Ok(()),
            SessionInput::Clipboard(text) if text.len() > TEXT_MAX => return Ok(()),
            SessionInput::Clipboard(text) => X11Event::CopyText(text),
            SessionInput::Update => X11Event::Refresh,
            SessionInput::Refresh => X11Event::FullRefresh,
        };
        timeout(INPUT_TIMEOUT, self.client.input(event))
            .await
            .map_err(|_| lost("The machine's display takes no input."))?
            .map_err(|error| closed(&error))
    }
}

impl VncSession {
    fn translate(&mut self, event: VncEvent) -> Result<Option<SessionEvent>> {
        Ok(Some(match event {
            VncEvent::SetResolution(size) => {
                self.frame_since = None;
                SessionEvent::Size {
                    width: size.width,
                    height: size.height,
                }
            }
            VncEvent::RawImage(rect, rgba) => {
                self.frame_since.get_or_insert_with(Instant::now);
                SessionEvent::Pixels {
                    rect: to_rect(rect),
                    pixels: Pixels::Rgbx(rgba),
                }
            }
            VncEvent::Copy(to, from) => {
                self.frame_since.get_or_insert_with(Instant::now);
                SessionEvent::Copy {
                    to: to_rect(to),
                    from_x: from.x,
                    from_y: from.y,
                }
            }
            // In the wire's rectangle of a cursor the corner is its hot spot.
            VncEvent::SetCursor(rect, _) if rect.width == 0 || rect.height == 0 => SessionEvent::Cursor(None),
            VncEvent::SetCursor(rect, rgba) => SessionEvent::Cursor(Some(CursorShape {
                hot_x: rect.x,
                hot_y: rect.y,
                width: rect.width,
                height: rect.height,
                rgba,
            })),
            VncEvent::Bell => SessionEvent::Bell,
            VncEvent::Text(text) => SessionEvent::Clipboard(text),
            VncEvent::Error(technical) => {
                return Err(lost("The machine's display sent something that makes no sense.")
                    .with_detail("technical", technical));
            }
            _ => return Ok(None),
        }))
    }
}

fn to_rect(rect: vnc::Rect) -> crate::Rect {
    crate::Rect::new(rect.x, rect.y, rect.width, rect.height)
}

fn lost(message: &str) -> Error {
    Error::failed("display-lost", message)
}

fn closed(error: &VncError) -> Error {
    lost("The machine closed its display.").with_detail("technical", error.to_string())
}

/// A stream whose reads are short.
struct SmallReads(UnixStream);

impl AsyncRead for SmallReads {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = buf.remaining().min(READ_MAX);
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(length));
        let filled = match Pin::new(&mut self.0).poll_read(cx, &mut part) {
            Poll::Ready(Ok(())) => part.filled().len(),
            other => return other,
        };
        buf.advance(filled);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SmallReads {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
