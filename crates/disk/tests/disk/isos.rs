use crate::{Place, recognising::fat_with_boot_file, refused};
use nestbox_disk::plan;
use nestbox_model::{Arch, Firmware, Recognised};

const SECTOR: usize = 2048;

/// An ISO with a volume name, files in `/EFI/BOOT`, and an El Torito record for the platforms given.
struct Iso {
    volume: &'static str,
    efi_files: &'static [&'static str],
    bios: bool,
    efi_image: Option<&'static str>,
    hybrid: bool,
}

impl Iso {
    const PLAIN: Self = Self {
        volume: "MY_DATA",
        efi_files: &[],
        bios: false,
        efi_image: None,
        hybrid: false,
    };

    fn bytes(&self) -> Vec<u8> {
        // Sectors: 16 primary, 17 boot record, 18 end, 19 root, 20 EFI, 21 BOOT, 22 catalogue, 24 boot image.
        let mut iso = vec![0; 24 * SECTOR];
        let image = self
            .efi_image
            .map(fat_with_boot_file)
            .unwrap_or_else(|| vec![0xfa; SECTOR]);
        iso.extend(image);
        let sectors = iso.len().div_ceil(SECTOR);
        iso.resize(sectors * SECTOR, 0);
        let mut primary = vec![0; SECTOR];
        primary[..7].copy_from_slice(b"\x01CD001\x01");
        primary[40..72].fill(b' ');
        primary[40..40 + self.volume.len()].copy_from_slice(self.volume.as_bytes());
        primary[80..84].copy_from_slice(&(sectors as u32).to_le_bytes());
        primary[128..130].copy_from_slice(&2048u16.to_le_bytes());
        let root = record("\0", 19, true);
        primary[156..156 + root.len()].copy_from_slice(&root);
        put(&mut iso, 16, &primary);
        let with_boot = self.bios || self.efi_image.is_some();
        if with_boot {
            let mut boot = vec![0; SECTOR];
            boot[..7].copy_from_slice(b"\0CD001\x01");
            boot[7..30].copy_from_slice(b"EL TORITO SPECIFICATION");
            boot[71..75].copy_from_slice(&22u32.to_le_bytes());
            put(&mut iso, 17, &boot);
            put(&mut iso, 22, &self.catalogue());
        } else {
            put(&mut iso, 17, b"\xffCD001\x01");
        }
        put(&mut iso, 18, b"\xffCD001\x01");
        if !self.efi_files.is_empty() {
            put(&mut iso, 19, &record("EFI", 20, true));
            put(&mut iso, 20, &record("BOOT", 21, true));
            let files: Vec<u8> = self
                .efi_files
                .iter()
                .flat_map(|name| record(&format!("{name};1"), 23, false))
                .collect();
            put(&mut iso, 21, &files);
        }
        if self.hybrid {
            iso[..512].copy_from_slice(&crate::disk_with_data()[..512]);
        }
        iso
    }

    fn catalogue(&self) -> Vec<u8> {
        let mut out = vec![0; 32];
        out[0] = 1;
        let first_is_efi = !self.bios;
        out[1] = if first_is_efi { 0xef } else { 0 };
        out[30..32].copy_from_slice(&[0x55, 0xaa]);
        let sum = out
            .chunks(2)
            .fold(0u16, |sum, w| sum.wrapping_add(u16::from_le_bytes([w[0], w[1]])));
        out[28..30].copy_from_slice(&0u16.wrapping_sub(sum).to_le_bytes());
        let entry = || {
            let mut entry = vec![0; 32];
            entry[0] = 0x88;
            entry[8..12].copy_from_slice(&24u32.to_le_bytes());
            entry
        };
        out.extend(entry());
        if self.bios && self.efi_image.is_some() {
            let mut section = vec![0; 32];
            section[..3].copy_from_slice(&[0x91, 0xef, 1]);
            out.extend(section);
            out.extend(entry());
        }
        out
    }
}

/// A sound ISO that starts nothing.
pub(crate) fn small_iso() -> Vec<u8> {
    Iso::PLAIN.bytes()
}

fn put(iso: &mut [u8], sector: usize, bytes: &[u8]) {
    iso[sector * SECTOR..sector * SECTOR + bytes.len()].copy_from_slice(bytes);
}

fn record(name: &str, sector: u32, folder: bool) -> Vec<u8> {
    let length = (33 + name.len()).next_multiple_of(2);
    let mut out = vec![0; length];
    out[0] = length as u8;
    out[2..6].copy_from_slice(&sector.to_le_bytes());
    out[10..14].copy_from_slice(&2048u32.to_le_bytes());
    out[25] = if folder { 2 } else { 0 };
    out[32] = name.len() as u8;
    out[33..33 + name.len()].copy_from_slice(name.as_bytes());
    out
}

#[test]
fn an_installer_is_understood() {
    let place = Place::new();
    let iso = Iso {
        volume: "Ubuntu-Server 24.04.2 LTS arm64",
        efi_files: &["BOOTAA64.EFI", "GRUBAA64.EFI"],
        efi_image: Some("BOOTAA64.EFI"),
        ..Iso::PLAIN
    };
    let plan = plan(&place.file("x.iso", iso.bytes()), None).unwrap();
    assert_eq!(plan.recognised, Recognised::Iso);
    assert_eq!(plan.description, "ISO 9660, bootable (UEFI)");
    assert_eq!(plan.name, "Ubuntu Server 24.04.2 LTS");
    assert_eq!(plan.system.as_deref(), Some("Ubuntu Server 24.04.2 LTS"));
    assert_eq!(
        (plan.arch, plan.arch_reason.as_str()),
        (Arch::Aarch64, "EFI boot file")
    );
    assert_eq!((plan.firmware, plan.glyph.as_str()), (Firmware::Uefi, "Ub"));
    assert_eq!((plan.memory, plan.disk, plan.needs), (3 << 30, 25 << 30, 0));
}

#[test]
fn the_boot_file_counts_more_than_the_name_and_pcs_are_pcs() {
    let place = Place::new();
    let check = |iso: &Iso, arch, reason: &str, firmware, words: &str| {
        let plan = plan(&place.file("x.iso", iso.bytes()), None).unwrap();
        assert_eq!(
            (plan.arch, plan.arch_reason.as_str(), plan.firmware),
            (arch, reason, firmware),
            "{}",
            iso.volume
        );
        assert_eq!(plan.description, words);
    };
    let base = Iso {
        bios: true,
        hybrid: true,
        ..Iso::PLAIN
    };
    check(
        &base,
        Arch::X86_64,
        "code for a PC's BIOS",
        Firmware::Bios,
        "ISO 9660, bootable (BIOS)",
    );
    let both = Iso {
        efi_image: Some("BOOTX64.EFI"),
        ..base
    };
    check(
        &both,
        Arch::X86_64,
        "EFI boot file",
        Firmware::Uefi,
        "ISO 9660, bootable (BIOS, UEFI)",
    );
    // 32 bit beside 64 bit: 64 bit.
    let two = Iso {
        efi_files: &["BOOTIA32.EFI", "bootx64.efi"],
        ..Iso::PLAIN
    };
    check(
        &two,
        Arch::X86_64,
        "EFI boot file",
        Firmware::Uefi,
        "ISO 9660, bootable (UEFI)",
    );
    let named = Iso {
        volume: "Debian 13.1.0 riscv64 n",
        ..Iso::PLAIN
    };
    check(
        &named,
        Arch::Riscv64,
        "the volume's name",
        Firmware::Uefi,
        "ISO 9660, not bootable",
    );
    let only = Iso {
        efi_image: Some("BOOTRISCV64.EFI"),
        ..Iso::PLAIN
    };
    check(
        &only,
        Arch::Riscv64,
        "EFI boot file",
        Firmware::Uefi,
        "ISO 9660, bootable (UEFI)",
    );
}

#[test]
fn damage_is_refused_or_said() {
    let place = Place::new();
    let mut cut = Iso {
        bios: true,
        ..Iso::PLAIN
    }
    .bytes();
    let whole = cut.clone();
    cut.truncate(cut.len() - SECTOR);
    assert_eq!(refused(&place.file("cut.iso", cut)), "image-truncated");
    let mut bad = whole.clone();
    bad[22 * SECTOR + 5] ^= 1;
    let plan = plan(&place.file("bad.iso", bad), None).unwrap();
    assert!(
        plan.warnings[0].contains("boot record is damaged"),
        "{:?}",
        plan.warnings
    );
    // A folder that contains itself, and one behind the end.
    for sector in [19u32, u32::MAX] {
        let mut odd = Iso {
            efi_files: &["BOOTX64.EFI"],
            ..Iso::PLAIN
        }
        .bytes();
        put(&mut odd, 19, &record("EFI", sector, true));
        assert_eq!(refused(&place.file("odd.iso", odd)), "accepted");
    }
    let mut name = whole;
    name[16 * SECTOR + 40..16 * SECTOR + 44].copy_from_slice(b"a\0\n\xff");
    assert_eq!(refused(&place.file("name.iso", name)), "accepted");
}
