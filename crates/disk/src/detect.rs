//! What a file is, by its content. A format more is one line in [`DETECTORS`].

use crate::{
    iso, qcow2,
    raw::{self, Table},
    refuse,
    source::{FileSource, Source, le32, unreadable},
};
use nestbox_model::{Error, Recognised, Result};
use std::fs::File;

/// What the detectors see.
struct Probe {
    /// The first 64 KiB.
    head: Vec<u8>,
    /// The last 512 bytes.
    tail: Vec<u8>,
    iso: bool,
}

impl Probe {
    fn at(&self, offset: usize, magic: &[u8]) -> bool {
        self.head.get(offset..offset + magic.len()) == Some(magic)
    }
    fn starts(&self, magic: &[u8]) -> bool {
        self.at(0, magic)
    }
    fn tail_starts(&self, magic: &[u8]) -> bool {
        self.tail.starts_with(magic)
    }
}

/// What becomes of a format.
#[derive(Clone, Copy)]
enum Fate {
    Import(fn() -> Recognised),
    /// We know it and can't import it; how to get at what is inside.
    Refuse(&'static str),
}

struct Detector {
    /// With its article where it needs one: completes “Nestbox can't import …”.
    name: &'static str,
    found: fn(&Probe) -> bool,
    fate: Fate,
}

const UNPACK: Fate = Fate::Refuse("Unpack it first, then import what was inside.");
const CONVERT: Fate =
    Fate::Refuse("Convert it to qcow2 first, if you trust it: qemu-img convert -O qcow2 FILE NEW.qcow2");
const NONE: Fate = Fate::Refuse("Get the disk itself as qcow2 or raw, or an ISO.");

const DETECTORS: &[Detector] = &[
    Detector {
        name: "qcow2",
        found: |p| p.starts(&qcow2::MAGIC),
        fate: Fate::Import(|| Recognised::Qcow2),
    },
    Detector {
        name: "ISO 9660",
        found: |p| p.iso,
        fate: Fate::Import(|| Recognised::Iso),
    },
    Detector {
        name: "VMDK",
        found: |p| p.starts(b"KDMV") || p.starts(b"COWD") || p.starts(b"# Disk DescriptorFile"),
        fate: CONVERT,
    },
    Detector {
        name: "VDI",
        found: |p| p.at(0x40, &[0x7f, 0x10, 0xda, 0xbe]),
        fate: CONVERT,
    },
    Detector {
        name: "VHDX",
        found: |p| p.starts(b"vhdxfile"),
        fate: CONVERT,
    },
    Detector {
        name: "VHD",
        found: |p| p.starts(b"conectix") || p.tail_starts(b"conectix"),
        fate: CONVERT,
    },
    Detector {
        name: "QED",
        found: |p| p.starts(b"QED\0"),
        fate: CONVERT,
    },
    Detector {
        name: "Parallels disks",
        found: |p| p.starts(b"WithoutFreeSpace") || p.starts(b"WithouFreSpacExt"),
        fate: CONVERT,
    },
    Detector {
        name: "DMG",
        found: |p| p.tail_starts(b"koly"),
        fate: CONVERT,
    },
    Detector {
        name: "Bochs disks",
        found: |p| p.starts(b"Bochs Virtual HD Image"),
        fate: CONVERT,
    },
    Detector {
        name: "cloop",
        found: |p| p.starts(b"#!/bin/sh\n#V2.0 Format"),
        fate: CONVERT,
    },
    Detector {
        name: "WIM",
        found: |p| p.starts(b"MSWIM\0\0\0"),
        fate: NONE,
    },
    Detector {
        name: "OVA and other tar archives",
        found: |p| p.at(257, b"ustar"),
        fate: UNPACK,
    },
    Detector {
        name: "files compressed with gzip",
        found: |p| p.starts(&[0x1f, 0x8b, 8]),
        fate: UNPACK,
    },
    Detector {
        name: "files compressed with xz",
        found: |p| p.starts(b"\xfd7zXZ\0"),
        fate: UNPACK,
    },
    Detector {
        name: "files compressed with zstd",
        found: |p| {
            p.starts(&[0x28, 0xb5, 0x2f, 0xfd]) || (p.at(1, &[0x2a, 0x4d, 0x18]) && p.head[0] & 0xf0 == 0x50)
        },
        fate: UNPACK,
    },
    Detector {
        name: "files compressed with bzip2",
        found: |p| p.starts(b"BZh") && p.at(4, &[0x31, 0x41, 0x59, 0x26, 0x53, 0x59]),
        fate: UNPACK,
    },
    Detector {
        name: "files compressed with lz4",
        found: |p| p.starts(&[0x04, 0x22, 0x4d, 0x18]),
        fate: UNPACK,
    },
    Detector {
        name: "ZIP archives",
        found: |p| p.starts(b"PK\x03\x04") || p.starts(b"PK\x05\x06"),
        fate: UNPACK,
    },
    Detector {
        name: "7z archives",
        found: |p| p.starts(b"7z\xbc\xaf\x27\x1c"),
        fate: UNPACK,
    },
    Detector {
        name: "RAR archives",
        found: |p| p.starts(b"Rar!\x1a\x07"),
        fate: UNPACK,
    },
];

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
    /// Nobody has such disks, and numbers beyond are tricks.
    const LENGTH_MAX: u64 = 64 << 40;
    let length = source.length();
    if length == 0 {
        return Err(refuse::empty("The file is empty (0 bytes)."));
    }
    if length > LENGTH_MAX {
        return Err(refuse::too_large("it has more than 64 TiB"));
    }
    let read = |offset, size| {
        source
            .piece_up_to(offset, size)
            .map_err(|error| unreadable(&error))
    };
    let probe = Probe {
        head: read(0, 64 << 10)?,
        tail: read(length.saturating_sub(512), 512)?,
        iso: iso::is_iso(source),
    };
    let found: Vec<&Detector> = DETECTORS
        .iter()
        .filter(|detector| (detector.found)(&probe))
        .collect();
    match found[..] {
        [] => recognise_raw(source, &probe),
        [one] => match one.fate {
            Fate::Refuse(hint) => Err(unsupported(one.name).with_hint(hint)),
            Fate::Import(kind) if kind() == Recognised::Qcow2 && has_partition_table(&probe) => {
                Err(ambiguous(&[one.name, "a raw disk"]))
            }
            Fate::Import(kind) => Ok(kind()),
        },
        ref several => Err(ambiguous(
            &several.iter().map(|detector| detector.name).collect::<Vec<_>>(),
        )),
    }
}

fn has_partition_table(probe: &Probe) -> bool {
    probe.at(512, b"EFI PART") || (probe.at(510, &[0x55, 0xaa]) && raw::mbr_is_plausible(&probe.head))
}

/// Nothing marks a raw disk as one, so it must look like a disk, or be empty.
fn recognise_raw(source: &dyn Source, probe: &Probe) -> Result<Recognised> {
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
        _ => Ok(Recognised::Raw),
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
    let start = &head[..head.len().min(4096)];
    // A letter may be cut at the end.
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    if text.is_empty() || text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()) {
        return None;
    }
    let lower = text.trim_start().to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        Some("a web page, so the download did not work")
    } else {
        Some("a text")
    }
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
    .with_hint("Choose an .iso, a .qcow2 or a raw disk image.")
}

fn ambiguous(names: &[&str]) -> Error {
    Error::unsafe_input(
        "format-ambiguous",
        format!("The file can be read as several things at once ({}), which is a known trick.", names.join(", ")),
    )
    .with_hint("Don't use it unless you know how it was made; then convert it with the right format: qemu-img convert -f FORMAT -O qcow2 FILE NEW.qcow2")
}
