//! A file of the user's that moves into the library: it may be nowhere else, so it is named by the settings in the end, or
//! back where it was.

use nestbox_disk::Inspection;
use nestbox_model::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Which file moves, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moved {
    /// Where it was.
    pub path: PathBuf,
    /// Its number in its file system: a rename keeps it, and a copy has another.
    pub inode: u64,
}

impl Moved {
    /// # Errors
    /// The file can't be looked at.
    pub fn of(inspection: &Inspection) -> Result<Self> {
        let path = inspection.real_path.clone();
        let facts = inspection.file().metadata();
        let inode = facts.map_err(|e| Error::io("look at the file", &path, &e))?.ino();
        Ok(Self { path, inode })
    }

    /// Whether `file` is the user's own, under another name.
    pub fn is(&self, file: &Path) -> bool {
        std::fs::symlink_metadata(file).is_ok_and(|facts| facts.ino() == self.inode)
    }

    /// Something else has its old name by now, or nothing has.
    pub fn is_away(&self) -> bool {
        !self.is(&self.path)
    }

    /// Puts `file`, which is the user's own, back where it was.
    ///
    /// # Errors
    /// `file-exists` (conflict) when that name was taken meanwhile; the file stays where it is then.
    pub fn give_back(&self, file: &Path) -> Result<()> {
        // A second name first: it never takes the place of another file.
        match std::fs::hard_link(file, &self.path) {
            Ok(()) => std::fs::remove_file(file),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Error::conflict(
                    "file-exists",
                    format!("There is already a file {}.", self.path.display()),
                ));
            }
            // Not every file system knows second names.
            Err(_) if std::fs::symlink_metadata(&self.path).is_err() => std::fs::rename(file, &self.path),
            Err(error) => Err(error),
        }
        .map_err(|e| Error::io("give a file back", &self.path, &e))?;
        self.path.parent().map_or(Ok(()), crate::files::sync_folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_back_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let (home, file) = (folder.path().join("home"), folder.path().join("file"));
        std::fs::write(&file, "mine").unwrap();
        let moved = Moved {
            path: home.clone(),
            inode: std::fs::metadata(&file).unwrap().ino(),
        };
        assert!(moved.is(&file) && moved.is_away());
        std::fs::write(&home, "another").unwrap();
        assert_eq!(moved.give_back(&file).unwrap_err().code, "file-exists");
        assert!(moved.is(&file) && moved.is_away());
        assert_eq!(std::fs::read(&home).unwrap(), b"another");
        std::fs::remove_file(&home).unwrap();
        moved.give_back(&file).unwrap();
        assert!(!file.exists() && !moved.is_away());
        assert_eq!(std::fs::read(&home).unwrap(), b"mine");
    }
}
