//! A memory file at rest: packed, and back again.
//!
//! ```text
//! magic · length · note's size · note · one zstd frame with a checksum:
//!     (offset · size · bytes)… · (length · 0)
//! ```
//! Numbers are 64-bit little-endian. Only what lies between holes is in it; the frame's last record repeats the
//! length, so that everything outside the frame but the note, which the file's own end repeats, is covered.

use super::memory::{self, NOTE_MAX, Note, damaged};
use nestbox_model::{Error, Result};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

const MAGIC: &[u8; 8] = b"NESTBXZ1";
/// Quick enough for a guest's memory while its user works.
const LEVEL: i32 = 3;
/// No frame may demand a larger window, as a power of two in bytes.
const WINDOW_LOG_MAX: u32 = 23;
/// No guest has more memory; a file that says so is no memory file.
const LENGTH_MAX: u64 = 16 << 40;
/// Read, written and looked at in one go.
const CHUNK: usize = 1 << 20;
/// The unit in which zeroes become holes.
const BLOCK: usize = 4096;

/// Packs the complete memory file `file` into `packed`, which appears complete or not at all. Returns its size in
/// bytes. Blocks; `progress` is told bytes of `file` done and in all.
///
/// # Errors
/// `cancelled`, `file-not-found`, `memory-damaged`, `no-space`.
pub fn pack_memory(
    file: &Path,
    packed: &Path,
    cancel: &CancellationToken,
    progress: &dyn Fn(u64, u64),
) -> Result<u64> {
    let (mut source, note) = memory::open(file)?;
    let io = |error: &io::Error| Error::io("pack the saved memory", packed, error);
    let length = source.seek(SeekFrom::End(0)).map_err(|error| io(&error))?;
    let part = Part::begin(packed).map_err(|error| io(&error))?;
    let task = Task {
        cancel,
        progress,
        length,
    };
    task.pack(&source, &note, &part.file)
        .map_err(|error| task.explain(&error, io))?;
    part.finish().map_err(|error| io(&error))
}

/// Makes the memory file `file` from `packed`; it appears complete, verified and with its holes, or not at all.
/// Returns its length in bytes. Blocks; `progress` is told bytes of `file` done and in all.
///
/// # Errors
/// `cancelled`, `file-not-found`, `memory-damaged`, `no-space`.
pub fn unpack_memory(
    packed: &Path,
    file: &Path,
    cancel: &CancellationToken,
    progress: &dyn Fn(u64, u64),
) -> Result<u64> {
    let mut source =
        File::open(packed).map_err(|error| Error::io("open the saved memory", packed, &error))?;
    let torn = || damaged().with_detail("path", packed.display().to_string());
    let (length, note) = read_head(&mut source).ok_or_else(torn)?;
    let io = |error: &io::Error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => torn(),
        _ => Error::io("unpack the saved memory", file, error),
    };
    let part = Part::begin(file).map_err(|error| io(&error))?;
    let task = Task {
        cancel,
        progress,
        length,
    };
    task.unpack(source, &part.file)
        .map_err(|error| task.explain(&error, io))?;
    if memory::open(&part.path)?.1 != note {
        return Err(torn());
    }
    part.finish().map_err(|error| io(&error))?;
    Ok(length)
}

/// The note of a packed file; `None` when it is not one.
pub(super) fn packed_note(path: &Path) -> Result<Option<Note>> {
    let mut file = File::open(path).map_err(|error| Error::io("open the saved memory", path, &error))?;
    let mut magic = [0; 8];
    if file.read_exact(&mut magic).is_err() || &magic != MAGIC {
        return Ok(None);
    }
    let noted = file.rewind().ok().and_then(|()| read_head(&mut file));
    match noted {
        Some((_, note)) => Ok(Some(note)),
        None => Err(damaged().with_detail("path", path.display().to_string())),
    }
}

/// Length of the memory file and its note.
fn read_head(file: &mut File) -> Option<(u64, Note)> {
    let mut head = [0; 24];
    file.read_exact(&mut head).ok()?;
    let number = |at: usize| Some(u64::from_le_bytes(head[at..at + 8].try_into().ok()?));
    let (length, size) = (number(8)?, number(16)?);
    if &head[..8] != MAGIC || length > LENGTH_MAX || size > u64::from(NOTE_MAX) {
        return None;
    }
    let mut note = vec![0; size as usize];
    file.read_exact(&mut note).ok()?;
    Some((length, serde_json::from_slice(&note).ok()?))
}

/// A file with a temporary name until it is complete, and none if it never gets so.
struct Part {
    path: PathBuf,
    target: PathBuf,
    file: File,
    done: bool,
}

impl Part {
    fn begin(target: &Path) -> io::Result<Self> {
        // Beside it: a memory file that is being saved has `.part` of its own.
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".packing");
        let path = target.with_file_name(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        Ok(Self {
            file: options.open(&path)?,
            path,
            target: target.to_owned(),
            done: false,
        })
    }

    fn finish(mut self) -> io::Result<u64> {
        self.file.sync_all()?;
        let length = self.file.metadata()?.len();
        std::fs::rename(&self.path, &self.target)?;
        self.done = true;
        if let Some(folder) = self.target.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(length)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.done {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

struct Task<'a> {
    cancel: &'a CancellationToken,
    progress: &'a dyn Fn(u64, u64),
    length: u64,
}

impl Task<'_> {
    fn explain(&self, error: &io::Error, otherwise: impl FnOnce(&io::Error) -> Error) -> Error {
        if error.kind() == io::ErrorKind::Interrupted && self.cancel.is_cancelled() {
            Error::cancelled()
        } else {
            otherwise(error)
        }
    }

    fn at(&self, done: u64) -> io::Result<()> {
        if self.cancel.is_cancelled() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        (self.progress)(done, self.length);
        Ok(())
    }

    fn pack(&self, source: &File, note: &Note, target: &File) -> io::Result<()> {
        let mut target = BufWriter::new(target);
        let note = serde_json::to_vec(note)?;
        target.write_all(MAGIC)?;
        target.write_all(&self.length.to_le_bytes())?;
        target.write_all(&(note.len() as u64).to_le_bytes())?;
        target.write_all(&note)?;
        let mut frame = zstd::Encoder::new(target, LEVEL)?;
        frame.include_checksum(true)?;
        let mut buffer = vec![0; CHUNK];
        let mut done = 0;
        while let Some((begin, end)) = next_extent(source, done, self.length)? {
            frame.write_all(&begin.to_le_bytes())?;
            frame.write_all(&(end - begin).to_le_bytes())?;
            done = begin;
            while done < end {
                self.at(done)?;
                let size = buffer.len().min(usize::try_from(end - done).unwrap_or(CHUNK));
                source.read_exact_at(&mut buffer[..size], done)?;
                frame.write_all(&buffer[..size])?;
                done += size as u64;
            }
        }
        frame.write_all(&self.length.to_le_bytes())?;
        frame.write_all(&0_u64.to_le_bytes())?;
        frame.finish()?.flush()?;
        self.at(self.length)
    }

    fn unpack(&self, source: File, target: &File) -> io::Result<()> {
        let mut frame = zstd::Decoder::with_buffer(BufReader::new(source))?.single_frame();
        frame.window_log_max(WINDOW_LOG_MAX)?;
        let mut buffer = vec![0; CHUNK];
        let mut done = 0;
        loop {
            let (begin, size) = (number(&mut frame)?, number(&mut frame)?);
            let end = begin.checked_add(size).filter(|end| *end <= self.length);
            let (true, Some(end)) = (begin >= done, end) else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            if size == 0 {
                if begin != self.length {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                break;
            }
            done = begin;
            while done < end {
                self.at(done)?;
                let size = buffer.len().min(usize::try_from(end - done).unwrap_or(CHUNK));
                frame.read_exact(&mut buffer[..size]).map_err(as_damage)?;
                write_sparse(target, &buffer[..size], done)?;
                done += size as u64;
            }
        }
        // The checksum is looked at when the frame ends; nothing may follow it.
        let more = frame.read(&mut [0]).map_err(as_damage)?;
        let mut rest = frame.finish();
        if more != 0 || rest.read(&mut [0])? != 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        target.set_len(self.length)?;
        self.at(self.length)
    }
}

/// What zstd says no to is not what was packed.
fn as_damage(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::Other => io::Error::new(io::ErrorKind::InvalidData, error),
        _ => error,
    }
}

fn number(source: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    source.read_exact(&mut bytes).map_err(as_damage)?;
    Ok(u64::from_le_bytes(bytes))
}

/// The next part of `file` from `at` on that is not a hole. Where holes can't be asked for, all that is left.
fn next_extent(file: &File, at: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    use rustix::fs::{SeekFrom as Seek, seek};
    if at >= length {
        return Ok(None);
    }
    let begin = match seek(file, Seek::Data(at)) {
        Ok(begin) => begin,
        Err(rustix::io::Errno::NXIO) => return Ok(None),
        Err(rustix::io::Errno::INVAL) => return Ok(Some((at, length))),
        Err(error) => return Err(error.into()),
    };
    let end = seek(file, Seek::Hole(begin))?;
    Ok(Some((begin, end.min(length))))
}

/// Writes `bytes` at `offset` of a fresh file, leaving out blocks of zeroes.
fn write_sparse(target: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let zero = |block: &[u8]| block.iter().all(|byte| *byte == 0);
    let run = |from: usize, zeroes: bool| -> usize {
        let blocks = bytes[from..].chunks(BLOCK);
        blocks
            .take_while(|block| zero(block) == zeroes)
            .map(<[u8]>::len)
            .sum()
    };
    let mut at = 0;
    while at < bytes.len() {
        at += run(at, true);
        let size = run(at, false);
        target.write_all_at(&bytes[at..at + size], offset + at as u64)?;
        at += size;
    }
    Ok(())
}
