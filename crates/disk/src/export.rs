//! Disks and machines written for other programs.
//!
//! What is written is private until it is complete and durable: it is made in a folder beside its place that goes away
//! by itself, and then gets its name. `qemu-img`, confined, writes other programs' formats, from images that are ours or
//! were judged; what is only read anew (qcow2, raw) is written by our own code.

mod ova;
mod ovf;
mod place;
pub mod tar;
pub mod utm;

pub use ova::{OvaDisk, write_ova};
pub use place::{Place, sweep};

use crate::{
    Facts, Inspection, import_disk,
    qcow2::convert::disk_to_raw,
    source::Source,
    tools::{self, Limits},
    work::{self, Progress},
};
use nestbox_model::{Error, ExportFormat, FileAction, ImageFormat, Result};
use sha2::{Digest, Sha256};
use std::{
    ffi::OsStr,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// The slowest that a tool may be before it counts as stuck, bytes of the disk in a second.
const BYTES_PER_SECOND_AT_LEAST: u64 = 1 << 20;
/// Bytes hashed at once.
const PIECE: usize = 1 << 20;

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Absolute path.
    pub path: PathBuf,
    /// Bytes.
    pub bytes: u64,
}

/// An image of a machine's that was judged, with everything it stands on ([`crate::chain`]).
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// Path.
    pub path: &'a Path,
    /// Its format; never guessed.
    pub format: ImageFormat,
    /// Bytes that a guest sees.
    pub capacity: u64,
}

/// Writes the disk that `image` shows to the new file `to` in the format of one disk. `progress` gets bytes of the disk.
/// The file is complete when this returns, and durable once [`sync`] did its work. Cancelled, it leaves a partial one.
///
/// # Errors
/// `no-space`, `qemu-img-missing` (unfit), `image-in-use` (conflict), `tool-died`, `tool-timeout`, `tool-failed`,
/// `cancelled`; `not-a-disk-format` (usage) for a format of whole machines.
pub async fn write_disk(
    image: Judged<'_>,
    to: &Path,
    format: ExportFormat,
    compress: bool,
    progress: Progress<'_>,
    cancel: &CancellationToken,
) -> Result<()> {
    let mut words = vec!["convert", "-p", "-m", "16", "-f", image.format.as_str()];
    let options: &[&str] = match format {
        ExportFormat::Qcow2 if compress => &["-c", "-O", "qcow2"],
        ExportFormat::Qcow2 => &["-W", "-O", "qcow2"],
        ExportFormat::Raw => &["-W", "-O", "raw"],
        ExportFormat::Vmdk => &[
            "-O",
            "vmdk",
            "-o",
            "subformat=streamOptimized,adapter_type=lsilogic",
        ],
        ExportFormat::Vdi => &["-W", "-O", "vdi"],
        ExportFormat::Vhdx => &["-W", "-O", "vhdx", "-o", "subformat=dynamic"],
        ExportFormat::Ova | ExportFormat::Utm => return Err(not_a_disk_format(format)),
    };
    words.extend(options);
    let arguments: Vec<&OsStr> = words
        .into_iter()
        .map(OsStr::new)
        .chain([image.path.as_os_str(), to.as_os_str()])
        .collect();
    let capacity = image.capacity;
    let limits = Limits {
        // Tables come on top of what the guest sees; what does not compress gets longer.
        file: capacity.saturating_add(capacity / 16).saturating_add(64 << 20),
        time: Duration::from_secs(60 + capacity / BYTES_PER_SECOND_AT_LEAST),
    };
    let report = |part: f64| progress((part * capacity as f64) as u64, capacity);
    tokio::select! {
        done = tools::run_reporting(&arguments, image.path, limits, &report) => done,
        () = cancel.cancelled() => Err(Error::cancelled()),
    }
}

/// Writes the disk in a file that was inspected to `place`, in another format. The file itself is not changed, and no
/// tool opens anything but raw disks and private copies that were judged. Progress is of one step after the other.
///
/// # Errors
/// `not-a-disk` (usage) for an ISO, `several-disks` (usage), `not-a-disk-format` (usage), as [`import_disk`] and
/// [`write_disk`]. Nothing is left behind.
pub async fn convert(
    inspection: &Inspection,
    place: &Place,
    format: ExportFormat,
    progress: Progress<'_>,
    cancel: &CancellationToken,
) -> Result<Written> {
    if format.is_whole_machine() {
        return Err(not_a_disk_format(format));
    }
    work::need_space(place.parent(), inspection.allocated.min(inspection.capacity()))?;
    let workshop = place.workshop()?;
    let made = workshop.path().join("made");
    let read_only_once = match (&inspection.facts, &inspection.foreign) {
        (Facts::Raw(_), _) => Some(Arc::new(inspection.file.clone()) as _),
        (Facts::Foreign(_), Some(disk)) => Some(disk.clone()),
        _ => None,
    };
    match (read_only_once, format) {
        (Some(_), ExportFormat::Qcow2) => {
            import_disk(inspection, FileAction::Copy, &made, progress, cancel).await?;
        }
        (Some(disk), ExportFormat::Raw) => {
            let to = made.clone();
            work::run(progress, cancel, move |control| {
                let out = File::create_new(&to).map_err(|error| Error::io("write the disk", &to, &error))?;
                disk_to_raw(&*disk, &out, &to, control).map(drop)
            })
            .await?;
        }
        (Some(_), _) if matches!(inspection.facts, Facts::Raw(_)) && inspection.file.is_whole() => {
            let image = Judged {
                path: &inspection.real_path,
                format: ImageFormat::Raw,
                capacity: inspection.capacity(),
            };
            write_disk(image, &made, format, false, progress, cancel).await?;
            // Read by its name: the name must still mean the file that was judged, and that one be unchanged.
            inspection.file.state.check_name(&inspection.real_path)?;
            inspection.file.check_unchanged()?;
        }
        _ => {
            let copy = workshop.path().join("copy.qcow2");
            let copied = import_disk(inspection, FileAction::Copy, &copy, progress, cancel).await?;
            let image = Judged {
                path: &copy,
                format: ImageFormat::Qcow2,
                capacity: copied.capacity,
            };
            write_disk(image, &made, format, false, progress, cancel).await?;
        }
    }
    let to_sync = made.clone();
    let bytes = work::blocking(move || sync(&to_sync)).await?;
    place.keep_file(&made)?;
    Ok(Written {
        path: place.path().to_owned(),
        bytes,
    })
}

/// Makes a file durable; its length in bytes.
///
/// # Errors
/// `io-error` and friends.
pub fn sync(path: &Path) -> Result<u64> {
    let failed = |error: std::io::Error| Error::io("secure a file on disk", path, &error);
    let file = File::open(path).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    Ok(file.metadata().map_err(failed)?.len())
}

/// Makes a file durable and computes its SHA-256 (in hexadecimal) meanwhile; with its length in bytes.
///
/// # Errors
/// `io-error` and friends; `cancelled`.
pub async fn sync_and_hash(path: &Path, cancel: &CancellationToken) -> Result<(u64, String)> {
    let (path, cancel) = (path.to_owned(), cancel.clone());
    work::blocking(move || {
        std::thread::scope(|scope| {
            let syncing = scope.spawn(|| sync(&path));
            let hash = hash_file(&path, &cancel);
            let bytes = syncing.join().unwrap_or_else(|_| {
                Err(Error::failed(
                    "internal-error",
                    "A part of Nestbox failed while it secured a file.",
                ))
            })?;
            Ok((bytes, hash?))
        })
    })
    .await
}

fn hash_file(path: &Path, cancel: &CancellationToken) -> Result<String> {
    let failed = |error: std::io::Error| Error::io("read a file", path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        if cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        let length = file.read(&mut piece).map_err(failed)?;
        if length == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&piece[..length]);
    }
}

/// The format that a file's name asks for.
///
/// # Errors
/// `format-unclear` (usage).
pub fn format_of(name: &Path) -> Result<ExportFormat> {
    let ending = name
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    Ok(match ending.as_str() {
        "qcow2" | "qcow" => ExportFormat::Qcow2,
        "raw" | "img" => ExportFormat::Raw,
        "vmdk" => ExportFormat::Vmdk,
        "vdi" => ExportFormat::Vdi,
        "vhdx" => ExportFormat::Vhdx,
        "ova" => ExportFormat::Ova,
        "utm" => ExportFormat::Utm,
        _ => {
            return Err(Error::usage(
                "format-unclear",
                "The file's name does not say in which format it should be written.",
            )
            .with_hint("Give it an ending (qcow2, raw, vmdk, vdi, vhdx, ova, utm), or name the format."));
        }
    })
}

fn not_a_disk_format(format: ExportFormat) -> Error {
    Error::usage(
        "not-a-disk-format",
        format!("“{}” holds a whole machine, not one disk.", format.as_str()),
    )
    .with_hint("Choose qcow2, raw, vmdk, vdi or vhdx; or export a machine.")
}
