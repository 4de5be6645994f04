//! One image from a server into a `.part` file: resumed, hashed while written, watched for lies.

use crate::{
    control::FetchControl,
    http::{Failure, Http, classify, is_web_page, judge, web_page},
    schema::Algorithm,
};
use nestbox_model::{Error, Result, units};
use reqwest::{StatusCode, Url, header::HeaderMap};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};
use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Bytes gathered before they are hashed and written.
const BLOCK: usize = 1 << 20;
/// Start of the file kept for recognising it: an ISO shows its mark at 0x8001.
const HEAD: usize = 0x8006;
/// Space left free for everything else.
const SPARE: u64 = 64 << 20;
/// Failures in all, progress or not.
const MAX_FAILURES: u32 = 200;

/// What to download and where to.
pub(crate) struct Download<'a> {
    pub http: &'a Http,
    pub url: Url,
    pub part: PathBuf,
    /// What the file must have where: (in words, offset, bytes).
    pub mark: (&'static str, usize, &'static [u8]),
    pub algorithm: Algorithm,
    pub control: &'a FetchControl,
    pub on_bytes: &'a (dyn Fn(u64, Option<u64>) + Send + Sync),
}

/// A complete download, not yet compared with what was promised.
#[derive(Debug)]
pub(crate) struct Downloaded {
    pub sha256: String,
    /// In the checksum file's algorithm.
    pub digest: String,
    pub size: u64,
    /// Some of it came from an earlier try.
    pub resumed: bool,
}

/// What lets a later request go on with the same file: `<part>.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Validator {
    url: String,
    etag: Option<String>,
    last_modified: Option<String>,
}

/// The `.part` file and the digests of what is in it.
struct Part {
    file: File,
    len: u64,
    sha256: Sha256,
    sha512: Option<Sha512>,
    head: Vec<u8>,
}

impl Part {
    /// Opens or makes the file and hashes what is there. Blocking.
    fn open(path: &Path, algorithm: Algorithm) -> std::io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut part = Self {
            file,
            len: 0,
            sha256: Sha256::new(),
            sha512: (algorithm == Algorithm::Sha512).then(Sha512::new),
            head: Vec::new(),
        };
        let mut buffer = vec![0; BLOCK];
        loop {
            match part.file.read(&mut buffer)? {
                0 => return Ok(part),
                n => part.digest(&buffer[..n]),
            }
        }
    }
    fn digest(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
        let room = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        self.len += bytes.len() as u64;
    }
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.digest(bytes);
        Ok(())
    }
    fn reset(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.len = 0;
        self.head.clear();
        self.sha256 = Sha256::new();
        self.sha512 = self.sha512.as_ref().map(|_| Sha512::new());
        Ok(())
    }
}

/// Runs blocking work on a part, giving it back.
async fn blocking<T: Send + 'static>(
    part: Part,
    work: impl FnOnce(&mut Part) -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<(Part, T)> {
    tokio::task::spawn_blocking(move || {
        let mut part = part;
        let value = work(&mut part)?;
        Ok((part, value))
    })
    .await
    .map_err(std::io::Error::other)?
}

impl Download<'_> {
    /// Downloads until the file is complete. Errors keep the `.part` for a later try, except where it is worthless.
    pub async fn run(&self) -> Result<Downloaded, Failure> {
        let (path, algorithm) = (self.part.clone(), self.algorithm);
        let opened = self.control.guard(async {
            let opened = tokio::task::spawn_blocking(move || Part::open(&path, algorithm)).await;
            opened
                .map_err(std::io::Error::other)
                .flatten()
                .map_err(|e| self.io(&e))
        });
        let mut slot = Some(opened.await?);
        let mut resumed = slot.as_ref().is_some_and(|part| part.len > 0);
        let (mut failures, mut all, mut furthest) = (0, 0, slot.as_ref().map_or(0, |part| part.len));
        loop {
            let why = match self.attempt(&mut slot).await {
                Ok(()) => break,
                Err(Failure::Transient(why)) => why,
                Err(other) => {
                    // An empty part helps nobody.
                    if slot.as_ref().is_none_or(|part| part.len == 0) {
                        self.discard();
                    }
                    return Err(other);
                }
            };
            let len = slot.as_ref().map_or(0, |part| part.len);
            // Only new ground counts: a server that always breaks at the same place must not be asked for ever.
            if len > furthest {
                (furthest, failures) = (len, 0);
            }
            failures += 1;
            all += 1;
            tracing::info!(url = %self.url, failures, len, why, "download interrupted");
            if failures > self.http.tuning.retries || all > MAX_FAILURES {
                return Err(Failure::Transient(why));
            }
            let pause = self.http.tuning.pause(failures);
            let wait = async {
                tokio::time::sleep(pause).await;
                Ok(())
            };
            self.control.guard(wait).await?;
            resumed |= len > 0;
        }
        let part = slot.take().ok_or_else(lost)?;
        let work = |part: &mut Part| {
            part.file.sync_all()?;
            let sha256 = hex::encode(std::mem::take(&mut part.sha256).finalize());
            let digest = match part.sha512.take() {
                Some(sha512) => hex::encode(sha512.finalize()),
                None => sha256.clone(),
            };
            Ok((sha256, digest))
        };
        let (part, (sha256, digest)) = blocking(part, work).await.map_err(|e| self.io(&e))?;
        Ok(Downloaded {
            sha256,
            digest,
            size: part.len,
            resumed,
        })
    }

    /// One request. `slot` always holds the part when this returns, unless writing failed.
    async fn attempt(&self, slot: &mut Option<Part>) -> Result<(), Failure> {
        self.control.ready().await?;
        let have = slot.as_ref().map_or(0, |part| part.len);
        let validator = self.validator();
        let range = (have > 0).then(|| {
            let condition = validator.etag.as_deref().or(validator.last_modified.as_deref());
            (have, condition)
        });
        let response = async { Ok(self.http.get(&self.url, range).await) };
        let mut response = self.control.guard(response).await??;
        let total = match response.status() {
            StatusCode::PARTIAL_CONTENT => match content_range(response.headers()) {
                Some((first, total)) if first == have => total,
                _ => {
                    self.reset(slot).await?;
                    return Err(Failure::Transient(
                        "the server sent another part of the file than asked for".into(),
                    ));
                }
            },
            StatusCode::RANGE_NOT_SATISFIABLE => {
                if have > 0 && content_range_size(response.headers()) == Some(have) {
                    return self.recognise(slot, true);
                }
                self.reset(slot).await?;
                return Err(Failure::Transient(
                    "the part that was there does not fit the file".into(),
                ));
            }
            _ => {
                judge(&self.url, &response)?;
                if have > 0 {
                    self.reset(slot).await?;
                }
                response.content_length()
            }
        };
        self.keep_validator(response.headers())?;
        let have = slot.as_ref().map_or(0, |part| part.len);
        self.check_space(total.unwrap_or(have).saturating_sub(have))?;
        (self.on_bytes)(have, total);
        let mut buffer = Vec::with_capacity(BLOCK);
        loop {
            let chunk = self.control.guard(async { Ok(response.chunk().await) }).await;
            let ended = match &chunk {
                Ok(Ok(Some(bytes))) => {
                    buffer.extend_from_slice(bytes);
                    false
                }
                _ => true,
            };
            let received = slot.as_ref().map_or(0, |part| part.len) + buffer.len() as u64;
            if total.is_some_and(|total| received > total) {
                self.reset(slot).await?;
                return Err(Failure::Transient(
                    "the server sent more than it announced".into(),
                ));
            }
            // Small at first, so that a wrong file is noticed at once.
            let early = slot.as_ref().is_some_and(|part| part.head.len() < HEAD);
            if ended || early || buffer.len() >= BLOCK {
                self.write(slot, &mut buffer).await?;
                self.recognise(slot, false)?;
            }
            (self.on_bytes)(received, total);
            match chunk {
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) => {
                    return match total {
                        Some(total) if received < total => {
                            Err(Failure::Transient("the server stopped early".into()))
                        }
                        _ => self.recognise(slot, true),
                    };
                }
                Ok(Err(error)) => return Err(classify(&self.url, &error)),
                Err(error) => return Err(error.into()),
            }
            if self.control.is_paused() {
                self.write(slot, &mut buffer).await?;
                self.control.ready().await?;
            }
            if total.is_none() && received % (64 * BLOCK as u64) < BLOCK as u64 {
                self.check_space(0)?;
            }
        }
    }

    async fn write(&self, slot: &mut Option<Part>, buffer: &mut Vec<u8>) -> Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::replace(buffer, Vec::with_capacity(BLOCK));
        let part = slot.take().ok_or_else(lost)?;
        let (part, ()) = blocking(part, move |part| part.write(&bytes))
            .await
            .map_err(|e| self.io(&e))?;
        *slot = Some(part);
        Ok(())
    }

    async fn reset(&self, slot: &mut Option<Part>) -> Result<()> {
        let part = slot.take().ok_or_else(lost)?;
        let (part, ()) = blocking(part, Part::reset).await.map_err(|e| self.io(&e))?;
        *slot = Some(part);
        Ok(())
    }

    /// Refuses what is plainly not the kind of file asked for. `complete`: nothing more will come.
    fn recognise(&self, slot: &Option<Part>, complete: bool) -> Result<(), Failure> {
        let head = slot.as_ref().map_or(&[][..], |part| &part.head);
        if is_web_page(head) {
            self.discard();
            return Err(web_page(&self.url).into());
        }
        let (what, offset, mark) = self.mark;
        match head.get(offset..offset + mark.len()) {
            Some(found) if found == mark => Ok(()),
            None if !complete => Ok(()),
            _ => {
                self.discard();
                Err(Failure::Final(
                    Error::failed("not-an-image", format!("{} is not {what}.", self.url))
                        .with_hint("Choose another mirror in the settings, or try again later.")
                        .with_detail("url", self.url.as_str()),
                ))
            }
        }
    }

    /// Removes the part and what belongs to it.
    pub fn discard(&self) {
        for path in [&self.part, &self.validator_file()] {
            if let Err(error) = fs::remove_file(path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "could not remove a partial download");
            }
        }
    }
    fn validator_file(&self) -> PathBuf {
        self.part.with_extension("json")
    }
    fn validator(&self) -> Validator {
        let read = || serde_json::from_slice::<Validator>(&fs::read(self.validator_file()).ok()?).ok();
        // Another server's tags mean nothing to this one. The digest still decides whether the parts fit.
        read().filter(|v| v.url == self.url.as_str()).unwrap_or_default()
    }
    fn keep_validator(&self, headers: &HeaderMap) -> Result<()> {
        let text = |name| {
            headers
                .get(name)
                .and_then(|v: &reqwest::header::HeaderValue| v.to_str().ok())
                .map(str::to_owned)
        };
        let new = Validator {
            url: self.url.to_string(),
            etag: text("etag").filter(|tag| !tag.starts_with("W/")),
            last_modified: text("last-modified"),
        };
        if new != self.validator() {
            let path = self.validator_file();
            let bytes = serde_json::to_vec(&new).map_err(|e| Error::failed("internal", format!("{e}.")))?;
            fs::write(&path, bytes)
                .map_err(|e| Error::io("note where the download comes from", &path, &e))?;
        }
        Ok(())
    }

    fn check_space(&self, needed: u64) -> Result<()> {
        let folder = self.part.parent().unwrap_or(Path::new("."));
        let Ok(facts) = rustix::fs::statvfs(folder) else {
            return Ok(());
        };
        let free = facts.f_bavail.saturating_mul(facts.f_frsize);
        if free >= needed.saturating_add(SPARE) {
            return Ok(());
        }
        let needed = needed.saturating_add(SPARE);
        Err(Error::unfit(
            "no-space",
            format!(
                "There is not enough space for the download: {} more is needed and {} is free.",
                units::format_size(needed),
                units::format_size(free)
            ),
        )
        .with_hint("Free some space (the trash and the image cache are good places to look), then try again.")
        .with_detail("bytes_needed", needed)
        .with_detail("bytes_free", free)
        .with_detail("path", folder.display().to_string()))
    }

    fn io(&self, error: &std::io::Error) -> Error {
        Error::io("write the download", &self.part, error)
    }
}

fn lost() -> Error {
    Error::failed("internal", "The download's file was lost while it was written.").with_hint("Try again.")
}

/// `bytes FIRST-LAST/TOTAL` → (first, total).
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers
        .get("content-range")?
        .to_str()
        .ok()?
        .trim()
        .strip_prefix("bytes ")?;
    let (span, total) = text.split_once('/')?;
    let (first, _) = span.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

/// `bytes */TOTAL`.
fn content_range_size(headers: &HeaderMap) -> Option<u64> {
    headers
        .get("content-range")?
        .to_str()
        .ok()?
        .rsplit_once('/')?
        .1
        .trim()
        .parse()
        .ok()
}
