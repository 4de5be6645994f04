//! The display of a real guest: firmware that changes the mode, and a boot sector that answers keys.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![cfg(unix)]

mod support;

use nestbox_display::{ClientMessage, Display, MessageKind, encode_png, thumbnail};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use support::{frame, next};
use tokio::time::{Instant, timeout};

/// A boot sector: 320×200 in 256 colours, then for ever: wait for a key, fill the screen with its character's colour.
///
/// ```text
///     mov ax, 0x13 ; int 0x10 ; push 0xa000 ; pop es
/// 1:  xor ax, ax ; int 0x16 ; xor di, di ; mov cx, 64000 ; rep stosb ; jmp 1b
/// ```
const KEYS_TO_COLOURS: [u8; 22] = [
    0xb8, 0x13, 0x00, 0xcd, 0x10, 0x68, 0x00, 0xa0, 0x07, 0x31, 0xc0, 0xcd, 0x16, 0x31, 0xff, 0xb9, 0x00,
    0xfa, 0xf3, 0xaa, 0xeb, 0xf3,
];

struct Guest {
    child: Child,
    dir: tempfile::TempDir,
}

impl Guest {
    /// `None` (with a word why) where there is no QEMU.
    fn start(boot_sector: Option<&[u8]>) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args([
                "-nodefaults",
                "-no-user-config",
                "-accel",
                "tcg",
                "-machine",
                "pc",
                "-m",
                "32",
                "-device",
                "VGA",
            ])
            .arg("-vnc")
            .arg(format!("unix:{}", dir.path().join("vnc.sock").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if let Some(code) = boot_sector {
            let mut disk = code.to_vec();
            disk.resize(510, 0);
            disk.extend_from_slice(&[0x55, 0xaa]);
            disk.resize(1024 * 1024, 0);
            let path = dir.path().join("disk.img");
            std::fs::write(&path, disk).unwrap();
            command
                .arg("-drive")
                .arg(format!("file={},format=raw,if=ide", path.display()));
        }
        match command.spawn() {
            Ok(child) => Some(Self { child, dir }),
            Err(error) => {
                println!("skipped: qemu-system-x86_64 is not here ({error})");
                None
            }
        }
    }
    fn socket(&self) -> std::path::PathBuf {
        self.dir.path().join("vnc.sock")
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lit(picture: &image::RgbaImage) -> usize {
    picture.pixels().filter(|pixel| pixel[0] > 100).count()
}

#[tokio::test]
async fn firmware_shows_text_in_a_mode_of_its_own() {
    let Some(guest) = Guest::start(None) else { return };
    let display = Display::connect(guest.socket());
    let mut viewer = display.attach();
    let shown = async {
        let mut sizes = Vec::new();
        loop {
            let message = next(&mut viewer).await;
            match message.kind {
                MessageKind::Resize => {
                    sizes.push((
                        u16::from_le_bytes([message.bytes[2], message.bytes[3]]),
                        u16::from_le_bytes([message.bytes[4], message.bytes[5]]),
                    ));
                }
                MessageKind::Frame => {
                    viewer.handle(ClientMessage::Ack {
                        sequence: frame(&message).sequence,
                    });
                    let text = display.picture().is_some_and(|picture| lit(&picture) > 500);
                    if text && display.size() == (720, 400) {
                        return sizes;
                    }
                }
                _ => {}
            }
        }
    };
    let sizes = timeout(Duration::from_secs(60), shown)
        .await
        .expect("text on the screen");
    assert_eq!(sizes.last(), Some(&(720, 400)), "{sizes:?}");
    // As a thumbnail: the text, not a black field.
    let picture = display.picture().unwrap();
    let small = thumbnail(&picture);
    assert!(small.width() <= 320 && small.width() * 2 < picture.width());
    let share = |image: &image::RgbaImage| lit(image) as f64 / f64::from(image.width() * image.height());
    assert!(
        share(&small) > share(&picture) * 1.3,
        "{} {}",
        share(&small),
        share(&picture)
    );
    assert!(encode_png(&small, None).unwrap().starts_with(b"\x89PNG"));
}

#[tokio::test]
async fn keys_reach_the_guest_and_its_answer_is_seen() {
    let Some(guest) = Guest::start(Some(&KEYS_TO_COLOURS)) else {
        return;
    };
    let display = Display::connect(guest.socket());
    let mut viewer = display.attach();
    let graphics = async {
        loop {
            let message = next(&mut viewer).await;
            if message.kind == MessageKind::Frame {
                viewer.handle(ClientMessage::Ack {
                    sequence: frame(&message).sequence,
                });
                let (width, height) = display.size();
                if height % 200 == 0 && width % 320 == 0 && display.picture().is_some_and(|p| lit(&p) == 0) {
                    return;
                }
            }
        }
    };
    timeout(Duration::from_secs(60), graphics)
        .await
        .expect("the boot sector's mode");
    let mut colours = Vec::new();
    for keysym in [0x61, 0x71, 0x7a] {
        let before = display.picture().unwrap().get_pixel(100, 100).0;
        let start = Instant::now();
        for down in [true, false] {
            viewer.handle(ClientMessage::Key {
                keysym,
                code: String::new(),
                down,
            });
        }
        let answer = async {
            loop {
                let message = next(&mut viewer).await;
                if message.kind == MessageKind::Frame {
                    viewer.handle(ClientMessage::Ack {
                        sequence: frame(&message).sequence,
                    });
                    let now = display.picture().unwrap().get_pixel(100, 100).0;
                    if now != before {
                        return now;
                    }
                }
            }
        };
        let colour = timeout(Duration::from_secs(10), answer)
            .await
            .expect("an answer to the key");
        println!("key {keysym:#x} → {colour:?} after {:?}", start.elapsed());
        colours.push(colour);
    }
    colours.dedup();
    assert_eq!(colours.len(), 3, "{colours:?}");
    // Another look, from outside.
    let picture = display.fresh_picture(Duration::from_secs(5)).await.unwrap();
    assert_eq!(Some(&picture.get_pixel(100, 100).0), colours.last());
}

#[tokio::test]
async fn a_killed_guest_is_noticed_at_once() {
    let Some(mut guest) = Guest::start(None) else {
        return;
    };
    let display = Display::connect(guest.socket());
    let mut viewer = display.attach();
    timeout(Duration::from_secs(20), support::status(&mut viewer, "connected"))
        .await
        .unwrap();
    guest.child.kill().unwrap();
    let lost = timeout(Duration::from_secs(5), support::status(&mut viewer, "lost"))
        .await
        .unwrap();
    assert!(lost.contains("closed its display"), "{lost}");
    assert!(Path::new(&guest.socket()).exists() || display.picture().is_some());
}
