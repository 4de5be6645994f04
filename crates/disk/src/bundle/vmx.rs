//! A machine of VMware's: lines of `key = "value"`, its disks beside it.

use super::{
    Bundle,
    config::{lines, utf_8},
    draft::Draft,
    invalid, text_of,
};
use crate::{
    detect::{Detector, Fate},
    foreign::Beside,
    qcow2::printable,
    refuse,
    source::OpenFile,
};
use nestbox_model::{Arch, DiskBus, Firmware, Recognised, Result, units::MIB};
use std::collections::BTreeMap;

pub(crate) const DETECTOR: Detector = Detector {
    name: "machines of VMware",
    found: |p| p.sets(&["config.version", "virtualhw.version"]),
    fate: Fate::Bundle(Recognised::Vmx, open),
};

/// Buses of drives, and what stands for each here: of VMware's SCSI controllers there is none.
const BUSES: [(&str, DiskBus); 4] = [
    ("scsi", DiskBus::Sata),
    ("sata", DiskBus::Sata),
    ("nvme", DiskBus::Nvme),
    ("ide", DiskBus::Sata),
];
/// Controllers of a bus, devices of a controller, and devices of other kinds.
const CONTROLLERS_MAX: u32 = 4;
const DEVICES_MAX: u32 = 64;
const OTHERS_MAX: u32 = 16;

type Values = BTreeMap<String, String>;

/// # Errors
/// `bundle-invalid`, `image-encrypted`, `image-refers-elsewhere`, `part-missing`, whatever a disk is refused for.
pub(crate) fn open(file: &OpenFile, beside: &dyn Beside) -> Result<Bundle> {
    let bytes = text_of(file)?;
    let values = read_values(utf_8(&bytes)?)?;
    if values.contains_key("encryption.data") || values.contains_key("encryption.keysafe") {
        return Err(refuse::encrypted());
    }
    let mut draft = Draft::new("machine of VMware", beside);
    read_system(&values, &mut draft);
    for (bus, kept_as) in BUSES {
        draft.on(Some(kept_as));
        for controller in 0..CONTROLLERS_MAX {
            for device in 0..DEVICES_MAX {
                read_drive(&values, &format!("{bus}{controller}:{device}"), &mut draft)?;
            }
        }
    }
    for index in 0..OTHERS_MAX {
        read_nic(&values, &format!("ethernet{index}"), &mut draft)?;
        read_ways_out(&values, index, &mut draft);
    }
    draft.finish(Vec::new())
}

/// Keys in lower case; a key that stands there twice could mean two things.
fn read_values(text: &str) -> Result<Values> {
    let mut out = Values::new();
    for line in lines(text)? {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = || {
            invalid(format_args!(
                "it has a line that means nothing: “{}”",
                printable(line)
            ))
        };
        let (key, value) = line.split_once('=').ok_or_else(bad)?;
        let value = value.trim();
        let value = match value.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"').ok_or_else(bad)?,
            None => value,
        };
        let key = key.trim().to_ascii_lowercase();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(bad());
        }
        if out.insert(key.clone(), unescape(value)).is_some() {
            return Err(invalid(format_args!(
                "it has “{}” twice, and programs differ in which one counts",
                printable(&key)
            )));
        }
    }
    Ok(out)
}

/// `|22` is the letter with that number.
fn unescape(value: &str) -> String {
    let mut parts = value.split('|');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        {
            Some(code) => {
                out.push(char::from(code));
                out.push_str(&part[2..]);
            }
            None => {
                out.push('|');
                out.push_str(part);
            }
        }
    }
    out
}

fn get<'a>(values: &'a Values, key: &str) -> Option<&'a str> {
    values.get(key).map(String::as_str)
}

fn yes(values: &Values, key: &str) -> bool {
    get(values, key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn read_system(values: &Values, draft: &mut Draft) {
    draft.name(get(values, "displayname").unwrap_or_default());
    draft.notes(get(values, "annotation").unwrap_or_default());
    if let Some(system) = get(values, "guestos") {
        draft.facts.system = Some(printable(system));
        // VMware's clocks show Windows the local time, others UTC.
        draft.clock(system.to_ascii_lowercase().contains("windows"));
        let arm = system.to_ascii_lowercase().starts_with("arm");
        draft.facts.arch = Some(if arm { Arch::Aarch64 } else { Arch::X86_64 });
    }
    draft.cpus(get(values, "numvcpus").unwrap_or("1"));
    if let Some(size) = get(values, "memsize") {
        draft.memory(
            size.trim()
                .parse::<u64>()
                .ok()
                .and_then(|size| size.checked_mul(MIB)),
        );
    }
    let efi = get(values, "firmware").is_some_and(|firmware| firmware.eq_ignore_ascii_case("efi"));
    draft.firmware(if efi { Firmware::Uefi } else { Firmware::Bios });
}

fn read_drive(values: &Values, name: &str, draft: &mut Draft) -> Result<()> {
    let Some(path) = get(values, &format!("{name}.filename")).filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    if get(values, &format!("{name}.present")).is_some_and(|value| value.eq_ignore_ascii_case("false")) {
        return Ok(());
    }
    let kind = get(values, &format!("{name}.devicetype"))
        .unwrap_or("disk")
        .to_ascii_lowercase();
    match kind.as_str() {
        "disk" | "scsi-harddisk" | "ata-harddisk" => draft.disk(path),
        "cdrom-image" => {
            draft.medium(path);
            Ok(())
        }
        "cdrom-raw" | "atapi-cdrom" => {
            draft.dropped("The CD drive of the computer it was made on", "it is not here");
            Ok(())
        }
        "rawdisk" | "scsi-passthru" | "raw" => Err(refuse::refers_elsewhere(
            "A disk of the machine stands for a disk of the computer it was made on.".into(),
            "Copy that disk into an image first, then import the image.",
        )),
        other => {
            draft.dropped(
                format!("A drive of the kind “{}”", printable(other)),
                "Nestbox does not know such drives",
            );
            Ok(())
        }
    }
}

fn read_nic(values: &Values, name: &str, draft: &mut Draft) -> Result<()> {
    if !yes(values, &format!("{name}.present")) {
        return Ok(());
    }
    let connection = match get(values, &format!("{name}.connectiontype")).unwrap_or("bridged") {
        "nat" => "NAT",
        "hostonly" => "host only",
        "custom" => "a network of its own",
        _ => "bridged",
    };
    let mac =
        get(values, &format!("{name}.address")).or_else(|| get(values, &format!("{name}.generatedaddress")));
    let unplugged = get(values, &format!("{name}.startconnected"))
        .is_some_and(|value| value.eq_ignore_ascii_case("false"));
    draft.nic(mac, connection, !unplugged)
}

/// Everything that reaches the computer it was made on.
fn read_ways_out(values: &Values, index: u32, draft: &mut Draft) {
    let share = format!("sharedfolder{index}");
    if yes(values, &format!("{share}.present")) {
        let text = |key: &str| get(values, &format!("{share}.{key}")).unwrap_or_default();
        draft.share(
            text("guestname"),
            text("hostpath"),
            !yes(values, &format!("{share}.writeaccess")),
        );
    }
    for (kind, what) in [
        ("serial", "serial port"),
        ("parallel", "parallel port"),
        ("floppy", "floppy drive"),
        ("pcipassthru", "PCI device"),
    ] {
        if yes(values, &format!("{kind}{index}.present")) {
            let to = get(values, &format!("{kind}{index}.filename")).unwrap_or("another computer");
            draft.dropped(
                format!("A {what} ({})", printable(to)),
                "it would read or write files or devices of this computer",
            );
        }
    }
}
