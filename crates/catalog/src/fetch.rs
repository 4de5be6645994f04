//! From a template to a verified image in the cache.

use crate::{
    cache::{Cache, Record, Shared},
    checksums,
    control::{FetchControl, FetchUpdate},
    download::{Download, Downloaded},
    http::{Failure, Http, Tuning},
    schema::{FamilyFile, SignatureKind, TemplateFile},
    signature::{Keyring, signature_missing},
    source::{Candidate, candidates},
};
use nestbox_model::{Arch, Error, ErrorKind, Result, StepState, VerifiedBy};
use reqwest::Url;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use time::OffsetDateTime;

/// A verified image in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// `cache/images/<sha256>.<qcow2|iso>`, read-only. Never write to it; make an overlay.
    pub path: PathBuf,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// How it was verified.
    pub verified_by: VerifiedBy,
    /// `KEYID name` of who signed the checksums.
    pub signed_by: Option<String>,
    /// Nothing was downloaded.
    pub from_cache: bool,
}

pub(crate) struct Fetch<'a> {
    pub cache: &'a Cache,
    pub tuning: Tuning,
    pub template: &'a TemplateFile,
    pub family: &'a FamilyFile,
    pub arch: Arch,
    pub mirror: Option<&'a str>,
    /// Keys by file name, and those of the test seam.
    pub keyring: &'a (dyn Fn(&[String]) -> Result<Keyring> + Send + Sync),
    pub control: &'a FetchControl,
    pub on_update: &'a (dyn Fn(FetchUpdate) + Send + Sync),
}

/// What the checksum file promises.
struct Promise {
    file: String,
    url: Url,
    digest: String,
    signed_by: Option<String>,
}

/// Reports steps and remembers the one that runs, so that a failure is shown where it happened.
struct Steps<'a> {
    on_update: &'a (dyn Fn(FetchUpdate) + Send + Sync),
    running: Mutex<&'static str>,
}

impl Steps<'_> {
    fn set(&self, id: &'static str, state: StepState, detail: Option<String>) {
        if state == StepState::Running {
            *self.running.lock().unwrap_or_else(PoisonError::into_inner) = id;
        }
        (self.on_update)(FetchUpdate::Step { id, state, detail });
    }
    fn running(&self) -> &'static str {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fetch<'_> {
    pub async fn run(&self) -> Result<Fetched> {
        let steps = Steps {
            on_update: self.on_update,
            running: Mutex::new("resolve"),
        };
        let result = self.walk(&steps).await;
        if let Err(error) = &result {
            steps.set(steps.running(), StepState::Failed, Some(error.message.clone()));
        }
        result
    }

    async fn walk(&self, steps: &Steps<'_>) -> Result<Fetched> {
        let places = candidates(self.template, self.family, self.arch, self.mirror)?;
        self.cache.prepare()?;
        let http = Http::new(self.tuning, self.mirror)?;
        let cached = self.cache.record(&self.template.id, self.arch);
        let mut missing = None;
        for place in &places {
            let note = place
                .pinned
                .as_ref()
                .map(|label| format!("The current release has moved on; using the pinned release {label}."));
            steps.set("resolve", StepState::Running, note.clone());
            let failure = match self.fetch_from(steps, &http, place, note, cached.is_some()).await {
                Ok(fetched) => return Ok(fetched),
                Err(failure) => failure,
            };
            match failure {
                Failure::Gone => missing = missing.or(Some(gone(place))),
                Failure::Final(error) if error.code == "checksum-missing" => missing = Some(error),
                Failure::Final(error) => return Err(error),
                Failure::Transient(why) => {
                    return match cached {
                        // Only the question what is current went unanswered; a broken download never lands here.
                        Some(record) if steps.running() == "resolve" => Ok(self.offline(steps, record)),
                        _ => Err(unreachable(place, &why, steps.running())),
                    };
                }
            }
        }
        Err(missing
            .unwrap_or_else(|| Error::failed("internal", "The template names no place to download from.")))
    }

    async fn fetch_from(
        &self,
        steps: &Steps<'_>,
        http: &Http,
        place: &Candidate,
        note: Option<String>,
        impatient: bool,
    ) -> Result<Fetched, Failure> {
        let retries = if impatient { 1 } else { self.tuning.retries.min(3) };
        let promise = self.promise(steps, http, place, note, retries).await?;
        let key = format!("{}-{}", place.algorithm.as_str(), promise.digest);
        let shared = self.cache.shared(&key);
        let _turn = self.wait_for_turn(&shared).await?;
        let from_cache = self
            .cache
            .by_digest(place.algorithm, &promise.digest, place.extension());
        let (sha256, size, path) = match &from_cache {
            Some((sha256, size)) => {
                let words = "The image is in the cache; nothing to download.";
                steps.set("download", StepState::Skipped, Some(words.into()));
                steps.set(
                    "verify-image",
                    StepState::Skipped,
                    Some("It was verified when it was downloaded.".into()),
                );
                (sha256.clone(), *size, self.cache.image(sha256, place.extension()))
            }
            None => self.download(steps, http, place, &promise, &key, &shared).await?,
        };
        let record = Record {
            sha256: sha256.clone(),
            size,
            extension: place.extension().to_owned(),
            digest: format!("{}:{}", place.algorithm.as_str(), promise.digest),
            url: promise.url.to_string(),
            verified_by: place.verified_by(),
            signed_by: promise.signed_by.clone(),
            fetched_at: OffsetDateTime::now_utc(),
        };
        self.cache.save_record(&self.template.id, self.arch, &record)?;
        Ok(Fetched {
            path,
            sha256,
            size,
            verified_by: place.verified_by(),
            signed_by: promise.signed_by,
            from_cache: from_cache.is_some(),
        })
    }

    /// Steps `resolve` and `verify-signature`.
    async fn promise(
        &self,
        steps: &Steps<'_>,
        http: &Http,
        place: &Candidate,
        note: Option<String>,
        retries: u32,
    ) -> Result<Promise, Failure> {
        let small = async |url: &Url| {
            self.control
                .guard(async { Ok(http.small(url, retries).await) })
                .await?
        };
        let checksums_url = place.url(&place.checksums_path)?;
        let sums = small(&checksums_url).await?;
        let signature = match (place.signature, &place.signature_path) {
            (SignatureKind::Detached, Some(path)) => match small(&place.url(path)?).await {
                Ok(bytes) => bytes,
                Err(Failure::Gone) => {
                    steps.set("resolve", StepState::Done, note);
                    steps.set("verify-signature", StepState::Running, None);
                    return Err(signature_missing("the server has no signature file")
                        .with_detail("file", path.as_str())
                        .into());
                }
                Err(failure) => return Err(failure),
            },
            _ => Vec::new(),
        };
        // A look before the signature is checked, only to see whether this place has the file at all.
        let text = String::from_utf8_lossy(&sums).into_owned();
        let (file, _) = find(place, &text, &checksums_url)?;
        let found = Some(note.unwrap_or_else(|| file.clone()));
        steps.set("resolve", StepState::Done, found);
        let (text, signed_by) = match place.signature {
            SignatureKind::None => {
                steps.set("verify-signature", StepState::Skipped, Some(self.unsigned()));
                (text, None)
            }
            kind => {
                steps.set("verify-signature", StepState::Running, None);
                let keyring = (self.keyring)(&place.keys)?;
                let now = SystemTime::now();
                let (text, signer) = match kind {
                    SignatureKind::Clearsigned => keyring.verify_clearsigned(&sums, now)?,
                    _ => (text, keyring.verify_detached(&sums, &signature, now)?),
                };
                steps.set(
                    "verify-signature",
                    StepState::Done,
                    Some(format!("Signed by {signer}.")),
                );
                (text, Some(signer))
            }
        };
        // What counts is what was signed.
        let (file, digest) = find(place, &text, &checksums_url)?;
        let url = place.url(&format!("{}/{file}", place.folder))?;
        Ok(Promise {
            file,
            url,
            digest,
            signed_by,
        })
    }

    fn unsigned(&self) -> String {
        let name = &self.family.name;
        match self.mirror {
            Some(url) if url.starts_with("http://") => format!(
                "{name} publishes no signature for this file and the mirror is not encrypted: the checksum finds damage only."
            ),
            _ => format!(
                "{name} publishes no signature for this file; its checksum came over an encrypted connection."
            ),
        }
    }

    /// Waits until nobody else downloads the same image, showing how far that one is.
    async fn wait_for_turn<'s>(&self, shared: &'s Shared) -> Result<tokio::sync::MutexGuard<'s, ()>> {
        let turn = shared.lock.lock();
        tokio::pin!(turn);
        let mut progress = shared.progress.subscribe();
        let throttle = Throttle::default();
        loop {
            tokio::select! {
                biased;
                guard = &mut turn => return Ok(guard),
                () = self.control.cancelled() => return Err(Error::cancelled()),
                Ok(()) = progress.changed() => {
                    let (done, total) = *progress.borrow_and_update();
                    if throttle.passes(total == Some(done)) {
                        (self.on_update)(FetchUpdate::Bytes { done, total });
                    }
                }
            }
        }
    }

    /// Steps `download` and `verify-image`.
    async fn download(
        &self,
        steps: &Steps<'_>,
        http: &Http,
        place: &Candidate,
        promise: &Promise,
        key: &str,
        shared: &Arc<Shared>,
    ) -> Result<(String, u64, PathBuf), Failure> {
        let throttle = Throttle::default();
        let on_bytes = |done: u64, total: Option<u64>| {
            if throttle.passes(total == Some(done)) {
                shared.progress.send_replace((done, total));
                (self.on_update)(FetchUpdate::Bytes { done, total });
            }
        };
        let download = Download {
            http,
            url: promise.url.clone(),
            part: self.cache.partial().join(format!("{key}.part")),
            kind: place.kind,
            algorithm: place.algorithm,
            control: self.control,
            on_bytes: &on_bytes,
        };
        let host = promise.url.host_str().unwrap_or_default().to_owned();
        let mut again = false;
        loop {
            let words = match again {
                false => format!("{} from {host}", promise.file),
                true => "What an earlier try left did not fit; downloading again from the start.".into(),
            };
            steps.set("download", StepState::Running, Some(words.clone()));
            let done = match download.run().await {
                Err(Failure::Final(error)) if error.kind == ErrorKind::Cancelled => {
                    // Someone else who waits for the same image goes on with what is there.
                    if Arc::strong_count(shared) == 1 {
                        download.discard();
                    }
                    return Err(error.into());
                }
                other => other?,
            };
            steps.set("download", StepState::Done, Some(words));
            steps.set("verify-image", StepState::Running, None);
            let Downloaded {
                sha256,
                digest,
                size,
                resumed,
            } = done;
            if digest == promise.digest {
                let path = self.cache.adopt(&download.part, &sha256, place.extension())?;
                download.discard();
                let words = format!(
                    "{} matches the checksum file.",
                    place.algorithm.as_str().to_uppercase()
                );
                steps.set("verify-image", StepState::Done, Some(words));
                return Ok((sha256, size, path));
            }
            download.discard();
            if again || !resumed {
                return Err(mismatch(place, promise, &digest).into());
            }
            again = true;
        }
    }

    fn offline(&self, steps: &Steps<'_>, record: Record) -> Fetched {
        let when = record.fetched_at.date();
        let words = format!("The server can't be reached; using the image downloaded on {when}.");
        steps.set("resolve", StepState::Done, Some(words));
        let verified = match &record.signed_by {
            Some(signer) => format!("Checked when it was downloaded: signed by {signer}."),
            None => "Checked when it was downloaded.".into(),
        };
        steps.set("verify-signature", StepState::Skipped, Some(verified));
        steps.set(
            "download",
            StepState::Skipped,
            Some("The image is in the cache; nothing to download.".into()),
        );
        steps.set(
            "verify-image",
            StepState::Skipped,
            Some("It was verified when it was downloaded.".into()),
        );
        Fetched {
            path: self.cache.image(&record.sha256, &record.extension),
            sha256: record.sha256,
            size: record.size,
            verified_by: record.verified_by,
            signed_by: record.signed_by,
            from_cache: true,
        }
    }
}

/// Lets ten reports a second through, and the last one.
struct Throttle(Mutex<Option<Instant>>);

impl Default for Throttle {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl Throttle {
    fn passes(&self, last: bool) -> bool {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last || before.is_none_or(|before| before.elapsed() >= Duration::from_millis(100));
        if due {
            *before = Some(Instant::now());
        }
        due
    }
}

/// The image's name and digest in a checksum file.
fn find(place: &Candidate, text: &str, url: &Url) -> Result<(String, String)> {
    let entries = checksums::parse(text, place.algorithm);
    let entry = match &place.newest {
        Some(pattern) => checksums::newest(&entries, pattern),
        None => checksums::find(&entries, &place.file),
    };
    let entry = entry.ok_or_else(|| {
        let file = place.newest.as_deref().unwrap_or(&place.file);
        Error::unsafe_input(
            "checksum-missing",
            format!(
                "The download was refused: {url} holds no checksum for {file}, so it could not be verified."
            ),
        )
        .with_hint("Choose another mirror in the settings, or try again later.")
        .with_detail("file", file)
        .with_detail("url", url.as_str())
    })?;
    Ok((
        entry.file.clone().unwrap_or_else(|| place.file.clone()),
        entry.digest.clone(),
    ))
}

fn gone(place: &Candidate) -> Error {
    Error::not_found("image-not-found", format!("The server no longer has {}.", place.image_url()))
        .with_hint("A newer Nestbox may know the new place. You can also download an image yourself and import it, or choose another mirror.")
        .with_detail("url", place.image_url())
}

fn unreachable(place: &Candidate, why: &str, step: &str) -> Error {
    let (short, system) = why.split_once(" (").unwrap_or((why, ""));
    let kept = match step {
        "download" => " What was downloaded is kept; the next try goes on from there.",
        _ => "",
    };
    Error::failed(
        "download-failed",
        format!("The download from {} failed because {short}.{kept}", place.base),
    )
    .with_hint("Check the network connection, then try again. A mirror can be set in the settings.")
    .with_detail("url", place.image_url())
    .with_detail("system", system.trim_end_matches(')'))
}

fn mismatch(place: &Candidate, promise: &Promise, found: &str) -> Error {
    Error::unsafe_input(
        "checksum-mismatch",
        format!(
            "The download was refused and removed: {} is not the file that {} published. It may be damaged or changed.",
            promise.file,
            match place.signature {
                SignatureKind::None => "the checksum file says was",
                _ => "the distribution signed and",
            }
        ),
    )
    .with_hint("Try again. If it happens again, choose another mirror.")
    .with_detail("url", promise.url.as_str())
    .with_detail("expected", promise.digest.as_str())
    .with_detail("found", found)
}
