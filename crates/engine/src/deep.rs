//! Chains that are too deep: the present gets images that stand on nothing, while the machine is off.
//!
//! Merging ([`crate::tidy`]) shortens a chain where snapshots were deleted. Where all are still wanted, nothing can be
//! merged: then the present is copied out of the chain, which costs space but no snapshot.

use crate::jobs::JobHandle;
use crate::lifecycle::new_image_name;
use crate::machine::Handle;
use crate::take::check_space;
use crate::{Engine, files};
use nestbox_model::{Error, Result};
use serde_json::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// From this depth on the present is copied out, when the machine is off. Reads of what was written long ago look
/// through every layer, and each costs the hypervisor two open files.
const TOO_DEEP: u32 = 96;
/// From this depth on no snapshot is taken: a chain of [`nestbox_disk::chain`]'s limit could not be opened any more.
const DEEPEST: u32 = 240;

impl Engine {
    pub(crate) fn is_too_deep(&self, handle: &Handle) -> bool {
        handle.session().is_err() && self.depth(handle) > TOO_DEEP
    }

    /// Begins the copying in the background when it is time.
    pub(crate) fn tidy_if_too_deep(&self, handle: &Arc<Handle>) {
        if self.is_too_deep(handle)
            && let Err(error) = self.tidy_if_worthwhile(handle)
        {
            tracing::warn!(%error, machine = %handle.id, "a deep chain stays as it is");
        }
    }

    /// # Errors
    /// `chain-too-deep` (conflict).
    pub(crate) fn check_depth(&self, handle: &Handle) -> Result<()> {
        let depth = self.depth(handle);
        if depth < DEEPEST {
            return Ok(());
        }
        Err(Error::conflict(
            "chain-too-deep",
            format!(
                "The disk of “{}” stands on {depth} images already.",
                handle.name()
            ),
        )
        .with_hint("Shut the machine down, and its disk is copied out of the chain in the background; or delete snapshots.")
        .with_detail("depth", depth))
    }

    /// Copies what the present shows into images that stand on nothing, under the machine's operation lock.
    pub(crate) async fn flatten_present(
        &self,
        handle: &Arc<Handle>,
        cancel: &CancellationToken,
        job: &JobHandle,
    ) -> Result<()> {
        let spec = handle.spec();
        let folder = self.folder(&handle.id);
        let mut after = spec.clone();
        for disk in &mut after.disks {
            disk.image = new_image_name();
        }
        let mut images: Vec<String> = after.disks.iter().map(|disk| disk.image.clone()).collect();
        let bytes: u64 = spec.disks.iter().map(|disk| disk.capacity).sum();
        check_space(
            &folder,
            bytes,
            "Copying the disk out of its chain",
            "or delete snapshots.",
        )?;
        images.extend(spec.disks.iter().map(|disk| disk.image.clone()));
        let library = self.library();
        let journal = library.begin("flatten", Some(&handle.id), &json!({ "images": images }))?;
        let copied = async {
            for (old, new) in spec.disks.iter().zip(&after.disks) {
                let from = folder.disk_image(&old.image);
                self.chain(&from, old.linked.as_deref())?;
                let reporter = job.clone();
                let progress = move |done: u64| reporter.bytes(done, None);
                let to = folder.disk_image(&new.image);
                tokio::select! {
                    done = nestbox_disk::flatten(&from, &to, &progress) => done?,
                    () = cancel.cancelled() => return Err(Error::cancelled()),
                }
            }
            self.save_spec(handle, after)
        };
        let copied = copied.await;
        // Whichever way it went: the old overlays, or the copies.
        if let Ok(written) = files::read_spec(&folder) {
            handle.write().spec = written;
            self.sweep(handle, &images)?;
        }
        library.finish(journal)?;
        copied
    }
}
