//! `docs/errors.md`, made from the code: every code that `nestbox_model::Error` is made with, its class, its exit
//! code and the words people read.

use crate::tree;
use std::{collections::BTreeMap, fmt::Write, path::Path};

/// The document, below the repository's top.
pub const FILE: &str = "docs/errors.md";

/// Constructors of `nestbox_model::Error` → class, exit code.
const CONSTRUCTORS: &[(&str, &str, u8)] = &[
    ("failed", "failed", 1),
    ("usage", "wrong usage", 2),
    ("not_found", "no such thing", 3),
    ("conflict", "conflict or busy", 4),
    ("unfit", "this computer lacks something", 5),
    ("unsafe_input", "refused as unsafe", 6),
];

/// Kinds, as `Error::new` takes them, in the same order.
const KINDS: &[&str] = &["Failed", "Usage", "NotFound", "Conflict", "Unfit", "Unsafe"];

/// (index into [`CONSTRUCTORS`], code) → message. A code that is used with two classes is listed under both.
type Codes = BTreeMap<(usize, String), String>;

/// The whole document.
///
/// # Errors
/// A source file can't be read.
pub fn document(root: &Path) -> Result<String, String> {
    let mut codes = Codes::new();
    for folder in ["crates", "src-tauri/src"] {
        for path in tree::files(&root.join(folder), &["rs"]) {
            let name = tree::name(root, &path);
            if name.contains("/tests/") {
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
            let program = text.split("#[cfg(test)]").next().unwrap_or_default();
            collect(program, &mut codes);
        }
    }
    Ok(render(&codes))
}

/// Adds the codes of one file.
fn collect(program: &str, codes: &mut Codes) {
    let mut rest = program;
    while let Some(at) = rest.find("Error::") {
        rest = &rest[at + "Error::".len()..];
        let Some((word, after)) = rest.split_once('(') else {
            break;
        };
        let (class, arguments) = if word == "new" {
            let Some((kind, arguments)) = after.split_once(',') else {
                continue;
            };
            let kind = kind.rsplit("::").next().unwrap_or_default().trim();
            (KINDS.iter().position(|known| *known == kind), arguments)
        } else {
            (CONSTRUCTORS.iter().position(|(name, _, _)| *name == word), after)
        };
        let Some(class) = class else { continue };
        let Some((code, after)) = string_literal(arguments) else {
            continue;
        };
        let message = after
            .trim_start_matches([',', ' ', '\n', '\t'])
            .trim_start_matches("format!(")
            .trim_start();
        let message = string_literal(message).map_or_else(String::new, |(message, _)| message);
        let known = codes.entry((class, code)).or_default();
        if known.is_empty() {
            *known = message;
        }
    }
}

/// The string literal that `text` begins with (after white space) and what follows it.
fn string_literal(text: &str) -> Option<(String, &str)> {
    let inside = text.trim_start().strip_prefix('"')?;
    let mut literal = String::new();
    let mut characters = inside.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((literal, &inside[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => literal.push(' '),
                // A line that goes on: its indentation does not count.
                '\n' => {
                    let next = inside[at + 1..]
                        .find(|c: char| !c.is_whitespace())
                        .map(|gap| at + 1 + gap)?;
                    while characters
                        .clone()
                        .next()
                        .is_some_and(|(position, _)| position < next)
                    {
                        characters.next();
                    }
                }
                other => literal.push(other),
            },
            other => literal.push(other),
        }
    }
    None
}

/// `{name:?}` and the like become `…`.
fn without_placeholders(message: &str) -> String {
    let mut plain = String::new();
    let mut rest = message;
    while let Some((before, after)) = rest.split_once('{') {
        plain.push_str(before);
        plain.push('…');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    plain + rest
}

fn render(codes: &Codes) -> String {
    let mut text = String::from(
        "# Error codes\n\n\
         Every error has a stable code, a class that decides the exit code and the HTTP status, a message that says what\n\
         happened and why, and most have a hint that says what to do. Scripts switch on the code, never on the words. The list\n\
         is made from the code (`make docs` writes it); `…` stands for a name, a path or a number.\n",
    );
    let statuses = [500, 400, 404, 409, 503, 422];
    for (class, (_, title, exit)) in CONSTRUCTORS.iter().enumerate() {
        let mut rows = codes.iter().filter(|((own, _), _)| *own == class).peekable();
        if rows.peek().is_none() {
            continue;
        }
        let mut title = (*title).to_owned();
        title[..1].make_ascii_uppercase();
        let _ = write!(
            text,
            "\n## {title} (exit {exit}, HTTP {})\n\n| code | message |\n| --- | --- |\n",
            statuses[class]
        );
        for ((_, code), message) in rows {
            let _ = writeln!(
                text,
                "| `{code}` | {} |",
                without_placeholders(message).replace('|', "\\|")
            );
        }
    }
    text.push_str(
        "\n## Interrupted (exit 130, HTTP 499)\n\n| code | message |\n| --- | --- |\n\
         | `cancelled` | Cancelled. Nothing was left behind. |\n\
         | `stopped-waiting` | Interrupted. What was asked for may still happen. |\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_however_they_are_laid_out() {
        let mut codes = Codes::new();
        collect(
            r#"
            Error::not_found("a-code", "It is “gone”.")
            Error::conflict(
                "b-code",
                format!("“{name:?}” is \"busy\" \
                         now."),
            )
            Error::new(ErrorKind::Unsafe, "c-code", why)
            Error::io("read it", path, &error)
            Error::conflict("a-code", "Both.")
            "#,
            &mut codes,
        );
        let shown: Vec<_> = codes
            .iter()
            .map(|((class, code), message)| (*class, code.as_str(), without_placeholders(message)))
            .collect();
        assert_eq!(
            shown,
            [
                (2, "a-code", "It is “gone”.".to_owned()),
                (3, "a-code", "Both.".to_owned()),
                (3, "b-code", "“…” is \"busy\" now.".to_owned()),
                (5, "c-code", String::new()),
            ]
        );
    }
}
