//! What the tests share.

use nestbox_browse::{CopyOut, Helper, ListRequest};
use nestbox_model::{CopiedOut, ImageFormat, Listing, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio_util::sync::CancellationToken;

/// This program as the confined process.
pub fn helper() -> Helper {
    Helper {
        program: std::env::current_exe().unwrap(),
        arguments: ["--exact", "confined_process", "--ignored", "--nocapture"]
            .map(Into::into)
            .to_vec(),
    }
}

fn raw(image: &Path) -> [(File, ImageFormat); 1] {
    [(File::open(image).unwrap(), ImageFormat::Raw)]
}

pub fn list(image: &Path, path: Option<&str>) -> Result<Listing> {
    page(image, path, 10_000, None)
}

pub fn page(image: &Path, path: Option<&str>, limit: u32, after: Option<&str>) -> Result<Listing> {
    let request = ListRequest {
        path: path.map(str::to_owned),
        limit,
        after: after.map(str::to_owned),
    };
    nestbox_browse::list(&helper(), &raw(image), request, &CancellationToken::new())
}

pub fn names(listing: &Listing) -> Vec<&str> {
    listing.entries.iter().map(|entry| entry.name.as_str()).collect()
}

pub fn copy(image: &Path, paths: &[&str], to: &Path) -> Result<CopiedOut> {
    copy_with(image, paths, to, false)
}

pub fn copy_with(image: &Path, paths: &[&str], to: &Path, overwrite: bool) -> Result<CopiedOut> {
    let request = CopyOut {
        paths: paths.iter().map(ToString::to_string).collect(),
        to: to.to_owned(),
        overwrite,
    };
    nestbox_browse::copy_out(
        &helper(),
        &raw(image),
        &request,
        &CancellationToken::new(),
        &|_| (),
    )
}

/// Whether the tools are there; says which test is skipped where not.
pub fn have(test: &str, tools: &[&str]) -> bool {
    let folders = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin"];
    let missing = tools
        .iter()
        .find(|tool| !folders.iter().any(|folder| Path::new(folder).join(tool).exists()));
    if let Some(tool) = missing {
        eprintln!("skipped: {test} needs {tool}");
    }
    missing.is_none()
}

pub fn run(folder: &Path, program: &str, args: &[&str]) {
    let path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
    let done = Command::new(program)
        .env("PATH", path)
        .env("LC_ALL", "C.UTF-8")
        .current_dir(folder)
        .args(args)
        .output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(done.status.success(), "{program} {args:?}: {done:?}");
}

/// A file of zeros.
pub fn blank(folder: &Path, name: &str, length: u64) -> PathBuf {
    let path = folder.join(name);
    File::create(&path).unwrap().set_len(length).unwrap();
    path
}

/// Numbers that look random and are the same every time.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// Every regular file below a folder with its hash.
pub fn hashes(folder: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(next) = pending.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                pending.push(entry.path());
            } else if kind.is_file() {
                let path = entry.path();
                let name = path.strip_prefix(folder).unwrap().as_os_str().as_bytes();
                let name = name.escape_ascii().to_string();
                all.insert(name, hash(&path));
            }
        }
    }
    all
}

pub fn hash(path: &Path) -> String {
    let mut hasher = Sha256::new();
    std::io::copy(&mut File::open(path).unwrap(), &mut hasher).unwrap();
    format!("{:x}", hasher.finalize())
}

/// A tree with what a file system can get wrong and every kind here can hold: deep folders, long and foreign names, a
/// large file, an empty one, one with holes, and `many` files in one folder.
pub fn tree(folder: &Path, many: usize) -> PathBuf {
    let top = folder.join("tree");
    let mut numbers = Numbers(0x5eed);
    let deep: PathBuf = (0..12).map(|level| format!("level {level}")).collect();
    std::fs::create_dir_all(top.join(&deep)).unwrap();
    std::fs::write(top.join(deep).join("bottom.txt"), "reached").unwrap();
    std::fs::write(top.join("hello.txt"), "hello\n").unwrap();
    std::fs::write(top.join("empty"), "").unwrap();
    std::fs::write(top.join("Größe – 大きさ.txt"), "umlauts").unwrap();
    std::fs::write(top.join(format!("{}.txt", "n".repeat(200))), "long").unwrap();
    std::fs::write(top.join("100%41.txt"), "percent").unwrap();
    std::fs::write(top.join("large.bin"), numbers.bytes(3_000_001)).unwrap();
    let mut holes = vec![0; 1 << 20];
    holes[500_000..500_010].copy_from_slice(b"0123456789");
    std::fs::write(top.join("holes.bin"), holes).unwrap();
    std::fs::create_dir(top.join("many")).unwrap();
    for number in 0..many {
        let name = format!("file number {number} of many");
        std::fs::write(top.join("many").join(name), number.to_string()).unwrap();
    }
    top
}
