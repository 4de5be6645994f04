//! Bounded reading: everything the parsers see goes through [`Source`], by offset, never by name.

use crate::copy::{SourceState, next_data_of};
use nestbox_model::{Error, Result};
use std::{fs::File, io, sync::Arc};

/// The longest piece a parser may ask for at once, bytes.
const PIECE_MAX: u64 = 64 << 20;

/// Bytes that can be read at any offset: a file, or the disk that a guest sees in a qcow2 file.
pub(crate) trait Source: Send + Sync {
    /// How many bytes there are.
    fn length(&self) -> u64;
    /// Fills `buffer` from `offset`; an end before that is `UnexpectedEof`.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// The next place at or after `at` that may hold anything but zeros; the length where there is none.
    fn next_data(&self, at: u64) -> io::Result<u64> {
        Ok(at.min(self.length()))
    }
    /// Errors (`file-changed`) when a file below is not what it was when it was opened.
    fn check_unchanged(&self) -> Result<()> {
        Ok(())
    }

    /// `length` bytes from `offset`, all or an error; at most 64 MiB.
    fn piece(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let end = offset.checked_add(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        if length > PIECE_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if end > self.length() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut buffer = vec![0; length as usize];
        self.read_at(offset, &mut buffer)?;
        Ok(buffer)
    }

    /// Up to `length` bytes from `offset`: fewer at the end.
    fn piece_up_to(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        self.piece(offset, length.min(self.length().saturating_sub(offset)))
    }
}

/// A source that several readers hold.
pub(crate) type SharedSource = Arc<dyn Source>;

/// A file, or a part of one, that stays open for as long as somebody reads it.
#[derive(Clone, Debug)]
pub(crate) struct OpenFile {
    pub file: Arc<File>,
    pub state: SourceState,
    offset: u64,
    length: u64,
}

impl OpenFile {
    /// All of `file`, as it is now.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let state = SourceState::of(&file)?;
        Ok(Self {
            file: Arc::new(file),
            state,
            offset: 0,
            length: state.length,
        })
    }
    /// `length` bytes from `offset`; `None` if they are not all there.
    pub(crate) fn part(&self, offset: u64, length: u64) -> Option<Self> {
        let end = offset.checked_add(length)?;
        (end <= self.length).then(|| Self {
            offset: self.offset + offset,
            length,
            ..self.clone()
        })
    }
    /// The whole file and nothing else.
    pub(crate) fn is_whole(&self) -> bool {
        self.offset == 0 && self.length == self.state.length
    }
}

impl Source for OpenFile {
    fn length(&self) -> u64 {
        self.length
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        std::os::unix::fs::FileExt::read_exact_at(&*self.file, buffer, self.offset + offset)
    }
    fn next_data(&self, at: u64) -> io::Result<u64> {
        let end = self.offset + self.length;
        Ok(next_data_of(&self.file, self.offset + at.min(self.length), end)? - self.offset)
    }
    fn check_unchanged(&self) -> Result<()> {
        self.state.check(&self.file)
    }
}

/// A file whose length was taken once, when it was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileSource<'a> {
    pub file: &'a File,
    pub length: u64,
}

impl Source for FileSource<'_> {
    fn length(&self) -> u64 {
        self.length
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self.file, buffer, offset)
    }
    fn next_data(&self, at: u64) -> io::Result<u64> {
        next_data_of(self.file, at.min(self.length), self.length)
    }
}

/// A part of another source.
pub(crate) struct Part<'a> {
    pub whole: &'a dyn Source,
    pub offset: u64,
    pub length: u64,
}

impl Source for Part<'_> {
    fn length(&self) -> u64 {
        self.length
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset
            .checked_add(buffer.len() as u64)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        if end > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let at = self
            .offset
            .checked_add(offset)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        self.whole.read_at(at, buffer)
    }
}

#[cfg(test)]
impl Source for Vec<u8> {
    fn length(&self) -> u64 {
        self.len() as u64
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start
            .checked_add(buffer.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(self.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// What a failed read of an image means.
pub(crate) fn unreadable(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        crate::refuse::truncated("it ends before its own headers say")
    } else {
        Error::failed(
            "io-error",
            "The file could not be read because of an input/output error.",
        )
        .with_hint("Check the disk or the network drive that it is on, then try again.")
        .with_detail("system", error.to_string())
    }
}

/// [`Source::piece`] with the error in words.
pub(crate) fn piece(source: &dyn Source, offset: u64, length: u64) -> Result<Vec<u8>> {
    source.piece(offset, length).map_err(|error| unreadable(&error))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    if let Some(part) = at.checked_add(N).and_then(|end| bytes.get(at..end)) {
        out.copy_from_slice(part);
    }
    out
}

// Beyond the end these give 0, so a parser can't panic; lengths are checked where they are read.
pub(crate) fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(array(bytes, at))
}
pub(crate) fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(array(bytes, at))
}
pub(crate) fn be64(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(array(bytes, at))
}
pub(crate) fn le16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}
pub(crate) fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}
pub(crate) fn le64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}
