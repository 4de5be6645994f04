//! Guest displays over RFB: frames, cursor, input, screenshots.
//!
//! A [`Display`] keeps one connection to a machine's VNC socket while anyone looks, and a copy of the picture. Any number of
//! [`Viewer`]s share it: each gets what changed since it last said it had drawn, one frame in flight, so a slow viewer
//! sees fewer frames and never an old one. Input goes through its own queue and never waits for pictures.
//!
//! ```text
//!  RFB socket ── DisplaySession (rfb) ── one task ── picture ──┬── Viewer ── WebSocket ── canvas
//!                       ▲                                       ├── Viewer
//!                       └────────── input queue ◄───────────────┴── …
//! ```
//!
//! This crate knows no web framework: [`serve_viewer`] takes any stream and sink of [`WsMessage`]s. It knows no machine
//! either: whoever owns one says with [`Display::end`] that it is over.

mod dirty;
mod display;
mod framebuffer;
mod input;
mod keys;
mod message;
mod picture;
mod rfb;
mod session;
mod socket;
mod viewer;
mod vnc;

pub use dirty::Rect;
pub use display::{Display, DisplayState, DisplayStatus};
pub use framebuffer::{SIDE_MAX, SIZE_MAX};
pub use keys::Scancode;
pub use message::{ClientMessage, MessageKind, ViewerMessage};
pub use picture::{THUMBNAIL_WIDTH, encode_png, thumbnail};
pub use rfb::{PixelEncoding, RfbSession, RfbSocket};
pub use session::{CursorShape, DisplaySession, Pixels, SessionEvent, SessionInput, SessionSource};
pub use socket::{WsMessage, serve_viewer};
pub use viewer::{Viewer, ViewerInput};
pub use vnc::VncSocket;
