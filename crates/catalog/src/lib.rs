//! Templates, downloads, verification, cache, cloud-init seeds.
//!
//! A *template* says where a distribution publishes a system and how it vouches for it. [`Catalog::fetch`] goes
//! from a template to a verified image in the cache in four steps, in this order:
//!
//! 1. `resolve`: the checksum file is fetched fresh and the image found in it;
//! 2. `verify-signature`: the checksum file's OpenPGP signature, by a key that ships with Nestbox, where there is one;
//! 3. `download`: into `cache/partial/`, resumable, hashed while it is written;
//! 4. `verify-image`: only an image with the promised digest moves to `cache/images/`, read-only and named by digest.
//!
//! Templates are data (`vm-templates/`, embedded; a folder of the user's can add some). A mirror ([`Mirrors`]) replaces
//! a family's servers; the paths below stay the same.
//!
//! # A second source of trust, for tests only
//! `NESTBOX_EXTRA_KEYS=<folder>` adds OpenPGP keys, but only for a family whose mirror is set *and* is on this
//! computer (127.0.0.0/8, `[::1]`, `localhost` is not enough). Without such a mirror the variable does nothing, so it
//! can't weaken a download from anywhere else.

mod cache;
mod catalog;
mod checksums;
mod control;
mod download;
mod fetch;
mod http;
pub mod keys;
mod mirrors;
mod schema;
pub mod seed;
mod signature;
mod source;

pub use cache::Held;
pub use catalog::Catalog;
pub use control::{FetchControl, FetchUpdate, STEPS};
pub use fetch::Fetched;
pub use http::Tuning;
pub use mirrors::Mirrors;
