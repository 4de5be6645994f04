//! Compressed images, packed here: sound, odd and hostile.

use crate::{NO_PROGRESS, Place, bundles::tar_member, code, disk_with_data, qemu_img, refused};
use nestbox_disk::{Imported, import_disk, inspect, plan, unpack_medium};
use nestbox_model::{FileAction, Recognised, Result};
use std::{
    fs,
    io::{Cursor, Write},
    path::Path,
};
use tokio_util::sync::CancellationToken;
use zip::{ZipWriter, write::SimpleFileOptions};

type Pack = fn(&[u8]) -> Vec<u8>;

pub(crate) fn gz(data: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn xz(data: &[u8]) -> Vec<u8> {
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn zst(data: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
}

fn bz2(data: &[u8]) -> Vec<u8> {
    let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, data) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(data).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn zip(data: &[u8]) -> Vec<u8> {
    zipped(&[("readme.txt", b"hello"), ("folder/disk", data)])
}

const WAYS: &[(Pack, Recognised)] = &[
    (gz, Recognised::Gz),
    (xz, Recognised::Xz),
    (zst, Recognised::Zst),
    (bz2, Recognised::Bz2),
    (zip, Recognised::Zip),
];

async fn import(from: &Path, to: &Path) -> Result<Imported> {
    import_disk(
        &inspect(from)?,
        FileAction::Copy,
        to,
        NO_PROGRESS,
        &CancellationToken::new(),
    )
    .await
}

#[tokio::test]
async fn every_way_of_packing_gives_the_same_disk() {
    let place = Place::new();
    let raw = place.file("disk.raw", disk_with_data());
    let vdi = place.text("disk.vdi");
    let qcow2 = place.text("disk.qcow2");
    for (format, to) in [("vdi", &vdi), ("qcow2", &qcow2)] {
        qemu_img(&["convert", "-f", "raw", "-O", format, raw.to_str().unwrap(), to]);
    }
    for (pack, kind) in WAYS {
        for (content, inside) in [
            ("disk.raw", Recognised::Raw),
            ("disk.vdi", Recognised::Vdi),
            ("disk.qcow2", Recognised::Qcow2),
        ] {
            let packed = place.file("packed", pack(&fs::read(place.path(content)).unwrap()));
            let plan = plan(&packed, None).unwrap();
            assert_eq!((plan.recognised, plan.inside), (*kind, Some(inside)));
            let to = place.path("new.qcow2");
            assert_eq!(
                import(&packed, &to).await.unwrap().capacity,
                1 << 20,
                "{kind:?} {inside:?}"
            );
            qemu_img(&[
                "compare",
                "-f",
                "raw",
                "-F",
                "qcow2",
                raw.to_str().unwrap(),
                to.to_str().unwrap(),
            ]);
            fs::remove_file(&to).unwrap();
        }
    }
}

#[tokio::test]
async fn what_consists_of_several_parts_is_read_to_its_end() {
    let place = Place::new();
    let disk = disk_with_data();
    let raw = place.file("disk.raw", &disk);
    let skipped = [&[0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    for (pack, between) in [
        (gz as Pack, vec![]),
        (xz, vec![0; 8]),
        (zst, skipped),
        (bz2, vec![]),
    ] {
        let packed = [pack(&disk[..350_000]), between, pack(&disk[350_000..])].concat();
        let packed = place.file("packed", packed);
        let to = place.path("new.qcow2");
        assert_eq!(import(&packed, &to).await.unwrap().capacity, 1 << 20);
        qemu_img(&[
            "compare",
            "-f",
            "raw",
            "-F",
            "qcow2",
            raw.to_str().unwrap(),
            to.to_str().unwrap(),
        ]);
        fs::remove_file(&to).unwrap();
    }
}

#[tokio::test]
async fn cut_and_changed_files_are_refused_and_leave_nothing() {
    let place = Place::new();
    for (pack, kind) in WAYS {
        let whole = pack(&disk_with_data());
        for length in [20, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
            let path = place.file("packed", &whole[..length]);
            let outcome = code(import(&path, &place.path("new")).await);
            // What is behind the last block of bzip2 is padding.
            assert!(
                outcome.starts_with("image-") || outcome == "format-unknown",
                "{kind:?} cut to {length}: {outcome}"
            );
        }
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 0x55;
        let path = place.file("packed", changed);
        let outcome = code(import(&path, &place.path("new")).await);
        // Fastest zstd has no checksum of its own.
        assert!(outcome != "accepted" || *kind == Recognised::Zst, "{kind:?}");
        let _ = fs::remove_file(place.path("new"));
    }
    assert_eq!(place.names(), ["packed"]);
}

#[test]
fn tricks_are_refused() {
    let place = Place::new();
    let disk = disk_with_data();
    let base = place.qcow2("base.qcow2", "5M", "compat=1.1");
    let top = place.text("top.qcow2");
    qemu_img(&[
        "create",
        "-q",
        "-f",
        "qcow2",
        "-F",
        "qcow2",
        "-b",
        base.to_str().unwrap(),
        &top,
    ]);
    let evil = fs::read(top).unwrap();
    let unused = tar_member("a", b'0', "", b"text");
    for (what, content, expected) in [
        ("twice", gz(&gz(&disk)), "format-nested"),
        ("two ways", xz(&zst(&disk)), "format-nested"),
        ("a backing file inside", gz(&evil), "image-refers-elsewhere"),
        ("a text inside", bz2(&b"hello\n".repeat(1000)), "format-unknown"),
        (
            "a window of 2 GiB",
            vec![0x28, 0xb5, 0x2f, 0xfd, 0x04, 0xa8, 0, 0, 0, 0, 0],
            "image-too-large",
        ),
        (
            "a way out",
            zipped(&[("../../x", &disk)]),
            "image-refers-elsewhere",
        ),
        (
            "an absolute name",
            zipped(&[("/x", &disk)]),
            "image-refers-elsewhere",
        ),
        (
            "a device's name",
            zipped(&[("C:\\x", &disk)]),
            "image-refers-elsewhere",
        ),
        (
            "two disks",
            zipped(&[("a", &disk), ("b", &disk)]),
            "archive-several-images",
        ),
        ("no disk", zipped(&[("a", b"hello")]), "archive-no-image"),
        ("an empty archive", zipped(&[]), "archive-no-image"),
        (
            "a tar of other things",
            gz(&[unused, vec![0; 1024]].concat()),
            "accepted",
        ),
    ] {
        assert_eq!(refused(&place.file("packed", content)), expected, "{what}");
    }
}

#[tokio::test]
async fn a_tar_without_a_machine_is_refused_when_it_is_unpacked() {
    let place = Place::new();
    let tar = [tar_member("a", b'0', "", b"text"), vec![0; 1024]].concat();
    let path = place.file("packed", gz(&tar));
    assert_eq!(code(import(&path, &place.path("new")).await), "archive-no-image");
    assert_eq!(place.names(), ["packed"]);
}

#[tokio::test]
async fn empty_space_takes_none_and_cancelling_leaves_nothing() {
    let place = Place::new();
    let mut disk = disk_with_data();
    disk.resize(200 << 20, 0);
    let path = place.file("packed", zst(&disk));
    let inspection = inspect(&path).unwrap();
    let to = place.path("new.qcow2");
    let cancel = CancellationToken::new();
    let cancelling = |done: u64, _: u64| {
        if done > 0 {
            cancel.cancel();
        }
    };
    let outcome = import_disk(&inspection, FileAction::Copy, &to, &cancelling, &cancel).await;
    // It may have been quicker than the first look at its progress.
    if outcome.is_ok() {
        fs::remove_file(&to).unwrap();
    }
    assert_eq!(place.names(), ["packed"]);
    import(&path, &to).await.unwrap();
    assert!(nestbox_disk::usage(&to) < 1 << 20);
}

#[tokio::test]
async fn a_packed_medium_is_unpacked_for_the_drive() {
    let place = Place::new();
    let iso = crate::isos::small_iso();
    let path = place.file("cd.iso.xz", xz(&iso));
    let plan = plan(&path, None).unwrap();
    assert_eq!(
        (plan.recognised, plan.inside),
        (Recognised::Xz, Some(Recognised::Iso))
    );
    assert!(plan.disks.is_empty());
    let inspection = inspect(&path).unwrap();
    let (to, cancel) = (place.path("cd.iso"), CancellationToken::new());
    let disk = import_disk(
        &inspection,
        FileAction::Copy,
        &place.path("x"),
        NO_PROGRESS,
        &cancel,
    )
    .await;
    assert_eq!(disk.unwrap_err().code, "not-a-disk");
    unpack_medium(&inspection, &to, NO_PROGRESS, &cancel)
        .await
        .unwrap();
    assert_eq!(fs::read(&to).unwrap(), iso);
    assert_eq!(place.names(), ["cd.iso", "cd.iso.xz"]);
}
