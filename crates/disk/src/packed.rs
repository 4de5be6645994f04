//! Compressed files: what is inside is recognised from its first part, without unpacking the rest, and unpacked into a
//! private file (holes staying holes) when it is imported. All decoders are bounded in the memory they may take.

mod unpack;
mod zip_entry;

use crate::{
    bundle::{self, BundleFacts},
    detect::{Detector, Fate, Found, Probe, find},
    iso, qcow2, raw,
    raw::DiskFacts,
    refuse,
    source::{OpenFile, Source, le64},
};
use nestbox_model::{Recognised, Result};
use std::io::{self, BufReader, ErrorKind, Read};
pub(crate) use unpack::unpack;

/// Bytes of the content that are looked at before it is unpacked.
const HEAD: u64 = 256 << 10;
/// Most memory a decoder's window may take, bytes. The formats' own programs use up to 64 MiB unless told otherwise.
const WINDOW_MAX: u64 = 128 << 20;

const fn detector(name: &'static str, found: fn(&Probe) -> bool, method: Method) -> Detector {
    Detector {
        name,
        found,
        fate: Fate::Packed(method),
    }
}

pub(crate) const GZIP: Detector = detector(
    "files compressed with gzip",
    |p| p.starts(&[0x1f, 0x8b, 8]),
    Method::Gz,
);
pub(crate) const XZ: Detector = detector(
    "files compressed with xz",
    |p| p.starts(b"\xfd7zXZ\0"),
    Method::Xz,
);
pub(crate) const ZSTD: Detector = detector(
    "files compressed with zstd",
    // A frame, or one that is skipped.
    |p| {
        p.starts(&[0x28, 0xb5, 0x2f, 0xfd]) || (0x50..=0x5f).any(|first| p.starts(&[first, 0x2a, 0x4d, 0x18]))
    },
    Method::Zst,
);
pub(crate) const BZIP2: Detector = detector(
    "files compressed with bzip2",
    |p| p.starts(b"BZh") && p.at(4, &[0x31, 0x41, 0x59, 0x26, 0x53, 0x59]),
    Method::Bz2,
);
pub(crate) const ZIP: Detector = detector(
    "ZIP archives",
    |p| p.starts(b"PK\x03\x04") || p.starts(b"PK\x05\x06"),
    Method::Zip,
);

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Gz,
    Xz,
    Zst,
    Bz2,
    Zip,
}

impl Method {
    pub(crate) const fn recognised(self) -> Recognised {
        match self {
            Self::Gz => Recognised::Gz,
            Self::Xz => Recognised::Xz,
            Self::Zst => Recognised::Zst,
            Self::Bz2 => Recognised::Bz2,
            Self::Zip => Recognised::Zip,
        }
    }
    const fn words(self) -> &'static str {
        match self {
            Self::Gz => "gzip",
            Self::Xz => "xz",
            Self::Zst => "zstd",
            Self::Bz2 => "bzip2",
            Self::Zip => "ZIP",
        }
    }
}

/// A compressed file, and what its first part says.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedFacts {
    pub(crate) method: Method,
    /// What is inside. Judged when it is unpacked.
    pub inside: Recognised,
    /// Both formats in words: `qcow2 v3, compressed with xz`.
    pub words: String,
    /// Bytes the guest sees, where the first part says so.
    pub capacity: Option<u64>,
    /// Bytes when unpacked, as the archive claims.
    pub claimed: Option<u64>,
    /// What is on the disk, as far as its first part tells.
    pub disk: DiskFacts,
    /// Volume name of an ISO.
    pub volume: Option<String>,
    /// Name of the file inside an archive, for people only.
    pub name: Option<String>,
    /// What the description of a machine inside says, where the first part has it.
    pub machine: Option<Box<BundleFacts>>,
}

/// Looks at the first part of the content.
///
/// # Errors
/// `image-damaged`, `image-truncated`, `image-too-large` (a window beyond the limit), `format-nested`,
/// `format-unsupported`, `format-unknown`, whatever the header inside is refused for.
pub(crate) fn look(file: &OpenFile, method: Method) -> Result<PackedFacts> {
    let (mut reader, claimed, name) = open(file, method)?;
    let mut bytes = Vec::new();
    reader
        .by_ref()
        .take(HEAD)
        .read_to_end(&mut bytes)
        .map_err(|error| undecodable(&error))?;
    let complete = (bytes.len() as u64) < HEAD;
    let head = Head { bytes, complete };
    let mut facts = judge_head(&head, method)?;
    facts.claimed = claimed.or(complete.then_some(head.bytes.len() as u64));
    if facts.inside == Recognised::Raw {
        facts.capacity = facts.claimed.map(|length| length.next_multiple_of(512));
    }
    facts.name = name;
    Ok(facts)
}

fn judge_head(head: &Head, method: Method) -> Result<PackedFacts> {
    let mut disk = DiskFacts::new(raw::Table::Unknown);
    let (mut capacity, mut volume, mut machine) = (None, None, None);
    let (inside, words) = match find(head)? {
        Found::Raw => {
            disk = raw::look(head);
            (Recognised::Raw, "raw disk".to_owned())
        }
        Found::Format(detector) => match detector.fate {
            Fate::Import(Recognised::Qcow2) => {
                let header = qcow2::Header::parse(head)?;
                header.refuse_backing_file()?;
                capacity = Some(header.capacity.next_multiple_of(512));
                disk = raw::look(&qcow2::content::Content {
                    file: head,
                    header: &header,
                });
                (Recognised::Qcow2, header.describe())
            }
            Fate::Import(kind) => {
                if let Ok(iso) = iso::look(head) {
                    disk.boot = iso.boot;
                    volume = Some(iso.volume);
                }
                (kind, "ISO 9660".into())
            }
            Fate::Disk(kind, _) => (kind, detector.name.to_owned()),
            Fate::Bundle(Recognised::Ova, _) => {
                machine = bundle::ova::look(head).map(Box::new);
                (Recognised::Ova, "OVA".into())
            }
            Fate::Bundle(..) => {
                return Err(refuse::unsupported_machine(
                    "The machine's description is compressed without its disks.",
                    "Unpack it beside its disks, then import it.",
                ));
            }
            Fate::Packed(_) => return Err(refuse::nested()),
            Fate::Refuse(hint) => return Err(crate::detect::unsupported(detector.name).with_hint(hint)),
        },
    };
    Ok(PackedFacts {
        method,
        inside,
        words: format!("{words}, compressed with {}", method.words()),
        capacity,
        claimed: None,
        disk,
        volume,
        name: None,
        machine,
    })
}

type Opened = (Box<dyn Read + Send>, Option<u64>, Option<String>);

/// A reader of the content, the length claimed for it, and its name in an archive.
fn open(file: &OpenFile, method: Method) -> Result<Opened> {
    let stream = Stream {
        file: file.clone(),
        at: 0,
    };
    let buffered = BufReader::with_capacity(128 << 10, stream);
    Ok(match method {
        // Not `GzDecoder`: that ends after the first of several members.
        Method::Gz => (
            Box::new(flate2::bufread::MultiGzDecoder::new(buffered)),
            None,
            None,
        ),
        Method::Xz => {
            let limit = (WINDOW_MAX >> 10) as u32 + 1024;
            let reader = lzma_rust2::XzReader::new_mem_limit(buffered, true, limit);
            (Box::new(reader), None, None)
        }
        Method::Zst => (
            Box::new(unpack::ZstdFrames::new(buffered)),
            unpack::zstd_length(file),
            None,
        ),
        Method::Bz2 => (
            Box::new(bzip2::bufread::MultiBzDecoder::new(buffered)),
            None,
            None,
        ),
        Method::Zip => {
            let entry = zip_entry::choose(file)?;
            (entry.reader, Some(entry.length), Some(entry.name))
        }
    })
}

/// What a decoder's error means.
fn undecodable(error: &io::Error) -> nestbox_model::Error {
    let said = error.to_string();
    let error = match error.kind() {
        ErrorKind::UnexpectedEof => refuse::truncated("its compressed data end too early"),
        ErrorKind::OutOfMemory => too_much_memory(),
        _ if said.contains("indow") && said.contains("big") || said.contains("WindowSize") => {
            too_much_memory()
        }
        _ => refuse::damaged("its compressed data can't be unpacked"),
    };
    error.with_detail("system", said)
}

fn too_much_memory() -> nestbox_model::Error {
    refuse::too_large("unpacking it would take more than 128 MiB of memory")
}

/// The first part of the content as a source; what lies behind it is `Unsupported`.
struct Head {
    bytes: Vec<u8>,
    /// That is all there is.
    complete: bool,
}

impl Source for Head {
    fn length(&self) -> u64 {
        // Nobody knows yet, so everything may still be there.
        if self.complete {
            self.bytes.len() as u64
        } else {
            64 << 40
        }
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| ErrorKind::Unsupported)?;
        let part = start
            .checked_add(buffer.len())
            .and_then(|end| self.bytes.get(start..end))
            .ok_or(ErrorKind::Unsupported)?;
        buffer.copy_from_slice(part);
        Ok(())
    }
}

/// Reads a file from one place on.
pub(crate) struct Stream {
    pub file: OpenFile,
    pub at: u64,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = (self.file.length().saturating_sub(self.at)).min(buffer.len() as u64) as usize;
        self.file.read_at(self.at, &mut buffer[..room])?;
        self.at += room as u64;
        Ok(room)
    }
}

impl io::Seek for Stream {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let at = match to {
            io::SeekFrom::Start(at) => Some(at),
            io::SeekFrom::End(by) => self.file.length().checked_add_signed(by),
            io::SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// The content size that a zstd frame's header claims.
fn frame_content_size(head: &[u8]) -> Option<u64> {
    let descriptor = *head.get(4)?;
    let single = descriptor & 0x20 != 0;
    let id = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let at = 5 + usize::from(!single) + id;
    match descriptor >> 6 {
        0 if single => head.get(at).map(|size| u64::from(*size)),
        0 => None,
        1 => Some(u64::from(crate::source::le16(head, at)) + 256),
        2 => Some(u64::from(crate::source::le32(head, at))),
        _ => Some(le64(head, at)),
    }
}
