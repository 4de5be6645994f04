//! What differs per operating system: which native accelerator there is, and whether it is within reach.

use nestbox_model::Accelerator;
use std::path::PathBuf;

#[cfg(target_os = "linux")]
#[path = "sys/linux.rs"]
mod os;
#[cfg(target_os = "macos")]
#[path = "sys/macos.rs"]
mod os;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
#[path = "sys/other.rs"]
mod os;

pub(crate) use os::{NATIVE, inside_a_virtual_machine, native_presence};

/// Why the native accelerator can't even be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Absent {
    pub(crate) reason: String,
    pub(crate) cure: Option<String>,
    pub(crate) technical: Option<String>,
}

/// The native accelerator as it is found: within reach, with what identifies it, or not.
pub(crate) type Presence = Result<String, Absent>;

/// Where the system's accelerator is; changed by tests only.
#[derive(Clone, Debug)]
pub(crate) struct Device(pub(crate) PathBuf);

impl Default for Device {
    fn default() -> Self {
        Self(PathBuf::from("/dev/kvm"))
    }
}

/// The kernel's release, part of what a verdict depends on.
pub(crate) fn kernel_release() -> String {
    #[cfg(unix)]
    {
        let name = rustix::system::uname();
        format!(
            "{} {}",
            name.sysname().to_string_lossy(),
            name.release().to_string_lossy()
        )
    }
    #[cfg(not(unix))]
    {
        sysinfo::System::kernel_long_version()
    }
}

/// How people know the accelerator.
pub(crate) fn spoken(accelerator: Accelerator) -> &'static str {
    match accelerator {
        Accelerator::Kvm => "KVM",
        Accelerator::Hvf => "Hypervisor.framework (HVF)",
        Accelerator::Whpx => "Windows Hypervisor Platform (WHPX)",
        Accelerator::Tcg => "emulation (TCG)",
    }
}
