//! Reading and writing the files of a machine's folder. Writes are atomic: temporary name, fsync, rename, fsync of
//! the folder, so that a crash leaves the old file or the new one.

use nestbox_model::layout::{MachineFolder, SnapshotFolder};
use nestbox_model::{Error, MACHINE_FILE_VERSION, MachineSpec, Result, SnapshotRecord};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// A spec or record larger than this is not ours.
const TEXT_MAX_BYTES: u64 = 4 << 20;

pub(crate) fn write_atomically(path: &Path, content: &[u8], doing: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let fail = |error: std::io::Error| Error::io(doing, path, &error);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    file.write_all(content).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    sync_folder(folder)
}

/// Makes a rename or a new name in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|f| f.sync_all())
        .map_err(|e| Error::io("secure a folder on disk", folder, &e))
}

pub(crate) fn make_private_folder(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Error::io("make a folder", path, &e))
}

fn read_text(path: &Path, what: &str) -> Result<String> {
    let fail = |error: std::io::Error| Error::io(&format!("read {what}"), path, &error);
    let size = fs::metadata(path).map_err(fail)?.len();
    if size > TEXT_MAX_BYTES {
        return Err(Error::failed(
            "file-too-large",
            format!("{} is too large to be {what}.", path.display()),
        ));
    }
    fs::read_to_string(path).map_err(fail)
}

pub(crate) fn read_spec(folder: &MachineFolder) -> Result<MachineSpec> {
    let path = folder.spec();
    parse_spec(&read_text(&path, "a machine's settings")?, &path)
}

/// Settings that are to be believed as far as they name files.
pub(crate) fn parse_spec(text: &str, path: &Path) -> Result<MachineSpec> {
    let spec: MachineSpec = toml::from_str(text).map_err(|e| {
        Error::failed(
            "spec-unreadable",
            format!("The machine's settings can't be understood: {}", path.display()),
        )
        .with_hint("Mend the file by hand, or take machine.toml from a backup. The disks are untouched.")
        .with_detail("parser", e.to_string())
    })?;
    if spec.version > MACHINE_FILE_VERSION {
        return Err(Error::conflict(
            "spec-newer",
            format!(
                "The machine “{}” was written by a newer Nestbox and is left alone.",
                spec.name
            ),
        )
        .with_hint("Update Nestbox to use it."));
    }
    check_names(&spec)?;
    Ok(spec)
}

/// A spec may name files of its own folder only: it can come from anywhere (a copied library, a restored backup).
fn check_names(spec: &MachineSpec) -> Result<()> {
    let inside = |path: &str| {
        Path::new(path)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)))
    };
    let key = spec.user.as_ref().and_then(|user| user.private_key.as_deref());
    let disposable = spec.disposable.iter();
    let goes_back_to = disposable.flat_map(|d| d.disks.iter().map(|disk| &disk.image).chain(&d.nvram));
    let good = goes_back_to.into_iter().all(|name| is_plain_name(name))
        && spec.disks.iter().all(|disk| is_plain_name(&disk.image))
        && spec
            .detached
            .iter()
            .all(|detached| is_plain_name(&detached.disk.image))
        && spec.nvram.iter().all(|name| is_plain_name(name))
        && spec.seed.iter().all(|name| is_plain_name(name))
        && key.is_none_or(|path| !path.is_empty() && inside(path));
    if good {
        return Ok(());
    }
    Err(Error::unsafe_input(
        "spec-path",
        format!("The settings of “{}” name a file outside its folder.", spec.name),
    )
    .with_hint("Mend machine.toml by hand; nothing was opened."))
}

/// A file name of ours: one path component. Anything else in a spec could point out of the machine's folder.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "." && name != ".."
}

pub(crate) fn write_spec(folder: &MachineFolder, spec: &MachineSpec) -> Result<()> {
    let text = toml::to_string_pretty(spec).map_err(|e| {
        Error::failed(
            "spec-unwritable",
            format!("The machine's settings can't be written: {e}."),
        )
    })?;
    write_atomically(&folder.spec(), text.as_bytes(), "write the machine's settings")
}

pub(crate) fn read_record(folder: &SnapshotFolder) -> Result<SnapshotRecord> {
    let path = folder.record();
    let text = read_text(&path, "a snapshot's record")?;
    let record: SnapshotRecord = toml::from_str(&text).map_err(|e| {
        Error::failed(
            "snapshot-unreadable",
            format!("A snapshot's record can't be understood: {}", path.display()),
        )
        .with_detail("parser", e.to_string())
    })?;
    if record.version > 1 {
        return Err(Error::conflict(
            "snapshot-newer",
            format!(
                "The snapshot “{}” was written by a newer Nestbox and is left alone.",
                record.name
            ),
        )
        .with_hint("Update Nestbox to use it."));
    }
    let own = folder
        .path()
        .file_name()
        .is_some_and(|name| name == record.id.as_str());
    let plain = record.disks.iter().all(|disk| is_plain_name(&disk.image))
        && record.nvram.iter().all(|n| is_plain_name(n));
    if !own || !plain || check_names(&record.spec).is_err() {
        return Err(Error::unsafe_input(
            "snapshot-path",
            format!(
                "A snapshot's record names files that are not its own: {}",
                path.display()
            ),
        ));
    }
    Ok(record)
}

pub(crate) fn write_record(folder: &SnapshotFolder, record: &SnapshotRecord) -> Result<()> {
    let text = toml::to_string_pretty(record).map_err(|e| {
        Error::failed(
            "snapshot-unwritable",
            format!("The snapshot's record can't be written: {e}."),
        )
    })?;
    write_atomically(&folder.record(), text.as_bytes(), "write the snapshot's record")
}

/// All snapshots of a folder, oldest first; unreadable ones are reported, not dropped.
pub(crate) fn read_records(folder: &MachineFolder) -> (Vec<SnapshotRecord>, Vec<Error>) {
    let (mut records, mut errors) = (Vec::new(), Vec::new());
    let Ok(entries) = fs::read_dir(folder.snapshots()) else {
        return (records, errors);
    };
    for entry in entries.flatten() {
        if !entry.path().join(nestbox_model::layout::SNAPSHOT_FILE).exists() {
            continue;
        }
        match read_record(&SnapshotFolder(entry.path())) {
            Ok(record) => records.push(record),
            Err(error) => errors.push(error),
        }
    }
    records.sort_by(|a, b| a.created_at.cmp(&b.created_at).then_with(|| a.id.cmp(&b.id)));
    (records, errors)
}

/// Bytes allocated by everything below `path`; 0 when it is not there.
pub(crate) fn allocated_bytes(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(meta) = fs::symlink_metadata(path) else {
        return 0;
    };
    if !meta.is_dir() {
        return meta.blocks() * 512;
    }
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| allocated_bytes(&entry.path()))
        .sum()
}

/// Copies the plain files of a folder, private as they are, into a new private folder.
pub(crate) fn copy_private_files(from: &Path, to: &Path) -> Result<()> {
    make_private_folder(to)?;
    let failed = |error: std::io::Error| Error::io("copy a machine's files", from, &error);
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).map_err(failed)?;
        }
    }
    sync_folder(to)
}

/// Removes a file that may already be gone.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove a file", path, &e)),
        _ => Ok(()),
    }
}

/// Removes a folder of ours that may already be gone.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove a folder", path, &e)),
        _ => Ok(()),
    }
}

/// Removes what a writer that died left half-written in a machine's folder: nobody knows it by its name.
pub(crate) fn remove_temporary(folder: &MachineFolder) {
    let snapshots = fs::read_dir(folder.snapshots()).into_iter().flatten().flatten();
    let folders = [
        folder.path().to_owned(),
        folder.suspended().path().to_owned(),
        folder.disks(),
    ];
    for parent in folders.into_iter().chain(snapshots.map(|entry| entry.path())) {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let temporary = name.starts_with(".tmp") || name.ends_with(".part") || name.ends_with(".packing");
            if temporary
                && entry.file_type().is_ok_and(|kind| kind.is_file())
                && let Err(error) = remove_file(&entry.path())
            {
                tracing::warn!(%error, "a temporary file is still there");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        write_atomically(&path, b"old", "write").unwrap();
        assert!(write_atomically(&folder.path().join("missing/b"), b"x", "write").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn names_that_leave_the_folder_are_not_plain() {
        for bad in ["", "..", "a/b", "/etc/passwd", "a\\b"] {
            assert!(!is_plain_name(bad), "{bad}");
        }
        assert!(is_plain_name("0f.qcow2"));
    }
}
