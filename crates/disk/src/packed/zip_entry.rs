//! The one image in a ZIP archive.

use super::Stream;
use crate::{detect, qcow2::printable, refuse, source::OpenFile};
use nestbox_model::{Error, Result};
use std::io::{self, ErrorKind, Read};
use zip::{CompressionMethod, ZipArchive, result::ZipError};

/// Files in an archive that are looked at.
const ENTRIES_MAX: usize = 256;

/// The largest floppy, bytes: boot floppies lie beside some systems' ISO.
const FLOPPY_MAX: u64 = 2880 << 10;

/// A file in an archive.
pub(super) struct Entry {
    /// For people; never used as a path.
    pub name: String,
    /// Bytes when unpacked.
    pub length: u64,
    pub reader: Box<dyn Read + Send>,
}

struct Place {
    name: String,
    length: u64,
    packed: u64,
    at: u64,
    checksum: u32,
    method: CompressionMethod,
}

/// The one image in the archive; texts and pictures beside it don't matter, nor boot floppies beside an ISO.
///
/// # Errors
/// `image-refers-elsewhere` (names that lead out of the archive, links), `image-encrypted`, `image-damaged`,
/// `image-truncated`, `archive-no-image`, `archive-several-images`, `image-feature-unsupported`.
pub(super) fn choose(file: &OpenFile) -> Result<Entry> {
    let mut images = Vec::new();
    for place in places(file)? {
        if let Some(is_iso) = image_kind(file, &place)? {
            images.push((place, is_iso));
        }
    }
    if images.iter().filter(|(_, is_iso)| *is_iso).count() == 1 {
        images.retain(|(place, is_iso)| *is_iso || place.length > FLOPPY_MAX);
    }
    let mut images: Vec<Place> = images.into_iter().map(|(place, _)| place).collect();
    match images.len() {
        0 => Err(none()),
        1 => {
            let place = images.remove(0);
            Ok(Entry {
                reader: place.reader(file)?,
                length: place.length,
                name: printable(&place.name),
            })
        }
        _ => Err(several(&images)),
    }
}

fn places(file: &OpenFile) -> Result<Vec<Place>> {
    let stream = Stream {
        file: file.clone(),
        at: 0,
    };
    let mut archive = ZipArchive::new(stream).map_err(|error| unreadable(&error))?;
    if archive.len() > ENTRIES_MAX {
        return Err(refuse::too_large("the archive has more than 256 files"));
    }
    let mut places = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| unreadable(&error))?;
        let name = entry.name().map_err(|error| unreadable(&error))?.into_owned();
        judge(&name, entry.is_symlink())?;
        if entry.encrypted() {
            return Err(refuse::encrypted());
        }
        if entry.is_dir() {
            continue;
        }
        places.push(Place {
            length: entry.size(),
            packed: entry.compressed_size(),
            at: entry.data_start().unwrap_or(u64::MAX),
            checksum: entry.crc32(),
            method: entry.compression(),
            name,
        });
    }
    Ok(places)
}

fn judge(name: &str, is_link: bool) -> Result<()> {
    let leads_out =
        name.starts_with('/') || name.contains(['\\', '\0', ':']) || name.split('/').any(|part| part == "..");
    if leads_out || is_link {
        return Err(refuse::refers_elsewhere(
            format!(
                "The archive holds a name that leads out of it, “{}”, which is a known trick.",
                printable(name)
            ),
            "Don't use it. Get the archive from its maker again.",
        ));
    }
    Ok(())
}

impl Place {
    fn reader(&self, file: &OpenFile) -> Result<Box<dyn Read + Send>> {
        let part = file
            .part(self.at, self.packed)
            .ok_or_else(|| refuse::truncated("a file of the archive lies behind its end"))?;
        let stream = Stream { file: part, at: 0 };
        let reader: Box<dyn Read + Send> = match self.method {
            CompressionMethod::Stored => Box::new(stream),
            CompressionMethod::Deflated => Box::new(flate2::read::DeflateDecoder::new(stream)),
            _ => {
                return Err(refuse::unsupported_feature(
                    "The archive is compressed in a way that Nestbox does not know (only “deflate” is usual).",
                ));
            }
        };
        Ok(Box::new(Checked {
            reader,
            left: self.length,
            sum: flate2::Crc::new(),
            expected: self.checksum,
        }))
    }
}

/// Knows an image by its first part, and whether it is an ISO; what else lies in archives (texts, pictures) is unknown.
fn image_kind(file: &OpenFile, place: &Place) -> Result<Option<bool>> {
    if place.length == 0 {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let mut reader = place.reader(file)?;
    if reader.by_ref().take(super::HEAD).read_to_end(&mut bytes).is_err() {
        return Ok(None);
    }
    let is_iso = bytes.get(0x8001..0x8006) == Some(b"CD001".as_slice());
    let complete = (bytes.len() as u64) < super::HEAD;
    Ok(detect::find(&super::Head { bytes, complete })
        .is_ok()
        .then_some(is_iso))
}

/// Compares length and checksum at the end.
struct Checked {
    reader: Box<dyn Read + Send>,
    left: u64,
    sum: flate2::Crc,
    expected: u32,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let length = self.reader.read(buffer)?;
        if length == 0 {
            return match (self.left, self.sum.sum() == self.expected) {
                (0, true) => Ok(0),
                (0, false) => Err(ErrorKind::InvalidData.into()),
                _ => Err(ErrorKind::UnexpectedEof.into()),
            };
        }
        self.left = self
            .left
            .checked_sub(length as u64)
            .ok_or(ErrorKind::InvalidData)?;
        self.sum.update(&buffer[..length]);
        Ok(length)
    }
}

fn unreadable(error: &ZipError) -> Error {
    match error {
        ZipError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            refuse::truncated("the list of its files at its end is missing")
        }
        ZipError::UnsupportedArchive(_) => {
            refuse::unsupported_feature("The archive is of a kind that Nestbox does not know.")
        }
        _ => refuse::damaged("the list of the archive's files can't be read"),
    }
    .with_detail("system", error.to_string())
}

fn none() -> Error {
    Error::unsafe_input(
        "archive-no-image",
        "Nothing in the archive is an image that Nestbox knows.",
    )
    .with_hint("Unpack it, then import what was inside.")
}

fn several(images: &[Place]) -> Error {
    let names: Vec<String> = images.iter().map(|place| printable(&place.name)).collect();
    Error::unsafe_input(
        "archive-several-images",
        format!("The archive holds several images: {}.", names.join(", ")),
    )
    .with_hint("Unpack it, then import the one you want.")
}
