//! NTFS: file records ([`record`]), their content ([`stream`], [`lznt1`]) and folders ([`index`]); only reads.
//!
//! Written anew: the library that there is knows neither compressed files nor how much of a file was ever written, and
//! would hand out wrong content for both.

mod index;
mod lznt1;
mod record;
mod stream;

use crate::fat::UNCLEAN;
use crate::filesystem::{Facts, Fault, FileSystem, Kind, Outcome, Sink, Stat, Visit, damaged};
use crate::source::{Region, le16, le32, le64};
use record::{Attribute, Record, kind};
use std::cell::RefCell;
use stream::Stream;

const MFT: u64 = 0;
const VOLUME: u64 = 3;
const ROOT: u64 = 5;
/// Records below this are the file system's own.
const SYSTEM_RECORDS: u64 = 16;
/// Records that an attribute list may name.
const EXTENSIONS_MAX: usize = 4096;
/// Longest attribute list, bytes.
const LIST_MAX: u64 = 1 << 20;
/// Seconds between 1601 and 1970.
const EPOCH: i64 = 11_644_473_600;

/// Set in a file's attributes when its meaning is that of its reparse point.
const REPARSE: u32 = 0x400;
const TAG_MOUNT_POINT: u32 = 0xa000_0003;
const TAG_SYMLINK: u32 = 0xa000_000c;
const TAG_LX_SYMLINK: u32 = 0xa000_001d;
/// Sparse attributes only point at where the content is, but for these, which add to a file that is all there.
const TAGS_HARMLESS: [u32; 1] = [0x8000_0025];

pub(crate) struct Ntfs {
    region: Region,
    sector: u64,
    cluster_size: u64,
    record_size: u64,
    /// Content of the table of records.
    table: Stream,
    facts: Facts,
    /// The record that was read last: listing asks for its facts and then for its content.
    last: RefCell<Option<(u64, Record)>>,
}

impl Ntfs {
    pub fn open(region: &Region) -> Outcome<Self> {
        let boot = region.piece(0, 512)?;
        let sector = u64::from(le16(&boot, 11));
        let per_cluster = match boot[13] {
            count @ 0..=0x80 => u64::from(count),
            power => 1u64.checked_shl(u32::from(power.wrapping_neg())).unwrap_or(0),
        };
        let cluster_size = sector.saturating_mul(per_cluster);
        let sane = (256..=4096).contains(&sector)
            && sector.is_power_of_two()
            && cluster_size.is_power_of_two()
            && (sector..=2 << 20).contains(&cluster_size);
        if !sane {
            return damaged("its boot sector makes no sense");
        }
        let record_size = match boot[64] as i8 {
            clusters @ 1.. => clusters as u64 * cluster_size,
            power => 1u64.checked_shl(u32::from(power.unsigned_abs())).unwrap_or(0),
        };
        if !(512..=64 << 10).contains(&record_size) {
            return damaged("its records have an impossible size");
        }
        let table_offset = le64(&boot, 48).saturating_mul(cluster_size);
        let first = Record::parse(region.piece(table_offset, record_size)?)?;
        let mut ntfs = Self {
            region: region.clone(),
            sector,
            cluster_size,
            record_size,
            table: Stream::of(&first.attributes(kind::DATA, "")?)?,
            facts: Facts {
                filesystem: "ntfs",
                ..Facts::default()
            },
            last: RefCell::new(None),
        };
        // A table in many pieces: the pieces that follow are in records that the first ones already reach.
        let all = ntfs.attributes(MFT, kind::DATA, "")?;
        ntfs.table = Stream::of(&all)?;
        ntfs.read_facts()?;
        Ok(ntfs)
    }

    fn read_facts(&mut self) -> Outcome<()> {
        let record = self.record(VOLUME)?;
        if let Some(name) = record.attributes(kind::VOLUME_NAME, "")?.first() {
            let units = name.resident().chunks_exact(2).map(|pair| le16(pair, 0));
            let label = crate::names::shown(&crate::filesystem::from_utf16(units));
            self.facts.label = (!label.is_empty()).then_some(label);
        }
        if let Some(information) = record.attributes(kind::VOLUME_INFORMATION, "")?.first()
            && le16(information.resident(), 10) & 1 != 0
        {
            self.facts.notes.push(UNCLEAN.into());
        }
        Ok(())
    }

    /// A file's record by its number.
    fn record(&self, number: u64) -> Outcome<Record> {
        if let Some((last, record)) = &*self.last.borrow()
            && *last == number
        {
            return Ok(record.clone());
        }
        let offset = number.checked_mul(self.record_size).ok_or(Fault::NotFound)?;
        let mut bytes = vec![0; self.record_size as usize];
        self.table.read_at(self, offset, &mut bytes)?;
        let record = Record::parse(bytes)?;
        *self.last.borrow_mut() = Some((number, record.clone()));
        Ok(record)
    }

    /// A file's record in use.
    fn file(&self, number: u64) -> Outcome<Record> {
        let record = self.record(number)?;
        if record.in_use() && record.base() == 0 {
            Ok(record)
        } else {
            damaged("a folder names a file that is not there")
        }
    }

    /// The attributes of one type and name of a file, wherever they are, by the cluster they begin with.
    fn attributes(&self, number: u64, wanted: u32, name: &str) -> Outcome<Vec<Attribute>> {
        let record = self.record(number)?;
        let mut attributes = record.attributes(wanted, name)?;
        for other in self.extensions(number, &record, wanted)? {
            let extension = self.record(other)?;
            if extension.in_use() && extension.base() == number {
                attributes.append(&mut extension.attributes(wanted, name)?);
            }
        }
        attributes.sort_by_key(|attribute| attribute.first_cluster);
        Ok(attributes)
    }

    /// Records that the attribute list, if there is one, names for a type.
    fn extensions(&self, number: u64, record: &Record, wanted: u32) -> Outcome<Vec<u64>> {
        let Some(list) = record.attributes(kind::ATTRIBUTE_LIST, "")?.pop() else {
            return Ok(Vec::new());
        };
        let list = Stream::of(&[list])?;
        if list.size() > LIST_MAX {
            return damaged("the list of a file's attributes is impossibly long");
        }
        let mut bytes = vec![0; list.size() as usize];
        list.read_at(self, 0, &mut bytes)?;
        let mut records = Vec::new();
        let mut at = 0;
        while at + 26 <= bytes.len() {
            let length = usize::from(le16(&bytes, at + 4));
            let other = le64(&bytes, at + 16) & RECORD_BITS;
            if le32(&bytes, at) == wanted && other != number && !records.contains(&other) {
                if records.len() == EXTENSIONS_MAX {
                    return damaged("a file's attributes are in too many records");
                }
                records.push(other);
            }
            if length < 26 {
                break;
            }
            at += length;
        }
        Ok(records)
    }

    fn stream(&self, number: u64, wanted: u32, name: &str) -> Outcome<Option<Stream>> {
        let attributes = self.attributes(number, wanted, name)?;
        if attributes.is_empty() {
            return Ok(None);
        }
        Stream::of(&attributes).map(Some)
    }

    /// The tag and the data of a file's reparse point.
    fn reparse(&self, number: u64) -> Outcome<Option<(u32, Vec<u8>)>> {
        let Some(stream) = self.stream(number, kind::REPARSE_POINT, "")? else {
            return Ok(None);
        };
        let mut bytes = vec![0; stream.size().min(16 << 10) as usize];
        stream.read_at(self, 0, &mut bytes)?;
        Ok(Some((
            le32(&bytes, 0),
            bytes.get(8..).unwrap_or_default().to_vec(),
        )))
    }
}

/// A reference to a record is its number and how often it was used anew.
const RECORD_BITS: u64 = 0x0000_ffff_ffff_ffff;

fn is_link(tag: u32) -> bool {
    matches!(tag, TAG_MOUNT_POINT | TAG_SYMLINK | TAG_LX_SYMLINK)
}

/// Where a link points: the name to show, or the name to use where there is none.
fn link_target(tag: u32, data: &[u8]) -> Vec<u8> {
    if tag == TAG_LX_SYMLINK {
        return data.get(4..).unwrap_or_default().to_vec();
    }
    let names = if tag == TAG_SYMLINK { 12 } else { 8 };
    let name = |at: usize| {
        let (start, length) = (usize::from(le16(data, at)), usize::from(le16(data, at + 2)));
        let bytes = crate::source::bytes_at(data, names + start, length);
        crate::filesystem::from_utf16(bytes.chunks_exact(2).map(|pair| le16(pair, 0)))
    };
    let shown = name(4);
    if shown.is_empty() { name(0) } else { shown }
}

impl FileSystem for Ntfs {
    type Node = u64;

    fn facts(&self) -> &Facts {
        &self.facts
    }
    fn root(&self) -> u64 {
        ROOT
    }
    fn follows_links(&self) -> bool {
        false
    }
    fn minds_case(&self) -> bool {
        false
    }

    fn read_folder(&self, folder: &u64, visit: &mut Visit<'_, u64>) -> Outcome<()> {
        if !self.file(*folder)?.is_folder() {
            return Err(Fault::NotAFolder);
        }
        index::read(self, *folder, visit)
    }

    fn stat(&self, node: &u64) -> Outcome<Stat> {
        let record = self.file(*node)?;
        let standard = record.attributes(kind::STANDARD_INFORMATION, "")?.pop();
        let standard = standard.as_ref().map(Attribute::resident).unwrap_or_default();
        let ticks = le64(standard, 8) / 10_000_000;
        let modified = (ticks > 0).then(|| i64::try_from(ticks).unwrap_or(i64::MAX) - EPOCH);
        let is_link =
            le32(standard, 32) & REPARSE != 0 && self.reparse(*node)?.is_some_and(|(tag, _)| is_link(tag));
        let kind = match (is_link, record.is_folder()) {
            (true, _) => Kind::Link,
            (_, true) => Kind::Folder,
            _ => Kind::File,
        };
        let size = match kind {
            Kind::File => self
                .stream(*node, kind::DATA, "")?
                .map_or(0, |stream| stream.size()),
            _ => 0,
        };
        Ok(Stat { kind, size, modified })
    }

    fn link_target(&self, node: &u64) -> Outcome<Vec<u8>> {
        let (tag, data) = self.reparse(*node)?.ok_or(Fault::NotFound)?;
        Ok(link_target(tag, &data))
    }

    fn read_file(&self, node: &u64, sink: &mut dyn Sink) -> Outcome<()> {
        if let Some((tag, _)) = self.reparse(*node)?
            && !TAGS_HARMLESS.contains(&tag)
        {
            return Err(Fault::Unsupported(match tag {
                0x8000_0017 => "Windows compressed it as part of the system".into(),
                0x8000_0013 => "Windows removed duplicates from it".into(),
                tag => format!("its content is kept elsewhere (reparse point {tag:#010x})"),
            }));
        }
        match self.stream(*node, kind::DATA, "")? {
            Some(stream) => stream.send(self, sink),
            None => Ok(()),
        }
    }
}
