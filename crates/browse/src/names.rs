//! Names as people and programs see them. A name on a disk is bytes; shown is text from which the bytes can be had again:
//!
//! * what is valid UTF-8 and printable stands as it is;
//! * any other byte, and `/`, is `%` and two hexadecimal digits, as in an address: `%FF`;
//! * a `%` that two hexadecimal digits follow is `%25`, so that nothing is ambiguous.

/// The text for a name.
pub(crate) fn shown(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        let valid = chunk.valid();
        for (at, letter) in valid.char_indices() {
            let ambiguous = letter == '%' && hex_pair(&valid.as_bytes()[at + 1..]).is_some();
            if ambiguous || letter == '/' || letter.is_control() || is_deceptive(letter) {
                escape(letter.encode_utf8(&mut [0; 4]).as_bytes(), &mut text);
            } else {
                text.push(letter);
            }
        }
        escape(chunk.invalid(), &mut text);
    }
    text
}

/// The bytes for a text: the inverse of [`shown`], and names typed without any escape stay as they are.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let text = text.as_bytes();
    let mut name = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], hex_pair(&text[at + 1..])) {
            (b'%', Some(byte)) => {
                name.push(byte);
                at += 3;
            }
            (byte, _) => {
                name.push(byte);
                at += 1;
            }
        }
    }
    name
}

/// Changes the direction of what follows: it would make `exe.txt` look like `txt.exe`.
fn is_deceptive(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        text.push_str(&format!("%{byte:02X}"));
    }
}

fn hex_pair(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_can_be_had_again() {
        let names: [&[u8]; 9] = [
            b"plain.txt",
            "Größe – 大きさ".as_bytes(),
            b"100%",
            b"100%25.txt",
            b"a%zz",
            b"caf\xe9",
            b"tab\there",
            b"a/b",
            b"\xff%41",
        ];
        for name in names {
            assert_eq!(bytes(&shown(name)), name, "{}", shown(name));
        }
        assert_eq!(shown(b"caf\xe9"), "caf%E9");
        assert_eq!(shown("Größe 100%".as_bytes()), "Größe 100%");
        assert_eq!(shown(b"a%41"), "a%2541");
        assert!(!shown("gpj.\u{202e}exe".as_bytes()).contains('\u{202e}'));
    }
}
