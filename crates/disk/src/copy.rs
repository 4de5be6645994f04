//! Copies a file into the library through one open descriptor: by reflink where the file system can, else the parts
//! that hold data, holes staying holes.

use crate::{
    source::{OpenFile, Source},
    work::{self, Control, Progress},
};
use nestbox_model::{Error, Result};
use rustix::{fs::SeekFrom, io::Errno};
use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};
use tokio_util::sync::CancellationToken;

/// Bytes copied between two looks at whether to go on.
const CHUNK: u64 = 16 << 20;

/// How a copy was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyMethod {
    /// The file system shares the data until one side changes it.
    Reflink,
    /// The data was copied.
    Data,
}

/// A finished copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Length of the file, bytes.
    pub bytes: u64,
    /// How.
    pub method: CopyMethod,
}

/// What a source file was when work on it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceState {
    pub length: u64,
    pub allocated: u64,
    modified: (i64, i64),
    pub device: u64,
    pub inode: u64,
}

impl SourceState {
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let facts = file.metadata()?;
        Ok(Self {
            length: facts.len(),
            allocated: facts.blocks().saturating_mul(512),
            modified: (facts.mtime(), facts.mtime_nsec()),
            device: facts.dev(),
            inode: facts.ino(),
        })
    }
    /// Errors if the name does not mean this file any more.
    pub(crate) fn check_name(&self, path: &Path) -> Result<()> {
        let now = std::fs::symlink_metadata(path).map_err(|_| changed())?;
        if (now.dev(), now.ino()) == (self.device, self.inode) {
            Ok(())
        } else {
            Err(changed())
        }
    }
    /// Errors if the file is not what it was.
    pub(crate) fn check(&self, file: &File) -> Result<()> {
        let now = Self::of(file).map_err(|error| crate::source::unreadable(&error))?;
        // Blocks may change by themselves (delayed allocation).
        if (now.length, now.modified) == (self.length, self.modified) {
            Ok(())
        } else {
            Err(changed())
        }
    }
}

/// Copies all of `source` to the new file `to`, which appears under its name only when it is complete and on the disk.
/// The source's position is not used, its name neither.
///
/// # Errors
/// `file-exists` (conflict), `no-space` (with the bytes needed), `file-changed` (conflict) when the source grew, shrank
/// or was written meanwhile, `cancelled`, `io-error`. Nothing is left behind.
pub async fn copy_in(
    source: &File,
    to: &Path,
    progress: Progress<'_>,
    cancel: &CancellationToken,
) -> Result<Copied> {
    let source = source
        .try_clone()
        .map_err(|error| crate::source::unreadable(&error))?;
    let to = to.to_owned();
    work::run(progress, cancel, move |control| {
        let (file, copied) = copy_to_temporary(&source, &to, control)?;
        keep(file, &to)?;
        Ok(copied)
    })
    .await
}

/// Copies `source` to a nameless-to-be file beside `to`; it goes away by itself unless it is kept.
pub(crate) fn copy_to_temporary(
    source: &File,
    to: &Path,
    control: &Control,
) -> Result<(tempfile::NamedTempFile, Copied)> {
    let state = SourceState::of(source).map_err(|error| crate::source::unreadable(&error))?;
    control.add_total(state.length);
    let temporary = temporary_for(to)?;
    let out = temporary.as_file();
    let failed = |error: &io::Error| Error::io("copy the file into the library", to, error);
    control.go_on()?;
    let method = if reflink(source, out) {
        control.advance(state.length);
        CopyMethod::Reflink
    } else {
        work::need_space(
            temporary.path().parent().unwrap_or(Path::new("/")),
            state.allocated.min(state.length),
        )?;
        out.set_len(state.length).map_err(|error| failed(&error))?;
        copy_data(source, out, state.length, control, &failed)?;
        CopyMethod::Data
    };
    state.check(source)?;
    out.sync_all().map_err(|error| failed(&error))?;
    Ok((
        temporary,
        Copied {
            bytes: state.length,
            method,
        },
    ))
}

/// As [`copy_to_temporary`], for a part of a file: one in an archive.
pub(crate) fn copy_part(source: &OpenFile, to: &Path, control: &Control) -> Result<tempfile::NamedTempFile> {
    let failed = |error: &io::Error| Error::io("copy the file into the library", to, error);
    let length = source.length();
    control.add_total(length);
    let temporary = temporary_for(to)?;
    work::need_space(temporary.path().parent().unwrap_or(Path::new("/")), length)?;
    let out = temporary.as_file();
    let mut at = 0;
    while at < length {
        control.go_on()?;
        let piece = crate::source::piece(source, at, (4 << 20).min(length - at))?;
        out.write_all_at(&piece, at).map_err(|error| failed(&error))?;
        at += piece.len() as u64;
        control.advance(piece.len() as u64);
    }
    source.check_unchanged()?;
    out.sync_all().map_err(|error| failed(&error))?;
    Ok(temporary)
}

/// A file beside `to` that removes itself.
pub(crate) fn temporary_for(to: &Path) -> Result<tempfile::NamedTempFile> {
    let folder = to
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    tempfile::Builder::new()
        .prefix(".incoming-")
        .suffix(".partial")
        .tempfile_in(folder)
        .map_err(|error| Error::io("make a file in the library", folder, &error))
}

/// Gives a complete temporary file its name, durably; never replaces a file.
pub(crate) fn keep(temporary: tempfile::NamedTempFile, to: &Path) -> Result<()> {
    temporary
        .persist_noclobber(to)
        .map_err(|error| unnamed(to, &error.error))?;
    work::sync_folder_of(to).map_err(|error| unnamed(to, &error))
}

/// A file could not get its name.
pub(crate) fn unnamed(to: &Path, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::AlreadyExists => Error::conflict(
            "file-exists",
            format!("There is already a file {}.", to.display()),
        )
        .with_detail("path", to.display().to_string()),
        _ => Error::io("name a file in the library", to, error),
    }
}

/// The source is not what it was.
pub(crate) fn changed() -> Error {
    Error::conflict(
        "file-changed",
        "The file was changed by another program while Nestbox read it.",
    )
    .with_hint("Wait until it is complete (a download, a running machine), then try again.")
}

/// The next place at or after `at` that may hold data; `end` where there is none before it.
pub(crate) fn next_data_of(file: &File, at: u64, end: u64) -> io::Result<u64> {
    match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Ok(data) => Ok(data.clamp(at, end)),
        Err(Errno::NXIO) => Ok(end),
        // Not every file system knows its holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(at),
        Err(error) => Err(error.into()),
    }
}

#[cfg(target_os = "linux")]
fn reflink(source: &File, out: &File) -> bool {
    rustix::fs::ioctl_ficlone(out, source).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn reflink(_source: &File, _out: &File) -> bool {
    false
}

fn copy_data(
    source: &File,
    out: &File,
    length: u64,
    control: &Control,
    failed: &dyn Fn(&io::Error) -> Error,
) -> Result<()> {
    let unreadable = |error: Errno| crate::source::unreadable(&error.into());
    let mut copier = Copier {
        in_kernel: true,
        buffer: Vec::new(),
    };
    let mut at = 0;
    while at < length {
        let (start, end) = match rustix::fs::seek(source, SeekFrom::Data(at)) {
            Ok(start) => {
                let end = rustix::fs::seek(source, SeekFrom::Hole(start)).map_err(unreadable)?;
                (start.clamp(at, length), end.min(length))
            }
            Err(Errno::NXIO) => (length, length),
            // Not every file system knows its holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => (at, length),
            Err(error) => return Err(unreadable(error)),
        };
        control.advance(start - at);
        at = start;
        while at < end {
            control.go_on()?;
            let done = copier.some(source, out, at, CHUNK.min(end - at), failed)?;
            if done == 0 {
                return Err(changed());
            }
            at += done;
            control.advance(done);
        }
    }
    Ok(())
}

struct Copier {
    /// `copy_file_range` has not refused yet.
    in_kernel: bool,
    buffer: Vec<u8>,
}

impl Copier {
    /// Copies up to `length` bytes at `at`; 0 at the end of the source.
    fn some(
        &mut self,
        source: &File,
        out: &File,
        at: u64,
        length: u64,
        failed: &dyn Fn(&io::Error) -> Error,
    ) -> Result<u64> {
        #[cfg(target_os = "linux")]
        if self.in_kernel {
            let (mut from, mut to) = (at, at);
            match rustix::fs::copy_file_range(source, Some(&mut from), out, Some(&mut to), length as usize) {
                Ok(done) => return Ok(done as u64),
                Err(
                    Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM | Errno::BADF,
                ) => {
                    self.in_kernel = false;
                }
                Err(Errno::INTR) => return self.some(source, out, at, length, failed),
                Err(error) => return Err(failed(&error.into())),
            }
        }
        self.buffer.resize(1 << 20, 0);
        let room = (length as usize).min(self.buffer.len());
        let done = loop {
            match source.read_at(&mut self.buffer[..room], at) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other.map_err(|error| crate::source::unreadable(&error))?,
            }
        };
        out.write_all_at(&self.buffer[..done], at)
            .map_err(|error| failed(&error))?;
        Ok(done as u64)
    }
}
