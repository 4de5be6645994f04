//! What the service and the confined process say to each other over one socket.
//!
//! The service sends a length, a [`Request`] as JSON, and the images' descriptors, each batch of them beside one byte.
//! The process answers in frames: a tag, a length, so many bytes. [`TAG_REPLY`] frames are a [`Reply`] as JSON;
//! [`TAG_DATA`] frames are content of the file that was announced last; [`TAG_HOLE`] frames are 8 bytes: so many zeros.
//! The service believes none of it: see `client`.

use nestbox_model::{FileEntry, ImageFormat, Volume};
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind, Read, Write};

/// Longest request, bytes.
pub(crate) const REQUEST_MAX: u32 = 4 << 20;
/// Longest frame, bytes.
pub(crate) const FRAME_MAX: u32 = 1 << 20;
/// Entries in one frame.
pub(crate) const ENTRIES_PER_FRAME: usize = 100;
/// Descriptors sent at once; Linux takes 253.
pub(crate) const DESCRIPTORS_PER_BATCH: usize = 64;

pub(crate) const TAG_REPLY: u8 = b'R';
pub(crate) const TAG_DATA: u8 = b'D';
pub(crate) const TAG_HOLE: u8 = b'H';

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    /// Formats of the images, the active one first.
    pub images: Vec<ImageFormat>,
    pub work: Work,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    List {
        path: Option<String>,
        limit: u32,
        after: Option<String>,
    },
    Copy {
        paths: Vec<String>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// All volumes of the disk.
    Volumes(Vec<Volume>),
    /// The folder that is listed.
    Place {
        volume: u32,
        path: String,
    },
    Entries(Vec<FileEntry>),
    Note(String),
    /// A folder to make; names from the destination down, as they are shown.
    Folder(Vec<String>),
    /// A file to make, whose content follows.
    File {
        path: Vec<String>,
        size: u64,
        modified: Option<i64>,
    },
    /// The file's content is complete.
    FileEnd,
    /// The file could not be read to its end.
    FileDamaged(String),
    Skipped {
        path: String,
        why: String,
    },
    /// All is said.
    Done {
        more: bool,
    },
    Failed {
        reason: Reason,
        what: String,
    },
}

/// Why nothing can be said or copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reason {
    NotFound,
    NotAFolder,
    NoSuchVolume,
    VolumeUnclear,
    NotBrowsable,
    Damaged,
}

/// Writes a frame.
pub(crate) fn write_frame(to: &mut impl Write, tag: u8, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len())
        .ok()
        .filter(|length| *length <= FRAME_MAX)
        .ok_or(ErrorKind::InvalidInput)?;
    to.write_all(&[tag])?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(payload)
}

/// Reads a frame into `payload`; its tag.
pub(crate) fn read_frame(from: &mut impl Read, payload: &mut Vec<u8>) -> io::Result<u8> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    if length > FRAME_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    payload.resize(length as usize, 0);
    from.read_exact(payload)?;
    Ok(head[0])
}
