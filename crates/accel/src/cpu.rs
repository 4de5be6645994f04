//! Which processor a guest sees, per architecture, accelerator and QEMU version.

use nestbox_model::{Accelerator, Arch};

/// The value of `-cpu` for machines, and so for the proof.
///
/// Under emulation it is everything the emulator can do, since systems begin to ask for much (x86-64-v3, RVA23),
/// less what makes emulation slow for nothing: five-level page tables on x86, the real pointer-authentication
/// cipher on ARM.
pub(crate) fn cpu_model(arch: Arch, accelerator: Accelerator, qemu_version: (u32, u32, u32)) -> &'static str {
    if accelerator != Accelerator::Tcg {
        return "host";
    }
    match arch {
        Arch::X86_64 => "max,la57=off",
        Arch::Aarch64 => "max,pauth-impdef=on",
        // `max` came to riscv64 with QEMU 8.2.
        Arch::Riscv64 if qemu_version < (8, 2, 0) => "rv64",
        Arch::Riscv64 | Arch::I386 | Arch::Arm | Arch::S390x => "max",
        Arch::Ppc64 => "power9",
    }
}

/// A plainer model to try where `host` ends QEMU at once; `None` where no other model can work.
pub(crate) fn plainer_model(arch: Arch, accelerator: Accelerator) -> Option<&'static str> {
    (accelerator == Accelerator::Kvm && matches!(arch, Arch::X86_64 | Arch::I386)).then_some("Nehalem")
}
