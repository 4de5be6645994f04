//! macOS: Hypervisor.framework.

use super::{Absent, Device, Presence};
use nestbox_model::Accelerator;
use std::process::Command;

/// This system's accelerator.
pub(crate) const NATIVE: Accelerator = Accelerator::Hvf;

/// Whether the processor and the system offer Hypervisor.framework.
pub(crate) fn native_presence(_device: &Device) -> Presence {
    match sysctl("kern.hv_support").as_deref() {
        Some("1") => Ok("hvf".to_owned()),
        other => Err(Absent {
            reason: "This Mac does not offer virtualisation (Hypervisor.framework).".to_owned(),
            cure: inside_a_virtual_machine()
                .then(|| "This is a virtual machine: turn on nested virtualisation on its host.".to_owned()),
            technical: Some(format!("kern.hv_support: {}", other.unwrap_or("unknown"))),
        }),
    }
}

/// Whether this computer is itself a virtual machine.
pub(crate) fn inside_a_virtual_machine() -> bool {
    sysctl("kern.hv_vmm_present").as_deref() == Some("1")
}

fn sysctl(name: &str) -> Option<String> {
    let output = Command::new("/usr/sbin/sysctl")
        .args(["-n", name])
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
