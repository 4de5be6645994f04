//! Keys by name and by what they type on a US keyboard.

use super::QemuSession;
use nestbox_model::{Error, Result};
use qapi::qmp::{self as commands, KeyValue, QKeyCode, QKeyCodeWrapper};
use std::time::Duration;

/// Keys pressed together.
pub(super) type Chord = Vec<QKeyCode>;

impl QemuSession {
    /// Presses a chord for `hold` and waits until it is released: QEMU drops keys that come quicker.
    pub(super) async fn press(&self, chord: Chord, hold: Duration) -> Result<()> {
        let keys = chord
            .into_iter()
            .map(|data| KeyValue::qcode(QKeyCodeWrapper { data }))
            .collect();
        let hold_time = i64::try_from(hold.as_millis()).ok();
        self.qmp()?
            .execute(commands::send_key { hold_time, keys })
            .await?;
        tokio::time::sleep(hold + Duration::from_millis(15)).await;
        Ok(())
    }
}

/// `ctrl-alt-delete`, `shift-a`, `f5`: QEMU's key names and people's, joined by `-` or `+`.
///
/// # Errors
/// `bad-key`.
pub(super) fn chord(text: &str) -> Result<Chord> {
    let bad = || {
        Error::usage(
            "bad-key",
            format!("“{}” is not a key.", text.chars().take(60).collect::<String>()),
        )
        .with_hint("Write keys like a, ret, esc, f5, up, ctrl-alt-delete.")
    };
    if text.len() > 200 {
        return Err(bad());
    }
    // A lone "-" or one after another key ("ctrl--") is the minus key itself.
    let mut words: Vec<&str> = text.split(['-', '+']).collect();
    if text == "-" || text.ends_with("--") || text.ends_with("+-") {
        words.truncate(words.len() - 2);
        words.push("minus");
    }
    let chord: Option<Chord> = words.into_iter().map(named).collect();
    chord
        .filter(|keys| !keys.is_empty() && keys.len() <= 8)
        .ok_or_else(bad)
}

fn named(name: &str) -> Option<QKeyCode> {
    let mut letters = name.chars();
    if let (Some(letter), None) = (letters.next(), letters.next())
        && let Some(typed) = typed(letter.to_ascii_lowercase())
        && let [key] = typed[..]
    {
        return Some(key);
    }
    let lower = name.to_ascii_lowercase();
    let known = match lower.as_str() {
        "control" | "ctl" => "ctrl",
        "option" => "alt",
        "altgr" => "alt_r",
        "win" | "windows" | "super" | "cmd" | "command" | "meta" => "meta_l",
        "enter" | "return" => "ret",
        "escape" => "esc",
        "del" => "delete",
        "ins" => "insert",
        "bksp" | "back" => "backspace",
        "space" => "spc",
        "pageup" | "page_up" => "pgup",
        "pagedown" | "page_down" => "pgdn",
        "printscreen" | "prtsc" => "print",
        "capslock" => "caps_lock",
        "numlock" => "num_lock",
        other => other,
    };
    known.parse().ok().filter(|key| *key != QKeyCode::unmapped)
}

/// The chord that types `letter` on a US keyboard.
pub(super) fn typed(letter: char) -> Option<Chord> {
    // Unshifted and shifted character of each key.
    const KEYS: [(&str, &str); 49] = [
        ("`~", "grave_accent"),
        ("1!", "1"),
        ("2@", "2"),
        ("3#", "3"),
        ("4$", "4"),
        ("5%", "5"),
        ("6^", "6"),
        ("7&", "7"),
        ("8*", "8"),
        ("9(", "9"),
        ("0)", "0"),
        ("-_", "minus"),
        ("=+", "equal"),
        ("qQ", "q"),
        ("wW", "w"),
        ("eE", "e"),
        ("rR", "r"),
        ("tT", "t"),
        ("yY", "y"),
        ("uU", "u"),
        ("iI", "i"),
        ("oO", "o"),
        ("pP", "p"),
        ("[{", "bracket_left"),
        ("]}", "bracket_right"),
        ("\\|", "backslash"),
        ("aA", "a"),
        ("sS", "s"),
        ("dD", "d"),
        ("fF", "f"),
        ("gG", "g"),
        ("hH", "h"),
        ("jJ", "j"),
        ("kK", "k"),
        ("lL", "l"),
        (";:", "semicolon"),
        ("'\"", "apostrophe"),
        ("zZ", "z"),
        ("xX", "x"),
        ("cC", "c"),
        ("vV", "v"),
        ("bB", "b"),
        ("nN", "n"),
        ("mM", "m"),
        (",<", "comma"),
        (".>", "dot"),
        ("/?", "slash"),
        ("  ", "spc"),
        ("\n\n", "ret"),
    ];
    if letter == '\t' {
        return Some(vec![QKeyCode::tab]);
    }
    KEYS.iter().find_map(|(letters, name)| {
        let mut pair = letters.chars();
        let (plain, shifted) = (pair.next()?, pair.next()?);
        let key = name.parse().ok()?;
        if letter == plain {
            Some(vec![key])
        } else if letter == shifted {
            Some(vec![QKeyCode::shift, key])
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_are_read_as_people_write_them() {
        assert_eq!(
            chord("ctrl-alt-delete").unwrap(),
            [QKeyCode::ctrl, QKeyCode::alt, QKeyCode::delete]
        );
        assert_eq!(
            chord("Ctrl+Alt+Del").unwrap(),
            [QKeyCode::ctrl, QKeyCode::alt, QKeyCode::delete]
        );
        assert_eq!(chord("ret").unwrap(), [QKeyCode::ret]);
        assert_eq!(chord("A").unwrap(), [QKeyCode::a]);
        assert_eq!(chord("-").unwrap(), [QKeyCode::minus]);
        assert_eq!(chord("ctrl--").unwrap(), [QKeyCode::ctrl, QKeyCode::minus]);
        assert_eq!(chord("super-f12").unwrap(), [QKeyCode::meta_l, QKeyCode::f12]);
        assert_eq!(chord("/").unwrap(), [QKeyCode::slash]);
        for bad in [
            "",
            "ctrl-",
            "nokey",
            "ctrl-é",
            "unmapped",
            &"a-".repeat(200),
            "a-b-c-d-e-f-g-h-i",
        ] {
            assert_eq!(chord(bad).unwrap_err().code, "bad-key", "{bad}");
        }
    }

    #[test]
    fn every_printable_ascii_character_can_be_typed() {
        for letter in (' '..='~').chain(['\n', '\t']) {
            assert!(typed(letter).is_some(), "{letter:?}");
        }
        assert_eq!(typed('A').unwrap(), [QKeyCode::shift, QKeyCode::a]);
        assert!(typed('é').is_none() && typed('\0').is_none());
    }
}
