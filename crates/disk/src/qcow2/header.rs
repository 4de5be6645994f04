//! The header of a qcow2 file: parsed within bounds, and judged.

use crate::{
    refuse,
    source::{FileSource, Source, be32, be64, piece},
};
use nestbox_model::{Result, units::TIB};
use std::fs::File;

/// The first four bytes: `QFI\xfb`.
pub(crate) const MAGIC: [u8; 4] = *b"QFI\xfb";
/// Largest disk we take, bytes. QEMU's own limits are beyond every real disk.
const CAPACITY_MAX: u64 = 64 * TIB;
/// QEMU's limits.
const L1_BYTES_MAX: u64 = 32 << 20;
const REFCOUNT_TABLE_BYTES_MAX: u64 = 8 << 20;
const SNAPSHOTS_MAX: u32 = 65_536;
const BITMAPS_MAX: u32 = 65_535;
const BACKING_NAME_MAX: u32 = 1023;
/// Real files have up to five header extensions.
const EXTENSIONS_MAX: usize = 64;

const INCOMPATIBLE_DIRTY: u64 = 1 << 0;
const INCOMPATIBLE_CORRUPT: u64 = 1 << 1;
const INCOMPATIBLE_DATA_FILE: u64 = 1 << 2;
const INCOMPATIBLE_COMPRESSION: u64 = 1 << 3;
const INCOMPATIBLE_EXTENDED_L2: u64 = 1 << 4;
const INCOMPATIBLE_KNOWN: u64 = 0b1_1111;

const EXTENSION_END: u32 = 0;
const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;
const EXTENSION_BITMAPS: u32 = 0x2385_2875;
const EXTENSION_ENCRYPTION: u32 = 0x0537_be77;
const EXTENSION_DATA_FILE: u32 = 0x4441_5441;

/// How clusters are compressed, where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Compression {
    Zlib,
    Zstd,
}

/// A header that was found sound. Whatever is dangerous by itself (encryption, an external data file, unknown
/// features, tables out of bounds) is an error of [`Header::read`]; a backing file is not, see
/// [`Header::refuse_backing_file`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// 2 or 3.
    pub version: u32,
    /// Bytes the guest sees.
    pub capacity: u64,
    /// Clusters are of `1 << cluster_bits` bytes; 9 to 21.
    pub cluster_bits: u32,
    /// Name of the backing file, as it stands there: untrusted text.
    pub backing_file: Option<String>,
    /// Format of the backing file, as it stands there.
    pub backing_format: Option<String>,
    /// Bits a reader must know, all of them known to us.
    pub incompatible: u64,
    /// Bits a reader may ignore.
    pub compatible: u64,
    /// Bits a writer that does not know them must clear.
    pub autoclear: u64,
    /// The image was not closed properly: its reference counts may be stale.
    pub dirty: bool,
    /// L2 entries have subclusters.
    pub extended_l2: bool,
    /// How clusters are compressed.
    pub compression: Compression,
    /// Internal snapshots.
    pub snapshots: u32,
    /// Persistent dirty bitmaps.
    pub bitmaps: u32,
    /// Reference counts have `1 << refcount_order` bits.
    pub refcount_order: u32,
    /// Offset of the active L1 table.
    pub l1_offset: u64,
    /// Entries of the active L1 table.
    pub l1_entries: u32,
    /// Offset of the reference count table.
    pub refcount_table_offset: u64,
    /// Clusters of the reference count table.
    pub refcount_table_clusters: u32,
    /// Offset of the snapshot table.
    pub snapshots_offset: u64,
}

impl Header {
    /// Reads and judges the header of `file`.
    ///
    /// # Errors
    /// `image-truncated`, `image-damaged`, `image-too-large`, `image-empty`, `image-encrypted`,
    /// `image-refers-elsewhere` (an external data file), `image-feature-unsupported`, `format-unsupported`
    /// (version 1), `io-error`.
    pub fn read(file: &File) -> Result<Self> {
        let length = file
            .metadata()
            .map_err(|error| crate::source::unreadable(&error))?
            .len();
        Self::parse(&FileSource { file, length })
    }

    pub(crate) fn parse(source: &dyn Source) -> Result<Self> {
        let length = source.length();
        let first = source
            .piece_up_to(0, 112)
            .map_err(|error| crate::source::unreadable(&error))?;
        if first.len() < 72 {
            return Err(refuse::truncated("it is shorter than its own header"));
        }
        if first[..4] != MAGIC {
            return Err(refuse::damaged("it does not begin as a qcow2 file does"));
        }
        let version = be32(&first, 4);
        let mut header = Self {
            version,
            capacity: be64(&first, 24),
            cluster_bits: be32(&first, 20),
            backing_file: None,
            backing_format: None,
            incompatible: 0,
            compatible: 0,
            autoclear: 0,
            dirty: false,
            extended_l2: false,
            compression: Compression::Zlib,
            snapshots: be32(&first, 60),
            bitmaps: 0,
            refcount_order: 4,
            l1_offset: be64(&first, 40),
            l1_entries: be32(&first, 36),
            refcount_table_offset: be64(&first, 48),
            refcount_table_clusters: be32(&first, 56),
            snapshots_offset: be64(&first, 64),
        };
        let header_length = match version {
            2 => 72,
            3 => header.read_version_3(&first)?,
            1 => {
                return Err(crate::detect::unsupported("the old qcow (version 1)"));
            }
            _ => {
                return Err(refuse::unsupported_feature(format!(
                    "The image is a qcow2 of version {version}; Nestbox knows versions 2 and 3."
                )));
            }
        };
        match be32(&first, 32) {
            0 => {}
            1 | 2 => return Err(refuse::encrypted()),
            other => {
                return Err(refuse::unsupported_feature(format!(
                    "The image uses an unknown encryption method (number {other})."
                )));
            }
        }
        header.judge_sizes(length)?;
        header.read_extensions(source, &first, header_length)?;
        header.judge_tables(length)?;
        Ok(header)
    }

    fn read_version_3(&mut self, first: &[u8]) -> Result<u64> {
        if first.len() < 104 {
            return Err(refuse::truncated("it is shorter than its own header"));
        }
        self.incompatible = be64(first, 72);
        self.compatible = be64(first, 80);
        self.autoclear = be64(first, 88);
        self.refcount_order = be32(first, 96);
        let header_length = be32(first, 100);
        let unknown = self.incompatible & !INCOMPATIBLE_KNOWN;
        if unknown != 0 {
            return Err(refuse::unsupported_feature(format!(
                "The image needs a feature of qcow2 that Nestbox does not know (bit {}).",
                unknown.trailing_zeros()
            )));
        }
        if self.incompatible & INCOMPATIBLE_DATA_FILE != 0 {
            return Err(data_file());
        }
        if self.incompatible & INCOMPATIBLE_CORRUPT != 0 {
            return Err(refuse::damaged("QEMU has marked it as corrupt"));
        }
        self.dirty = self.incompatible & INCOMPATIBLE_DIRTY != 0;
        self.extended_l2 = self.incompatible & INCOMPATIBLE_EXTENDED_L2 != 0;
        if self.refcount_order > 6 {
            return Err(refuse::damaged("its reference counts are wider than 64 bits"));
        }
        if header_length < 104 || !header_length.is_multiple_of(8) {
            return Err(refuse::damaged("the length of its header is impossible"));
        }
        let compression = if header_length > 104 {
            first.get(104).copied().unwrap_or(0)
        } else {
            0
        };
        self.compression = match compression {
            0 => Compression::Zlib,
            1 => Compression::Zstd,
            other => {
                return Err(refuse::unsupported_feature(format!(
                    "The image is compressed in a way Nestbox does not know (number {other})."
                )));
            }
        };
        if (compression != 0) != (self.incompatible & INCOMPATIBLE_COMPRESSION != 0) {
            return Err(refuse::damaged("it contradicts itself about its compression"));
        }
        Ok(u64::from(header_length))
    }

    fn judge_sizes(&self, length: u64) -> Result<()> {
        if !(9..=21).contains(&self.cluster_bits) {
            return Err(refuse::damaged("its cluster size is impossible"));
        }
        if self.extended_l2 && self.cluster_bits < 14 {
            return Err(refuse::damaged("its clusters are too small for subclusters"));
        }
        if self.capacity == 0 {
            return Err(refuse::empty("The image is a disk of 0 bytes."));
        }
        if self.capacity > CAPACITY_MAX {
            return Err(refuse::too_large(format!(
                "its disk has {}, the limit is 64 TiB",
                nestbox_model::units::format_size(self.capacity)
            )));
        }
        if length < self.cluster_size() {
            return Err(refuse::truncated("it ends within its first cluster"));
        }
        Ok(())
    }

    fn read_extensions(&mut self, source: &dyn Source, first: &[u8], header_length: u64) -> Result<()> {
        let name_offset = be64(first, 8);
        let name_length = be32(first, 16);
        let cluster = self.cluster_size();
        if header_length > cluster {
            return Err(refuse::damaged("its header is longer than a cluster"));
        }
        let end = if name_offset == 0 {
            cluster
        } else {
            let name_end = name_offset.checked_add(u64::from(name_length));
            if name_length > BACKING_NAME_MAX
                || name_offset < header_length
                || name_end.is_none_or(|end| end > cluster)
            {
                return Err(refuse::damaged("the name of its backing file is out of bounds"));
            }
            name_offset
        };
        let mut at = header_length;
        for count in 0.. {
            if count == EXTENSIONS_MAX {
                return Err(refuse::damaged("its header has extensions without end"));
            }
            // QEMU writes no end mark where the name follows at once.
            if end - at < 8 {
                break;
            }
            let head = piece(source, at, 8)?;
            let (kind, size) = (be32(&head, 0), u64::from(be32(&head, 4)));
            at += 8;
            if kind == EXTENSION_END {
                break;
            }
            if size > end - at {
                return Err(refuse::damaged("an extension of its header is out of bounds"));
            }
            match kind {
                EXTENSION_BACKING_FORMAT => {
                    if size > 64 {
                        return Err(refuse::damaged("the format of its backing file is no format"));
                    }
                    self.backing_format = Some(text(&piece(source, at, size)?)?);
                }
                EXTENSION_DATA_FILE => return Err(data_file()),
                EXTENSION_ENCRYPTION => return Err(refuse::encrypted()),
                EXTENSION_BITMAPS => self.judge_bitmaps(&piece(source, at, size)?, source.length())?,
                _ => {}
            }
            at += size.next_multiple_of(8).min(end - at);
        }
        if name_offset != 0 && name_length != 0 {
            self.backing_file = Some(text(&piece(source, name_offset, u64::from(name_length))?)?);
        }
        Ok(())
    }

    fn judge_bitmaps(&mut self, data: &[u8], length: u64) -> Result<()> {
        let (count, size, offset) = (be32(data, 0), be64(data, 8), be64(data, 16));
        let inside = offset.checked_add(size).is_some_and(|end| end <= length);
        if data.len() != 24
            || count == 0
            || count > BITMAPS_MAX
            || !inside
            || !offset.is_multiple_of(self.cluster_size())
        {
            return Err(refuse::damaged("the directory of its bitmaps is out of bounds"));
        }
        self.bitmaps = count;
        Ok(())
    }

    fn judge_tables(&self, length: u64) -> Result<()> {
        let cluster = self.cluster_size();
        let inside = |what: &str, offset: u64, size: u64| {
            if !offset.is_multiple_of(cluster) || offset == 0 {
                return Err(refuse::damaged(format_args!(
                    "the place of its {what} is impossible"
                )));
            }
            match offset.checked_add(size) {
                None => Err(refuse::damaged(format_args!(
                    "the place of its {what} is impossible"
                ))),
                Some(end) if end > length => Err(refuse::truncated(&format!(
                    "its {what} lies behind the end of the file"
                ))),
                Some(_) => Ok(()),
            }
        };
        let l1_bytes = u64::from(self.l1_entries) * 8;
        if l1_bytes > L1_BYTES_MAX {
            return Err(refuse::damaged("its L1 table is larger than QEMU allows"));
        }
        if u64::from(self.l1_entries) < self.capacity.div_ceil(self.l2_reach()) {
            return Err(refuse::damaged("its L1 table is too short for its size"));
        }
        inside("L1 table", self.l1_offset, l1_bytes)?;
        let refcount_bytes = u64::from(self.refcount_table_clusters) << self.cluster_bits;
        if refcount_bytes == 0 || refcount_bytes > REFCOUNT_TABLE_BYTES_MAX {
            return Err(refuse::damaged(
                "the size of its reference count table is impossible",
            ));
        }
        inside(
            "reference count table",
            self.refcount_table_offset,
            refcount_bytes,
        )?;
        if self.snapshots > SNAPSHOTS_MAX {
            return Err(refuse::damaged("it claims more snapshots than QEMU allows"));
        }
        if self.snapshots > 0 {
            inside(
                "snapshot table",
                self.snapshots_offset,
                u64::from(self.snapshots) * 40,
            )?;
        }
        Ok(())
    }

    /// Bytes of a cluster.
    pub fn cluster_size(&self) -> u64 {
        1 << self.cluster_bits
    }
    /// Bytes of an L2 entry.
    pub(crate) fn l2_entry_size(&self) -> u64 {
        if self.extended_l2 { 16 } else { 8 }
    }
    /// Bytes of the disk that one L2 table describes.
    pub(crate) fn l2_reach(&self) -> u64 {
        (self.cluster_size() / self.l2_entry_size()) << self.cluster_bits
    }
    /// The image in words: `qcow2 v3, compressed with zstd`.
    pub fn describe(&self) -> String {
        let mut text = format!("qcow2 v{}", self.version);
        if self.compression == Compression::Zstd {
            text.push_str(", zstd");
        }
        if self.extended_l2 {
            text.push_str(", subclusters");
        }
        text
    }

    /// Refuses an image that needs another file, with the command that makes it complete.
    ///
    /// # Errors
    /// `image-refers-elsewhere`.
    pub fn refuse_backing_file(&self) -> Result<()> {
        let Some(name) = &self.backing_file else {
            return Ok(());
        };
        let shown = printable(name);
        Err(refuse::refers_elsewhere(
            format!(
                "The image holds only changes to another file, “{shown}”, and Nestbox does not open files that an \
                 image names."
            ),
            "If you trust both files, join them first: qemu-img convert -O qcow2 IMAGE COMPLETE.qcow2, then import \
             COMPLETE.qcow2.",
        )
        .with_detail("backing_file", shown)
        .with_detail("backing_format", self.backing_format.as_deref().map(printable)))
    }
}

fn data_file() -> nestbox_model::Error {
    refuse::refers_elsewhere(
        "The image keeps its data in another file, and Nestbox does not open files that an image names."
            .into(),
        "If you trust both files, join them first: qemu-img convert -O qcow2 IMAGE COMPLETE.qcow2, then import \
         COMPLETE.qcow2.",
    )
}

fn text(bytes: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        refuse::refers_elsewhere(
            "The image names a backing file in letters that are no Unicode.".into(),
            "Join the image with its backing file first: qemu-img convert -O qcow2 IMAGE COMPLETE.qcow2.",
        )
    })?;
    Ok(text.to_owned())
}

/// Text from a file, safe to show: control and invisible characters replaced, at most 200 characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .take(200)
        .map(|c| {
            let invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
            if c.is_control() || invisible { '\u{fffd}' } else { c }
        })
        .collect()
}
