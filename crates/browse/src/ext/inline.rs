//! Small files and folders that are inside of their inode: 60 bytes where the map would be, the rest as the value of the
//! attribute `system.data` behind the inode's fields.

use super::Inode;
use crate::source::{bytes_at, le16, le32};

const ATTRIBUTES: u32 = 0xea02_0000;
/// Number for the beginning `system.` of a name.
const SYSTEM: u8 = 7;

/// What does not fit into the 60 bytes.
pub(super) fn rest(inode: &Inode) -> &[u8] {
    let start = 128 + inode.extra_size();
    if le32(&inode.bytes, start) != ATTRIBUTES {
        return &[];
    }
    let area = inode.bytes.get(start + 4..).unwrap_or_default();
    let mut at = 0;
    // The list ends with four zeros.
    while at + 16 <= area.len() && le32(area, at) != 0 {
        let length = usize::from(area[at]);
        if area[at + 1] == SYSTEM && bytes_at(area, at + 16, length) == b"data" {
            return bytes_at(area, usize::from(le16(area, at + 2)), le32(area, at + 8) as usize);
        }
        at += (16 + length).next_multiple_of(4);
    }
    &[]
}

/// The first `size` bytes, or fewer.
pub(super) fn content(inode: &Inode, size: usize) -> Vec<u8> {
    let mut content = inode.block().to_vec();
    content.extend_from_slice(rest(inode));
    content.truncate(size);
    content
}
