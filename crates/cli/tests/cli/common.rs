//! What the tests share.

use nestbox_guests::mirror::Mirror;
use nestbox_guests::{Guests, TestHome};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// A guest under emulation on a busy computer.
pub const BOOT: Duration = Duration::from_secs(240);

pub fn home() -> TestHome {
    TestHome::with_binary(env!("CARGO_BIN_EXE_nestbox")).expect("a home")
}

/// A running mirror, its folder, and the runtime it lives on.
pub struct Server {
    pub mirror: Mirror,
    _folder: TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Publishes `image` as Ubuntu 24.04 for `arch`.
    pub fn with_ubuntu(arch: &str, image: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let mirror = runtime.block_on(Mirror::start(folder.path())).expect("a mirror");
        mirror.publish("ubuntu-24.04", arch, image).expect("published");
        Self {
            mirror,
            _folder: folder,
            _runtime: runtime,
        }
    }

    /// A home whose downloads come from here.
    pub fn home(&self) -> TestHome {
        self.mirror
            .environment()
            .into_iter()
            .fold(home(), |home, (name, value)| home.env(name, value))
    }
}

/// The guests, or `None` (said on standard error) where they can't be built.
pub fn guests(test: &str) -> Option<Guests> {
    Guests::for_test(test, &["qemu-system-x86_64", "qemu-system-aarch64"])
}

/// A small qcow2 that boots nothing.
pub fn empty_qcow2(folder: &Path, name: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    let made = std::process::Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2"])
        .arg(&path)
        .arg("64M")
        .status();
    assert!(made.expect("qemu-img").success());
    path
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    /// The error of the API's shape that it must be.
    pub fn error(&self) -> nestbox_model::Error {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let body: nestbox_model::ErrorBody = serde_json::from_str(&self.body).expect("an error");
        assert!(!body.error.message.is_empty());
        body.error
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// One request, written by hand so that it can be wrong; `line` is method and address.
pub fn http(
    mut stream: impl Read + Write,
    line: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Answer {
    let body = body.as_ref();
    let mut head = format!("{line} HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Connection") {
        head += "Connection: close\r\n";
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    stream.write_all(head.as_bytes()).expect("sent");
    // A refusal may come, and the connection close, before all of it is taken.
    let _ = stream.write_all(body);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Answer {
        status: status.expect("a status"),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn run_qemu_io(image: &Path, command: &str) -> std::process::Output {
    std::process::Command::new("qemu-io")
        .args(["-f", "qcow2", "-c", command])
        .arg(image)
        .output()
        .expect("qemu-io")
}

/// Runs a qemu-io command on an image of a machine that is off.
pub fn qemu_io(image: &Path, command: &str) {
    let done = run_qemu_io(image, command);
    assert!(done.status.success(), "{command}: {done:?}");
}

/// Whether the disk that an image shows has this byte all over this mebibyte.
pub fn holds(image: &Path, mebibyte: u32, byte: u8) -> bool {
    let done = run_qemu_io(image, &format!("read -P {byte} {mebibyte}M 1M"));
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("read 1048576/1048576"), "{done:?}");
    !said.contains("verification failed")
}

/// Waits until no job works any more, and sees that all went well.
pub fn wait_for_jobs(home: &TestHome) {
    for _ in 0..300 {
        let jobs = home.json(["jobs", "list"]);
        let over = |job: &serde_json::Value| !matches!(job["state"].as_str(), Some("running" | "queued"));
        if jobs["jobs"].as_array().unwrap().iter().all(over) {
            for job in jobs["jobs"].as_array().unwrap() {
                assert_eq!(job["state"], "done", "{job:#}");
            }
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("jobs go on: {:#}", home.json(["jobs", "list"]));
}
