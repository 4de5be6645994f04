//! From a template to a verified image in the cache.

mod steps;
mod words;

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
use sha2::{Digest, Sha256};
use std::{path::PathBuf, sync::Arc, time::SystemTime};
use steps::{Steps, Throttle};
use time::OffsetDateTime;
use words::{gone, mismatch, own_medium, unreachable};

/// A verified image in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// `cache/images/<sha256>.<qcow2|iso>[.xz|.gz|.zip]`, read-only. Never write to it; make an overlay.
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

impl Fetched {
    /// The image is compressed: it can't be read in place.
    pub fn is_packed(&self) -> bool {
        let end = self.path.extension().and_then(|end| end.to_str());
        !matches!(end, Some("qcow2" | "iso"))
    }
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
    /// `None`: nothing is published to check it with.
    digest: Option<String>,
    signed_by: Option<String>,
}

impl Promise {
    /// What tells this download from every other: its digest, or else its address.
    fn key(&self, place: &Candidate) -> String {
        match &self.digest {
            Some(digest) => format!("{}-{digest}", place.algorithm.as_str()),
            None => format!("url-{}", hex::encode(Sha256::digest(self.url.as_str()))),
        }
    }
}

impl Fetch<'_> {
    pub async fn run(&self) -> Result<Fetched> {
        let steps = Steps::new(self.on_update);
        let result = self.walk(&steps).await;
        if let Err(error) = &result {
            steps.set(steps.running(), StepState::Failed, Some(error.message.clone()));
        }
        result
    }

    async fn walk(&self, steps: &Steps<'_>) -> Result<Fetched> {
        let places = candidates(self.template, self.family, self.arch, self.mirror)?;
        if places.is_empty() {
            return Err(own_medium(&self.template.name));
        }
        self.cache.prepare()?;
        let patient = Http::new(self.tuning, self.mirror)?;
        // Where another server has the same, little is lost by giving one up soon.
        let hasty = Tuning {
            retries: self.tuning.retries.min(1),
            ..self.tuning
        };
        let hasty = Http::new(hasty, self.mirror)?;
        let cached = self.cache.record(&self.template.id, self.arch);
        let (mut missing, mut elsewhere) = (None, None);
        for (index, place) in places.iter().enumerate() {
            let another = places
                .get(index + 1)
                .is_some_and(|next| next.pinned == place.pinned);
            let note = self.note(&places, index);
            steps.set("resolve", StepState::Running, note.clone());
            let http = if another { &hasty } else { &patient };
            let failure = match self.fetch_from(steps, http, place, note, cached.is_some()).await {
                Ok(fetched) => return Ok(fetched),
                Err(failure) => failure,
            };
            match failure {
                Failure::Gone => missing = missing.or(Some(gone(place))),
                Failure::Final(error) if error.code == "checksum-missing" => missing = Some(error),
                Failure::Final(error) if another && words::other_servers_may_do_better(&error) => {
                    tracing::info!(server = place.base, code = error.code, "trying the next server");
                    elsewhere = elsewhere.or(Some(error));
                }
                Failure::Final(error) => return Err(error),
                Failure::Transient(why) if another => {
                    tracing::info!(server = place.base, why, "trying the next server");
                    elsewhere = elsewhere.or(Some(unreachable(place, &why, steps.running())));
                }
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
            .or(elsewhere)
            .unwrap_or_else(|| Error::failed("internal", "The template names no place to download from.")))
    }

    /// Why this place is asked and not the first, in words.
    fn note(&self, places: &[Candidate], index: usize) -> Option<String> {
        let place = places.get(index)?;
        if let Some(label) = &place.pinned {
            return Some(format!(
                "The current release has moved on; using the pinned release {label}."
            ));
        }
        let server = place
            .base
            .split_once("://")
            .map_or(place.base.as_str(), |(_, rest)| rest);
        (index > 0).then(|| format!("The server before did not serve it; using {server}."))
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
        let key = promise.key(place);
        let shared = self.cache.shared(&key);
        let _turn = self.wait_for_turn(&shared).await?;
        let from_cache = match &promise.digest {
            Some(digest) => self.cache.by_digest(place.algorithm, digest, place.extension()),
            None => self
                .cache
                .record(&self.template.id, self.arch)
                .filter(|record| record.url == promise.url.as_str())
                .map(|record| (record.sha256, record.size)),
        };
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
            digest: match &promise.digest {
                Some(digest) => format!("{}:{digest}", place.algorithm.as_str()),
                None => format!("sha256:{sha256}"),
            },
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
        let Some(checksums_path) = &place.checksums_path else {
            let (url, file) = (place.url(&place.path)?, place.file.clone());
            steps.set(
                "resolve",
                StepState::Done,
                Some(note.unwrap_or_else(|| file.clone())),
            );
            let words = format!("{} publishes no signature for this file.", self.family.name);
            steps.set("verify-signature", StepState::Skipped, Some(words));
            return Ok(Promise {
                file,
                url,
                digest: None,
                signed_by: None,
            });
        };
        let checksums_url = place.url(checksums_path)?;
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
            digest: Some(digest),
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
            mark: place.mark(),
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
            if promise.digest.as_ref().is_none_or(|promised| digest == *promised) {
                let path = self.cache.adopt(&download.part, &sha256, place.extension())?;
                download.discard();
                let (state, words) = match promise.digest {
                    Some(_) => {
                        let algorithm = place.algorithm.as_str().to_uppercase();
                        (StepState::Done, format!("{algorithm} matches the checksum file."))
                    }
                    None => (
                        StepState::Skipped,
                        format!(
                            "{} publishes no checksum, so nothing vouches for it.",
                            self.family.name
                        ),
                    ),
                };
                steps.set("verify-image", state, Some(words));
                return Ok((sha256, size, path));
            }
            download.discard();
            if again || !resumed {
                return Err(mismatch(
                    place,
                    &promise.file,
                    &promise.url,
                    promise.digest.as_deref(),
                    &digest,
                )
                .into());
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

/// The image's name and digest in a checksum file.
fn find(place: &Candidate, text: &str, url: &Url) -> Result<(String, String)> {
    let entries = checksums::parse(text, place.algorithm);
    let entry = match &place.newest {
        Some(pattern) => checksums::newest(&entries, pattern),
        None if place.lone => checksums::lone(&entries),
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
    if place.lone {
        return Ok((place.file.clone(), entry.digest.clone()));
    }
    Ok((
        entry.file.clone().unwrap_or_else(|| place.file.clone()),
        entry.digest.clone(),
    ))
}
