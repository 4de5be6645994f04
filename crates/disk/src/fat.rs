//! The little of FAT that is needed to find the boot files of an EFI system partition. Bounded; reads only.

use crate::source::{Source, le16, le32};
use std::io;

/// Longest folder read, clusters and bytes.
const FOLDER_CLUSTERS_MAX: usize = 256;
const FOLDER_BYTES_MAX: usize = 256 << 10;

/// The names in `/EFI/BOOT`, upper case; empty if this is no FAT or there is no such folder.
pub(crate) fn efi_boot_files(source: &dyn Source) -> Vec<String> {
    boot_folder(source).ok().flatten().unwrap_or_default()
}

fn boot_folder(source: &dyn Source) -> io::Result<Option<Vec<String>>> {
    let Some(volume) = Volume::open(source)? else {
        return Ok(None);
    };
    let mut entries = volume.root()?;
    for folder in ["EFI", "BOOT"] {
        let Some(found) = entries
            .into_iter()
            .find(|entry| entry.folder && entry.name == folder)
        else {
            return Ok(None);
        };
        entries = parse_folder(&volume.chain(found.cluster)?);
    }
    Ok(Some(
        entries
            .into_iter()
            .filter(|entry| !entry.folder)
            .map(|entry| entry.name)
            .collect(),
    ))
}

struct Volume<'a> {
    source: &'a dyn Source,
    cluster_bytes: u64,
    clusters: u64,
    fat: u64,
    /// 12, 16 or 32.
    bits: u32,
    root_offset: u64,
    root_bytes: u64,
    root_cluster: u32,
    data: u64,
}

impl<'a> Volume<'a> {
    fn open(source: &'a dyn Source) -> io::Result<Option<Self>> {
        let boot = source.piece_up_to(0, 512)?;
        if boot.len() < 512 || boot[510..] != [0x55, 0xaa] {
            return Ok(None);
        }
        let sector = u64::from(le16(&boot, 11));
        let per_cluster = u64::from(boot[13]);
        if !(sector.is_power_of_two() && (512..=4096).contains(&sector) && per_cluster.is_power_of_two()) {
            return Ok(None);
        }
        let reserved = u64::from(le16(&boot, 14));
        let fats = u64::from(boot[16]);
        let root_entries = u64::from(le16(&boot, 17));
        let or = |small: u16, large: u32| {
            if small == 0 {
                u64::from(large)
            } else {
                u64::from(small)
            }
        };
        let sectors = or(le16(&boot, 19), le32(&boot, 32));
        let fat_sectors = or(le16(&boot, 22), le32(&boot, 36));
        let root_bytes = (root_entries * 32).next_multiple_of(sector);
        let data_sector = reserved + fats * fat_sectors + root_bytes / sector;
        if reserved == 0 || fats == 0 || fat_sectors == 0 || sectors <= data_sector {
            return Ok(None);
        }
        let clusters = (sectors - data_sector) / per_cluster;
        let bits = match clusters {
            0..4085 => 12,
            4085..65525 => 16,
            _ => 32,
        };
        Ok(Some(Self {
            source,
            cluster_bytes: per_cluster * sector,
            clusters,
            fat: reserved * sector,
            bits,
            root_offset: (reserved + fats * fat_sectors) * sector,
            root_bytes,
            root_cluster: le32(&boot, 44),
            data: data_sector * sector,
        }))
    }

    fn root(&self) -> io::Result<Vec<Entry>> {
        let bytes = if self.bits == 32 {
            self.chain(self.root_cluster)?
        } else {
            self.source
                .piece(self.root_offset, self.root_bytes.min(FOLDER_BYTES_MAX as u64))?
        };
        Ok(parse_folder(&bytes))
    }

    /// All bytes of the chain that begins with `cluster`, up to the limit.
    fn chain(&self, mut cluster: u32) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        for _ in 0..FOLDER_CLUSTERS_MAX {
            let Some(index) = u64::from(cluster)
                .checked_sub(2)
                .filter(|index| *index < self.clusters)
            else {
                break;
            };
            out.extend(
                self.source
                    .piece(self.data + index * self.cluster_bytes, self.cluster_bytes)?,
            );
            if out.len() >= FOLDER_BYTES_MAX {
                break;
            }
            cluster = self.next(cluster)?;
        }
        Ok(out)
    }

    fn next(&self, cluster: u32) -> io::Result<u32> {
        let index = u64::from(cluster);
        Ok(match self.bits {
            12 => {
                let pair = le16(&self.source.piece(self.fat + index + index / 2, 2)?, 0);
                u32::from(if cluster.is_multiple_of(2) {
                    pair & 0xfff
                } else {
                    pair >> 4
                })
            }
            16 => u32::from(le16(&self.source.piece(self.fat + index * 2, 2)?, 0)),
            _ => le32(&self.source.piece(self.fat + index * 4, 4)?, 0) & 0x0fff_ffff,
        })
    }
}

struct Entry {
    name: String,
    folder: bool,
    cluster: u32,
}

fn parse_folder(bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut long = String::new();
    for raw in bytes.chunks_exact(32) {
        let attributes = raw[11];
        match raw[0] {
            0 => break,
            0xe5 => long.clear(),
            _ if attributes & 0x3f == 0x0f => {
                // Pieces of a long name come last piece first.
                let units = [&raw[1..11], &raw[14..26], &raw[28..32]].concat();
                let piece: String = units
                    .chunks_exact(2)
                    .map(|unit| le16(unit, 0))
                    .take_while(|unit| *unit != 0)
                    .map(|unit| char::from_u32(u32::from(unit)).unwrap_or('?'))
                    .collect();
                if long.len() < 1024 {
                    long.insert_str(0, &piece);
                }
            }
            _ if attributes & 0x08 != 0 => long.clear(),
            _ => {
                let part = |range: &[u8]| String::from_utf8_lossy(range).trim_end().to_owned();
                let (stem, end) = (part(&raw[..8]), part(&raw[8..11]));
                let short = if end.is_empty() {
                    stem
                } else {
                    format!("{stem}.{end}")
                };
                let name = if long.is_empty() {
                    short
                } else {
                    std::mem::take(&mut long)
                };
                entries.push(Entry {
                    name: name.to_ascii_uppercase(),
                    folder: attributes & 0x10 != 0,
                    cluster: u32::from(le16(raw, 20)) << 16 | u32::from(le16(raw, 26)),
                });
            }
        }
    }
    entries
}
