//! exFAT: its boot sector and its folders, where each file is a set of entries.

use super::{ENTRY, Fat, Node, Place, UNCLEAN, Width, seconds};
use crate::filesystem::{Facts, Kind, Outcome, damaged, from_utf16};
use crate::source::{Region, le16, le32, le64};

const FILE: u8 = 0x85;
const STREAM: u8 = 0xc0;
const NAME: u8 = 0xc1;
const LABEL: u8 = 0x83;
/// Units of a name in one entry.
const UNITS: usize = 15;

pub(super) fn open(region: &Region, boot: &[u8]) -> Outcome<Fat> {
    let (sector_bits, cluster_bits) = (u32::from(boot[108]), u32::from(boot[109]));
    if !(9..=12).contains(&sector_bits) || sector_bits + cluster_bits > 25 {
        return damaged("its boot sector makes no sense");
    }
    let sectors = |at: usize| u64::from(le32(boot, at)) << sector_bits;
    let cluster_size = 1 << (sector_bits + cluster_bits);
    let clusters = u64::from(le32(boot, 92));
    let used = boot[112];
    let mut fat = Fat {
        region: region.clone(),
        width: Width::Exfat,
        table: sectors(80),
        data: sectors(88),
        cluster_size,
        clusters,
        root: Node::folder(Place::Chain(le32(boot, 96))),
        facts: Facts {
            filesystem: "exfat",
            used: (used <= 100).then(|| clusters.saturating_mul(cluster_size) / 100 * u64::from(used)),
            ..Facts::default()
        },
    };
    if le16(boot, 106) & 2 != 0 {
        fat.facts.notes.push(UNCLEAN.into());
    }
    let mut label = None;
    fat.entries(&fat.root, &mut |entry| {
        if entry[0] == LABEL {
            let units = (0..usize::from(entry[1]).min(11)).map(|unit| le16(entry, 2 + unit * 2));
            label = Some(crate::names::shown(&from_utf16(units)));
        }
        Ok(entry[0] != 0 && label.is_none())
    })?;
    fat.facts.label = label.filter(|label| !label.is_empty());
    Ok(fat)
}

/// Calls `visit` with every file and folder.
pub(super) fn read_folder(
    fat: &Fat,
    folder: &Node,
    visit: &mut dyn FnMut(Vec<u8>, Node) -> Outcome<()>,
) -> Outcome<()> {
    let mut set: Vec<[u8; ENTRY]> = Vec::new();
    let mut wanted = 0;
    fat.entries(folder, &mut |entry| {
        match entry[0] {
            0 => return Ok(false),
            FILE => {
                set.clear();
                wanted = 1 + usize::from(entry[1]);
            }
            // In use, and of the set that was begun.
            kind if kind & 0xc0 == 0xc0 && !set.is_empty() => {}
            _ => {
                set.clear();
                wanted = 0;
            }
        }
        if let (Ok(entry), true) = (entry.try_into(), set.len() < wanted) {
            set.push(entry);
        }
        if wanted > 0 && set.len() == wanted {
            if let Some((name, node)) = file(&set) {
                visit(name, node)?;
            }
            set.clear();
            wanted = 0;
        }
        Ok(true)
    })
}

fn file(set: &[[u8; ENTRY]]) -> Option<(Vec<u8>, Node)> {
    let (main, stream) = (set.first()?, set.get(1).filter(|entry| entry[0] == STREAM)?);
    let names = set[2..].iter().filter(|entry| entry[0] == NAME);
    let units = names.flat_map(|entry| (0..UNITS).map(move |unit| le16(entry, 2 + unit * 2)));
    let name = from_utf16(units.take(usize::from(stream[3])));
    let first = le32(stream, 20);
    // The zone is in quarters of an hour, valid when its highest bit is set.
    let zone = if main[23] & 0x80 != 0 {
        i64::from((main[23] << 1) as i8 >> 1) * 900
    } else {
        0
    };
    let node = Node {
        place: if stream[1] & 2 != 0 {
            Place::Run(first)
        } else {
            Place::Chain(first)
        },
        kind: if le16(main, 4) & 0x10 != 0 {
            Kind::Folder
        } else {
            Kind::File
        },
        size: le64(stream, 24),
        written: le64(stream, 8),
        modified: seconds(le16(main, 14), le16(main, 12)).map(|local| local - zone),
    };
    (!name.is_empty() && name != b"." && name != b"..").then_some((name, node))
}
