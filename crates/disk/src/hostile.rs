//! Property tests: whatever the bytes are, parsers end, don't panic, and don't read without bounds.

mod bundles;
mod foreign;

use crate::{
    detect, fat, iso,
    qcow2::{Header, audit_source, content::Content},
    raw,
    source::Source,
};
use proptest::prelude::*;
use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

/// Counts what is read of a source.
struct Counting<'a>(&'a Vec<u8>, AtomicU64);

impl Source for Counting<'_> {
    fn length(&self) -> u64 {
        self.0.length()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.1.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.0.read_at(offset, buffer)
    }
}

/// Runs every parser over the bytes.
fn everything(bytes: &Vec<u8>) {
    let source = Counting(bytes, AtomicU64::new(0));
    let _ = detect::recognise_source(&source);
    let _ = iso::look(&source);
    let _ = raw::look(&source);
    let _ = fat::efi_boot_files(&source);
    if let Ok(header) = Header::parse(&source) {
        let _ = audit_source(&source, &header);
        let content = Content {
            file: &source,
            header: &header,
        };
        let _ = raw::look(&content);
        let _ = iso::is_iso(&content);
    }
    // Tables are read once; a folder or a name may be read a few times over.
    assert!(
        source.1.load(Ordering::Relaxed) < 64 << 20,
        "{} bytes were read of {}",
        source.1.load(Ordering::Relaxed),
        bytes.len()
    );
}

/// A small sound qcow2: header, refcount table, block, L1, L2, one data cluster, of 512 bytes each.
fn small_qcow2() -> Vec<u8> {
    let mut file = vec![0; 6 * 512];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"QFI\xfb\0\0\0\x03");
    put(20, &9u32.to_be_bytes());
    put(24, &32_768u64.to_be_bytes());
    put(36, &1u32.to_be_bytes());
    put(40, &(3 * 512u64).to_be_bytes());
    put(48, &512u64.to_be_bytes());
    put(56, &1u32.to_be_bytes());
    put(96, &4u32.to_be_bytes());
    put(100, &104u32.to_be_bytes());
    put(512, &1024u64.to_be_bytes());
    put(1024, &[0, 1].repeat(6));
    put(3 * 512, &((4 * 512u64) | 1 << 63).to_be_bytes());
    put(4 * 512, &((5 * 512u64) | 1 << 63).to_be_bytes());
    file
}

fn small_iso() -> Vec<u8> {
    let mut file = vec![0; 24 * 2048];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    let primary = 16 * 2048;
    put(primary, b"\x01CD001\x01");
    put(primary + 80, &24u32.to_le_bytes());
    put(primary + 128, &2048u16.to_le_bytes());
    put(primary + 156, &[34, 0, 19]);
    put(primary + 166, &2048u32.to_le_bytes());
    put(17 * 2048, b"\0CD001\x01EL TORITO SPECIFICATION");
    put(17 * 2048 + 71, &22u32.to_le_bytes());
    put(18 * 2048, b"\xffCD001\x01");
    put(19 * 2048, &[36, 0, 19, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0]);
    put(19 * 2048 + 25, &[2, 0, 0, 0, 0, 0, 0, 3]);
    put(19 * 2048 + 33, b"EFI");
    put(22 * 2048, &[1, 0xef]);
    put(22 * 2048 + 28, &[0xaa, 0x55 - 1 + 1, 0x55, 0xaa]);
    file
}

/// Bytes of `seed` with some changed, then cut to some length.
fn mutated(seed: Vec<u8>, head: usize) -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        Just(0u64),
        Just(u64::MAX),
        Just(1 << 63),
        any::<u64>(),
        0..4096u64
    ];
    let place = prop_oneof![0..head, 0..seed.len()];
    let changes = proptest::collection::vec((place, value, 1usize..9), 0..12);
    (changes, prop_oneof![3 => Just(seed.len()), 1 => 0..seed.len()]).prop_map(move |(changes, length)| {
        let mut bytes = seed.clone();
        for (at, value, size) in changes {
            for (target, byte) in bytes[at..].iter_mut().zip(value.to_be_bytes()[8 - size..].iter()) {
                *target = *byte;
            }
        }
        bytes.truncate(length);
        bytes
    })
}

#[test]
fn the_seeds_are_sound() {
    let file = small_qcow2();
    let header = Header::parse(&file).unwrap();
    assert_eq!(audit_source(&file, &header).unwrap().plain_clusters, 1);
    assert!(iso::look(&small_iso()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        everything(&bytes);
    }
    #[test]
    fn spoiled_qcow2(bytes in mutated(small_qcow2(), 120)) {
        everything(&bytes);
    }
    #[test]
    fn spoiled_qcow2_tables(bytes in mutated(small_qcow2(), 6 * 512)) {
        everything(&bytes);
    }
    #[test]
    fn spoiled_iso(bytes in mutated(small_iso(), 24 * 2048)) {
        everything(&bytes);
    }
    #[test]
    fn disks_with_tables(head in proptest::collection::vec(any::<u8>(), 512), rest in mutated(vec![0; 64 << 10], 1024), gpt: bool) {
        let mut bytes = head;
        bytes.extend(rest);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        if gpt && bytes.len() > 520 {
            bytes[512..520].copy_from_slice(b"EFI PART");
        }
        everything(&bytes);
    }
}
