//! Partition tables, and what is told of what can't be looked into.

use crate::common::{blank, copy, have, list, names, run};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A disk of 64 MiB divided by `script`, with the file system `image` at each of these mebibytes.
fn disk(folder: &Path, script: &str, image: &Path, places: &[u64]) -> PathBuf {
    let disk = blank(folder, "disk", 64 << 20);
    std::fs::write(folder.join("script"), script).unwrap();
    run(folder, "sh", &["-c", "sfdisk -q disk < script"]);
    let content = std::fs::read(image).unwrap();
    let file = OpenOptions::new().write(true).open(&disk).unwrap();
    for place in places {
        file.write_all_at(&content, place << 20).unwrap();
    }
    disk
}

fn small_ext4(folder: &Path) -> PathBuf {
    let image = blank(folder, "small", 4 << 20);
    std::fs::create_dir(folder.join("content")).unwrap();
    std::fs::write(folder.join("content/here"), "found").unwrap();
    run(
        folder,
        "mke2fs",
        &["-q", "-F", "-t", "ext4", "-d", "content", "small"],
    );
    image
}

#[test]
fn partitions_of_both_tables_have_their_numbers() {
    if !have(
        "partitions_of_both_tables_have_their_numbers",
        &["sfdisk", "mke2fs"],
    ) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let small = small_ext4(folder.path());
    let gpt = "label: gpt\n1: start=1MiB, size=4MiB, name=\"first – one\"\n5: start=8MiB, size=4MiB\n7: start=16MiB, size=4MiB\n";
    // A primary one, an extended one and in it two logical ones.
    let mbr = "label: dos\n1: start=1MiB, size=4MiB, type=83\n2: start=7MiB, size=40MiB, type=5\n5: start=8MiB, size=4MiB, type=83\n6: start=16MiB, size=4MiB, type=83\n";
    for (table, numbers) in [(gpt, [1, 5, 7]), (mbr, [1, 5, 6])] {
        let disk = disk(folder.path(), table, &small, &[1, 8]);
        let listing = list(&disk, None).unwrap();
        assert_eq!(
            listing
                .volumes
                .iter()
                .map(|volume| volume.number)
                .collect::<Vec<_>>(),
            numbers
        );
        assert_eq!((listing.volume, listing.entries.len()), (0, 0));
        let browsable: Vec<bool> = listing.volumes.iter().map(|volume| volume.browsable).collect();
        assert_eq!(browsable, [true, true, false]);
        assert!(listing.volumes[2].reason.as_ref().unwrap().contains("empty"));
        assert!(names(&list(&disk, Some("5:/")).unwrap()).contains(&"here"));
        assert_eq!(list(&disk, Some("/here")).unwrap_err().code, "volume-unclear");
        assert_eq!(list(&disk, Some("9:/")).unwrap_err().code, "volume-not-found");
        let out = folder.path().join("out");
        copy(&disk, &["5:/here"], &out).unwrap();
        assert_eq!(std::fs::read(&out).unwrap(), b"found");
        std::fs::remove_file(out).unwrap();
    }
    let disk = disk(folder.path(), gpt, &small, &[1]);
    let listing = list(&disk, None).unwrap();
    assert_eq!(listing.volumes[0].name.as_deref(), Some("first – one"));
    // One that can be meant needs no number.
    assert_eq!(listing.volume, 1);
    assert!(names(&listing).contains(&"here"));
}

#[test]
fn logical_partitions_that_lead_in_a_circle_end() {
    let folder = tempfile::tempdir().unwrap();
    let disk = blank(folder.path(), "disk", 8 << 20);
    let file = OpenOptions::new().write(true).open(&disk).unwrap();
    let mut table = [0u8; 512];
    table[510..].copy_from_slice(&[0x55, 0xaa]);
    table[450] = 5;
    table[454..458].copy_from_slice(&2048u32.to_le_bytes());
    table[458..462].copy_from_slice(&8192u32.to_le_bytes());
    file.write_all_at(&table, 0).unwrap();
    // Its own next.
    table[450] = 0x83;
    table[466] = 5;
    table[470..474].copy_from_slice(&1u32.to_le_bytes());
    file.write_all_at(&table, 2048 * 512).unwrap();
    file.write_all_at(&table, 2049 * 512).unwrap();
    assert!(list(&disk, None).unwrap().volumes.len() <= 128);
}

#[test]
fn what_can_not_be_looked_into_is_named_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let known: [(&str, u64, &[u8]); 12] = [
        ("xfs", 0, b"XFSB"),
        ("btrfs", 0x10040, b"_BHRfS_M"),
        ("f2fs", 0x400, &[0x10, 0x20, 0xf5, 0xf2]),
        ("luks", 0, b"LUKS\xba\xbe"),
        ("bitlocker", 3, b"-FVE-FS-"),
        ("lvm", 512, b"LABELONE"),
        ("swap", 4086, b"SWAPSPACE2"),
        ("apfs", 32, b"NXSB"),
        ("hfs+", 0x400, b"H+"),
        ("squashfs", 0, b"hsqs"),
        ("zfs", 0x20000, &[0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0]),
        ("udf", 0x8001, b"BEA01"),
    ];
    for (word, offset, magic) in known {
        let disk = blank(folder.path(), "disk", 1 << 20);
        let file = OpenOptions::new().write(true).open(&disk).unwrap();
        file.write_all_at(magic, offset).unwrap();
        let volume = list(&disk, None).unwrap_err();
        // Asked for nothing but the disk, one that has nothing else says why.
        assert_eq!(volume.code, "volume-not-browsable", "{word}");
        assert!(!volume.message.is_empty());
    }
    let disk = blank(folder.path(), "disk", 1 << 20);
    assert!(list(&disk, None).unwrap_err().message.contains("empty"));
    File::create(&disk).unwrap();
    assert!(list(&disk, None).is_err());
}
