//! The catalogue: built-in templates and the user's own.

use crate::{
    FetchControl, FetchUpdate, Fetched, Mirrors, Tuning,
    cache::Cache,
    checksums,
    fetch::Fetch,
    schema::{self, FamilyFile, TemplateFile},
    signature::Keyring,
    source,
};
use nestbox_model::{Arch, Error, Result, Template, TemplateArch, TemplateKind, VerifiedBy, units};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// `vm-templates/`, embedded.
const BUILT_IN: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

type Keys = Arc<BTreeMap<String, Vec<u8>>>;

#[derive(Debug)]
struct Entry {
    file: TemplateFile,
    family: Arc<FamilyFile>,
    keys: Keys,
}

/// The templates there are, and the cache their images go to.
#[derive(Debug)]
pub struct Catalog {
    entries: BTreeMap<String, Entry>,
    problems: Vec<Error>,
    cache: Cache,
    tuning: Tuning,
}

impl Catalog {
    /// Reads the built-in templates and those in `user_templates` (a folder like `vm-templates/`; it may be missing).
    /// A template of the user's that can't be used is left out and told by [`Self::problems`]. Images go to `cache_dir`.
    ///
    /// # Errors
    /// `bad-template` when a built-in template is broken, which a test rules out.
    pub fn load(cache_dir: &Path, user_templates: Option<&Path>) -> Result<Self> {
        let mut catalog = Self {
            entries: BTreeMap::new(),
            problems: Vec::new(),
            cache: Cache::new(cache_dir),
            tuning: Tuning::default(),
        };
        let built_in = BUILT_IN
            .iter()
            .map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()))
            .collect();
        if let Some(problem) = catalog.add(&built_in).into_iter().next() {
            return Err(problem);
        }
        if let Some(folder) = user_templates {
            let files = read_folder(folder);
            for problem in catalog.add(&files) {
                tracing::warn!(message = problem.message, "template left out");
                catalog.problems.push(problem);
            }
        }
        Ok(catalog)
    }

    /// Other patience with servers, for tests.
    #[must_use]
    pub fn with_tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// What is wrong with templates of the user's that were left out.
    pub fn problems(&self) -> &[Error] {
        &self.problems
    }

    /// Adds the templates of one set of files; gives what was left out and why.
    fn add(&mut self, files: &BTreeMap<String, Vec<u8>>) -> Vec<Error> {
        let keys: Keys = Arc::new(
            files
                .iter()
                .filter_map(|(path, bytes)| Some((path.strip_prefix("keys/")?.to_owned(), bytes.clone())))
                .collect(),
        );
        let has_key = |name: &str| keys.contains_key(name);
        let mut problems = Vec::new();
        let mut families: BTreeMap<String, (Arc<FamilyFile>, Keys)> = BTreeMap::new();
        for entry in self.entries.values() {
            families.insert(
                entry.family.family.clone(),
                (entry.family.clone(), entry.keys.clone()),
            );
        }
        for (path, bytes) in files.iter().filter(|(path, _)| path.starts_with("families/")) {
            let read = schema::parse::<FamilyFile>(path, bytes).and_then(|family| {
                schema::check_family(path, &family, has_key)?;
                if families.contains_key(&family.family) {
                    return Err(Error::conflict(
                        "bad-template",
                        format!(
                            "{path} describes the family {}, which is there already.",
                            family.family
                        ),
                    ));
                }
                Ok(family)
            });
            match read {
                Ok(family) => {
                    families.insert(family.family.clone(), (Arc::new(family), keys.clone()));
                }
                Err(problem) => problems.push(problem),
            }
        }
        for (path, bytes) in files.iter().filter(|(path, _)| !path.contains('/')) {
            let read = schema::parse::<TemplateFile>(path, bytes).and_then(|file| {
                let (family, keys) = families.get(&file.family).ok_or_else(|| {
                    Error::usage(
                        "bad-template",
                        format!("{path} names the family {}, which is not there.", file.family),
                    )
                })?;
                schema::check_template(path, &file, family, |name| keys.contains_key(name))?;
                if self.entries.contains_key(&file.id) {
                    return Err(Error::conflict(
                        "bad-template",
                        format!("{path} has the id {}, which is taken.", file.id),
                    ));
                }
                Ok(Entry {
                    file,
                    family: family.clone(),
                    keys: keys.clone(),
                })
            });
            match read {
                Ok(entry) => {
                    self.entries.insert(entry.file.id.clone(), entry);
                }
                Err(problem) => problems.push(problem),
            }
        }
        problems
    }

    /// Every template, by family and name, mirrors applied.
    pub fn templates(&self, mirrors: &Mirrors) -> Vec<Template> {
        let mut all: Vec<_> = self
            .entries
            .values()
            .filter_map(|entry| self.shown(entry, mirrors).ok())
            .collect();
        // By the families' rank; newest first in a family, ready images before installers.
        let rank = |t: &Template| {
            self.entries
                .get(&t.id)
                .map_or(u32::MAX, |entry| entry.family.rank)
        };
        all.sort_by(|a, b| {
            let version = |t: &Template| t.id.split('-').nth(1).unwrap_or_default().to_owned();
            (rank(a), &a.family)
                .cmp(&(rank(b), &b.family))
                .then_with(|| checksums::natural(&version(b), &version(a)))
                .then_with(|| a.id.cmp(&b.id))
        });
        all
    }

    /// One template.
    ///
    /// # Errors
    /// `template-not-found`, with near matches in the hint.
    pub fn template(&self, id: &str, mirrors: &Mirrors) -> Result<Template> {
        self.shown(self.entry(id)?, mirrors)
    }

    fn entry(&self, id: &str) -> Result<&Entry> {
        let wanted = id.trim().to_lowercase();
        self.entries.get(&wanted).ok_or_else(|| {
            let near = near(&wanted, self.entries.keys());
            let hint = match near.as_slice() {
                [] => "`nestbox template list` shows them all.".to_owned(),
                near => format!(
                    "Did you mean {}? `nestbox template list` shows them all.",
                    near.join(" or ")
                ),
            };
            Error::not_found("template-not-found", format!("There is no template “{id}”."))
                .with_hint(hint)
                .with_detail("near", near)
        })
    }

    fn shown(&self, entry: &Entry, mirrors: &Mirrors) -> Result<Template> {
        let file = &entry.file;
        let mut arches = BTreeMap::new();
        for (word, arch_file) in &file.arches {
            let arch: Arch = word.parse()?;
            let places = source::candidates(file, &entry.family, arch, mirrors.get(&file.family))?;
            let Some(place) = places.first() else {
                let own = TemplateArch {
                    kind: TemplateKind::Installer,
                    url: String::new(),
                    own_medium: true,
                    size: None,
                    verified_by: VerifiedBy::None,
                    cached: false,
                };
                arches.insert(arch, own);
                continue;
            };
            let record = self.cache.record(&file.id, arch);
            let shown = TemplateArch {
                kind: place.kind,
                url: place.image_url(),
                own_medium: false,
                size: match (&record, &arch_file.size) {
                    (Some(record), _) => Some(record.size),
                    (None, Some(size)) => Some(units::parse_size(size)?),
                    (None, None) => None,
                },
                verified_by: place.verified_by(),
                cached: record.is_some(),
            };
            arches.insert(arch, shown);
        }
        Ok(Template {
            id: file.id.clone(),
            name: file.name.clone(),
            family: file.family.clone(),
            variant: file.variant.clone(),
            summary: file.summary.clone(),
            glyph: file.glyph.clone().unwrap_or_else(|| entry.family.glyph.clone()),
            arches,
            defaults: file.defaults.parsed()?,
            user: file.user.clone(),
            firmware: file.firmware,
            disk_bus: file.disk_bus,
            notes: file.notes.clone(),
            setup: file.setup.clone(),
        })
    }

    /// The images in the cache.
    pub fn cached_images(&self) -> Vec<crate::Held> {
        self.cache.held()
    }

    /// Downloads that were not finished: files that a fetch goes on with.
    pub fn unfinished(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.cache.partial()).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    /// Gets a template's image into the cache, verified. Fetches of the same image at once share one download; an image that
    /// is there is not downloaded again, though the checksum file is always asked for fresh. Without a network an image
    /// that was fetched before for this template is used, and the step's detail says so.
    ///
    /// # Errors
    /// `template-not-found`, `architecture-not-offered`, `medium-needed`, `download-failed` (the network; the part is kept), `image-not-found`,
    /// `server-refused`, `redirect-loop`, `web-page-received`, `not-an-image`, `no-space`, `cancelled`; as unsafe:
    /// `signature-missing`, `signature-bad`, `checksum-missing`, `checksum-mismatch`, `insecure-redirect`.
    pub async fn fetch(
        &self,
        id: &str,
        arch: Arch,
        mirrors: &Mirrors,
        control: &FetchControl,
        on_update: &(dyn Fn(FetchUpdate) + Send + Sync),
    ) -> Result<Fetched> {
        let entry = self.entry(id)?;
        let extra = mirrors.extra_keys(&entry.file.family);
        let keyring = |names: &[String]| keyring(&entry.keys, names, extra);
        let fetch = Fetch {
            cache: &self.cache,
            tuning: self.tuning,
            template: &entry.file,
            family: &entry.family,
            arch,
            mirror: mirrors.get(&entry.file.family),
            keyring: &keyring,
            control,
            on_update,
        };
        fetch.run().await
    }
}

/// The keys a download may be signed with.
fn keyring(keys: &BTreeMap<String, Vec<u8>>, names: &[String], extra: Option<&Path>) -> Result<Keyring> {
    let mut ring = Keyring::default();
    for name in names {
        let bytes = keys
            .get(name)
            .ok_or_else(|| Error::failed("bad-key", format!("The key file {name} is not there.")))?;
        ring.add(name, bytes)?;
    }
    if let Some(folder) = extra {
        tracing::warn!(folder = %folder.display(), "keys from NESTBOX_EXTRA_KEYS are trusted for a mirror on this computer");
        let entries = fs::read_dir(folder).map_err(|e| Error::io("read the extra keys", folder, &e))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|end| end == "asc" || end == "gpg") {
                let bytes = fs::read(&path).map_err(|e| Error::io("read a key", &path, &e))?;
                ring.add(&path.display().to_string(), &bytes)?;
            }
        }
    }
    Ok(ring)
}

/// Template files of a folder, at most 1 MiB each.
fn read_folder(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (below, ends) in [
        ("", &["toml"][..]),
        ("families/", &["toml"]),
        ("keys/", &["asc", "gpg"]),
    ] {
        let path: PathBuf = folder.join(below);
        for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let wanted = ends.iter().any(|end| name.ends_with(&format!(".{end}")));
            let small = entry
                .metadata()
                .is_ok_and(|facts| facts.is_file() && facts.len() <= 1 << 20);
            if wanted
                && small
                && let Ok(bytes) = fs::read(entry.path())
            {
                files.insert(format!("{below}{name}"), bytes);
            }
        }
    }
    files
}

/// Ids that `wanted` may have meant, best first, at most three.
fn near<'a>(wanted: &str, ids: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut scored: Vec<_> = ids
        .filter_map(|id| {
            let distance = distance(wanted, id);
            let part = !wanted.is_empty() && (id.starts_with(wanted) || wanted.starts_with(id.as_str()));
            let family = wanted.len() >= 3 && id.split('-').next() == wanted.split(['-', ' ']).next();
            let score = if part {
                0
            } else if distance <= 3 {
                distance
            } else if family {
                4
            } else {
                return None;
            };
            Some((score, distance, id.clone()))
        })
        .collect();
    scored.sort();
    scored.into_iter().take(3).map(|(.., id)| id).collect()
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
