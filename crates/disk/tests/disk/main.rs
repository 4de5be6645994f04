//! Tests of the disk crate with real files and the real `qemu-img`.

#![allow(clippy::unwrap_used)]

mod bundles;
mod chains;
mod controllers;
mod copying;
mod creating;
mod foreign;
mod importing;
mod isos;
mod layers;
mod packing;
mod qcow2_audit;
mod qcow2_header;
mod recognising;
mod tools;
mod utm;

use nestbox_model::Error;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// Runs `qemu-img`, which must work.
fn qemu_img(arguments: &[&str]) -> String {
    let output = Command::new("qemu-img")
        .args(arguments)
        .output()
        .expect("qemu-img is installed");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A folder with files of a test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }
    /// A qcow2 made by QEMU with some data in it; `options` as for `-o`.
    fn qcow2(&self, name: &str, size: &str, options: &str) -> PathBuf {
        let raw = self.file("content.raw", disk_with_data());
        let path = self.text(name);
        qemu_img(&[
            "convert",
            "-f",
            "raw",
            "-O",
            "qcow2",
            "-o",
            options,
            raw.to_str().unwrap(),
            &path,
        ]);
        qemu_img(&["resize", "-q", "-f", "qcow2", &path, size]);
        path.into()
    }
    /// What is in the folder.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// 1 MiB: an MBR with one Linux partition, and data at several places.
fn disk_with_data() -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    disk[446 + 4] = 0x83;
    disk[446 + 8..446 + 12].copy_from_slice(&64u32.to_le_bytes());
    disk[446 + 12..446 + 16].copy_from_slice(&1024u32.to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    for (index, byte) in disk[300_000..400_000].iter_mut().enumerate() {
        *byte = (index * 7 % 251) as u8;
    }
    disk
}

/// Changes bytes of a file.
fn patch(path: &Path, at: usize, bytes: &[u8]) {
    let mut content = fs::read(path).unwrap();
    content[at..at + bytes.len()].copy_from_slice(bytes);
    fs::write(path, content).unwrap();
}

fn be64_at(path: &Path, at: usize) -> u64 {
    u64::from_be_bytes(fs::read(path).unwrap()[at..at + 8].try_into().unwrap())
}

/// The code of a refusal.
fn code<T>(outcome: Result<T, Error>) -> String {
    match outcome {
        Ok(_) => "accepted".into(),
        Err(error) => {
            assert!(
                error.message.ends_with(['.', ')']) || error.message.contains('/'),
                "{}",
                error.message
            );
            error.code
        }
    }
}

fn refused(path: &Path) -> String {
    code(nestbox_disk::inspect(path))
}

const NO_PROGRESS: &(dyn Fn(u64, u64) + Send + Sync) = &|_, _| {};
