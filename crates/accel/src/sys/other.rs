//! Windows and others: the accelerator is known but not used yet.

use super::{Absent, Device, Presence};
use nestbox_model::Accelerator;

/// This system's accelerator.
pub(crate) const NATIVE: Accelerator = Accelerator::Whpx;

/// Never within reach yet.
pub(crate) fn native_presence(_device: &Device) -> Presence {
    Err(Absent {
        reason:
            "Nestbox knows the Windows Hypervisor Platform but does not use it yet, so machines are emulated."
                .to_owned(),
        cure: None,
        technical: None,
    })
}

/// Not known here.
pub(crate) fn inside_a_virtual_machine() -> bool {
    false
}
