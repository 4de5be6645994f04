//! Checksum files in the forms distributions use.

use crate::schema::Algorithm;
use std::cmp::Ordering;

/// One line of a checksum file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Lower-case hexadecimal.
    pub digest: String,
    /// File name; `None` in a file that holds one digest alone.
    pub file: Option<String>,
}

/// Reads `<hash> *<file>`, `<hash>  <file>`, `SHA256 (<file>) = <hash>` and a lone `<hash>`. Lines of another
/// length of digest, comments and everything else are passed over.
pub(crate) fn parse(text: &str, algorithm: Algorithm) -> Vec<Entry> {
    text.lines()
        .take(100_000)
        .filter_map(|line| parse_line(line.trim(), algorithm))
        .collect()
}

fn parse_line(line: &str, algorithm: Algorithm) -> Option<Entry> {
    let hash = |text: &str| {
        let good = text.len() == algorithm.digits() && text.bytes().all(|b| b.is_ascii_hexdigit());
        good.then(|| text.to_ascii_lowercase())
    };
    if let Some((left, right)) = line.rsplit_once(" = ")
        && let Some((word, file)) = left.split_once(" (")
    {
        if !word.eq_ignore_ascii_case(algorithm.as_str()) {
            return None;
        }
        return Some(Entry {
            digest: hash(right.trim())?,
            file: Some(plain(file.strip_suffix(')')?)?),
        });
    }
    match line.split_once([' ', '\t']) {
        None => Some(Entry {
            digest: hash(line)?,
            file: None,
        }),
        Some((digest, rest)) => {
            let rest = rest.trim_start();
            let file = rest.strip_prefix('*').unwrap_or(rest);
            Some(Entry {
                digest: hash(digest)?,
                file: Some(plain(file)?),
            })
        }
    }
}

/// A name in the same folder.
fn plain(file: &str) -> Option<String> {
    let file = file.strip_prefix("./").unwrap_or(file);
    let good =
        !file.is_empty() && !file.contains(['/', '\\']) && !file.contains(char::is_control) && file != "..";
    good.then(|| file.to_owned())
}

/// The entry of `file`. A lone digest counts for any file.
pub(crate) fn find<'a>(entries: &'a [Entry], file: &str) -> Option<&'a Entry> {
    entries
        .iter()
        .find(|entry| entry.file.as_deref() == Some(file))
        .or_else(|| {
            entries
                .iter()
                .find(|entry| entry.file.is_none() && entries.len() == 1)
        })
}

/// The only entry of the file, whatever name stands beside it.
pub(crate) fn lone(entries: &[Entry]) -> Option<&Entry> {
    match entries {
        [one] => Some(one),
        _ => None,
    }
}

/// The entry with the highest version among those that match `pattern` (`*` stands for any text).
pub(crate) fn newest<'a>(entries: &'a [Entry], pattern: &str) -> Option<&'a Entry> {
    entries
        .iter()
        .filter(|entry| entry.file.as_deref().is_some_and(|file| matches(pattern, file)))
        .max_by(|a, b| natural(a.file.as_deref().unwrap_or(""), b.file.as_deref().unwrap_or("")))
}

/// `*` matches text of digits and dots only: a version, never `-beta` or `-netinst`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => {
            let Some(rest) = name.strip_prefix(before) else {
                return false;
            };
            let Some(middle) = rest.strip_suffix(after) else {
                return false;
            };
            middle.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        }
    }
}

/// Order in which runs of digits count as numbers: `13.9` before `13.10`.
pub(crate) fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        match (a.first(), b.first()) {
            (None, None) => return Ordering::Equal,
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (m, n) = (digits(&mut a), digits(&mut b));
                let order = m.len().cmp(&n.len()).then_with(|| m.cmp(n));
                if order != Ordering::Equal {
                    return order;
                }
            }
            (Some(x), Some(y)) if x == y => (a, b) = (&a[1..], &b[1..]),
            // A dot goes before other signs, a digit after the end of a number: `24.04-` < `24.04.1-`.
            (Some(x), Some(y)) => return rank(*x).cmp(&rank(*y)).then(x.cmp(y)),
        }
    }
}

fn rank(byte: u8) -> u8 {
    match byte {
        b'-' => 0,
        b'.' => 1,
        _ => 2,
    }
}

/// Takes a run of digits, without leading zeros.
fn digits<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text
        .iter()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    *text = rest;
    let zeros = run
        .iter()
        .take_while(|b| **b == b'0')
        .count()
        .min(run.len().saturating_sub(1));
    &run[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn reads_every_form() {
        let upper = A.to_uppercase();
        let text = format!(
            "# comment\n{A} *binary.img\n{A}  text.img\n\nSHA256 (fedora.qcow2) = {upper}\nSHA512 (other) = {A}\nSHA1 (x) = abc\n\
             {A} *sub/dir.img\n{A} *../up\nnonsense\n{A} *./here.img\r\n"
        );
        let files: Vec<_> = parse(&text, Algorithm::Sha256)
            .into_iter()
            .map(|e| (e.file.unwrap(), e.digest))
            .collect();
        let names = ["binary.img", "text.img", "fedora.qcow2", "here.img"];
        assert_eq!(files, names.map(|n| (n.to_owned(), A.to_owned())));
        let lone = parse(&format!("{A}{A}\n"), Algorithm::Sha512);
        assert_eq!(find(&lone, "anything.qcow2").unwrap().digest, format!("{A}{A}"));
        assert!(parse(A, Algorithm::Sha512).is_empty());
    }

    #[test]
    fn a_lone_digest_never_answers_for_one_of_many() {
        let entries = parse(&format!("{A}\n{A}  other.img\n"), Algorithm::Sha256);
        assert_eq!(find(&entries, "mine.img"), None);
    }

    #[test]
    fn takes_the_newest_point_release() {
        let names = [
            "ubuntu-24.04-live-server-amd64.iso",
            "ubuntu-24.04.9-live-server-amd64.iso",
            "ubuntu-24.04.10-live-server-amd64.iso",
            "ubuntu-24.04-beta-live-server-amd64.iso",
            "ubuntu-24.04.11-live-server-arm64.iso",
        ];
        let text: String = names.iter().map(|name| format!("{A} *{name}\n")).collect();
        let entries = parse(&text, Algorithm::Sha256);
        let newest = newest(&entries, "ubuntu-24.04*-live-server-amd64.iso").unwrap();
        assert_eq!(
            newest.file.as_deref(),
            Some("ubuntu-24.04.10-live-server-amd64.iso")
        );
        let plain = parse(&text[..text.find(".9").unwrap() - 70], Algorithm::Sha256);
        assert!(super::newest(&plain, "ubuntu-24.04*-live-server-amd64.iso").is_some());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*", a in "[0-9a.-]{0,8}", b in "[0-9a.-]{0,8}") {
            let _ = parse(&text, Algorithm::Sha256);
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
        }
    }
}
