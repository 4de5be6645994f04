//! Where something for the user is going to be: looked at before anything is written, named when all is complete.

use nestbox_model::{Error, Result};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, Metadata},
    io::ErrorKind,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The place of a new file or folder of the user's.
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
    parent: PathBuf,
    overwrite: bool,
    library: PathBuf,
}

/// End of a workshop's name; it begins with [`prefix`].
const SUFFIX: &str = ".partial";
/// What a folder that is being replaced is called in the workshop.
const REPLACED: &str = "replaced";

/// Begin of the names of a library's workshops: another library's may be at work in the same folder.
fn prefix(library: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let hash = Sha256::digest(library.as_os_str().as_bytes());
    format!(".nestbox-{}-", hex::encode(&hash[..6]))
}

impl Place {
    /// A place outside of the folder `library`. With `overwrite` a file there is replaced (a link: the link itself, not
    /// what it leads to).
    ///
    /// # Errors
    /// `path-not-absolute`, `inside-library`, `not-a-file-name` (usage); `folder-missing` (not found) when it should lie
    /// in a folder that is not there; `file-exists` (conflict); `not-a-file` (unsafe) when something else than a file
    /// is there.
    pub fn file(path: &Path, overwrite: bool, library: &Path) -> Result<Self> {
        let place = Self::new(path, overwrite, library)?;
        place.check_file()?;
        Ok(place)
    }

    /// As [`Self::file`], for a folder that holds a machine of UTM's.
    ///
    /// # Errors
    /// As [`Self::file`].
    pub fn bundle(path: &Path, overwrite: bool, library: &Path) -> Result<Self> {
        let place = Self::new(path, overwrite, library)?;
        place.check(&|there| there.is_symlink() || (there.is_dir() && is_bundle(&place.path)))?;
        Ok(place)
    }

    fn new(path: &Path, overwrite: bool, library: &Path) -> Result<Self> {
        if !path.is_absolute() {
            return Err(Error::usage(
                "path-not-absolute",
                format!("The path must begin at the root: {}", path.display()),
            ));
        }
        let bad_name = || {
            Error::usage(
                "not-a-file-name",
                format!("This names no file that could be written: {}", path.display()),
            )
        };
        let name = path.file_name().ok_or_else(bad_name)?;
        // The tools and other programs must be able to say it.
        name.to_str()
            .filter(|name| !name.chars().any(char::is_control))
            .ok_or_else(bad_name)?;
        let folder = path.parent().ok_or_else(bad_name)?;
        let parent = fs::canonicalize(folder).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::not_found(
                "folder-missing",
                format!("The folder is not there: {}", folder.display()),
            )
            .with_hint("Make it first, or choose another place."),
            _ => Error::io("look at the folder", folder, &error),
        })?;
        if !parent.is_dir() {
            return Err(bad_name());
        }
        let library = fs::canonicalize(library).unwrap_or_else(|_| library.to_owned());
        if parent.starts_with(&library) {
            return Err(Error::usage(
                "inside-library",
                "Nestbox keeps its own files in that folder; nothing else belongs there.",
            )
            .with_hint("Choose a place outside of it."));
        }
        Ok(Self {
            path: parent.join(name),
            parent,
            overwrite,
            library,
        })
    }

    /// What is there may be replaced, or nothing is there.
    fn check(&self, replaceable: &dyn Fn(&Metadata) -> bool) -> Result<()> {
        let there = match fs::symlink_metadata(&self.path) {
            Ok(there) => there,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::InvalidFilename => {
                return Err(Error::usage(
                    "not-a-file-name",
                    format!("The name is too long for a file: {}", self.path.display()),
                )
                .with_hint("Choose a shorter name."));
            }
            Err(error) => return Err(Error::io("look at the file", &self.path, &error)),
        };
        if !replaceable(&there) {
            return Err(Error::unsafe_input(
                "not-a-file",
                format!(
                    "There is something that is not replaced by a file: {}",
                    self.path.display()
                ),
            )
            .with_hint("Choose another name."));
        }
        if self.overwrite {
            return Ok(());
        }
        Err(exists(&self.path))
    }

    /// Absolute, links in folders followed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder it is going to be in.
    pub fn parent(&self) -> &Path {
        &self.parent
    }

    /// There is something that would be replaced.
    pub fn is_taken(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok()
    }

    /// A private folder beside it that goes away with all that is left in it.
    ///
    /// # Errors
    /// `permission-denied`, `no-space` and friends.
    pub fn workshop(&self) -> Result<TempDir> {
        tempfile::Builder::new()
            .prefix(&prefix(&self.library))
            .suffix(SUFFIX)
            .tempdir_in(&self.parent)
            .map_err(|error| Error::io("write into the folder", &self.parent, &error))
    }

    /// What is there is still what may be replaced, or nothing is there.
    ///
    /// # Errors
    /// As [`Self::keep_file`].
    pub fn check_file(&self) -> Result<()> {
        self.check(&|there| there.is_file() || there.is_symlink())
    }

    /// Errors unless its file system has room.
    ///
    /// # Errors
    /// `no-space`.
    pub fn need_space(&self, bytes: u64) -> Result<()> {
        crate::work::need_space(&self.parent, bytes)
    }

    /// Names a file that is complete and durable.
    ///
    /// # Errors
    /// `file-exists`, `not-a-file` when that changed meanwhile; `io-error` and friends.
    pub fn keep_file(&self, made: &Path) -> Result<()> {
        self.check_file()?;
        self.rename(made)
    }

    /// Names a folder that is complete and durable; one that is replaced goes.
    ///
    /// # Errors
    /// As [`Self::keep_file`].
    pub fn keep_folder(&self, made: &Path, workshop: &TempDir) -> Result<()> {
        self.check(&|there| there.is_symlink() || (there.is_dir() && is_bundle(&self.path)))?;
        if self.is_taken() {
            let aside = workshop.path().join(REPLACED);
            fs::rename(&self.path, &aside)
                .map_err(|error| Error::io("replace the folder", &self.path, &error))?;
            return self.rename(made).inspect_err(|_| {
                if let Err(error) = fs::rename(&aside, &self.path) {
                    tracing::error!(path = %self.path.display(), %error, "a folder could not be put back");
                }
            });
        }
        self.rename(made)
    }

    fn rename(&self, made: &Path) -> Result<()> {
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::AlreadyExists => exists(&self.path),
            _ => Error::io("name the file", &self.path, &error),
        };
        if self.overwrite {
            fs::rename(made, &self.path).map_err(failed)?;
        } else {
            rename_new(made, &self.path).map_err(failed)?;
        }
        crate::work::sync_folder_of(&self.path).map_err(failed)
    }
}

/// Removes what writers of the library `library` that died left beside `target`; what one of them had put aside to
/// replace it comes back. Right only while nothing of that library is being written there.
///
/// # Errors
/// What can't be put back or removed.
pub fn sweep(target: &Path, library: &Path) -> Result<()> {
    let library = fs::canonicalize(library).unwrap_or_else(|_| library.to_owned());
    let prefix = prefix(&library);
    let Some(parent) = target.parent() else {
        return Ok(());
    };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(&prefix) && name.ends_with(SUFFIX));
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let aside = entry.path().join(REPLACED);
        if aside.exists() && fs::symlink_metadata(target).is_err() {
            rename_new(&aside, target)
                .map_err(|error| Error::io("put back what was being replaced", target, &error))?;
        }
        fs::remove_dir_all(entry.path())
            .map_err(|error| Error::io("remove an unfinished file", &entry.path(), &error))?;
    }
    Ok(())
}

fn is_bundle(path: &Path) -> bool {
    path.join("config.plist").is_file()
}

fn exists(path: &Path) -> Error {
    Error::conflict(
        "file-exists",
        format!("There is already a file {}.", path.display()),
    )
    .with_hint("Choose another name, or replace it: --overwrite")
    .with_detail("path", path.display().to_string())
}

/// Never replaces anything, where the system can say so.
fn rename_new(from: &Path, to: &Path) -> std::io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            // Not every file system can.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if fs::symlink_metadata(to).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_writer_left_goes_and_what_it_put_aside_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let library = tempfile::tempdir().unwrap();
        let target = folder.path().canonicalize().unwrap().join("web.utm");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("config.plist"), "old").unwrap();
        let place = Place::bundle(&target, true, library.path()).unwrap();
        let workshop = place.workshop().unwrap();
        // Cut short between the two renames.
        fs::rename(&target, workshop.path().join(REPLACED)).unwrap();
        let _left = workshop.keep();
        let foreign = folder.path().join(".nestbox-0123456789ab-x.partial");
        fs::create_dir(&foreign).unwrap();
        sweep(&target, library.path()).unwrap();
        assert_eq!(fs::read_to_string(target.join("config.plist")).unwrap(), "old");
        assert!(foreign.exists(), "another library's");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
