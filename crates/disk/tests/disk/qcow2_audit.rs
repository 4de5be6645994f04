use crate::{Place, be64_at, patch, qemu_img, refused};
use nestbox_disk::{Facts, inspect};
use std::{fs, path::Path};

/// Offsets of the active L1 table and of its first L2 table.
fn tables(path: &Path) -> (usize, usize) {
    let l1 = be64_at(path, 40) as usize;
    let l2 = (be64_at(path, l1) & 0x00ff_ffff_ffff_fe00) as usize;
    (l1, l2)
}

fn entry(path: &Path, at: usize, value: u64) {
    patch(path, at, &value.to_be_bytes());
}

const COPIED: u64 = 1 << 63;

#[test]
fn tables_that_contradict_each_other_are_refused() {
    let place = Place::new();
    let good = fs::read(place.qcow2("good.qcow2", "5M", "compat=1.1")).unwrap();
    let fresh = || place.file("bad.qcow2", &good);
    let path = fresh();
    let (l1, l2) = tables(&path);
    // Data of the content: its first cluster and clusters 4 to 6.
    let data = be64_at(&path, l2);
    let refcounts = (be64_at(&path, be64_at(&path, 48) as usize)) as usize;

    entry(&path, l2 + 8, (l1 as u64) | COPIED);
    assert_eq!(refused(&path), "image-damaged", "data in the L1 table");

    let path = fresh();
    entry(&path, l1, (l1 as u64) | COPIED);
    assert_eq!(
        refused(&path),
        "image-damaged",
        "the L1 table as its own L2 table"
    );

    let path = fresh();
    entry(&path, l2 + 8, data);
    assert_eq!(refused(&path), "image-expands", "one cluster in two places");

    let path = fresh();
    entry(&path, l2 + 8, (1 << 40) | COPIED);
    assert_eq!(refused(&path), "image-truncated", "data behind the end");

    let path = fresh();
    entry(&path, l2, data | 0x200);
    assert_eq!(refused(&path), "image-damaged", "unaligned data");

    let path = fresh();
    let cluster = ((data & !COPIED) >> 16) as usize;
    patch(&path, refcounts + cluster * 2, &[0, 0]);
    assert_eq!(refused(&path), "image-damaged", "data without references");

    let path = fresh();
    entry(&path, l1, (1u64 << 50) | COPIED);
    assert_eq!(refused(&path), "image-truncated", "an L2 table behind the end");

    let path = fresh();
    entry(&path, l2 + 8, (1 << 62) | (1 << 40));
    assert_eq!(
        refused(&path),
        "image-truncated",
        "compressed data behind the end"
    );

    // A leak is no danger.
    let path = fresh();
    patch(&path, refcounts + cluster * 2, &[0, 2]);
    entry(&path, l2, data & !COPIED);
    assert_eq!(refused(&path), "accepted");
}

#[test]
fn an_image_that_expands_without_end_is_refused_though_qemu_finds_it_clean() {
    let place = Place::new();
    let path = place.qcow2("bomb.qcow2", "5M", "compat=1.1");
    let (_, l2) = tables(&path);
    let data = be64_at(&path, l2) & !COPIED;
    let mut content = fs::read(&path).unwrap();
    for index in 0..80 {
        content[l2 + index * 8..l2 + index * 8 + 8].copy_from_slice(&data.to_be_bytes());
    }
    fs::write(&path, content).unwrap();
    // QEMU mends the counts to fit, and is content then.
    let _ = std::process::Command::new("qemu-img")
        .args(["check", "-q", "-r", "all"])
        .arg(&path)
        .output()
        .unwrap();
    qemu_img(&["check", "-f", "qcow2", path.to_str().unwrap()]);
    assert_eq!(refused(&path), "image-expands");
}

#[test]
fn compressed_images_are_fine_and_compressed_clones_are_not() {
    let place = Place::new();
    let raw = place.file("content.raw", crate::disk_with_data());
    let path = place.path("packed.qcow2");
    qemu_img(&[
        "convert",
        "-c",
        "-f",
        "raw",
        "-O",
        "qcow2",
        raw.to_str().unwrap(),
        path.to_str().unwrap(),
    ]);
    let inspection = inspect(&path).unwrap();
    let Facts::Qcow2 { audit, disk, .. } = &inspection.facts else {
        panic!()
    };
    assert!(
        audit.compressed_clusters >= 3 && audit.plain_clusters == 0,
        "{audit:?}"
    );
    // Read through the compression.
    assert_eq!(disk.words[0], "MBR partition table, 1 partition");
    let (_, l2) = tables(&path);
    let first = be64_at(&path, l2);
    entry(&path, l2 + 8, first);
    assert_eq!(refused(&path), "image-expands");
}

#[test]
fn internal_snapshots_and_bitmaps_are_kept() {
    let place = Place::new();
    let path = place.qcow2("a.qcow2", "5M", "compat=1.1");
    let text = path.to_str().unwrap();
    qemu_img(&["snapshot", "-c", "one", text]);
    qemu_img(&["bitmap", "--add", "-f", "qcow2", text, "b0"]);
    // New data after the snapshot: tables are shared and then not.
    std::process::Command::new("qemu-io")
        .args(["-f", "qcow2", "-c", "write 0 64k", "-c", "write 3M 64k", text])
        .output()
        .unwrap();
    qemu_img(&["snapshot", "-c", "two", text]);
    qemu_img(&["check", "-f", "qcow2", text]);
    let plan = nestbox_disk::plan(&path, None).unwrap();
    let items: Vec<_> = plan.items.iter().map(|item| item.what.as_str()).collect();
    assert!(items.contains(&"2 snapshots inside the image"), "{items:?}");
    assert!(items.contains(&"1 bitmap for incremental backups"), "{items:?}");
}
