//! Descriptions of machines, archives and compressed files, spoiled.

use super::mutated;
use crate::{foreign::Alone, inspect::inspect_open, source::OpenFile};
use proptest::prelude::*;
use std::{io::Write, path::Path};

const OVF: &str = r#"<Envelope><References><File id="f" href="d"/></References><DiskSection><Disk diskId="d" fileRef="f"/></DiskSection><VirtualSystem id="v"><Name>n</Name><VirtualHardwareSection><Item><ResourceType>3</ResourceType><VirtualQuantity>2</VirtualQuantity></Item><Item><HostResource>/disk/d</HostResource><ResourceType>17</ResourceType></Item></VirtualHardwareSection></VirtualSystem></Envelope>"#;
const VBOX: &str = r#"<VirtualBox><Machine name="n" OSType="Ubuntu_64"><MediaRegistry><HardDisk uuid="1" location="d" format="VDI"/></MediaRegistry><Hardware><CPU count="2"/><Network><Adapter enabled="true" MACAddress="080027ABCDEF"><NAT><Forwarding proto="1" hostport="1" guestport="2"/></NAT></Adapter></Network></Hardware></Machine></VirtualBox>"#;
const LIBVIRT: &str = r#"<domain><name>n</name><memory unit="GiB">1</memory><vcpu>2</vcpu><os><type arch="x86_64"/></os><devices><disk type="file"><source file="d"/></disk><interface type="user"><mac address="52:54:00:11:22:33"/></interface></devices></domain>"#;
const VMX: &str =
    "config.version = \"8\"\ndisplayName = \"n|22\"\nmemsize = \"1024\"\nscsi0:0.fileName = \"d\"\n";
const QUICKEMU: &str = "guest_os=\"linux\"\ndisk_img=\"d\"\nport_forwards=(\"1:2\" 3:4)\nram='4G' # x\n";

fn tar_of(name: &str, data: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 512];
    file[..name.len()].copy_from_slice(name.as_bytes());
    file[124..136].copy_from_slice(format!("{:011o}\0", data.len()).as_bytes());
    file[156] = b'0';
    file[257..265].copy_from_slice(b"ustar\x0000");
    file[148..156].fill(b' ');
    let sum: u32 = file.iter().map(|byte| u32::from(*byte)).sum();
    file[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    file.extend(data);
    file.resize(file.len().next_multiple_of(512) + 1024, 0);
    file
}

fn gz(data: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn bz2(data: &[u8]) -> Vec<u8> {
    let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn zst(data: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
}

fn xz(data: &[u8]) -> Vec<u8> {
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn zip(data: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer
        .start_file("disk", zip::write::SimpleFileOptions::default())
        .unwrap();
    writer.write_all(data).unwrap();
    writer.finish().unwrap().into_inner()
}

/// Recognises and judges it as a file.
fn use_it(bytes: &[u8]) {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    if let Ok(inspection) = inspect_open(OpenFile::new(file).unwrap(), Path::new("x"), &Alone) {
        let _ = inspection.plan(None);
    }
}

/// Up to three pieces of a text replaced by others.
fn edited(seed: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("\""),
        Just("<"),
        Just(">"),
        Just("&lt;"),
        Just("../"),
        Just("/etc/passwd"),
        Just("-1"),
        Just("99999999999999999999"),
        Just("\0"),
        Just("$("),
        Just("`"),
        Just("|"),
        Just("("),
        Just("'"),
        Just("="),
        Just("\n"),
        Just("]]>"),
        Just("<!--"),
        Just("\u{202e}"),
    ];
    proptest::collection::vec((0..seed.len(), 0usize..8, piece), 0..4).prop_map(move |changes| {
        let mut bytes = seed.as_bytes().to_vec();
        for (at, length, piece) in changes {
            let at = at.min(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        bytes
    })
}

fn disk() -> Vec<u8> {
    let mut disk = vec![0; 70_000];
    disk[446 + 4] = 0x83;
    disk[446 + 12] = 100;
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]
    #[test]
    fn spoiled_texts(texts in (edited(OVF), edited(VBOX), edited(LIBVIRT), edited(VMX), edited(QUICKEMU))) {
        for text in [texts.0, texts.1, texts.2, texts.3, texts.4] {
            use_it(&text);
        }
    }
    #[test]
    fn spoiled_tar(bytes in mutated(tar_of("m.ovf", OVF.as_bytes()), 512)) {
        use_it(&bytes);
    }
    #[test]
    fn spoiled_packing(gz in mutated(gz(&disk()), 40), bz2 in mutated(bz2(&disk()), 40), zst in mutated(zst(&disk()), 40), xz in mutated(xz(&disk()), 60), zip in mutated(zip(&disk()), 60)) {
        for bytes in [gz, bz2, zst, xz, zip] {
            use_it(&bytes);
        }
    }
}
