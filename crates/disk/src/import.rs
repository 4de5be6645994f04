//! Brings a judged disk image into a machine's folder.

mod incoming;

use crate::{
    Facts, Inspection,
    bundle::Checksum,
    copy::{self, SourceState},
    foreign::Alone,
    inspect::inspect_open,
    packed,
    qcow2::create::{Backing, create},
    source::{OpenFile, SharedSource, Source},
    tools,
    work::{self, Control, Progress},
};
use incoming::Incoming;
use nestbox_model::{Error, FileAction, ImageFormat, Result};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
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
/// * `copy`: a qcow2 is copied (by reflink where possible) and the copy judged again; a disk of any other format is
///   written anew as qcow2; what is compressed is unpacked and judged first. The user's file stays.
/// * `move`: a qcow2 is renamed into place if it is on the same file system, has no other name and is not reached by a
///   link; otherwise it is copied or written anew, and the original removed once that is durable (never for a link,
///   and never for what lies in several files).
/// * `link`: the image is an empty overlay on the user's file (qcow2 or raw), named by its absolute path.
///
/// # Errors
/// `not-a-disk` (usage) for an ISO; `several-disks` (usage) for a machine with more than one, see [`import_disks`];
/// `link-unsupported` (usage); `file-changed` (conflict) when a file is not what was inspected; `no-space`;
/// `name-not-unicode` (usage) when a file to be linked has a path that can't be written into an image; `file-exists`;
/// `cancelled`; whatever [`crate::inspect`] refuses. The user's file is as it was, and nothing is left behind.
pub async fn import_disk(
    inspection: &Inspection,
    action: FileAction,
    to: &Path,
    progress: Progress<'_>,
    cancel: &CancellationToken,
) -> Result<Imported> {
    if action == FileAction::Link {
        inspection.file.state.check(inspection.file())?;
        return link(inspection, to).await;
    }
    let only = |index: usize| if index == 0 { Some(to.to_owned()) } else { None };
    let mut all = import_all(inspection, action, &only, progress, cancel).await?;
    all.pop()
        .ok_or_else(|| Error::failed("internal-error", "The import made no disk."))
}

/// As [`import_disk`], for a machine with any number of disks: `name` says where each goes, in the order of the plan's
/// disks. Either all are made or none.
///
/// # Errors
/// As [`import_disk`].
pub async fn import_disks(
    inspection: &Inspection,
    action: FileAction,
    name: &(dyn Fn(usize) -> PathBuf + Send + Sync),
    progress: Progress<'_>,
    cancel: &CancellationToken,
) -> Result<Vec<Imported>> {
    if action == FileAction::Link {
        return Ok(vec![
            import_disk(inspection, action, &name(0), progress, cancel).await?,
        ]);
    }
    import_all(inspection, action, &|index| Some(name(index)), progress, cancel).await
}

type Names<'a> = &'a (dyn Fn(usize) -> Option<PathBuf> + Send + Sync);

async fn import_all(
    inspection: &Inspection,
    action: FileAction,
    name: Names<'_>,
    progress: Progress<'_>,
    cancel: &CancellationToken,
) -> Result<Vec<Imported>> {
    inspection.file.state.check(inspection.file())?;
    if inspection.disks.len() > 1 && name(inspection.disks.len() - 1).is_none() {
        return Err(several_disks());
    }
    let first = name(0).unwrap_or_default();
    let origin = Origin::of(inspection);
    let may_rename = action == FileAction::Move && can_rename(inspection, &first);
    let beside = first.clone();
    let disks = work::run(progress, cancel, move |control| {
        let disks = origin.bring_in(&beside, may_rename, control)?;
        control.go_on()?;
        Ok(disks)
    })
    .await?;
    let mut ready = Vec::new();
    for (index, incoming) in disks.into_iter().enumerate() {
        let to = name(index).ok_or_else(several_disks)?;
        ready.push((
            if incoming.dirty {
                mend(incoming).await?
            } else {
                incoming
            },
            to,
        ));
    }
    if cancel.is_cancelled() {
        return Err(Error::cancelled());
    }
    let removable = action == FileAction::Move && !inspection.is_link && inspection.is_one_file();
    let remove = removable.then(|| (inspection.real_path.clone(), inspection.file.state));
    work::blocking(move || keep_all(ready, remove)).await
}

/// Names all disks, durably, then removes the original where that was asked for.
fn keep_all(
    ready: Vec<(Incoming, PathBuf)>,
    remove: Option<(PathBuf, SourceState)>,
) -> Result<Vec<Imported>> {
    let (mut out, mut kept) = (Vec::new(), Vec::new());
    let mut renamed = false;
    for (incoming, to) in ready {
        renamed |= incoming.came_from.is_some();
        out.push(Imported {
            capacity: incoming.capacity,
            kept_in_place: true,
            linked: None,
        });
        if let Err(error) = incoming.keep(&to) {
            for made in &kept {
                // Ours: named a moment ago, and never over another file.
                let _ = fs::remove_file(made);
            }
            return Err(error);
        }
        kept.push(to);
    }
    let gone = renamed || remove.is_some_and(|(path, state)| remove_original(&path, &state));
    for imported in &mut out {
        imported.kept_in_place = !gone;
    }
    Ok(out)
}

/// Unpacks a compressed medium (ISO) to the new file `to`, and judges it.
///
/// # Errors
/// `not-a-medium` (usage) for anything but an ISO or a compressed one; as [`import_disk`] otherwise. Nothing is left
/// behind.
pub async fn unpack_medium(
    inspection: &Inspection,
    to: &Path,
    progress: Progress<'_>,
    cancel: &CancellationToken,
) -> Result<()> {
    let not_a_medium = || Error::usage("not-a-medium", "The file holds no CD or DVD image.");
    let Facts::Packed(packed) = &inspection.facts else {
        return Err(not_a_medium());
    };
    let (file, method, to) = (inspection.file.clone(), packed.method, to.to_owned());
    work::run(progress, cancel, move |control| {
        let unpacked = packed::unpack(&file, method, &to, control)?;
        let inside = open_unpacked(&unpacked)?;
        if !matches!(inside.facts, Facts::Iso(_)) {
            return Err(not_a_medium());
        }
        control.go_on()?;
        unpacked
            .as_file()
            .sync_all()
            .map_err(|error| Error::io("unpack the file into the library", &to, &error))?;
        copy::keep(unpacked, &to)
    })
    .await
}

fn open_unpacked(unpacked: &NamedTempFile) -> Result<Inspection> {
    let file = unpacked
        .reopen()
        .and_then(OpenFile::new)
        .map_err(|error| crate::source::unreadable(&error))?;
    inspect_open(file, unpacked.path(), &Alone)
}

fn several_disks() -> Error {
    Error::usage(
        "several-disks",
        "The machine has several disks, and room was made for one.",
    )
}

/// What is to be brought in, apart from the inspection, so that a worker can hold it.
enum Origin {
    Iso,
    Qcow2 {
        file: OpenFile,
        real_path: PathBuf,
    },
    Packed {
        file: OpenFile,
        method: packed::Method,
    },
    Bundle {
        disks: Vec<Origin>,
        checksums: Vec<Checksum>,
    },
    /// Anything that is written anew.
    Disk {
        disk: SharedSource,
        stored: u64,
    },
}

impl Origin {
    fn of(inspection: &Inspection) -> Self {
        let file = inspection.file.clone();
        match (&inspection.facts, &inspection.foreign) {
            (Facts::Iso(_), _) => Self::Iso,
            (Facts::Bundle(_), _) => Self::Bundle {
                disks: inspection.disks.iter().map(Self::of).collect(),
                checksums: inspection.checksums.clone(),
            },
            (Facts::Packed(packed), _) => Self::Packed {
                file,
                method: packed.method,
            },
            (Facts::Foreign(facts), Some(disk)) => Self::Disk {
                disk: disk.clone(),
                stored: facts.stored,
            },
            (Facts::Raw(_) | Facts::Foreign(_), _) => Self::Disk {
                disk: Arc::new(file),
                stored: inspection.allocated,
            },
            (Facts::Qcow2 { .. }, _) => Self::Qcow2 {
                file,
                real_path: inspection.real_path.clone(),
            },
        }
    }

    /// Makes private images beside `to`.
    fn bring_in(self, to: &Path, may_rename: bool, control: &Control) -> Result<Vec<Incoming>> {
        let incoming = match self {
            Self::Iso => {
                return Err(Error::usage(
                    "not-a-disk",
                    "An ISO is not a disk; it goes into the machine's CD drive.",
                ));
            }
            Self::Qcow2 { file, real_path } => {
                let renamed = if may_rename {
                    Incoming::renamed(&file, &real_path, to)?
                } else {
                    None
                };
                match renamed {
                    Some(incoming) => incoming,
                    None => Incoming::copied(&file, to, control)?,
                }
            }
            Self::Packed { file, method } => {
                let unpacked = packed::unpack(&file, method, to, control)?;
                return Self::bring_in_unpacked(unpacked, to, control);
            }
            Self::Bundle { disks, checksums } => {
                control.add_total(checksums.iter().map(|checksum| checksum.file.length()).sum());
                checksums
                    .iter()
                    .try_for_each(|checksum| checksum.verify(Some(control)))?;
                let mut all = Vec::new();
                for disk in disks {
                    all.extend(disk.bring_in(to, false, control)?);
                }
                return Ok(all);
            }
            Self::Disk { disk, stored } => Incoming::converted(&*disk, stored, to, control)?,
        };
        let mut incoming = incoming;
        incoming.judge()?;
        Ok(vec![incoming])
    }

    /// The unpacked file is ours, so a qcow2 stays as it is; what is something else is written anew.
    fn bring_in_unpacked(unpacked: NamedTempFile, to: &Path, control: &Control) -> Result<Vec<Incoming>> {
        let inside = open_unpacked(&unpacked)?;
        match &inside.facts {
            Facts::Packed(_) => Err(crate::refuse::nested()),
            Facts::Qcow2 { .. } => {
                unpacked
                    .as_file()
                    .sync_all()
                    .map_err(|error| Error::io("write the machine's disk", to, &error))?;
                let mut incoming = Incoming::new(unpacked);
                incoming.judge()?;
                Ok(vec![incoming])
            }
            _ => Self::of(&inside).bring_in(to, false, control),
        }
    }
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
    let format = match inspection.facts {
        Facts::Raw(_) => ImageFormat::Raw,
        Facts::Qcow2 { .. } => ImageFormat::Qcow2,
        _ => {
            return Err(Error::usage(
                "link-unsupported",
                "Only qcow2 and raw disks can be used where they are; this file must be written anew.",
            )
            .with_hint("Copy it into the library, or move it."));
        }
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
    let one_name =
        inspection.file.is_whole() && inspection.file().metadata().is_ok_and(|facts| facts.nlink() == 1);
    let same_system = to
        .parent()
        .and_then(|folder| fs::metadata(folder).ok())
        .is_some_and(|f| f.dev() == inspection.file.state.device);
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
