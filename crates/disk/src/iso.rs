//! ISO 9660 (ECMA-119) with El Torito boot records: the volume's name, whether it is complete, and what it can start.
//! Bounded; reads only.

use crate::{
    boot::BootFacts,
    fat,
    qcow2::printable,
    refuse,
    source::{Part, Source, le16, le32, piece},
};
use nestbox_model::Result;
use std::io;

const SECTOR: u64 = 2048;
/// Where the volume descriptors begin.
const DESCRIPTORS: u64 = 16;
const DESCRIPTORS_MAX: u64 = 64;
/// Longest folder read, bytes.
const FOLDER_MAX: u64 = 1 << 20;
/// Most bytes of an EFI boot image looked at.
const BOOT_IMAGE_MAX: u64 = 512 << 20;

/// What an ISO is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsoFacts {
    /// The volume's name, trimmed, with unprintable characters replaced; may be empty.
    pub volume: String,
    /// How it starts.
    pub boot: BootFacts,
    /// Its boot record is damaged.
    pub boot_damaged: bool,
    /// It can also be written to a USB stick as it is: it has a PC's partition table.
    pub hybrid: bool,
}

/// Whether a volume descriptor is there.
pub(crate) fn is_iso(source: &dyn Source) -> bool {
    source
        .piece(DESCRIPTORS * SECTOR, 6)
        .is_ok_and(|head| &head[1..6] == b"CD001")
}

/// Reads the descriptors and the boot catalogue.
///
/// # Errors
/// `image-truncated`, `image-damaged`, `io-error`.
pub(crate) fn look(source: &dyn Source) -> Result<IsoFacts> {
    let primary = piece(source, DESCRIPTORS * SECTOR, SECTOR)?;
    if primary[0] != 1 || primary[6] != 1 {
        return Err(refuse::damaged("its first volume descriptor is none"));
    }
    if u64::from(le16(&primary, 128)) != SECTOR {
        return Err(refuse::damaged("its blocks are not of 2048 bytes"));
    }
    let sectors = u64::from(le32(&primary, 80));
    if sectors * SECTOR > source.length() {
        return Err(refuse::truncated(&format!(
            "it should have {} bytes and has {}",
            sectors * SECTOR,
            source.length()
        )));
    }
    let volume = printable(String::from_utf8_lossy(&primary[40..72]).trim_matches([' ', '\0']));
    let mut facts = IsoFacts {
        volume,
        boot: BootFacts::default(),
        boot_damaged: false,
        hybrid: false,
    };
    match boot_catalogue(source) {
        Ok(Some(place)) => facts.boot_damaged = read_catalogue(source, place, &mut facts.boot).is_err(),
        Ok(None) => {}
        Err(_) => facts.boot_damaged = true,
    }
    if let Ok(files) = efi_folder(source, &primary) {
        facts.boot.add_boot_files(&files);
    }
    let head = source.piece_up_to(0, 512).unwrap_or_default();
    facts.hybrid = head.get(510..512) == Some(&[0x55, 0xaa]) && crate::raw::mbr_is_plausible(&head);
    Ok(facts)
}

/// Sector of the El Torito boot catalogue.
fn boot_catalogue(source: &dyn Source) -> io::Result<Option<u64>> {
    for sector in DESCRIPTORS + 1..DESCRIPTORS + DESCRIPTORS_MAX {
        let descriptor = source.piece(sector * SECTOR, SECTOR)?;
        if &descriptor[1..6] != b"CD001" {
            return Ok(None);
        }
        match descriptor[0] {
            0 if descriptor[7..30] == *b"EL TORITO SPECIFICATION" => {
                return Ok(Some(u64::from(le32(&descriptor, 71))));
            }
            255 => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

/// Reads the entries; an error means that the catalogue is damaged.
fn read_catalogue(source: &dyn Source, sector: u64, boot: &mut BootFacts) -> io::Result<()> {
    let catalogue = source.piece(sector * SECTOR, SECTOR)?;
    let validation = &catalogue[..32];
    let sum = validation
        .chunks_exact(2)
        .fold(0u16, |sum, word| sum.wrapping_add(le16(word, 0)));
    if validation[0] != 1 || validation[30..32] != [0x55, 0xaa] || sum != 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut platform = validation[1];
    let mut first = true;
    for entry in catalogue[32..].chunks_exact(32) {
        match entry[0] {
            // Section headers; 0x91 is the last.
            0x90 | 0x91 if !first => platform = entry[1],
            0x88 => read_entry(source, entry, platform, boot)?,
            // Not bootable, or an extension of the entry before.
            0x00 if first => {}
            0x44 => {}
            _ => break,
        }
        first = false;
    }
    Ok(())
}

fn read_entry(source: &dyn Source, entry: &[u8], platform: u8, boot: &mut BootFacts) -> io::Result<()> {
    let offset = u64::from(le32(entry, 8)) * SECTOR;
    if offset == 0 || offset >= source.length() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    match platform {
        0 => boot.bios = true,
        0xef => {
            boot.uefi = true;
            let length = (source.length() - offset).min(BOOT_IMAGE_MAX);
            boot.add_boot_files(&fat::efi_boot_files(&Part {
                whole: source,
                offset,
                length,
            }));
        }
        _ => {}
    }
    Ok(())
}

/// Names in `/EFI/BOOT` of the ISO's own file tree, upper case.
fn efi_folder(source: &dyn Source, primary: &[u8]) -> io::Result<Vec<String>> {
    let mut records = read_folder(source, &primary[156..190])?;
    for wanted in ["EFI", "BOOT"] {
        let Some(found) = records
            .iter()
            .find(|record| record.folder && record.name == wanted)
        else {
            return Ok(Vec::new());
        };
        records = read_folder(source, &found.raw)?;
    }
    Ok(records
        .into_iter()
        .filter(|record| !record.folder)
        .map(|record| record.name)
        .collect())
}

struct Record {
    name: String,
    folder: bool,
    raw: Vec<u8>,
}

fn read_folder(source: &dyn Source, record: &[u8]) -> io::Result<Vec<Record>> {
    let (offset, length) = (u64::from(le32(record, 2)) * SECTOR, u64::from(le32(record, 10)));
    let bytes = source.piece(offset, length.min(FOLDER_MAX))?;
    let mut records = Vec::new();
    // Records don't cross sectors.
    for sector in bytes.chunks(SECTOR as usize) {
        let mut at = 0;
        while let Some(size) = sector
            .get(at)
            .map(|size| usize::from(*size))
            .filter(|size| *size >= 34)
        {
            let Some(raw) = sector.get(at..at + size) else {
                break;
            };
            let name = raw.get(33..33 + usize::from(raw[32])).unwrap_or_default();
            let name = String::from_utf8_lossy(name).to_ascii_uppercase();
            let name = name
                .split(';')
                .next()
                .unwrap_or_default()
                .trim_end_matches('.')
                .to_owned();
            records.push(Record {
                name,
                folder: raw[25] & 2 != 0,
                raw: raw.to_vec(),
            });
            at += size;
        }
    }
    Ok(records)
}
