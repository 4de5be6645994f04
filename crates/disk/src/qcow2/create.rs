//! Writes new, empty qcow2 files: a header, reference counts and an L1 table of zeros. No tool is started, so that a
//! snapshot costs no more than the file system does.

use super::header::MAGIC;
use nestbox_model::{Error, ImageFormat, Result, units::TIB};
use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

/// The cluster size QEMU uses unless told otherwise.
pub(crate) const CLUSTER_BITS: u32 = 16;
pub(crate) const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// L2 entries of a cluster.
pub(crate) const L2_ENTRIES: u64 = CLUSTER / 8;
/// Counts (16 bit) of a reference count block.
pub(crate) const COUNTS_PER_BLOCK: u64 = CLUSTER / 2;
/// An entry's target has exactly one reference, so it may be written in place.
pub(crate) const COPIED: u64 = 1 << 63;
const CAPACITY_MAX: u64 = 64 * TIB;
const BACKING_NAME_MAX: usize = 1023;

/// The image below a new one.
#[derive(Clone, Debug)]
pub struct Backing<'a> {
    /// Where the file is now.
    pub path: &'a Path,
    /// Its format; always recorded, so that nobody ever guesses it.
    pub format: ImageFormat,
    /// How the new image's header names it: an absolute path, or one relative to the new image's folder.
    pub stored_as: String,
}

/// Sizes of the parts of a new file, in clusters.
pub(crate) struct Plan {
    pub capacity: u64,
    pub l1_entries: u64,
    pub l1_offset: u64,
    pub l1_clusters: u64,
    pub refcount_table_offset: u64,
    pub refcount_table_clusters: u64,
}

/// The first cluster: the header, the backing file's format and name.
pub(crate) fn header_cluster(plan: &Plan, backing: Option<(&str, ImageFormat)>) -> Vec<u8> {
    let mut out = vec![0; CLUSTER as usize];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &MAGIC);
    put(4, &3u32.to_be_bytes());
    put(20, &CLUSTER_BITS.to_be_bytes());
    put(24, &plan.capacity.to_be_bytes());
    put(36, &(plan.l1_entries as u32).to_be_bytes());
    put(40, &plan.l1_offset.to_be_bytes());
    put(48, &plan.refcount_table_offset.to_be_bytes());
    put(56, &(plan.refcount_table_clusters as u32).to_be_bytes());
    put(96, &4u32.to_be_bytes());
    put(100, &112u32.to_be_bytes());
    let mut at = 112;
    if let Some((name, format)) = backing {
        let format = format.as_str().as_bytes();
        put(at, &0xe279_2acau32.to_be_bytes());
        put(at + 4, &(format.len() as u32).to_be_bytes());
        put(at + 8, format);
        at += 8 + format.len().next_multiple_of(8);
        // An end mark of eight zeros, then the name.
        at += 8;
        put(8, &(at as u64).to_be_bytes());
        put(16, &(name.len() as u32).to_be_bytes());
        put(at, name.as_bytes());
    }
    out
}

/// Makes the new qcow2 image `path` of `capacity` bytes (rounded up to 512), empty or on top of `backing`. When this
/// returns the file and its name are on the disk. Takes a few milliseconds.
///
/// # Errors
/// `file-exists` (conflict), `bad-capacity` (usage), `base-missing` (not found) when the backing file is not there,
/// `bad-backing-name` (usage) when `stored_as` is too long or QEMU would not read it as a file's name; `no-space` and
/// friends. Nothing is left behind.
pub async fn create(path: &Path, capacity: u64, backing: Option<Backing<'_>>) -> Result<()> {
    if capacity == 0 || capacity > CAPACITY_MAX {
        return Err(
            Error::usage("bad-capacity", "A disk must have between 512 bytes and 64 TiB.")
                .with_detail("capacity", capacity),
        );
    }
    let below = match &backing {
        None => None,
        Some(backing) => {
            if !backing.path.is_file() {
                return Err(crate::chain::base_missing(backing.path, path));
            }
            Some((judge_name(&backing.stored_as)?.to_owned(), backing.format))
        }
    };
    let path = path.to_owned();
    let work = move || {
        let capacity = capacity.next_multiple_of(512);
        let l1_entries = capacity.div_ceil(L2_ENTRIES << CLUSTER_BITS);
        let plan = Plan {
            capacity,
            l1_entries,
            l1_offset: 3 * CLUSTER,
            l1_clusters: (l1_entries * 8).div_ceil(CLUSTER),
            refcount_table_offset: CLUSTER,
            refcount_table_clusters: 1,
        };
        write_new(&path, |file| {
            file.set_len((3 + plan.l1_clusters) * CLUSTER)?;
            file.write_all_at(&(2 * CLUSTER).to_be_bytes(), CLUSTER)?;
            let counts = vec![[0u8, 1]; (3 + plan.l1_clusters) as usize].concat();
            file.write_all_at(&counts, 2 * CLUSTER)?;
            // Only what is not zero; the rest stays a hole.
            let header = header_cluster(
                &plan,
                below.as_ref().map(|(name, format)| (name.as_str(), *format)),
            );
            file.write_all_at(&header[..4096], 0)
        })
    };
    crate::work::blocking(work).await
}

/// Makes `path` anew, fills it, and makes it and its folder durable; removes it again if that fails.
fn write_new(path: &Path, fill: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
    let doing = "make a disk image";
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| {
            if error.kind() == ErrorKind::AlreadyExists {
                Error::conflict(
                    "file-exists",
                    format!("There is already a file {}.", path.display()),
                )
                .with_detail("path", path.display().to_string())
            } else {
                Error::io(doing, path, &error)
            }
        })?;
    fill(&file)
        .and_then(|()| file.sync_all())
        .and_then(|()| crate::work::sync_folder_of(path))
        .map_err(|error| {
            // Ours: it was made a moment ago with create_new.
            let _ = std::fs::remove_file(path);
            Error::io(doing, path, &error)
        })
}

/// Whether QEMU takes this text as the name of a file, and not as a protocol (`nbd:…`, `json:…`).
pub(crate) fn is_plain_name(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or_default();
    !name.is_empty() && !first.contains(':') && !name.contains('\0')
}

fn judge_name(name: &str) -> Result<&str> {
    if name.len() <= BACKING_NAME_MAX && is_plain_name(name) {
        return Ok(name);
    }
    let why = if name.len() > BACKING_NAME_MAX {
        "it is too long"
    } else {
        "it looks like a network address"
    };
    Err(Error::usage(
        "bad-backing-name",
        format!("A disk can't be put on top of “{name}”: {why}."),
    )
    .with_hint("Move the file to a folder with a short path, or copy it into the library."))
}
