//! NTFS as its own tools and its driver write it.

use crate::common::{Numbers, blank, copy, hashes, have, list, names, run};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn resident_and_large_files() {
    if !have("resident_and_large_files", &["mkntfs", "ntfscp"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = blank(folder.path(), "image", 32 << 20);
    run(folder.path(), "mkntfs", &["-q", "-F", "-L", "My NTFS", "image"]);
    std::fs::write(folder.path().join("small.txt"), "resident").unwrap();
    std::fs::write(folder.path().join("large.bin"), Numbers(7).bytes(5_000_003)).unwrap();
    for name in ["small.txt", "large.bin"] {
        run(folder.path(), "ntfscp", &["-q", "image", name, name]);
    }
    let root = list(&image, None).unwrap();
    assert_eq!(
        (
            root.volumes[0].filesystem.as_deref(),
            root.volumes[0].label.as_deref()
        ),
        (Some("ntfs"), Some("My NTFS"))
    );
    assert_eq!(names(&root), ["large.bin", "small.txt"]);
    let out = folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    copy(&image, &["SMALL.TXT", "/large.bin"], &out).unwrap();
    assert_eq!(std::fs::read(out.join("SMALL.TXT")).unwrap(), b"resident");
    assert!(
        std::fs::read(out.join("large.bin")).unwrap()
            == std::fs::read(folder.path().join("large.bin")).unwrap()
    );
}

/// A mounted volume, unmounted whatever happens.
struct Mounted(PathBuf);

impl Mounted {
    /// `None` where this computer or this account may not.
    fn new(test: &str, image: &Path, at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let done = Command::new("ntfs-3g")
            .args(["-o", "compression"])
            .args([image, at])
            .output();
        if done.as_ref().is_ok_and(|done| done.status.success()) {
            return Some(Self(at.to_owned()));
        }
        eprintln!("skipped: {test} needs a mount by ntfs-3g: {done:?}");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Its files are compressed from now on.
fn compress(folder: &Path) {
    let name = "system.ntfs_attrib_be";
    let mut value = [0; 4];
    rustix::fs::getxattr(folder, name, &mut value).unwrap();
    let value = (u32::from_be_bytes(value) | 0x800).to_be_bytes();
    rustix::fs::setxattr(folder, name, &value, rustix::fs::XattrFlags::empty()).unwrap();
}

#[test]
fn compressed_scattered_and_sparse_files() {
    let test = "compressed_scattered_and_sparse_files";
    if !have(test, &["mkntfs", "ntfs-3g"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = blank(folder.path(), "image", 128 << 20);
    run(folder.path(), "mkntfs", &["-q", "-F", "image"]);
    let top = folder.path().join("mounted");
    let Some(mounted) = Mounted::new(test, &image, &top) else {
        return;
    };
    let mut numbers = Numbers(11);
    std::fs::create_dir(top.join("packed")).unwrap();
    compress(&top.join("packed"));
    let words: [&[u8]; 4] = [b"alpha ", b"beta ", b"gamma\n", &[0; 300]];
    let text: Vec<u8> = (0..60_000)
        .flat_map(|_| words[numbers.below(4) as usize])
        .copied()
        .collect();
    std::fs::write(top.join("packed/text"), &text).unwrap();
    let mixed = [
        &text[..100_000],
        &numbers.bytes(200_000),
        &vec![0; 500_000],
        &text[..70_001],
    ]
    .concat();
    std::fs::write(top.join("packed/mixed"), mixed).unwrap();
    // Written in turns, so that neither is in one place; with so many holes that one record does not hold the list.
    let mut turns = ["one", "two"].map(|name| File::create(top.join(name)).unwrap());
    let holes = File::create(top.join("holes")).unwrap();
    for round in 0..2000u64 {
        for file in &mut turns {
            file.write_all(&[round as u8; 4096]).unwrap();
        }
        holes.write_all_at(&round.to_le_bytes(), round * 131_072).unwrap();
    }
    let sparse = File::create(top.join("sparse")).unwrap();
    sparse.set_len(5 << 30).unwrap();
    sparse.write_all_at(b"end", (5 << 30) - 3).unwrap();
    std::fs::create_dir(top.join("many")).unwrap();
    for number in 0..2000 {
        std::fs::write(top.join(format!("many/entry – {number}")), number.to_string()).unwrap();
    }
    let long = "ü".repeat(120);
    std::fs::write(top.join(&long), "long").unwrap();
    drop((sparse, holes, turns));
    std::fs::rename(top.join("sparse"), top.join("packed/../sparse")).unwrap();
    let mut wanted = {
        std::fs::rename(top.join("sparse"), top.join("z")).unwrap();
        let all = hashes_but(&top, "z");
        assert_eq!(all.len(), 2000 + 6);
        all
    };
    drop(mounted);

    assert_eq!(list(&image, Some("/many")).unwrap().entries.len(), 2000);
    let out = folder.path().join("out");
    let copied = copy(&image, &["/"], &out).unwrap();
    assert_eq!(copied.skipped, []);
    let sparse = std::fs::metadata(out.join("z")).unwrap();
    assert!(sparse.len() == 5 << 30 && sparse.blocks() * 512 < 1 << 20);
    let got = hashes_but(&out, "z");
    wanted.retain(|name, hash| got.get(name) != Some(hash));
    assert!(wanted.is_empty(), "{:?}", wanted.keys());
}

/// Hashes of all but one file at the top, which is too large.
fn hashes_but(top: &Path, name: &str) -> std::collections::BTreeMap<String, String> {
    let mut all = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(top).unwrap() {
        let entry = entry.unwrap();
        let own = entry.file_name().as_encoded_bytes().escape_ascii().to_string();
        if entry.file_type().unwrap().is_dir() {
            all.extend(
                hashes(&entry.path())
                    .into_iter()
                    .map(|(name, hash)| (format!("{own}/{name}"), hash)),
            );
        } else if own != name {
            all.insert(own, crate::common::hash(&entry.path()));
        }
    }
    all
}
