use crate::{Place, disk_with_data, refused};
use nestbox_disk::{inspect, plan, recognise};
use nestbox_model::{Arch, Firmware, Recognised};
use std::{
    fs::{self, File},
    os::unix::{ffi::OsStrExt, fs::symlink},
};

#[test]
fn what_can_not_be_imported_yet_is_named() {
    let place = Place::new();
    let mut dmg = vec![7; 70_000];
    dmg.extend(b"koly");
    dmg.resize(dmg.len() + 508, 0);
    for (name, content) in [
        ("QED", b"QED\0".to_vec()),
        ("DMG", dmg),
        ("7z", b"7z\xbc\xaf\x27\x1c".to_vec()),
    ] {
        let error = inspect(&place.file("file.img", content)).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.exit_code()),
            ("format-unsupported", 6),
            "{name}"
        );
        assert!(error.message.contains(name), "{}", error.message);
        assert!(!error.hint.is_empty());
    }
}

#[test]
fn what_is_no_image_is_refused() {
    let place = Place::new();
    for (what, content, expected) in [
        ("nothing", vec![], "image-empty"),
        ("a text", b"just some text\n".repeat(9000), "format-unknown"),
        (
            "a web page",
            b"<!DOCTYPE html><title>404</title>".to_vec(),
            "format-unknown",
        ),
        (
            "a program",
            [b"\x7fELF".as_slice(), &[0; 70_000]].concat(),
            "format-unknown",
        ),
        (
            "noise",
            (0..200_000u32)
                .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
                .collect(),
            "format-unknown",
        ),
        ("a few zeros", vec![0; 32_767], "image-truncated"),
    ] {
        assert_eq!(refused(&place.file("file.img", content)), expected, "{what}");
    }
}

#[test]
fn two_formats_at_once_are_refused() {
    let place = Place::new();
    let mut both = fs::read(place.qcow2("a.qcow2", "5M", "compat=1.1")).unwrap();
    both[440..512].copy_from_slice(&disk_with_data()[440..512]);
    assert_eq!(refused(&place.file("both.img", &both)), "format-ambiguous");

    let mut both = fs::read(place.path("a.qcow2")).unwrap();
    both.resize(400_000, 0);
    both[0x8000..0x8007].copy_from_slice(b"\x01CD001\x01");
    assert_eq!(refused(&place.file("both.iso", &both)), "format-ambiguous");

    // What a guest can write onto its own raw disk.
    let mut disk = disk_with_data();
    disk[..4].copy_from_slice(b"QFI\xfb");
    assert_eq!(refused(&place.file("disk.img", disk)), "format-ambiguous");
}

#[test]
fn only_regular_files_are_opened() {
    let place = Place::new();
    let pipe = place.path("pipe.qcow2");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    symlink("/dev/zero", place.path("zero.img")).unwrap();
    symlink("b", place.path("a")).unwrap();
    symlink("a", place.path("b")).unwrap();
    symlink("nowhere", place.path("dangling")).unwrap();
    for (name, expected) in [
        ("", "not-a-file"),
        ("pipe.qcow2", "not-a-file"),
        ("zero.img", "not-a-file"),
        ("a", "not-a-file"),
        ("dangling", "file-not-found"),
        ("missing", "file-not-found"),
    ] {
        assert_eq!(refused(&place.path(name)), expected, "{name}");
    }
    let error = inspect(&place.path("missing")).unwrap_err();
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn a_link_and_any_name_are_fine() {
    let place = Place::new();
    let good = place.qcow2("good.qcow2", "5M", "compat=1.1");
    let link = place.path("link.qcow2");
    symlink(&good, &link).unwrap();
    let inspection = inspect(&link).unwrap();
    assert!(inspection.is_link);
    assert_eq!(inspection.real_path, fs::canonicalize(&good).unwrap());
    for name in [
        b"a,b=\"c\" 'd'.qcow2".as_slice(),
        b"-rf",
        b"nbd:x",
        b"json:{}",
        b"\xff\xfe.qcow2",
        "日本 💩".as_bytes(),
    ] {
        let path = place.path("").join(std::ffi::OsStr::from_bytes(name));
        fs::copy(&good, &path).unwrap();
        let plan = plan(&path, None).unwrap();
        assert!(
            nestbox_model::validate_name(&plan.name).is_ok(),
            "{:?}",
            plan.name
        );
    }
}

#[test]
fn raw_disks_are_described_and_their_boot_files_found() {
    let place = Place::new();
    let path = place.file("disk.img", disk_with_data());
    let plan = plan(&path, None).unwrap();
    assert_eq!(plan.recognised, Recognised::Raw);
    assert_eq!(
        plan.partitions,
        ["MBR partition table, 1 partition", "Partition 1: Linux, 512 KiB"]
    );
    assert_eq!((plan.disk, plan.firmware), (1 << 20, Firmware::Bios));
    assert_eq!(plan.name, "disk");

    // A GPT with an EFI system partition that has a boot file for arm64, also inside a qcow2.
    let raw = gpt_with_boot_file("BOOTAA64.EFI");
    let path = place.file("gpt.img", &raw);
    let found = nestbox_disk::plan(&path, None).unwrap();
    assert_eq!(
        found.partitions,
        [
            "GPT partition table, 1 partition",
            "Partition 1: EFI system, 4 MiB"
        ]
    );
    assert_eq!(
        (found.arch, found.arch_reason.as_str()),
        (Arch::Aarch64, "EFI boot file")
    );
    assert_eq!(found.firmware, Firmware::Uefi);
    let packed = place.path("gpt.qcow2");
    crate::qemu_img(&[
        "convert",
        "-c",
        "-f",
        "raw",
        "-O",
        "qcow2",
        path.to_str().unwrap(),
        packed.to_str().unwrap(),
    ]);
    let inside = nestbox_disk::plan(&packed, None).unwrap();
    assert_eq!(inside.partitions, found.partitions);
    assert_eq!((inside.arch, inside.firmware), (Arch::Aarch64, Firmware::Uefi));

    // The user's word counts, with a warning.
    let forced = nestbox_disk::plan(&path, Some(Arch::X86_64)).unwrap();
    assert_eq!(
        (forced.arch, forced.arch_reason.as_str()),
        (Arch::X86_64, "your choice")
    );
    assert!(
        forced.warnings.iter().any(|warning| warning.contains("arm64")),
        "{:?}",
        forced.warnings
    );

    let long = place.file("long.img", gpt_with_boot_file("BOOTRISCV64.EFI"));
    assert_eq!(nestbox_disk::plan(&long, None).unwrap().arch, Arch::Riscv64);
}

#[test]
fn odd_sizes_and_blank_disks_are_said() {
    let place = Place::new();
    let mut odd = disk_with_data();
    odd.extend([1; 100]);
    let found = plan(&place.file("odd.img", odd), None).unwrap();
    assert_eq!(found.disk, (1 << 20) + 512);
    assert!(found.items.iter().any(|item| item.what.contains("rounded up")));
    let blank = File::create(place.path("blank.img")).unwrap();
    blank.set_len(8 << 30).unwrap();
    let found = plan(&place.path("blank.img"), None).unwrap();
    assert!(found.warnings[0].contains("looks empty"));
    assert!(found.needs < 1 << 20, "holes need no space");
    assert_eq!(recognise(&blank_again(&place), 8 << 30).unwrap(), Recognised::Raw);
}

fn blank_again(place: &Place) -> File {
    File::open(place.path("blank.img")).unwrap()
}

/// An 8 MiB disk: GPT, one FAT16 EFI system partition, `/EFI/BOOT/<name>` in it.
pub(crate) fn gpt_with_boot_file(name: &str) -> Vec<u8> {
    let mut disk = vec![0; 8 << 20];
    disk[446 + 4] = 0xee;
    disk[446 + 8] = 1;
    disk[446 + 12..446 + 16].copy_from_slice(&16_383u32.to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let header = &mut disk[512..1024];
    header[..8].copy_from_slice(b"EFI PART");
    header[40..48].copy_from_slice(&34u64.to_le_bytes());
    header[48..56].copy_from_slice(&16_350u64.to_le_bytes());
    header[72..80].copy_from_slice(&2u64.to_le_bytes());
    header[80..84].copy_from_slice(&128u32.to_le_bytes());
    header[84..88].copy_from_slice(&128u32.to_le_bytes());
    let entry = &mut disk[1024..1152];
    entry[..4].copy_from_slice(&0xc12a_7328u32.to_le_bytes());
    entry[4] = 1;
    entry[32..40].copy_from_slice(&2048u64.to_le_bytes());
    entry[40..48].copy_from_slice(&(2048u64 + 8191).to_le_bytes());
    let fat = fat_with_boot_file(name);
    disk[1 << 20..(1 << 20) + fat.len()].copy_from_slice(&fat);
    disk
}

/// A 4 MiB FAT16 with `/EFI/BOOT/<name>`.
pub(crate) fn fat_with_boot_file(name: &str) -> Vec<u8> {
    let mut fat = vec![0; 4 << 20];
    fat[11..13].copy_from_slice(&512u16.to_le_bytes());
    fat[13] = 1;
    fat[14..16].copy_from_slice(&1u16.to_le_bytes());
    fat[16] = 1;
    fat[17..19].copy_from_slice(&16u16.to_le_bytes());
    fat[19..21].copy_from_slice(&8192u16.to_le_bytes());
    fat[22..24].copy_from_slice(&32u16.to_le_bytes());
    fat[510..512].copy_from_slice(&[0x55, 0xaa]);
    // Clusters 2 (EFI) and 3 (BOOT) end their chains.
    for cluster in 2..4 {
        fat[512 + cluster * 2..512 + cluster * 2 + 2].copy_from_slice(&[0xff, 0xff]);
    }
    let root = 512 * 33;
    let data = root + 512;
    let folder = |name: &[u8; 11], cluster: u16| {
        let mut entry = [0; 32];
        entry[..11].copy_from_slice(name);
        entry[11] = 0x10;
        entry[26..28].copy_from_slice(&cluster.to_le_bytes());
        entry
    };
    fat[root..root + 32].copy_from_slice(&folder(b"EFI        ", 2));
    fat[data..data + 32].copy_from_slice(&folder(b"BOOT       ", 3));
    let boot = data + 512;
    let mut entries = Vec::new();
    let (stem, end) = name.rsplit_once('.').unwrap();
    let mut short = [b' '; 11];
    short[..stem.len().min(8)].copy_from_slice(&stem.as_bytes()[..stem.len().min(8)]);
    short[8..].copy_from_slice(end.as_bytes());
    if stem.len() > 8 {
        // Long name entries, the last piece first.
        let units: Vec<u16> = name
            .encode_utf16()
            .chain([0])
            .chain(std::iter::repeat(0xffff))
            .take(26)
            .collect();
        for piece in (0..2).rev() {
            let mut entry = [0u8; 32];
            entry[0] = (piece as u8 + 1) | if piece == 1 { 0x40 } else { 0 };
            entry[11] = 0x0f;
            let mut places = (1..11)
                .step_by(2)
                .chain((14..26).step_by(2))
                .chain((28..32).step_by(2));
            for unit in &units[piece * 13..piece * 13 + 13] {
                let at = places.next().unwrap();
                entry[at..at + 2].copy_from_slice(&unit.to_le_bytes());
            }
            entries.extend(entry);
        }
    }
    let mut file = [0; 32];
    file[..11].copy_from_slice(&short);
    entries.extend(file);
    fat[boot..boot + entries.len()].copy_from_slice(&entries);
    fat
}
