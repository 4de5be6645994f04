//! Rock Ridge: POSIX names, kinds, links and times in the fields behind each record (SUSP 1.12, RRIP 1.12).

use crate::filesystem::{Kind, Outcome};
use crate::iso::{SECTOR, short_date};
use crate::source::{Region, bytes_at, le32};

/// Most areas that one record's fields may be spread over, and longest area, bytes.
const AREAS_MAX: usize = 16;
const AREA_MAX: u64 = 64 << 10;
/// Longest name and longest target kept, bytes.
const NAME_MAX: usize = 1024;
const TARGET_MAX: usize = 4096;

/// What the fields say.
#[derive(Debug, Default)]
pub(super) struct Extras {
    pub name: Vec<u8>,
    pub kind: Option<Kind>,
    pub modified: Option<i64>,
    pub target: Vec<u8>,
    /// The folder's real place: a sector.
    pub child: Option<u32>,
    /// The record only holds a place for a folder that is shown elsewhere.
    pub relocated: bool,
    /// Compressed by zisofs.
    pub packed: bool,
    /// The target's last component goes on in the next field.
    goes_on: bool,
}

/// Whether the fields of the root's first record begin as Rock Ridge's do; how many bytes are to be passed over elsewhere.
pub(super) fn is_used(fields: &[u8]) -> Option<usize> {
    // CD-ROM XA puts 14 bytes before it.
    [0, 14].into_iter().find_map(|at| {
        let field = bytes_at(fields, at, 7);
        let is = field.starts_with(b"SP\x07\x01\xbe\xef");
        is.then(|| usize::from(field[6]))
    })
}

pub(super) fn read_extras(region: &Region, fields: &[u8]) -> Outcome<Extras> {
    let mut extras = Extras::default();
    let mut area = fields.to_vec();
    for _ in 0..AREAS_MAX {
        let Some((sector, offset, length)) = extras.read_area(&area) else {
            break;
        };
        area = region.piece(
            u64::from(sector) * SECTOR + u64::from(offset),
            u64::from(length).min(AREA_MAX),
        )?;
    }
    Ok(extras)
}

impl Extras {
    /// Reads the fields of one area; where they go on.
    fn read_area(&mut self, area: &[u8]) -> Option<(u32, u32, u32)> {
        let mut next = None;
        let mut at = 0;
        while let Some(length) = area
            .get(at + 2)
            .map(|length| usize::from(*length))
            .filter(|length| *length >= 4)
        {
            let field = bytes_at(area, at, length);
            if field.is_empty() {
                break;
            }
            match &field[..2] {
                b"CE" => next = Some((le32(field, 4), le32(field, 12), le32(field, 20))),
                b"ST" => break,
                b"NM" => self.add_name(field),
                b"PX" => self.kind = Some(kind(le32(field, 4))),
                b"SL" => self.add_target(field),
                b"TF" => self.modified = modified(field).or(self.modified),
                b"CL" => self.child = Some(le32(field, 4)),
                b"RE" => self.relocated = true,
                b"ZF" => self.packed = true,
                _ => {}
            }
            at += length;
        }
        next
    }

    fn add_name(&mut self, field: &[u8]) {
        let flags = field.get(4).copied().unwrap_or(0);
        // 2 and 4 are the folder itself and its parent.
        if flags & 6 == 0 && self.name.len() < NAME_MAX {
            self.name.extend_from_slice(field.get(5..).unwrap_or_default());
        }
    }

    fn add_target(&mut self, field: &[u8]) {
        let mut at = 5;
        while let Some([flags, length]) = field
            .get(at..at + 2)
            .and_then(|head| <[u8; 2]>::try_from(head).ok())
        {
            let content = bytes_at(field, at + 2, usize::from(length));
            if self.target.len() > TARGET_MAX {
                return;
            }
            if !self.goes_on && !self.target.is_empty() && self.target != b"/" {
                self.target.push(b'/');
            }
            match flags & 0xe {
                2 => self.target.push(b'.'),
                4 => self.target.extend_from_slice(b".."),
                8 => self.target = b"/".to_vec(),
                _ => self.target.extend_from_slice(content),
            }
            self.goes_on = flags & 1 != 0;
            at += 2 + usize::from(length);
        }
    }
}

fn kind(mode: u32) -> Kind {
    match mode & 0o17_0000 {
        0o10_0000 => Kind::File,
        0o4_0000 => Kind::Folder,
        0o12_0000 => Kind::Link,
        _ => Kind::Other,
    }
}

/// Times come in a fixed order, those that are there: creation (1), modification (2), …; long ones (0x80) are text.
fn modified(field: &[u8]) -> Option<i64> {
    let flags = *field.get(4)?;
    if flags & 2 == 0 || flags & 0x80 != 0 {
        return None;
    }
    let at = 5 + if flags & 1 != 0 { 7 } else { 0 };
    short_date(bytes_at(field, at, 7))
}
