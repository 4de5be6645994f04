//! What each format can't carry, in sentences.

use nestbox_model::{ExportFormat, Firmware, MachineSpec};

/// What is left behind when `spec` is written in `format`.
pub(super) fn left_behind(spec: &MachineSpec, format: ExportFormat, snapshots: usize) -> Vec<String> {
    let mut notes = Vec::new();
    let mut say = |text: &str| notes.push(text.to_owned());
    match snapshots {
        0 => {}
        1 => say("Its snapshot stays here; one state of its disks is written."),
        count => say(&format!(
            "Its {count} snapshots stay here; one state of its disks is written."
        )),
    }
    if spec.suspended.is_some() {
        say("Its saved memory stays here: elsewhere it boots, as after a power cut.");
    }
    if !spec.detached.is_empty() {
        say("Detached disks are not in it; attach them first if you want them.");
    }
    if let Some(user) = &spec.user {
        if user.private_key.is_some() {
            say(&format!(
                "The key that signs “{}” in stays here: set a password in the guest, or keep a copy of the key.",
                user.name
            ));
        }
        say("The cloud-init seed is not in it: the guest keeps the account it has.");
    }
    if spec.medium.is_some() {
        say("The medium in the CD drive is not in it.");
    }
    if !spec.tags.is_empty() && format.is_whole_machine() {
        say("Tags are words of this library, and are not in it.");
    }
    match format {
        ExportFormat::Ova => of_ova(spec, &mut say),
        ExportFormat::Utm => of_utm(spec, &mut say),
        _ if spec.firmware == Firmware::Uefi => {
            say("UEFI variables are not in it: boot entries are made anew at the first start.");
        }
        _ => {}
    }
    notes
}

fn of_ova(spec: &MachineSpec, say: &mut dyn FnMut(&str)) {
    if spec.firmware == Firmware::Uefi {
        say("UEFI variables have no place in the format: boot entries are made anew at the first start.");
        say("VirtualBox does not take the firmware over: turn EFI on in the machine's settings there.");
    }
    if !spec.ports.is_empty() {
        say("Port forwards have no place in the format.");
    }
    if !spec.disks.is_empty() {
        say("Disks are on a SATA controller and NICs are of the kind E1000 there: every system knows them.");
    }
}

fn of_utm(spec: &MachineSpec, say: &mut dyn FnMut(&str)) {
    if spec.nics.is_empty() && !spec.ports.is_empty() {
        say("Port forwards are not in it, since the machine has no NIC.");
    }
}
