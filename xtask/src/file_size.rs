//! Files keep to one job: a length limit for each kind of source, and a list of the exceptions with their reasons.

use crate::tree;
use std::path::Path;

/// Exceptions: `path: reason`, one a line, in this file.
const EXCEPTIONS: &str = "xtask/large-files.txt";

/// Folders looked at.
const FOLDERS: &[&str] = &["crates", "src-tauri", "tests", "ui/src", "xtask"];

/// Most lines of a file with this extension.
fn limit(name: &str) -> Option<usize> {
    let is_test = name.contains("/tests/") || name.contains(".test.") || name.starts_with("tests/");
    let plain = match name.rsplit_once('.')?.1 {
        "rs" => 600,
        "ts" | "tsx" | "mjs" => 400,
        "css" => 600,
        _ => return None,
    };
    Some(if is_test { plain * 3 / 2 } else { plain })
}

/// Files over their limit, and exceptions that are none any more.
///
/// # Errors
/// The list of exceptions can't be read.
pub fn lint(root: &Path) -> Result<Vec<String>, String> {
    let list =
        std::fs::read_to_string(root.join(EXCEPTIONS)).map_err(|error| format!("{EXCEPTIONS}: {error}"))?;
    let files = FOLDERS
        .iter()
        .flat_map(|folder| tree::files(&root.join(folder), &["rs", "ts", "tsx", "mjs", "css"]));
    let sizes = files.map(|path| {
        let lines = std::fs::read_to_string(&path).unwrap_or_default().lines().count();
        (tree::name(root, &path), lines)
    });
    Ok(judge(sizes, &list))
}

fn judge(sizes: impl Iterator<Item = (String, usize)>, exceptions: &str) -> Vec<String> {
    let mut excepted: Vec<(&str, &str)> = exceptions
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.split_once(':').unwrap_or((line, "")))
        .collect();
    let mut problems: Vec<String> = excepted
        .iter()
        .filter(|(_, reason)| reason.trim().is_empty())
        .map(|(path, _)| format!("{EXCEPTIONS}: {path} has no reason"))
        .collect();
    for (name, lines) in sizes {
        let Some(limit) = limit(&name).filter(|limit| lines > *limit) else {
            continue;
        };
        match excepted.iter().position(|(path, _)| *path == name) {
            Some(index) => drop(excepted.swap_remove(index)),
            None => problems.push(format!(
                "{name} has {lines} lines (limit {limit}): does it do two jobs?"
            )),
        }
    }
    problems.extend(
        excepted
            .iter()
            .map(|(path, _)| format!("{EXCEPTIONS}: {path} is no exception any more")),
    );
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(sizes: &[(&str, usize)], exceptions: &str) -> Vec<String> {
        judge(
            sizes.iter().map(|(name, lines)| ((*name).to_owned(), *lines)),
            exceptions,
        )
    }

    #[test]
    fn long_files_need_an_exception_with_a_reason() {
        assert_eq!(
            judged(&[("crates/a/src/x.rs", 600), ("ui/src/y.tsx", 400)], ""),
            Vec::<String>::new()
        );
        assert_eq!(judged(&[("crates/a/src/x.rs", 601)], "").len(), 1);
        assert_eq!(
            judged(&[("crates/a/src/x.rs", 601)], "crates/a/src/x.rs: one table"),
            Vec::<String>::new()
        );
        assert_eq!(
            judged(&[("crates/a/src/x.rs", 601)], "crates/a/src/x.rs:").len(),
            1
        );
    }

    #[test]
    fn tests_may_be_longer_and_old_exceptions_are_found() {
        assert_eq!(judged(&[("crates/a/tests/x.rs", 900)], ""), Vec::<String>::new());
        assert_eq!(
            judged(&[("crates/a/src/x.rs", 10)], "crates/a/src/x.rs: was long"),
            ["xtask/large-files.txt: crates/a/src/x.rs is no exception any more"]
        );
    }
}
