//! Folders: an index of names, its first node in the folder's record and the others in blocks. All blocks that are in use
//! are read one after the other; the order of the tree is not needed.

use super::record::{fix_up, kind};
use super::{Ntfs, RECORD_BITS, SYSTEM_RECORDS};
use crate::filesystem::{Found, Outcome, Visit, damaged, from_utf16};
use crate::source::{bytes_at, le16, le32, le64};

const NAME: &str = "$I30";
/// Names of the old 8.3 kind that Windows adds to a long name.
const NAMESPACE_DOS: u8 = 2;
const ENTRY_LAST: u16 = 2;
/// Largest block, and most bytes of a folder's blocks.
const BLOCK_MAX: u64 = 64 << 10;
const BLOCKS_BYTES_MAX: u64 = 4 << 30;
/// Longest bitmap of blocks: what the above needs at 512 bytes a block.
const BITMAP_MAX: u64 = 1 << 20;

/// Calls `visit` with every entry of a folder.
pub(super) fn read(ntfs: &Ntfs, folder: u64, visit: &mut Visit<'_, u64>) -> Outcome<()> {
    let Some(root) = ntfs
        .attributes(folder, kind::INDEX_ROOT, NAME)?
        .into_iter()
        .next()
    else {
        return damaged("a folder has no index");
    };
    let root = root.resident();
    let block_size = u64::from(le32(root, 8));
    node(root.get(16..).unwrap_or_default(), visit)?;
    let Some(blocks) = ntfs.stream(folder, kind::INDEX_ALLOCATION, NAME)? else {
        return Ok(());
    };
    if block_size < ntfs.sector.max(512) || block_size > BLOCK_MAX || blocks.size() > BLOCKS_BYTES_MAX {
        return damaged("a folder's index has impossible sizes");
    }
    let used = match ntfs.stream(folder, kind::BITMAP, NAME)? {
        Some(bitmap) if bitmap.size() <= BITMAP_MAX => {
            let mut bytes = vec![0; bitmap.size() as usize];
            bitmap.read_at(ntfs, 0, &mut bytes)?;
            bytes
        }
        _ => return damaged("a folder's index does not say what is in use"),
    };
    let mut block = vec![0; block_size as usize];
    for index in 0..blocks.size() / block_size {
        let in_use = used
            .get((index / 8) as usize)
            .is_some_and(|bits| bits >> (index % 8) & 1 == 1);
        if !in_use {
            continue;
        }
        blocks.read_at(ntfs, index * block_size, &mut block)?;
        if block.get(..4) != Some(b"INDX") {
            return damaged("a block of a folder's index is none");
        }
        fix_up(&mut block)?;
        node(&block[24..], visit)?;
    }
    Ok(())
}

/// Reads a node's entries; `node` begins with its header.
fn node(node: &[u8], visit: &mut Visit<'_, u64>) -> Outcome<()> {
    let mut at = le32(node, 0) as usize;
    let end = (le32(node, 4) as usize).min(node.len());
    while at.saturating_add(16) <= end {
        let length = usize::from(le16(node, at + 8));
        let entry = bytes_at(node, at, length);
        if entry.len() < 16 {
            return damaged("an entry of a folder is cut off");
        }
        if le16(entry, 12) & ENTRY_LAST != 0 {
            return Ok(());
        }
        let number = le64(entry, 0) & RECORD_BITS;
        let key = bytes_at(entry, 16, usize::from(le16(entry, 10)));
        let (letters, namespace) = (
            key.get(64).copied().unwrap_or(0),
            key.get(65).copied().unwrap_or(0),
        );
        let name = from_utf16(
            bytes_at(key, 66, usize::from(letters) * 2)
                .chunks_exact(2)
                .map(|pair| le16(pair, 0)),
        );
        if namespace != NAMESPACE_DOS && number >= SYSTEM_RECORDS && !name.is_empty() {
            visit(Found { name, node: number })?;
        }
        at += length;
    }
    Ok(())
}
