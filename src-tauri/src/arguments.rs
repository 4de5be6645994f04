//! The few options of `nestbox-app`. People start it from a menu; `nestbox view` starts it with these.

use nestbox_model::{Error, Result};
use std::{ffi::OsString, path::PathBuf};

/// What the window was started with.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--data-dir`; `NESTBOX_HOME` or the platform's place otherwise.
    pub data_dir: Option<PathBuf>,
    /// `--machine`: id or name of the machine to show.
    pub machine: Option<String>,
}

/// Reads the options.
///
/// # Errors
/// `bad-argument` (usage) for anything unknown.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Arguments> {
    let mut parsed = Arguments::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let name = word.to_string_lossy().into_owned();
        let mut value = || {
            words
                .next()
                .ok_or_else(|| Error::usage("bad-argument", format!("“{name}” needs a value after it.")))
        };
        match name.as_str() {
            "--data-dir" => parsed.data_dir = Some(value()?.into()),
            "--machine" => parsed.machine = Some(value()?.to_string_lossy().into_owned()),
            _ => {
                return Err(
                    Error::usage("bad-argument", format!("The window has no option “{name}”."))
                        .with_hint("Use --data-dir DIR and --machine NAME."),
                );
            }
        }
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn reads_both_options_in_any_order() {
        let expected = Arguments {
            data_dir: Some("/d".into()),
            machine: Some("web".into()),
        };
        assert_eq!(parse(words("--data-dir /d --machine web")).unwrap(), expected);
        assert_eq!(parse(words("--machine web --data-dir /d")).unwrap(), expected);
        assert_eq!(parse(words("")).unwrap(), Arguments::default());
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for text in ["--help-me", "file.iso", "--machine"] {
            assert_eq!(parse(words(text)).unwrap_err().code, "bad-argument", "{text}");
        }
    }
}
