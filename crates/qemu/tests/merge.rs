//! Merging images of a running machine, and what is left of it when a service dies on the way.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{Place, counted_past, numbers, overlay, qemu_img, serial, state};
use nestbox_model::{Error, ImageFormat};
use nestbox_qemu::{FreezeRequest, ImageRef, MachinePlan, MergeRequest, MergeTarget, RunState, Session};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio_util::sync::CancellationToken;

fn request(plan: &MachinePlan, top: &Path, base: &Path) -> MergeRequest {
    MergeRequest {
        target: MergeTarget::Disk(plan.disks[0].id.clone()),
        top: top.to_owned(),
        base: base.to_owned(),
        progress: None,
        cancel: CancellationToken::new(),
        settle: None,
    }
}

/// Freezes the first disk onto a new overlay called `name`.
async fn freeze(place: &Place, plan: &MachinePlan, session: &Arc<dyn Session>, name: &str) -> PathBuf {
    let path = place.disks(plan).join(name);
    make_overlay(&active(session).await, &path);
    let request = FreezeRequest {
        disks: vec![(plan.disks[0].id.clone(), path.clone())],
        ..FreezeRequest::default()
    };
    session.freeze(&request).await.unwrap();
    path
}

/// As the engine makes them: the name alone, since all lie in one folder.
fn make_overlay(backing: &Path, path: &Path) {
    let format = if is_raw(backing) { "raw" } else { "qcow2" };
    let output = Command::new("qemu-img")
        .current_dir(path.parent().unwrap())
        .args(["create", "-q", "-f", "qcow2", "-F", format, "-b"])
        .arg(backing.file_name().unwrap())
        .arg(path)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn is_raw(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "raw")
}

fn image(path: &Path) -> ImageRef {
    let format = if is_raw(path) {
        ImageFormat::Raw
    } else {
        ImageFormat::Qcow2
    };
    ImageRef {
        path: path.to_owned(),
        format,
    }
}

/// What the header of `image` says is below it, and of what format that is.
fn backing_in_header(image: &Path) -> (String, String) {
    let output = Command::new("qemu-img")
        .args(["info", "-U", "--output=json"])
        .arg(image)
        .output()
        .unwrap();
    let info: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let word = |key: &str| info[key].as_str().unwrap_or_default().to_owned();
    (word("backing-filename"), word("backing-filename-format"))
}

fn below(name: &str) -> (String, String) {
    let format = if is_raw(Path::new(name)) { "raw" } else { "qcow2" };
    (name.to_owned(), format.to_owned())
}

/// It goes on counting, and disk and memory agree.
async fn goes_on(plan: &MachinePlan) {
    let at = numbers(&serial(plan)).last().copied().unwrap();
    counted_past(plan, at + 8).await;
    assert!(!serial(plan).contains('!'), "disk and memory agree");
}

/// How many files of `folder` the machine has open.
fn open_files(session: &Arc<dyn Session>, folder: &Path) -> Vec<PathBuf> {
    let fds = std::fs::read_dir(format!("/proc/{}/fd", session.pid())).unwrap();
    let mut held: Vec<_> = fds
        .flatten()
        .filter_map(|fd| std::fs::read_link(fd.path()).ok())
        .filter(|path| path.starts_with(folder))
        .collect();
    held.sort();
    held.dedup();
    held
}

async fn active(session: &Arc<dyn Session>) -> PathBuf {
    session.active_images().await.unwrap().disks[0].1.clone()
}

fn check(image: &Path) {
    qemu_img(&["check"], &[image]);
}

#[tokio::test]
async fn images_merge_in_any_order_and_between_freezes() {
    let place = Place::new();
    let mut plan = place.counting_plan();
    let folder = place.disks(&plan);
    // As after a restart: an image of the machine's own below the active one.
    let base = plan.disks[0].chain[0].path.clone();
    let own = folder.join("own.qcow2");
    make_overlay(&base, &own);
    plan.disks[0].chain.insert(0, image(&own));
    let session = place.launch(&plan).await;
    counted_past(&plan, 5).await;
    let mut chain = vec![base.clone(), own.clone()];
    for name in ["one.qcow2", "two.qcow2", "three.qcow2"] {
        goes_on(&plan).await;
        chain.push(freeze(&place, &plan, &session, name).await);
    }
    let [base, own, one, two, three] = chain.try_into().unwrap();

    // In between: one → own. Who stood on it stands on what is below now, by its bare name.
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let between = MergeRequest {
        progress: Some(Arc::new(move |done, total| {
            telling.lock().unwrap().push((done, total));
        })),
        ..request(&plan, &one, &own)
    };
    let merged = session.merge(&between).await.unwrap();
    assert!(merged.paused_seconds == 0.0);
    {
        let told = told.lock().unwrap();
        let (done, total) = *told.last().unwrap();
        assert!(done == total && told.is_sorted(), "{told:?}");
    }
    assert_eq!(backing_in_header(&two), below("own.qcow2"));
    assert_eq!(active(&session).await, three);
    goes_on(&plan).await;

    // Into the lowest one, which was opened for reading only: own → base.
    session.merge(&request(&plan, &own, &base)).await.unwrap();
    assert_eq!(backing_in_header(&two), below("base.qcow2"));
    goes_on(&plan).await;

    // The active one: three → two.
    let settled = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&settled);
    let (top, below_it) = (three.clone(), two.clone());
    let with_settle = MergeRequest {
        settle: Some(Arc::new(move || {
            counting.fetch_add(1, Ordering::SeqCst);
            // As the files are: a process that died now would leave the same behind either name.
            qemu_img(
                &["compare", "-U", "-f", "qcow2", "-F", "qcow2"],
                &[&top, &below_it],
            );
            Ok(())
        })),
        ..request(&plan, &three, &two)
    };
    let merged = session.merge(&with_settle).await.unwrap();
    println!("active merge paused for {:.1} ms", merged.paused_seconds * 1000.0);
    assert!(merged.paused_seconds > 0.0);
    assert_eq!(settled.load(Ordering::SeqCst), 1);
    assert_eq!(active(&session).await, two);
    assert_eq!(state(&session).await, RunState::Running);
    goes_on(&plan).await;
    assert_eq!(open_files(&session, &folder), [base.clone(), two.clone()]);

    // Again onto a new overlay, by a service that came later, then all the way down.
    drop(session);
    let session = place.adopt(&plan).await;
    let four = freeze(&place, &plan, &session, "four.qcow2").await;
    goes_on(&plan).await;
    session.merge(&request(&plan, &two, &base)).await.unwrap();
    assert_eq!(backing_in_header(&four), below("base.qcow2"));
    session.pause().await.unwrap();
    let merged = session.merge(&request(&plan, &four, &base)).await.unwrap();
    assert!(merged.paused_seconds == 0.0);
    assert_eq!(state(&session).await, RunState::Paused);
    session.resume().await.unwrap();
    assert_eq!(active(&session).await, base);
    goes_on(&plan).await;
    assert_eq!(open_files(&session, &folder), std::slice::from_ref(&base));
    let five = freeze(&place, &plan, &session, "five.qcow2").await;
    goes_on(&plan).await;
    session.merge(&request(&plan, &five, &base)).await.unwrap();
    let at = numbers(&serial(&plan)).last().copied().unwrap();
    counted_past(&plan, at + 3).await;
    session.end().await.unwrap();
    // What the guest counted is there, and all files still are.
    check(&base);
    assert!(
        [&own, &one, &two, &three, &four, &five]
            .iter()
            .all(|path| path.exists())
    );
    plan.disks[0].chain = vec![image(&base)];
    plan.serial_log = plan.serial_log.with_file_name("again.log");
    let session = place.launch(&plan).await;
    counted_past(&plan, at).await;
    assert!(numbers(&serial(&plan))[0] >= at, "{}", serial(&plan));
    session.end().await.unwrap();
}

#[tokio::test]
async fn merges_that_are_refused_fail_or_are_cancelled_change_nothing() {
    let place = Place::new();
    let plan = place.counting_plan();
    let folder = place.disks(&plan);
    let base = plan.disks[0].chain[0].path.clone();
    let session = place.launch(&plan).await;
    counted_past(&plan, 5).await;
    let one = freeze(&place, &plan, &session, "one.qcow2").await;
    let two = freeze(&place, &plan, &session, "two.qcow2").await;
    goes_on(&plan).await;

    // Not one on the other, or not there at all.
    for (top, below) in [(&two, &base), (&base, &one), (&folder.join("none"), &base)] {
        let error = session.merge(&request(&plan, top, below)).await.unwrap_err();
        assert_eq!(error.code, "merge-refused", "{error:?}");
    }
    // Nobody notes that the active image is another.
    let unsettled = MergeRequest {
        settle: Some(Arc::new(|| Err(Error::failed("no-space", "The disk is full.")))),
        ..request(&plan, &two, &one)
    };
    assert_eq!(session.merge(&unsettled).await.unwrap_err().code, "no-space");
    assert_eq!(active(&session).await, two);
    assert_eq!(state(&session).await, RunState::Running);
    goes_on(&plan).await;
    // Cancelled before it begins, and at the last moment.
    let cancelled = request(&plan, &one, &base);
    cancelled.cancel.cancel();
    assert_eq!(session.merge(&cancelled).await.unwrap_err().code, "cancelled");
    let late = request(&plan, &two, &one);
    let token = late.cancel.clone();
    let late = MergeRequest {
        progress: Some(Arc::new(move |_, _| token.cancel())),
        ..late
    };
    assert_eq!(session.merge(&late).await.unwrap_err().code, "cancelled");
    assert_eq!(active(&session).await, two);
    assert_eq!(backing_in_header(&two), below("one.qcow2"));
    goes_on(&plan).await;
    // A snapshot waits until a merge is over.
    let (entered, inside) = std::sync::mpsc::channel();
    let (leave, left) = std::sync::mpsc::channel::<()>();
    let left = Mutex::new(left);
    let slow = MergeRequest {
        settle: Some(Arc::new(move || {
            entered.send(()).unwrap();
            left.lock().unwrap().recv().unwrap();
            Ok(())
        })),
        ..request(&plan, &two, &one)
    };
    let merging = {
        let session = Arc::clone(&session);
        tokio::spawn(async move { session.merge(&slow).await })
    };
    tokio::task::spawn_blocking(move || inside.recv().unwrap())
        .await
        .unwrap();
    let error = session.freeze(&FreezeRequest::default()).await.unwrap_err();
    assert_eq!(error.code, "snapshot-refused");
    let error = session.merge(&request(&plan, &one, &base)).await.unwrap_err();
    assert_eq!(error.code, "merge-refused");
    assert_eq!(
        state(&session).await,
        RunState::Paused,
        "the guest stands still while it is noted"
    );
    leave.send(()).unwrap();
    merging.await.unwrap().unwrap();
    assert_eq!(active(&session).await, one);
    goes_on(&plan).await;
    session.end().await.unwrap();
    check(&one);
}

#[tokio::test]
async fn images_elsewhere_are_never_written() {
    let place = Place::new();
    let mut plan = place.counting_plan();
    // The cache: another folder, which the machine's process must not write to.
    let cached = place.path("cached.qcow2");
    std::fs::rename(&plan.disks[0].chain[0].path, &cached).unwrap();
    let own = place.disks(&plan).join("own.qcow2");
    overlay(&cached, &own);
    plan.disks[0].chain = vec![image(&own), image(&cached)];
    let before = std::fs::read(&cached).unwrap();
    let session = place.launch(&plan).await;
    counted_past(&plan, 5).await;
    let one = freeze(&place, &plan, &session, "one.qcow2").await;
    goes_on(&plan).await;
    for (top, base) in [(&own, &cached)] {
        let error = session.merge(&request(&plan, top, base)).await.unwrap_err();
        assert_eq!(error.code, "merge-failed", "{error:?}");
    }
    goes_on(&plan).await;
    session.merge(&request(&plan, &one, &own)).await.unwrap();
    let error = session.merge(&request(&plan, &own, &cached)).await.unwrap_err();
    assert_eq!(error.code, "merge-failed", "{error:?}");
    assert_eq!(active(&session).await, own);
    goes_on(&plan).await;
    assert!(before == std::fs::read(&cached).unwrap());
    session.end().await.unwrap();
}

#[tokio::test]
async fn what_was_there_at_the_start_merges_even_into_a_raw_image() {
    let place = Place::new();
    let mut plan = place.counting_plan();
    let folder = place.disks(&plan);
    let [raw, one, two] = ["base.raw", "one.qcow2", "two.qcow2"].map(|name| folder.join(name));
    let made = &plan.disks[0].chain[0].path;
    qemu_img(&["convert", "-f", "qcow2", "-O", "raw"], &[made, &raw]);
    std::fs::remove_file(made).unwrap();
    make_overlay(&raw, &one);
    make_overlay(&one, &two);
    plan.disks[0].chain = [&two, &one, &raw].map(|path| image(path)).to_vec();
    let session = place.launch(&plan).await;
    counted_past(&plan, 5).await;
    session.merge(&request(&plan, &one, &raw)).await.unwrap();
    assert_eq!(backing_in_header(&two), below("base.raw"));
    goes_on(&plan).await;
    session.merge(&request(&plan, &two, &raw)).await.unwrap();
    assert_eq!(active(&session).await, raw);
    goes_on(&plan).await;
    let three = freeze(&place, &plan, &session, "three.qcow2").await;
    let frozen = std::fs::read(&raw).unwrap();
    goes_on(&plan).await;
    assert!(
        frozen == std::fs::read(&raw).unwrap(),
        "what is frozen is not written"
    );
    assert_eq!(active(&session).await, three);
    session.merge(&request(&plan, &three, &raw)).await.unwrap();
    goes_on(&plan).await;
    assert_eq!(open_files(&session, &folder), std::slice::from_ref(&raw));
    session.end().await.unwrap();
}
