//! The backing chain of an image of ours: which files it needs, checked before QEMU opens any of them.

use crate::qcow2::{Header, create::is_plain_name};
use nestbox_model::{Error, ImageFormat, Result};
use std::{
    collections::HashSet,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Longest chain.
const DEPTH_MAX: usize = 256;

/// One image of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainLink {
    /// Absolute path, links followed.
    pub path: PathBuf,
    /// Format to open it with; never to be guessed.
    pub format: ImageFormat,
}

/// The images of `path`'s chain, the active one first. `path` is a qcow2 image; only headers are read. Every file must
/// lie in one of the folders `roots` or be one of them (for a file of the user's that a machine links to); links in
/// paths are followed first.
///
/// # Errors
/// `base-missing` (not found): a file below is not there; says which and where it was looked for. `base-outside`
/// (unsafe): a file below lies elsewhere. `chain-loop`, `chain-too-long`, `base-format-unknown` (unsafe). Whatever is
/// wrong with one image's header, see [`Header::read`].
pub fn chain(path: &Path, roots: &[&Path]) -> Result<Vec<ChainLink>> {
    let roots: Vec<PathBuf> = roots
        .iter()
        .filter_map(|root| fs::canonicalize(root).ok())
        .collect();
    let mut links = Vec::new();
    let mut seen = HashSet::new();
    let mut next = (path.to_owned(), ImageFormat::Qcow2);
    loop {
        let (wanted, format) = next;
        let found = fs::canonicalize(&wanted).map_err(|error| match error.kind() {
            ErrorKind::NotFound => base_missing(&wanted, links.last().map_or(path, |l: &ChainLink| &l.path)),
            _ => Error::io("open a machine's disk", &wanted, &error),
        })?;
        if !roots.iter().any(|root| found.starts_with(root)) {
            return Err(outside(&found, path));
        }
        if !seen.insert(found.clone()) {
            return Err(Error::unsafe_input(
                "chain-loop",
                "The machine's disk is, in the end, its own base.",
            )
            .with_hint("Restore an earlier snapshot, or import the disk again.")
            .with_detail("path", found.display().to_string()));
        }
        if links.len() == DEPTH_MAX {
            return Err(Error::unsafe_input(
                "chain-too-long",
                format!("The machine's disk has more than {DEPTH_MAX} layers."),
            )
            .with_hint("Delete snapshots that are not needed.")
            .with_detail("path", path.display().to_string()));
        }
        links.push(ChainLink {
            path: found.clone(),
            format,
        });
        if format == ImageFormat::Raw {
            return Ok(links);
        }
        let header = read_header(&found)?;
        let Some(name) = header.backing_file else {
            return Ok(links);
        };
        if !is_plain_name(&name) {
            return Err(outside(Path::new(&crate::qcow2::printable(&name)), path));
        }
        let format = match header.backing_format.as_deref() {
            Some("qcow2") => ImageFormat::Qcow2,
            Some("raw") => ImageFormat::Raw,
            _ => {
                return Err(Error::unsafe_input(
                    "base-format-unknown",
                    "The machine's disk does not say which format its base has, and guessing would be unsafe.",
                )
                .with_detail("path", found.display().to_string()));
            }
        };
        next = (found.parent().unwrap_or(Path::new("/")).join(name), format);
    }
}

fn read_header(path: &Path) -> Result<Header> {
    let at = |error: Error| error.with_detail("path", path.display().to_string());
    let facts = fs::metadata(path).map_err(|error| Error::io("open a machine's disk", path, &error))?;
    if !facts.is_file() {
        return Err(at(Error::unsafe_input(
            "not-a-file",
            "In the place of a machine's disk is something that is no file.",
        )));
    }
    let file = File::open(path).map_err(|error| Error::io("open a machine's disk", path, &error))?;
    Header::read(&file).map_err(at)
}

/// A file below `needed_by` is not there.
pub(crate) fn base_missing(missing: &Path, needed_by: &Path) -> Error {
    Error::not_found(
        "base-missing",
        format!("A file that the machine's disk is built on is not there: {}.", missing.display()),
    )
    .with_hint("Put the file back to that place (it may have been moved, renamed, or be on a drive that is unplugged).")
    .with_detail("path", missing.display().to_string())
    .with_detail("needed_by", needed_by.display().to_string())
}

fn outside(found: &Path, image: &Path) -> Error {
    Error::unsafe_input(
        "base-outside",
        format!(
            "The machine's disk is built on a file that is not the machine's: {}.",
            found.display()
        ),
    )
    .with_hint("Nestbox does not open it. If you put the disk there yourself, import it instead.")
    .with_detail("path", found.display().to_string())
    .with_detail("image", image.display().to_string())
}
