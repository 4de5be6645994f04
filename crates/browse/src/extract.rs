//! Makes the files that come out of a disk.
//!
//! Everything is made below one temporary folder beside its destination, by descriptors and plain names: no link on the
//! way is followed and nothing outside is touched. When all is there it gets its name; before that, cancelling or
//! failing removes it.

use crate::client::{Helper, Said, Session, is_plain_name, judge_text, nonsense, refused};
use crate::names;
use crate::protocol::{Reply, Work};
use nestbox_model::{CopiedOut, Error, ImageFormat, Result, SkippedFile};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Timespec, Timestamps};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// Most that is told of what was not copied.
const SKIPPED_MAX: usize = 1000;
/// Deepest path that is made.
const DEPTH_MAX: usize = 256;

/// Why a file is passed over that this computer can't keep.
const TOO_LARGE: &str = "It is larger than the destination's file system can keep.";

/// What to copy where.
#[derive(Clone, Debug)]
pub struct CopyOut {
    /// `[VOLUME:]/PATH` each.
    pub paths: Vec<String>,
    /// An existing folder, or for one path the new file or folder; absolute.
    pub to: PathBuf,
    /// Replace files that are there.
    pub overwrite: bool,
}

/// Copies files and folders out of the disk that `images` make, the active image first. Blocks; `progress` gets bytes
/// written so far. Whatever happens, no half-made file stays.
///
/// # Errors
/// As [`crate::list`]; `file-exists` (conflict) without `overwrite`; `not-a-folder` (usage) for several paths and a
/// destination that is none; `no-space`, `permission-denied`, `file-not-found`; `cancelled`.
pub fn copy_out(
    helper: &Helper,
    images: &[(File, ImageFormat)],
    request: &CopyOut,
    cancel: &CancellationToken,
    progress: &dyn Fn(u64),
) -> Result<CopiedOut> {
    let target = Target::find(&request.to, request.paths.len())?;
    let work = Work::Copy {
        paths: request.paths.clone(),
    };
    let mut session = Session::start(helper, images, work, cancel)?;
    let staging = Staging::make(&target.folder)?;
    let mut writer = Writer {
        target: &target,
        staging: &staging,
        tops: Vec::new(),
        overwrite: request.overwrite,
        file: None,
        result: CopiedOut::default(),
    };
    loop {
        match session.next()? {
            Said::Reply(Reply::Done { .. }) if writer.file.is_none() => break,
            Said::Reply(Reply::Failed { reason, what }) => {
                return Err(refused(reason, &what, &request.paths.join(", ")));
            }
            said => writer.take(said)?,
        }
        progress(writer.bytes());
    }
    writer.publish()?;
    Ok(writer.result)
}

/// Where things go.
struct Target {
    folder: Folder,
    /// The new name of the one thing that is copied.
    name: Option<String>,
}

/// An open folder and its path, for errors.
struct Folder {
    descriptor: OwnedFd,
    path: PathBuf,
}

impl Folder {
    fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::NOTDIR => Error::usage("not-a-folder", format!("“{}” is not a folder.", path.display())),
            other => Error::io("open the destination", path, &other.into()),
        })?;
        Ok(Self {
            descriptor,
            path: path.to_owned(),
        })
    }

    fn error(&self, doing: &str, name: &str, errno: Errno) -> Error {
        Error::io(doing, &self.path.join(name), &errno.into())
    }
}

impl Target {
    fn find(to: &Path, count: usize) -> Result<Self> {
        if !to.is_absolute() {
            return Err(
                Error::usage("path-not-absolute", "The destination is no absolute path.")
                    .with_detail("path", to.display().to_string()),
            );
        }
        if to.is_dir() || count != 1 {
            return Ok(Self {
                folder: Folder::open(to)?,
                name: None,
            });
        }
        let name = to.file_name().and_then(|name| name.to_str());
        let (Some(parent), Some(name)) = (to.parent(), name) else {
            return Err(Error::usage("bad-value", "The destination has no name.")
                .with_detail("path", to.display().to_string()));
        };
        Ok(Self {
            folder: Folder::open(parent)?,
            name: Some(name.to_owned()),
        })
    }
}

/// The temporary folder; it goes with whatever is left in it.
struct Staging<'a> {
    parent: &'a Folder,
    name: String,
    descriptor: OwnedFd,
}

impl<'a> Staging<'a> {
    fn make(parent: &'a Folder) -> Result<Self> {
        let name = format!(".nestbox-copy-{}", uuid::Uuid::new_v4().simple());
        rustix::fs::mkdirat(&parent.descriptor, &name, Mode::RWXU)
            .map_err(|errno| parent.error("make a folder", &name, errno))?;
        let descriptor = open_folder(parent.descriptor.as_fd(), &name)
            .map_err(|errno| parent.error("open a folder", &name, errno))?;
        Ok(Self {
            parent,
            name,
            descriptor,
        })
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        // A random name that was made a moment ago, and std's removal follows no links.
        let _ = std::fs::remove_dir_all(self.parent.path.join(&self.name));
    }
}

fn open_folder(parent: BorrowedFd<'_>, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

/// The file that is being written.
struct Open {
    file: File,
    path: Vec<String>,
    size: u64,
    at: u64,
    modified: Option<i64>,
}

struct Writer<'a> {
    target: &'a Target,
    staging: &'a Staging<'a>,
    /// Final names of what is copied, in order.
    tops: Vec<String>,
    overwrite: bool,
    file: Option<Open>,
    result: CopiedOut,
}

impl Writer<'_> {
    fn bytes(&self) -> u64 {
        self.result.bytes + self.file.as_ref().map_or(0, |file| file.at)
    }

    fn take(&mut self, said: Said<'_>) -> Result<()> {
        match (said, self.file.is_some()) {
            (Said::Data(bytes), true) => self.data(bytes),
            (Said::Hole(length), true) => self.hole(length),
            (Said::Reply(Reply::FileEnd), true) => self.end(),
            (Said::Reply(Reply::FileDamaged(why)), true) => self.give_up(&judge_text(why)?),
            (Said::Reply(Reply::Folder(path)), false) => self.folder(&path),
            (Said::Reply(Reply::File { path, size, modified }), false) => self.begin(&path, size, modified),
            (Said::Reply(Reply::Skipped { path, why }), _) => {
                let (path, why) = (judge_text(path)?, judge_text(why)?);
                self.skip(path, why);
                Ok(())
            }
            (Said::Reply(Reply::Note(_)), false) => Ok(()),
            // What follows a file that was passed over.
            (Said::Data(_) | Said::Hole(_) | Said::Reply(Reply::FileEnd | Reply::FileDamaged(_)), false) => {
                Ok(())
            }
            _ => Err(nonsense()),
        }
    }

    fn skip(&mut self, path: String, why: String) {
        if self.result.skipped.len() < SKIPPED_MAX {
            self.result.skipped.push(SkippedFile { path, why });
        }
    }

    /// The names that a path gets here: the first is the destination's, if that was given.
    fn place(&mut self, path: &[String]) -> Result<Vec<String>> {
        if path.is_empty() || path.len() > DEPTH_MAX || !path.iter().all(|name| is_plain_name(name)) {
            return Err(nonsense());
        }
        let mut names: Vec<String> = path.iter().map(|name| on_this_computer(name)).collect();
        if let Some(name) = &self.target.name {
            names[0].clone_from(name);
        }
        if path.len() == 1 {
            let name = names[0].clone();
            self.check_free(&name)?;
            if self.tops.contains(&name) {
                return Err(taken(&self.target.folder.path.join(&name)));
            }
            self.tops.push(name);
        }
        Ok(names)
    }

    /// Told early, before bytes are copied in vain; that nothing is replaced is made sure of at the end.
    fn check_free(&self, name: &str) -> Result<()> {
        let folder = &self.target.folder;
        let there = rustix::fs::statat(&folder.descriptor, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        if there && !self.overwrite {
            return Err(taken(&folder.path.join(name)));
        }
        Ok(())
    }

    /// Opens the folder that holds the last of `names`.
    fn parent(&self, names: &[String]) -> rustix::io::Result<OwnedFd> {
        let mut folder = self.staging.descriptor.try_clone().map_err(|_| Errno::MFILE)?;
        for name in &names[..names.len() - 1] {
            folder = open_folder(folder.as_fd(), name)?;
        }
        Ok(folder)
    }

    fn folder(&mut self, path: &[String]) -> Result<()> {
        let names = self.place(path)?;
        let mode = Mode::from_raw_mode(0o755);
        let made = self
            .parent(&names)
            .and_then(|parent| rustix::fs::mkdirat(parent, names[names.len() - 1].as_str(), mode));
        match made {
            Ok(()) => self.result.folders += 1,
            Err(errno) => self.refused(path, errno)?,
        }
        Ok(())
    }

    fn begin(&mut self, path: &[String], size: u64, modified: Option<i64>) -> Result<()> {
        let names = self.place(path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Never executable, whatever it was in the guest.
        let opened = self.parent(&names).and_then(|parent| {
            rustix::fs::openat(
                parent,
                names[names.len() - 1].as_str(),
                flags,
                Mode::from_raw_mode(0o644),
            )
        });
        match opened {
            Ok(descriptor) => {
                self.file = Some(Open {
                    file: File::from(descriptor),
                    path: names,
                    size,
                    at: 0,
                    modified,
                });
            }
            Err(errno) => self.refused(path, errno)?,
        }
        Ok(())
    }

    /// Whether one entry that can't be made ends all.
    fn refused(&mut self, path: &[String], errno: Errno) -> Result<()> {
        let why = match errno {
            Errno::EXIST => {
                "Another of this name was copied already: this computer takes both names for one."
            }
            Errno::NAMETOOLONG => "Its name is too long for this computer.",
            Errno::ILSEQ | Errno::INVAL => "Its name is not possible on this computer.",
            // The folder above was passed over.
            Errno::NOENT | Errno::NOTDIR if path.len() > 1 => "The folder that it is in was not copied.",
            other => return Err(self.target.folder.error("write", &path.join("/"), other)),
        };
        self.skip(format!("/{}", path.join("/")), why.to_owned());
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<()> {
        self.advance(bytes.len() as u64)?;
        let Some(open) = &self.file else {
            return Ok(());
        };
        match open.file.write_all_at(bytes, open.at - bytes.len() as u64) {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => self.give_up(TOO_LARGE),
            Err(error) => Err(self.io("write", &open.path, &error)),
            Ok(()) => Ok(()),
        }
    }

    fn hole(&mut self, length: u64) -> Result<()> {
        self.advance(length)
    }

    fn advance(&mut self, length: u64) -> Result<()> {
        let open = self.file.as_mut().ok_or_else(nonsense)?;
        open.at = open
            .at
            .checked_add(length)
            .filter(|at| *at <= open.size)
            .ok_or_else(nonsense)?;
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let Some(open) = self.file.take() else {
            return Ok(());
        };
        if open.at != open.size {
            self.file = Some(open);
            return self.give_up("It is shorter than it says.");
        }
        // A hole at the end counts, too.
        match open.file.set_len(open.size) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidInput
                ) =>
            {
                self.file = Some(open);
                return self.give_up(TOO_LARGE);
            }
            Err(error) => return Err(self.io("write", &open.path, &error)),
            Ok(()) => {}
        }
        if let Some(seconds) = open.modified {
            let time = Timespec {
                tv_sec: seconds,
                tv_nsec: 0,
            };
            let times = Timestamps {
                last_access: time,
                last_modification: time,
            };
            // A time that this computer can't keep is no reason to fail.
            let _ = rustix::fs::futimens(&open.file, &times);
        }
        self.result.files += 1;
        self.result.bytes += open.size;
        Ok(())
    }

    /// Removes the file that was begun.
    fn give_up(&mut self, why: &str) -> Result<()> {
        let Some(open) = self.file.take() else {
            return Ok(());
        };
        let removed = self.parent(&open.path).and_then(|parent| {
            rustix::fs::unlinkat(parent, open.path[open.path.len() - 1].as_str(), AtFlags::empty())
        });
        removed.map_err(|errno| self.target.folder.error("remove", &open.path.join("/"), errno))?;
        if open.path.len() == 1 {
            self.tops.pop();
        }
        self.skip(format!("/{}", open.path.join("/")), why.to_owned());
        Ok(())
    }

    fn io(&self, doing: &str, path: &[String], error: &io::Error) -> Error {
        Error::io(doing, &self.target.folder.path.join(path.join("/")), error)
    }

    /// Gives everything its name.
    fn publish(&mut self) -> Result<()> {
        for name in std::mem::take(&mut self.tops) {
            let (from, to) = (
                self.staging.descriptor.as_fd(),
                self.target.folder.descriptor.as_fd(),
            );
            // Where nothing could be made there is nothing to name.
            if rustix::fs::statat(from, name.as_str(), AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                publish(from, to, &name, self.overwrite, 0)
                    .map_err(|errno| self.target.folder.named(&name, errno))?;
            }
        }
        Ok(())
    }
}

impl Folder {
    fn named(&self, name: &str, errno: Errno) -> Error {
        match errno {
            Errno::EXIST | Errno::NOTEMPTY | Errno::ISDIR | Errno::NOTDIR => taken(&self.path.join(name)),
            other => self.error("write", name, other),
        }
    }
}

/// Moves `name` from one folder to another. With `overwrite`, files take the place of files, and a folder's entries join
/// those of the folder that is there.
fn publish(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &str,
    overwrite: bool,
    depth: usize,
) -> rustix::io::Result<()> {
    match rename_to_free(from, to, name) {
        Err(Errno::EXIST) if overwrite && depth <= DEPTH_MAX => {}
        other => return other,
    }
    let kind = |folder: BorrowedFd<'_>| -> rustix::io::Result<FileType> {
        let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(stat.st_mode))
    };
    match (kind(from)?, kind(to)?) {
        (FileType::RegularFile, FileType::RegularFile) => rustix::fs::renameat(from, name, to, name),
        (FileType::Directory, FileType::Directory) => {
            let (below, there) = (open_folder(from, name)?, open_folder(to, name)?);
            let mut entries = Vec::new();
            for entry in rustix::fs::Dir::read_from(&below)? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                if name != "." && name != ".." {
                    entries.push(name);
                }
            }
            for entry in entries {
                publish(below.as_fd(), there.as_fd(), &entry, overwrite, depth + 1)?;
            }
            Ok(())
        }
        // A folder and a file, a link, a device: whatever it is, it is somebody's.
        _ => Err(Errno::EXIST),
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_to_free(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &str) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(from, name, to, name, RenameFlags::NOREPLACE) {
        // Some network file systems can't; then a look before must do.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            match rustix::fs::statat(to, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) => Err(Errno::EXIST),
                Err(_) => rustix::fs::renameat(from, name, to, name),
            }
        }
        other => other,
    }
}

fn taken(path: &Path) -> Error {
    Error::conflict(
        "file-exists",
        format!("There is such a file already: {}", path.display()),
    )
    .with_hint("Choose another place, or say that it may be replaced (--overwrite).")
    .with_detail("path", path.display().to_string())
}

/// The name that a file gets here: what is stored, where that is text; else the form in which it is shown.
fn on_this_computer(shown: &str) -> String {
    match String::from_utf8(names::bytes(shown)) {
        Ok(name) if is_plain_name(&name) => name,
        _ => shown.to_owned(),
    }
}
