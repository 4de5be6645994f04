//! The guests themselves, on bare QEMU: what other tests rely on must hold without Nestbox.

// Helpers of tests fail as the tests do.
#![allow(clippy::unwrap_used)]

use nestbox_guests::{
    Guests, picture,
    serial::{Counter, Serial},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

/// Two emulated processors on a busy computer: long, but bounded.
const BOOT: Duration = Duration::from_secs(240);
const SOON: Duration = Duration::from_secs(60);

/// A running QEMU, ended when dropped.
struct Bare {
    child: Child,
    folder: tempfile::TempDir,
}

impl Bare {
    fn start(program: &str, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, program, args)
    }

    fn start_in(folder: tempfile::TempDir, program: &str, args: &[&str]) -> Self {
        let at = |name: &str| folder.path().join(name).display().to_string();
        let child = Command::new(program)
            .args([
                "-nodefaults",
                "-no-user-config",
                "-accel",
                "tcg,thread=multi",
                "-cpu",
                "max",
                "-smp",
                "2",
                "-m",
                "512",
            ])
            .args([
                "-display",
                "none",
                "-device",
                "qemu-xhci",
                "-device",
                "usb-kbd",
                "-device",
                "virtio-rng-pci",
            ])
            .args(["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net"])
            .args(["-qmp", &format!("unix:{},server=on,wait=off", at("qmp"))])
            .args(["-serial", &format!("unix:{},server=on,wait=off", at("serial"))])
            .args(args)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    fn serial(&self) -> Serial {
        Serial::connect(&self.folder.path().join("serial")).unwrap()
    }

    fn qmp(&self, command: &str, arguments: &Value) -> Value {
        let mut stream = UnixStream::connect(self.folder.path().join("qmp")).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut answer = || loop {
            let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            if line.get("event").is_none() {
                return line;
            }
        };
        answer();
        writeln!(stream, "{}", json!({"execute": "qmp_capabilities"})).unwrap();
        answer();
        writeln!(stream, "{}", json!({"execute": command, "arguments": arguments})).unwrap();
        answer()
    }

    fn screen(&self) -> Vec<u8> {
        let file = self.folder.path().join("screen.png");
        let answer = self.qmp("screendump", &json!({"filename": file, "format": "png"}));
        assert!(answer.get("return").is_some(), "{answer}");
        fs::read(file).unwrap()
    }

    /// Waits until the screen is mostly of this colour.
    fn wait_colour(&self, colour: [u8; 3]) {
        let deadline = Instant::now() + SOON;
        while picture::share_of(&self.screen(), colour).unwrap() < 0.9 {
            assert!(
                Instant::now() < deadline,
                "the screen did not take the colour {colour:?}"
            );
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Presses the power button and waits for the end.
    fn power_off(mut self, serial: &mut Serial) {
        self.qmp("system_powerdown", &json!({}));
        serial.wait_for("nestbox-guest: shutting down", SOON).unwrap();
        let deadline = Instant::now() + SOON;
        while self.child.try_wait().unwrap().is_none() {
            assert!(
                Instant::now() < deadline,
                "the guest said goodbye but is still there"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An overlay of a guest's disk, bigger than it.
fn overlay(folder: &Path, image: &Path) -> PathBuf {
    let disk = folder.join("disk.qcow2");
    done(
        Command::new("qemu-img")
            .args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"])
            .arg(image)
            .arg(&disk)
            .arg("1G"),
    );
    disk
}

/// A NoCloud seed, for the user `ada` with the password `pass word`.
fn seed(folder: &Path) -> PathBuf {
    let hash = "$6$nestboxtest$LOSYS0.k3pQgIjWxUPZoIBMUla1hGiynz73.kQahFLLpfmMxCZc6gTPuJpPsFYt/dYVSMpJ2yxQxNkVxfbQuW/";
    let user = json!({
        "hostname": "love-1",
        "users": [{"name": "ada", "gecos": "A \"quoted\" näme", "lock_passwd": false, "hashed_passwd": hash,
                   "ssh_authorized_keys": ["ssh-ed25519 AAAA ada@host"]},
                  {"name": "locked", "hashed_passwd": hash}],
        "runcmd": [["sh", "-c", "echo 'it ran' > /tmp/ran"]],
    });
    fs::write(folder.join("user-data"), format!("#cloud-config\n{user:#}\n")).unwrap();
    fs::write(
        folder.join("meta-data"),
        json!({"instance-id": "i-1", "local-hostname": "love-1"}).to_string(),
    )
    .unwrap();
    let image = folder.join("seed.img");
    fs::File::create(&image).unwrap().set_len(1 << 20).unwrap();
    done(
        Command::new("mformat")
            .arg("-i")
            .arg(&image)
            .args(["-v", "CIDATA", "::"]),
    );
    done(
        Command::new("mcopy")
            .arg("-i")
            .arg(&image)
            .arg(folder.join("user-data"))
            .arg(folder.join("meta-data"))
            .arg("::"),
    );
    image
}

fn drive(file: &Path, format: &str, read_only: &str) -> String {
    format!(
        "if=virtio,format={format},file={},read-only={read_only}",
        file.display()
    )
}

/// The whole contract of a disk guest, told by one boot.
fn disk_guest(program: &str, arch: &str, image: &Path, board: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let disk = drive(&overlay(folder.path(), image), "qcow2", "off");
    let seed = drive(&seed(folder.path()), "raw", "on");
    let started = Instant::now();
    let machine = Bare::start_in(
        folder,
        program,
        &[board, &["-drive", &disk, "-drive", &seed]].concat(),
    );
    let mut serial = machine.serial();

    serial.wait_for("nestbox-guest: grown disk=", BOOT).unwrap();
    let ready = serial.wait_ready(BOOT).unwrap();
    eprintln!(
        "{arch} guest ready after {:.1} s",
        started.elapsed().as_secs_f64()
    );
    assert_eq!(
        (ready.arch.as_str(), ready.medium.as_str(), ready.user.as_str()),
        (arch, "disk", "ada")
    );
    assert_eq!((ready.ip.as_str(), ready.boots), ("10.0.2.15", 1));
    machine.wait_colour(picture::colour::GREEN);

    serial.log_in("ada", "pass word").unwrap();
    assert_eq!(
        serial.run("whoami; hostname; cat /tmp/ran", SOON).unwrap(),
        ("ada\nlove-1\nit ran".to_owned(), 0)
    );
    let key = serial.run("cat ~/.ssh/authorized_keys", SOON).unwrap().0;
    assert_eq!(key, "ssh-ed25519 AAAA ada@host");
    assert_eq!(serial.run("false", SOON).unwrap().1, 1);

    serial.send_line("counter start").unwrap();
    let first = serial.wait_counter(SOON).unwrap();
    let second = serial.wait_counter(SOON).unwrap();
    assert_eq!(
        (first, second),
        (Counter { ram: 1, disk: 1 }, Counter { ram: 2, disk: 2 })
    );
    serial.send_line("paint red").unwrap();
    serial.wait_for("nestbox-guest: painted red", SOON).unwrap();
    machine.wait_colour(picture::colour::RED);

    // A restart in the same process: the disk counts on.
    serial.send_line("guest-reboot").unwrap();
    assert_eq!(serial.wait_ready(BOOT).unwrap().boots, 2);
    machine.power_off(&mut serial);
}

#[test]
fn the_amd64_disk_boots_by_bios_and_keeps_its_promises() {
    let Some(guests) = Guests::for_test("amd64 disk guest", &["qemu-system-x86_64", "mformat"]) else {
        return;
    };
    disk_guest(
        "qemu-system-x86_64",
        "x86_64",
        &guests.amd64_disk(),
        &["-M", "q35", "-device", "virtio-vga"],
    );
}

#[test]
fn the_amd64_disk_boots_by_uefi() {
    let Some(guests) = Guests::for_test("amd64 disk guest by UEFI", &["qemu-system-x86_64"]) else {
        return;
    };
    let Some(firmware) = firmware(&["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd"])
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let disk = drive(&overlay(folder.path(), &guests.amd64_disk()), "qcow2", "off");
    let args = [
        "-M",
        "q35",
        "-device",
        "virtio-vga",
        "-drive",
        &firmware,
        "-drive",
        &disk,
    ];
    let machine = Bare::start_in(folder, "qemu-system-x86_64", &args);
    let mut serial = machine.serial();
    let ready = serial.wait_ready(BOOT).unwrap();
    assert_eq!((ready.user.as_str(), ready.boots), ("none", 1));
    machine.power_off(&mut serial);
}

#[test]
fn the_arm64_disk_boots_by_uefi_and_keeps_its_promises() {
    let Some(guests) = Guests::for_test("arm64 disk guest", &["qemu-system-aarch64", "mformat"]) else {
        return;
    };
    let Some(firmware) = firmware(&[
        "/usr/share/AAVMF/AAVMF_CODE.fd",
        "/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd",
    ]) else {
        return;
    };
    let board = ["-M", "virt", "-device", "virtio-gpu-pci", "-drive", &firmware];
    disk_guest("qemu-system-aarch64", "aarch64", &guests.arm64_disk(), &board);
}

#[test]
fn the_iso_boots_to_a_root_shell() {
    let Some(guests) = Guests::for_test("ISO guest", &["qemu-system-x86_64"]) else {
        return;
    };
    let bytes = fs::read(guests.iso()).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&bytes[0x8028..0x8048]).trim_end(),
        Guests::ISO_VOLUME_ID
    );
    let cd = format!(
        "if=none,id=cd,media=cdrom,format=raw,file={}",
        guests.iso().display()
    );
    let args = [
        "-M",
        "q35",
        "-device",
        "virtio-vga",
        "-drive",
        &cd,
        "-device",
        "ide-cd,drive=cd",
    ];
    let machine = Bare::start("qemu-system-x86_64", &args);
    let mut serial = machine.serial();
    let ready = serial.wait_ready(BOOT).unwrap();
    assert_eq!(
        (ready.arch.as_str(), ready.medium.as_str(), ready.boots),
        ("x86_64", "iso", 0)
    );
    machine.wait_colour(picture::colour::GREEN);
    serial.wait_for("~ #", SOON).unwrap();
    assert_eq!(serial.run("id -u", SOON).unwrap(), ("0".to_owned(), 0));
    machine.power_off(&mut serial);
}

/// A read-only pflash drive of the first firmware that is there.
fn firmware(files: &[&str]) -> Option<String> {
    let file = files.iter().find(|file| Path::new(file).is_file());
    if file.is_none() {
        eprintln!("skipped: none of {files:?} is installed");
    }
    file.map(|file| format!("if=pflash,format=raw,readonly=on,file={file}"))
}
