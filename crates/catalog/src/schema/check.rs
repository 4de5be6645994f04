//! What is demanded of template files, so that a slip is told before anyone relies on it.

use super::{FamilyFile, Layout, SignatureKind, TemplateFile, bad};
use crate::source::Candidate;
use nestbox_model::{Arch, Result, TemplateKind, units};

/// Longest name and summary, characters: what a card has room for.
const NAME_MAX: usize = 40;
const SUMMARY_MAX: usize = 100;

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
    for size in [&family.least.memory, &family.least.disk] {
        units::parse_size(size).map_err(|error| super::bad(file, error.message))?;
    }
    for (name, layout) in &family.layouts {
        if layout.own {
            if !layout.base.is_empty() || layout.checksums.is_some() || layout.kind != TemplateKind::Installer
            {
                return bad(format!(
                    "layout {name} is for the user's own ISO, so it names no server and is an installer"
                ));
            }
            continue;
        }
        check_names(layout).or_else(|why| bad(format!("layout {name} {why}")))?;
        let bases = std::iter::once(&layout.base)
            .chain(&layout.mirrors)
            .chain(layout.pinned.iter().filter_map(|p| p.base.as_ref()));
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

/// A layout names a file and says how it is verified, without saying two things at once.
fn check_names(layout: &Layout) -> Result<(), &'static str> {
    if layout.file.is_empty() || layout.folder.is_empty() {
        return Err("does not say which folder and file");
    }
    if layout.checksums.is_none()
        && (layout.signature != SignatureKind::None || layout.newest.is_some() || layout.lone)
    {
        return Err(
            "has no checksum file, so it can't have a signature, one digest or the newest name in it",
        );
    }
    if layout.lone && layout.newest.is_some() {
        return Err("can't take both the one digest and the newest name");
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
    let texts = [
        ("name", &template.name, NAME_MAX),
        ("summary", &template.summary, SUMMARY_MAX),
    ];
    let notes = template.notes.iter().map(|note| ("note", note, 300));
    for (what, text, max) in texts.into_iter().chain(notes) {
        if text.trim().is_empty() || text.chars().any(char::is_control) || text.chars().count() > max {
            return fail(format!(
                "its {what} is empty, has control characters or more than {max} of them"
            ));
        }
    }
    crate::seed::check_setup(&template.setup).map_err(|error| super::bad(file, error.message))?;
    let defaults = template
        .defaults
        .parsed()
        .map_err(|error| bad(file, error.message))?;
    let least = |size: &str| units::parse_size(size).map_err(|error| bad(file, error.message));
    let (memory, disk) = (least(&family.least.memory)?, least(&family.least.disk)?);
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
        let own = crate::source::layout(template, family, arch).map_err(|error| bad(file, error.message))?;
        if own.kind != TemplateKind::CloudImage && !template.setup.is_empty() {
            return fail("only a cloud image is set up by cloud-init".into());
        }
        if template.user.is_none() && own.kind == TemplateKind::CloudImage {
            return fail("a cloud image needs the name of its user".into());
        }
        for candidate in crate::source::candidates(template, family, arch, None)
            .map_err(|error| bad(file, error.message))?
        {
            check_place(&candidate, &has_key).or_else(fail)?;
        }
    }
    Ok(())
}

fn check_place(place: &Candidate, has_key: &impl Fn(&str) -> bool) -> Result<(), String> {
    let paths = [
        Some(&place.path),
        place.checksums_path.as_ref(),
        place.signature_path.as_ref(),
    ];
    if let Some(path) = paths.into_iter().flatten().find(|path| !is_relative(path)) {
        return Err(format!("{path} is not a plain path below the server"));
    }
    match place.keys.iter().find(|key| !has_key(key)) {
        Some(key) => Err(format!("the key file keys/{key} is not there")),
        None => Ok(()),
    }
}
