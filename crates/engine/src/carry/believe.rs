//! What a backup says is not believed: its lengths, its words, and the file that it wants in the CD drive.

use super::archive::damaged;
use super::backup::Head;
use nestbox_model::layout::MachineFolder;
use nestbox_model::{MachineSpec, MediumSpec, Recognised, Result};
use std::path::Path;

/// Most bytes of one file: 64 TiB, as of a disk. All files together fit in 64 bits.
const LENGTH_MAX: u64 = 1 << 46;

/// The first part with lengths that can be, and words that a terminal can show.
///
/// # Errors
/// `backup-damaged`.
pub(super) fn judged(mut head: Head) -> Result<Head> {
    let possible = |length: u64| length <= LENGTH_MAX;
    if !head
        .files
        .iter()
        .all(|file| possible(file.length) && possible(file.stored))
    {
        return Err(damaged("a part of it is impossibly long"));
    }
    let words = std::iter::once(&mut head.name)
        .chain(&mut head.system)
        .chain(&mut head.notes);
    words.for_each(make_printable);
    Ok(head)
}

/// Without what a terminal would obey.
pub(super) fn make_printable(word: &mut String) {
    word.retain(|letter| !letter.is_control());
}

/// What is in the CD drive: the backup's own medium, or an ISO that is on this computer. Any other file of this
/// computer is no business of a guest's, whatever the backup says. Returns what there is to tell.
pub(super) fn settle_medium(spec: &mut MachineSpec, folder: &MachineFolder, head: &Head) -> Option<String> {
    let told = spec.medium.take()?.path;
    let path = Path::new(&told);
    let name = path.file_name().and_then(|name| name.to_str());
    let in_a_machine = path
        .parent()
        .and_then(Path::parent)
        .is_some_and(|parent| parent.ends_with("machines"));
    if let (true, Some(name)) = (in_a_machine, name)
        && head.files.iter().any(|file| file.name == name)
    {
        let path = folder.path().join(name).to_string_lossy().into_owned();
        spec.medium = Some(MediumSpec { path });
        return None;
    }
    let mut shown = told.clone();
    make_printable(&mut shown);
    if !path.is_absolute() || !path.is_file() {
        return Some(format!(
            "The medium in the CD drive is not here: {shown}. The drive is empty."
        ));
    }
    let is_iso = nestbox_disk::inspect(path).is_ok_and(|found| found.recognised == Recognised::Iso);
    if !is_iso {
        return Some(format!(
            "The backup wants a file in the CD drive that is no CD or DVD image: {shown}. The drive is empty."
        ));
    }
    spec.medium = Some(MediumSpec { path: told });
    Some(format!("The CD drive holds a file of this computer: {shown}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use nestbox_model::layout::MACHINE_FILE;
    use serde_json::json;

    fn head(files: &serde_json::Value, note: &str) -> Head {
        serde_json::from_value(json!({
            "format": "nestbox-backup", "version": 1, "made_by": "1.0", "created_at": "2026-01-01T00:00:00Z",
            "name": "web", "snapshots": 0, "disks": 0, "files": files, "notes": [note],
        }))
        .unwrap()
    }

    fn spec_with(medium: &Path) -> MachineSpec {
        let text = format!(
            "version = 1\nid = \"f4321fcf9b5a4e3089fc11785e577b95\"\nname = \"web\"\ncreated_at = \
             \"2026-01-01T00:00:00Z\"\narch = \"x86_64\"\ncpus = 1\nmemory = 1073741824\nmedium = {{ path = \"{}\" }}\n",
            medium.display()
        );
        files::parse_spec(&text, Path::new(MACHINE_FILE)).unwrap()
    }

    #[test]
    fn impossible_lengths_are_damage_and_words_are_printable() {
        let huge = json!({ "name": "a", "length": 1, "stored": 1_u64 << 63 });
        let error = judged(head(&json!([huge, huge]), "")).unwrap_err();
        assert_eq!(error.code, "backup-damaged");
        let good = judged(head(&json!([]), "\u{1b}]0;gone\u{7} away")).unwrap();
        assert_eq!(good.notes, ["]0;gone away"]);
    }

    /// The smallest volume: ECMA-119, 8.4 and 9.1.
    fn volume() -> Vec<u8> {
        let mut bytes = vec![0; 32 * 2048];
        let volume = &mut bytes[16 * 2048..17 * 2048];
        volume[..7].copy_from_slice(b"\x01CD001\x01");
        let both = |value: u32| [value.to_le_bytes(), value.to_be_bytes()].concat();
        volume[80..88].copy_from_slice(&both(32));
        volume[128..132].copy_from_slice(&[0, 8, 8, 0]);
        volume[156] = 34;
        volume[158..166].copy_from_slice(&both(20));
        volume[166..174].copy_from_slice(&both(2048));
        volume[181] = 2;
        volume[188] = 1;
        bytes[17 * 2048..17 * 2048 + 7].copy_from_slice(b"\xffCD001\x01");
        bytes
    }

    #[test]
    fn the_drive_holds_an_iso_or_the_backups_own_medium_only() {
        let place = tempfile::tempdir().unwrap();
        let folder = MachineFolder(place.path().join("new"));
        let own = head(&json!([{ "name": "medium.iso", "length": 1, "stored": 1 }]), "");
        let none = head(&json!([]), "");
        let settled = |path: &Path, head: &Head| {
            let mut spec = spec_with(path);
            let note = settle_medium(&mut spec, &folder, head);
            (spec.medium.map(|medium| medium.path), note.is_some())
        };
        let secret = place.path().join("secret");
        std::fs::write(&secret, "key").unwrap();
        assert_eq!(settled(&secret, &none), (None, true));
        assert_eq!(settled(Path::new("/nowhere/a.iso"), &none), (None, true));
        let iso = place.path().join("a.iso");
        std::fs::write(&iso, volume()).unwrap();
        assert_eq!(
            settled(&iso, &none),
            (Some(iso.to_string_lossy().into_owned()), true)
        );
        let there = folder.path().join("medium.iso").to_string_lossy().into_owned();
        let before = Path::new("/old/machines/f4/medium.iso");
        assert_eq!(settled(before, &own), (Some(there), false));
        assert_eq!(settled(before, &none), (None, true));
    }
}
