//! What an image can start: found by the names of EFI boot files (UEFI specification, “Removable Media Boot Behavior”).

use nestbox_model::Arch;

/// The architecture whose firmware starts a file of this name (upper case) in `/EFI/BOOT`.
pub(crate) fn arch_of_boot_file(name: &str) -> Option<Arch> {
    Some(match name {
        "BOOTX64.EFI" => Arch::X86_64,
        "BOOTAA64.EFI" => Arch::Aarch64,
        "BOOTRISCV64.EFI" => Arch::Riscv64,
        "BOOTIA32.EFI" => Arch::I386,
        "BOOTARM.EFI" => Arch::Arm,
        _ => return None,
    })
}

/// Ways an image can start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootFacts {
    /// There is code for a PC's BIOS.
    pub bios: bool,
    /// There is something for UEFI.
    pub uefi: bool,
    /// Architectures of the EFI boot files, most usual first.
    pub uefi_arches: Vec<Arch>,
}

impl BootFacts {
    /// Nothing that starts was found.
    pub fn none(&self) -> bool {
        !self.bios && !self.uefi
    }
    pub(crate) fn add_boot_files<'a>(&mut self, names: impl IntoIterator<Item = &'a String>) {
        for arch in names.into_iter().filter_map(|name| arch_of_boot_file(name)) {
            self.uefi = true;
            if !self.uefi_arches.contains(&arch) {
                self.uefi_arches.push(arch);
            }
        }
        self.uefi_arches
            .sort_by_key(|arch| Arch::ALL.iter().position(|known| known == arch));
    }
    /// `BIOS, UEFI`, `UEFI`, `BIOS` or nothing.
    pub(crate) fn words(&self) -> Option<&'static str> {
        match (self.bios, self.uefi) {
            (true, true) => Some("BIOS, UEFI"),
            (false, true) => Some("UEFI"),
            (true, false) => Some("BIOS"),
            (false, false) => None,
        }
    }
}
