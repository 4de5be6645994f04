//! Mirrors the user set: another server for a family, with the same paths.

use nestbox_model::{Error, Result};
use reqwest::Url;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Family → address that replaces the family's servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirrors {
    urls: BTreeMap<String, String>,
    extra_keys: Option<PathBuf>,
}

impl Mirrors {
    /// No mirrors: every family's own servers.
    pub fn none() -> Self {
        Self::default()
    }

    /// From the settings (`mirror.<family>`; other keys are passed over) and this process's environment
    /// (`NESTBOX_MIRROR_<FAMILY>` wins over the setting; empty values count as not set).
    ///
    /// # Errors
    /// `bad-mirror` (usage) for an address that can't be used.
    pub fn load<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let environment =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Self::from_parts(settings, environment)
    }

    /// [`Self::load`] with the environment given.
    ///
    /// # Errors
    /// `bad-mirror` (usage).
    pub fn from_parts<'a>(
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        let mut mirrors = Self::default();
        for (key, value) in settings {
            if let Some(family) = key.strip_prefix("mirror.")
                && !value.is_empty()
            {
                mirrors.set(family, value)?;
            }
        }
        for (key, value) in environment {
            if value.is_empty() {
                continue;
            }
            if let Some(family) = key.strip_prefix("NESTBOX_MIRROR_") {
                mirrors.set(&family.to_ascii_lowercase(), &value)?;
            } else if key == "NESTBOX_EXTRA_KEYS" {
                mirrors.extra_keys = Some(PathBuf::from(value));
            }
        }
        Ok(mirrors)
    }

    /// Sets one mirror. `http://` is allowed, since the user chose the server.
    ///
    /// # Errors
    /// `bad-mirror` (usage).
    pub fn set(&mut self, family: &str, url: &str) -> Result<()> {
        let url = Self::check(url)?;
        self.urls.insert(family.to_owned(), url);
        Ok(())
    }

    /// Checks an address for `mirror.<family>` and gives it as it is kept: no slash at the end.
    ///
    /// # Errors
    /// `bad-mirror` (usage) that says why.
    pub fn check(url: &str) -> Result<String> {
        let bad = |why: &str| {
            Error::usage("bad-mirror", format!("“{url}” can't be used as a mirror: {why}."))
                .with_hint("Write an address such as https://mirror.example.org/ubuntu-cloud-images.")
        };
        let parsed = Url::parse(url.trim()).map_err(|_| bad("it is not an address"))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(bad("it must start with https:// or http://"));
        }
        if parsed.host_str().is_none_or(str::is_empty) {
            return Err(bad("it names no server"));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(bad("it must not have ? or #"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(bad("it must not hold a user name or password"));
        }
        Ok(parsed.as_str().trim_end_matches('/').to_owned())
    }

    /// The mirror of a family.
    pub fn get(&self, family: &str) -> Option<&str> {
        self.urls.get(family).map(String::as_str)
    }

    /// The folder of extra keys, where it may be used: the family's mirror is set and its address is a loopback
    /// address in digits. See the crate's documentation.
    pub(crate) fn extra_keys(&self, family: &str) -> Option<&Path> {
        let url = Url::parse(self.get(family)?).ok()?;
        is_loopback(&url).then_some(self.extra_keys.as_deref())?
    }
}

/// Whether a server's address is 127.0.0.0/8 or ::1, written in digits.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let digits = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    digits
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn the_environment_wins_over_settings() {
        let mirrors = Mirrors::from_parts(
            [
                ("mirror.ubuntu", "https://a.example/x/"),
                ("theme", "dark"),
                ("mirror.debian", ""),
            ],
            env(&[
                ("NESTBOX_MIRROR_UBUNTU", "http://b.example"),
                ("NESTBOX_MIRROR_FEDORA", ""),
            ]),
        )
        .unwrap();
        assert_eq!(mirrors.get("ubuntu"), Some("http://b.example"));
        assert_eq!(mirrors.get("debian"), None);
        assert_eq!(mirrors.get("fedora"), None);
    }

    #[test]
    fn refuses_what_is_no_server() {
        for url in [
            "",
            "ftp://a/b",
            "file:///etc",
            "a.example",
            "https://",
            "https://u:p@a/",
            "https://a/?x",
            "https://a/#x",
        ] {
            assert_eq!(Mirrors::check(url).unwrap_err().code, "bad-mirror", "{url}");
        }
        assert_eq!(
            Mirrors::check("https://a.example/x//").unwrap(),
            "https://a.example/x"
        );
    }

    #[test]
    fn extra_keys_need_a_mirror_on_this_computer() {
        let keys = ("NESTBOX_EXTRA_KEYS", "/keys");
        let with = |url: &str| {
            Mirrors::from_parts([("mirror.ubuntu", url)], env(&[keys]))
                .unwrap()
                .extra_keys("ubuntu")
                .map(Path::to_owned)
        };
        assert_eq!(with("http://127.0.0.1:8000"), Some(PathBuf::from("/keys")));
        assert_eq!(with("http://[::1]:8000/x"), Some(PathBuf::from("/keys")));
        for url in [
            "https://mirror.example",
            "http://localhost:1",
            "http://127.0.0.1.example",
            "http://10.0.0.1",
            "http://0.0.0.0",
        ] {
            assert_eq!(with(url), None, "{url}");
        }
        assert_eq!(
            Mirrors::from_parts([], env(&[keys]))
                .unwrap()
                .extra_keys("ubuntu"),
            None
        );
        let other = Mirrors::from_parts([("mirror.debian", "http://127.0.0.1:1")], env(&[keys])).unwrap();
        assert_eq!(other.extra_keys("ubuntu"), None);
    }
}
