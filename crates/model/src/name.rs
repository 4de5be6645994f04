//! Names of machines and snapshots.

use crate::Error;

/// Longest name, in characters.
pub const NAME_MAX_CHARS: usize = 120;

/// Checks a name and trims it: 1 to 120 printable Unicode characters, no control characters.
///
/// # Errors
/// `bad-name` (usage) that says which rule was broken.
pub fn validate_name(name: &str) -> Result<String, Error> {
    let name = name.trim();
    let bad = |why: &str| {
        Error::usage("bad-name", format!("The name can't be used: {why}."))
            .with_hint(format!("Use 1 to {NAME_MAX_CHARS} printable characters."))
            .with_detail("name", name)
    };
    if name.is_empty() {
        return Err(bad("it is empty"));
    }
    if name.chars().count() > NAME_MAX_CHARS {
        return Err(bad("it is too long"));
    }
    if crate::ids::looks_like_an_id(&name.to_lowercase()) {
        return Err(bad("it looks like an id"));
    }
    // Bidirectional overrides and invisible formatting let one name look like another.
    let invisible = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if name
        .chars()
        .any(|c| c.is_control() || (invisible(c) && c != '\u{200d}'))
    {
        return Err(bad("it has a control or invisible character"));
    }
    Ok(name.to_owned())
}

/// `wanted`, or `wanted 2`, `wanted 3`, … until `taken` says no.
pub fn free_name(wanted: &str, mut taken: impl FnMut(&str) -> bool) -> String {
    if !taken(wanted) {
        return wanted.to_owned();
    }
    let mut number = 2u32;
    loop {
        let suffix = format!(" {number}");
        let keep = NAME_MAX_CHARS - suffix.chars().count();
        let candidate: String = wanted.chars().take(keep).chain(suffix.chars()).collect();
        if !taken(&candidate) {
            return candidate;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_unicode_quotes_and_commas() {
        for name in [
            "web",
            "Ubuntu arm64",
            "a,b=c",
            "“quoted” 'x' \"y\"",
            "日本語 🦀",
            "-rf",
            "a/b",
        ] {
            assert_eq!(validate_name(name).unwrap(), name);
        }
    }

    #[test]
    fn refuses_empty_long_and_invisible() {
        for name in [
            "",
            "   ",
            &"x".repeat(121),
            "a\nb",
            "a\0b",
            &"0f".repeat(16),
            "evil\u{202e}txt",
        ] {
            assert_eq!(validate_name(name).unwrap_err().code, "bad-name", "{name:?}");
        }
    }

    #[test]
    fn free_name_counts_up_and_stays_valid() {
        assert_eq!(free_name("web", |n| n == "web" || n == "web 2"), "web 3");
        let long = "x".repeat(120);
        let free = free_name(&long, |n| n == long);
        assert_eq!(validate_name(&free).unwrap(), free);
    }
}
