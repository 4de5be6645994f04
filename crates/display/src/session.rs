//! The seam between a display and the protocol that brings its pictures.

use crate::{Rect, Scancode};
use nestbox_model::Result;
use std::future::Future;

/// What a session reports.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// The picture has a new size and no content yet.
    Size {
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// New pixels.
    Pixels {
        /// Where.
        rect: Rect,
        /// Row by row.
        pixels: Pixels,
    },
    /// Pixels moved within the picture.
    Copy {
        /// Where to.
        to: Rect,
        /// Left edge of where from.
        from_x: u16,
        /// Top edge of where from.
        from_y: u16,
    },
    /// The guest's pointer looks otherwise; `None`: it is hidden.
    Cursor(Option<CursorShape>),
    /// What came since the last one belongs together: show it.
    FrameEnd,
    /// The guest rang its bell.
    Bell,
    /// The guest's clipboard holds this text.
    Clipboard(String),
    /// How the guest takes the pointer; absolute until told otherwise.
    PointerMode {
        /// It goes where it is put. Otherwise it takes steps ([`SessionInput::Motion`]).
        absolute: bool,
    },
    /// The guest's keyboard lights: 1 Scroll Lock, 2 Num Lock, 4 Caps Lock.
    Lights(u8),
}

/// Pixels of four bytes, by the order of these; the last means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pixels {
    /// Red, green, blue.
    Rgbx(Vec<u8>),
    /// Blue, green, red.
    Bgrx(Vec<u8>),
}

/// How the guest's pointer looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorShape {
    /// Pixel of the shape that points, from its left.
    pub hot_x: u16,
    /// Pixel of the shape that points, from its top.
    pub hot_y: u16,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// RGBA, row by row.
    pub rgba: Vec<u8>,
}

/// What a session sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionInput {
    /// Pointer position in pixels and RFB's button bits.
    Pointer {
        /// From the left.
        x: u16,
        /// From the top.
        y: u16,
        /// 1 left, 2 middle, 4 right, 8 and 16 wheel up and down, 32 and 64 wheel left and right.
        buttons: u8,
    },
    /// A step of the pointer, for guests that take no positions.
    Motion {
        /// Pixels to the right.
        dx: i16,
        /// Pixels down.
        dy: i16,
        /// As those of [`SessionInput::Pointer`].
        buttons: u8,
    },
    /// A key by its place, and by its X11 keysym for servers that don't take places.
    Key {
        /// X11 keysym; 0: none.
        keysym: u32,
        /// The place, where it is known.
        scancode: Option<Scancode>,
        /// Pressed, not released.
        down: bool,
    },
    /// The host's clipboard holds this text.
    Clipboard(String),
    /// The guest's screen would best have this size.
    Size {
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// Send what changed, when something did.
    Update,
    /// Send the whole picture now.
    Refresh,
}

/// One connection to a display. Everything it does is bounded in memory by the implementation.
pub trait DisplaySession: Send + 'static {
    /// The next event. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The connection is over, with the reason in words.
    fn next(&mut self) -> impl Future<Output = Result<SessionEvent>> + Send;
    /// Sends one input.
    ///
    /// # Errors
    /// The connection is over, or the other side does not take input.
    fn send(&mut self, input: SessionInput) -> impl Future<Output = Result<()>> + Send;
}

/// Where sessions come from.
pub trait SessionSource: Send + Sync + 'static {
    /// Its sessions.
    type Session: DisplaySession;
    /// Connects, shakes hands and asks for the first whole picture, within a time limit of its own.
    ///
    /// # Errors
    /// Why there is no connection, in words.
    fn open(&self) -> impl Future<Output = Result<Self::Session>> + Send;
}
