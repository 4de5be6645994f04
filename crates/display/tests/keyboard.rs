//! Keys on their way into a real guest: what its keyboard controller says, and what QEMU takes them for.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
#![cfg(unix)]

mod support;

use nestbox_display::{ClientMessage, Display, MessageKind, Scancode, Viewer};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use support::{frame, status};
use tokio::time::{Instant, sleep, timeout};

/// A boot sector that says on port 0xe9 what the keyboard controller gives: first “!”, then scan codes of set 1.
///
/// ```text
///     cli ; mov al, '!' ; out 0xe9, al
/// 1:  in al, 0x64 ; test al, 1 ; jz 1b ; in al, 0x60 ; out 0xe9, al ; jmp 1b
/// ```
const SAYS_SCANCODES: [u8; 17] = [
    0xfa, 0xb0, 0x21, 0xe6, 0xe9, 0xe4, 0x64, 0xa8, 0x01, 0x74, 0xfa, 0xe4, 0x60, 0xe6, 0xe9, 0xeb, 0xf4,
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
    /// `None` (with a word why) where there is no QEMU.
    fn start(more: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = SAYS_SCANCODES.to_vec();
        disk.resize(510, 0);
        disk.extend([0x55, 0xaa]);
        disk.resize(1 << 20, 0);
        let file = |name: &str| dir.path().join(name);
        std::fs::write(file("disk.img"), disk).unwrap();
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
            .arg(format!("unix:{}", file("vnc.sock").display()))
            .arg("-drive")
            .arg(format!("file={},format=raw,if=ide", file("disk.img").display()))
            .arg("-debugcon")
            .arg(format!("file:{}", file("keys").display()))
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(file("said")).unwrap())
            .spawn();
        match child {
            Ok(child) => Some(Self { child, dir }),
            Err(error) => {
                println!("skipped: qemu-system-x86_64 is not here ({error})");
                None
            }
        }
    }
    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    /// What the guest said of its keyboard so far.
    fn keys(&self) -> Vec<u8> {
        let said = std::fs::read(self.file("keys")).unwrap_or_default();
        // The firmware speaks on the same port before the “!”.
        match said.iter().rposition(|byte| *byte == b'!') {
            Some(at) => said[at + 1..].to_vec(),
            None => Vec::new(),
        }
    }
    async fn ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let up = || std::fs::read(self.file("keys")).is_ok_and(|said| said.ends_with(b"!"));
        while !up() {
            assert!(Instant::now() < deadline, "the guest's boot sector runs");
            sleep(Duration::from_millis(50)).await;
        }
    }
    /// Waits until the guest said this many bytes more than `before`.
    async fn said(&self, before: usize, bytes: usize) -> Vec<u8> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.keys().len() < before + bytes && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
        // And no more than that.
        sleep(Duration::from_millis(100)).await;
        self.keys()[before..].to_vec()
    }
}

/// Keysyms and names of keys.
type Keys = &'static [(u32, &'static str)];

/// A viewer whose display is live.
async fn look(guest: &Guest) -> (Display, Viewer) {
    let display = Display::connect(guest.file("vnc.sock"));
    let mut viewer = display.attach();
    timeout(Duration::from_secs(20), status(&mut viewer, "connected"))
        .await
        .unwrap();
    // The word that keys may go by place comes with the first picture.
    let message = support::next_of(&mut viewer, MessageKind::Frame).await;
    viewer.handle(ClientMessage::Ack {
        sequence: frame(&message).sequence,
    });
    (display, viewer)
}

fn key(viewer: &Viewer, keysym: u32, code: &str, down: bool) {
    viewer.handle(ClientMessage::Key {
        keysym,
        code: code.into(),
        down,
    });
}

fn press(viewer: &Viewer, keysym: u32, code: &str) {
    key(viewer, keysym, code, true);
    key(viewer, keysym, code, false);
}

#[tokio::test]
async fn a_guest_sees_places_chords_and_releases() {
    let Some(guest) = Guest::start(&[]) else { return };
    guest.ready().await;
    let (display, viewer) = look(&guest).await;
    // Each: what is pressed, and what the guest's keyboard controller says.
    let cases: [(&str, Keys, &[u8]); 7] = [
        // A German keyboard prints Z where a US one prints Y: the place arrives, whatever the keysym.
        ("a German z", &[(0x7a, "KeyY")], &[0x15, 0x95]),
        ("a US z", &[(0x7a, "KeyZ")], &[0x2c, 0xac]),
        // Keys that keysyms can't name: a dead key, and the key between Shift and Z.
        ("a dead circumflex", &[(0, "Backquote")], &[0x29, 0xa9]),
        ("a German <", &[(0x3c, "IntlBackslash")], &[0x56, 0xd6]),
        // No place known: by keysym.
        ("a program's a", &[(0x61, "")], &[0x1e, 0x9e]),
        (
            "Ctrl+Alt+Delete",
            &[(0xffe3, "ControlLeft"), (0xffe9, "AltLeft"), (0xffff, "Delete")],
            &[0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d],
        ),
        (
            "AltGr+Q on a German keyboard",
            &[(0xfe03, "AltRight"), (0x40, "KeyQ")],
            &[0xe0, 0x38, 0x10, 0x90, 0xe0, 0xb8],
        ),
    ];
    for (what, keys, expected) in cases {
        let before = guest.keys().len();
        for (keysym, code) in keys {
            key(&viewer, *keysym, code, true);
        }
        for (keysym, code) in keys.iter().rev() {
            key(&viewer, *keysym, code, false);
        }
        let said = guest.said(before, expected.len()).await;
        assert_eq!(said, expected, "{what}");
    }
    // Focus is lost with keys down; then the viewer leaves with one down.
    let before = guest.keys().len();
    key(&viewer, 0xffe1, "ShiftLeft", true);
    key(&viewer, 0x41, "KeyA", true);
    viewer.handle(ClientMessage::ReleaseAll);
    assert_eq!(guest.said(before, 4).await, [0x2a, 0x1e, 0x9e, 0xaa]);
    let before = guest.keys().len();
    key(&viewer, 0xffeb, "MetaLeft", true);
    assert_eq!(guest.said(before, 2).await, [0xe0, 0x5b]);
    drop(viewer);
    assert_eq!(guest.said(before, 4).await[2..], [0xe0, 0xdb]);
    assert_eq!(display.viewers(), 0);
}

#[tokio::test]
async fn qemu_reads_every_place_of_the_table() {
    let Some(guest) = Guest::start(&["-trace", "input_event_key_qcode"]) else {
        return;
    };
    let (_display, viewer) = look(&guest).await;
    let mut read = BTreeMap::new();
    let mut seen = 0;
    for (code, _) in Scancode::all() {
        press(&viewer, 0, code);
        let deadline = Instant::now() + Duration::from_secs(5);
        let taken = loop {
            let said = std::fs::read_to_string(guest.file("said")).unwrap_or_default();
            let names: Vec<String> = said
                .lines()
                .filter_map(|line| {
                    line.split("key qcode ")
                        .nth(1)?
                        .split(',')
                        .next()
                        .map(str::to_owned)
                })
                .collect();
            if names.len() >= seen + 2 {
                break names[seen..].to_vec();
            }
            if names.is_empty() && seen == 0 && Instant::now() > deadline {
                println!("skipped: this QEMU traces nothing: {said}");
                return;
            }
            assert!(Instant::now() < deadline, "{code} is read: {names:?}");
            sleep(Duration::from_millis(5)).await;
        };
        seen += taken.len();
        assert_eq!(taken.len(), 2, "{code}: {taken:?}");
        assert_eq!(taken[0], taken[1], "{code}");
        read.insert(code, taken[0].clone());
    }
    println!("{read:?}");
    // Older versions of QEMU (7.2) know no keys beyond F12.
    read.retain(|code, qcode| !(["F13", "F14", "F15", "F16"].contains(code) && qcode == "unmapped"));
    let known = [
        ("Escape", "esc"),
        ("Digit1", "1"),
        ("Digit0", "0"),
        ("KeyQ", "q"),
        ("KeyY", "y"),
        ("KeyZ", "z"),
        ("KeyM", "m"),
        ("Semicolon", "semicolon"),
        ("Quote", "apostrophe"),
        ("Backquote", "grave_accent"),
        ("Backslash", "backslash"),
        ("IntlBackslash", "less"),
        ("IntlRo", "ro"),
        ("IntlYen", "yen"),
        ("Enter", "ret"),
        ("NumpadEnter", "kp_enter"),
        ("NumpadDivide", "kp_divide"),
        ("Numpad5", "kp_5"),
        ("NumpadComma", "kp_comma"),
        ("F1", "f1"),
        ("F12", "f12"),
        ("F13", "f13"),
        ("F16", "f16"),
        ("ControlLeft", "ctrl"),
        ("ControlRight", "ctrl_r"),
        ("AltLeft", "alt"),
        ("AltRight", "alt_r"),
        ("ShiftRight", "shift_r"),
        ("MetaLeft", "meta_l"),
        ("MetaRight", "meta_r"),
        ("ContextMenu", "compose"),
        ("PrintScreen", "print"),
        ("Pause", "pause"),
        ("ScrollLock", "scroll_lock"),
        ("NumLock", "num_lock"),
        ("Home", "home"),
        ("PageDown", "pgdn"),
        ("Delete", "delete"),
        ("ArrowUp", "up"),
        ("ArrowLeft", "left"),
        ("AudioVolumeUp", "volumeup"),
        ("AudioVolumeMute", "audiomute"),
        ("MediaPlayPause", "audioplay"),
        ("BrowserBack", "ac_back"),
        ("LaunchMail", "mail"),
        ("LaunchApp2", "calculator"),
        ("Convert", "henkan"),
        ("NonConvert", "muhenkan"),
        ("KanaMode", "katakanahiragana"),
        ("Lang1", "lang1"),
        ("Lang2", "lang2"),
        ("Power", "power"),
        ("Sleep", "sleep"),
        ("WakeUp", "wake"),
    ];
    let wrong: Vec<_> = known
        .iter()
        .filter(|(code, qcode)| read.get(code).is_some_and(|said| said != qcode))
        .map(|(code, qcode)| format!("{code}: {:?} for {qcode}", read.get(code)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(read.len() + 4 >= Scancode::all().count());
    let unknown: Vec<_> = read.iter().filter(|(_, qcode)| *qcode == "unmapped").collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
