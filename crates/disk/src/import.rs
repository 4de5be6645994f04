//! Brings a judged disk image into a machine's folder.

use crate::{
    Facts, Inspection,
    copy::{self, SourceState},
    inspect::judge_qcow2,
    qcow2::{
        convert::raw_to_qcow2,
        create::{Backing, create},
    },
    tools,
    work::{self, Control, Progress},
};
use nestbox_model::{Error, FileAction, ImageFormat, Result};
use std::{
    fs::{self, File, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

/// A disk that was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Bytes the guest sees.
    pub capacity: u64,
    /// The user's file is where it was.
    pub kept_in_place: bool,
    /// The user's file is read from now on, at this path, and must stay there (action `link`).
    pub linked: Option<PathBuf>,
}

/// Makes the qcow2 image `to` of the disk that was inspected. When this returns it is complete and durable.
///
/// * `copy`: a qcow2 is copied (by reflink where possible) and the copy judged again; a raw disk is written into a
///   qcow2. The user's file stays.
/// * `move`: a qcow2 is renamed into place if it is on the same file system, has no other name and is not reached by a
///   link; otherwise it is copied, and the original removed once the copy is durable (never for a link).
/// * `link`: the image is an empty overlay on the user's file, named by its absolute path.
///
/// # Errors
/// `not-a-disk` (usage) for an ISO; `file-changed` (conflict) when the file is not what was inspected; `no-space`;
/// `name-not-unicode` (usage) when a file to be linked has a path that can't be written into an image; `file-exists`;
/// `cancelled`; whatever [`crate::inspect`] refuses. The user's file is as it was, and nothing is left behind.
pub async fn import_disk(
    inspection: &Inspection,
    action: FileAction,
    to: &Path,
    progress: Progress<'_>,
    cancel: &CancellationToken,
) -> Result<Imported> {
    let raw = match &inspection.facts {
        Facts::Qcow2 { .. } => false,
        Facts::Raw(_) => true,
        Facts::Iso(_) => {
            return Err(Error::usage(
                "not-a-disk",
                "An ISO is not a disk; it goes into the machine's CD drive.",
            ));
        }
    };
    inspection.state.check(&inspection.file)?;
    if action == FileAction::Link {
        return link(inspection, to).await;
    }
    let by_rename = action == FileAction::Move && !raw && can_rename(inspection, to);
    let source = inspection
        .file
        .try_clone()
        .map_err(|error| crate::source::unreadable(&error))?;
    let (real_path, state, target) = (inspection.real_path.clone(), inspection.state, to.to_owned());
    let incoming = work::run(progress, cancel, move |control| {
        let mut incoming = if by_rename {
            match Incoming::renamed(
                source.try_clone().map_err(|e| crate::source::unreadable(&e))?,
                &real_path,
                &state,
                &target,
            )? {
                Some(incoming) => incoming,
                None => Incoming::copied(&source, &target, control)?,
            }
        } else if raw {
            Incoming::converted(&source, &state, &target, control)?
        } else {
            Incoming::copied(&source, &target, control)?
        };
        incoming.judge()?;
        control.go_on()?;
        Ok(incoming)
    })
    .await?;
    let incoming = if incoming.dirty {
        mend(incoming).await?
    } else {
        incoming
    };
    if cancel.is_cancelled() {
        return Err(Error::cancelled());
    }
    let capacity = incoming.capacity;
    let remove = (action == FileAction::Move && !inspection.is_link).then(|| inspection.real_path.clone());
    let (state, to) = (inspection.state, to.to_owned());
    let kept_in_place = work::blocking(move || {
        let renamed = incoming.came_from.is_some();
        incoming.keep(&to)?;
        Ok(match remove {
            _ if renamed => false,
            None => true,
            Some(original) => !remove_original(&original, &state),
        })
    })
    .await?;
    Ok(Imported {
        capacity,
        kept_in_place,
        linked: None,
    })
}

async fn link(inspection: &Inspection, to: &Path) -> Result<Imported> {
    let path = &inspection.real_path;
    let Some(name) = path.to_str() else {
        return Err(Error::usage(
            "name-not-unicode",
            "The file can't be used where it is, since its path has letters that are no Unicode.",
        )
        .with_hint("Rename the file, or copy it into the library."));
    };
    let format = if matches!(inspection.facts, Facts::Raw(_)) {
        ImageFormat::Raw
    } else {
        ImageFormat::Qcow2
    };
    if let Facts::Qcow2 { header, .. } = &inspection.facts
        && header.dirty
    {
        return Err(Error::unsafe_input(
            "image-damaged",
            "The image was not closed properly, and a file that is used in place can't be repaired.",
        )
        .with_hint("Copy it into the library instead, or repair it first: qemu-img check -r all FILE"));
    }
    let capacity = inspection.capacity();
    create(
        to,
        capacity,
        Some(Backing {
            path,
            format,
            stored_as: name.to_owned(),
        }),
    )
    .await?;
    Ok(Imported {
        capacity,
        kept_in_place: true,
        linked: Some(path.clone()),
    })
}

/// A file on its way into the library. Dropped before [`Self::keep`], it goes away, or back to where it came from.
struct Incoming {
    /// `None` once it is kept or went back.
    file: Option<NamedTempFile>,
    /// Where a file that was renamed stood.
    came_from: Option<PathBuf>,
    capacity: u64,
    dirty: bool,
    raw: bool,
}

impl Incoming {
    fn copied(source: &File, to: &Path, control: &Control) -> Result<Self> {
        let (file, _) = copy::copy_to_temporary(source, to, control)?;
        Ok(Self {
            file: Some(file),
            came_from: None,
            capacity: 0,
            dirty: false,
            raw: false,
        })
    }

    fn converted(source: &File, state: &SourceState, to: &Path, control: &Control) -> Result<Self> {
        let file = copy::temporary_for(to)?;
        work::need_space(
            to.parent().unwrap_or(Path::new("/")),
            state.allocated.min(state.length),
        )?;
        let capacity = raw_to_qcow2(source, state, file.as_file(), to, control)?;
        file.as_file()
            .sync_all()
            .map_err(|error| Error::io("write the machine's disk", to, &error))?;
        Ok(Self {
            file: Some(file),
            came_from: None,
            capacity,
            dirty: false,
            raw: true,
        })
    }

    /// Renames the user's file beside `to`; `None` if it is on another file system after all.
    fn renamed(source: File, from: &Path, state: &SourceState, to: &Path) -> Result<Option<Self>> {
        let place = copy::temporary_for(to)?;
        let place = place.into_temp_path();
        match fs::rename(from, &place) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::CrossesDevices => return Ok(None),
            Err(error) => return Err(Error::io("move the file into the library", from, &error)),
        }
        let incoming = Self {
            file: Some(NamedTempFile::from_parts(source, place)),
            came_from: Some(from.to_owned()),
            capacity: 0,
            dirty: false,
            raw: false,
        };
        // What came under that name must be what was inspected; dropping puts it back.
        let facts = incoming.path().and_then(|path| fs::symlink_metadata(path).ok());
        if facts.is_none_or(|facts| (facts.dev(), facts.ino()) != (state.device, state.inode)) {
            return Err(copy::changed());
        }
        Ok(Some(incoming))
    }

    fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(NamedTempFile::path)
    }

    /// Judges the private file; what we wrote ourselves needs no judging.
    fn judge(&mut self) -> Result<()> {
        if self.raw {
            return Ok(());
        }
        let Some(file) = &self.file else { return Ok(()) };
        let (header, _) = judge_qcow2(file.as_file())?;
        self.capacity = header.capacity.next_multiple_of(512);
        self.dirty = header.dirty;
        Ok(())
    }

    fn keep(mut self, to: &Path) -> Result<()> {
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
        self.came_from = None;
        match self.file.take() {
            Some(file) => copy::keep(file, to),
            None => Ok(()),
        }
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

/// Repairs the private copy of an image that was not closed properly, and judges it once more.
async fn mend(mut incoming: Incoming) -> Result<Incoming> {
    if let Some(path) = incoming.path().map(Path::to_owned) {
        tools::repair(&path).await?;
        work::blocking(move || {
            incoming.judge()?;
            Ok(incoming)
        })
        .await
    } else {
        Ok(incoming)
    }
}

/// The file can be taken over as it is, without a copy.
fn can_rename(inspection: &Inspection, to: &Path) -> bool {
    let one_name = inspection.file.metadata().is_ok_and(|facts| facts.nlink() == 1);
    let same_system = to
        .parent()
        .and_then(|folder| fs::metadata(folder).ok())
        .is_some_and(|f| f.dev() == inspection.state.device);
    one_name && same_system && !inspection.is_link
}

/// Removes the original after its copy is safe; only if the name still means the file that was copied.
fn remove_original(path: &Path, state: &SourceState) -> bool {
    let same = fs::symlink_metadata(path)
        .is_ok_and(|facts| (facts.dev(), facts.ino()) == (state.device, state.inode));
    match same.then(|| fs::remove_file(path)) {
        Some(Ok(())) => true,
        Some(Err(error)) => {
            tracing::warn!(path = %path.display(), %error, "the original could not be removed");
            false
        }
        None => false,
    }
}
