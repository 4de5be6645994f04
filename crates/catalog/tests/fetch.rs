//! Fetching from a real local server, with every fault it knows.

#![allow(clippy::unwrap_used)]

use nestbox_catalog::{Catalog, FetchControl, FetchUpdate, Fetched, Mirrors, STEPS, Tuning};
use nestbox_guests::mirror::{Fault, Mirror};
use nestbox_model::{Arch, Error, ErrorKind, StepState, VerifiedBy};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const SIZE: usize = 3 << 20;

struct Place {
    folder: tempfile::TempDir,
    mirror: Mirror,
    mirrors: Mirrors,
    catalog: Catalog,
    updates: Mutex<Vec<FetchUpdate>>,
}

fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..len.div_ceil(8)).flat_map(|_| step()).take(len).collect()
}

fn qcow2(path: &Path, seed: u64) -> PathBuf {
    let mut bytes = noise(SIZE, seed);
    bytes[..4].copy_from_slice(b"QFI\xfb");
    fs::write(path, bytes).unwrap();
    path.to_owned()
}

fn iso(path: &Path) -> PathBuf {
    let mut bytes = noise(1 << 20, 7);
    bytes[..0x8000].fill(0);
    bytes[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    fs::write(path, bytes).unwrap();
    path.to_owned()
}

fn quick() -> Tuning {
    Tuning {
        connect: Duration::from_secs(2),
        silence: Duration::from_millis(2000),
        retries: 4,
        backoff: Duration::from_millis(5),
    }
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::start(&folder.path().join("mirror")).await.unwrap();
        let image = qcow2(&folder.path().join("image"), 42);
        for template in ["ubuntu-24.04", "debian-13", "fedora-44", "alpine-3.23"] {
            mirror.publish(template, "aarch64", &image).unwrap();
        }
        let mirrors = Mirrors::from_parts([], mirror.environment()).unwrap();
        let catalog = Catalog::load(&folder.path().join("cache"), None)
            .unwrap()
            .with_tuning(quick());
        Self {
            folder,
            mirror,
            mirrors,
            catalog,
            updates: Mutex::default(),
        }
    }
    async fn fetch_with(&self, id: &str, control: &FetchControl) -> Result<Fetched, Error> {
        self.updates.lock().unwrap().clear();
        let on_update = |update| self.updates.lock().unwrap().push(update);
        self.catalog
            .fetch(id, Arch::Aarch64, &self.mirrors, control, &on_update)
            .await
    }
    async fn fetch(&self, id: &str) -> Result<Fetched, Error> {
        self.fetch_with(id, &FetchControl::new()).await
    }
    async fn ubuntu(&self) -> Result<Fetched, Error> {
        self.fetch("ubuntu-24.04").await
    }
    /// The last state and detail of a step.
    fn step(&self, wanted: &str) -> Option<(StepState, String)> {
        let updates = self.updates.lock().unwrap();
        updates.iter().rev().find_map(|update| match update {
            FetchUpdate::Step { id, state, detail } if *id == wanted => {
                Some((*state, detail.clone().unwrap_or_default()))
            }
            _ => None,
        })
    }
    fn files(&self, below: &str) -> Vec<String> {
        let path = self.folder.path().join("cache").join(below);
        let mut names: Vec<_> = fs::read_dir(path)
            .into_iter()
            .flatten()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
    fn sha256(&self) -> String {
        hex::encode(Sha256::digest(
            fs::read(self.folder.path().join("image")).unwrap(),
        ))
    }
    /// Refused as unsafe, and nothing of it stays.
    async fn refuses(&self, id: &str, fault: Fault, code: &str, step: &str) -> Error {
        self.mirror.set_fault(fault.clone());
        let error = self.fetch(id).await.unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.kind),
            (code, ErrorKind::Unsafe),
            "{fault:?}: {error:?}"
        );
        assert_eq!(self.step(step).unwrap().0, StepState::Failed, "{fault:?}");
        assert!(!error.hint.is_empty() && !error.message.is_empty());
        assert_eq!(self.files("images"), Vec::<String>::new(), "{fault:?}");
        assert_eq!(self.files("partial"), Vec::<String>::new(), "{fault:?}");
        error
    }
    /// Fails for another reason.
    async fn fails(&self, fault: Fault, code: &str) -> Error {
        self.mirror.set_fault(fault.clone());
        let error = tokio::time::timeout(Duration::from_secs(30), self.ubuntu())
            .await
            .expect("ends")
            .unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.kind),
            (code, ErrorKind::Failed),
            "{fault:?}: {error:?}"
        );
        assert_eq!(self.files("images"), Vec::<String>::new(), "{fault:?}");
        error
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fetches_verifies_and_caches() {
    let place = Place::new().await;
    let fetched = place.ubuntu().await.unwrap();
    assert_eq!(fetched.sha256, place.sha256());
    assert_eq!(fetched.size, SIZE as u64);
    assert!(!fetched.from_cache);
    assert_eq!(fetched.verified_by, VerifiedBy::Gpg);
    let signer = fetched.signed_by.clone().unwrap();
    assert!(
        signer.starts_with(&place.mirror.key_id()) && signer.contains("Test mirror"),
        "{signer}"
    );
    assert_eq!(
        fetched.path,
        place
            .folder
            .path()
            .join(format!("cache/images/{}.qcow2", fetched.sha256))
    );
    assert_eq!(
        fs::metadata(&fetched.path).unwrap().permissions().mode() & 0o777,
        0o444
    );
    assert_eq!(
        fs::read(&fetched.path).unwrap(),
        fs::read(place.folder.path().join("image")).unwrap()
    );
    assert_eq!(place.files("partial"), Vec::<String>::new());
    for step in STEPS {
        assert_eq!(place.step(step).unwrap().0, StepState::Done, "{step}");
    }
    let order: Vec<_> = place
        .updates
        .lock()
        .unwrap()
        .iter()
        .filter_map(|u| match u {
            FetchUpdate::Step {
                id,
                state: StepState::Running,
                ..
            } => Some(*id),
            _ => None,
        })
        .collect();
    assert_eq!(order, STEPS);
    let last_bytes = place.updates.lock().unwrap().iter().rev().find_map(|u| match u {
        FetchUpdate::Bytes { done, total } => Some((*done, *total)),
        _ => None,
    });
    assert_eq!(last_bytes, Some((SIZE as u64, Some(SIZE as u64))));

    let shown = place.catalog.template("ubuntu-24.04", &place.mirrors).unwrap();
    assert!(shown.arches[&Arch::Aarch64].cached && !shown.arches[&Arch::X86_64].cached);
    assert_eq!(shown.arches[&Arch::Aarch64].size, Some(SIZE as u64));
    assert!(shown.arches[&Arch::Aarch64].url.starts_with(place.mirror.url()));

    let again = place.ubuntu().await.unwrap();
    assert_eq!(
        again,
        Fetched {
            from_cache: true,
            ..fetched.clone()
        }
    );
    assert_eq!(place.mirror.image_requests().len(), 1);
    assert_eq!(place.step("download").unwrap().0, StepState::Skipped);
    let fresh = place
        .mirror
        .requests()
        .iter()
        .filter(|r| r.path.ends_with("/SHA256SUMS"))
        .count();
    assert_eq!(fresh, 2, "the checksum file is asked for each time");

    fs::remove_file(&fetched.path).unwrap();
    assert!(
        !place
            .catalog
            .template("ubuntu-24.04", &place.mirrors)
            .unwrap()
            .arches[&Arch::Aarch64]
            .cached
    );
    assert!(!place.ubuntu().await.unwrap().from_cache);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_family_s_layout_and_check() {
    let place = Place::new().await;
    let disk = place.folder.path().join("image");
    let disc = iso(&place.folder.path().join("disc"));
    let packed = |name: &str, mark: &[u8]| {
        let path = place.folder.path().join(name);
        fs::write(&path, [mark, &noise(200_000, 11)].concat()).unwrap();
        path
    };
    let (xz, zip) = (packed("xz", b"\xfd7zXZ\0"), packed("zip", b"PK\x03\x04"));
    let (mut seen, mut files) = (0, BTreeSet::new());
    for template in place.catalog.templates(&place.mirrors) {
        for (arch, shown) in template.arches.iter().filter(|(_, shown)| !shown.own_medium) {
            let (file, extension) = match shown.url.rsplit('.').next().unwrap() {
                "iso" => (&disc, "iso"),
                "xz" => (&xz, "qcow2.xz"),
                "zip" => (&zip, "iso.zip"),
                _ => (&disk, "qcow2"),
            };
            place.mirror.publish(&template.id, arch.as_str(), file).unwrap();
            let control = FetchControl::new();
            let fetched = place
                .catalog
                .fetch(&template.id, *arch, &place.mirrors, &control, &|_| {})
                .await;
            let fetched = fetched.unwrap_or_else(|error| panic!("{} {arch}: {error:?}", template.id));
            assert_eq!(fetched.verified_by, shown.verified_by);
            assert_eq!(
                fetched.signed_by.is_some(),
                shown.verified_by == VerifiedBy::Gpg,
                "{}",
                template.id
            );
            let name = fetched.path.file_name().unwrap().to_str().unwrap();
            assert_eq!(name, format!("{}.{extension}", fetched.sha256));
            seen += 1;
            files.insert(fetched.path);
        }
    }
    assert!(seen >= 60, "{seen}");
    // One file of each sort, whatever it is called and however it is verified.
    assert_eq!(files.len(), 4);
    assert_eq!(place.files("images").len(), 4);
    place.fetch("debian-13").await.unwrap();
    let (state, words) = place.step("verify-signature").unwrap();
    assert_eq!(state, StepState::Skipped);
    assert!(
        words.contains("no signature") && words.contains("not encrypted"),
        "{words}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_is_not_signed_well() {
    let place = Place::new().await;
    for id in ["ubuntu-24.04", "fedora-44"] {
        place
            .refuses(id, Fault::BadSignature, "signature-bad", "verify-signature")
            .await;
        let error = place
            .refuses(id, Fault::WrongKey, "signature-bad", "verify-signature")
            .await;
        assert!(
            error.message.contains("does not belong to this distribution"),
            "{error}"
        );
        place
            .refuses(
                id,
                Fault::MissingSignature,
                "signature-missing",
                "verify-signature",
            )
            .await;
    }
    let error = place
        .refuses(
            "ubuntu-24.04",
            Fault::ExpiredSignature,
            "signature-bad",
            "verify-signature",
        )
        .await;
    assert!(error.message.contains("expired"), "{error}");
    place
        .refuses(
            "ubuntu-24.04",
            Fault::MissingChecksum,
            "checksum-missing",
            "resolve",
        )
        .await;
    assert_eq!(place.mirror.image_requests(), [], "no image was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_key_counts_for_nothing_without_the_test_seam() {
    let place = Place::new().await;
    let mirrors = Mirrors::from_parts([("mirror.ubuntu", place.mirror.url())], []).unwrap();
    let control = FetchControl::new();
    let error = place
        .catalog
        .fetch("ubuntu-24.04", Arch::Aarch64, &mirrors, &control, &|_| {})
        .await
        .unwrap_err();
    assert_eq!(error.code, "signature-bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_and_removes_a_changed_image() {
    let place = Place::new().await;
    for fault in [
        Fault::TamperedImage,
        Fault::Truncated(1000),
        Fault::LyingLength(-1000),
    ] {
        for id in ["ubuntu-24.04", "debian-13"] {
            let error = place
                .refuses(id, fault.clone(), "checksum-mismatch", "verify-image")
                .await;
            assert_ne!(error.details["expected"], error.details["found"]);
        }
    }
    // The refusal leaves nothing in the way of a good download.
    place.mirror.set_fault(Fault::None);
    assert!(!place.ubuntu().await.unwrap().from_cache);
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_after_breaks() {
    let place = Place::new().await;
    let after = 700_000;
    place.mirror.set_fault(Fault::Drop { after, times: 3 });
    place.ubuntu().await.unwrap();
    let requests = place.mirror.image_requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[0].range, None);
    assert!(requests[1..].iter().all(|r| r.range.is_some()), "{requests:?}");
    let sent: u64 = requests.iter().map(|r| r.sent).sum();
    assert!(sent < SIZE as u64 + 3 * 200_000, "little was sent twice: {sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_after_silence_and_without_ranges() {
    let place = Place::new().await;
    place.mirror.set_fault(Fault::Silent {
        after: 500_000,
        times: 1,
    });
    place.ubuntu().await.unwrap();

    let place = Place::new().await;
    place.mirror.set_fault(Fault::DropWithoutRanges {
        after: 1_000_000,
        times: 2,
    });
    assert_eq!(place.ubuntu().await.unwrap().sha256, place.sha256());

    let place = Place::new().await;
    place.mirror.set_fault(Fault::NoRanges);
    place.ubuntu().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn gives_up_in_the_end_and_keeps_the_part() {
    let place = Place::new().await;
    // No ranges: never a byte further than before.
    let error = place
        .fails(
            Fault::DropWithoutRanges {
                after: 1_000_000,
                times: u32::MAX,
            },
            "download-failed",
        )
        .await;
    assert!(error.message.contains("kept"), "{error}");
    assert_eq!(place.mirror.image_requests().len(), 5, "bounded");
    assert_eq!(place.files("partial").len(), 2, "part and validator");
    let before = place.mirror.image_requests().len();
    // The service was restarted meanwhile.
    let catalog = Catalog::load(&place.folder.path().join("cache"), None)
        .unwrap()
        .with_tuning(quick());
    place.mirror.set_fault(Fault::None);
    let control = FetchControl::new();
    catalog
        .fetch("ubuntu-24.04", Arch::Aarch64, &place.mirrors, &control, &|_| {})
        .await
        .unwrap();
    let requests = place.mirror.image_requests();
    assert_eq!(requests.len(), before + 1);
    assert_eq!(requests[before].range.as_deref(), Some("bytes=1000000-"));
    assert_eq!(place.files("partial"), Vec::<String>::new());
    // A server that announced more than there is owns up when asked for the rest; the digest has the last word.
    place.mirror.set_fault(Fault::LyingLength(1000));
    place.mirror.clear();
    let other = qcow2(&place.folder.path().join("other"), 5);
    place.mirror.publish("ubuntu-24.04", "aarch64", &other).unwrap();
    let fetched = place.ubuntu().await.unwrap();
    assert_eq!(fs::read(fetched.path).unwrap(), fs::read(other).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_does_not_fit_is_downloaded_again() {
    let place = Place::new().await;
    let part = place
        .folder
        .path()
        .join(format!("cache/partial/sha256-{}.part", place.sha256()));
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    let mut wrong = noise(1_500_000, 9);
    wrong[..4].copy_from_slice(b"QFI\xfb");
    fs::write(&part, wrong).unwrap();
    assert_eq!(place.ubuntu().await.unwrap().sha256, place.sha256());
    assert_eq!(place.mirror.image_requests().len(), 2);

    // A part longer than the file, and one that is complete.
    for bytes in [
        noise(SIZE + 10, 3),
        fs::read(place.folder.path().join("image")).unwrap(),
    ] {
        fs::remove_file(place.ubuntu().await.unwrap().path).unwrap();
        fs::write(&part, bytes).unwrap();
        assert_eq!(place.ubuntu().await.unwrap().sha256, place.sha256());
    }
    assert_eq!(
        place.mirror.image_requests().last().unwrap().sent,
        0,
        "what was complete was not sent again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_web_pages_loops_and_nonsense() {
    let place = Place::new().await;
    place.fails(Fault::HtmlImage(true), "web-page-received").await;
    place.fails(Fault::HtmlImage(false), "web-page-received").await;
    place.fails(Fault::HtmlEverything, "web-page-received").await;
    place.fails(Fault::RedirectLoop, "redirect-loop").await;
    place.fails(Fault::Status(403), "server-refused").await;
    place.fails(Fault::Status(503), "download-failed").await;
    assert!(place.mirror.requests().len() < 60, "bounded");
    place.mirror.set_fault(Fault::None);
    let text = place.folder.path().join("text");
    fs::write(&text, noise(200_000, 1)).unwrap();
    place.mirror.publish("ubuntu-24.04", "aarch64", &text).unwrap();
    place.fails(Fault::None, "not-an-image").await;
    assert_eq!(place.files("partial"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_for_space_before_it_downloads() {
    let place = Place::new().await;
    place.mirror.set_fault(Fault::LyingLength(i64::MAX / 2));
    let error = place.ubuntu().await.unwrap_err();
    assert_eq!((error.code.as_str(), error.kind), ("no-space", ErrorKind::Unfit));
    assert!(error.details["bytes_needed"].as_u64() > error.details["bytes_free"].as_u64());
    assert_eq!(place.files("partial"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn falls_back_to_a_pinned_release() {
    let place = Place::new().await;
    for fault in [Fault::CurrentGone, Fault::CurrentImageGone] {
        place.mirror.set_fault(fault.clone());
        let fetched = place.ubuntu().await.unwrap();
        assert_eq!(fetched.verified_by, VerifiedBy::Gpg);
        let (state, words) = place.step("resolve").unwrap();
        assert_eq!(state, StepState::Done);
        assert!(words.contains("pinned release 20260926"), "{words}");
        assert!(
            place
                .mirror
                .image_requests()
                .last()
                .unwrap()
                .path
                .contains("release-20260926")
        );
        fs::remove_file(fetched.path).unwrap();
    }
    place.mirror.clear();
    let error = place.fetch("fedora-44").await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.kind),
        ("image-not-found", ErrorKind::NotFound)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_the_newest_point_release_of_an_installer() {
    let place = Place::new().await;
    let disc = iso(&place.folder.path().join("disc"));
    place
        .mirror
        .publish("ubuntu-24.04-server", "x86_64", &disc)
        .unwrap();
    let template = place
        .catalog
        .template("ubuntu-24.04-server", &place.mirrors)
        .unwrap();
    assert!(
        template.arches[&Arch::X86_64]
            .url
            .ends_with("/24.04/ubuntu-24.04.4-live-server-amd64.iso")
    );
    let control = FetchControl::new();
    let fetched = place
        .catalog
        .fetch(
            "ubuntu-24.04-server",
            Arch::X86_64,
            &place.mirrors,
            &control,
            &|_| {},
        )
        .await
        .unwrap();
    assert_eq!(fetched.path.extension().unwrap(), "iso");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_network_a_cached_image_is_used() {
    let Place {
        folder,
        mirror,
        mirrors,
        catalog,
        ..
    } = Place::new().await;
    let control = FetchControl::new();
    let first = catalog
        .fetch("ubuntu-24.04", Arch::Aarch64, &mirrors, &control, &|_| {})
        .await
        .unwrap();
    drop(mirror);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let words = Mutex::new(String::new());
    let note = |update| {
        if let FetchUpdate::Step {
            id: "resolve",
            detail: Some(detail),
            ..
        } = update
        {
            *words.lock().unwrap() = detail;
        }
    };
    let second = catalog
        .fetch("ubuntu-24.04", Arch::Aarch64, &mirrors, &control, &note)
        .await
        .unwrap();
    assert_eq!(
        second,
        Fetched {
            from_cache: true,
            ..first
        }
    );
    assert!(words.lock().unwrap().contains("can't be reached"), "{words:?}");
    let error = catalog
        .fetch("ubuntu-24.04", Arch::X86_64, &mirrors, &control, &|_| {})
        .await
        .unwrap_err();
    assert_eq!(error.code, "download-failed");
    assert!(folder.path().join("cache/images").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_share_one_download() {
    let place = Arc::new(Place::new().await);
    place.mirror.set_rate(Some(8 << 20));
    let bytes = Arc::new(Mutex::new(0));
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let (place, bytes) = (place.clone(), bytes.clone());
        tasks.push(tokio::spawn(async move {
            let count =
                |update| *bytes.lock().unwrap() += u32::from(matches!(update, FetchUpdate::Bytes { .. }));
            place
                .catalog
                .fetch(
                    "ubuntu-24.04",
                    Arch::Aarch64,
                    &place.mirrors,
                    &FetchControl::new(),
                    &count,
                )
                .await
        }));
    }
    let mut cached = 0;
    for task in tasks {
        cached += u32::from(task.await.unwrap().unwrap().from_cache);
    }
    assert_eq!(cached, 2);
    assert_eq!(place.mirror.image_requests().len(), 1);
    assert!(*bytes.lock().unwrap() >= 6, "those who wait see the progress too");
}

/// Polls for at most 30 s.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_leaves_nothing_and_a_waiting_one_takes_over() {
    let place = Arc::new(Place::new().await);
    place.mirror.set_rate(Some(512 << 10));
    let start = |control: &FetchControl| {
        let (place, control, seen) = (place.clone(), control.clone(), Arc::new(AtomicU64::new(0)));
        let bytes = seen.clone();
        let task = tokio::spawn(async move {
            let note = |update| {
                if let FetchUpdate::Bytes { done, .. } = update {
                    bytes.store(done, Ordering::Relaxed);
                }
            };
            place
                .catalog
                .fetch("ubuntu-24.04", Arch::Aarch64, &place.mirrors, &control, &note)
                .await
        });
        (task, seen)
    };
    let control = FetchControl::new();
    let (task, bytes) = start(&control);
    until("bytes come", || bytes.load(Ordering::Relaxed) > 100_000).await;
    control.cancel();
    let error = tokio::time::timeout(Duration::from_secs(10), task)
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert_eq!(place.files("partial"), Vec::<String>::new());
    assert_eq!(place.files("images"), Vec::<String>::new());

    let control = FetchControl::new();
    let (one, bytes) = start(&control);
    until("bytes come", || bytes.load(Ordering::Relaxed) > 100_000).await;
    let (two, bytes) = start(&FetchControl::new());
    until("the second waits and sees the first", || {
        bytes.load(Ordering::Relaxed) > 100_000
    })
    .await;
    control.cancel();
    assert_eq!(one.await.unwrap().unwrap_err().kind, ErrorKind::Cancelled);
    place.mirror.set_rate(None);
    assert!(!two.await.unwrap().unwrap().from_cache);
    let went_on = place.mirror.image_requests().iter().any(|r| r.range.is_some());
    assert!(went_on, "it went on with the part");
}

#[tokio::test(flavor = "multi_thread")]
async fn pauses_and_goes_on() {
    let place = Place::new().await;
    place.mirror.set_rate(Some(3 << 20));
    let control = FetchControl::new();
    let other = control.clone();
    let watch = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        other.pause();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let before = place.updates.lock().unwrap().len();
        // Longer than the server may be silent.
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert_eq!(
            place.updates.lock().unwrap().len(),
            before,
            "nothing moves while paused"
        );
        assert!(other.is_paused());
        other.resume();
    };
    let (fetched, ()) = tokio::join!(place.fetch_with("ubuntu-24.04", &control), watch);
    assert_eq!(fetched.unwrap().sha256, place.sha256());
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_comes_at_most_ten_times_a_second() {
    let place = Place::new().await;
    place.mirror.set_rate(Some(3 << 20));
    let began = Instant::now();
    place.ubuntu().await.unwrap();
    let seconds = began.elapsed().as_secs_f64();
    let updates = place.updates.lock().unwrap();
    let count = updates
        .iter()
        .filter(|u| matches!(u, FetchUpdate::Bytes { .. }))
        .count();
    assert!(
        count as f64 <= seconds * 10.0 + 2.0 && count >= 3,
        "{count} in {seconds} s"
    );
}

#[tokio::test]
async fn plain_http_is_for_mirrors_only_and_unknown_things_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::load(folder.path(), None).unwrap();
    let none = Mirrors::none();
    for template in catalog.templates(&none) {
        assert!(
            template
                .arches
                .values()
                .all(|a| a.own_medium || a.url.starts_with("https://")),
            "{}",
            template.id
        );
    }
    let control = FetchControl::new();
    let error = catalog
        .fetch("ubuntu-24.40", Arch::X86_64, &none, &control, &|_| {})
        .await
        .unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.kind),
        ("template-not-found", ErrorKind::NotFound)
    );
    assert!(error.hint.contains("ubuntu-24.04"), "{}", error.hint);
    let error = catalog
        .fetch("fedora-44", Arch::Riscv64, &none, &control, &|_| {})
        .await
        .unwrap_err();
    assert_eq!(error.code, "architecture-not-offered");
    assert!(error.hint.contains("aarch64"), "{}", error.hint);
}

#[tokio::test]
async fn the_user_s_medium_is_never_fetched() {
    let place = Place::new().await;
    let control = FetchControl::new();
    let error = place
        .catalog
        .fetch("windows-11", Arch::X86_64, &place.mirrors, &control, &|_| {})
        .await
        .unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.kind),
        ("medium-needed", ErrorKind::Usage)
    );
    assert_eq!(place.mirror.requests(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_vouches_for_is_said_and_not_fetched_twice() {
    let place = Place::new().await;
    let disc = iso(&place.folder.path().join("disc"));
    place.mirror.publish("haiku-r1", "x86_64", &disc).unwrap();
    let control = FetchControl::new();
    for cached in [false, true] {
        let on_update = |update| place.updates.lock().unwrap().push(update);
        let fetched = place
            .catalog
            .fetch("haiku-r1", Arch::X86_64, &place.mirrors, &control, &on_update)
            .await
            .unwrap();
        assert_eq!(
            (fetched.verified_by, fetched.from_cache),
            (VerifiedBy::None, cached)
        );
        assert_eq!(fetched.signed_by, None);
    }
    assert_eq!(place.mirror.image_requests().len(), 1);
    let (state, words) = place.step("verify-signature").unwrap();
    assert_eq!(state, StepState::Skipped);
    assert!(words.contains("no signature"), "{words}");
    // A sign-in page or a cut-off file is still noticed.
    for fault in [Fault::HtmlImage(false), Fault::Status(403)] {
        fs::remove_dir_all(place.folder.path().join("cache")).unwrap();
        place.mirror.set_fault(fault);
        let fetch = place
            .catalog
            .fetch("haiku-r1", Arch::X86_64, &place.mirrors, &control, &|_| {});
        assert_eq!(fetch.await.unwrap_err().kind, ErrorKind::Failed);
    }
}
