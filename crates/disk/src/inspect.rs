//! Opens a file of the user's once and judges it through that descriptor.

use crate::{
    copy::SourceState,
    detect, iso,
    iso::IsoFacts,
    qcow2::{self, Audit, Header, content::Content},
    raw::{self, DiskFacts},
    source::FileSource,
};
use nestbox_model::{Error, Recognised, Result};
use std::{
    fs::{self, File, FileType, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// What is known about an image, by format.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Facts {
    Qcow2 {
        header: Header,
        audit: Audit,
        disk: DiskFacts,
    },
    Raw(DiskFacts),
    Iso(IsoFacts),
}

/// A file that was judged and found fit for import. It stays open, so that what is imported is what was judged, even if
/// another file takes its name.
#[derive(Debug)]
pub struct Inspection {
    /// Absolute path, as the user gave it.
    pub path: PathBuf,
    /// Absolute path with links followed.
    pub real_path: PathBuf,
    /// The user's path is a symbolic link.
    pub is_link: bool,
    /// Format.
    pub recognised: Recognised,
    /// Bytes.
    pub length: u64,
    /// Bytes on the disk (less, where there are holes).
    pub allocated: u64,
    /// What was found.
    pub facts: Facts,
    pub(crate) file: File,
    pub(crate) state: SourceState,
}

impl Inspection {
    /// Bytes that a guest sees of it (an ISO: its length).
    pub fn capacity(&self) -> u64 {
        match &self.facts {
            Facts::Qcow2 { header, .. } => header.capacity.next_multiple_of(512),
            Facts::Raw(_) => self.length.next_multiple_of(512),
            Facts::Iso(_) => self.length,
        }
    }
    /// The open file. Its position means nothing.
    pub fn file(&self) -> &File {
        &self.file
    }
}

/// Opens and judges `path`. Nothing but its header and tables is read, and no other file.
///
/// # Errors
/// `file-not-found`, `permission-denied`, `not-a-file` (unsafe: a folder, a device, a pipe); whatever [`detect::recognise`]
/// and the formats' parsers refuse, see there. The error's details have the path.
pub fn inspect(path: &Path) -> Result<Inspection> {
    inspect_file(path).map_err(|error| {
        if error.details.contains_key("path") {
            error
        } else {
            error.with_detail("path", path.display().to_string())
        }
    })
}

fn inspect_file(path: &Path) -> Result<Inspection> {
    let doing = "open the file";
    let io = |error: &io::Error| match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::LOOP) => Error::unsafe_input("not-a-file", "The link leads back to itself."),
        _ => Error::io(doing, path, error),
    };
    let path = std::path::absolute(path).map_err(|error| io(&error))?;
    // Looked at before it is opened, since opening a device can have effects; and again afterwards.
    regular(fs::metadata(&path).map_err(|error| io(&error))?.file_type())?;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(&path)
        .map_err(|error| io(&error))?;
    regular(file.metadata().map_err(|error| io(&error))?.file_type())?;
    let state = SourceState::of(&file).map_err(|error| io(&error))?;
    let real_path = fs::canonicalize(&path).map_err(|error| io(&error))?;
    let is_link = fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_symlink());
    let (recognised, facts) = judge(&file, state.length)?;
    Ok(Inspection {
        path,
        real_path,
        is_link,
        recognised,
        length: state.length,
        allocated: state.allocated,
        facts,
        file,
        state,
    })
}

fn judge(file: &File, length: u64) -> Result<(Recognised, Facts)> {
    let source = FileSource { file, length };
    let recognised = detect::recognise_source(&source)?;
    let facts = match recognised {
        Recognised::Qcow2 => {
            let (header, audit) = judge_qcow2(file)?;
            let disk = raw::look(&Content {
                file: &source,
                header: &header,
            });
            Facts::Qcow2 { header, audit, disk }
        }
        Recognised::Raw => Facts::Raw(raw::look(&source)),
        Recognised::Iso => Facts::Iso(iso::look(&source)?),
    };
    Ok((recognised, facts))
}

/// All there is to judge about a qcow2 that is to be imported.
pub(crate) fn judge_qcow2(file: &File) -> Result<(Header, Audit)> {
    let header = Header::read(file)?;
    header.refuse_backing_file()?;
    let audit = qcow2::audit(file, &header)?;
    Ok((header, audit))
}

fn regular(kind: FileType) -> Result<()> {
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(Error::unsafe_input(
        "not-a-file",
        format!("Nestbox can only import files, and this is {what}."),
    )
    .with_hint("Choose an .iso, a .qcow2 or a raw disk image."))
}
