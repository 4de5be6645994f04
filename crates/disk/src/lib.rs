//! Recognise, inspect, create and import disk images.
//!
//! Images are hostile until judged. The order is always the same: open once, look at content and never at the name, judge
//! headers and tables by our own bounded parsers, and bring the disk in through that one descriptor: a qcow2 is copied and
//! the copy judged again, any other disk is read by our own reader and written anew. A tool of QEMU's meets only images that
//! we wrote or judged, confined and with the format given. `docs/decisions/0004-image-policy.md` says what is refused and why.
//!
//! * `detect`: what a file is. A format is one file and one line in `detect::DETECTORS`.
//! * `foreign`: disks of other programs (vmdk, vdi, vhd, vhdx). `packed`: what is compressed. `bundle`: whole machines.
//! * [`inspect`] → [`Inspection::plan`] → [`import_disk`], [`import_disks`] or [`unpack_medium`].
//! * [`export`]: images and whole machines for other programs.
//! * A system to guess is one line in `systems::SYSTEMS`.

mod beside;
mod boot;
mod bundle;
mod chain;
mod copy;
mod detect;
pub mod export;
mod fat;
mod foreign;
#[cfg(test)]
mod hostile;
mod import;
mod inspect;
mod iso;
mod layers;
mod merge;
mod packed;
mod plan;
pub mod qcow2;
mod raw;
mod refuse;
mod source;
mod systems;
pub mod tools;
mod work;

pub use boot::BootFacts;
pub use bundle::BundleFacts;
pub use chain::{ChainLink, chain};
pub use copy::{Copied, CopyMethod, copy_in};
pub use detect::recognise;
pub use import::{Imported, import_disk, import_disks, unpack_medium};
pub use inspect::{Facts, ForeignFacts, Inspection, inspect};
pub use iso::IsoFacts;
pub use layers::Layers;
pub use merge::{
    backing_name, capacity, commit, flatten, holds_data, rename_backing, rewrite, same_content, set_backing,
};
pub use packed::PackedFacts;
pub use plan::plan;
pub use qcow2::create::{Backing, create};
pub use raw::{DiskFacts, Table};
pub use tools::{CheckReport, check, repair, resize};
pub use work::Progress;

use std::{os::unix::fs::MetadataExt, path::Path};

/// Bytes that a file takes on this computer's disk; 0 if it is not there.
pub fn usage(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |facts| facts.blocks().saturating_mul(512))
}
