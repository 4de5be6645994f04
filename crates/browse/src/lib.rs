//! Look into the file systems of a machine's disk without mounting anything and without root, and copy files out.
//!
//! A guest's file system is hostile: whoever wrote it may want the reader to crash, to hang or worse. So the readers run
//! in a process of their own ([`helper`]) that has the images as open read-only descriptors and nothing else: no
//! path, no network, limited memory and time. The service ([`list`], [`copy_out`]) judges every word that it says.
//!
//! ```text
//! service ── request, descriptors ──▶ nestbox __browse: Layers → volumes → ext, fat, iso, ntfs → walk, copy
//!         ◀── frames ──────────────── judged by client.rs; files are made by extract.rs
//! ```
//! A new file system is one file that implements `FileSystem`, and two lines: in `volumes` and in `answer`.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that finds nothing should stop there")
)]

mod answer;
mod client;
mod confine;
mod copy;
mod ext;
mod extract;
mod fat;
mod filesystem;
mod helper;
mod iso;
mod names;
mod ntfs;
mod protocol;
mod source;
mod volumes;
mod walk;
mod zeros;

pub use client::{HELPER_WORD, Helper, ListRequest, list};
pub use extract::{CopyOut, copy_out};
pub use helper::run as helper;
