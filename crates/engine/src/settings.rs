//! The user's settings: `settings.toml`, a flat table of dotted keys.

use crate::{Engine, files};
use nestbox_catalog::Mirrors;
use nestbox_model::{Error, EventKind, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

pub(crate) struct Settings {
    path: PathBuf,
    values: RwLock<BTreeMap<String, String>>,
}

/// Keys and what they take, for `config list`, messages and documentation.
const KEYS: &[(&str, &str)] = &[
    ("theme", "system, light or dark"),
    ("language", "en"),
    (
        AT_SHUTDOWN,
        "suspend or leave: what becomes of running machines when this computer shuts down",
    ),
    (
        AT_LOGOUT,
        "suspend or leave: what becomes of running machines when you log out",
    ),
    (
        "mirror.<family>",
        "the base address of a mirror, for example of ubuntu, debian, fedora or alpine",
    ),
    ("window.<name>", "what the window remembers"),
    ("ui.<name>", "what the window remembers"),
];

/// What becomes of running machines when this computer shuts down.
const AT_SHUTDOWN: &str = "machines.at-shutdown";
/// What becomes of running machines when the user logs out.
const AT_LOGOUT: &str = "machines.at-logout";

impl Settings {
    pub fn load(path: &Path) -> Result<Self> {
        let values = match std::fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).map_err(|e| {
                Error::failed(
                    "settings-unreadable",
                    format!("The settings can't be understood: {}", path.display()),
                )
                .with_hint("Mend the file by hand, or move it away to start with the defaults.")
                .with_detail("parser", e.to_string())
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(Error::io("read the settings", path, &e)),
        };
        Ok(Self {
            path: path.to_owned(),
            values: RwLock::new(values),
        })
    }

    fn all(&self) -> BTreeMap<String, String> {
        self.values.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, key: &str, value: Option<&str>) -> Result<()> {
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = values.clone();
        match value {
            Some(value) => next.insert(key.to_owned(), value.to_owned()),
            None => next.remove(key),
        };
        let text = toml::to_string_pretty(&next).map_err(|e| {
            Error::failed(
                "settings-unwritable",
                format!("The settings can't be written: {e}."),
            )
        })?;
        files::write_atomically(&self.path, text.as_bytes(), "write the settings")?;
        *values = next;
        Ok(())
    }

    pub fn mirrors(&self) -> Result<Mirrors> {
        let values = self.all();
        Mirrors::load(values.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }
}

fn check(key: &str, value: &str) -> Result<()> {
    let bad_value = |takes: &str| {
        Err(
            Error::usage("bad-value", format!("“{value}” can't be the value of {key}."))
                .with_hint(format!("It takes {takes}.")),
        )
    };
    match key.split_once('.') {
        None if key == "theme" => {
            if matches!(value, "system" | "light" | "dark") {
                Ok(())
            } else {
                bad_value("system, light or dark")
            }
        }
        None if key == "language" => {
            if value == "en" {
                Ok(())
            } else {
                bad_value("en")
            }
        }
        _ if key == AT_SHUTDOWN || key == AT_LOGOUT => {
            if matches!(value, "suspend" | "leave") {
                Ok(())
            } else {
                bad_value("suspend or leave")
            }
        }
        Some(("mirror", family)) if !family.is_empty() => Mirrors::check(value).map(drop),
        Some(("window" | "ui", name)) if !name.is_empty() => Ok(()),
        _ => Err(
            Error::not_found("setting-not-found", format!("There is no setting “{key}”.")).with_hint(
                format!(
                    "Settings are: {}.",
                    KEYS.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(", ")
                ),
            ),
        ),
    }
}

impl Engine {
    /// Every setting that was set.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let mut all = self.0.settings.all();
        all.entry("theme".into()).or_insert_with(|| "system".into());
        all.entry("language".into()).or_insert_with(|| "en".into());
        all.entry(AT_SHUTDOWN.into()).or_insert_with(|| "suspend".into());
        all.entry(AT_LOGOUT.into()).or_insert_with(|| "leave".into());
        all
    }

    /// Running machines are to be suspended before this computer shuts down.
    pub fn suspends_at_shutdown(&self) -> bool {
        self.settings()
            .get(AT_SHUTDOWN)
            .is_some_and(|value| value == "suspend")
    }

    /// Running machines are to be suspended when the user logs out.
    pub fn suspends_at_logout(&self) -> bool {
        self.settings()
            .get(AT_LOGOUT)
            .is_some_and(|value| value == "suspend")
    }

    /// One setting.
    ///
    /// # Errors
    /// `setting-not-found` when there is none of that name or it was never set.
    pub fn setting(&self, key: &str) -> Result<String> {
        self.settings().remove(key).ok_or_else(|| {
            check(key, "https://mirror.example.org")
                .err()
                .filter(|e| e.code == "setting-not-found")
                .unwrap_or_else(|| {
                    Error::not_found("setting-not-set", format!("{key} is not set."))
                        .with_hint(format!("Set it with: nestbox config set {key} VALUE"))
                })
        })
    }

    /// Sets or, with `None`, unsets one setting.
    pub fn set_setting(&self, key: &str, value: Option<&str>) -> Result<()> {
        check(key, value.unwrap_or("https://mirror.example.org")).or_else(|e| {
            if value.is_none() && matches!(e.code.as_str(), "bad-value" | "bad-mirror") {
                Ok(())
            } else {
                Err(e)
            }
        })?;
        self.0.settings.set(key, value)?;
        self.tell(EventKind::ConfigChanged);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_and_bad_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        let settings = Settings::load(&path).unwrap();
        settings
            .set("mirror.ubuntu", Some("http://127.0.0.1:1/"))
            .unwrap();
        assert_eq!(
            Settings::load(&path).unwrap().all()["mirror.ubuntu"],
            "http://127.0.0.1:1/"
        );
        assert_eq!(check("theme", "pink").unwrap_err().code, "bad-value");
        assert_eq!(check("mirror.ubuntu", "ftp://x").unwrap_err().code, "bad-mirror");
        assert_eq!(check("nonsense", "1").unwrap_err().code, "setting-not-found");
    }
}
