//! From a template and an architecture to the places where its image may be, best first.

use crate::schema::{Algorithm, FamilyFile, Layout, Packed, Pinned, SignatureKind, TemplateFile};
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
    /// `None`: nothing is published to check it with.
    pub checksums_path: Option<String>,
    /// The only digest in the checksum file is the file's.
    pub lone: bool,
    pub packed: Option<Packed>,
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
        match (self.signature, &self.checksums_path) {
            (_, None) => VerifiedBy::None,
            (SignatureKind::None, _) => VerifiedBy::Checksum,
            _ => VerifiedBy::Gpg,
        }
    }
    /// File name extension in the cache, by what the file must be: `qcow2`, `iso`, `qcow2.xz`.
    pub const fn extension(&self) -> &'static str {
        use TemplateKind::{CloudImage, Installer};
        match (self.kind, self.packed) {
            (CloudImage, None) => "qcow2",
            (CloudImage, Some(Packed::Xz)) => "qcow2.xz",
            (CloudImage, Some(Packed::Gz)) => "qcow2.gz",
            (CloudImage, Some(Packed::Zip)) => "qcow2.zip",
            (Installer, None) => "iso",
            (Installer, Some(Packed::Xz)) => "iso.xz",
            (Installer, Some(Packed::Gz)) => "iso.gz",
            (Installer, Some(Packed::Zip)) => "iso.zip",
        }
    }
    /// What the file must have where: (in words, offset, bytes).
    pub const fn mark(&self) -> (&'static str, usize, &'static [u8]) {
        match (self.packed, self.kind) {
            (Some(packed), _) => ("a compressed image", 0, packed.mark()),
            (None, TemplateKind::CloudImage) => ("a disk image in qcow2 format", 0, b"QFI\xfb"),
            (None, TemplateKind::Installer) => ("an ISO image", 0x8001, b"CD001"),
        }
    }
}

/// Whether `text` is what [`Candidate::extension`] gives for some image.
pub(crate) fn is_extension(text: &str) -> bool {
    let (kind, packed) = text.split_once('.').map_or((text, None), |(a, b)| (a, Some(b)));
    matches!(kind, "qcow2" | "iso")
        && packed.is_none_or(|word| Packed::ALL.iter().any(|packed| packed.as_str() == word))
}

/// The layout of a template for an architecture.
pub(crate) fn layout<'a>(template: &TemplateFile, family: &'a FamilyFile, arch: Arch) -> Result<&'a Layout> {
    let file = template.arches.get(arch.as_str()).ok_or_else(|| {
        let known: Vec<_> = template.arches.keys().map(String::as_str).collect();
        Error::usage(
            "architecture-not-offered",
            format!("{} is not published for {arch}.", template.name),
        )
        .with_hint(format!("It is there for: {}.", known.join(", ")))
    })?;
    family.layouts.get(&file.layout).ok_or_else(|| {
        Error::usage(
            "bad-template",
            format!("The family {} has no layout “{}”.", family.family, file.layout),
        )
    })
}

/// The current place on every server, then the pinned ones; none for a medium of the user's own. `mirror` replaces
/// every server.
pub(crate) fn candidates(
    template: &TemplateFile,
    family: &FamilyFile,
    arch: Arch,
    mirror: Option<&str>,
) -> Result<Vec<Candidate>> {
    let layout = layout(template, family, arch)?;
    let word = family.arch_words.get(arch.as_str()).ok_or_else(|| {
        Error::usage(
            "bad-template",
            format!("The family {} has no word for {arch}.", family.family),
        )
    })?;
    if layout.own {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for base in std::iter::once(&layout.base).chain(&layout.mirrors) {
        let base = mirror.unwrap_or(base);
        all.push(one(template, layout, word, None, base)?);
        if mirror.is_some() {
            break;
        }
    }
    for pinned in &layout.pinned {
        // A release that a template does not name can't be fallen back to.
        if pinned.label == "{pinned}" && !template.values.contains_key("pinned") {
            continue;
        }
        let base = mirror.or(pinned.base.as_deref()).unwrap_or(&layout.base);
        all.push(one(template, layout, word, Some(pinned), base)?);
    }
    Ok(all)
}

fn one(
    template: &TemplateFile,
    layout: &Layout,
    arch: &str,
    pinned: Option<&Pinned>,
    base: &str,
) -> Result<Candidate> {
    let base = base.trim_end_matches('/').to_owned();
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
        checksums_path: layout.checksums.as_deref().map(below).transpose()?,
        lone: layout.lone,
        packed: layout.packed,
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
