//! Real guests, a local mirror and a test home for the tests.
//!
//! - [`Guests`] builds or finds small bootable systems (`build.sh` says how they are made and what they can do);
//! - [`TestHome`] is a data directory of its own with the `nestbox` command on it, cleaned up when dropped;
//! - [`serial`] and [`picture`] read what a guest says and shows;
//! - [`mirror`] is a distribution's download server on the loopback interface, that can misbehave.
//!
//! What the guests print is in [`serial::Ready`] and [`serial::Counter`].

mod guests;
mod home;
pub mod mirror;
pub mod picture;
pub mod serial;

pub use guests::Guests;
pub use home::{Run, TestHome};
