//! Linux: KVM.

use super::{Absent, Device, Presence};
use nestbox_model::{Accelerator, Arch};
use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// This system's accelerator.
pub(crate) const NATIVE: Accelerator = Accelerator::Kvm;

/// Whether `/dev/kvm` is there and may be opened.
pub(crate) fn native_presence(device: &Device) -> Presence {
    let path = &device.0;
    let opened = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(0o4_000 /* O_NONBLOCK */)
        .open(path);
    match opened {
        Ok(file) => {
            let meta = file.metadata().map_err(|error| not_openable(path, &error))?;
            Ok(format!(
                "{}:{:x}:{:o}:{}:{}",
                path.display(),
                meta.rdev(),
                meta.mode(),
                meta.uid(),
                meta.gid()
            ))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(not_there(&Processor::of_this_computer())),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(no_permission(path)),
        Err(error) => Err(not_openable(path, &error)),
    }
}

/// Whether this computer is itself a virtual machine, as far as its processor tells.
pub(crate) fn inside_a_virtual_machine() -> bool {
    Processor::of_this_computer().virtual_machine
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Processor {
    intel: bool,
    amd: bool,
    virtual_machine: bool,
    container: bool,
}

impl Processor {
    fn of_this_computer() -> Self {
        let mut processor = Self::from_cpuinfo(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default());
        processor.virtual_machine |= Path::new("/proc/device-tree/hypervisor").exists();
        processor.container = Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists();
        processor
    }

    fn from_cpuinfo(text: &str) -> Self {
        let flags = text
            .lines()
            .find_map(|line| line.strip_prefix("flags")?.trim_start().strip_prefix(':'))
            .unwrap_or_default();
        let has = |flag: &str| flags.split_whitespace().any(|word| word == flag);
        Self {
            intel: has("vmx"),
            amd: has("svm"),
            virtual_machine: has("hypervisor"),
            container: false,
        }
    }
}

fn not_there(processor: &Processor) -> Absent {
    let x86 = matches!(Arch::host(), Some(Arch::X86_64 | Arch::I386));
    let (reason, cure) = if processor.container {
        (
            "KVM is not within reach: this is a container and /dev/kvm was not given to it.",
            "Start the container with --device /dev/kvm.",
        )
    } else if processor.intel || processor.amd {
        (
            "The processor can virtualise, but KVM's kernel module is not loaded: there is no /dev/kvm.",
            if processor.intel {
                "sudo modprobe kvm_intel"
            } else {
                "sudo modprobe kvm_amd"
            },
        )
    } else if processor.virtual_machine {
        (
            "This computer is itself a virtual machine, and its host does not let it run machines of its own (no nested \
             virtualisation): there is no /dev/kvm.",
            "Turn on nested virtualisation for this machine on its host, if that is yours.",
        )
    } else if x86 {
        (
            "The processor's virtualisation is off or missing: there is no /dev/kvm.",
            "Turn on Intel VT-x (“Virtualization Technology”) or AMD-V (“SVM”) in the computer's firmware set-up (BIOS/UEFI).",
        )
    } else {
        (
            "This computer's kernel offers no KVM: there is no /dev/kvm.",
            "sudo modprobe kvm",
        )
    };
    Absent {
        reason: reason.to_owned(),
        cure: Some(cure.to_owned()),
        technical: Some("/dev/kvm: No such file or directory".to_owned()),
    }
}

fn no_permission(path: &Path) -> Absent {
    let group_id = fs::metadata(path).map(|meta| meta.gid()).ok();
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let group = group_id
        .and_then(|id| group_with_id(&groups, id))
        .filter(|(name, _)| *name != "root");
    let user = std::env::var("USER").unwrap_or_default();
    let (name, members) = group.unwrap_or(("kvm", ""));
    let (reason, cure) = if !user.is_empty() && members.split(',').any(|member| member == user) {
        (
            format!(
                "This account is in the group {name}, which may use KVM, but this session began before that."
            ),
            "Log out and in again.".to_owned(),
        )
    } else {
        (
            format!(
                "This account may not use KVM: {} belongs to the group {name}.",
                path.display()
            ),
            format!("sudo usermod -aG {name} $USER   (then log out and in again)"),
        )
    };
    Absent {
        reason,
        cure: Some(cure),
        technical: Some(format!("{}: Permission denied", path.display())),
    }
}

/// Name and member list of the group with this number in the text of `/etc/group`.
fn group_with_id(groups: &str, id: u32) -> Option<(&str, &str)> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number: u32 = fields.nth(1)?.parse().ok()?;
        (number == id).then(|| (name, fields.next().unwrap_or_default()))
    })
}

fn not_openable(path: &Path, error: &std::io::Error) -> Absent {
    Absent {
        reason: format!("{} is there but can't be opened.", path.display()),
        cure: Some(
            "Load KVM's module again (sudo modprobe kvm_intel or kvm_amd) and look at what “sudo dmesg | grep -i kvm” says."
                .to_owned(),
        ),
        technical: Some(format!("{}: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_device_is_explained_by_the_processor() {
        let of = |flags: &str| {
            not_there(&Processor::from_cpuinfo(&format!(
                "model\t: x\nflags\t\t: fpu {flags} sse\n"
            )))
        };
        assert_eq!(of("vmx").cure.unwrap(), "sudo modprobe kvm_intel");
        assert_eq!(of("svm hypervisor").cure.unwrap(), "sudo modprobe kvm_amd");
        assert!(of("hypervisor").reason.contains("itself a virtual machine"));
        let container = Processor {
            container: true,
            intel: true,
            ..Default::default()
        };
        assert!(not_there(&container).cure.unwrap().contains("--device /dev/kvm"));
        let missing = native_presence(&Device("/nowhere/kvm".into())).unwrap_err();
        assert!(missing.technical.unwrap().contains("No such file"));
    }

    #[test]
    fn groups_are_found_by_number() {
        let text = "root:x:0:\nkvm:x:104:ann,bob\nbroken\n";
        assert_eq!(group_with_id(text, 104), Some(("kvm", "ann,bob")));
        assert_eq!(group_with_id(text, 7), None);
    }

    #[test]
    fn no_permission_names_the_command() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let absent = no_permission(file.path());
        assert!(absent.cure.unwrap().starts_with("sudo usermod -aG kvm "));
    }
}
