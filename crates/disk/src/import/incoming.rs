//! A private file on its way into the library: copied, renamed or written anew, judged, and then named or given back.

use crate::{
    copy,
    inspect::judge_qcow2,
    qcow2::convert::disk_to_qcow2,
    source::{OpenFile, Source},
    work::{self, Control},
};
use nestbox_model::{Error, Result};
use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// A file on its way into the library. Dropped before [`Self::keep`], it goes away, or back to where it came from.
pub(super) struct Incoming {
    /// `None` once it is kept or went back.
    file: Option<NamedTempFile>,
    /// Where a file that was renamed stood.
    pub came_from: Option<PathBuf>,
    /// Bytes the guest sees.
    pub capacity: u64,
    /// It was not closed properly.
    pub dirty: bool,
    /// We wrote it ourselves.
    raw: bool,
}

impl Incoming {
    pub(super) fn new(file: NamedTempFile) -> Self {
        Self {
            file: Some(file),
            came_from: None,
            capacity: 0,
            dirty: false,
            raw: false,
        }
    }

    pub(super) fn copied(source: &OpenFile, to: &Path, control: &Control) -> Result<Self> {
        let file = if source.is_whole() {
            copy::copy_to_temporary(&source.file, to, control)?.0
        } else {
            copy::copy_part(source, to, control)?
        };
        Ok(Self::new(file))
    }

    pub(super) fn converted(disk: &dyn Source, stored: u64, to: &Path, control: &Control) -> Result<Self> {
        let file = copy::temporary_for(to)?;
        work::need_space(to.parent().unwrap_or(Path::new("/")), stored.min(disk.length()))?;
        let capacity = disk_to_qcow2(disk, file.as_file(), to, control)?;
        file.as_file()
            .sync_all()
            .map_err(|error| Error::io("write the machine's disk", to, &error))?;
        let mut incoming = Self::new(file);
        incoming.capacity = capacity;
        incoming.raw = true;
        Ok(incoming)
    }

    /// Renames the user's file beside `to`; `None` if it is on another file system after all.
    pub(super) fn renamed(source: &OpenFile, from: &Path, to: &Path) -> Result<Option<Self>> {
        let own = source
            .file
            .try_clone()
            .map_err(|error| crate::source::unreadable(&error))?;
        let place = copy::temporary_for(to)?;
        let place = place.into_temp_path();
        match fs::rename(from, &place) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::CrossesDevices => return Ok(None),
            Err(error) => return Err(Error::io("move the file into the library", from, &error)),
        }
        let mut incoming = Self::new(NamedTempFile::from_parts(own, place));
        incoming.came_from = Some(from.to_owned());
        // What came under that name must be what was inspected; dropping puts it back.
        let facts = incoming.path().and_then(|path| fs::symlink_metadata(path).ok());
        let state = &source.state;
        if facts.is_none_or(|facts| (facts.dev(), facts.ino()) != (state.device, state.inode)) {
            return Err(copy::changed());
        }
        Ok(Some(incoming))
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(NamedTempFile::path)
    }

    /// Judges the private file; what we wrote ourselves needs no judging.
    pub(super) fn judge(&mut self) -> Result<()> {
        if self.raw {
            return Ok(());
        }
        let Some(file) = &self.file else { return Ok(()) };
        let (header, _) = judge_qcow2(file.as_file())?;
        self.capacity = header.capacity.next_multiple_of(512);
        self.dirty = header.dirty;
        Ok(())
    }

    pub(super) fn keep(mut self, to: &Path) -> Result<()> {
        let doing = "move the file into the library";
        let Some(file) = &self.file else { return Ok(()) };
        if self.came_from.is_some() {
            let failed = |error: &io::Error| Error::io(doing, to, error);
            fs::set_permissions(file.path(), Permissions::from_mode(0o600))
                .map_err(|error| failed(&error))?;
            file.as_file().sync_all().map_err(|error| failed(&error))?;
        }
        if fs::symlink_metadata(to).is_ok() {
            return Err(Error::conflict(
                "file-exists",
                format!("There is already a file {}.", to.display()),
            ));
        }
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        file.persist_noclobber(to).map_err(|error| {
            // Dropping gives it back.
            self.file = Some(error.file);
            copy::unnamed(to, &error.error)
        })?;
        work::sync_folder_of(to).map_err(|error| copy::unnamed(to, &error))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let (Some(file), Some(home)) = (self.file.take(), &self.came_from) else {
            return;
        };
        // Back to the user, under its old name; if that is taken by now, it stays where it is rather than be lost.
        let path = file.into_temp_path();
        let outcome = match fs::symlink_metadata(home) {
            Err(_) => fs::rename(&path, home),
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        };
        if let Err(error) = outcome {
            tracing::error!(path = %path.display(), home = %home.display(), %error, "a file could not be put back");
            let _ = path.keep();
        }
    }
}
