//! ISO 9660 (ECMA-119) with Rock Ridge names ([`rock`]) or Joliet's; only reads.

mod rock;

use crate::filesystem::{
    CONTENT_PIECE, Facts, Fault, FileSystem, Found, Kind, Outcome, Sink, Stat, Visit, damaged,
    days_since_1970,
};
use crate::source::{Region, bytes_at, le32};
use rock::{Extras, read_extras};

const SECTOR: u64 = 2048;
/// Where the volume descriptors begin, and most of them.
const DESCRIPTORS: u64 = 16;
const DESCRIPTORS_MAX: u64 = 64;
/// Longest folder read, bytes.
const FOLDER_MAX: u64 = 64 << 20;
/// Pieces of one file: 256 of 4 GiB are a TiB.
const EXTENTS_MAX: usize = 256;

const FLAG_FOLDER: u8 = 2;
const FLAG_MORE: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Plain,
    Joliet,
    /// With so many bytes to pass over in each record.
    Rock(usize),
}

pub(crate) struct Iso {
    region: Region,
    names: Names,
    root: Node,
    facts: Facts,
}

/// A file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Offset and length of each piece, bytes.
    extents: Vec<(u64, u64)>,
    kind: Kind,
    modified: Option<i64>,
    target: Vec<u8>,
    packed: bool,
}

impl Iso {
    pub fn open(region: &Region) -> Outcome<Self> {
        let primary = region.piece(DESCRIPTORS * SECTOR, SECTOR)?;
        if primary[0] != 1 || primary.get(1..6) != Some(b"CD001") {
            return damaged("its first volume descriptor is none");
        }
        let label = primary.get(40..72).unwrap_or_default().trim_ascii_end();
        let sectors = u64::from(le32(&primary, 80));
        let facts = Facts {
            filesystem: "iso9660",
            label: (!label.is_empty()).then(|| crate::names::shown(label)),
            used: Some((sectors * SECTOR).min(region.length())),
            notes: Vec::new(),
        };
        let root = record_node(bytes_at(&primary, 156, 34));
        let mut iso = Self {
            region: region.clone(),
            names: Names::Plain,
            root,
            facts,
        };
        let first = iso.first_record(&iso.root)?;
        if let Some(skip) = rock::is_used(bytes_at(&first, 34, first.len().saturating_sub(34))) {
            iso.names = Names::Rock(skip);
        } else if let Some(root) = joliet_root(region)? {
            iso.root = root;
            iso.names = Names::Joliet;
        }
        Ok(iso)
    }

    /// The record of a folder itself, the first in it.
    fn first_record(&self, folder: &Node) -> Outcome<Vec<u8>> {
        let (offset, _) = folder.extents.first().copied().ok_or(Fault::NotFound)?;
        let sector = self.region.piece_up_to(offset, SECTOR)?;
        let length = usize::from(sector.first().copied().unwrap_or(0));
        let record = bytes_at(&sector, 0, length);
        if record.len() < 34 {
            return damaged("a folder has no records");
        }
        Ok(record.to_vec())
    }

    /// Calls `each` with every record of a folder but those of itself and its parent.
    fn records(&self, folder: &Node, each: &mut dyn FnMut(&[u8]) -> Outcome<()>) -> Outcome<()> {
        let mut number = 0;
        for (offset, length) in &folder.extents {
            for start in (0..(*length).min(FOLDER_MAX)).step_by(SECTOR as usize) {
                let sector = self.region.piece_up_to(offset + start, SECTOR)?;
                // Records don't cross sectors; a length of 0 ends one.
                let mut at = 0;
                while let Some(size) = sector
                    .get(at)
                    .map(|size| usize::from(*size))
                    .filter(|size| *size >= 34)
                {
                    let record = bytes_at(&sector, at, size);
                    if record.len() < size {
                        break;
                    }
                    if number >= 2 {
                        each(record)?;
                    }
                    number += 1;
                    at += size;
                }
            }
        }
        Ok(())
    }

    fn extras(&self, record: &[u8]) -> Outcome<Extras> {
        let Names::Rock(skip) = self.names else {
            return Ok(Extras::default());
        };
        let name = usize::from(record[32]);
        // The name is padded to an even length with the byte before it.
        let start = 33 + name + usize::from(name % 2 == 0) + skip;
        read_extras(&self.region, record.get(start..).unwrap_or_default())
    }

    fn name(&self, record: &[u8]) -> Vec<u8> {
        let raw = bytes_at(record, 33, usize::from(record[32]));
        if self.names == Names::Joliet {
            let units = raw
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            return without_version(crate::filesystem::from_utf16(units));
        }
        let mut name = without_version(raw.to_vec());
        if name.last() == Some(&b'.') {
            name.pop();
        }
        name
    }

    /// The folder that was moved elsewhere because it was too deep; its own record says how long it is.
    fn moved(&self, sector: u32) -> Outcome<Node> {
        let start = Node {
            extents: vec![(u64::from(sector) * SECTOR, SECTOR)],
            kind: Kind::Folder,
            modified: None,
            target: Vec::new(),
            packed: false,
        };
        Ok(record_node(&self.first_record(&start)?))
    }
}

fn joliet_root(region: &Region) -> Outcome<Option<Node>> {
    for sector in DESCRIPTORS + 1..DESCRIPTORS + DESCRIPTORS_MAX {
        let Ok(descriptor) = region.piece(sector * SECTOR, SECTOR) else {
            break;
        };
        if descriptor.get(1..6) != Some(b"CD001") || descriptor[0] == 255 {
            break;
        }
        let escape = bytes_at(&descriptor, 88, 3);
        if descriptor[0] == 2 && [b"%/@", b"%/C", b"%/E"].iter().any(|known| *known == escape) {
            return Ok(Some(record_node(bytes_at(&descriptor, 156, 34))));
        }
    }
    Ok(None)
}

fn record_node(record: &[u8]) -> Node {
    let flags = record.get(25).copied().unwrap_or(0);
    Node {
        extents: vec![(u64::from(le32(record, 2)) * SECTOR, u64::from(le32(record, 10)))],
        kind: if flags & FLAG_FOLDER != 0 {
            Kind::Folder
        } else {
            Kind::File
        },
        modified: short_date(bytes_at(record, 18, 7)),
        target: Vec::new(),
        packed: false,
    }
}

/// `NAME.TXT;1` without the version.
fn without_version(mut name: Vec<u8>) -> Vec<u8> {
    if let Some(at) = name.iter().rposition(|byte| *byte == b';')
        && name[at + 1..].iter().all(u8::is_ascii_digit)
    {
        name.truncate(at);
    }
    name
}

/// Seven bytes: years since 1900, month, day, hour, minute, second, zone in quarters of an hour.
fn short_date(date: &[u8]) -> Option<i64> {
    let [year, month, day, hour, minute, second, zone] = <[u8; 7]>::try_from(date).ok()?;
    let days = days_since_1970(1900 + i64::from(year), u32::from(month), u32::from(day))?;
    let local = days * 86400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Some(local - i64::from(zone as i8) * 900)
}

impl FileSystem for Iso {
    type Node = Node;

    fn facts(&self) -> &Facts {
        &self.facts
    }
    fn root(&self) -> Node {
        self.root.clone()
    }
    fn minds_case(&self) -> bool {
        matches!(self.names, Names::Rock(_))
    }

    fn read_folder(&self, folder: &Node, visit: &mut Visit<'_, Node>) -> Outcome<()> {
        if folder.kind != Kind::Folder {
            return Err(Fault::NotAFolder);
        }
        // A file of several pieces has a record for each.
        let mut begun: Vec<(u64, u64)> = Vec::new();
        self.records(folder, &mut |record| {
            let extras = self.extras(record)?;
            if extras.relocated {
                return Ok(());
            }
            let mut node = match extras.child {
                Some(sector) => self.moved(sector)?,
                None => record_node(record),
            };
            node.extents.splice(0..0, begun.drain(..));
            if record[25] & FLAG_MORE != 0 && node.extents.len() < EXTENTS_MAX {
                begun = node.extents;
                return Ok(());
            }
            node.kind = extras.kind.unwrap_or(node.kind);
            node.modified = extras.modified.or(node.modified);
            node.target = extras.target;
            node.packed = extras.packed;
            let name = if extras.name.is_empty() {
                self.name(record)
            } else {
                extras.name
            };
            if name.is_empty() || name == b"." || name == b".." {
                return Ok(());
            }
            visit(Found { name, node })
        })
    }

    fn stat(&self, node: &Node) -> Outcome<Stat> {
        let size = node.extents.iter().map(|(_, length)| *length).sum();
        Ok(Stat {
            kind: node.kind,
            size: if node.kind == Kind::File { size } else { 0 },
            modified: node.modified,
        })
    }

    fn link_target(&self, node: &Node) -> Outcome<Vec<u8>> {
        Ok(node.target.clone())
    }

    fn read_file(&self, node: &Node, sink: &mut dyn Sink) -> Outcome<()> {
        if node.packed {
            return Err(Fault::Unsupported(
                "it is compressed on the medium (zisofs)".into(),
            ));
        }
        for (offset, length) in &node.extents {
            let mut at = 0;
            while at < *length {
                let piece = self.region.piece(offset + at, CONTENT_PIECE.min(length - at))?;
                at += piece.len() as u64;
                crate::zeros::send(&piece, sink)?;
            }
        }
        Ok(())
    }
}
