//! QEMU's own words turned into plain ones.

use crate::qmp::tame;
use nestbox_model::Error;

/// Whether some tool's words mean that the disk is full.
pub(crate) fn is_no_space(text: &str) -> bool {
    text.contains("No space left on device")
        || text.contains("Disk quota exceeded")
        || text.contains("File too large")
}

/// Why a QEMU that just ended did so, from what it wrote; the exact words go into the details.
pub(crate) fn start_failure(said: &str, ending: &str) -> Error {
    let said = said.trim();
    known(said)
        .unwrap_or_else(|| {
            let error = Error::failed("start-failed", "The machine did not start: QEMU ended at once.");
            if said.is_empty() {
                error.with_hint("It left no word why. Try the accelerator tcg.")
            } else {
                error
            }
        })
        .with_detail("technical", tame(last_lines(said)))
        .with_detail("ending", ending)
}

/// The reason in a sentence when these words are well known, else QEMU's last line.
pub(crate) fn reason(said: &str) -> Option<String> {
    let said = said.trim();
    if said.is_empty() {
        return None;
    }
    Some(match known(said) {
        Some(error) => error.message,
        None => {
            let line = said.lines().rev().find(|line| !line.trim().is_empty())?;
            format!(
                "QEMU said: {}",
                tame(line.trim()).chars().take(300).collect::<String>()
            )
        }
    })
}

fn last_lines(said: &str) -> &str {
    let start = said.char_indices().rev().nth(1999).map_or(0, |(at, _)| at);
    &said[start..]
}

fn quoted_after<'a>(said: &'a str, mark: &str) -> Option<&'a str> {
    let rest = &said[said.find(mark)? + mark.len()..];
    rest.split(['\'', '"']).next()
}

fn known(said: &str) -> Option<Error> {
    let has = |text: &str| said.contains(text);
    if has("lock") && (has("Failed to get") || has("Is another process using the image")) {
        let image = quoted_after(said, "Is another process using the image [")
            .map(|rest| rest.trim_end_matches("]?"));
        let mut error = Error::conflict(
            "disk-in-use",
            "One of the machine's disks is in use by another program.",
        )
        .with_hint("Stop the other machine or program that uses the file, then try again.");
        if let Some(image) = image.and_then(|image| image.split(']').next()) {
            error = error.with_detail("path", image);
        }
        return Some(error);
    }
    if has("Could not set up host forwarding rule") || has("Invalid host forwarding rule") {
        let rule = quoted_after(said, "forwarding rule '").unwrap_or_default();
        let port = rule
            .split(':')
            .nth(2)
            .and_then(|rest| rest.split('-').next())
            .unwrap_or_default();
        return Some(port_taken(port).with_detail("rule", rule));
    }
    if is_no_space(said) {
        return Some(
            Error::unfit("no-space", "The disk of this computer is full.").with_hint(
                "Free some space (the trash and the image cache are good places to look), then try again.",
            ),
        );
    }
    if has("cannot set up guest memory") || has("Cannot allocate memory") {
        return Some(
            Error::unfit(
                "no-memory",
                "This computer has not enough free memory for the machine.",
            )
            .with_hint("Give the machine less memory, or close other programs and machines."),
        );
    }
    if has("qemu_thread_create") || has("Resource temporarily unavailable") && has("thread") {
        return Some(
            Error::unfit(
                "too-many-processes",
                "This account may not start any more processes.",
            )
            .with_hint("Close other programs or machines, then try again."),
        );
    }
    if has("kvm") && has("Permission denied") {
        return Some(
            Error::unfit(
                "accelerator-unusable",
                "This account may not use hardware virtualisation (/dev/kvm).",
            )
            .with_hint("Add the account to the group kvm and sign in again, or use the accelerator tcg."),
        );
    }
    if has("failed to initialize kvm")
        || has("failed to initialize hvf")
        || has("failed to initialize whpx")
        || has("invalid accelerator")
        || has("kvm_buf_set_msrs")
        || has("kvm run failed")
        || has("HV_ERROR")
        || has("KVM internal error")
    {
        return Some(
            Error::unfit(
                "accelerator-unusable",
                "Hardware virtualisation does not work on this computer.",
            )
            .with_hint("Use the accelerator tcg; Doctor says what is wrong with the other."),
        );
    }
    if has("is not a valid device model name")
        || has("is not compiled into this binary")
        || has("expects a netdev backend type")
    {
        return Some(
            Error::unfit(
                "qemu-incomplete",
                "The installed QEMU lacks a part this machine needs.",
            )
            .with_hint("Install the full QEMU of your system, not a cut-down package."),
        );
    }
    if has("requires") && has("block backend provides")
        || has("could not load PC BIOS")
        || has("could not load firmware")
    {
        return Some(
            Error::unfit(
                "firmware-missing",
                "The firmware for this machine is missing or does not fit.",
            )
            .with_hint("Run Doctor: it names the package to install."),
        );
    }
    if has("Image is not in qcow2 format")
        || has("Image is corrupt")
        || has("marked corrupt")
        || has("Invalid argument") && has("qcow2")
    {
        return Some(
            Error::failed("disk-damaged", "One of the machine's disk images is damaged.")
                .with_hint("Restore a snapshot, or check the image with qemu-img check."),
        );
    }
    if has("Could not open") && has("No such file or directory") {
        let path = quoted_after(said, "Could not open '").unwrap_or_default();
        return Some(
            Error::not_found(
                "file-not-found",
                "A file the machine needs is not there any more.",
            )
            .with_hint("Put the file back, or eject it if it was in the CD/DVD drive.")
            .with_detail("path", path),
        );
    }
    if has("Could not open") && has("Permission denied") {
        let path = quoted_after(said, "Could not open '").unwrap_or_default();
        return Some(
            Error::unfit(
                "permission-denied",
                "A file the machine needs may not be opened by this account.",
            )
            .with_hint("Give this account access to the file and its folder.")
            .with_detail("path", path),
        );
    }
    None
}

/// The host's port is somebody else's.
pub(crate) fn port_taken(port: &str) -> Error {
    let which = if port.is_empty() {
        "A port".to_owned()
    } else {
        format!("Port {port}")
    };
    let hint = "Choose another port on this computer, or 0 for a free one.";
    let error = match port.parse::<u16>() {
        Ok(number @ 1..1024) => Error::conflict(
            "port-taken",
            format!("{which} of this computer is taken or reserved for the administrator."),
        )
        .with_detail("port", number),
        _ => Error::conflict(
            "port-taken",
            format!("{which} of this computer is used by another program."),
        )
        .with_detail("port", port),
    };
    error.with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_get_their_own_codes() {
        for (said, code) in [
            (
                "qemu-system-x86_64: -device virtio-blk-pci,drive=d: Failed to get \"write\" lock\nIs another process using the image [/a/b.qcow2]?",
                "disk-in-use",
            ),
            (
                "qemu-system-x86_64: -netdev user,id=n: Could not set up host forwarding rule 'tcp:127.0.0.1:2222-:22'",
                "port-taken",
            ),
            (
                "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory",
                "no-memory",
            ),
            ("qemu: could not write: No space left on device", "no-space"),
            (
                "qemu-system-x86_64: -accel kvm: failed to initialize kvm: No such file or directory",
                "accelerator-unusable",
            ),
            (
                "Could not access KVM kernel module: Permission denied\nqemu-system-x86_64: failed to initialize kvm: Permission denied",
                "accelerator-unusable",
            ),
            (
                "qemu-system-x86_64: -device virtio-vga: 'virtio-vga' is not a valid device model name",
                "qemu-incomplete",
            ),
            (
                "qemu-system-aarch64: device requires 67108864 bytes, block backend provides 2097152 bytes",
                "firmware-missing",
            ),
            (
                "qemu-system-x86_64: -blockdev {}: Could not open '/x/y.iso': No such file or directory",
                "file-not-found",
            ),
            (
                "qemu-system-x86_64: -blockdev {}: Image is not in qcow2 format",
                "disk-damaged",
            ),
            ("", "start-failed"),
            ("qemu-system-x86_64: something new", "start-failed"),
        ] {
            assert_eq!(start_failure(said, "exit status: 1").code, code, "{said}");
        }
        let error = start_failure(
            "Failed to get \"write\" lock\nIs another process using the image [/a/b.qcow2]?",
            "",
        );
        assert_eq!(error.details["path"], "/a/b.qcow2");
        let error = start_failure(
            "Could not set up host forwarding rule 'tcp:127.0.0.1:2222-:22'",
            "",
        );
        assert!(error.message.contains("2222"), "{}", error.message);
    }

    #[test]
    fn long_and_odd_words_are_cut_and_tamed() {
        let error = start_failure(&"é\u{1b}[31m".repeat(100_000), "");
        let text = error.details["technical"].as_str().unwrap();
        assert!(text.chars().count() <= 2000 && !text.contains('\u{1b}'));
        assert_eq!(reason("a\n\nlast words\n").unwrap(), "QEMU said: last words");
        assert_eq!(reason(" \n"), None);
    }
}
