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
const ZEROES: [u8; BLOCK] = [0; BLOCK];

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
    let zero = |block: &[u8]| *block == ZEROES[..block.len()];
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::os::unix::fs::MetadataExt;

    /// A complete memory file: some data, then a hole, then blocks of data with zeroes among them.
    fn memory_file(path: &Path) -> Vec<u8> {
        let mut part = memory::MemoryPart::begin(path, 1).unwrap();
        part.file.write_all(&noise(70_000)).unwrap();
        part.file.seek(SeekFrom::Start(64 << 20)).unwrap();
        for block in 0..64 {
            part.file.write_all(&noise(BLOCK)).unwrap();
            part.file.write_all(&vec![0; BLOCK * block]).unwrap();
        }
        part.file.write_all(b"an odd end").unwrap();
        part.finish(Note {
            qemu: "10.0.2".into(),
            mapped_ram: true,
            ram: 64 << 20,
            length: 0,
        })
        .unwrap();
        std::fs::read(path).unwrap()
    }

    /// Bytes that can't be packed.
    fn noise(count: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        (0..count).map(|_| next()).collect()
    }

    fn unpack(packed: &Path, file: &Path) -> Result<u64> {
        unpack_memory(packed, file, &CancellationToken::new(), &|_, _| {})
    }

    #[test]
    fn packed_memory_comes_back_with_its_holes() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let bytes = memory_file(&path("memory"));
        let told = Cell::new((0, 0));
        let progress = |done, all| {
            assert!(done >= told.get().0 && done <= all);
            told.set((done, all));
        };
        let never = CancellationToken::new();
        let size = pack_memory(&path("memory"), &path("packed"), &never, &progress).unwrap();
        let length = bytes.len() as u64;
        assert_eq!(told.take(), (length, length));
        assert!(size < length / 50, "{size} of {length}");
        let note = memory::memory_note(&path("memory")).unwrap();
        assert_eq!(memory::memory_note(&path("packed")).unwrap(), note);
        assert_eq!(
            unpack_memory(&path("packed"), &path("back"), &never, &progress).unwrap(),
            length
        );
        assert_eq!(told.get(), (length, length));
        assert!(bytes == std::fs::read(path("back")).unwrap());
        let (before, after) = (
            path("memory").metadata().unwrap(),
            path("back").metadata().unwrap(),
        );
        let on_disk = |meta: &std::fs::Metadata| meta.blocks() * 512;
        assert!(
            on_disk(&after) < 1 << 20 && on_disk(&after) < on_disk(&before),
            "{} → {} bytes on disk",
            on_disk(&before),
            on_disk(&after)
        );
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            3,
            "nothing else is left"
        );
    }

    #[test]
    fn torn_and_hostile_files_are_damaged_and_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        memory_file(&path("memory"));
        let never = CancellationToken::new();
        pack_memory(&path("memory"), &path("packed"), &never, &|_, _| {}).unwrap();
        let good = std::fs::read(path("packed")).unwrap();
        let refused = |bytes: &[u8], what: &str| {
            std::fs::write(path("bad"), bytes).unwrap();
            let error = unpack(&path("bad"), &path("back")).unwrap_err();
            assert_eq!(error.code, "memory-damaged", "{what}: {error:?}");
            assert!(!path("back").exists() && !path("back.packing").exists());
        };
        for cut in [0, 7, 20, 30, 100, good.len() / 2, good.len() - 4, good.len() - 1] {
            refused(&good[..cut], &format!("cut to {cut}"));
        }
        refused(&[good.as_slice(), b"x"].concat(), "something follows");
        for at in (0..good.len()).step_by(good.len() / 61) {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            refused(&bytes, &format!("a bit differs at {at}"));
        }
        for length in [0, 1, 1 << 41, u64::MAX] {
            let mut bytes = good.clone();
            bytes[8..16].copy_from_slice(&u64::to_le_bytes(length));
            refused(&bytes, &format!("says it is {length} bytes long"));
        }
        // Records that go back, leave the file, or claim more than there is.
        let head = {
            let note = u64::from_le_bytes(good[16..24].try_into().unwrap());
            &good[..24 + usize::try_from(note).unwrap()]
        };
        let length = u64::from_le_bytes(good[8..16].try_into().unwrap());
        for records in [
            vec![(length, 0)],
            vec![(0, 8), (4, 8), (length, 0)],
            vec![(length - 4, 8), (length, 0)],
            vec![(u64::MAX - 4, 8), (length, 0)],
            vec![(0, length)],
            vec![(16, 0)],
            vec![],
        ] {
            let mut content = Vec::new();
            for (offset, size) in &records {
                content.extend(u64::to_le_bytes(*offset));
                content.extend(u64::to_le_bytes(*size));
                content.resize(content.len() + usize::try_from(*size).unwrap().min(64), 1);
            }
            let frame = zstd::encode_all(content.as_slice(), LEVEL).unwrap();
            refused(&[head, &frame].concat(), &format!("{records:?}"));
        }
        let missing = unpack(&path("none"), &path("back")).unwrap_err();
        assert_eq!(missing.code, "file-not-found");
        // Only complete memory is packed.
        std::fs::write(path("memory"), b"half a memory file").unwrap();
        let error = pack_memory(&path("memory"), &path("other"), &never, &|_, _| {}).unwrap_err();
        assert_eq!(error.code, "memory-damaged");
        assert!(!path("other").exists());
    }

    #[test]
    fn cancelled_packing_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        memory_file(&path("memory"));
        std::fs::write(path("packed"), "an older one").unwrap();
        let cancel = CancellationToken::new();
        let stop = |done: u64, _| {
            if done > 0 {
                cancel.cancel();
            }
        };
        let error = pack_memory(&path("memory"), &path("packed"), &cancel, &stop).unwrap_err();
        assert_eq!(error.code, "cancelled");
        assert_eq!(std::fs::read(path("packed")).unwrap(), b"an older one");
        pack_memory(
            &path("memory"),
            &path("packed"),
            &CancellationToken::new(),
            &|_, _| {},
        )
        .unwrap();
        let error = unpack_memory(&path("packed"), &path("back"), &cancel, &|_, _| {}).unwrap_err();
        assert_eq!(error.code, "cancelled");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
