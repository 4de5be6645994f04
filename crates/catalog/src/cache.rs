//! The image cache: files named by digest, what they came from, and one download at a time for each digest.

use crate::schema::Algorithm;
use nestbox_model::{Arch, Error, Result, VerifiedBy};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};
use time::OffsetDateTime;
use tokio::sync::watch;

/// What was fetched last for a template and architecture: `cache/catalog/<id>.<arch>.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub sha256: String,
    pub size: u64,
    pub extension: String,
    /// Digest of the checksum file, `sha256:…` or `sha512:…`.
    pub digest: String,
    pub url: String,
    pub verified_by: VerifiedBy,
    pub signed_by: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub fetched_at: OffsetDateTime,
}

/// An image that is in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Absolute path of the image.
    pub path: PathBuf,
    /// Templates it was fetched for, as `ubuntu-24.04 (aarch64)`; a template of an older release may be among them.
    pub templates: Vec<String>,
    /// When it was fetched last.
    pub fetched_at: Option<OffsetDateTime>,
}

/// A download several fetches may wait for.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub lock: tokio::sync::Mutex<()>,
    pub progress: watch::Sender<(u64, Option<u64>)>,
}

#[derive(Debug)]
pub(crate) struct Cache {
    root: PathBuf,
    shared: Mutex<HashMap<String, Weak<Shared>>>,
}

impl Cache {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            shared: Mutex::default(),
        }
    }
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }
    pub fn partial(&self) -> PathBuf {
        self.root.join("partial")
    }
    pub fn image(&self, sha256: &str, extension: &str) -> PathBuf {
        self.images().join(format!("{sha256}.{extension}"))
    }
    fn records(&self) -> PathBuf {
        self.root.join("catalog")
    }
    fn record_file(&self, id: &str, arch: Arch) -> PathBuf {
        self.records().join(format!("{id}.{arch}.json"))
    }

    /// Makes the folders.
    pub fn prepare(&self) -> Result<()> {
        for folder in [self.images(), self.partial(), self.records()] {
            fs::create_dir_all(&folder).map_err(|e| Error::io("make the image cache", &folder, &e))?;
        }
        Ok(())
    }

    /// The one download of a digest that is under way or begins now.
    pub fn shared(&self, digest: &str) -> Arc<Shared> {
        let mut map = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        map.retain(|_, weak| weak.strong_count() > 0);
        if let Some(shared) = map.get(digest).and_then(Weak::upgrade) {
            return shared;
        }
        let shared = Arc::new(Shared::default());
        map.insert(digest.to_owned(), Arc::downgrade(&shared));
        shared
    }

    /// The last fetch of a template, if its image is still there.
    pub fn record(&self, id: &str, arch: Arch) -> Option<Record> {
        read_record(&self.record_file(id, arch)).filter(|record| self.is_present(record))
    }

    /// An image with this digest, whichever template it was fetched for: (SHA-256, size).
    pub fn by_digest(&self, algorithm: Algorithm, digest: &str, extension: &str) -> Option<(String, u64)> {
        let wanted = format!("{}:{digest}", algorithm.as_str());
        let mut records = fs::read_dir(self.records()).into_iter().flatten().flatten();
        let known = records.find_map(|entry| {
            read_record(&entry.path())
                .filter(|r| r.digest == wanted && r.extension == extension && self.is_present(r))
        });
        known.map(|record| (record.sha256, record.size)).or_else(|| {
            let path = (algorithm == Algorithm::Sha256).then(|| self.image(digest, extension))?;
            let facts = fs::symlink_metadata(path).ok()?;
            facts.is_file().then(|| (digest.to_owned(), facts.len()))
        })
    }

    fn is_present(&self, record: &Record) -> bool {
        let good_name = record.sha256.len() == 64 && record.sha256.bytes().all(|b| b.is_ascii_hexdigit());
        good_name
            && crate::source::is_extension(&record.extension)
            && fs::symlink_metadata(self.image(&record.sha256, &record.extension))
                .is_ok_and(|facts| facts.is_file() && facts.len() == record.size)
    }

    /// Every image in the cache with what it was fetched for, as `id (arch)`.
    pub fn held(&self) -> Vec<Held> {
        let mut held: Vec<Held> = fs::read_dir(self.images())
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            .map(|entry| Held {
                path: entry.path(),
                templates: Vec::new(),
                fetched_at: None,
            })
            .collect();
        for entry in fs::read_dir(self.records()).into_iter().flatten().flatten() {
            let Some(record) = read_record(&entry.path()) else {
                continue;
            };
            let image = self.image(&record.sha256, &record.extension);
            let name = entry.file_name().to_string_lossy().into_owned();
            let name = name.trim_end_matches(".json").rsplit_once('.');
            if let (Some(held), Some((id, arch))) = (held.iter_mut().find(|held| held.path == image), name) {
                held.templates.push(format!("{id} ({arch})"));
                held.fetched_at = held.fetched_at.max(Some(record.fetched_at));
            }
        }
        for held in &mut held {
            held.templates.sort();
        }
        held
    }

    pub fn save_record(&self, id: &str, arch: Arch, record: &Record) -> Result<()> {
        let path = self.record_file(id, arch);
        let text = serde_json::to_vec_pretty(record)
            .map_err(|e| Error::failed("internal", format!("A cache record can't be written: {e}.")))?;
        write_atomically(&path, &text, 0o644).map_err(|e| Error::io("note what was downloaded", &path, &e))
    }

    /// Moves a verified download into the cache: read-only, synced, under its digest.
    pub fn adopt(&self, part: &Path, sha256: &str, extension: &str) -> Result<PathBuf> {
        use std::os::unix::fs::PermissionsExt;
        let target = self.image(sha256, extension);
        let work = || -> std::io::Result<()> {
            fs::set_permissions(part, fs::Permissions::from_mode(0o444))?;
            File::open(part)?.sync_all()?;
            fs::rename(part, &target)?;
            File::open(self.images())?.sync_all()
        };
        work().map_err(|e| Error::io("move the image into the cache", &target, &e))?;
        Ok(target)
    }
}

fn read_record(path: &Path) -> Option<Record> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(fs::Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    File::open(folder)?.sync_all()
}
