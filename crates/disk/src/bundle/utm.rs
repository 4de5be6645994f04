//! A machine of UTM's: a folder with `config.plist` and its disks under `Data`. Version 4; of the older ones what they
//! have in common with it.

use super::{
    Bundle,
    draft::{Draft, plain_word},
    invalid, xml,
};
use crate::{
    foreign::Beside,
    qcow2::printable,
    refuse,
    source::{OpenFile, Source, piece},
};
use nestbox_model::{DiskBus, Error, Firmware, Result, units::MIB};
use plist::{Dictionary, Value};
use std::io::Cursor;

pub(super) const CONFIG: &str = "config.plist";
const VERSION: i64 = 4;
/// Longest property list, bytes.
const CONFIG_MAX: u64 = 256 << 10;
/// A list of that length may be nested so deep that taking it apart needs this much of a stack, bytes.
const STACK: usize = 256 << 20;

/// # Errors
/// `bundle-invalid`, `bundle-entities`, `machine-unsupported` (macOS, a newer version), `image-refers-elsewhere`,
/// `part-missing`, whatever a disk is refused for.
pub(super) fn open(config: &OpenFile, beside: &dyn Beside) -> Result<Bundle> {
    if config.length() > CONFIG_MAX {
        return Err(invalid("its property list is impossibly long"));
    }
    let bytes = piece(config, 0, config.length())?;
    if bytes.windows(8).any(|part| part == b"<!ENTITY") {
        return Err(xml::entities());
    }
    let root = parse(bytes)?;
    let machine = Settings(&root);
    let mut draft = Draft::new("machine of UTM", beside);
    let version = machine.number("ConfigurationVersion").unwrap_or(0);
    if version > VERSION {
        return Err(refuse::unsupported_machine(
            format!(
                "The machine was made by a newer UTM (version {version} of its settings; Nestbox knows up to {VERSION})."
            ),
            "Import its disk by itself; it lies in the folder's Data folder.",
        ));
    }
    if version == VERSION {
        read(machine, &mut draft)?;
    } else {
        read_old(machine, beside, &mut draft)?;
    }
    draft.finish(Vec::new())
}

/// Reads the list on a thread with a stack for the deepest nesting that fits, and keeps what is nested as machines are.
fn parse(bytes: Vec<u8>) -> Result<Dictionary> {
    let work = move || {
        let value = Value::from_reader(Cursor::new(bytes)).map_err(|error| error.to_string())?;
        match value {
            Value::Dictionary(root) => Ok(shallow(root, 6)),
            _ => Err("it is no dictionary".to_owned()),
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work);
    let outcome = thread
        .map_err(|error| {
            Error::failed("internal-error", "No thread could be started.")
                .with_detail("system", error.to_string())
        })?
        .join();
    match outcome {
        Ok(Ok(root)) => Ok(root),
        Ok(Err(why)) => Err(invalid("its property list is none").with_detail("system", why)),
        Err(_) => Err(invalid("its property list is none")),
    }
}

fn shallow(values: Dictionary, depth: u32) -> Dictionary {
    values
        .into_iter()
        .filter_map(|(key, value)| Some((key, shallow_value(value, depth)?)))
        .collect()
}

fn shallow_value(value: Value, depth: u32) -> Option<Value> {
    match (value, depth.checked_sub(1)) {
        (Value::Dictionary(_) | Value::Array(_), None) => None,
        (Value::Dictionary(inner), Some(depth)) => Some(Value::Dictionary(shallow(inner, depth))),
        (Value::Array(inner), Some(depth)) => Some(Value::Array(
            inner
                .into_iter()
                .filter_map(|value| shallow_value(value, depth))
                .collect(),
        )),
        (value, _) => Some(value),
    }
}

/// A dictionary with known types.
#[derive(Clone, Copy)]
struct Settings<'a>(&'a Dictionary);

impl<'a> Settings<'a> {
    fn part(self, key: &str) -> Option<Settings<'a>> {
        self.0.get(key)?.as_dictionary().map(Settings)
    }
    fn parts(self, key: &str) -> Vec<Settings<'a>> {
        let list = self.0.get(key).and_then(Value::as_array);
        list.map(|list| {
            list.iter()
                .filter_map(|value| value.as_dictionary().map(Settings))
                .collect()
        })
        .unwrap_or_default()
    }
    fn words(self, key: &str) -> Option<&'a str> {
        self.0.get(key)?.as_string()
    }
    fn number(self, key: &str) -> Option<i64> {
        self.0.get(key)?.as_signed_integer()
    }
    fn yes(self, key: &str) -> Option<bool> {
        self.0.get(key)?.as_boolean()
    }
}

fn read(machine: Settings, draft: &mut Draft) -> Result<()> {
    let apple = match machine.words("Backend") {
        Some("QEMU") | None => false,
        Some("Apple") => true,
        Some(other) => {
            return Err(invalid(format_args!(
                "“{}” is no backend of UTM's",
                printable(other)
            )));
        }
    };
    if let Some(about) = machine.part("Information") {
        draft.name(about.words("Name").unwrap_or_default());
        draft.notes(about.words("Notes").unwrap_or_default());
        draft.facts.system = about.words("Icon").map(printable);
    }
    if let Some(system) = machine.part("System") {
        if apple {
            judge_apple(system)?;
        }
        read_system(system, "MemorySize", draft)?;
    }
    if let Some(qemu) = machine.part("QEMU") {
        read_qemu(qemu, draft);
    }
    for (index, drive) in machine.parts("Drive").into_iter().enumerate() {
        read_drive(drive, index, draft)?;
    }
    for nic in machine.parts("Network") {
        read_nic(nic, draft)?;
    }
    read_rest(machine, draft)
}

/// Apple's framework starts macOS in ways that nothing else has.
fn judge_apple(system: Settings) -> Result<()> {
    let boot = system.part("Boot");
    let mac = boot
        .and_then(|boot| boot.words("OperatingSystem"))
        .is_some_and(|system| system == "macOS")
        || system.part("MacPlatform").is_some();
    if mac {
        return Err(refuse::unsupported_machine(
            "The machine runs macOS on Apple's own hypervisor, and its disk starts nowhere else.",
            "Go on using it in UTM.",
        ));
    }
    Ok(())
}

fn read_system(system: Settings, memory: &str, draft: &mut Draft) -> Result<()> {
    for key in ["Architecture", "Target", "CPU"] {
        plain_word(system.words(key).unwrap_or_default())?;
    }
    if let Some(arch) = system.words("Architecture") {
        draft.arch(arch)?;
    }
    if let Some(count) = system.number("CPUCount") {
        draft.cpus(&count.to_string());
    }
    if let Some(size) = system.number(memory) {
        draft.memory(u64::try_from(size).ok().and_then(|size| size.checked_mul(MIB)));
    }
    Ok(())
}

fn read_qemu(qemu: Settings, draft: &mut Draft) {
    if let Some(local) = qemu.yes("RTCLocalTime") {
        draft.clock(local);
    }
    if let Some(uefi) = qemu.yes("UEFIBoot") {
        draft.firmware(if uefi { Firmware::Uefi } else { Firmware::Bios });
    }
    if qemu
        .0
        .get("AdditionalArguments")
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty())
    {
        draft.dropped(
            "Additional arguments for QEMU",
            "they could reach anything on this computer",
        );
    }
    if qemu.yes("TPMDevice") == Some(true) {
        draft.dropped("The TPM", "what it holds is not in the folder");
    }
}

fn read_drive(drive: Settings, index: usize, draft: &mut Draft) -> Result<()> {
    for key in ["Interface", "ImageType", "Identifier"] {
        plain_word(drive.words(key).unwrap_or_default())?;
    }
    draft.on(match drive.words("Interface").unwrap_or_default() {
        "VirtIO" => Some(DiskBus::Virtio),
        "NVMe" => Some(DiskBus::Nvme),
        "USB" => Some(DiskBus::Usb),
        "IDE" | "SCSI" => Some(DiskBus::Sata),
        _ => None,
    });
    let kind = drive.words("ImageType").unwrap_or("Disk");
    let Some(name) = drive.words("ImageName").filter(|name| !name.is_empty()) else {
        if kind == "CD" {
            draft.kept("An empty CD drive");
        } else {
            draft.dropped(format!("Drive {}", index + 1), "it has no image");
        }
        return Ok(());
    };
    crate::beside::judge_name(name)?;
    let path = format!("Data/{name}");
    match kind {
        "Disk" => draft.disk_at(&path),
        "CD" => {
            draft.medium(&path);
            Ok(())
        }
        _ => {
            draft.dropped(
                format!("“{}”", printable(name)),
                "machines here start from their disks, not from files that are handed over",
            );
            Ok(())
        }
    }
}

fn read_nic(nic: Settings, draft: &mut Draft) -> Result<()> {
    plain_word(nic.words("Hardware").unwrap_or_default())?;
    let connection = match nic.words("Mode") {
        Some("Shared" | "Emulated") | None => "NAT",
        Some("Bridged") => "bridged",
        Some("Host") => "host only",
        Some(other) => {
            return Err(invalid(format_args!(
                "“{}” is no way to connect a NIC",
                printable(other)
            )));
        }
    };
    draft.nic(nic.words("MacAddress"), connection, true)?;
    for forward in nic.parts("PortForward") {
        let number = |key: &str| forward.number(key).unwrap_or(-1).to_string();
        let address = forward.words("HostAddress").unwrap_or_default();
        let address = if address.is_empty() { "127.0.0.1" } else { address };
        let guest = forward.words("GuestAddress").unwrap_or_default();
        if !guest.is_empty() && guest.parse::<std::net::IpAddr>().is_err() {
            return Err(invalid("it has a port forward that is none"));
        }
        draft.port(
            forward.words("Protocol").unwrap_or("TCP"),
            address,
            &number("HostPort"),
            &number("GuestPort"),
        )?;
    }
    Ok(())
}

fn read_rest(machine: Settings, draft: &mut Draft) -> Result<()> {
    for display in machine.parts("Display") {
        plain_word(display.words("Hardware").unwrap_or_default())?;
    }
    for sound in machine.parts("Sound") {
        plain_word(sound.words("Hardware").unwrap_or_default())?;
    }
    if !machine.parts("Serial").is_empty() {
        draft.dropped(
            "Serial ports",
            "they lead to files, sockets or windows of another computer",
        );
    }
    let shared = machine
        .part("Sharing")
        .and_then(|sharing| sharing.words("DirectoryShareMode"));
    if shared.is_some_and(|mode| mode != "None") || !machine.parts("SharedDirectory").is_empty() {
        draft.dropped(
            "Sharing a folder",
            "which one it is, only UTM on that computer knows",
        );
    }
    Ok(())
}

/// Versions 2 and 3.
fn read_old(machine: Settings, beside: &dyn Beside, draft: &mut Draft) -> Result<()> {
    let about = machine.part("Info").or_else(|| machine.part("Debug"));
    draft.name(about.and_then(|about| about.words("Name")).unwrap_or_default());
    let system = machine
        .part("System")
        .ok_or_else(|| invalid("it does not say what the machine is"))?;
    read_system(system, "Memory", draft)?;
    if system
        .0
        .get("AddArgs")
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty())
    {
        draft.dropped(
            "Additional arguments for QEMU",
            "they could reach anything on this computer",
        );
    }
    for drive in machine.parts("Drives") {
        let Some(name) = drive.words("ImagePath").filter(|name| !name.is_empty()) else {
            continue;
        };
        crate::beside::judge_name(name)?;
        let path = ["Images", "Data"]
            .map(|folder| format!("{folder}/{name}"))
            .into_iter()
            .find(|path| beside.file(path).is_ok())
            .ok_or_else(|| refuse::part_missing(name))?;
        match drive.words("ImageType").unwrap_or("disk") {
            "disk" | "Disk" => draft.disk_at(&path)?,
            "cd" | "CD" => draft.medium(&path),
            _ => draft.dropped(
                format!("“{}”", printable(name)),
                "machines here start from their disks",
            ),
        }
    }
    draft
        .facts
        .warnings
        .push("The machine was made by an old UTM: its network and devices become the usual ones.".into());
    Ok(())
}
