//! A distribution mirror on 127.0.0.1, in the real layouts, that can misbehave.
//!
//! It speaks HTTP/1.1 by hand, since the faults worth testing (wrong lengths, broken connections, silence) are those that a
//! proper server library prevents. Checksum files are made when they are asked for and signed with an OpenPGP key made for
//! the run, whose public half is in [`Mirror::keys_dir`].

mod layouts;
mod server;
mod signing;

use layouts::{Image, places};
use pgp::{
    composed::{ArmorOptions, SignedPublicKey, SignedSecretKey},
    types::KeyDetails,
};
use server::serve;
use signing::{digests, make_key};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{net::TcpListener, task::JoinHandle};

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
pub const FAMILIES: [&str; 17] = [
    "ubuntu", "debian", "fedora", "alpine", "arch", "opensuse", "rocky", "alma", "centos", "nixos", "kali",
    "freebsd", "openbsd", "netbsd", "haiku", "reactos", "freedos",
];

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
        let ends = [".img", ".qcow2", ".iso", ".xz", ".zip"];
        self.requests()
            .into_iter()
            .filter(|r| ends.iter().any(|end| r.path.ends_with(end)))
            .collect()
    }
}
