//! Streams of real guests, recorded while vnc-rs paints them.

use crate::{
    painter::{Painted, oracle, ours},
    same,
};
use std::{
    path::PathBuf,
    pin::Pin,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
    time::{Instant, sleep, timeout},
};
use vnc::{VncEncoding, VncEvent, X11Event};

/// A boot sector: 640 × 480 in 16 colours at first, then for ever another pattern over video memory.
///
/// ```text
///     mov ax, 0x13 ; int 0x10 ; push 0xa000 ; pop es ; xor bx, bx
/// 1:  xor di, di ; mov cx, 64000 ; inc bx
/// 2:  mov ax, di ; add ax, bx ; xor al, ah ; stosb ; loop 2b ; hlt ; jmp 1b
/// ```
const PATTERNS: [u8; 31] = [
    0xb8, 0x13, 0x00, 0xcd, 0x10, 0x68, 0x00, 0xa0, 0x07, 0x31, 0xdb, 0x31, 0xff, 0xb9, 0x00, 0xfa, 0x43,
    0x89, 0xf8, 0x01, 0xd8, 0x30, 0xe0, 0xaa, 0xe2, 0xf7, 0xf4, 0xeb, 0xee, 0x90, 0x90,
];

struct Guest {
    child: Child,
    dir: tempfile::TempDir,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Guest {
    fn start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = PATTERNS.to_vec();
        disk.resize(510, 0);
        disk.extend([0x55, 0xaa]);
        disk.resize(1 << 20, 0);
        let path = dir.path().join("disk.img");
        std::fs::write(&path, disk).unwrap();
        let child = Command::new("qemu-system-x86_64")
            .args([
                "-nodefaults",
                "-no-user-config",
                "-accel",
                "tcg",
                "-machine",
                "pc",
                "-m",
                "32",
            ])
            .args(["-device", "VGA", "-vnc"])
            .arg(format!("unix:{}", dir.path().join("vnc.sock").display()))
            .arg("-drive")
            .arg(format!("file={},format=raw,if=ide", path.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        match child {
            Ok(child) => Some(Self { child, dir }),
            Err(error) => {
                println!("skipped: qemu-system-x86_64 is not here ({error})");
                None
            }
        }
    }
    fn socket(&self) -> PathBuf {
        self.dir.path().join("vnc.sock")
    }
}

/// A socket that keeps a copy of what is read from it.
struct Tape {
    stream: UnixStream,
    kept: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Tape {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.kept.lock().unwrap().extend(&buf.filled()[before..]);
        polled
    }
}

impl AsyncWrite for Tape {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Watches a guest with vnc-rs for a second of graphics, until nothing more comes of what was asked for.
async fn record(guest: &Guest, encoding: VncEncoding) -> (Vec<u8>, Painted) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let stream = loop {
        match UnixStream::connect(guest.socket()).await {
            Ok(stream) => break stream,
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(30)).await,
            Err(error) => panic!("{error}"),
        }
    };
    let kept = Arc::new(Mutex::new(Vec::new()));
    let tape = Tape {
        stream,
        kept: Arc::clone(&kept),
    };
    let encodings = [
        encoding,
        VncEncoding::CopyRect,
        VncEncoding::CursorPseudo,
        VncEncoding::DesktopSizePseudo,
    ];
    let client = oracle(tape, &encodings).await;
    let (mut painted, mut since) = (Painted::default(), None::<Instant>);
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        assert!(Instant::now() < deadline, "the guest draws");
        let asking = since.is_none_or(|since| since.elapsed() < Duration::from_secs(1));
        if asking {
            client.input(X11Event::Refresh).await.unwrap();
        }
        // No requests any more: what was asked for comes, then silence.
        let quiet = Duration::from_millis(if asking { 60 } else { 1500 });
        match timeout(quiet, client.recv_event()).await {
            Ok(event) => {
                let event = event.unwrap();
                if matches!(event, VncEvent::RawImage(..)) && painted.height == 400 && painted.width == 640 {
                    since.get_or_insert_with(Instant::now);
                }
                painted.take_vnc(event);
            }
            Err(_) if !asking => break,
            Err(_) => {}
        }
    }
    let stream = kept.lock().unwrap().clone();
    (stream, painted)
}

#[tokio::test]
async fn a_real_guests_streams_are_painted_as_vnc_rs_paints_them() {
    let Some(guest) = Guest::start() else { return };
    for encoding in [VncEncoding::Raw, VncEncoding::Zrle, VncEncoding::Tight] {
        let (stream, theirs) = record(&guest, encoding).await;
        let (painted, why) = ours(stream.clone()).await;
        assert!(why.contains("closed its display"), "{encoding:?}: {why}");
        println!("{encoding:?}: {} bytes, {} frames", stream.len(), painted.frames);
        assert!(painted.frames >= 3, "{encoding:?}");
        same(&painted, &theirs, &format!("{encoding:?}"));
        let colours: std::collections::BTreeSet<_> = painted.pixels.iter().collect();
        assert!(
            colours.len() > 16,
            "{encoding:?}: a pattern, {} colours",
            colours.len()
        );
    }
}
