//! Machines of other programs: a description and its disks. A description is read by a parser that knows no entities and
//! runs nothing; known keys are kept within bounds, everything else is dropped and said so. Names in it lead to files
//! beside it or to nothing.
//!
//! A new kind is one file here and one line in `detect::DETECTORS`.

mod config;
mod draft;
pub(crate) mod libvirt;
pub(crate) mod ova;
pub(crate) mod ovf;
pub(crate) mod quickemu;
mod tar;
mod utm;
pub(crate) mod vbox;
pub(crate) mod vmx;
mod xml;

use crate::{
    Inspection,
    foreign::Beside,
    refuse,
    source::{OpenFile, Source, piece},
    work::Control,
};
use nestbox_model::{
    Arch, DiskBus, Error, Firmware, ImportItem, ImportNic, ImportShare, PortForward, Recognised, Result,
};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use std::path::{Path, PathBuf};

/// Longest description, bytes.
const TEXT_MAX: u64 = 4 << 20;

/// Reads and judges a description and its disks.
pub(crate) type Open = fn(&OpenFile, &dyn Beside) -> Result<Bundle>;

/// A bundle that was judged.
pub(crate) struct Bundle {
    pub facts: BundleFacts,
    /// Its disks, in order; every one was judged.
    pub disks: Vec<Inspection>,
    /// What is checked while it is imported, since it takes reading everything.
    pub checksums: Vec<Checksum>,
}

/// What a description says of its machine, as far as it is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BundleFacts {
    /// The kind in words: `machine of UTM`.
    pub words: String,
    /// The machine's name.
    pub name: Option<String>,
    /// The system in its program's word: `Ubuntu_64`.
    pub system: Option<String>,
    /// Architecture.
    pub arch: Option<Arch>,
    /// Firmware.
    pub firmware: Option<Firmware>,
    /// Virtual processors.
    pub cpus: Option<u32>,
    /// Bytes.
    pub memory: Option<u64>,
    /// The disks' controllers, in the disks' order, where they are told.
    pub buses: Vec<Option<DiskBus>>,
    /// The guest's clock is local time; `None` if that is not told.
    pub clock_local: Option<bool>,
    /// NICs.
    pub nics: Vec<ImportNic>,
    /// Port forwards.
    pub ports: Vec<PortForward>,
    /// Shared folders; never kept.
    pub shares: Vec<ImportShare>,
    /// Snapshots' names.
    pub snapshots: Vec<String>,
    /// A medium beside the description.
    pub medium: Option<PathBuf>,
    /// Notes.
    pub notes: Option<String>,
    /// Names of the disks, where they can be judged only once they are unpacked.
    pub unjudged: Vec<String>,
    /// What is kept, changed and dropped.
    pub items: Vec<ImportItem>,
    /// Worth knowing.
    pub warnings: Vec<String>,
}

/// Opens a folder that is a machine: UTM's, VMware's.
///
/// # Errors
/// `None` if it is none; what the description or a disk is refused for.
pub(crate) fn open_folder(
    path: &Path,
    beside: &dyn Beside,
) -> Option<Result<(Recognised, OpenFile, Bundle)>> {
    if let Ok(config) = beside.file(utm::CONFIG) {
        return Some(utm::open(&config, beside).map(|bundle| (Recognised::Utm, config, bundle)));
    }
    if beside.file("config.pvs").is_ok() {
        let refusal = crate::detect::unsupported("machines of Parallels");
        return Some(Err(refusal.with_hint(
            "Export its disk in Parallels, or import the .hdd's data after converting it.",
        )));
    }
    let vmx = only_with_end(path, "vmx")?;
    Some(beside.file(&vmx).and_then(|config| {
        let bundle = vmx::open(&config, beside)?;
        Ok((Recognised::Vmx, config, bundle))
    }))
}

/// The one file in a folder with this end of its name.
fn only_with_end(folder: &Path, end: &str) -> Option<String> {
    /// A machine's folder has few files.
    const FILES_MAX: usize = 1000;
    let mut names = std::fs::read_dir(folder)
        .ok()?
        .take(FILES_MAX)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|found| found.eq_ignore_ascii_case(end))
        });
    let first = names.next()?;
    names.next().is_none().then_some(first)
}

/// All of a description.
fn text_of(file: &OpenFile) -> Result<Vec<u8>> {
    if file.length() > TEXT_MAX {
        return Err(invalid("it is impossibly long"));
    }
    piece(file, 0, file.length())
}

/// The description is none.
fn invalid(why: impl std::fmt::Display) -> Error {
    Error::unsafe_input(
        "bundle-invalid",
        format!("The machine's description can't be used: {why}."),
    )
    .with_hint("Export the machine again with the program that made it, or import its disk by itself.")
}

/// What one file of a bundle should be.
#[derive(Clone)]
pub(crate) struct Checksum {
    pub file: OpenFile,
    pub name: String,
    expected: Sum,
}

#[derive(Clone, PartialEq, Eq)]
enum Sum {
    Sha1(Vec<u8>),
    Sha256(Vec<u8>),
    Sha512(Vec<u8>),
}

impl Checksum {
    /// # Errors
    /// `checksum-mismatch`, `cancelled`, `io-error`.
    pub(crate) fn verify(&self, control: Option<&Control>) -> Result<()> {
        let found = match &self.expected {
            Sum::Sha1(_) => Sum::Sha1(self.digest::<Sha1>(control)?),
            Sum::Sha256(_) => Sum::Sha256(self.digest::<Sha256>(control)?),
            Sum::Sha512(_) => Sum::Sha512(self.digest::<Sha512>(control)?),
        };
        if found == self.expected {
            Ok(())
        } else {
            Err(mismatch(&self.name))
        }
    }

    fn digest<D: Digest>(&self, control: Option<&Control>) -> Result<Vec<u8>> {
        const PIECE: u64 = 4 << 20;
        let (mut sum, mut at) = (D::new(), 0);
        while at < self.file.length() {
            if let Some(control) = control {
                control.go_on()?;
            }
            let part = piece(&self.file, at, PIECE.min(self.file.length() - at))?;
            sum.update(&part);
            at += part.len() as u64;
            if let Some(control) = control {
                control.advance(part.len() as u64);
            }
        }
        Ok(sum.finalize().to_vec())
    }
}

/// A file is not what the bundle's own list of checksums says.
fn mismatch(name: &str) -> Error {
    let shown = crate::qcow2::printable(name);
    Error::unsafe_input(
        "checksum-mismatch",
        format!("A file of the machine is not what its own list of checksums says: “{shown}”."),
    )
    .with_hint("Download or export it again; it was damaged or changed on its way.")
    .with_detail("part", shown)
}

/// The list of checksums, as OVF has it: lines of `SHA256(name)= digits`.
///
/// # Errors
/// `checksum-mismatch` if it is no such list, or names what is not there.
fn read_manifest(bytes: &[u8], beside: &dyn Beside) -> Result<Vec<Checksum>> {
    let bad = || mismatch("the list itself");
    let text = std::str::from_utf8(bytes).map_err(|_| bad())?;
    let mut out: Vec<Checksum> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, digits) = line.rsplit_once('=').ok_or_else(bad)?;
        let (kind, name) = head
            .trim()
            .strip_suffix(')')
            .and_then(|head| head.split_once('('))
            .ok_or_else(bad)?;
        let digits = hex::decode(digits.trim()).map_err(|_| bad())?;
        let expected = match (kind.trim().to_ascii_uppercase().as_str(), digits.len()) {
            ("SHA1", 20) => Sum::Sha1(digits),
            ("SHA256", 32) => Sum::Sha256(digits),
            ("SHA512", 64) => Sum::Sha512(digits),
            _ => return Err(bad()),
        };
        if out.len() == 256 || out.iter().any(|other| other.name == name) {
            return Err(bad());
        }
        out.push(Checksum {
            file: beside.file(name)?,
            name: name.to_owned(),
            expected,
        });
    }
    Ok(out)
}

/// Several machines in one.
fn several_machines() -> Error {
    refuse::unsupported_machine(
        "The file holds several machines.",
        "Export them one by one, then import each.",
    )
}
