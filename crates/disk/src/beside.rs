//! The files beside an image or a bundle: opened by a plain name in one folder, never followed out of it.

use crate::{foreign::Beside, qcow2::printable, refuse, source::OpenFile};
use nestbox_model::Result;
use rustix::fs::{Mode, OFlags, openat};
use std::{fs::File, os::fd::OwnedFd, path::Path};

/// Longest name, bytes (what file systems allow).
const NAME_MAX: usize = 255;
/// Folders between a bundle and a file of it.
const DEPTH_MAX: usize = 8;

/// The name is only a name: no folder, no device, no address, no way out.
///
/// # Errors
/// `image-refers-elsewhere`.
pub(crate) fn judge_name(name: &str) -> Result<()> {
    let plain = !name.is_empty()
        && name.len() <= NAME_MAX
        && name != "."
        && name != ".."
        && !name.contains(['/', '\\', ':', '\0'])
        && !name.chars().any(char::is_control);
    if plain { Ok(()) } else { Err(outside(name)) }
}

/// A path below a folder: plain names with `/` between.
///
/// # Errors
/// `image-refers-elsewhere`.
pub(crate) fn judge_path(path: &str) -> Result<()> {
    if path.split('/').count() > DEPTH_MAX {
        return Err(outside(path));
    }
    path.split('/')
        .try_for_each(judge_name)
        .map_err(|_| outside(path))
}

/// A file names one that is not beside it.
pub(crate) fn outside(name: &str) -> nestbox_model::Error {
    let shown = printable(name);
    refuse::refers_elsewhere(
        format!(
            "It names a file that does not lie beside it, “{shown}”, and Nestbox does not open such files."
        ),
        "If that file is yours and you trust it, put it into the same folder, or import it by itself.",
    )
    .with_detail("names", shown)
}

/// A folder, held open.
#[derive(Debug)]
pub(crate) struct Folder {
    folder: OwnedFd,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|error| nestbox_model::Error::io("open the folder", path, &error.into()))?;
        Ok(Self { folder })
    }

    /// Opens a regular file at `path` below, through no link.
    pub(crate) fn file(&self, path: &str) -> Result<OpenFile> {
        judge_path(path)?;
        let mut names: Vec<&str> = path.split('/').collect();
        let name = names.pop().unwrap_or_default();
        let failed = |error: rustix::io::Errno| match error {
            rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR => refuse::part_missing(path),
            rustix::io::Errno::LOOP | rustix::io::Errno::MLINK => outside(path),
            error => nestbox_model::Error::io("open a part of it", Path::new(path), &error.into()),
        };
        let below = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let mut step: Option<OwnedFd> = None;
        for folder in names {
            let from = step.as_ref().unwrap_or(&self.folder);
            step = Some(openat(from, folder, below | OFlags::DIRECTORY, Mode::empty()).map_err(failed)?);
        }
        let from = step.as_ref().unwrap_or(&self.folder);
        // Opening a device can have effects, so it is looked at first, and again afterwards.
        let facts = rustix::fs::statat(from, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        if !rustix::fs::FileType::from_raw_mode(facts.st_mode).is_file() {
            return Err(outside(path));
        }
        let file = File::from(openat(from, name, below, Mode::empty()).map_err(failed)?);
        let unreadable = |error: std::io::Error| crate::source::unreadable(&error);
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(outside(path));
        }
        OpenFile::new(file).map_err(unreadable)
    }
}

/// A folder below another place, for what lies there.
pub(crate) struct Within<'a> {
    pub beside: &'a dyn Beside,
    /// Path below; may be empty.
    pub folder: &'a str,
}

impl Beside for Within<'_> {
    fn file(&self, path: &str) -> Result<OpenFile> {
        if self.folder.is_empty() {
            return self.beside.file(path);
        }
        judge_path(path)?;
        self.beside.file(&format!("{}/{path}", self.folder))
    }
}

/// The folder that a file lies in, opened when it is needed.
pub(crate) struct FolderOf<'a>(pub &'a Path);

impl Beside for FolderOf<'_> {
    fn file(&self, path: &str) -> Result<OpenFile> {
        Folder::open(self.0)?.file(path)
    }
    fn folder(&self) -> Option<&Path> {
        Some(self.0)
    }
}
