//! Verdicts kept between runs of the service, in one JSON file.

use nestbox_model::{Accelerator, Arch};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
};

/// Changes when the meaning of a verdict changes; files of another version are ignored.
const VERSION: u32 = 1;
/// A larger file is not ours.
const FILE_MAX: u64 = 256 * 1024;

/// Everything in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cache {
    version: u32,
    verdicts: Vec<Verdict>,
}

/// What a proof found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) arch: Arch,
    pub(crate) accelerator: Accelerator,
    /// All that the verdict depends on, in one text: it holds only while this is the same.
    pub(crate) fingerprint: String,
    pub(crate) usable: bool,
    pub(crate) tested: bool,
    pub(crate) reason: String,
    pub(crate) cure: Option<String>,
    pub(crate) technical: Option<String>,
    /// The `-cpu` that passed.
    pub(crate) cpu_model: String,
    pub(crate) seconds: Option<f64>,
    /// `None` until measured; then the result, which may be “not measurable”.
    pub(crate) slowdown: Option<Slowdown>,
}

/// Result of measuring how much slower than native it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slowdown {
    pub(crate) times: Option<f64>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            version: VERSION,
            verdicts: Vec::new(),
        }
    }
}

impl Cache {
    /// Reads the file; a missing, damaged, huge or foreign one is an empty cache.
    pub(crate) fn load(path: &Path) -> Self {
        let text = fs::File::open(path).and_then(|file| {
            let mut text = String::new();
            file.take(FILE_MAX).read_to_string(&mut text)?;
            Ok(text)
        });
        match text {
            Ok(text) => match serde_json::from_str::<Self>(&text) {
                Ok(cache) if cache.version == VERSION => cache,
                Ok(other) => {
                    tracing::info!(
                        version = other.version,
                        "the accelerator cache is another version's: ignored"
                    );
                    Self::default()
                }
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "the accelerator cache is damaged: ignored");
                    Self::default()
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "the accelerator cache can't be read: ignored");
                Self::default()
            }
        }
    }

    /// Replaces the file in one step. Failing only costs another proof, so it is logged and no more.
    pub(crate) fn save(&self, path: &Path) {
        if let Err(error) = self.write(path) {
            tracing::warn!(%error, path = %path.display(), "the accelerator cache can't be written");
        }
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let dir = path.parent().ok_or_else(|| io::Error::other("no folder"))?;
        fs::create_dir_all(dir)?;
        let mut file = tempfile::Builder::new()
            .prefix(".accelerators-")
            .tempfile_in(dir)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.flush()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// The verdict, if it still holds.
    pub(crate) fn get(&self, arch: Arch, accelerator: Accelerator, fingerprint: &str) -> Option<&Verdict> {
        self.verdicts
            .iter()
            .find(|v| v.arch == arch && v.accelerator == accelerator && v.fingerprint == fingerprint)
    }

    /// Keeps a verdict in the place of the one before.
    pub(crate) fn put(&mut self, verdict: Verdict) {
        self.verdicts
            .retain(|v| (v.arch, v.accelerator) != (verdict.arch, verdict.accelerator));
        self.verdicts.push(verdict);
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.verdicts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(fingerprint: &str) -> Verdict {
        Verdict {
            arch: Arch::Aarch64,
            accelerator: Accelerator::Tcg,
            fingerprint: fingerprint.to_owned(),
            usable: true,
            tested: true,
            reason: "Works.".to_owned(),
            cure: None,
            technical: None,
            cpu_model: "max".to_owned(),
            seconds: Some(0.1),
            slowdown: Some(Slowdown { times: Some(9.5) }),
        }
    }

    #[test]
    fn what_is_saved_is_read_and_holds_only_for_its_fingerprint() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache/accelerators.json");
        let mut cache = Cache::default();
        cache.put(verdict("old"));
        cache.put(verdict("new"));
        cache.save(&path);
        let read = Cache::load(&path);
        assert_eq!(read, cache);
        assert_eq!(
            read.get(Arch::Aarch64, Accelerator::Tcg, "new"),
            Some(&verdict("new"))
        );
        assert_eq!(read.get(Arch::Aarch64, Accelerator::Tcg, "old"), None);
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "no temporary file is left"
        );
    }

    #[test]
    fn damaged_and_foreign_files_are_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("accelerators.json");
        for text in [
            "",
            "{",
            "[]",
            "\u{0}\u{1}",
            r#"{"version":99,"verdicts":[]}"#,
            r#"{"version":1,"verdicts":[{}]}"#,
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(Cache::load(&path), Cache::default(), "{text:?}");
        }
        fs::write(&path, vec![b' '; 2_000_000]).unwrap();
        assert_eq!(Cache::load(&path), Cache::default());
        assert_eq!(Cache::load(dir.path()), Cache::default());
    }
}
