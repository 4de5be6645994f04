//! From a template and an architecture to the places where its image may be, best first.

use crate::schema::{Algorithm, FamilyFile, Layout, Pinned, SignatureKind, TemplateFile};
use nestbox_model::{Arch, Error, Result, TemplateKind, VerifiedBy};
use reqwest::Url;

/// One place an image may be fetched from.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// `None`: the current release. Else which pinned one, in words.
    pub pinned: Option<String>,
    /// Server with the mirror applied, without a slash at its end.
    pub base: String,
    /// Folder below `base`.
    pub folder: String,
    /// File as it was called when the template was written.
    pub file: String,
    /// Pattern with `*` to take the newest of, instead of `file`.
    pub newest: Option<String>,
    pub checksums_path: String,
    pub algorithm: Algorithm,
    pub signature: SignatureKind,
    pub signature_path: Option<String>,
    pub keys: Vec<String>,
    pub kind: TemplateKind,
    /// `folder/file`.
    pub path: String,
}

impl Candidate {
    /// The address of `path` below the server.
    pub fn url(&self, path: &str) -> Result<Url> {
        Url::parse(&format!("{}/{path}", self.base)).map_err(|error| {
            Error::usage(
                "bad-mirror",
                format!("{}/{path} is not a usable address.", self.base),
            )
            .with_hint("Check the mirror's address in the settings.")
            .with_detail("system", error.to_string())
        })
    }
    /// The image's address, for people.
    pub fn image_url(&self) -> String {
        format!("{}/{}", self.base, self.path)
    }
    pub const fn verified_by(&self) -> VerifiedBy {
        match self.signature {
            SignatureKind::None => VerifiedBy::Checksum,
            _ => VerifiedBy::Gpg,
        }
    }
    /// File name extension in the cache, by what the file must be.
    pub const fn extension(&self) -> &'static str {
        match self.kind {
            TemplateKind::CloudImage => "qcow2",
            TemplateKind::Installer => "iso",
        }
    }
}

/// The current place, then the pinned ones. `mirror` replaces every server.
pub(crate) fn candidates(
    template: &TemplateFile,
    family: &FamilyFile,
    arch: Arch,
    mirror: Option<&str>,
) -> Result<Vec<Candidate>> {
    let file = template.arches.get(arch.as_str()).ok_or_else(|| {
        let known: Vec<_> = template.arches.keys().map(String::as_str).collect();
        Error::usage(
            "architecture-not-offered",
            format!("{} is not published for {arch}.", template.name),
        )
        .with_hint(format!("It is there for: {}.", known.join(", ")))
    })?;
    let layout = family.layouts.get(&file.layout).ok_or_else(|| {
        Error::usage(
            "bad-template",
            format!("The family {} has no layout “{}”.", family.family, file.layout),
        )
    })?;
    let word = family.arch_words.get(arch.as_str()).ok_or_else(|| {
        Error::usage(
            "bad-template",
            format!("The family {} has no word for {arch}.", family.family),
        )
    })?;
    let mut all = vec![one(template, layout, word, None, mirror)?];
    for pinned in &layout.pinned {
        all.push(one(template, layout, word, Some(pinned), mirror)?);
    }
    Ok(all)
}

fn one(
    template: &TemplateFile,
    layout: &Layout,
    arch: &str,
    pinned: Option<&Pinned>,
    mirror: Option<&str>,
) -> Result<Candidate> {
    let base = mirror
        .or(pinned.and_then(|p| p.base.as_deref()))
        .unwrap_or(&layout.base)
        .trim_end_matches('/')
        .to_owned();
    let fill = |text: &str, file: Option<&str>| fill(template, arch, text, file);
    let folder = fill(
        pinned.and_then(|p| p.folder.as_deref()).unwrap_or(&layout.folder),
        None,
    )?;
    let file = fill(
        pinned.and_then(|p| p.file.as_deref()).unwrap_or(&layout.file),
        None,
    )?;
    let newest = match (pinned, &layout.newest) {
        (None, Some(pattern)) => Some(fill(pattern, None)?),
        _ => None,
    };
    let below = |name: &str| -> Result<String> { Ok(format!("{folder}/{}", fill(name, Some(&file))?)) };
    Ok(Candidate {
        pinned: pinned.map(|p| fill(&p.label, None)).transpose()?,
        path: format!("{folder}/{file}"),
        checksums_path: below(&layout.checksums)?,
        signature_path: layout.signature_file.as_deref().map(below).transpose()?,
        keys: layout
            .keys
            .iter()
            .map(|key| fill(key, None))
            .collect::<Result<_>>()?,
        algorithm: layout.algorithm,
        signature: layout.signature,
        kind: layout.kind,
        base,
        folder,
        file,
        newest,
    })
}

/// Puts the template's values into `{places}`.
fn fill(template: &TemplateFile, arch: &str, text: &str, file: Option<&str>) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (place, after) = after.split_once('}').ok_or_else(|| unfilled(template, text))?;
        let value = match place {
            "arch" => Some(arch),
            "file" => file,
            other => template.values.get(other).map(String::as_str),
        };
        out.push_str(value.ok_or_else(|| unfilled(template, &format!("{{{place}}}")))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn unfilled(template: &TemplateFile, place: &str) -> Error {
    Error::usage(
        "bad-template",
        format!("The template {} has no value for {place}.", template.id),
    )
}
