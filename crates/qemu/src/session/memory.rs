//! The memory file: QEMU's own stream with a note at its end that says how it was written. Without the note it is
//! not complete, and QEMU never gets to see it.

use crate::{Capabilities, MemorySupport};
use nestbox_model::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 8] = b"NESTBXM1";
pub(super) const NOTE_MAX: u32 = 4096;

/// What a memory file, packed or not, demands of the machine that is to be filled from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryNote {
    /// Version of the QEMU that wrote it, `10.0.2`.
    pub qemu: String,
    /// Bytes of guest memory.
    pub ram: u64,
    /// Every page has its place in it.
    pub mapped_ram: bool,
}

/// Reads what a memory file says about itself.
///
/// # Errors
/// `file-not-found`, `memory-damaged`.
pub fn memory_note(file: &Path) -> Result<MemoryNote> {
    let note = match super::pack::packed_note(file)? {
        Some(note) => note,
        None => open(file)?.1,
    };
    Ok(MemoryNote {
        qemu: note.qemu,
        ram: note.ram,
        mapped_ram: note.mapped_ram,
    })
}

/// Whether a machine with `ram` bytes of memory under this QEMU can be filled from such a file, as far as can be told
/// before it is tried.
///
/// # Errors
/// `memory-unfit`.
pub fn memory_fits(note: &MemoryNote, capabilities: &Capabilities, ram: u64) -> Result<()> {
    let note = Note {
        qemu: note.qemu.clone(),
        mapped_ram: note.mapped_ram,
        ram: note.ram,
        length: 0,
    };
    fits(&note, &capabilities.version_text(), capabilities.memory, ram)
}

/// The rule behind [`memory_fits`].
pub(super) fn fits(note: &Note, here: &str, support: MemorySupport, ram: u64) -> Result<()> {
    // With a place for every page QEMU itself does not mind when there is more memory than was saved.
    if note.ram != ram || note.mapped_ram && !support.mapped_ram {
        return Err(unfit(&note.qemu, here));
    }
    Ok(())
}

pub(super) fn unfit(saved_by: &str, here: &str) -> Error {
    let why = if saved_by == here {
        "it was saved by a machine with other devices".to_owned()
    } else {
        format!("it was saved by QEMU {saved_by}, this computer has {here}")
    };
    Error::unfit(
        "memory-unfit",
        format!("The saved memory does not fit this machine: {why}."),
    )
    .with_detail("saved_by", saved_by)
    .with_detail("here", here)
    .with_hint("Restore the snapshot without memory: the guest starts as after a power cut.")
}

/// How a memory file was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// QEMU that wrote it.
    pub qemu: String,
    /// Every page has its place.
    pub mapped_ram: bool,
    /// Bytes of guest memory.
    pub ram: u64,
    /// Bytes before the note.
    pub length: u64,
}

/// A memory file being written: it has a temporary name until it is complete, and none if it never gets so.
pub(super) struct MemoryPart {
    part: PathBuf,
    target: PathBuf,
    /// Open for writing only, as QEMU asks of a descriptor it is handed.
    pub file: File,
    done: bool,
}

impl MemoryPart {
    /// Begins beside `target`. `need` bytes must be free.
    pub fn begin(target: &Path, need: u64) -> Result<Self> {
        let folder = target.parent().unwrap_or(Path::new("/"));
        let io = |error: &std::io::Error| Error::io("save the machine's memory", target, error);
        let space = rustix::fs::statvfs(folder).map_err(|error| io(&error.into()))?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        if free < need {
            return Err(Error::unfit(
                "no-space",
                "The disk has not enough free space for the machine's memory.",
            )
            .with_hint("Free some space, or take the snapshot without memory.")
            .with_detail("needed", need)
            .with_detail("free", free));
        }
        let part = target.with_extension("part");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(&part).map_err(|error| io(&error))?;
        Ok(Self {
            part,
            target: target.to_owned(),
            file,
            done: false,
        })
    }

    /// Adds the note, makes it durable, gives it its name.
    pub fn finish(mut self, mut note: Note) -> std::io::Result<()> {
        note.length = self.file.seek(SeekFrom::End(0))?;
        let note = serde_json::to_vec(&note)?;
        let size = u32::try_from(note.len()).map_err(std::io::Error::other)?;
        self.file.write_all(&note)?;
        self.file.write_all(&size.to_le_bytes())?;
        self.file.write_all(MAGIC)?;
        self.file.sync_all()?;
        std::fs::rename(&self.part, &self.target)?;
        self.done = true;
        if let Some(folder) = self.target.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for MemoryPart {
    fn drop(&mut self) {
        if !self.done {
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

/// Opens a complete memory file.
///
/// # Errors
/// `file-not-found`, `memory-damaged`.
pub(super) fn open(path: &Path) -> Result<(File, Note)> {
    let mut file = File::open(path).map_err(|error| Error::io("open the saved memory", path, &error))?;
    let note =
        read_note(&mut file).ok_or_else(|| damaged().with_detail("path", path.display().to_string()))?;
    file.rewind()
        .map_err(|error| Error::io("read the saved memory", path, &error))?;
    Ok((file, note))
}

/// The file is not what was written.
pub(super) fn damaged() -> Error {
    Error::failed(
        "memory-damaged",
        "The saved memory of this snapshot is damaged, so the machine can't go on from it.",
    )
    .with_hint(
        "Restore the snapshot without memory: its disks are intact, the guest starts as after a power cut.",
    )
}

fn read_note(file: &mut File) -> Option<Note> {
    let total = file.seek(SeekFrom::End(0)).ok()?;
    file.seek(SeekFrom::End(-12)).ok()?;
    let mut tail = [0; 12];
    file.read_exact(&mut tail).ok()?;
    let size = u32::from_le_bytes(tail[..4].try_into().ok()?);
    if &tail[4..] != MAGIC || size > NOTE_MAX {
        return None;
    }
    file.seek(SeekFrom::End(-12 - i64::from(size))).ok()?;
    let mut note = vec![0; size as usize];
    file.read_exact(&mut note).ok()?;
    let note: Note = serde_json::from_slice(&note).ok()?;
    (note.length + u64::from(size) + 12 == total).then_some(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_files_have_their_name_and_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("memory");
        let mut part = MemoryPart::begin(&target, 1).unwrap();
        part.file.write_all(&[1; 5000]).unwrap();
        drop(part);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut part = MemoryPart::begin(&target, 1).unwrap();
        part.file.write_all(&[1; 5000]).unwrap();
        let note = Note {
            qemu: "10.0.2".into(),
            mapped_ram: true,
            ram: 1,
            length: 0,
        };
        part.finish(note.clone()).unwrap();
        let (mut file, read) = open(&target).unwrap();
        assert_eq!(read, Note { length: 5000, ..note });
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        for cut in [0, 5, 12, 3000, bytes.len() - 1] {
            std::fs::write(&target, &bytes[..cut]).unwrap();
            assert_eq!(open(&target).unwrap_err().code, "memory-damaged", "cut to {cut}");
        }
        bytes.drain(..1000);
        std::fs::write(&target, &bytes).unwrap();
        assert_eq!(
            open(&target).unwrap_err().code,
            "memory-damaged",
            "beginning lost"
        );
        assert_eq!(
            open(&folder.path().join("none")).unwrap_err().code,
            "file-not-found"
        );
        assert_eq!(
            MemoryPart::begin(&target, u64::MAX).err().unwrap().code,
            "no-space"
        );
    }
}
