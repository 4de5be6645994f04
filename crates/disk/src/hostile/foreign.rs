//! Other programs' disk formats, spoiled: small sound files are written here, changed at random places, and their
//! checksums put right again, so that what is behind a checksum is reached, too.

use super::mutated;
use crate::{
    foreign::{Alone, Open, vdi, vhd, vhdx, vmdk},
    raw,
    source::Source,
};
use nestbox_model::Result;
use proptest::prelude::*;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Counts what is read of a file.
struct Counted {
    bytes: Vec<u8>,
    read: Arc<AtomicU64>,
}

impl Source for Counted {
    fn length(&self) -> u64 {
        self.bytes.length()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.bytes.read_at(offset, buffer)
    }
}

/// Opens it, looks at the disk inside and reads some of it.
fn use_it(open: Open, bytes: Vec<u8>) -> Result<u64> {
    let read = Arc::new(AtomicU64::new(0));
    let file = Counted {
        bytes,
        read: read.clone(),
    };
    let outcome = open(Arc::new(file), &Alone);
    assert!(
        read.load(Ordering::Relaxed) < 16 << 20,
        "headers and tables are read once"
    );
    let disk = outcome?.disk;
    let _ = raw::look(&*disk);
    let mut at = 0;
    for _ in 0..64 {
        let Ok(next) = disk.next_data(at) else { break };
        assert!(next >= at && next <= disk.length());
        if disk.piece_up_to(next, 70_000).is_err() || next == disk.length() {
            break;
        }
        at = next + 1;
    }
    Ok(disk.length())
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = file.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

fn put_u32(file: &mut [u8], at: usize, value: u32) {
    put(file, at, &value.to_le_bytes());
}

fn put_u64(file: &mut [u8], at: usize, value: u64) {
    put(file, at, &value.to_le_bytes());
}

/// Two blocks of 4 KiB, the second one stored.
fn small_vdi() -> Vec<u8> {
    let mut file = vec![0; 512 + 512 + 4096];
    put(&mut file, 0x40, &[0x7f, 0x10, 0xda, 0xbe]);
    for (at, value) in [
        (0x44, 0x1_0001),
        (0x48, 0x180),
        (0x4c, 1),
        (0x154, 512),
        (0x158, 1024),
        (0x178, 4096),
        (0x180, 2),
        (0x184, 1),
    ] {
        put_u32(&mut file, at, value);
    }
    put_u64(&mut file, 0x170, 8192);
    put_u32(&mut file, 512, u32::MAX);
    file
}

fn vhd_sum(file: &mut [u8], from: usize, length: usize, at: usize) {
    put(file, from + at, &[0; 4]);
    let Some(part) = file.get(from..from + length) else {
        return;
    };
    let sum: u32 = part.iter().map(|byte| u32::from(*byte)).sum();
    put(file, from + at, &(!sum).to_be_bytes());
}

fn fix_vhd(file: &mut [u8]) {
    vhd_sum(file, 512, 1024, 36);
    if let Some(footer) = file.len().checked_sub(512) {
        vhd_sum(file, footer, 512, 64);
    }
}

/// Copy of the footer, header, table, one block of 4 KiB with its bitmap, footer.
fn small_vhd() -> Vec<u8> {
    let mut file = vec![0; 2048 + 512 + 4096 + 512];
    let footer = file.len() - 512;
    for at in [0, footer] {
        put(&mut file, at, b"conectix");
        put(&mut file, at + 12, &0x1_0000u32.to_be_bytes());
        put(&mut file, at + 16, &512u64.to_be_bytes());
        put(&mut file, at + 48, &8192u64.to_be_bytes());
        put(&mut file, at + 60, &3u32.to_be_bytes());
    }
    put(&mut file, 512, b"cxsparse");
    put(&mut file, 512 + 16, &1536u64.to_be_bytes());
    put(&mut file, 512 + 28, &2u32.to_be_bytes());
    put(&mut file, 512 + 32, &4096u32.to_be_bytes());
    put(&mut file, 1536, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 4]);
    vhd_sum(&mut file, 0, 512, 64);
    fix_vhd(&mut file);
    file
}

const DESCRIPTION: &str = "# Disk DescriptorFile\nversion=1\nparentCID=ffffffff\ncreateType=\"monolithicSparse\"\nRW 16 SPARSE \"x.vmdk\"\n";

/// Header, description, directory, one table, one grain of 4 KiB, plain or compressed.
fn small_vmdk(compressed: bool) -> Vec<u8> {
    let mut file = vec![0; 8 * 512 + 2 * 4096];
    put(&mut file, 0, b"KDMV");
    put_u32(&mut file, 4, 1);
    put_u32(&mut file, 8, if compressed { 0x3_0001 } else { 1 });
    for (at, value) in [(12, 16), (20, 8), (28, 1), (36, 1), (56, 2)] {
        put_u64(&mut file, at, value);
    }
    put_u32(&mut file, 44, 512);
    put(&mut file, 73, b"\n \r\n");
    put(&mut file, 77, &[u8::from(compressed), 0]);
    let text = if compressed {
        DESCRIPTION.replace("monolithicSparse", "streamOptimized")
    } else {
        DESCRIPTION.into()
    };
    put(&mut file, 512, text.as_bytes());
    put_u32(&mut file, 1024, 3);
    put_u32(&mut file, 3 * 512, 8);
    if compressed {
        let mut packed = Vec::new();
        let mut writer = flate2::write::ZlibEncoder::new(&mut packed, flate2::Compression::fast());
        io::Write::write_all(&mut writer, &[7; 4096]).unwrap();
        writer.finish().unwrap();
        put_u32(&mut file, 8 * 512 + 8, packed.len() as u32);
        put(&mut file, 8 * 512 + 12, &packed);
    }
    file
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 {
                (sum >> 1) ^ 0x82f6_3b78
            } else {
                sum >> 1
            }
        })
    })
}

fn fix_vhdx(file: &mut [u8]) {
    for (at, length) in [(64 * KIB, 4 * KIB), (192 * KIB, 64 * KIB)] {
        put_u32(file, at + 4, 0);
        if let Some(part) = file.get(at..at + length) {
            let sum = crc(part);
            put_u32(file, at + 4, sum);
        }
    }
}

/// One header, one region table, metadata at 1 MiB, the table of blocks at 2 MiB, one block of 1 MiB at 3 MiB.
fn small_vhdx() -> Vec<u8> {
    let mut file = vec![0; 4 * MIB];
    put(&mut file, 0, b"vhdxfile");
    put(&mut file, 64 * KIB, b"head");
    put(&mut file, 64 * KIB + 66, &[1, 0]);
    put(&mut file, 192 * KIB, b"regi");
    put_u32(&mut file, 192 * KIB + 8, 2);
    for (at, guid, place) in [(16, 0x8b7c_a206, MIB), (48, 0x2dc2_7766, 2 * MIB)] {
        let at = 192 * KIB + at;
        put_u32(&mut file, at, guid);
        put_u64(&mut file, at + 16, place as u64);
        put_u32(&mut file, at + 24, MIB as u32);
    }
    put(&mut file, MIB, b"metadata");
    put(&mut file, MIB + 10, &[3, 0]);
    for (index, guid, length, value) in [
        (1usize, 0xcaa1_6737, 8, MIB as u64),
        (2, 0x2fa5_4224, 8, 2 * MIB as u64),
        (3, 0x8141_bf1d, 4, 512),
    ] {
        let (entry, item) = (MIB + 32 * index, 64 * KIB + 16 * index);
        put_u32(&mut file, entry, guid);
        put_u32(&mut file, entry + 16, item as u32);
        put_u32(&mut file, entry + 20, length);
        put_u64(&mut file, MIB + item, value);
    }
    put_u64(&mut file, 2 * MIB + 8, (3 << 20) | 6);
    fix_vhdx(&mut file);
    file
}

#[test]
fn the_seeds_are_sound() {
    for (name, open, bytes, capacity) in [
        ("VDI", vdi::open as Open, small_vdi(), 8192),
        ("VHD", vhd::open, small_vhd(), 8192),
        ("VMDK", vmdk::open, small_vmdk(false), 8192),
        ("compressed VMDK", vmdk::open, small_vmdk(true), 8192),
        ("VHDX", vhdx::open, small_vhdx(), 2 << 20),
    ] {
        assert_eq!(use_it(open, bytes), Ok(capacity), "{name}");
    }
}

/// Changes of a VHDX at its headers, tables and metadata.
fn spoiled_vhdx() -> impl Strategy<Value = Vec<u8>> {
    let place = (0usize..6, 0usize..160);
    let value = prop_oneof![Just(0u64), Just(u64::MAX), any::<u64>(), 0..4096u64];
    proptest::collection::vec((place, value, 1usize..9), 1..6).prop_map(|changes| {
        let mut file = small_vhdx();
        for ((area, at), value, size) in changes {
            let area = [64 * KIB, 192 * KIB, MIB, MIB + 64 * KIB, 2 * MIB, 192 * KIB][area];
            put(&mut file, area + at, &value.to_le_bytes()[..size]);
        }
        fix_vhdx(&mut file);
        file
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, ..ProptestConfig::default() })]
    #[test]
    fn spoiled_vdi(bytes in mutated(small_vdi(), 520)) {
        let _ = use_it(vdi::open, bytes);
    }
    #[test]
    fn spoiled_vhd(mut bytes in mutated(small_vhd(), 1560)) {
        fix_vhd(&mut bytes);
        let _ = use_it(vhd::open, bytes);
    }
    #[test]
    fn spoiled_vmdk(bytes in mutated(small_vmdk(false), 2100), compressed in mutated(small_vmdk(true), 4200)) {
        let _ = use_it(vmdk::open, bytes);
        let _ = use_it(vmdk::open, compressed);
    }
    #[test]
    fn described_vmdk(text in "# Disk DescriptorFile\n(createType=\"(vmfs|monolithicFlat)\"\n)?((RW|RDONLY) [0-9]{1,20} (FLAT|ZERO|SPARSE)( \"[a-z/.:\\\\]{0,9}\")?( [0-9]{1,20})?\n){0,4}") {
        let _ = use_it(vmdk::open, text.into_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn spoiled_vhdx_tables(bytes in spoiled_vhdx()) {
        let _ = use_it(vhdx::open, bytes);
    }
}
