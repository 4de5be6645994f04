//! What a file is, by its content. A format more is one file and one line in [`DETECTORS`].

use crate::{
    bundle, foreign, iso, packed, qcow2,
    raw::{self, Table},
    refuse,
    source::{FileSource, Source, le16, le32, unreadable},
};
use nestbox_model::{Error, Recognised, Result};
use std::fs::File;

/// What the detectors see.
pub(crate) struct Probe {
    /// The first 64 KiB.
    head: Vec<u8>,
    /// The last 512 bytes.
    tail: Vec<u8>,
    /// The head as text, if it is one.
    text: Option<String>,
    iso: bool,
}

impl Probe {
    fn read(source: &dyn Source) -> Result<Self> {
        let read = |offset, size| {
            source
                .piece_up_to(offset, size)
                .map_err(|error| unreadable(&error))
        };
        let head = read(0, 64 << 10)?;
        Ok(Self {
            // What is packed has an end that can't be seen.
            tail: source
                .piece_up_to(source.length().saturating_sub(512), 512)
                .or_else(|error| {
                    if error.kind() == std::io::ErrorKind::Unsupported {
                        Ok(Vec::new())
                    } else {
                        Err(unreadable(&error))
                    }
                })?,
            text: text_of(&head),
            iso: iso::is_iso(source),
            head,
        })
    }
    pub(crate) fn at(&self, offset: usize, magic: &[u8]) -> bool {
        self.head.get(offset..offset + magic.len()) == Some(magic)
    }
    pub(crate) fn starts(&self, magic: &[u8]) -> bool {
        self.at(0, magic)
    }
    pub(crate) fn tail_starts(&self, magic: &[u8]) -> bool {
        self.tail.starts_with(magic)
    }
    /// It is XML whose outermost element has this name, without its namespace's prefix.
    pub(crate) fn root_is(&self, name: &str) -> bool {
        self.text.as_deref().and_then(xml_root) == Some(name)
    }
    /// It is a text with a line that sets one of these keys (lower case).
    pub(crate) fn sets(&self, keys: &[&str]) -> bool {
        self.text.as_deref().is_some_and(|text| {
            text.lines().take(4096).any(|line| {
                line.split_once('=')
                    .is_some_and(|(key, _)| keys.contains(&key.trim().to_ascii_lowercase().as_str()))
            })
        })
    }
}

/// What becomes of a format.
#[derive(Clone, Copy)]
pub(crate) enum Fate {
    /// Judged by `inspect` itself.
    Import(Recognised),
    /// A disk in another program's format.
    Disk(Recognised, foreign::Open),
    /// A machine of another program.
    Bundle(Recognised, bundle::Open),
    /// Something is inside.
    Packed(packed::Method),
    /// We know it and can't import it; how to get at what is inside.
    Refuse(&'static str),
}

#[derive(Clone, Copy)]
pub(crate) struct Detector {
    /// With its article where it needs one: completes “Nestbox can't import …”.
    pub name: &'static str,
    pub found: fn(&Probe) -> bool,
    pub fate: Fate,
}

const fn refused(name: &'static str, found: fn(&Probe) -> bool, hint: &'static str) -> Detector {
    Detector {
        name,
        found,
        fate: Fate::Refuse(hint),
    }
}

const UNPACK: &str = "Unpack it first, then import what was inside.";
const CONVERT: &str = "Convert it to qcow2 first, if you trust it: qemu-img convert -O qcow2 FILE NEW.qcow2";
const NONE: &str = "Get the disk itself as qcow2 or raw, or an ISO.";

const DETECTORS: &[Detector] = &[
    Detector {
        name: "qcow2",
        found: |p| p.starts(&qcow2::MAGIC),
        fate: Fate::Import(Recognised::Qcow2),
    },
    Detector {
        name: "ISO 9660",
        found: |p| p.iso,
        fate: Fate::Import(Recognised::Iso),
    },
    foreign::vmdk::DETECTOR,
    foreign::vdi::DETECTOR,
    foreign::vhdx::DETECTOR,
    foreign::vhd::DETECTOR,
    packed::GZIP,
    packed::XZ,
    packed::ZSTD,
    packed::BZIP2,
    packed::ZIP,
    bundle::ova::DETECTOR,
    bundle::ovf::DETECTOR,
    bundle::vbox::DETECTOR,
    bundle::vmx::DETECTOR,
    bundle::libvirt::DETECTOR,
    bundle::quickemu::DETECTOR,
    refused("QED", |p| p.starts(b"QED\0"), CONVERT),
    refused(
        "Parallels disks",
        |p| p.starts(b"WithoutFreeSpace") || p.starts(b"WithouFreSpacExt"),
        CONVERT,
    ),
    refused("DMG", |p| p.tail_starts(b"koly"), CONVERT),
    refused("Bochs disks", |p| p.starts(b"Bochs Virtual HD Image"), CONVERT),
    refused("cloop", |p| p.starts(b"#!/bin/sh\n#V2.0 Format"), CONVERT),
    refused("WIM", |p| p.starts(b"MSWIM\0\0\0"), NONE),
    refused(
        "files compressed with lz4",
        |p| p.starts(&[0x04, 0x22, 0x4d, 0x18]),
        UNPACK,
    ),
    refused("7z archives", |p| p.starts(b"7z\xbc\xaf\x27\x1c"), UNPACK),
    refused("RAR archives", |p| p.starts(b"Rar!\x1a\x07"), UNPACK),
    refused(
        "a machine of Hyper-V without its disk",
        |p| p.at(4, b"HyperV"),
        "Import the machine's .vhdx file instead; the .vmcx file says only how the machine was set up.",
    ),
];

/// What a file was found to be.
#[derive(Clone, Copy)]
pub(crate) enum Found {
    Raw,
    Format(Detector),
}

/// What `file`, of `length` bytes, is. Looks at content only, and at the ends only: whoever takes it must still judge it.
///
/// # Errors
/// `image-empty`, `image-truncated`, `image-too-large`, `format-unsupported` (known, but not importable yet),
/// `format-unknown`, `format-ambiguous` (it is two things at once, so that two programs would see different things; an
/// ISO that is also a disk for USB sticks is no such case), `io-error`.
pub fn recognise(file: &File, length: u64) -> Result<Recognised> {
    recognise_source(&FileSource { file, length })
}

pub(crate) fn recognise_source(source: &dyn Source) -> Result<Recognised> {
    Ok(match find(source)? {
        Found::Raw => Recognised::Raw,
        Found::Format(detector) => match detector.fate {
            Fate::Import(kind) | Fate::Disk(kind, _) | Fate::Bundle(kind, _) => kind,
            Fate::Packed(method) => method.recognised(),
            Fate::Refuse(hint) => return Err(unsupported(detector.name).with_hint(hint)),
        },
    })
}

/// Finds the one detector that fits, or that it is a raw disk.
pub(crate) fn find(source: &dyn Source) -> Result<Found> {
    /// Nobody has such disks, and numbers beyond are tricks.
    const LENGTH_MAX: u64 = 64 << 40;
    let length = source.length();
    if length == 0 {
        return Err(refuse::empty("The file is empty (0 bytes)."));
    }
    if length > LENGTH_MAX {
        return Err(refuse::too_large("it has more than 64 TiB"));
    }
    let probe = Probe::read(source)?;
    let found: Vec<&Detector> = DETECTORS
        .iter()
        .filter(|detector| (detector.found)(&probe))
        .collect();
    match found[..] {
        [] => recognise_raw(source, &probe).map(|()| Found::Raw),
        [one] => match one.fate {
            Fate::Refuse(hint) => Err(unsupported(one.name).with_hint(hint)),
            Fate::Import(Recognised::Qcow2) | Fate::Disk(..)
                if has_partition_table(&probe) && !is_disk_with_footer(&probe) =>
            {
                Err(ambiguous(&[one.name, "a raw disk"]))
            }
            _ => Ok(Found::Format(*one)),
        },
        ref several => Err(ambiguous(
            &several.iter().map(|detector| detector.name).collect::<Vec<_>>(),
        )),
    }
}

/// A fixed VHD is a raw disk with a footer, so it has a partition table of its own.
fn is_disk_with_footer(probe: &Probe) -> bool {
    probe.tail_starts(b"conectix") && !probe.starts(b"conectix")
}

fn has_partition_table(probe: &Probe) -> bool {
    probe.at(512, b"EFI PART") || (probe.at(510, &[0x55, 0xaa]) && raw::mbr_is_plausible(&probe.head))
}

/// Nothing marks a raw disk as one, so it must look like a disk, or be empty.
fn recognise_raw(source: &dyn Source, probe: &Probe) -> Result<()> {
    /// Smaller than the smallest floppy disk.
    const LENGTH_MIN: u64 = 64 << 10;
    let bootable = probe.at(510, &[0x55, 0xaa]);
    if !bootable && let Some(what) = not_a_disk(&probe.head) {
        return Err(unknown(&format!("It is {what}.")));
    }
    match raw::look(source).table {
        Table::Unknown => Err(unknown(
            "It has neither a known header nor partitions nor a file system.",
        )),
        _ if source.length() < LENGTH_MIN && !bootable => {
            Err(refuse::truncated("it is too short for a disk or an ISO"))
        }
        _ => Ok(()),
    }
}

/// Files that end up in an import by mistake.
fn not_a_disk(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(b"\x7fELF") {
        return Some("a program for Linux");
    }
    if head.starts_with(b"MZ")
        && head
            .get(le32(head, 60) as usize..)
            .is_some_and(|pe| pe.starts_with(b"PE\0\0"))
    {
        return Some("a program for Windows");
    }
    if head.starts_with(b"%PDF") {
        return Some("a PDF document");
    }
    let text = text_of(head)?;
    let lower = text.trim_start().to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        Some("a web page, so the download did not work")
    } else {
        Some("a text")
    }
}

/// `head` as text, if its first 4 KiB have nothing but letters. UTF-8, or UTF-16 with a mark.
fn text_of(head: &[u8]) -> Option<String> {
    let text = match head {
        [0xff, 0xfe, rest @ ..] => utf_16(rest, le16),
        [0xfe, 0xff, rest @ ..] => utf_16(rest, crate::source::be16),
        _ => {
            let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
            let start = &head[..head.len().min(4096)];
            // A letter may be cut at the end.
            if std::str::from_utf8(start).is_err_and(|error| error.error_len().is_some()) {
                return None;
            }
            String::from_utf8_lossy(head).into_owned()
        }
    };
    let letters = |c: char| !c.is_control() || c.is_ascii_whitespace();
    (!text.is_empty() && text.chars().take(4096).all(letters)).then_some(text)
}

fn utf_16(bytes: &[u8], unit: fn(&[u8], usize) -> u16) -> String {
    let units = (0..bytes.len() / 2).map(|index| unit(bytes, index * 2));
    char::decode_utf16(units)
        .map(|c| c.unwrap_or('\u{fffd}'))
        .collect()
}

/// The name of the outermost element, without a prefix.
fn xml_root(text: &str) -> Option<&str> {
    let mut rest = text.trim_start();
    for _ in 0..64 {
        let inside = rest.strip_prefix('<')?;
        let end = match inside.chars().next()? {
            '?' => "?>",
            '!' if inside.starts_with("!--") => "-->",
            // A document type may have a part in brackets.
            '!' if inside.split('>').next().is_some_and(|head| head.contains('[')) => "]>",
            '!' => ">",
            _ => {
                let name = inside
                    .split(|c: char| c.is_whitespace() || c == '>' || c == '/')
                    .next()?;
                return name.rsplit(':').next();
            }
        };
        rest = inside[inside.find(end)? + end.len()..].trim_start();
    }
    None
}

pub(crate) fn unsupported(name: &str) -> Error {
    Error::unsafe_input("format-unsupported", format!("Nestbox can't import {name} yet."))
        .with_hint("Convert it to qcow2 first, if you trust it: qemu-img convert -O qcow2 FILE NEW.qcow2")
        .with_detail("format", name)
}

fn unknown(why: &str) -> Error {
    Error::unsafe_input(
        "format-unknown",
        format!("The file is no disk image and no ISO that Nestbox knows. {why}"),
    )
    .with_hint("Choose an ISO, a disk image (qcow2, raw, vmdk, vdi, vhd, vhdx) or a machine of another program (ova, ovf, utm, vbox, vmx).")
}

fn ambiguous(names: &[&str]) -> Error {
    Error::unsafe_input(
        "format-ambiguous",
        format!("The file can be read as several things at once ({}), which is a known trick.", names.join(", ")),
    )
    .with_hint("Don't use it unless you know how it was made; then convert it with the right format: qemu-img convert -f FORMAT -O qcow2 FILE NEW.qcow2")
}
