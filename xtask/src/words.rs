//! Words that don't belong in the repository: notes of unfinished work, paths of the computer it was built on, lock files
//! that name somebody's own registry.

use std::{fs, path::Path, process::Command};

/// This file, which has to name what it looks for.
const SELF: &str = "xtask/src/words.rs";

/// Notes of unfinished work, as whole words.
const UNFINISHED: &[&str] = &["TODO", "FIXME", "XXX", "unimplemented!", "todo!"];

/// Beginnings of paths that are nobody's but a build machine's.
const MACHINE_PATHS: &[&str] = &["/work/", "/root/"];

/// What a lock file may name as the place of a package.
const REGISTRIES: &[(&str, &str, &str)] = &[
    (
        "Cargo.lock",
        "source = \"",
        "registry+https://github.com/rust-lang/crates.io-index\"",
    ),
    (
        "package-lock.json",
        "\"resolved\": \"",
        "https://registry.npmjs.org/",
    ),
];

/// Each such word with its place, in every text file that git knows or would take.
///
/// # Errors
/// `git ls-files` does not run.
pub fn lint(root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("git ls-files: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(names
        .split('\0')
        .filter(|name| !name.is_empty() && *name != SELF)
        .filter_map(|name| Some((name, fs::read_to_string(root.join(name)).ok()?)))
        .flat_map(|(name, text)| judge(name, &text))
        .collect())
}

fn judge(name: &str, text: &str) -> Vec<String> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let registry = REGISTRIES.iter().find(|(lock, _, _)| *lock == file);
    let mut problems = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let found = match registry {
            Some((_, key, public)) => elsewhere(line, key, public),
            None => out_of_place(line),
        };
        problems.extend(found.map(|what| format!("{name}:{number}: {what}")));
    }
    problems
}

/// A lock file's line that names another registry than the public one.
fn elsewhere(line: &str, key: &str, public: &str) -> Option<String> {
    let (_, place) = line.split_once(key)?;
    (place.contains("://") && !place.starts_with(public))
        .then(|| "a package from elsewhere than the public registry, where everybody can fetch it".to_owned())
}

fn out_of_place(line: &str) -> Option<String> {
    if let Some(note) = UNFINISHED.iter().find(|note| has_word(line, note)) {
        return Some(format!(
            "“{note}”: finish it, or say what is missing where people read it"
        ));
    }
    MACHINE_PATHS
        .iter()
        .find(|path| begins_a_path(line, path))
        .map(|path| format!("“{path}” is a path of one computer"))
}

/// `word` with no letter, digit or underscore beside it.
fn has_word(line: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(joins) && (word.ends_with('!') || !line[at + word.len()..].starts_with(joins))
    })
}

/// `path` where a path begins, not in the middle of another.
fn begins_a_path(line: &str, path: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || "._-/}$~…*".contains(c);
    line.match_indices(path)
        .any(|(at, _)| !line[..at].ends_with(goes_on))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(name: &str, text: &str) -> usize {
        judge(name, text).len()
    }

    #[test]
    fn notes_of_unfinished_work_are_found_as_words() {
        assert_eq!(
            problems("a.rs", "// TODO: more\nlet x = unimplemented!();\n# FIXME\n"),
            3
        );
        assert_eq!(
            problems("a.sh", "mktemp -d /tmp/x.XXXXXX\nlet todos = TODOS;\n"),
            0
        );
        assert_eq!(judge("a.rs", "fine\nTODO")[0].split(": ").next(), Some("a.rs:2"));
    }

    #[test]
    fn paths_of_one_computer_are_found_where_they_begin() {
        assert_eq!(problems("a.md", "see /work/main/x and \"/root/.cargo\"\n"), 1);
        assert_eq!(
            problems("a.sh", "cd $out/work/x; ls /src/root/ target/work/y\n"),
            0
        );
    }

    #[test]
    fn lock_files_name_public_registries_only() {
        let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        assert_eq!(problems("Cargo.lock", public), 0);
        assert_eq!(
            problems("Cargo.lock", "source = \"registry+https://mirror.example/index\""),
            1
        );
        assert_eq!(
            problems("Cargo.lock", "source = \"git+https://example.org/x\""),
            1
        );
        assert_eq!(
            problems(
                "package-lock.json",
                "\"resolved\": \"https://registry.npmjs.org/a/-/a-1.tgz\","
            ),
            0
        );
        assert_eq!(
            problems(
                "package-lock.json",
                "\"resolved\": \"https://npm.example/a/-/a-1.tgz\","
            ),
            1
        );
        assert_eq!(problems("package-lock.json", "\"resolved\": \"ui\","), 0);
    }
}
