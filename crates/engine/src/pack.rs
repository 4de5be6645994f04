//! Memory files at rest: compressed, and made usable again when one is needed.

use crate::Engine;
use crate::files;
use crate::jobs::JobHandle;
use crate::machine::Handle;
use nestbox_model::layout::SnapshotFolder;
use nestbox_model::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;

/// A memory file that nobody used for so long is compressed.
const AT_REST: Duration = Duration::from_secs(24 * 3600);

impl Engine {
    /// Compresses the memory of all snapshots of a machine.
    pub(crate) async fn pack_all(&self, handle: &Arc<Handle>, job: &JobHandle) -> Result<()> {
        let (records, _) = files::read_records(&self.folder(&handle.id));
        for record in records.iter().filter(|record| record.memory) {
            job.check_cancelled()?;
            let folder = self.folder(&handle.id).snapshot(&record.id);
            let reporter = job.clone();
            let (_guard, cancel) = handle.lock_in_background(&job.cancel_token()).await?;
            pack(folder, cancel, move |done, total| {
                reporter.bytes(done, Some(total));
            })
            .await?;
        }
        self.refresh_sizes(handle)?;
        self.tell_machine(nestbox_model::EventKind::SnapshotChanged, handle, None);
        Ok(())
    }

    /// Compresses one memory file that rests, of any machine; `false` when there is none. For quiet hours.
    pub(crate) async fn pack_one_at_rest(&self) -> Result<bool> {
        for handle in self.handles() {
            let folder = self.folder(&handle.id);
            let resting = files::read_records(&folder)
                .0
                .into_iter()
                .map(|record| folder.snapshot(&record.id))
                .find(|snapshot| rests(&snapshot.memory()));
            if let Some(snapshot) = resting {
                let (_guard, cancel) = handle.lock_in_background(&CancellationToken::new()).await?;
                pack(snapshot, cancel, |_, _| ()).await?;
                self.refresh_sizes(&handle)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The memory file ready to be read: unpacked first when it is compressed.
    ///
    /// # Errors
    /// `memory-missing` when there is none, `memory-damaged`, `no-space`.
    pub(crate) async fn ready_memory(&self, folder: &SnapshotFolder) -> Result<PathBuf> {
        let (memory, packed) = (folder.memory(), folder.packed_memory());
        if memory.exists() {
            return Ok(memory);
        }
        if !packed.exists() {
            return Err(Error::failed(
                "memory-missing",
                "The file with the saved memory is not there any more.",
            )
            .with_hint("Restore only the disks: --no-memory")
            .with_detail("path", memory.display().to_string()));
        }
        let target = memory.clone();
        blocking(move || {
            nestbox_qemu::unpack_memory(&packed, &target, &CancellationToken::new(), &|_, _| ())?;
            files::remove_file(&packed)
        })
        .await?;
        Ok(memory)
    }
}

fn rests(memory: &Path) -> bool {
    let used = |path: &Path| -> std::io::Result<SystemTime> {
        let facts = std::fs::metadata(path)?;
        Ok(facts.modified()?.max(facts.accessed()?))
    };
    used(memory).is_ok_and(|at| at.elapsed().is_ok_and(|since| since >= AT_REST))
}

/// The packed file appears whole; only then the other goes.
async fn pack(
    folder: SnapshotFolder,
    cancel: CancellationToken,
    progress: impl Fn(u64, u64) + Send + Sync + 'static,
) -> Result<()> {
    if !folder.memory().exists() {
        return Ok(());
    }
    blocking(move || {
        nestbox_qemu::pack_memory(&folder.memory(), &folder.packed_memory(), &cancel, &progress)?;
        files::remove_file(&folder.memory())
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| {
        Error::failed(
            "internal",
            format!("Work on a memory file ended unexpectedly: {e}."),
        )
    })?
}
