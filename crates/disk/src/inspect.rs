//! Opens a file of the user's once and judges it through that descriptor.

use crate::{
    beside::FolderOf,
    bundle::{self, Bundle, BundleFacts, Checksum},
    detect::{self, Fate, Found},
    foreign::{Beside, Opened},
    iso,
    iso::IsoFacts,
    packed::{self, PackedFacts},
    qcow2::{self, Audit, Header, content::Content},
    raw::{self, DiskFacts},
    source::{OpenFile, SharedSource, Source},
};
use nestbox_model::{Error, Recognised, Result};
use std::{
    fs::{self, File, FileType, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// What is known about an image, by format.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Facts {
    Qcow2 {
        header: Header,
        audit: Audit,
        disk: DiskFacts,
    },
    Raw(DiskFacts),
    Iso(IsoFacts),
    Foreign(ForeignFacts),
    Packed(PackedFacts),
    Bundle(Box<BundleFacts>),
}

/// A disk in another program's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignFacts {
    /// The format in words: `VDI, dynamic`.
    pub words: String,
    /// Bytes the guest sees.
    pub capacity: u64,
    /// Bytes of all its files.
    pub stored: u64,
    /// It is more than one file.
    pub several_files: bool,
    /// What is on it.
    pub disk: DiskFacts,
    /// What is not taken over, and why.
    pub dropped: Vec<(String, String)>,
    /// Worth knowing.
    pub warnings: Vec<String>,
}

/// A file that was judged and found fit for import. It stays open, so that what is imported is what was judged, even if
/// another file takes its name.
pub struct Inspection {
    /// Absolute path, as the user gave it. For a disk of a bundle: its name there.
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
    pub(crate) file: OpenFile,
    /// Reads the disk in another program's format.
    pub(crate) foreign: Option<SharedSource>,
    /// The disks of a bundle, every one judged.
    pub(crate) disks: Vec<Inspection>,
    /// The checksums of a bundle's files.
    pub(crate) checksums: Vec<Checksum>,
}

impl std::fmt::Debug for Inspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspection")
            .field("path", &self.path)
            .field("recognised", &self.recognised)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl Inspection {
    fn new(file: OpenFile, path: PathBuf, recognised: Recognised, facts: Facts) -> Self {
        Self {
            real_path: path.clone(),
            path,
            is_link: false,
            recognised,
            length: file.length(),
            allocated: file.state.allocated.min(file.length()),
            facts,
            file,
            foreign: None,
            disks: Vec::new(),
            checksums: Vec::new(),
        }
    }

    fn take(&mut self, bundle: Bundle) {
        self.facts = Facts::Bundle(Box::new(bundle.facts));
        self.disks = bundle.disks;
        self.checksums = bundle.checksums;
    }

    /// Bytes that a guest sees of it (an ISO: its length). 0 where that is not known before it is unpacked.
    pub fn capacity(&self) -> u64 {
        match &self.facts {
            Facts::Qcow2 { header, .. } => header.capacity.next_multiple_of(512),
            Facts::Raw(_) => self.length.next_multiple_of(512),
            Facts::Iso(_) => self.length,
            Facts::Foreign(foreign) => foreign.capacity.next_multiple_of(512),
            Facts::Packed(packed) => packed.capacity.unwrap_or(0),
            Facts::Bundle(_) => self.disks.first().map_or(0, Self::capacity),
        }
    }
    /// All of it is in the one file at [`Self::real_path`].
    pub(crate) fn is_one_file(&self) -> bool {
        match &self.facts {
            Facts::Foreign(foreign) => !foreign.several_files,
            Facts::Bundle(_) => self.recognised == Recognised::Ova,
            _ => self.file.is_whole(),
        }
    }
    /// The open file. Its position means nothing.
    pub fn file(&self) -> &File {
        &self.file.file
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
    if path.is_dir()
        && let Some(outcome) = inspect_folder(&path)
    {
        return outcome;
    }
    // Looked at before it is opened, since opening a device can have effects; and again afterwards.
    regular(fs::metadata(&path).map_err(|error| io(&error))?.file_type())?;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(&path)
        .map_err(|error| io(&error))?;
    regular(file.metadata().map_err(|error| io(&error))?.file_type())?;
    let file = OpenFile::new(file).map_err(|error| io(&error))?;
    let real_path = fs::canonicalize(&path).map_err(|error| io(&error))?;
    let is_link = fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_symlink());
    let folder = FolderOf(real_path.parent().unwrap_or(Path::new("/")));
    let mut inspection = inspect_open(file, &path, &folder)?;
    inspection.real_path = real_path;
    inspection.is_link = is_link;
    Ok(inspection)
}

/// A folder that is a machine.
fn inspect_folder(path: &Path) -> Option<Result<Inspection>> {
    let real_path = fs::canonicalize(path).ok()?;
    let is_link = fs::symlink_metadata(path).is_ok_and(|facts| facts.is_symlink());
    let found = bundle::open_folder(&real_path, &FolderOf(&real_path))?;
    Some(found.map(|(kind, config, bundle)| {
        let mut inspection = Inspection::new(config, path.to_owned(), kind, Facts::Bundle(Box::default()));
        inspection.take(bundle);
        inspection.real_path = real_path;
        inspection.is_link = is_link;
        inspection
    }))
}

/// Judges a file that is open.
pub(crate) fn inspect_open(file: OpenFile, path: &Path, beside: &dyn Beside) -> Result<Inspection> {
    let new = |file, kind, facts| Inspection::new(file, path.to_owned(), kind, facts);
    Ok(match detect::find(&file)? {
        Found::Raw => {
            let facts = Facts::Raw(raw::look(&file));
            new(file, Recognised::Raw, facts)
        }
        Found::Format(detector) => match detector.fate {
            Fate::Import(Recognised::Iso) => {
                let facts = Facts::Iso(iso::look(&file)?);
                new(file, Recognised::Iso, facts)
            }
            Fate::Import(kind) => {
                let facts = judge_qcow2_disk(&file)?;
                new(file, kind, facts)
            }
            Fate::Disk(kind, open) => {
                let opened = open(Arc::new(file.clone()), beside)?;
                let mut inspection = new(file, kind, Facts::Foreign(foreign_facts(&opened)));
                inspection.foreign = Some(opened.disk);
                inspection
            }
            Fate::Bundle(kind, open) => {
                let bundle = open(&file, beside)?;
                let mut inspection = new(file, kind, Facts::Bundle(Box::default()));
                inspection.take(bundle);
                inspection
            }
            Fate::Packed(method) => {
                let facts = Facts::Packed(packed::look(&file, method)?);
                new(file, method.recognised(), facts)
            }
            Fate::Refuse(hint) => return Err(detect::unsupported(detector.name).with_hint(hint)),
        },
    })
}

fn judge_qcow2_disk(file: &OpenFile) -> Result<Facts> {
    let header = Header::parse(file)?;
    header.refuse_backing_file()?;
    let audit = qcow2::audit_source(file, &header)?;
    let disk = raw::look(&Content {
        file,
        header: &header,
    });
    Ok(Facts::Qcow2 { header, audit, disk })
}

fn foreign_facts(opened: &Opened) -> ForeignFacts {
    ForeignFacts {
        words: opened.words.clone(),
        capacity: opened.disk.length(),
        stored: opened.stored,
        several_files: opened.several_files,
        disk: raw::look(&*opened.disk),
        dropped: opened.dropped.clone(),
        warnings: opened.warnings.clone(),
    }
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
    .with_hint("Choose an ISO, a disk image, or a machine of another program (ova, ovf, utm, vbox, vmx)."))
}
