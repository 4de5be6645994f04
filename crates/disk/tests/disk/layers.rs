//! A chain read by our own reader shows what QEMU's tool shows.

use crate::{Place, qemu_img};
use nestbox_disk::Layers;
use nestbox_model::ImageFormat;
use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

fn write(image: &Path, format: &str, commands: &[String]) {
    let mut io = Command::new("qemu-io");
    io.args(["-f", format]);
    for command in commands {
        io.args(["-c", command]);
    }
    let done = io.arg(image).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn every_byte_of_a_chain_is_as_qemu_reads_it() {
    let place = Place::new();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (raw, packed) = (place.path("raw"), place.path("packed.qcow2"));
    // Compressible but not trivial, with holes.
    let bytes: Vec<u8> = (0..6u32 << 20)
        .map(|at| {
            if at >> 18 & 1 == 0 {
                ((at / 7 * 31) >> 3) as u8
            } else {
                0
            }
        })
        .collect();
    fs::write(&raw, &bytes).unwrap();
    for (compression, cluster) in [("zlib", "64k"), ("zstd", "64k"), ("zstd", "2M"), ("zlib", "4k")] {
        let options = format!("compression_type={compression},cluster_size={cluster}");
        qemu_img(&[
            "convert",
            "-c",
            "-f",
            "raw",
            "-O",
            "qcow2",
            "-o",
            &options,
            &text(&raw),
            &text(&packed),
        ]);
        let (middle, top) = (place.path("middle.qcow2"), place.path("top.qcow2"));
        // Subclusters, then a larger disk with small clusters and discarded parts.
        qemu_img(&[
            "create",
            "-q",
            "-f",
            "qcow2",
            "-o",
            "extended_l2=on,cluster_size=128k",
            "-b",
            &text(&packed),
            "-F",
            "qcow2",
            &text(&middle),
        ]);
        let middle_writes: Vec<String> = (0..40u64)
            .map(|n| {
                format!(
                    "write -P {} {} {}",
                    n + 1,
                    n * 150_000 / 512 * 512,
                    512 + n % 9 * 1024
                )
            })
            .chain(["write -z 1M 70k".into(), "discard 3M 256k".into()])
            .collect();
        write(&middle, "qcow2", &middle_writes);
        qemu_img(&[
            "create",
            "-q",
            "-f",
            "qcow2",
            "-o",
            "cluster_size=4k",
            "-b",
            &text(&middle),
            "-F",
            "qcow2",
            &text(&top),
            "9M",
        ]);
        let top_writes: Vec<String> = (0..20u64)
            .map(|n| format!("write -P {} {} 1000", n + 100, n * 450_001))
            .chain(["write -z 2M 64k".into()])
            .collect();
        write(&top, "qcow2", &top_writes);
        let wanted = place.path("wanted");
        qemu_img(&["convert", "-f", "qcow2", "-O", "raw", &text(&top), &text(&wanted)]);
        let wanted = fs::read(wanted).unwrap();

        let images = [&top, &middle, &packed].map(|path| (File::open(path).unwrap(), ImageFormat::Qcow2));
        let mut layers = Layers::open(images.into()).unwrap();
        assert_eq!(layers.capacity(), wanted.len() as u64);
        let mut got = vec![0; wanted.len()];
        layers.read_at(0, &mut got).unwrap();
        let differs = got.iter().zip(&wanted).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{compression} {cluster}");
        // Odd places and lengths, too.
        for n in 0..200usize {
            let at = n * 46_337 % (wanted.len() - 70_000);
            let piece = &mut got[..1 + n * 347 % 70_000];
            layers.read_at(at as u64, piece).unwrap();
            assert!(piece == &wanted[at..at + piece.len()], "{at}");
        }
        assert!(layers.read_at(wanted.len() as u64 - 1, &mut [0; 2]).is_err());
    }
}
