//! Where everything is kept: the data directory and a place for sockets.

use nestbox_model::layout::Layout;
use nestbox_model::{Error, Result};
use std::path::{Path, PathBuf};

/// The layout of `data_dir`, or of `NESTBOX_HOME`, or of the platform's place for an application's data (on Linux
/// `$XDG_DATA_HOME/nestbox`).
///
/// # Errors
/// `path-not-utf8`; `no-home` when this account has no home directory; `unsafe-run-folder` when the folder for sockets belongs to
/// someone else.
pub fn layout(data_dir: Option<PathBuf>) -> Result<Layout> {
    let home = match data_dir.or_else(|| {
        std::env::var_os("NESTBOX_HOME")
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    }) {
        Some(path) => {
            std::path::absolute(&path).map_err(|e| Error::io("find the data directory", &path, &e))?
        }
        None => directories::ProjectDirs::from("", "", "nestbox")
            .ok_or_else(|| {
                Error::unfit(
                    "no-home",
                    "This account has no home directory, so Nestbox has no place for its library.",
                )
                .with_hint("Name one with --data-dir or NESTBOX_HOME.")
            })?
            .data_dir()
            .to_owned(),
    };
    // Addresses, settings and answers are text.
    if home.to_str().is_none() {
        return Err(Error::usage(
            "path-not-utf8",
            format!("The path is not valid UTF-8: {}", home.display()),
        )
        .with_hint("Name another data directory with --data-dir or NESTBOX_HOME."));
    }
    let base = run_base();
    let layout = Layout::new(home, &base);
    if layout.run().starts_with(&base) {
        claim_private(&base)?;
    }
    Ok(layout)
}

/// A short private folder for sockets, for data directories with long paths.
fn run_base() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(path)
            if path.is_absolute()
                && path.to_str().is_some()
                && path.as_os_str().len() <= 40
                && path.is_dir() =>
        {
            path
        }
        _ => PathBuf::from(format!("/tmp/nestbox-{}", rustix::process::getuid().as_raw())),
    }
}

/// Makes sure that the folder is ours and closed to others: `/tmp` is everybody's.
fn claim_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    crate::launch::private_folder(path)?;
    let meta =
        std::fs::symlink_metadata(path).map_err(|e| Error::io("look at the folder for sockets", path, &e))?;
    if meta.is_dir() && meta.uid() == rustix::process::getuid().as_raw() && meta.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(Error::unsafe_input(
        "unsafe-run-folder",
        format!("Others can change the folder for sockets: {}", path.display()),
    )
    .with_hint("Remove it, or set XDG_RUNTIME_DIR to a private folder of yours."))
}
