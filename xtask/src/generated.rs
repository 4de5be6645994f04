//! Files made from the code: written by a chore, compared by its `--check`.

use std::{fs, path::Path};

/// Writes `content` unless the file holds it already.
///
/// # Errors
/// The content could not be made or written.
pub fn write(path: &Path, content: &Result<String, String>) -> Result<Vec<String>, String> {
    let content = content.as_ref().map_err(Clone::clone)?;
    if fs::read_to_string(path).is_ok_and(|now| now == *content) {
        return Ok(Vec::new());
    }
    fs::write(path, content).map_err(|error| format!("{}: {error}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(Vec::new())
}

/// A problem when the file does not hold `content`.
///
/// # Errors
/// The content could not be made.
pub fn check(path: &Path, content: &Result<String, String>, chore: &str) -> Result<Vec<String>, String> {
    let content = content.as_ref().map_err(Clone::clone)?;
    let now = fs::read_to_string(path).unwrap_or_default();
    if now == *content {
        return Ok(Vec::new());
    }
    let line = now
        .lines()
        .zip(content.lines())
        .take_while(|(old, new)| old == new)
        .count()
        + 1;
    Ok(vec![format!(
        "{} is not what the code says (first difference in line {line}). Run: cargo run -p xtask -- {chore}",
        path.display()
    )])
}
