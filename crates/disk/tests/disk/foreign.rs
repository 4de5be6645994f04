//! Other programs' formats, made by `qemu-img` and spoiled by hand.

use crate::{NO_PROGRESS, Place, code, disk_with_data, patch, qemu_img, refused};
use nestbox_disk::{import_disk, inspect, plan};
use nestbox_model::{FileAction, ItemFate, Recognised};
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// Name, QEMU's driver, its options.
const FORMATS: &[(&str, &str, &str, Recognised)] = &[
    (
        "sparse.vmdk",
        "vmdk",
        "subformat=monolithicSparse",
        Recognised::Vmdk,
    ),
    (
        "stream.vmdk",
        "vmdk",
        "subformat=streamOptimized",
        Recognised::Vmdk,
    ),
    ("flat.vmdk", "vmdk", "subformat=monolithicFlat", Recognised::Vmdk),
    (
        "pieces.vmdk",
        "vmdk",
        "subformat=twoGbMaxExtentSparse",
        Recognised::Vmdk,
    ),
    (
        "flat-pieces.vmdk",
        "vmdk",
        "subformat=twoGbMaxExtentFlat",
        Recognised::Vmdk,
    ),
    ("dynamic.vdi", "vdi", "static=off", Recognised::Vdi),
    ("fixed.vdi", "vdi", "static=on", Recognised::Vdi),
    (
        "dynamic.vhd",
        "vpc",
        "subformat=dynamic,force_size=on",
        Recognised::Vhd,
    ),
    (
        "fixed.vhd",
        "vpc",
        "subformat=fixed,force_size=on",
        Recognised::Vhd,
    ),
    ("dynamic.vhdx", "vhdx", "subformat=dynamic", Recognised::Vhdx),
    ("fixed.vhdx", "vhdx", "subformat=fixed", Recognised::Vhdx),
];

/// 40 MiB with data at the start, in the middle and at the very end.
fn raw(place: &Place) -> PathBuf {
    let mut disk = disk_with_data();
    disk.resize(40 << 20, 0);
    let noise = |from: u64| (0..70_000u64).map(move |n| ((n + from).wrapping_mul(0x9e37_79b9) >> 13) as u8);
    disk.splice((20 << 20) + 512..(20 << 20) + 512 + 70_000, noise(1));
    let end = disk.len();
    disk.splice(end - 70_000..end, noise(2));
    place.file("disk.raw", disk)
}

fn made(place: &Place, name: &str, driver: &str, options: &str) -> PathBuf {
    let (from, to) = (raw(place), place.text(name));
    qemu_img(&[
        "convert",
        "-f",
        "raw",
        "-O",
        driver,
        "-o",
        options,
        from.to_str().unwrap(),
        &to,
    ]);
    to.into()
}

async fn import(from: &Path, action: FileAction, to: &Path) -> nestbox_model::Result<nestbox_disk::Imported> {
    import_disk(
        &inspect(from)?,
        action,
        to,
        NO_PROGRESS,
        &CancellationToken::new(),
    )
    .await
}

#[tokio::test]
async fn every_format_becomes_the_same_disk() {
    for (name, driver, options, kind) in FORMATS {
        let place = Place::new();
        let from = made(&place, name, driver, options);
        let plan = plan(&from, None).unwrap();
        assert_eq!((plan.recognised, plan.disk), (*kind, 40 << 20), "{name}");
        assert_eq!(plan.disks.len(), 1);
        assert!(
            plan.partitions[0].contains("MBR"),
            "{name}: {:?}",
            plan.partitions
        );
        let to = place.path("new.qcow2");
        let imported = import(&from, FileAction::Copy, &to).await.unwrap();
        assert_eq!(
            (imported.capacity, imported.kept_in_place),
            (40 << 20, true),
            "{name}"
        );
        let files = [place.text("disk.raw"), to.to_str().unwrap().to_owned()];
        qemu_img(&["compare", "-f", "raw", "-F", "qcow2", &files[0], &files[1]]);
        qemu_img(&["check", "-f", "qcow2", &files[1]]);
        assert!(
            fs::metadata(&to).unwrap().len() < 2 << 20,
            "{name}: empty space takes room"
        );
        assert_eq!(
            code(import(&from, FileAction::Link, &place.path("link")).await),
            "link-unsupported"
        );
    }
}

#[tokio::test]
async fn moving_removes_one_file_and_never_several() {
    let place = Place::new();
    let one = made(&place, "one.vdi", "vdi", "static=off");
    assert!(
        !import(&one, FileAction::Move, &place.path("a.qcow2"))
            .await
            .unwrap()
            .kept_in_place
    );
    assert!(!one.exists());
    let several = made(&place, "several.vmdk", "vmdk", "subformat=twoGbMaxExtentFlat");
    assert!(
        import(&several, FileAction::Move, &place.path("b.qcow2"))
            .await
            .unwrap()
            .kept_in_place
    );
    assert!(several.exists() && place.path("several-f001.vmdk").exists());
}

#[test]
fn truncated_files_are_refused_wherever_they_end() {
    for (name, driver, options, _) in FORMATS {
        let place = Place::new();
        let path = made(&place, name, driver, options);
        let data = match *name {
            "flat.vmdk" => place.path("flat-flat.vmdk"),
            "pieces.vmdk" => place.path("pieces-s001.vmdk"),
            "flat-pieces.vmdk" => place.path("flat-pieces-f001.vmdk"),
            _ => path.clone(),
        };
        let whole = fs::metadata(&data).unwrap().len();
        for length in [whole - 1, whole - 512, whole - 70_000, whole / 2, 600, 513] {
            OpenOptions::new()
                .write(true)
                .open(&data)
                .unwrap()
                .set_len(length)
                .unwrap();
            let refusal = refused(&path);
            // A fixed VHD without its footer is a raw disk, and nobody can tell.
            assert!(
                refusal != "accepted" || *name == "fixed.vhd",
                "{name} cut to {length}"
            );
        }
    }
}

fn le(place: &Path, at: usize, value: u64, size: usize) {
    patch(place, at, &value.to_le_bytes()[..size]);
}

#[test]
fn spoiled_vdi_are_refused() {
    for (what, at, value, size, expected) in [
        ("a differencing image", 0x4c, 4, 4, "image-refers-elsewhere"),
        ("a parent", 0x1b8, 1, 1, "image-refers-elsewhere"),
        ("a link", 0x1a8, 1, 1, "image-refers-elsewhere"),
        ("a kind that is none", 0x4c, 9, 4, "image-damaged"),
        ("an old version", 0x44, 1, 4, "image-feature-unsupported"),
        (
            "blocks without end",
            0x180,
            u64::from(u32::MAX),
            4,
            "image-damaged",
        ),
        ("too few blocks", 0x180, 3, 4, "image-damaged"),
        ("a size beyond all", 0x170, 1 << 62, 8, "image-too-large"),
        ("no size", 0x170, 0, 8, "image-empty"),
        ("no block size", 0x178, 0, 4, "image-damaged"),
        ("blocks of no power of two", 0x178, 3 << 20, 4, "image-damaged"),
        ("extra data", 0x17c, 512, 4, "image-feature-unsupported"),
        ("a table far away", 0x154, 0xffff_f000, 4, "image-damaged"),
        ("a table in the header", 0x154, 0, 4, "image-damaged"),
        ("a block that is not there", 512, 77, 4, "image-damaged"),
        ("data far away", 0x158, 0xfff0_0000, 4, "image-truncated"),
    ] {
        let place = Place::new();
        let path = made(&place, "x.vdi", "vdi", "static=off");
        le(&path, at, value, size);
        assert_eq!(refused(&path), expected, "{what}");
    }
    let place = Place::new();
    let path = made(&place, "x.vdi", "vdi", "static=off");
    let table = u32::from_le_bytes(fs::read(&path).unwrap()[0x154..0x158].try_into().unwrap()) as usize;
    le(&path, table + 4, 0, 4);
    assert_eq!(refused(&path), "image-expands", "one block in two places");
    let path = made(&place, "y.vdi", "vdi", "static=off");
    patch(&path, 0x54, b"<script>alert(1)</script>");
    let plan = plan(&path, None).unwrap();
    assert!(
        plan.items
            .iter()
            .any(|item| item.fate == ItemFate::Dropped && item.what.contains("comment"))
    );
}

fn fix_vhd_sum(path: &Path, from: usize, length: usize, at: usize) {
    patch(path, from + at, &[0; 4]);
    let sum: u32 = fs::read(path).unwrap()[from..from + length]
        .iter()
        .map(|byte| u32::from(*byte))
        .sum();
    patch(path, from + at, &(!sum).to_be_bytes());
}

#[test]
fn spoiled_vhd_are_refused() {
    for (what, at, value, expected) in [
        (
            "a table without end",
            28,
            &u32::MAX.to_be_bytes()[..],
            "image-damaged",
        ),
        ("a table that is too short", 28, &[0, 0, 0, 1], "image-damaged"),
        ("no block size", 32, &[0; 4], "image-damaged"),
        (
            "a table far away",
            16,
            &(1u64 << 40).to_be_bytes(),
            "image-truncated",
        ),
        ("a parent", 40, &[1], "image-refers-elsewhere"),
    ] {
        let place = Place::new();
        let path = made(&place, "x.vhd", "vpc", "subformat=dynamic,force_size=on");
        patch(&path, 512 + at, value);
        assert_eq!(refused(&path), "image-damaged", "{what}: the checksum");
        fix_vhd_sum(&path, 512, 1024, 36);
        assert_eq!(refused(&path), expected, "{what}");
    }
    let place = Place::new();
    let path = made(&place, "x.vhd", "vpc", "subformat=dynamic,force_size=on");
    let footer = fs::metadata(&path).unwrap().len() as usize - 512;
    for (what, at, value, expected) in [
        (
            "differencing",
            60,
            &4u32.to_be_bytes()[..],
            "image-refers-elsewhere",
        ),
        ("a kind that is none", 60, &7u32.to_be_bytes(), "image-damaged"),
        ("huge", 48, &(1u64 << 62).to_be_bytes(), "image-too-large"),
    ] {
        let before = fs::read(&path).unwrap();
        patch(&path, footer + at, value);
        assert_eq!(refused(&path), "image-damaged", "{what}: the checksum");
        fix_vhd_sum(&path, footer, 512, 64);
        assert_eq!(refused(&path), expected, "{what}");
        fs::write(&path, before).unwrap();
    }
    patch(&path, 70, b"x");
    let plan = plan(&path, None).unwrap();
    assert!(
        plan.warnings
            .iter()
            .any(|text| text.contains("copy of the header")),
        "{:?}",
        plan.warnings
    );
}

#[test]
fn spoiled_vmdk_are_refused() {
    for (what, at, value, size, expected) in [
        ("no grains", 20, 0, 8, "image-damaged"),
        ("huge grains", 20, 1 << 40, 8, "image-damaged"),
        ("a description far away", 28, 1 << 30, 8, "image-truncated"),
        ("a size beyond all", 12, 1 << 60, 8, "image-damaged"),
        ("a directory far away", 56, 1 << 40, 8, "image-truncated"),
        ("a directory in the header", 56, 0, 8, "image-damaged"),
        ("tables of nothing", 44, 0, 4, "image-damaged"),
        ("a version from the future", 4, 9, 4, "image-feature-unsupported"),
        ("changed as text", 75, 0x0a, 1, "image-damaged"),
    ] {
        let place = Place::new();
        let path = made(&place, "x.vmdk", "vmdk", "subformat=monolithicSparse");
        le(&path, at, value, size);
        assert_eq!(refused(&path), expected, "{what}");
    }
}

const FLAT: &str =
    "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType=\"twoGbMaxExtentFlat\"\n";

fn described(place: &Place, text: &str) -> String {
    refused(&place.file("disk.vmdk", text))
}

#[test]
fn descriptions_name_plain_files_beside_them_and_nothing_else() {
    let place = Place::new();
    place.file("a.vmdk", [1; 65_536]);
    place.file("b.vmdk", [2; 65_536]);
    place.file("canary", [0; 65_536]);
    symlink(place.path("canary"), place.path("link.vmdk")).unwrap();
    fs::create_dir(place.path("folder.vmdk")).unwrap();
    let good = format!("{FLAT}RW 128 FLAT \"a.vmdk\" 0\nRW 128 FLAT \"b.vmdk\" 0\n");
    assert_eq!(described(&place, &good), "accepted");
    for name in [
        "/etc/passwd",
        "../canary",
        "sub/canary",
        "\\\\.\\PhysicalDrive0",
        "http://127.0.0.1/x",
        "nbd:unix:/x",
        "json:{}",
        "..",
        ".",
        "",
        "link.vmdk",
        "folder.vmdk",
    ] {
        let text = format!("{FLAT}RW 128 FLAT \"a.vmdk\" 0\nRW 128 FLAT \"{name}\" 0\n");
        assert_eq!(described(&place, &text), "image-refers-elsewhere", "{name}");
    }
    for (what, text, expected) in [
        ("a gap", good.replace("b.vmdk", "c.vmdk"), "part-missing"),
        ("too short", good.replace("RW 128", "RW 129"), "image-truncated"),
        (
            "twice the same",
            good.replace("b.vmdk", "a.vmdk"),
            "image-expands",
        ),
        (
            "a parent",
            good.replace("ffffffff", "12345678"),
            "image-refers-elsewhere",
        ),
        (
            "a parent's name",
            good.replace("CID=1", "parentFileNameHint=\"/etc/passwd\"\nCID=1"),
            "image-refers-elsewhere",
        ),
        (
            "a device",
            good.replace("twoGbMaxExtentFlat", "fullDevice"),
            "image-refers-elsewhere",
        ),
        ("no data", FLAT.to_owned(), "image-damaged"),
        ("only zeros", format!("{FLAT}RW 128 ZERO\n"), "image-empty"),
        ("noise", format!("{FLAT}hello\n"), "image-damaged"),
        (
            "a number beyond all",
            good.replace("RW 128", &format!("RW {}", u64::MAX)),
            "image-damaged",
        ),
        (
            "pieces without end",
            format!("{FLAT}{}", "RW 128 FLAT \"a.vmdk\" 0\n".repeat(5000)),
            "image-damaged",
        ),
    ] {
        assert_eq!(described(&place, &text), expected, "{what}");
    }
    let error = inspect(&place.file("disk.vmdk", good.replace("b.vmdk", "c.vmdk"))).unwrap_err();
    assert!(error.message.contains("c.vmdk"), "{}", error.message);
}

#[test]
fn spoiled_vhdx_are_refused() {
    let place = Place::new();
    let path = made(&place, "x.vhdx", "vhdx", "subformat=dynamic");
    let good = fs::read(&path).unwrap();
    for (what, changes, expected) in [
        ("one header damaged", vec![(64 << 10, &b"x"[..])], "accepted"),
        (
            "both headers damaged",
            vec![(64 << 10, &b"x"[..]), (128 << 10, b"x")],
            "image-damaged",
        ),
        (
            "one region table damaged",
            vec![((192 << 10) + 20, &b"x"[..])],
            "accepted",
        ),
        (
            "both damaged",
            vec![((192 << 10) + 20, &b"x"[..]), ((256 << 10) + 20, b"x")],
            "image-damaged",
        ),
    ] {
        let mut spoiled = good.clone();
        for (at, bytes) in changes {
            spoiled[at..at + bytes.len()].copy_from_slice(bytes);
        }
        fs::write(&path, spoiled).unwrap();
        assert_eq!(refused(&path), expected, "{what}");
    }
    let metadata = good.windows(8).position(|part| part == b"metadata").unwrap();
    for (what, item, at, bytes, expected) in [
        (
            "a parent",
            [0x37, 0x67, 0xa1, 0xca],
            4,
            &[2][..],
            "image-refers-elsewhere",
        ),
        (
            "no block size",
            [0x37, 0x67, 0xa1, 0xca],
            0,
            &[0; 4],
            "image-damaged",
        ),
        (
            "a size beyond all",
            [0x24, 0x42, 0xa5, 0x2f],
            7,
            &[0x40],
            "image-too-large",
        ),
        (
            "odd sectors",
            [0x1d, 0xbf, 0x41, 0x81],
            0,
            &[1, 1],
            "image-damaged",
        ),
    ] {
        let entry = metadata + good[metadata..].windows(4).position(|part| part == item).unwrap();
        let offset = u32::from_le_bytes(good[entry + 16..entry + 20].try_into().unwrap()) as usize;
        let mut spoiled = good.clone();
        spoiled[metadata + offset + at..][..bytes.len()].copy_from_slice(bytes);
        fs::write(&path, spoiled).unwrap();
        assert_eq!(refused(&path), expected, "{what}");
    }
}
