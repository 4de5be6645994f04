//! Disks in other programs' formats. Every one is read by code of its own: headers and tables are judged when it is
//! opened, and what the guest sees is then a [`Source`](crate::source::Source) like any other. Import writes that anew
//! as qcow2, so no tool ever opens such a file.
//!
//! A new format is one file here and one line in `detect::DETECTORS`.

mod blocks;
mod extents;
pub(crate) mod vdi;
pub(crate) mod vhd;
pub(crate) mod vhdx;
pub(crate) mod vmdk;

use crate::source::{OpenFile, SharedSource};
use nestbox_model::Result;
use std::{path::Path, sync::Arc};

/// Most blocks that a table may describe: 2 TiB of VMDK grains, 32 TiB of 1 MiB blocks. The table takes 4 bytes a block.
pub(crate) const BLOCKS_MAX: u64 = 1 << 25;
/// Largest disk we take, bytes.
pub(crate) const CAPACITY_MAX: u64 = 64 << 40;

/// A disk that was opened and found sound.
pub(crate) struct Opened {
    /// What the guest sees.
    pub disk: SharedSource,
    /// The format in words: `VDI, dynamic`.
    pub words: String,
    /// Bytes stored in files, all of its files together.
    pub stored: u64,
    /// It is more than the one file.
    pub several_files: bool,
    /// What is not taken over, and why.
    pub dropped: Vec<(String, String)>,
    /// Worth knowing.
    pub warnings: Vec<String>,
}

impl Opened {
    pub(crate) fn new(disk: SharedSource, words: impl Into<String>, stored: u64) -> Self {
        Self {
            disk,
            words: words.into(),
            stored,
            several_files: false,
            dropped: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// Opens and judges a disk; siblings it names are opened through `Beside` only.
pub(crate) type Open = fn(SharedSource, &dyn Beside) -> Result<Opened>;

/// Where an image's or a bundle's other files may lie.
pub(crate) trait Beside {
    /// Opens the file at this path below.
    ///
    /// # Errors
    /// `image-refers-elsewhere` for anything but plain names with `/` between, for a link and for what is no file;
    /// `part-missing`.
    fn file(&self, path: &str) -> Result<OpenFile>;

    /// As [`Self::file`], for a plain name only.
    ///
    /// # Errors
    /// As [`Self::file`].
    fn open(&self, name: &str) -> Result<SharedSource> {
        crate::beside::judge_name(name)?;
        Ok(Arc::new(self.file(name)?))
    }

    /// Its path, if it is a folder.
    fn folder(&self) -> Option<&Path> {
        None
    }
}

/// Nothing is beside it.
pub(crate) struct Alone;

impl Beside for Alone {
    fn file(&self, path: &str) -> Result<OpenFile> {
        Err(crate::refuse::part_missing(path))
    }
}

/// The capacity is possible.
pub(crate) fn judge_capacity(capacity: u64) -> Result<()> {
    if capacity == 0 {
        return Err(crate::refuse::empty("The image is a disk of 0 bytes."));
    }
    if capacity > CAPACITY_MAX {
        return Err(crate::refuse::too_large(format!(
            "its disk has {}, the limit is 64 TiB",
            nestbox_model::units::format_size(capacity)
        )));
    }
    Ok(())
}
