//! File records and the attributes in them.

use crate::filesystem::{Outcome, damaged, from_utf16};
use crate::source::{bytes_at, le16, le32, le64};

/// Types of attributes.
pub(super) mod kind {
    pub const STANDARD_INFORMATION: u32 = 0x10;
    pub const ATTRIBUTE_LIST: u32 = 0x20;
    pub const VOLUME_NAME: u32 = 0x60;
    pub const VOLUME_INFORMATION: u32 = 0x70;
    pub const DATA: u32 = 0x80;
    pub const INDEX_ROOT: u32 = 0x90;
    pub const INDEX_ALLOCATION: u32 = 0xa0;
    pub const BITMAP: u32 = 0xb0;
    pub const REPARSE_POINT: u32 = 0xc0;
}

/// Sequence numbers stand at the end of every so many bytes, whatever the disk's sectors are.
const STRIDE: usize = 512;

/// Puts back the last two bytes of every 512, which hold a sequence number on disk; a wrong one means that the record was
/// not written completely.
pub(super) fn fix_up(bytes: &mut [u8]) -> Outcome<()> {
    let (array, count) = (usize::from(le16(bytes, 4)), usize::from(le16(bytes, 6)));
    let number = bytes_at(bytes, array, 2).to_vec();
    let saved = bytes_at(bytes, array + 2, count.saturating_sub(1) * 2).to_vec();
    if number.len() != 2 || saved.len() / 2 * STRIDE != bytes.len() {
        return damaged("a record has no sound sequence numbers");
    }
    for (place, saved) in bytes.chunks_exact_mut(STRIDE).zip(saved.chunks_exact(2)) {
        if place[STRIDE - 2..] != number {
            return damaged("a record was written only in part");
        }
        place[STRIDE - 2..].copy_from_slice(saved);
    }
    Ok(())
}

#[derive(Clone)]
pub(super) struct Record(Vec<u8>);

impl Record {
    pub fn parse(mut bytes: Vec<u8>) -> Outcome<Self> {
        if bytes.get(..4) != Some(b"FILE") {
            return damaged("a file's record is none");
        }
        fix_up(&mut bytes)?;
        Ok(Self(bytes))
    }

    pub fn in_use(&self) -> bool {
        le16(&self.0, 22) & 1 != 0
    }
    pub fn is_folder(&self) -> bool {
        le16(&self.0, 22) & 2 != 0
    }
    /// Number of the record that this one adds to; 0 for none.
    pub fn base(&self) -> u64 {
        le64(&self.0, 32) & super::RECORD_BITS
    }

    /// The attributes of one type and name in this record.
    pub fn attributes(&self, wanted: u32, name: &str) -> Outcome<Vec<Attribute>> {
        let mut found = Vec::new();
        let used = (le32(&self.0, 24) as usize).min(self.0.len());
        let mut at = usize::from(le16(&self.0, 20));
        while at + 16 <= used {
            let (kind, length) = (le32(&self.0, at), le32(&self.0, at + 4) as usize);
            if kind == u32::MAX {
                break;
            }
            let bytes = bytes_at(&self.0, at, length);
            if bytes.len() < 16 || at + length > used {
                return damaged("an attribute of a file is cut off");
            }
            if kind == wanted && own_name(bytes) == name.as_bytes() {
                found.push(Attribute::parse(bytes));
            }
            at += length;
        }
        Ok(found)
    }
}

fn own_name(attribute: &[u8]) -> Vec<u8> {
    let (length, at) = (usize::from(attribute[9]), usize::from(le16(attribute, 10)));
    from_utf16(
        bytes_at(attribute, at, length * 2)
            .chunks_exact(2)
            .map(|pair| le16(pair, 0)),
    )
}

/// An attribute, or the part of one that a record holds.
#[derive(Clone)]
pub(super) struct Attribute {
    pub flags: u16,
    /// First cluster of its content that this part is about.
    pub first_cluster: u64,
    /// The content itself.
    resident: Option<Vec<u8>>,
    /// Where the content is, as it is stored.
    pub run_list: Vec<u8>,
    /// Clusters in a unit of compression as a power of two; 0 for none.
    pub unit_power: u16,
    /// Bytes of the content.
    pub size: u64,
    /// Bytes that were ever written; what follows reads as zeros.
    pub written: u64,
}

impl Attribute {
    fn parse(bytes: &[u8]) -> Self {
        let is_resident = bytes[8] == 0;
        let mut attribute = Self {
            flags: le16(bytes, 12),
            first_cluster: 0,
            resident: None,
            run_list: Vec::new(),
            unit_power: 0,
            size: 0,
            written: 0,
        };
        if is_resident {
            let content = bytes_at(bytes, usize::from(le16(bytes, 20)), le32(bytes, 16) as usize);
            attribute.size = content.len() as u64;
            attribute.written = attribute.size;
            attribute.resident = Some(content.to_vec());
        } else {
            attribute.first_cluster = le64(bytes, 16);
            attribute.run_list = bytes
                .get(usize::from(le16(bytes, 32))..)
                .unwrap_or_default()
                .to_vec();
            attribute.unit_power = le16(bytes, 34);
            attribute.size = le64(bytes, 48);
            attribute.written = le64(bytes, 56);
        }
        attribute
    }

    pub fn is_resident(&self) -> bool {
        self.resident.is_some()
    }

    /// The content, where it is in the record.
    pub fn resident(&self) -> &[u8] {
        self.resident.as_deref().unwrap_or_default()
    }
}
