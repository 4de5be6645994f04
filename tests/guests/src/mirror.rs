//! A distribution mirror on 127.0.0.1, in the real layouts, that can misbehave.
//!
//! It speaks HTTP/1.1 by hand, since the faults worth testing (wrong lengths, broken connections, silence) are those that a
//! proper server library prevents. Checksum files are made when they are asked for and signed with an OpenPGP key made for
//! the run, whose public half is in [`Mirror::keys_dir`].

use pgp::{
    composed::{
        ArmorOptions, CleartextSignedMessage, DetachedSignature, EncryptionCaps, KeyType,
        SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey, SubpacketConfig,
    },
    crypto::hash::HashAlgorithm,
    packet::{Subpacket, SubpacketData},
    types::{Duration as PgpDuration, KeyDetails, Password, Timestamp},
};
use sha2::{Digest, Sha256, Sha512};
use std::{
    collections::BTreeMap,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// How the mirror misbehaves. Faults of the image touch images only, not checksum files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// It behaves.
    #[default]
    None,
    /// One byte in the middle of images differs from what was signed.
    TamperedImage,
    /// The checksum file is changed after it was signed.
    BadSignature,
    /// Signed by a key that is not in [`Mirror::keys_dir`].
    WrongKey,
    /// There is no signature.
    MissingSignature,
    /// The signature expired yesterday.
    ExpiredSignature,
    /// The checksum file does not name the image.
    MissingChecksum,
    /// Images end this many bytes early, and the length says so.
    Truncated(u64),
    /// The connection breaks after this many bytes, as often as said; then all is well.
    Drop {
        /// Bytes sent before each break.
        after: u64,
        /// Breaks left.
        times: u32,
    },
    /// The connection goes silent after this many bytes, as often as said.
    Silent {
        /// Bytes sent before each silence.
        after: u64,
        /// Silences left.
        times: u32,
    },
    /// `Range` is ignored.
    NoRanges,
    /// Ranges are ignored and the connection breaks after this many bytes, as often as said.
    DropWithoutRanges {
        /// Bytes sent before each break.
        after: u64,
        /// Breaks left.
        times: u32,
    },
    /// Images are a web page, sent as `text/html` or (false) as if they were images.
    HtmlImage(bool),
    /// Everything is a web page with status 200, as behind a sign-in portal.
    HtmlEverything,
    /// Images redirect to themselves.
    RedirectLoop,
    /// The announced length of images is off by this many bytes.
    LyingLength(i64),
    /// What is not dated or pinned is gone (404).
    CurrentGone,
    /// Only the current image is gone (404), its checksum file is there.
    CurrentImageGone,
    /// Everything answers with this status.
    Status(u16),
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Path.
    pub path: String,
    /// `Range` header.
    pub range: Option<String>,
    /// Bytes of the body that were sent.
    pub sent: u64,
}

/// Digest of a checksum file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sums {
    Sha256,
    Sha512,
}

/// Where a checksum file's signature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signing {
    None,
    Detached,
    Clearsigned,
}

/// One place of a layout.
#[derive(Clone, Debug)]
struct Place {
    folder: String,
    file: String,
    sums_file: String,
    sums: Sums,
    signing: Signing,
    signature_file: &'static str,
    pinned: bool,
}

#[derive(Clone, Debug)]
struct Image {
    place: Place,
    source: PathBuf,
    sha256: String,
    sha512: String,
}

#[derive(Debug, Default)]
struct State {
    /// By path.
    images: BTreeMap<String, Image>,
    files: BTreeMap<String, Vec<u8>>,
    fault: Fault,
    rate: Option<u64>,
    requests: Vec<Request>,
}

struct Shared {
    state: Mutex<State>,
    key: SignedSecretKey,
    stranger: SignedSecretKey,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running mirror; it ends when dropped.
pub struct Mirror {
    url: String,
    keys_dir: PathBuf,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Families that [`Mirror::environment`] sets.
pub const FAMILIES: [&str; 4] = ["ubuntu", "debian", "fedora", "alpine"];

impl Mirror {
    /// Starts on a free port of 127.0.0.1. `dir` gets the folder `keys` with the public key.
    ///
    /// # Errors
    /// When the port or the folder can't be had.
    pub async fn start(dir: &Path) -> io::Result<Self> {
        let (key, stranger) = tokio::task::spawn_blocking(|| {
            Ok::<_, io::Error>((make_key("Test mirror")?, make_key("Stranger")?))
        })
        .await
        .map_err(io::Error::other)??;
        let keys_dir = dir.join("keys");
        std::fs::create_dir_all(&keys_dir)?;
        let public = SignedPublicKey::from(key.clone())
            .to_armored_string(ArmorOptions::default())
            .map_err(io::Error::other)?;
        std::fs::write(keys_dir.join("test-mirror.asc"), public)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            key,
            stranger,
        });
        let task = tokio::spawn(serve(listener, shared.clone()));
        Ok(Self {
            url,
            keys_dir,
            shared,
            task,
        })
    }

    /// `http://127.0.0.1:PORT`: the value for `mirror.<family>`.
    pub fn url(&self) -> &str {
        &self.url
    }
    /// Folder of the public key: the value for `NESTBOX_EXTRA_KEYS`.
    pub fn keys_dir(&self) -> &Path {
        &self.keys_dir
    }
    /// Fingerprint's key id as signatures and [`Request`]s show it, 16 upper-case digits.
    pub fn key_id(&self) -> String {
        hex::encode_upper(self.shared.key.legacy_key_id().as_ref())
    }
    /// Environment that makes `nestbox` use this mirror for every family and trust its key.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> = FAMILIES
            .iter()
            .map(|family| {
                (
                    format!("NESTBOX_MIRROR_{}", family.to_uppercase()),
                    self.url.clone(),
                )
            })
            .collect();
        all.push(("NESTBOX_EXTRA_KEYS".into(), self.keys_dir.display().to_string()));
        all
    }

    /// Puts an image file where `template` for `arch` (QEMU's word) is published, at the current place and every pinned one.
    ///
    /// # Errors
    /// When the file can't be read or the template is not known here.
    pub fn publish(&self, template: &str, arch: &str, image: &Path) -> io::Result<()> {
        let places = places(template, arch)
            .ok_or_else(|| io::Error::other(format!("no layout for {template} {arch}")))?;
        let (sha256, sha512) = digests(image)?;
        let mut state = self.shared.lock();
        for place in places {
            let path = format!("/{}/{}", place.folder, place.file);
            let image = Image {
                place,
                source: image.to_owned(),
                sha256: sha256.clone(),
                sha512: sha512.clone(),
            };
            state.images.insert(path, image);
        }
        Ok(())
    }

    /// Puts any other file at a path such as `/a/b`.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.shared.lock().files.insert(path.to_owned(), bytes.into());
    }
    /// Removes everything that was published.
    pub fn clear(&self) {
        let mut state = self.shared.lock();
        state.images.clear();
        state.files.clear();
    }
    /// From now on.
    pub fn set_fault(&self, fault: Fault) {
        self.shared.lock().fault = fault;
    }
    /// Bytes a second for each image; `None` is as fast as it goes.
    pub fn set_rate(&self, rate: Option<u64>) {
        self.shared.lock().rate = rate;
    }
    /// Requests answered so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }
    /// Requests for images so far.
    pub fn image_requests(&self) -> Vec<Request> {
        let ends = [".img", ".qcow2", ".iso"];
        self.requests()
            .into_iter()
            .filter(|r| ends.iter().any(|end| r.path.ends_with(end)))
            .collect()
    }
}

/// Where the distributions publish, written down here again so that a wrong template is found.
fn places(template: &str, arch: &str) -> Option<Vec<Place>> {
    let debian = match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let place = |folder: String, file: String, pinned| Place {
        folder,
        file,
        sums_file: "SHA256SUMS".into(),
        sums: Sums::Sha256,
        signing: Signing::Detached,
        signature_file: "SHA256SUMS.gpg",
        pinned,
    };
    let ubuntu_cloud = |name: &str, version: &str, date: &str| {
        let file = format!("ubuntu-{version}-server-cloudimg-{debian}.img");
        vec![
            place(format!("releases/{name}/release"), file.clone(), false),
            place(format!("releases/{name}/release-{date}"), file, true),
        ]
    };
    let ubuntu_iso = |version: &str, point: &str, edition: &str| {
        let file = format!("ubuntu-{point}-{edition}-{debian}.iso");
        match arch {
            "x86_64" => vec![
                place(version.into(), file.clone(), false),
                place(point.into(), file, true),
            ],
            _ => vec![
                place(format!("releases/{version}/release"), file.clone(), false),
                place(format!("releases/{point}/release"), file, true),
            ],
        }
    };
    Some(match template {
        "ubuntu-24.04" => ubuntu_cloud("noble", "24.04", "20260926"),
        "ubuntu-26.04" => ubuntu_cloud("resolute", "26.04", "20260927"),
        "ubuntu-24.04-server" => ubuntu_iso("24.04", "24.04.4", "live-server"),
        "ubuntu-26.04-server" => ubuntu_iso("26.04", "26.04.1", "live-server"),
        "ubuntu-24.04-desktop" => ubuntu_iso("24.04", "24.04.4", "desktop"),
        "ubuntu-26.04-desktop" => ubuntu_iso("26.04", "26.04.1", "desktop"),
        "debian-13" => {
            let unsigned = |folder: &str, file, pinned| Place {
                sums_file: "SHA512SUMS".into(),
                sums: Sums::Sha512,
                signing: Signing::None,
                ..place(format!("images/cloud/trixie/{folder}"), file, pinned)
            };
            vec![
                unsigned("latest", format!("debian-13-generic-{debian}.qcow2"), false),
                unsigned(
                    "20260712-2537",
                    format!("debian-13-generic-{debian}-20260712-2537.qcow2"),
                    true,
                ),
            ]
        }
        "debian-13-netinst" => ["debian-cd/current", "cdimage/archive/13.6.0"]
            .into_iter()
            .map(|root| Place {
                sums_file: "SHA512SUMS".into(),
                sums: Sums::Sha512,
                signature_file: "SHA512SUMS.sign",
                ..place(
                    format!("{root}/{debian}/iso-cd"),
                    format!("debian-13.6.0-{debian}-netinst.iso"),
                    root.starts_with("cdimage"),
                )
            })
            .collect(),
        "fedora-44" => vec![Place {
            sums_file: format!("Fedora-Cloud-44-1.7-{arch}-CHECKSUM"),
            signing: Signing::Clearsigned,
            ..place(
                format!("releases/44/Cloud/{arch}/images"),
                format!("Fedora-Cloud-Base-Generic-44-1.7.{arch}.qcow2"),
                false,
            )
        }],
        "alpine-3.23" => ["3.23.4", "3.23.0"]
            .into_iter()
            .map(|point| {
                let file = format!("nocloud_alpine-{point}-{arch}-uefi-cloudinit-r0.qcow2");
                Place {
                    sums_file: format!("{file}.sha512"),
                    sums: Sums::Sha512,
                    signing: Signing::None,
                    ..place("alpine/v3.23/releases/cloud".into(), file, point == "3.23.0")
                }
            })
            .collect(),
        _ => return None,
    })
}

fn digests(path: &Path) -> io::Result<(String, String)> {
    let mut file = std::fs::File::open(path)?;
    let (mut sha256, mut sha512) = (Sha256::new(), Sha512::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hex::encode(sha256.finalize()), hex::encode(sha512.finalize()))),
            n => {
                sha256.update(&buffer[..n]);
                sha512.update(&buffer[..n]);
            }
        }
    }
}

fn make_key(name: &str) -> io::Result<SignedSecretKey> {
    SecretKeyParamsBuilder::default()
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .can_sign(true)
        .can_encrypt(EncryptionCaps::None)
        .primary_user_id(format!("{name} <mirror@example.invalid>"))
        .build()
        .map_err(io::Error::other)?
        .generate(rand::thread_rng())
        .map_err(io::Error::other)
}

/// A detached armoured signature, perhaps expired.
fn sign(key: &SignedSecretKey, data: &[u8], expired: bool) -> Result<String, pgp::errors::Error> {
    let config = if expired {
        let created = Timestamp::from_secs(Timestamp::now().as_secs().saturating_sub(2 * 86_400));
        SubpacketConfig::UserDefined {
            hashed: vec![
                Subpacket::regular(SubpacketData::SignatureCreationTime(created))?,
                Subpacket::regular(SubpacketData::SignatureExpirationTime(PgpDuration::from_secs(
                    86_400,
                )))?,
                Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
            ],
            unhashed: vec![],
        }
    } else {
        SubpacketConfig::Default
    };
    DetachedSignature::sign_binary_data_with_subpackets(
        rand::thread_rng(),
        &key.primary_key,
        &Password::empty(),
        HashAlgorithm::Sha512,
        data,
        config,
    )?
    .to_armored_string(ArmorOptions::default())
}

/// What a path answers with.
enum Answer {
    Bytes(Vec<u8>),
    Image(Image),
    Missing,
}

impl Shared {
    fn answer(&self, path: &str) -> Answer {
        let state = self.lock();
        if let Some(bytes) = state.files.get(path) {
            return Answer::Bytes(bytes.clone());
        }
        if let Some(image) = state.images.get(path) {
            return match state.fault {
                Fault::CurrentGone | Fault::CurrentImageGone if !image.place.pinned => Answer::Missing,
                _ => Answer::Image(image.clone()),
            };
        }
        let Some((folder, name)) = path.trim_start_matches('/').rsplit_once('/') else {
            return Answer::Missing;
        };
        let here: Vec<&Image> = state
            .images
            .values()
            .filter(|image| image.place.folder == folder)
            .collect();
        let by_sums = |name: &str| here.iter().find(|image| image.place.sums_file == name).copied();
        let by_signature = here
            .iter()
            .find(|i| i.place.signing == Signing::Detached && i.place.signature_file == name);
        let Some(one) = by_sums(name).or(by_signature.copied()) else {
            return Answer::Missing;
        };
        if state.fault == Fault::CurrentGone && !one.place.pinned {
            return Answer::Missing;
        }
        let sums = sums_text(&one.place, &here, &state.fault);
        let key = if state.fault == Fault::WrongKey {
            &self.stranger
        } else {
            &self.key
        };
        let expired = state.fault == Fault::ExpiredSignature;
        let made = if name == one.place.sums_file {
            match one.place.signing {
                Signing::Clearsigned if state.fault != Fault::MissingSignature => {
                    CleartextSignedMessage::sign(
                        rand::thread_rng(),
                        &sums,
                        &key.primary_key,
                        &Password::empty(),
                    )
                    .and_then(|message| message.to_armored_string(ArmorOptions::default()))
                    .map(|text| spoil(&state.fault, one, text))
                }
                _ => Ok(spoil(&state.fault, one, sums)),
            }
        } else if state.fault == Fault::MissingSignature {
            return Answer::Missing;
        } else {
            sign(key, sums.as_bytes(), expired)
        };
        made.map_or(Answer::Missing, |text| Answer::Bytes(text.into_bytes()))
    }
}

/// Changes a checksum file after it was signed: another digest in the same place.
fn spoil(fault: &Fault, image: &Image, text: String) -> String {
    if *fault != Fault::BadSignature {
        return text;
    }
    let other = |digest: &str| digest.chars().rev().collect::<String>();
    text.replace(&image.sha256, &other(&image.sha256))
        .replace(&image.sha512, &other(&image.sha512))
}

fn sums_text(place: &Place, here: &[&Image], fault: &Fault) -> String {
    let mut text = String::new();
    for image in here
        .iter()
        .filter(|image| image.place.sums_file == place.sums_file)
    {
        let digest = match place.sums {
            Sums::Sha256 => &image.sha256,
            Sums::Sha512 => &image.sha512,
        };
        let file = &image.place.file;
        if *fault == Fault::MissingChecksum {
            text.push_str(&format!("{digest} *other-{file}\n"));
        } else if place.signing == Signing::Clearsigned {
            text.push_str(&format!("# {file}: 1 bytes\nSHA256 ({file}) = {digest}\n"));
        } else if place.sums_file.ends_with(".sha512") {
            text.push_str(&format!("{digest}\n"));
        } else if place.sums == Sums::Sha512 {
            text.push_str(&format!("{digest}  {file}\n"));
        } else {
            text.push_str(&format!("{digest} *{file}\n"));
        }
    }
    text
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let shared = shared.clone();
        connections.spawn(async move {
            // A client that goes away is no news here.
            let _ = talk(stream, &shared).await;
        });
    }
}

/// One request; then the connection is closed.
async fn talk(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut path, mut range, mut condition) = (String::new(), None, None);
    for number in 0..200 {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if number == 0 {
            path = line
                .split(' ')
                .nth(1)
                .unwrap_or("/")
                .split('?')
                .next()
                .unwrap_or("/")
                .to_owned();
        } else if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "range" => range = Some(value.trim().to_owned()),
                "if-range" => condition = Some(value.trim().to_owned()),
                _ => {}
            }
        }
    }
    let mut stream = stream.into_inner();
    let fault = shared.lock().fault.clone();
    let sent = match (&fault, shared.answer(&path)) {
        (Fault::Status(status), _) => plain(&mut stream, *status, "text/plain", b"no").await?,
        (Fault::HtmlEverything, _) => plain(&mut stream, 200, "text/html", WEB_PAGE).await?,
        (_, Answer::Missing) => plain(&mut stream, 404, "text/html", b"<html>not here</html>").await?,
        (_, Answer::Bytes(bytes)) => plain(&mut stream, 200, "text/plain", &bytes).await?,
        (_, Answer::Image(image)) => {
            let sent = send_image(
                &mut stream,
                shared,
                &image,
                &path,
                range.as_deref(),
                condition.as_deref(),
            )
            .await;
            let bytes = *sent.as_ref().unwrap_or(&0);
            shared.lock().requests.push(Request {
                path,
                range,
                sent: bytes,
            });
            return sent.map(|_| ());
        }
    };
    shared.lock().requests.push(Request { path, range, sent });
    stream.shutdown().await
}

const WEB_PAGE: &[u8] = b"<!DOCTYPE html>\n<html><body>Please sign in to this network.</body></html>\n";

async fn plain(stream: &mut TcpStream, status: u16, kind: &str, body: &[u8]) -> io::Result<u64> {
    let head = format!(
        "HTTP/1.1 {status} Mirror\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    Ok(body.len() as u64)
}

/// Takes one occurrence of a counted fault.
fn take_break(shared: &Shared) -> Option<(u64, bool)> {
    let mut state = shared.lock();
    match &mut state.fault {
        Fault::Drop { after, times } | Fault::DropWithoutRanges { after, times } if *times > 0 => {
            *times -= 1;
            Some((*after, false))
        }
        Fault::Silent { after, times } if *times > 0 => {
            *times -= 1;
            Some((*after, true))
        }
        _ => None,
    }
}

async fn send_image(
    stream: &mut TcpStream,
    shared: &Shared,
    image: &Image,
    path: &str,
    range: Option<&str>,
    condition: Option<&str>,
) -> io::Result<u64> {
    let fault = shared.lock().fault.clone();
    match fault {
        Fault::HtmlImage(as_html) => {
            let kind = if as_html {
                "text/html"
            } else {
                "application/octet-stream"
            };
            return plain(stream, 200, kind, WEB_PAGE).await;
        }
        Fault::RedirectLoop => {
            let head = format!(
                "HTTP/1.1 302 Mirror\r\nlocation: {path}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
            return Ok(0);
        }
        _ => {}
    }
    let mut file = std::fs::File::open(&image.source)?;
    let real = file.metadata()?.len();
    let size = match fault {
        Fault::Truncated(short) => real.saturating_sub(short),
        _ => real,
    };
    let etag = format!("\"{}\"", &image.sha256[..16]);
    let ranges = !matches!(fault, Fault::NoRanges | Fault::DropWithoutRanges { .. });
    let start = range
        .filter(|_| ranges && condition.is_none_or(|tag| tag == etag))
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse::<u64>()
                .ok()
        });
    if start.is_some_and(|start| start >= size) {
        let head = format!(
            "HTTP/1.1 416 Mirror\r\ncontent-range: bytes */{size}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        return Ok(0);
    }
    let from = start.unwrap_or(0);
    let length = match fault {
        Fault::LyingLength(off) => (size - from).saturating_add_signed(off),
        _ => size - from,
    };
    let first = match start {
        Some(start) => format!("206 Mirror\r\ncontent-range: bytes {start}-{}/{size}", size - 1),
        None => "200 Mirror".to_owned(),
    };
    let accept = if ranges { "\r\naccept-ranges: bytes" } else { "" };
    let head = format!(
        "HTTP/1.1 {first}\r\ncontent-type: application/octet-stream{accept}\r\netag: {etag}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let broken = take_break(shared);
    let end = broken.map_or(size, |(after, _)| size.min(from + after));
    file.seek(SeekFrom::Start(from))?;
    let mut at = from;
    let began = std::time::Instant::now();
    let mut buffer = vec![0; 64 << 10];
    while at < end {
        let rate = shared.lock().rate;
        let most = rate.map_or(buffer.len() as u64, |rate| {
            (rate / 20).clamp(1, buffer.len() as u64)
        });
        let want = usize::try_from(most.min(end - at)).unwrap_or(1);
        let n = file.read(&mut buffer[..want])?;
        if n == 0 {
            break;
        }
        if fault == Fault::TamperedImage && (at..at + n as u64).contains(&(real / 2)) {
            let index = usize::try_from(real / 2 - at).unwrap_or(0);
            buffer[index] ^= 0xff;
        }
        stream.write_all(&buffer[..n]).await?;
        at += n as u64;
        if let Some(rate) = rate.filter(|rate| *rate > 0) {
            let due = Duration::from_secs_f64((at - from) as f64 / rate as f64);
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        }
    }
    stream.flush().await?;
    match broken {
        Some((_, true)) => tokio::time::sleep(Duration::from_secs(120)).await,
        Some(_) => {}
        None => stream.shutdown().await?,
    }
    Ok(at - from)
}
