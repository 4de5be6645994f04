//! Which images nobody needs any more, told from the chains in their headers.

use crate::Engine;
use nestbox_model::{DiskId, MachineSpec, Result, SnapshotId, SnapshotRecord};
use std::collections::HashSet;
use std::path::Path;

impl Engine {
    /// Images of the machine that only `doomed` snapshots need.
    pub(crate) fn garbage(
        &self,
        spec: &MachineSpec,
        all: &[(SnapshotRecord, u64)],
        doomed: &[SnapshotId],
    ) -> Result<Vec<std::path::PathBuf>> {
        let candidates = all
            .iter()
            .filter(|(s, _)| doomed.contains(&s.id))
            .flat_map(|(s, _)| s.disks.iter().map(|d| d.image.clone()).chain(s.nvram.clone()))
            .collect::<Vec<_>>();
        let living: Vec<&SnapshotRecord> = all
            .iter()
            .map(|(s, _)| s)
            .filter(|s| !doomed.contains(&s.id))
            .collect();
        self.unneeded(spec, &living, doomed, &candidates)
    }

    /// Of the images named `candidates` and what they stand on, those that neither the present nor a living snapshot
    /// needs. Only files in the machine's own folder, and nothing at all when any needed chain can't be read.
    pub(crate) fn unneeded(
        &self,
        spec: &MachineSpec,
        living: &[&SnapshotRecord],
        doomed: &[SnapshotId],
        candidates: &[String],
    ) -> Result<Vec<std::path::PathBuf>> {
        let folder = self.folder(&spec.id);
        // A record that can't be read may need any image: then everything stays.
        let (on_disk, unreadable) = crate::files::read_records(&folder);
        if let Some(error) = unreadable.first() {
            tracing::warn!(%error, machine = %spec.id, "a snapshot can't be read, so no image is removed");
            return Ok(Vec::new());
        }
        let unindexed = on_disk
            .iter()
            .filter(|r| !living.iter().any(|l| l.id == r.id) && !doomed.contains(&r.id));
        let living: Vec<&SnapshotRecord> = living.iter().copied().chain(unindexed).collect();
        let linked = |id: &DiskId| {
            let detached = spec.detached.iter().map(|d| &d.disk);
            spec.disks
                .iter()
                .chain(detached)
                .find(|d| d.id == *id)
                .and_then(|d| d.linked.clone())
        };
        let mut needed = HashSet::new();
        let mut need = |path: std::path::PathBuf, linked: Option<String>| -> Result<()> {
            needed.extend(
                self.chain(&path, linked.as_deref())?
                    .into_iter()
                    .map(|link| link.path),
            );
            Ok(())
        };
        for disk in &spec.disks {
            need(folder.disk_image(&disk.image), disk.linked.clone())?;
        }
        for detached in &spec.detached {
            let disk = &detached.disk;
            if let Err(error) = need(folder.disk_image(&disk.image), disk.linked.clone()) {
                tracing::warn!(%error, machine = %spec.id, "a detached disk can't be read, so no image is removed");
                return Ok(Vec::new());
            }
        }
        if let Some(name) = &spec.nvram {
            need(folder.nvram_image(name), None)?;
        }
        if let Some(before) = &spec.disposable {
            for disk in &before.disks {
                need(folder.disk_image(&disk.image), linked(&disk.id))?;
            }
            if let Some(name) = &before.nvram {
                need(folder.nvram_image(name), None)?;
            }
        }
        // What a job reads is told with all that it stands on.
        let read = self.0.readings.of(&spec.id);
        for path in self.images_needed_elsewhere(&spec.id)?.into_keys() {
            if !read.contains(&path) {
                need(path, None)?;
            }
        }
        for record in &living {
            for disk in &record.disks {
                let own = record
                    .spec
                    .disks
                    .iter()
                    .find(|d| d.id == disk.id)
                    .and_then(|d| d.linked.clone());
                need(folder.disk_image(&disk.image), own.or_else(|| linked(&disk.id)))?;
            }
            if let Some(name) = &record.nvram {
                need(folder.nvram_image(name), None)?;
            }
        }
        needed.extend(read);
        let needed: HashSet<_> = needed.iter().map(|path| canonical(path)).collect();
        let mut unneeded = Vec::new();
        for name in candidates {
            for parent in [folder.disks(), folder.nvram()] {
                let path = parent.join(name);
                if !path.exists() {
                    continue;
                }
                // A half-made overlay has no readable chain: it alone is a candidate.
                let below = self.chain(&path, None).map_or_else(
                    |_| vec![path.clone()],
                    |links| links.into_iter().map(|l| l.path).collect(),
                );
                for path in below {
                    let path = canonical(&path);
                    let own = path.parent().is_some_and(|p| p == canonical(&parent));
                    if own && !needed.contains(&path) && !unneeded.contains(&path) {
                        unneeded.push(path);
                    }
                }
            }
        }
        Ok(unneeded)
    }
}

fn canonical(path: &Path) -> std::path::PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
