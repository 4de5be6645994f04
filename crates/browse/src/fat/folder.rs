//! Folders of FAT12, FAT16 and FAT32, with long names.

use super::{Fat, Kind, Node, Outcome, Place, Width, seconds};
use crate::filesystem::from_utf16;
use crate::source::{le16, le32};

const LABEL: u8 = 0x08;
const FOLDER: u8 = 0x10;
const LONG: u8 = 0x0f;
/// UTF-16 units in one entry of a long name, and most entries.
const UNITS: usize = 13;
const LONG_MAX: usize = 20;

/// Calls `visit` with every file and folder.
pub(super) fn read(
    fat: &Fat,
    folder: &Node,
    visit: &mut dyn FnMut(Vec<u8>, Node) -> Outcome<()>,
) -> Outcome<()> {
    let mut long = LongName::default();
    fat.entries(folder, &mut |entry| {
        let attributes = entry[11];
        match entry[0] {
            0 => return Ok(false),
            0xe5 => long.clear(),
            _ if attributes & 0x3f == LONG => long.add(entry),
            _ if attributes & LABEL != 0 => long.clear(),
            _ => {
                let name = long.take(entry).unwrap_or_else(|| short_name(entry));
                if name != b"." && name != b".." {
                    visit(name, node(fat, entry))?;
                }
            }
        }
        Ok(true)
    })
}

/// The volume's name: an entry of the root folder.
pub(super) fn label(fat: &Fat) -> Outcome<Option<String>> {
    let mut label = None;
    fat.entries(&fat.root, &mut |entry| {
        let is_label = entry[11] & 0x3f != LONG && entry[11] & LABEL != 0 && entry[0] != 0xe5;
        if is_label && entry[0] != 0 {
            label = Some(crate::names::shown(entry[..11].trim_ascii_end()));
        }
        Ok(entry[0] != 0 && label.is_none())
    })?;
    Ok(label)
}

fn node(fat: &Fat, entry: &[u8]) -> Node {
    let high = if fat.width == Width::Fat32 {
        u32::from(le16(entry, 20))
    } else {
        0
    };
    let first = high << 16 | u32::from(le16(entry, 26));
    let is_folder = entry[11] & FOLDER != 0;
    // The parent of a first-level folder is cluster 0, which is the root.
    let place = if is_folder && first == 0 {
        fat.root.place
    } else {
        Place::Chain(first)
    };
    let size = if is_folder { 0 } else { u64::from(le32(entry, 28)) };
    Node {
        place,
        kind: if is_folder { Kind::Folder } else { Kind::File },
        size,
        written: size,
        modified: seconds(le16(entry, 24), le16(entry, 22)),
    }
}

/// A name of 8 and 3 letters. Bytes beyond ASCII are of a code page that the volume does not name; they stay bytes.
fn short_name(entry: &[u8]) -> Vec<u8> {
    let mut base = entry[..8].trim_ascii_end().to_vec();
    if base.first() == Some(&5) {
        base[0] = 0xe5;
    }
    let mut end = entry[8..11].trim_ascii_end().to_vec();
    if entry[12] & 8 != 0 {
        base.make_ascii_lowercase();
    }
    if entry[12] & 0x10 != 0 {
        end.make_ascii_lowercase();
    }
    if !end.is_empty() {
        base.push(b'.');
        base.append(&mut end);
    }
    base
}

/// The parts of a long name, which come last first, before the entry they belong to.
#[derive(Default)]
struct LongName {
    parts: Vec<[u16; UNITS]>,
    sum: u8,
    expected: u8,
}

impl LongName {
    fn clear(&mut self) {
        self.parts.clear();
        self.expected = 0;
    }

    fn add(&mut self, entry: &[u8]) {
        let number = entry[0] & 0x3f;
        if entry[0] & 0x40 != 0 {
            self.clear();
            self.sum = entry[13];
            self.expected = number;
        }
        if number == 0 || number != self.expected || entry[13] != self.sum || self.parts.len() == LONG_MAX {
            self.clear();
            return;
        }
        self.expected -= 1;
        let mut part = [0; UNITS];
        let places = (1..11)
            .step_by(2)
            .chain((14..26).step_by(2))
            .chain((28..32).step_by(2));
        for (unit, at) in part.iter_mut().zip(places) {
            *unit = le16(entry, at);
        }
        self.parts.push(part);
    }

    /// The name if its parts are complete and belong to this entry.
    fn take(&mut self, entry: &[u8]) -> Option<Vec<u8>> {
        let complete = self.expected == 0 && !self.parts.is_empty() && self.sum == checksum(&entry[..11]);
        let units = self.parts.iter().rev().flatten().copied();
        let name = complete.then(|| from_utf16(units.take_while(|unit| *unit != 0)));
        self.clear();
        name.filter(|name| !name.is_empty())
    }
}

fn checksum(short: &[u8]) -> u8 {
    short
        .iter()
        .fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}
