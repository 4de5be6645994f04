//! Keeping chains short: an image that only another image needs is merged with it.
//!
//! ```text
//! hidden ◀── top ◀── child        nobody names `hidden`: its snapshot was deleted
//!        ◀────────── child        after: `hidden` shows what `top` showed, and takes its place everywhere
//! ```
//! Order, each step durable before the next: `top`'s content goes into the hidden image; every image that stands on
//! `top` is told to stand on it; records and the present name it; `top` is removed. Cut short anywhere, `top` still
//! shows what it did, and whoever names it is right. The work is done in the background under the machine's operation
//! lock, and gives way to any other operation.

use crate::clones::images_in;
use crate::jobs::JobHandle;
use crate::machine::{Handle, MachineRef};
use crate::{Engine, files};
use nestbox_model::layout::MachineFolder;
use nestbox_model::{
    Error, ErrorKind, EventKind, Job, JobId, JobKind, MachineSpec, MachineState, Result, SnapshotRecord,
    StepState,
};
use nestbox_qemu::{MergeRequest, MergeTarget};
use nestbox_store::JournalEntry;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the background work waits for an operation that came first, and how often.
const GIVE_WAY: Duration = Duration::from_secs(5);
const TRIES: usize = 60;
/// Most merges of one job; more are left to the next.
const MERGES_MAX: usize = 512;

/// Journal: two images become one.
pub(crate) const MERGE: &str = "merge";
/// Journal step: the lower image shows what the upper one does.
const WRITTEN: &str = "written";

/// Two neighbours of a chain that become one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pair {
    /// File name of the upper image.
    top: String,
    /// File name of the lower one, which stays.
    base: String,
    /// They are UEFI variables.
    nvram: bool,
}

/// The images of one kind (disks or UEFI variables) in a machine's folder: who stands on whom, who is named.
struct Stack {
    /// Image → what it stands on, in the same folder.
    below: HashMap<String, String>,
    /// Named by the present or a snapshot.
    named: HashSet<String>,
    /// Other machines' images stand on these.
    elsewhere: HashSet<String>,
}

impl Stack {
    fn pair(&self, nvram: bool) -> Option<Pair> {
        let mut names: Vec<&String> = self.below.keys().collect();
        names.sort();
        names.into_iter().find_map(|top| {
            let base = &self.below[top];
            self.fit(top, base).then(|| Pair {
                top: top.clone(),
                base: base.clone(),
                nvram,
            })
        })
    }

    fn fit(&self, top: &String, base: &String) -> bool {
        let others = self.below.values().filter(|below| *below == base).count() > 1;
        let free = |name: &String| !self.elsewhere.contains(name);
        self.below.get(top) == Some(base) && !others && !self.named.contains(base) && free(base) && free(top)
    }
}

impl Engine {
    /// Merges what can be merged and compresses the memory of snapshots, as a job.
    ///
    /// # Errors
    /// `machine-busy` while the machine is being made.
    pub async fn tidy(&self, wanted: MachineRef<'_>) -> Result<Job> {
        let handle = self.find(wanted)?;
        drop(handle.lock_ready().await?);
        let job = self.start_tidy(&handle, true)?;
        Ok(job)
    }

    /// A tidying job if there is something to merge.
    pub(crate) fn tidy_if_worthwhile(&self, handle: &Arc<Handle>) -> Result<Option<JobId>> {
        let nothing = self.next_pair(handle)?.is_none() && self.open_merge(handle)?.is_none();
        if nothing && !self.is_too_deep(handle) {
            return Ok(None);
        }
        Ok(Some(self.start_tidy(handle, false)?.id))
    }

    /// At the start of the service: what an earlier one left.
    pub(crate) fn tidy_all(&self) {
        for handle in self.handles() {
            if let Err(error) = self.tidy_if_worthwhile(&handle) {
                tracing::debug!(%error, machine = %handle.id, "nothing is merged for now");
            }
        }
    }

    fn start_tidy(&self, handle: &Arc<Handle>, pack: bool) -> Result<Job> {
        let working = |job: &Job| {
            job.kind == JobKind::Tidy && job.machine.as_ref() == Some(&handle.id) && !job.state.is_over()
        };
        if let Some(job) = self.jobs().into_iter().find(|job| working(job)).filter(|_| !pack) {
            return Ok(job);
        }
        let mut steps = vec![("merge", "Merge images")];
        if pack {
            steps.push(("pack", "Compress saved memory"));
        }
        let title = format!("Tidy up “{}”", handle.name());
        let job = self.new_job(JobKind::Tidy, title, Some(handle.id.clone()), &steps)?;
        let shown = job.snapshot();
        let (engine, handle) = (self.clone(), handle.clone());
        tokio::spawn(async move {
            job.step("merge", StepState::Running, None);
            let mut done = match pack {
                true => engine.remove_unneeded(&handle, &job).await,
                false => Ok(()),
            };
            if done.is_ok() {
                done = engine.merge_all(&handle, &job).await;
            }
            if done.is_ok() {
                job.step("merge", StepState::Done, None);
            }
            if pack && done.is_ok() {
                job.step("pack", StepState::Running, None);
                done = engine.pack_all(&handle, &job).await;
                if done.is_ok() {
                    job.step("pack", StepState::Done, None);
                }
            }
            job.finish(&done);
        });
        Ok(shown)
    }

    /// Removes images of ours that nothing needs, where a user asks for tidiness: never by itself, since a snapshot's folder
    /// that is not there may only be away.
    async fn remove_unneeded(&self, handle: &Handle, job: &JobHandle) -> Result<()> {
        let (_guard, _) = handle.lock_in_background(&job.cancel_token()).await?;
        let unneeded: Vec<String> = self
            .unneeded_images(&handle.spec())
            .iter()
            .filter_map(|path| file_name(path))
            .collect();
        self.sweep(handle, &unneeded)
    }

    /// Merges pair after pair, between other operations.
    async fn merge_all(&self, handle: &Arc<Handle>, job: &JobHandle) -> Result<()> {
        let mut tries = 0;
        for _ in 0..MERGES_MAX {
            job.check_cancelled()?;
            let merged = {
                let (_guard, cancel) = handle.lock_in_background(&job.cancel_token()).await?;
                if let Some(entry) = self.open_merge(handle)? {
                    self.carry_on_merge(handle, &entry, &cancel, job).await
                } else if let Some(pair) = self.next_pair(handle)? {
                    self.merge(handle, &pair, &cancel, job).await
                } else if self.is_too_deep(handle) {
                    self.flatten_present(handle, &cancel, job).await
                } else {
                    return Ok(());
                }
            };
            match merged {
                Ok(()) => tries = 0,
                Err(_) if job.check_cancelled().is_err() => return Err(Error::cancelled()),
                // Another operation came, or another machine reads the image right now.
                Err(error) if tries < patience(&error) => {
                    tries += 1;
                    tracing::debug!(%error, machine = %handle.id, "a merge gave way");
                    tokio::time::sleep(GIVE_WAY).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next two images to merge. Nothing while any record can't be read, since it may name any image, or any file
    /// beside them, since it may stand on any.
    fn next_pair(&self, handle: &Handle) -> Result<Option<Pair>> {
        for nvram in [false, true] {
            if let Some(pair) = self.stack(handle, nvram)?.and_then(|stack| stack.pair(nvram)) {
                return Ok(Some(pair));
            }
        }
        Ok(None)
    }

    /// The images of one kind; `None` while any record can't be read.
    fn stack(&self, handle: &Handle, nvram: bool) -> Result<Option<Stack>> {
        let folder = self.folder(&handle.id);
        let (records, unreadable) = files::read_records(&folder);
        if !unreadable.is_empty() {
            return Ok(None);
        }
        let parent = if nvram { folder.nvram() } else { folder.disks() };
        let Ok(below) = below(&folder, &parent) else {
            return Ok(None);
        };
        Ok(Some(Stack {
            below,
            named: named(&handle.spec(), &records, nvram),
            elsewhere: self
                .images_needed_elsewhere(&handle.id)?
                .keys()
                .filter(|path| path.starts_with(&parent))
                .filter_map(|path| file_name(path))
                .collect(),
        }))
    }

    /// A merge that an earlier service did not see the end of.
    fn open_merge(&self, handle: &Handle) -> Result<Option<JournalEntry>> {
        let entries = self.library().open_entries()?;
        let own = |entry: &JournalEntry| entry.op == MERGE && entry.machine.as_ref() == Some(&handle.id);
        Ok(entries.into_iter().find(own))
    }

    /// The machine's process may have gone on with it, and may still: it is seen to be done, or done anew, which ends
    /// what is under way.
    async fn carry_on_merge(
        &self,
        handle: &Arc<Handle>,
        entry: &JournalEntry,
        cancel: &CancellationToken,
        job: &JobHandle,
    ) -> Result<()> {
        if !self.see_merge_done(handle, entry).await?
            && let Some(pair) = pair_of(entry)
            && let Some(stack) = self.stack(handle, pair.nvram)?
            && stack.fit(&pair.top, &pair.base)
        {
            self.merge(handle, &pair, cancel, job).await?;
        }
        self.library().finish(entry.id)
    }

    async fn merge(
        &self,
        handle: &Arc<Handle>,
        pair: &Pair,
        cancel: &CancellationToken,
        job: &JobHandle,
    ) -> Result<()> {
        let folder = self.folder(&handle.id);
        let parent = if pair.nvram {
            folder.nvram()
        } else {
            folder.disks()
        };
        let (top, base) = (parent.join(&pair.top), parent.join(&pair.base));
        // Headers are judged before a tool or QEMU writes.
        let chain = self.chain(&top, None)?;
        tracing::info!(machine = %handle.id, top = %pair.top, base = %pair.base, depth = chain.len(), "merging");
        let library = self.library();
        let was_running = handle.state() == MachineState::Running;
        let payload = json!({ "pair": pair, "was_running": was_running });
        let journal = library.begin(MERGE, Some(&handle.id), &payload)?;
        let written = match self.live_target(handle, &top)? {
            Some(target) => self.merge_live(handle, pair, target, cancel, job).await,
            None => {
                tokio::select! {
                    done = nestbox_disk::commit(&top, &base) => done,
                    () = cancel.cancelled() => Err(Error::cancelled()),
                }
            }
        };
        if let Err(error) = written {
            // The upper image shows what it did, and everything still names it.
            library.finish(journal)?;
            return Err(error);
        }
        library.advance(journal, WRITTEN, &payload)?;
        self.finish_merge(handle, pair).await?;
        library.finish(journal)?;
        self.tell_machine(EventKind::SnapshotChanged, handle, None);
        Ok(())
    }

    /// The steps after the lower image shows what the upper one does; repeating them after a crash is harmless.
    async fn finish_merge(&self, handle: &Handle, pair: &Pair) -> Result<()> {
        let folder = self.folder(&handle.id);
        let parent = if pair.nvram {
            folder.nvram()
        } else {
            folder.disks()
        };
        for image in standing_on(&parent, &folder, &pair.top)? {
            nestbox_disk::set_backing(&image, &pair.base).await?;
        }
        self.rename_image(handle, pair)?;
        // The index as well, which a crash may have left behind the records: it says what is needed still.
        self.refresh_sizes(handle)?;
        self.sweep(handle, std::slice::from_ref(&pair.top))
    }

    /// A merge that was cut short; `false` while the machine's process may still be at it.
    pub(crate) async fn recover_merge(&self, handle: &Arc<Handle>, entry: &JournalEntry) -> Result<bool> {
        if handle.session().is_ok() {
            // The guest may stand still to go over to the lower image.
            let was_running = entry
                .payload
                .get("was_running")
                .and_then(serde_json::Value::as_bool);
            self.go_on_after_freeze(handle, was_running.unwrap_or(false))
                .await;
        }
        self.see_merge_done(handle, entry).await
    }

    /// When it is not known to be written, it was if the machine's process already moved on: it gave the upper image's
    /// child the lower one, or the settings name it. `false` when it was not, and that process may still be at it.
    async fn see_merge_done(&self, handle: &Handle, entry: &JournalEntry) -> Result<bool> {
        let Some(pair) = pair_of(entry) else {
            return Ok(true);
        };
        let folder = self.folder(&handle.id);
        let parent = if pair.nvram {
            folder.nvram()
        } else {
            folder.disks()
        };
        let moved_on = standing_on(&parent, &folder, &pair.base)?
            .iter()
            .any(|image| file_name(image).as_deref() != Some(pair.top.as_str()));
        let runs = handle.session().is_ok();
        if runs {
            self.ask_active(handle).await?;
        }
        if entry.step == WRITTEN || moved_on || names_active(&handle.spec(), &pair.base, pair.nvram) {
            self.finish_merge(handle, &pair).await?;
            return Ok(true);
        }
        Ok(!runs)
    }

    /// Which chain of the running machine the image is in, if it runs and the image is in one.
    fn live_target(&self, handle: &Handle, image: &Path) -> Result<Option<MergeTarget>> {
        if handle.session().is_err() {
            return Ok(None);
        }
        let spec = handle.spec();
        let folder = self.folder(&handle.id);
        let wanted = image.canonicalize().ok();
        let holds = |top: PathBuf, linked: Option<&str>| -> Result<bool> {
            let links = self.chain(&top, linked)?;
            Ok(links.iter().any(|link| Some(&link.path) == wanted.as_ref()))
        };
        for disk in &spec.disks {
            if holds(folder.disk_image(&disk.image), disk.linked.as_deref())? {
                return Ok(Some(MergeTarget::Disk(disk.id.clone())));
            }
        }
        match &spec.nvram {
            Some(name) if holds(folder.nvram_image(name), None)? => Ok(Some(MergeTarget::Nvram)),
            _ => Ok(None),
        }
    }

    async fn merge_live(
        &self,
        handle: &Arc<Handle>,
        pair: &Pair,
        target: MergeTarget,
        cancel: &CancellationToken,
        job: &JobHandle,
    ) -> Result<()> {
        let session = handle.session()?;
        let folder = self.folder(&handle.id);
        let parent = if pair.nvram {
            folder.nvram()
        } else {
            folder.disks()
        };
        let reporter = job.clone();
        let (engine, settled, names) = (self.clone(), handle.clone(), pair.clone());
        let request = MergeRequest {
            target,
            top: parent.join(&pair.top),
            base: parent.join(&pair.base),
            progress: Some(Arc::new(move |done, total| reporter.bytes(done, Some(total)))),
            cancel: cancel.clone(),
            settle: Some(Arc::new(move || engine.rename_image(&settled, &names))),
        };
        let merged = session.merge(&request).await;
        if merged.is_err() && names_active(&handle.spec(), &pair.base, pair.nvram) {
            // Settled, and then not gone over: the guest says which image it writes. The lower one shows everything
            // by then, so when there is nobody left to say it, it is the present.
            let asked = self.ask_active(handle).await;
            if asked.is_err() {
                return match tokio::time::timeout(GIVE_WAY, session.wait_exit()).await {
                    Ok(_) => Ok(()),
                    Err(_) => asked,
                };
            }
        }
        merged.map(drop)
    }

    /// Everything that names the upper image names the lower one.
    fn rename_image(&self, handle: &Handle, pair: &Pair) -> Result<()> {
        let folder = self.folder(&handle.id);
        let (records, unreadable) = files::read_records(&folder);
        if let Some(error) = unreadable.into_iter().next() {
            return Err(error);
        }
        for mut record in records {
            if rename_in_record(&mut record, pair) {
                files::write_record(&folder.snapshot(&record.id), &record)?;
                let size = crate::snapshots::size_on_disk(&folder, &record);
                self.library().upsert_snapshot(&handle.id, &record, size)?;
            }
        }
        let mut spec = handle.spec();
        if rename_in_spec(&mut spec, pair) {
            self.save_spec(handle, spec)?;
        }
        Ok(())
    }

    /// The present's images as the running machine says.
    async fn ask_active(&self, handle: &Handle) -> Result<()> {
        let active = handle.session()?.active_images().await?;
        let mut spec = handle.spec();
        for (id, path) in &active.disks {
            if let (Some(disk), Some(name)) = (spec.disks.iter_mut().find(|d| d.id == *id), file_name(path)) {
                disk.image = name;
            }
        }
        if let Some(name) = active.nvram.as_deref().and_then(file_name) {
            spec.nvram = Some(name);
        }
        self.save_spec(handle, spec)
    }

    /// The sizes in the index, after images changed hands.
    pub(crate) fn refresh_sizes(&self, handle: &Handle) -> Result<()> {
        let folder = self.folder(&handle.id);
        for record in files::read_records(&folder).0 {
            let size = crate::snapshots::size_on_disk(&folder, &record);
            self.library().upsert_snapshot(&handle.id, &record, size)?;
        }
        Ok(())
    }
}

fn pair_of(entry: &JournalEntry) -> Option<Pair> {
    serde_json::from_value(entry.payload.get("pair")?.clone()).ok()
}

/// How often a merge that failed so is tried again: often, when only something else was under way.
fn patience(error: &Error) -> usize {
    let gave_way = error.kind == ErrorKind::Cancelled
        || matches!(
            error.code.as_str(),
            "image-in-use" | "merge-refused" | "clone-unfinished"
        );
    if gave_way { TRIES } else { 3 }
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

/// Who stands on whom, of the images in one folder.
fn below(folder: &MachineFolder, parent: &Path) -> Result<HashMap<String, String>> {
    let mut below = HashMap::new();
    for path in images_in(folder)
        .into_iter()
        .filter(|path| path.parent() == Some(parent))
    {
        let Some(name) = file_name(&path) else { continue };
        if let Some(backing) = nestbox_disk::backing_name(&path)?
            && parent.join(&backing).is_file()
            && !backing.contains('/')
        {
            below.insert(name, backing);
        }
    }
    Ok(below)
}

fn standing_on(parent: &Path, folder: &MachineFolder, name: &str) -> Result<Vec<PathBuf>> {
    Ok(below(folder, parent)?
        .into_iter()
        .filter(|(_, below)| below == name)
        .map(|(image, _)| parent.join(image))
        .collect())
}

/// Images that the present, what a disposable run goes back to, or a snapshot names.
fn named(spec: &MachineSpec, records: &[SnapshotRecord], nvram: bool) -> HashSet<String> {
    let mut named = HashSet::new();
    if nvram {
        named.extend(spec.nvram.clone());
        named.extend(spec.disposable.iter().filter_map(|d| d.nvram.clone()));
        named.extend(records.iter().filter_map(|record| record.nvram.clone()));
    } else {
        named.extend(spec.disks.iter().map(|disk| disk.image.clone()));
        named.extend(spec.detached.iter().map(|detached| detached.disk.image.clone()));
        let disposable = spec.disposable.iter().flat_map(|d| &d.disks);
        let frozen = records.iter().flat_map(|record| &record.disks);
        named.extend(disposable.chain(frozen).map(|disk| disk.image.clone()));
    }
    named
}

fn names_active(spec: &MachineSpec, image: &str, nvram: bool) -> bool {
    if nvram {
        spec.nvram.as_deref() == Some(image)
    } else {
        let detached = spec.detached.iter().map(|detached| &detached.disk);
        spec.disks.iter().chain(detached).any(|disk| disk.image == image)
    }
}

fn rename_in_record(record: &mut SnapshotRecord, pair: &Pair) -> bool {
    let before = record.clone();
    if pair.nvram {
        swap(record.nvram.iter_mut(), pair);
    } else {
        swap(record.disks.iter_mut().map(|disk| &mut disk.image), pair);
    }
    *record != before
}

fn rename_in_spec(spec: &mut MachineSpec, pair: &Pair) -> bool {
    let before = spec.clone();
    let disposable = spec.disposable.as_mut();
    if pair.nvram {
        swap(spec.nvram.iter_mut(), pair);
        swap(disposable.and_then(|d| d.nvram.as_mut()).into_iter(), pair);
    } else {
        swap(spec.disks.iter_mut().map(|disk| &mut disk.image), pair);
        swap(
            spec.detached.iter_mut().map(|detached| &mut detached.disk.image),
            pair,
        );
        let disks = disposable.into_iter().flat_map(|d| &mut d.disks);
        swap(disks.map(|disk| &mut disk.image), pair);
    }
    *spec != before
}

fn swap<'a>(names: impl Iterator<Item = &'a mut String>, pair: &Pair) {
    for name in names.filter(|name| **name == pair.top) {
        name.clone_from(&pair.base);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(below: &[(&str, &str)], named: &[&str], elsewhere: &[&str]) -> Stack {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Stack {
            below: below.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect(),
            named: set(named),
            elsewhere: set(elsewhere),
        }
    }

    #[test]
    fn only_what_one_image_alone_needs_is_merged() {
        let chain = [("c", "b"), ("b", "a")];
        assert_eq!(stack(&chain, &["c", "b", "a"], &[]).pair(false), None);
        let pair = stack(&chain, &["c", "a"], &[]).pair(false).unwrap();
        assert_eq!((pair.top.as_str(), pair.base.as_str()), ("c", "b"));
        // Two stand on it: its content is needed twice.
        let fork = [("c", "b"), ("d", "b")];
        assert_eq!(stack(&fork, &["c", "d"], &[]).pair(false), None);
        // Another machine stands on either of them.
        assert_eq!(stack(&chain, &["c", "a"], &["b"]).pair(false), None);
        assert_eq!(stack(&chain, &["c", "a"], &["c"]).pair(false), None);
    }
}
