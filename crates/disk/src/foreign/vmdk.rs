//! VMDK, VMware's format: one file (sparse, or compressed for streaming), or a text that describes where the pieces of
//! the disk lie. VMware's “Virtual Disk Format 5.0” is the specification.

mod descriptor;
mod sparse;

use super::{
    Beside, Opened,
    extents::{Extent, Extents},
    judge_capacity,
};
use crate::{
    detect::{Detector, Fate},
    refuse,
    source::{SharedSource, Source, piece},
};
use descriptor::{Descriptor, ExtentKind, ExtentLine};
use nestbox_model::{Recognised, Result};
use std::{collections::HashSet, sync::Arc};

pub(crate) const DETECTOR: Detector = Detector {
    name: "VMDK",
    found: |p| p.starts(SPARSE_MAGIC) || p.starts(COW_MAGIC) || p.starts(TEXT_MAGIC),
    fate: Fate::Disk(Recognised::Vmdk, open),
};

const SPARSE_MAGIC: &[u8] = b"KDMV";
/// Old ESX delta disks.
const COW_MAGIC: &[u8] = b"COWD";
const TEXT_MAGIC: &[u8] = b"# Disk DescriptorFile";
/// Longest text: a 2 TiB disk in pieces of 2 GiB takes a quarter of it.
const TEXT_MAX: u64 = 256 << 10;

/// # Errors
/// `image-truncated`, `image-damaged`, `image-too-large`, `image-empty`, `image-refers-elsewhere` (a snapshot, a
/// device, a name that is more than a name), `part-missing`, `image-feature-unsupported`, `image-expands`, `io-error`.
pub(crate) fn open(file: SharedSource, beside: &dyn Beside) -> Result<Opened> {
    let magic = file
        .piece_up_to(0, 32)
        .map_err(|error| crate::source::unreadable(&error))?;
    if magic.starts_with(SPARSE_MAGIC) {
        open_single(file)
    } else if magic.starts_with(TEXT_MAGIC) {
        open_described(&*file, beside)
    } else {
        Err(refuse::unsupported_feature(
            "The image is a snapshot or a thin disk of an old ESX server.",
        ))
    }
}

/// `monolithicSparse` and `streamOptimized`.
fn open_single(file: SharedSource) -> Result<Opened> {
    let stored = file.length();
    let header = sparse::Header::read(&*file)?;
    let words = match header.descriptor(&*file)? {
        Some(text) => {
            let descriptor = Descriptor::parse(&text)?;
            descriptor.judge_embedded()?;
            descriptor.words()
        }
        None => {
            return Err(refuse::refers_elsewhere(
                "The file is one piece of a VMDK disk in several files.".into(),
                "Import the small .vmdk file beside it that has no number in its name; it names the pieces.",
            ));
        }
    };
    judge_capacity(header.capacity)?;
    let mut opened = Opened::new(Arc::new(header.open(file)?), words, stored);
    if header.unclean {
        let warning = "The image was not closed properly. If a program still uses it, stop that first.";
        opened.warnings.push(warning.into());
    }
    Ok(opened)
}

fn open_described(file: &dyn Source, beside: &dyn Beside) -> Result<Opened> {
    if file.length() > TEXT_MAX {
        return Err(refuse::damaged("its description is impossibly long"));
    }
    let text = piece(file, 0, file.length())?;
    let descriptor = Descriptor::parse(&text)?;
    descriptor.judge_described()?;
    let (mut names, mut stored) = (HashSet::new(), file.length());
    let mut extents = Vec::new();
    for line in &descriptor.extents {
        let length = line
            .sectors
            .checked_mul(512)
            .ok_or_else(|| refuse::damaged("a piece of it is impossibly long"))?;
        if length == 0 {
            return Err(refuse::damaged("a piece of it is empty"));
        }
        if line.kind != ExtentKind::Zero && !names.insert(line.name.as_str()) {
            return Err(refuse::bomb());
        }
        let extent = open_extent(line, length, beside)?;
        stored = stored.saturating_add(extent.content.as_ref().map_or(0, |content| content.length()));
        extents.push(extent);
    }
    if extents.iter().all(|extent| extent.content.is_none()) {
        return Err(refuse::empty(
            "The image describes a disk of which nothing is stored.",
        ));
    }
    let disk = Extents::new(extents).ok_or_else(|| refuse::too_large("its disk is too long"))?;
    judge_capacity(disk.length())?;
    let mut opened = Opened::new(Arc::new(disk), descriptor.words(), stored);
    opened.several_files = true;
    Ok(opened)
}

fn open_extent(line: &ExtentLine, length: u64, beside: &dyn Beside) -> Result<Extent> {
    let short = |there: u64| {
        refuse::truncated(&format!(
            "its piece {} should hold {length} bytes and holds {there}",
            crate::qcow2::printable(&line.name)
        ))
    };
    match line.kind {
        ExtentKind::Zero => Ok(Extent {
            content: None,
            offset: 0,
            length,
        }),
        ExtentKind::Flat => {
            let offset = line.offset.checked_mul(512).ok_or_else(|| short(0))?;
            let content = beside.open(&line.name)?;
            if offset
                .checked_add(length)
                .is_none_or(|end| end > content.length())
            {
                return Err(short(content.length().saturating_sub(offset)));
            }
            Ok(Extent {
                content: Some(content),
                offset,
                length,
            })
        }
        ExtentKind::Sparse => {
            let content = beside.open(&line.name)?;
            let header = sparse::Header::read(&*content)?;
            if let Some(text) = header.descriptor(&*content)? {
                Descriptor::parse(&text)?.judge_embedded()?;
            }
            if header.capacity < length {
                return Err(short(header.capacity));
            }
            Ok(Extent {
                content: Some(Arc::new(header.open(content)?)),
                offset: 0,
                length,
            })
        }
    }
}
