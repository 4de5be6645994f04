//! Damaged file systems of every kind: whatever the bytes say, there is an answer or a refusal, in time, and the process
//! never dies of it.

use crate::common::{Numbers, blank, copy, have, list, run, tree};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

/// Damaged images of each kind; six kinds make more than 2,000.
const CASES: u64 = 350;
/// Where most of a small file system's own tables are, bytes.
const TABLES: u64 = 192 << 10;

/// Damages copies of `image` in many ways and looks into each.
fn torment(folder: &Path, image: &Path, seed: u64) {
    let whole = std::fs::read(image).unwrap();
    let length = whole.len() as u64;
    let used: Vec<u64> = whole
        .chunks(512)
        .zip((0..).step_by(512))
        .filter(|(sector, _)| sector.iter().any(|byte| *byte != 0))
        .map(|(_, at)| at)
        .collect();
    let tables = used.partition_point(|at| *at < TABLES) as u64;
    let copy_of = folder.join("damaged");
    let out = folder.join("out");
    let began = Instant::now();
    let (mut good, mut bad) = (0, 0);
    for case in 0..CASES {
        let mut numbers = Numbers(seed * 1_000_003 + case + 1);
        for _ in 0..8 {
            numbers.next();
        }
        std::fs::write(&copy_of, &whole).unwrap();
        let file = OpenOptions::new().write(true).open(&copy_of).unwrap();
        let magnitude = numbers.below(7);
        for _ in 0..=numbers.below(1 << magnitude) {
            // Where something is; more often than not among the tables.
            let sector = match numbers.below(3) {
                0 => used[numbers.below(used.len() as u64) as usize],
                _ => used[numbers.below(tables) as usize],
            };
            let at = sector + numbers.below(512);
            let byte = match numbers.below(4) {
                0 => 0,
                1 => 0xff,
                2 => whole[at as usize] ^ 1 << numbers.below(8),
                _ => numbers.next() as u8,
            };
            file.write_all_at(&[byte], at).unwrap();
        }
        if numbers.below(8) == 0 {
            file.set_len(numbers.below(length)).unwrap();
        }
        drop(file);
        let looked = match numbers.below(2) {
            0 => list(&copy_of, Some("/")).map(drop),
            _ => copy(&copy_of, &["/"], &out).map(drop),
        };
        match looked {
            Ok(()) => good += 1,
            Err(error) => {
                let known = [
                    "filesystem-damaged",
                    "volume-not-browsable",
                    "volume-unclear",
                    "path-not-found",
                    "not-a-folder",
                ];
                assert!(known.contains(&error.code.as_str()), "case {case}: {error:?}");
                assert!(
                    !error.details.contains_key("process"),
                    "case {case}: the process died: {error:?}"
                );
                bad += 1;
            }
        }
        let _ = std::fs::remove_dir_all(&out);
        let _ = std::fs::remove_file(&out);
    }
    eprintln!(
        "{good} could be read, {bad} were refused, in {:?}",
        began.elapsed()
    );
}

#[test]
fn damaged_ext4() {
    if have("damaged_ext4", &["mke2fs"]) {
        let folder = tempfile::tempdir().unwrap();
        small_tree(folder.path());
        let image = blank(folder.path(), "image", 6 << 20);
        // Without checksums, so that the damage goes deeper.
        let options = [
            "-q",
            "-F",
            "-t",
            "ext4",
            "-O",
            "^metadata_csum,^64bit",
            "-d",
            "tree",
            "image",
        ];
        run(folder.path(), "mke2fs", &options);
        torment(folder.path(), &image, 1);
    }
}

#[test]
fn damaged_ext2() {
    if have("damaged_ext2", &["mke2fs"]) {
        let folder = tempfile::tempdir().unwrap();
        small_tree(folder.path());
        let image = blank(folder.path(), "image", 4 << 20);
        run(
            folder.path(),
            "mke2fs",
            &["-q", "-F", "-t", "ext2", "-d", "tree", "image"],
        );
        torment(folder.path(), &image, 2);
    }
}

#[test]
fn damaged_fat() {
    if have("damaged_fat", &["mkfs.vfat", "mcopy"]) {
        let folder = tempfile::tempdir().unwrap();
        small_tree(folder.path());
        let image = blank(folder.path(), "image", 4 << 20);
        run(folder.path(), "mkfs.vfat", &["-F", "16", "-s", "1", "image"]);
        run(
            folder.path(),
            "mcopy",
            &["-s", "-Q", "-i", "image", "tree", "::/"],
        );
        torment(folder.path(), &image, 3);
    }
}

#[test]
fn damaged_iso() {
    if have("damaged_iso", &["xorriso"]) {
        let folder = tempfile::tempdir().unwrap();
        small_tree(folder.path());
        let image = folder.path().join("image");
        run(
            folder.path(),
            "xorriso",
            &["-as", "mkisofs", "-quiet", "-R", "-J", "-o", "image", "tree"],
        );
        torment(folder.path(), &image, 4);
    }
}

#[test]
fn damaged_ntfs() {
    if have("damaged_ntfs", &["mkntfs", "ntfscp"]) {
        let folder = tempfile::tempdir().unwrap();
        let top = small_tree(folder.path());
        let image = blank(folder.path(), "image", 4 << 20);
        run(folder.path(), "mkntfs", &["-q", "-F", "image"]);
        for name in ["hello.txt", "holes.bin"] {
            let path = top.join(name);
            run(
                folder.path(),
                "ntfscp",
                &["-q", "image", path.to_str().unwrap(), name],
            );
        }
        torment(folder.path(), &image, 5);
    }
}

#[test]
fn damaged_exfat() {
    if have("damaged_exfat", &["mkfs.exfat"]) {
        let folder = tempfile::tempdir().unwrap();
        let image = blank(folder.path(), "image", 4 << 20);
        run(folder.path(), "mkfs.exfat", &["-L", "MY EXFAT", "image"]);
        torment(folder.path(), &image, 6);
    }
}

/// Small, so that damage meets something.
fn small_tree(folder: &Path) -> std::path::PathBuf {
    let top = tree(folder, 40);
    std::fs::write(top.join("large.bin"), Numbers(3).bytes(300_000)).unwrap();
    std::os::unix::fs::symlink("hello.txt", top.join("link")).unwrap();
    top
}
