//! The files under `vm-templates/`, read and checked. What each key means: `vm-templates/README.md`.

use nestbox_model::{Arch, Error, Result, TemplateDefaults, TemplateKind, units};
use serde::Deserialize;
use std::collections::BTreeMap;

/// `families/<family>.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FamilyFile {
    pub family: String,
    pub name: String,
    pub glyph: String,
    pub arch_words: BTreeMap<String, String>,
    pub layouts: BTreeMap<String, Layout>,
}

/// Where one sort of image of a family is published.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layout {
    pub kind: TemplateKind,
    pub base: String,
    pub folder: String,
    pub file: String,
    #[serde(default)]
    pub newest: Option<String>,
    pub checksums: String,
    pub algorithm: Algorithm,
    pub signature: SignatureKind,
    #[serde(default)]
    pub signature_file: Option<String>,
    #[serde(default)]
    pub keys: Vec<String>,
    #[serde(default)]
    pub pinned: Vec<Pinned>,
}

/// What differs from the layout where an older release is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pinned {
    pub label: String,
    #[serde(default)]
    pub base: Option<String>,
    #[serde(default)]
    pub folder: Option<String>,
    #[serde(default)]
    pub file: Option<String>,
}

/// Digest of the checksum file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    /// Length in hexadecimal digits.
    pub const fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

/// Where the signature over the checksums is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SignatureKind {
    None,
    Detached,
    Clearsigned,
}

/// `<id>.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateFile {
    pub id: String,
    pub family: String,
    pub name: String,
    pub variant: String,
    pub summary: String,
    #[serde(default)]
    pub glyph: Option<String>,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    pub defaults: Defaults,
    pub arches: BTreeMap<String, ArchFile>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Defaults {
    pub cpus: u32,
    pub memory: String,
    pub disk: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArchFile {
    pub layout: String,
    #[serde(default)]
    pub size: Option<String>,
}

impl Defaults {
    pub fn parsed(&self) -> Result<TemplateDefaults> {
        Ok(TemplateDefaults {
            cpus: self.cpus,
            memory: units::parse_size(&self.memory)?,
            disk: units::parse_size(&self.disk)?,
        })
    }
}

fn bad(file: &str, why: impl std::fmt::Display) -> Error {
    Error::usage(
        "bad-template",
        format!("The template file {file} can't be used: {why}."),
    )
    .with_hint("vm-templates/README.md says what a template file holds.")
    .with_detail("file", file)
}

/// Reads one file of either kind.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T> {
    let text = std::str::from_utf8(bytes).map_err(|_| bad(file, "it is not UTF-8 text"))?;
    toml::from_str(text).map_err(|error| bad(file, error.to_string().trim_end()))
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn is_relative(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with('/')
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
        && !path.contains(|c: char| c.is_control() || c.is_whitespace() || "\\?#%".contains(c))
}

/// Checks a family: https servers, key files there, a signature that can be checked.
pub(crate) fn check_family(file: &str, family: &FamilyFile, has_key: impl Fn(&str) -> bool) -> Result<()> {
    let bad = |why: String| Err(bad(file, why));
    if !is_word(&family.family) {
        return bad(format!("“{}” is not a family's name", family.family));
    }
    for word in family.arch_words.keys() {
        if !Arch::ALL.iter().any(|arch| arch.as_str() == word) {
            return bad(format!("it names an unknown architecture, {word}"));
        }
    }
    for (name, layout) in &family.layouts {
        let bases = std::iter::once(&layout.base).chain(layout.pinned.iter().filter_map(|p| p.base.as_ref()));
        for base in bases {
            if !base.starts_with("https://") || base.ends_with('/') || reqwest::Url::parse(base).is_err() {
                return bad(format!(
                    "layout {name}: {base} is not an https address without a slash at its end"
                ));
            }
        }
        match layout.signature {
            SignatureKind::None if !layout.keys.is_empty() || layout.signature_file.is_some() => {
                return bad(format!(
                    "layout {name} names keys or a signature but says there is no signature"
                ));
            }
            SignatureKind::Detached if layout.signature_file.is_none() => {
                return bad(format!("layout {name} does not say where its signature is"));
            }
            SignatureKind::Detached | SignatureKind::Clearsigned if layout.keys.is_empty() => {
                return bad(format!(
                    "layout {name} has a signature but no key to check it with"
                ));
            }
            _ => {}
        }
        for key in layout.keys.iter().filter(|key| !key.contains('{')) {
            if !has_key(key) {
                return bad(format!("layout {name}: the key file keys/{key} is not there"));
            }
        }
    }
    Ok(())
}

/// Checks a template against its family: known words, every `{place}` filled, sane defaults.
pub(crate) fn check_template(
    file: &str,
    template: &TemplateFile,
    family: &FamilyFile,
    has_key: impl Fn(&str) -> bool,
) -> Result<()> {
    let fail = |why: String| Err(bad(file, why));
    if !is_word(&template.id) {
        return fail(format!(
            "“{}” is not an id: use a-z, 0-9, dots and dashes",
            template.id
        ));
    }
    if file.rsplit('/').next() != Some(&format!("{}.toml", template.id)) {
        return fail(format!(
            "its id is {}, so its name must be {}.toml",
            template.id, template.id
        ));
    }
    if !["server", "desktop", "minimal"].contains(&template.variant.as_str()) {
        return fail(format!(
            "“{}” is not a variant: server, desktop or minimal",
            template.variant
        ));
    }
    for (what, text) in [("name", &template.name), ("summary", &template.summary)] {
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            return fail(format!("its {what} is empty or has control characters"));
        }
    }
    let defaults = template
        .defaults
        .parsed()
        .map_err(|error| bad(file, error.message))?;
    let (memory, disk) = match template.family.as_str() {
        "ubuntu" => (3 * units::GIB, 20 * units::GIB),
        _ => (256 * units::MIB, units::GIB),
    };
    if defaults.cpus == 0 || defaults.cpus > 64 || defaults.memory < memory || defaults.disk < disk {
        return fail(format!(
            "its defaults are too small: at least 1 processor, {} of memory, {} of disk",
            units::format_size(memory),
            units::format_size(disk)
        ));
    }
    if template.arches.is_empty() {
        return fail("it is for no architecture".into());
    }
    for (word, arch_file) in &template.arches {
        let arch = match Arch::ALL.iter().find(|arch| arch.as_str() == word) {
            Some(arch) => *arch,
            None => return fail(format!("it names an unknown architecture, {word}")),
        };
        if let Some(size) = &arch_file.size {
            units::parse_size(size).map_err(|error| bad(file, error.message))?;
        }
        let candidates = crate::source::candidates(template, family, arch, None)
            .map_err(|error| bad(file, error.message))?;
        for candidate in &candidates {
            for part in [
                Some(&candidate.path),
                Some(&candidate.checksums_path),
                candidate.signature_path.as_ref(),
            ]
            .into_iter()
            .flatten()
            {
                if !is_relative(part) {
                    return fail(format!("{part} is not a plain path below the server"));
                }
            }
            for key in &candidate.keys {
                if !has_key(key) {
                    return fail(format!("the key file keys/{key} is not there"));
                }
            }
            if template.user.is_none() && candidate.kind == TemplateKind::CloudImage {
                return fail("a cloud image needs the name of its user".into());
            }
        }
    }
    Ok(())
}
