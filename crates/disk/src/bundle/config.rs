//! Descriptions that are lists of keys and values: VMware's and quickemu's.

use super::invalid;
use nestbox_model::Result;

/// Lines of a description.
pub(super) const LINES_MAX: usize = 4096;
/// Bytes of a line.
pub(super) const LINE_MAX: usize = 8192;

/// The lines, as long as there are not too many and none is too long.
///
/// # Errors
/// `bundle-invalid`.
pub(super) fn lines(text: &str) -> Result<Vec<&str>> {
    let lines: Vec<&str> = text.lines().take(LINES_MAX + 1).map(str::trim).collect();
    if lines.len() > LINES_MAX || lines.iter().any(|line| line.len() > LINE_MAX) {
        return Err(invalid("it is impossibly long"));
    }
    Ok(lines)
}

/// The text; these programs write nothing but UTF-8 (or another code that agrees with it in what is kept).
///
/// # Errors
/// `bundle-invalid`.
pub(super) fn utf_8(bytes: &[u8]) -> Result<&str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|_| invalid("it has letters that are no UTF-8"))
}
