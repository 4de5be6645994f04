//! Taking an image out of a chain, and making one image of a whole chain.
//!
//! ```text
//! base ◀── top ◀── child      commit(top, base): base now shows what top shows; top is as it was
//! base ◀────────── child      set_backing(child, base): the child stands on base; nobody needs top
//! ```
//! Cut short anywhere, `top` still shows what it did: what was written to `base` lies under it.

use crate::{
    qcow2::Header,
    tools::{self, Limits},
    work,
};
use nestbox_model::{Error, Result};
use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where in the header the backing file's name begins and how long it is: QEMU's `docs/interop/qcow2.txt`, bytes 8 to 19.
const BACKING_NAME_AT: u64 = 8;
/// A tool that moves bytes gets a minute and, for each so many bytes, another second.
const BYTES_PER_SECOND_AT_LEAST: u64 = 2 << 20;

/// The name of the file that an image stands on, as its header has it.
///
/// # Errors
/// Whatever is wrong with the header, see [`Header::read`].
pub fn backing_name(image: &Path) -> Result<Option<String>> {
    let file = File::open(image).map_err(|error| Error::io("open a disk image", image, &error))?;
    Ok(Header::read(&file)?.backing_file)
}

/// Size of the disk that a qcow2 image shows, in bytes.
///
/// # Errors
/// Whatever is wrong with the header, see [`Header::read`].
pub fn capacity(image: &Path) -> Result<u64> {
    let file = File::open(image).map_err(|error| Error::io("open a disk image", image, &error))?;
    Ok(Header::read(&file)?.capacity)
}

/// Writes everything that `top` holds into `base`, on which it stands. `top` is not changed. Both are qcow2 images of
/// ours that nobody has open for writing; the chain below `base` must have passed [`crate::chain`]. Dropping the future
/// ends the work; it can be begun anew.
///
/// # Errors
/// `not-its-base` (conflict) when `top` does not stand on `base`; `image-in-use` (conflict), `no-space`,
/// `qemu-img-missing` (unfit), `tool-died`, `tool-timeout`, `tool-failed`.
pub async fn commit(top: &Path, base: &Path) -> Result<()> {
    let (top, base) = (absolute(top)?, absolute(base)?);
    check_stands_on(&top, &base)?;
    let bytes = crate::usage(&top);
    let arguments = ["commit", "-q", "-d", "-f", "qcow2", "-b"].map(OsStr::new);
    let arguments: Vec<&OsStr> = arguments
        .into_iter()
        .chain([base.as_os_str(), top.as_os_str()])
        .collect();
    let limits = Limits {
        file: file_length(&base)
            .saturating_add(bytes)
            .saturating_add(file_length(&top)),
        time: time_for(bytes),
    };
    tools::run(&arguments, &top, limits).await?;
    work::blocking(move || sync(&base)).await
}

/// Makes `image` stand on `name`, without touching its content: right only where that file shows what the one before
/// showed. Nobody may have the image open.
///
/// # Errors
/// `no-base` (conflict) when it stands on nothing; as [`commit`].
pub async fn set_backing(image: &Path, name: &str) -> Result<()> {
    let image = absolute(image)?;
    let old = backing_name(&image)?.ok_or_else(|| {
        Error::conflict("no-base", "The disk image stands on no other.")
            .with_detail("path", image.display().to_string())
    })?;
    if old == name {
        return Ok(());
    }
    if old.len() == name.len() {
        let name = name.to_owned();
        return work::blocking(move || overwrite_name(&image, &name)).await;
    }
    let arguments = ["rebase", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b", name].map(OsStr::new);
    let arguments: Vec<&OsStr> = arguments.into_iter().chain([image.as_os_str()]).collect();
    let limits = Limits {
        file: file_length(&image).saturating_add(1 << 20),
        time: Duration::from_secs(60),
    };
    tools::run(&arguments, &image, limits).await?;
    work::blocking(move || sync(&image)).await
}

/// Names of ours have one length, so that the new one takes the old one's place: one write, smaller than a sector.
fn overwrite_name(image: &Path, name: &str) -> Result<()> {
    let failed = |error: std::io::Error| Error::io("change what a disk image stands on", image, &error);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(image)
        .map_err(failed)?;
    let mut at = [0; 8];
    file.read_exact_at(&mut at, BACKING_NAME_AT).map_err(failed)?;
    file.write_all_at(name.as_bytes(), u64::from_be_bytes(at))
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// Makes the new image `target` of what `image` and everything it stands on show; it stands on nothing. `progress` gets
/// bytes written so far, as they appear. Dropping the future ends the work and leaves a partial file, to be removed.
///
/// # Errors
/// `file-exists` (conflict); as [`commit`].
pub async fn flatten(image: &Path, target: &Path, progress: &(dyn Fn(u64) + Send + Sync)) -> Result<()> {
    let (image, target) = (absolute(image)?, absolute(target)?);
    if target.exists() {
        return Err(Error::conflict("file-exists", "There is such a file already.")
            .with_detail("path", target.display().to_string()));
    }
    convert(&image, &target, None, progress).await
}

/// Writes the content of `image` anew as `target`, standing on the same base: what shows zeros or was marked as free takes
/// no room then. Both are compared before this returns. Dropping the future ends the work and leaves a partial file.
///
/// # Errors
/// `file-exists` (conflict); `content-differs`; as [`commit`].
pub async fn rewrite(image: &Path, target: &Path, progress: &(dyn Fn(u64) + Send + Sync)) -> Result<()> {
    let (image, target) = (absolute(image)?, absolute(target)?);
    if target.exists() {
        return Err(Error::conflict("file-exists", "There is such a file already.")
            .with_detail("path", target.display().to_string()));
    }
    let file = File::open(&image).map_err(|error| Error::io("open a disk image", &image, &error))?;
    let header = Header::read(&file)?;
    let base = header.backing_file.map(|name| {
        let format = header.backing_format.unwrap_or_else(|| "qcow2".to_owned());
        (name, format)
    });
    convert(&image, &target, base, progress).await?;
    compare(&image, &target).await
}

/// Whether two qcow2 images of ours show the same disk; both chains must have passed [`crate::chain`].
///
/// # Errors
/// What hinders comparing: `tool-failed` when one can't be read, `image-in-use`, `tool-timeout`, as [`commit`].
pub async fn same_content(one: &Path, other: &Path) -> Result<bool> {
    let (one, other) = (absolute(one)?, absolute(other)?);
    let arguments = ["compare", "-q", "-f", "qcow2", "-F", "qcow2"].map(OsStr::new);
    let arguments: Vec<&OsStr> = arguments
        .into_iter()
        .chain([one.as_os_str(), other.as_os_str()])
        .collect();
    let limits = Limits {
        file: 1 << 20,
        time: time_for(capacity(&one)?),
    };
    tools::compare(&arguments, &one, limits).await
}

/// # Errors
/// `content-differs` when the two images do not show the same; as [`same_content`].
async fn compare(one: &Path, other: &Path) -> Result<()> {
    if same_content(one, other).await? {
        return Ok(());
    }
    Err(Error::failed(
        "content-differs",
        "The new image does not show what the old one does.",
    )
    .with_hint("Check the disk for damage first: nestbox disk check"))
}

/// `base`: name and format of what the new image stands on, as it is written into it.
async fn convert(
    image: &Path,
    target: &Path,
    base: Option<(String, String)>,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<()> {
    let capacity = capacity(image)?;
    let arguments = ["convert", "-q", "-W", "-m", "16", "-f", "qcow2", "-O", "qcow2"].map(OsStr::new);
    let based: Vec<&OsStr> = match &base {
        Some((name, format)) => vec![
            OsStr::new("-B"),
            OsStr::new(name),
            OsStr::new("-F"),
            OsStr::new(format),
        ],
        None => Vec::new(),
    };
    let arguments: Vec<&OsStr> = arguments
        .into_iter()
        .chain(based)
        .chain([image.as_os_str(), target.as_os_str()])
        .collect();
    let limits = Limits {
        // Reference counts and tables come on top of what the guest sees.
        file: capacity.saturating_add(capacity / 1024).saturating_add(64 << 20),
        time: time_for(capacity),
    };
    let working = tools::run(&arguments, image, limits);
    tokio::pin!(working);
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            done = &mut working => break done?,
            _ = tick.tick() => progress(crate::usage(target)),
        }
    }
    let written = target.to_owned();
    work::blocking(move || sync(&written)).await
}

/// Makes `image` stand on the file `name` in its own folder, by writing into its first cluster: for images of ours, where
/// there is room behind the name. Nobody may have it open.
///
/// # Errors
/// `no-base` (conflict) when it stands on nothing; `image-damaged` (unsafe) where there is no room; whatever is wrong
/// with the header.
pub fn rename_backing(image: &Path, name: &str) -> Result<()> {
    let failed = |error: std::io::Error| Error::io("change what a disk image stands on", image, &error);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(image)
        .map_err(failed)?;
    let header = Header::read(&file)?;
    let Some(old) = header.backing_file else {
        return Err(Error::conflict("no-base", "The disk image stands on no other.")
            .with_detail("path", image.display().to_string()));
    };
    let no_room = || crate::refuse::damaged("there is no room for what it stands on");
    let mut fields = [0; 12];
    file.read_exact_at(&mut fields, BACKING_NAME_AT).map_err(failed)?;
    let at = u64::from_be_bytes(fields[..8].try_into().unwrap_or_default());
    let room = old.len().max(name.len());
    if at.saturating_add(room as u64) > 1 << header.cluster_bits || !crate::qcow2::create::is_plain_name(name)
    {
        return Err(no_room());
    }
    let mut place = vec![0; room];
    file.read_exact_at(&mut place, at).map_err(failed)?;
    if place[old.len()..].iter().any(|byte| *byte != 0) {
        return Err(no_room());
    }
    place.fill(0);
    place[..name.len()].copy_from_slice(name.as_bytes());
    fields[8..].copy_from_slice(&(name.len() as u32).to_be_bytes());
    file.write_all_at(&place, at)
        .and_then(|()| file.write_all_at(&fields, BACKING_NAME_AT))
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

fn check_stands_on(top: &Path, base: &Path) -> Result<()> {
    let name = backing_name(top)?.unwrap_or_default();
    let named = top.parent().unwrap_or(Path::new("/")).join(name);
    let same = named.canonicalize().ok().zip(base.canonicalize().ok());
    if same.is_some_and(|(named, base)| named == base) {
        return Ok(());
    }
    Err(
        Error::conflict("not-its-base", "The one disk image does not stand on the other.")
            .with_detail("top", top.display().to_string())
            .with_detail("base", base.display().to_string()),
    )
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Error::io("find a disk image", path, &error))
}

fn file_length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |facts| facts.len())
}

fn time_for(bytes: u64) -> Duration {
    Duration::from_secs(60 + bytes / BYTES_PER_SECOND_AT_LEAST)
}

fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| Error::io("secure a disk image on disk", path, &error))
}

/// Whether a qcow2 image holds anything of its own: a fresh overlay has a table of zeros.
///
/// # Errors
/// Whatever is wrong with the header, see [`Header::read`].
pub fn holds_data(image: &Path) -> Result<bool> {
    let failed = |error: std::io::Error| Error::io("read a disk image", image, &error);
    let file = File::open(image).map_err(failed)?;
    let header = Header::read(&file)?;
    // The header's own checks bound the table's length.
    let mut table = vec![0; header.l1_entries as usize * 8];
    file.read_exact_at(&mut table, header.l1_offset).map_err(failed)?;
    Ok(table.iter().any(|byte| *byte != 0))
}
