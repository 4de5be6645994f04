//! FAT12, FAT16, FAT32 and exFAT: a table of clusters, and folders of 32-byte entries. exFAT's folders are in [`exfat`].
//!
//! Written anew because a table with a loop or a nonsensical boot sector must end in an error. Specifications: Microsoft's
//! “FAT: General Overview of On-Disk Format” 1.03 and “exFAT file system specification”.

mod exfat;
mod folder;

use crate::filesystem::{
    CONTENT_PIECE, Facts, Fault, FileSystem, Found, Kind, Outcome, Sink, Stat, Visit, damaged,
    days_since_1970,
};
use crate::source::{Region, le16, le32};

/// Longest folder read, bytes: exFAT's own limit.
const FOLDER_MAX: u64 = 256 << 20;
/// Bytes of an entry of a folder.
const ENTRY: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Fat12,
    Fat16,
    Fat32,
    Exfat,
}

pub(crate) struct Fat {
    region: Region,
    width: Width,
    /// Offset of the table, bytes.
    table: u64,
    /// Offset of cluster 2, bytes.
    data: u64,
    cluster_size: u64,
    clusters: u64,
    root: Node,
    facts: Facts,
}

/// Where a file's or folder's content is, and what its entry says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    place: Place,
    kind: Kind,
    size: u64,
    /// Bytes that were ever written (exFAT); what follows reads as zeros.
    written: u64,
    modified: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The root folder of FAT12 and FAT16 has a fixed place; bytes.
    Fixed { offset: u64, length: u64 },
    /// The first cluster of a chain; 0 for what is empty.
    Chain(u32),
    /// Clusters one behind the other (exFAT).
    Run(u32),
}

impl Fat {
    pub fn open(region: &Region) -> Outcome<Self> {
        let boot = region.piece(0, 512)?;
        if boot.get(3..11) == Some(b"EXFAT   ") {
            return exfat::open(region, &boot);
        }
        let sector = u64::from(le16(&boot, 11));
        let per_cluster = u64::from(boot[13]);
        let reserved = u64::from(le16(&boot, 14));
        let tables = u64::from(boot[16]);
        let root_entries = u64::from(le16(&boot, 17));
        let sectors = either(u64::from(le16(&boot, 19)), u64::from(le32(&boot, 32)));
        let per_table = either(u64::from(le16(&boot, 22)), u64::from(le32(&boot, 36)));
        let plausible = [512, 1024, 2048, 4096].contains(&sector)
            && per_cluster.is_power_of_two()
            && (1..=4).contains(&tables)
            && reserved > 0
            && per_table > 0;
        if !plausible {
            return damaged("its boot sector makes no sense");
        }
        let root_offset = (reserved + tables * per_table) * sector;
        let root_length = (root_entries * ENTRY as u64).next_multiple_of(sector);
        let data = root_offset + root_length;
        let cluster_size = per_cluster * sector;
        let clusters = (sectors * sector).saturating_sub(data) / cluster_size;
        // FAT32 alone has no root folder in a fixed place; the other two differ by the number of clusters.
        let (width, place) = if root_entries == 0 {
            (Width::Fat32, Place::Chain(le32(&boot, 44)))
        } else {
            let place = Place::Fixed {
                offset: root_offset,
                length: root_length,
            };
            (
                if clusters < 4085 {
                    Width::Fat12
                } else {
                    Width::Fat16
                },
                place,
            )
        };
        let mut fat = Self {
            region: region.clone(),
            width,
            table: reserved * sector,
            data,
            cluster_size,
            clusters,
            root: Node::folder(place),
            facts: Facts {
                filesystem: "fat",
                ..Facts::default()
            },
        };
        if fat.is_dirty()? {
            fat.facts.notes.push(UNCLEAN.into());
        }
        fat.facts.label = folder::label(&fat)?;
        Ok(fat)
    }

    /// The second entry of the table has a bit that is cleared while the volume is in use.
    fn is_dirty(&self) -> Outcome<bool> {
        Ok(match self.width {
            Width::Fat16 => le16(&self.region.piece(self.table + 2, 2)?, 0) & 0x8000 == 0,
            Width::Fat32 => le32(&self.region.piece(self.table + 4, 4)?, 0) & 0x0800_0000 == 0,
            Width::Fat12 | Width::Exfat => false,
        })
    }

    /// The cluster behind this one in its chain.
    fn next(&self, cluster: u32) -> Outcome<Option<u32>> {
        let index = u64::from(cluster);
        let (next, end) = match self.width {
            Width::Fat12 => {
                let pair = le16(&self.region.piece(self.table + index * 3 / 2, 2)?, 0);
                let next = if index % 2 == 0 { pair & 0xfff } else { pair >> 4 };
                (u32::from(next), 0xff8)
            }
            Width::Fat16 => {
                let next = le16(&self.region.piece(self.table + index * 2, 2)?, 0);
                (u32::from(next), 0xfff8)
            }
            Width::Fat32 => {
                let next = le32(&self.region.piece(self.table + index * 4, 4)?, 0) & 0x0fff_ffff;
                (next, 0x0fff_fff8)
            }
            Width::Exfat => (
                le32(&self.region.piece(self.table + index * 4, 4)?, 0),
                0xffff_fff8,
            ),
        };
        if next >= end {
            return Ok(None);
        }
        self.check(next).map(Some)
    }

    fn check(&self, cluster: u32) -> Outcome<u32> {
        if cluster < 2 || u64::from(cluster) - 2 >= self.clusters {
            return damaged("a chain of clusters leads nowhere");
        }
        Ok(cluster)
    }

    /// Calls `each` with the runs of bytes that make up a node, in order: offset and length. It says whether to go on.
    fn runs(&self, place: Place, each: &mut dyn FnMut(u64, u64) -> Outcome<bool>) -> Outcome<()> {
        let mut cluster = match place {
            Place::Fixed { offset, length } => return each(offset, length).map(drop),
            Place::Chain(0) | Place::Run(0) => return Ok(()),
            Place::Chain(first) | Place::Run(first) => self.check(first)?,
        };
        // No chain is longer than the volume: a loop ends here.
        for _ in 0..self.clusters {
            let offset = self.data + (u64::from(cluster) - 2) * self.cluster_size;
            if !each(offset, self.cluster_size)? {
                return Ok(());
            }
            cluster = match place {
                Place::Run(_) if u64::from(cluster) - 1 < self.clusters => cluster + 1,
                Place::Run(_) => return damaged("a file is longer than its volume"),
                _ => match self.next(cluster)? {
                    Some(next) => next,
                    None => return Ok(()),
                },
            };
        }
        damaged("a chain of clusters never ends")
    }

    /// Calls `each` with every entry of 32 bytes until it has enough.
    fn entries(&self, folder: &Node, each: &mut dyn FnMut(&[u8]) -> Outcome<bool>) -> Outcome<()> {
        let length = if folder.size == 0 {
            FOLDER_MAX
        } else {
            folder.size.min(FOLDER_MAX)
        };
        let mut left = length;
        self.runs(folder.place, &mut |offset, run| {
            let mut at = 0;
            while at < run.min(left) {
                let piece = self.region.piece(offset + at, CONTENT_PIECE.min(run - at))?;
                at += piece.len() as u64;
                for entry in piece.chunks_exact(ENTRY) {
                    if !each(entry)? {
                        return Ok(false);
                    }
                }
            }
            left = left.saturating_sub(run);
            Ok(left > 0)
        })
    }
}

pub(crate) const UNCLEAN: &str =
    "It was not shut down cleanly: the newest changes may be missing or half written.";

fn either(small: u64, large: u64) -> u64 {
    if small == 0 { large } else { small }
}

impl Node {
    fn folder(place: Place) -> Self {
        Self {
            place,
            kind: Kind::Folder,
            size: 0,
            written: 0,
            modified: None,
        }
    }
}

/// A date and a time as FAT has them; local time of the guest, taken as UTC since no zone is stored.
fn seconds(date: u16, time: u16) -> Option<i64> {
    let days = days_since_1970(
        1980 + i64::from(date >> 9),
        u32::from(date >> 5 & 15),
        u32::from(date & 31),
    )?;
    let (hours, minutes, twos) = (time >> 11, time >> 5 & 63, time & 31);
    Some(days * 86400 + i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(twos) * 2)
}

impl FileSystem for Fat {
    type Node = Node;

    fn facts(&self) -> &Facts {
        &self.facts
    }
    fn root(&self) -> Node {
        self.root.clone()
    }
    fn follows_links(&self) -> bool {
        false
    }
    fn minds_case(&self) -> bool {
        false
    }

    fn read_folder(&self, folder: &Node, visit: &mut Visit<'_, Node>) -> Outcome<()> {
        if folder.kind != Kind::Folder {
            return Err(Fault::NotAFolder);
        }
        let mut visit = |name: Vec<u8>, node: Node| visit(Found { name, node });
        if self.width == Width::Exfat {
            exfat::read_folder(self, folder, &mut visit)
        } else {
            folder::read(self, folder, &mut visit)
        }
    }

    fn stat(&self, node: &Node) -> Outcome<Stat> {
        Ok(Stat {
            kind: node.kind,
            size: if node.kind == Kind::File { node.size } else { 0 },
            modified: node.modified,
        })
    }

    fn link_target(&self, _: &Node) -> Outcome<Vec<u8>> {
        Err(Fault::NotFound)
    }

    fn read_file(&self, node: &Node, sink: &mut dyn Sink) -> Outcome<()> {
        let mut left = node.size.min(node.written);
        if left > 0 {
            self.runs(node.place, &mut |offset, run| {
                let run = run.min(left);
                let mut at = 0;
                while at < run {
                    let piece = self.region.piece(offset + at, CONTENT_PIECE.min(run - at))?;
                    at += piece.len() as u64;
                    crate::zeros::send(&piece, sink)?;
                }
                left -= run;
                Ok(left > 0)
            })?;
        }
        if left > 0 {
            return damaged("a file is shorter than its folder says");
        }
        let behind = node.size.saturating_sub(node.written);
        if behind > 0 { sink.hole(behind) } else { Ok(()) }
    }
}
