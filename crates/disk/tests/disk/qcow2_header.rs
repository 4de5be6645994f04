use crate::{Place, code, patch, qemu_img, refused};
use nestbox_disk::{
    Facts, inspect,
    qcow2::{Compression, Header},
};
use std::fs::{self, File};

fn header(path: &std::path::Path) -> Header {
    Header::read(&File::open(path).unwrap()).unwrap()
}

#[test]
fn every_kind_that_qemu_makes_is_understood() {
    let place = Place::new();
    for (options, version, bits) in [
        ("compat=0.10", 2, 16),
        ("compat=1.1", 3, 16),
        ("compat=1.1,cluster_size=512", 3, 9),
        ("compat=1.1,cluster_size=2M", 3, 21),
        ("compat=1.1,refcount_bits=1", 3, 16),
        ("compat=1.1,refcount_bits=64", 3, 16),
        ("compat=1.1,extended_l2=on,cluster_size=128k", 3, 17),
        ("compat=1.1,compression_type=zstd", 3, 16),
        ("compat=1.1,lazy_refcounts=on", 3, 16),
        ("compat=1.1,preallocation=metadata", 3, 16),
        ("compat=1.1,preallocation=full", 3, 16),
    ] {
        let _ = fs::remove_file(place.path("a.qcow2"));
        let path = place.qcow2("a.qcow2", "5M", options);
        let found = header(&path);
        assert_eq!(
            (found.version, found.cluster_bits, found.capacity),
            (version, bits, 5 << 20),
            "{options}"
        );
        assert_eq!(found.extended_l2, options.contains("extended_l2"));
        assert_eq!(found.compression == Compression::Zstd, options.contains("zstd"));
        assert_eq!(found.backing_file, None);
        let inspection = inspect(&path).unwrap_or_else(|error| panic!("{options}: {error:?}"));
        let Facts::Qcow2 { disk, .. } = &inspection.facts else {
            panic!()
        };
        assert_eq!(disk.words[0], "MBR partition table, 1 partition", "{options}");
    }
}

#[test]
fn a_backing_file_is_named_and_refused_for_import() {
    let place = Place::new();
    place.qcow2("base.qcow2", "5M", "compat=1.1");
    for compat in ["0.10", "1.1"] {
        let top = place.text(&format!("top-{compat}.qcow2"));
        qemu_img(&[
            "create",
            "-q",
            "-f",
            "qcow2",
            "-o",
            &format!("compat={compat}"),
            "-b",
            "base.qcow2",
            "-F",
            "qcow2",
            &top,
        ]);
        let found = header(top.as_ref());
        assert_eq!(found.backing_file.as_deref(), Some("base.qcow2"));
        assert_eq!(found.backing_format.as_deref(), Some("qcow2"));
        let error = inspect(top.as_ref()).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.exit_code()),
            ("image-refers-elsewhere", 6)
        );
        assert!(error.message.contains("base.qcow2") && error.hint.contains("qemu-img convert"));
    }
}

#[test]
fn hostile_headers_are_refused_each_for_its_reason() {
    let place = Place::new();
    let good = fs::read(place.qcow2("good.qcow2", "5M", "compat=1.1")).unwrap();
    let u32s = |value: u32| value.to_be_bytes().to_vec();
    let u64s = |value: u64| value.to_be_bytes().to_vec();
    let cases: &[(&str, usize, Vec<u8>, &str)] = &[
        ("version 1", 4, u32s(1), "format-unsupported"),
        ("version 4", 4, u32s(4), "image-feature-unsupported"),
        (
            "backing name beyond the cluster",
            8,
            u64s(1 << 20),
            "image-damaged",
        ),
        ("backing name wraps", 8, u64s(u64::MAX), "image-damaged"),
        ("cluster bits 8", 20, u32s(8), "image-damaged"),
        ("cluster bits 22", 20, u32s(22), "image-damaged"),
        ("cluster bits huge", 20, u32s(u32::MAX), "image-damaged"),
        ("size 0", 24, u64s(0), "image-empty"),
        ("size huge", 24, u64s(u64::MAX), "image-too-large"),
        ("size larger than L1", 24, u64s(1 << 40), "image-damaged"),
        ("AES", 32, u32s(1), "image-encrypted"),
        ("LUKS", 32, u32s(2), "image-encrypted"),
        ("unknown encryption", 32, u32s(7), "image-feature-unsupported"),
        ("L1 of 32 MiB", 36, u32s(4 << 20), "image-truncated"),
        ("L1 over the limit", 36, u32s(u32::MAX), "image-damaged"),
        ("L1 unaligned", 40, u64s(0x30001), "image-damaged"),
        ("L1 at 0", 40, u64s(0), "image-damaged"),
        ("L1 wraps", 40, u64s(0xffff_ffff_ffff_0000), "image-truncated"),
        ("refcount table beyond", 48, u64s(1 << 40), "image-truncated"),
        ("no refcount table", 56, u32s(0), "image-damaged"),
        ("refcount table huge", 56, u32s(u32::MAX), "image-damaged"),
        ("too many snapshots", 60, u32s(65_537), "image-damaged"),
        ("snapshots nowhere", 60, u32s(3), "image-damaged"),
        ("unknown feature", 72, u64s(1 << 5), "image-feature-unsupported"),
        (
            "unknown feature, highest bit",
            72,
            u64s(1 << 63),
            "image-feature-unsupported",
        ),
        ("corrupt", 72, u64s(2), "image-damaged"),
        ("data file", 72, u64s(4), "image-refers-elsewhere"),
        ("zstd bit without zstd", 72, u64s(8), "image-damaged"),
        ("refcounts of 128 bits", 96, u32s(7), "image-damaged"),
        ("header too short", 100, u32s(72), "image-damaged"),
        ("header length odd", 100, u32s(113), "image-damaged"),
        ("header too long", 100, u32s(1 << 20), "image-damaged"),
        ("unknown compression", 104, vec![9], "image-feature-unsupported"),
        ("extension too long", 116, u32s(u32::MAX), "image-damaged"),
    ];
    for (what, at, bytes, expected) in cases {
        let path = place.file("bad.qcow2", &good);
        patch(&path, *at, bytes);
        assert_eq!(&refused(&path), expected, "{what}");
    }
}

#[test]
fn endless_extensions_and_short_files_end() {
    let place = Place::new();
    let mut content = fs::read(place.qcow2("good.qcow2", "5M", "compat=1.1")).unwrap();
    for at in (112..65_536).step_by(8) {
        content[at..at + 8].copy_from_slice(&[1, 2, 3, 4, 0, 0, 0, 0]);
    }
    assert_eq!(refused(&place.file("endless.qcow2", &content)), "image-damaged");
    let good = fs::read(place.path("good.qcow2")).unwrap();
    for length in [4, 71, 72, 103, 104, 111, 4096, 65_535, 65_536, 131_072, 200_000] {
        let path = place.file("short.qcow2", &good[..length]);
        assert_eq!(refused(&path), "image-truncated", "{length}");
    }
}

#[test]
fn names_with_nul_and_no_unicode_are_refused() {
    let place = Place::new();
    let base = place.qcow2("base.qcow2", "5M", "compat=1.1");
    let top = place.text("top.qcow2");
    qemu_img(&[
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        base.to_str().unwrap(),
        "-F",
        "qcow2",
        &top,
    ]);
    let at = be(&top) as usize;
    patch(top.as_ref(), at, &[0xff, 0xfe]);
    assert_eq!(
        code(Header::read(&File::open(&top).unwrap())),
        "image-refers-elsewhere"
    );
}

fn be(path: &str) -> u64 {
    crate::be64_at(path.as_ref(), 8)
}
