use crate::{NO_PROGRESS, Place};
use nestbox_disk::{copy_in, usage};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    sync::atomic::{AtomicU64, Ordering},
};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_copy_is_equal_and_stays_sparse() {
    let place = Place::new();
    let path = place.path("sparse.raw");
    let file = File::create(&path).unwrap();
    file.set_len(1 << 30).unwrap();
    file.write_all_at(b"start", 0).unwrap();
    file.write_all_at(&[9; 100_000], 700 << 20).unwrap();
    drop(file);
    let seen = AtomicU64::new(0);
    let to = place.path("copy.raw");
    let copied = copy_in(
        &File::open(&path).unwrap(),
        &to,
        &|done, total| {
            assert!(done <= total);
            seen.store(done, Ordering::Relaxed);
        },
        &CancellationToken::new(),
    )
    .await
    .unwrap();
    assert_eq!(copied.bytes, 1 << 30);
    assert_eq!(seen.load(Ordering::Relaxed), 1 << 30);
    assert!(usage(&to) < 2 << 20, "{}", usage(&to));
    assert_eq!(fs::metadata(&to).unwrap().len(), 1 << 30);
    let mut part = vec![0; 100_000];
    File::open(&to)
        .unwrap()
        .read_exact_at(&mut part, 700 << 20)
        .unwrap();
    assert!(part.iter().all(|byte| *byte == 9));
    assert_eq!(place.names(), ["copy.raw", "sparse.raw"]);
}

#[tokio::test]
async fn an_existing_file_is_never_replaced() {
    let place = Place::new();
    let from = place.file("from", "new");
    let to = place.file("to", "old");
    let error = copy_in(
        &File::open(from).unwrap(),
        &to,
        NO_PROGRESS,
        &CancellationToken::new(),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code, "file-exists");
    assert_eq!(fs::read(to).unwrap(), b"old");
    assert_eq!(place.names(), ["from", "to"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_leaves_nothing() {
    let place = Place::new();
    let from = place.file("from", vec![1; 8 << 20]);
    let cancel = CancellationToken::new();
    cancel.cancel();
    // Whoever cancels before the start may still be too late; before the first byte it never is.
    let outcome = copy_in(
        &File::open(&from).unwrap(),
        &place.path("to"),
        NO_PROGRESS,
        &cancel,
    )
    .await;
    match outcome {
        Ok(_) => assert_eq!(place.names(), ["from", "to"]),
        Err(error) => {
            assert_eq!((error.code.as_str(), error.exit_code()), ("cancelled", 130));
            assert_eq!(place.names(), ["from"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_grows_meanwhile_is_refused() {
    let place = Place::new();
    let from = place.file("from", vec![1; 64 << 20]);
    let source = File::open(&from).unwrap();
    let stop = CancellationToken::new();
    let writer = tokio::task::spawn_blocking({
        let (from, stop) = (from.clone(), stop.clone());
        move || {
            let mut file = OpenOptions::new().append(true).open(from).unwrap();
            while !stop.is_cancelled() {
                file.write_all(b"more").unwrap();
            }
        }
    });
    let outcome = copy_in(&source, &place.path("to"), NO_PROGRESS, &CancellationToken::new()).await;
    stop.cancel();
    writer.await.unwrap();
    assert_eq!(outcome.unwrap_err().code, "file-changed");
    assert_eq!(place.names(), ["from"]);
}

#[tokio::test]
async fn a_disk_that_is_too_small_is_seen_before_anything_is_written() {
    let Some(small) = SmallDisk::mount(16 << 20) else {
        eprintln!("skipped: a small file system could not be mounted here");
        return;
    };
    let place = Place::new();
    let from = place.file("from", vec![1; 30 << 20]);
    let to = small.0.path().join("to");
    let error = copy_in(
        &File::open(&from).unwrap(),
        &to,
        NO_PROGRESS,
        &CancellationToken::new(),
    )
    .await
    .unwrap_err();
    assert_eq!((error.code.as_str(), error.exit_code()), ("no-space", 5));
    assert_eq!(error.details["needed"], 30 << 20);
    assert_eq!(fs::read_dir(small.0.path()).unwrap().count(), 0);
}

/// A tmpfs of its own, where this account may mount one.
pub(crate) struct SmallDisk(pub tempfile::TempDir);

impl SmallDisk {
    pub(crate) fn mount(bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).output();
    }
}
