//! Where something for the user is going to be: looked at before anything is written, named when all is complete.

use nestbox_model::{Error, Result};
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
        place.check(&|there| there.is_file() || there.is_symlink())?;
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
        })
    }

    /// What is there may be replaced, or nothing is there.
    fn check(&self, replaceable: &dyn Fn(&Metadata) -> bool) -> Result<()> {
        let Ok(there) = fs::symlink_metadata(&self.path) else {
            return Ok(());
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
            .prefix(".nestbox-")
            .suffix(".partial")
            .tempdir_in(&self.parent)
            .map_err(|error| Error::io("write into the folder", &self.parent, &error))
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
        self.check(&|there| there.is_file() || there.is_symlink())?;
        self.rename(made)
    }

    /// Names a folder that is complete and durable; one that is replaced goes.
    ///
    /// # Errors
    /// As [`Self::keep_file`].
    pub fn keep_folder(&self, made: &Path, workshop: &TempDir) -> Result<()> {
        self.check(&|there| there.is_symlink() || (there.is_dir() && is_bundle(&self.path)))?;
        if self.is_taken() {
            let aside = workshop.path().join("replaced");
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
