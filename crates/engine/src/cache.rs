//! The image cache: what is in it, who needs it, and how what nobody needs is removed.

use crate::clones::images_in;
use crate::{Engine, files};
use nestbox_model::layout::MachineFolder;
use nestbox_model::{CacheList, CachePruned, CachedImage, Error, EventKind, MachineSpec, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Names of the machines that need each file of the cache.
type Needs = HashMap<PathBuf, Vec<String>>;

impl Engine {
    /// What is in the image cache, largest first.
    ///
    /// # Errors
    /// `cache-uncertain` where a machine's files can't be read, so that what it needs is not known.
    pub async fn cached_images(&self) -> Result<CacheList> {
        let engine = self.clone();
        blocking(move || engine.read_cache()).await
    }

    pub(crate) fn read_cache(&self) -> Result<CacheList> {
        let needs = self.cache_needs()?;
        let mut images: Vec<CachedImage> = self
            .0
            .catalog
            .cached_images()
            .into_iter()
            .map(|held| CachedImage {
                bytes: files::allocated_bytes(&held.path),
                needed_by: needs.get(&real(&held.path)).cloned().unwrap_or_default(),
                path: held.path.display().to_string(),
                templates: held.templates,
                fetched_at: held.fetched_at,
            })
            .collect();
        images.sort_by_key(|image| std::cmp::Reverse(image.bytes));
        let unfinished = self.0.catalog.unfinished();
        Ok(CacheList {
            images,
            partial: unfinished.iter().map(|path| files::allocated_bytes(path)).sum(),
        })
    }

    /// Removes what no machine needs, and unfinished downloads; with `dry_run` says what would go.
    ///
    /// # Errors
    /// `cache-busy` (conflict) while a machine is being made from an image; as [`Self::cached_images`].
    pub async fn prune_cache(&self, dry_run: bool) -> Result<CachePruned> {
        // A machine in the making stands on an image before anything says so.
        let _alone = self.0.making.try_write().map_err(|_| {
            Error::conflict(
                "cache-busy",
                "A machine is being made, and it may need what is in the cache.",
            )
            .with_hint("Try again when it is done.")
        })?;
        let mut list = self.cached_images().await?;
        list.images.retain(|image| image.needed_by.is_empty());
        let freed = list.partial + list.images.iter().map(|image| image.bytes).sum::<u64>();
        if !dry_run {
            let images = list.images.iter().map(|image| PathBuf::from(&image.path));
            let doomed: Vec<PathBuf> = images.chain(self.0.catalog.unfinished()).collect();
            blocking(move || doomed.iter().try_for_each(|path| files::remove_file(path))).await?;
            self.tell(EventKind::CacheChanged);
        }
        Ok(CachePruned {
            removed: list.images,
            freed,
        })
    }

    /// Looks at every folder, those that could not be loaded and those in the trash too: an image too many is kept,
    /// never one too few.
    fn cache_needs(&self) -> Result<Needs> {
        let mut needs = Needs::new();
        let parents = [self.layout().machines(), self.layout().trash()];
        let folders = parents
            .iter()
            .filter_map(|parent| std::fs::read_dir(parent).ok())
            .flatten()
            .flatten()
            .map(|entry| MachineFolder(entry.path()))
            .filter(|folder| folder.path().is_dir());
        for folder in folders {
            let uncertain = |error: Error| {
                Error::failed(
                    "cache-uncertain",
                    format!(
                        "Which downloads the machine in {} needs can't be told: {}",
                        folder.path().display(),
                        error.message
                    ),
                )
                .with_hint("Nothing was removed. Look at it with: nestbox library check")
            };
            let name = machine_name(&folder);
            for image in images_in(&folder) {
                let base = nestbox_disk::backing_name(&image).map_err(uncertain)?;
                let base = base.map(|base| image.parent().unwrap_or(Path::new("/")).join(base));
                note(&mut needs, base, &name);
            }
            for medium in media(&folder).map_err(uncertain)? {
                note(&mut needs, Some(medium), &name);
            }
        }
        Ok(needs)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| {
        Error::failed(
            "internal",
            format!("Looking at the image cache ended unexpectedly: {e}."),
        )
    })?
}

fn note(needs: &mut Needs, file: Option<PathBuf>, name: &str) {
    let Some(file) = file else { return };
    let names = needs.entry(real(&file)).or_default();
    if !names.iter().any(|have| have == name) {
        names.push(name.to_owned());
    }
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn machine_name(folder: &MachineFolder) -> String {
    let id = folder.path().file_name().unwrap_or_default().to_string_lossy();
    files::read_spec(folder).map_or_else(|_| id.into_owned(), |spec| spec.name)
}

/// What is in the drive, now and in snapshots.
fn media(folder: &MachineFolder) -> Result<Vec<PathBuf>> {
    // A folder without settings is none of ours, or what a removal left.
    if !folder.spec().exists() {
        return Ok(Vec::new());
    }
    let spec = files::read_spec(folder)?;
    let (records, errors) = files::read_records(folder);
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    let inserted = |spec: &MachineSpec| spec.medium.as_ref().map(|medium| PathBuf::from(&medium.path));
    let frozen = records.iter().filter_map(|record| inserted(&record.spec));
    Ok(inserted(&spec).into_iter().chain(frozen).collect())
}
