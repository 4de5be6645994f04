//! Refreshes the values of `vm-templates/` from the distributions' own index pages.

use serde::Deserialize;
use std::{cmp::Ordering, collections::BTreeMap, fs, path::Path, process::Command};

/// Largest index page, bytes.
const PAGE_MAX: usize = 8 << 20;

#[derive(Deserialize)]
struct Family {
    #[serde(default)]
    updates: BTreeMap<String, Update>,
}

#[derive(Deserialize)]
struct Update {
    index: String,
    pattern: String,
}

#[derive(Deserialize)]
struct Template {
    family: String,
    #[serde(default)]
    values: BTreeMap<String, String>,
}

/// Looks for newer values and writes them. Gives what could not be asked.
///
/// # Errors
/// The folder can't be read or a file not written.
pub fn update(root: &Path, family: Option<&str>, from: Option<&Path>) -> Result<Vec<String>, String> {
    let folder = root.join("vm-templates");
    let mut problems = Vec::new();
    let mut names: Vec<_> = fs::read_dir(&folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    names.sort();
    for path in names {
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let template: Template =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        if family.is_some_and(|wanted| wanted != template.family) {
            continue;
        }
        let place = folder.join(format!("families/{}.toml", template.family));
        let known = fs::read_to_string(&place).map_err(|error| format!("{}: {error}", place.display()))?;
        let known: Family =
            toml::from_str(&known).map_err(|error| format!("{}: {error}", place.display()))?;
        let mut new = text.clone();
        for (name, value) in &template.values {
            let Some(update) = known.updates.get(name) else {
                continue;
            };
            let index = fill(&update.index, &template.values);
            match page(&index, from) {
                Ok(page) => {
                    let newest = newest(&page, &fill(&update.pattern, &template.values), value);
                    if let Some(newest) = newest {
                        eprintln!("{}: {name} {value} -> {newest}", path.display());
                        new = new.replace(
                            &format!("{name} = \"{value}\""),
                            &format!("{name} = \"{newest}\""),
                        );
                    }
                }
                Err(why) => problems.push(format!("{}: {index}: {why}", path.display())),
            }
        }
        if new != text {
            fs::write(&path, new).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(problems)
}

fn fill(text: &str, values: &BTreeMap<String, String>) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

/// An index page, from the network or from a folder of saved ones.
fn page(url: &str, from: Option<&Path>) -> Result<String, String> {
    if let Some(folder) = from {
        let mut path = url.trim_start_matches("https://").to_owned();
        if path.ends_with('/') {
            path.push_str("index.html");
        }
        return fs::read_to_string(folder.join(path)).map_err(|error| error.to_string());
    }
    let limit = PAGE_MAX.to_string();
    let output = Command::new("curl")
        .args([
            "--fail",
            "--silent",
            "--show-error",
            "--location",
            "--proto",
            "=https",
            "--max-time",
            "60",
        ])
        .args(["--max-filesize", &limit, "--", url])
        .output()
        .map_err(|error| format!("curl: {error}"))?;
    match output.status.success() && output.stdout.len() <= PAGE_MAX {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// The highest value on the page that is above `now` and of the same make: as many parts, the same first one (a
/// release stays itself), unless it is a date or a year.
fn newest(page: &str, pattern: &str, now: &str) -> Option<String> {
    let (before, after) = pattern.split_once('*')?;
    let found = page.match_indices(before).filter_map(|(at, _)| {
        let rest = &page[at + before.len()..];
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-')
            .unwrap_or(rest.len());
        // What follows may start with a sign that values have, too.
        (1..=end)
            .rev()
            .find(|end| rest[*end..].starts_with(after))
            .map(|end| &rest[..end])
    });
    found
        .filter(|value| same_make(value, now) && compare(value, now) == Ordering::Greater)
        .max_by(|a, b| compare(a, b))
        .map(str::to_owned)
}

fn parts(value: &str) -> Vec<u64> {
    value
        .split(['.', '-'])
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

fn same_make(value: &str, now: &str) -> bool {
    let (new, old) = (parts(value), parts(now));
    let starts_the_same = old.first() == new.first() || old.first().is_some_and(|first| *first > 1999);
    value.starts_with(|c: char| c.is_ascii_digit())
        && value.ends_with(|c: char| c.is_ascii_digit())
        && new.len() == old.len()
        && starts_the_same
}

fn compare(a: &str, b: &str) -> Ordering {
    parts(a).cmp(&parts(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_newest_of_the_same_make() {
        let ubuntu =
            r#"<a href="release-20260101/">x</a> <a href="release-20261015/">y</a> <a href="release/">z</a>"#;
        assert_eq!(
            newest(ubuntu, "release-*/", "20260926").as_deref(),
            Some("20261015")
        );
        assert_eq!(newest(ubuntu, "release-*/", "20261015"), None, "no step back");
        let debian = r#"<a href="20260712-2537/">a</a><a href="20261103-2650/">b</a><a href="latest/">c</a><a href="daily/">"#;
        assert_eq!(
            newest(debian, "href=\"*/", "20260712-2537").as_deref(),
            Some("20261103-2650")
        );
        let sums = "aa  debian-13.7.0-amd64-netinst.iso\nbb  debian-edu-13.7.0-amd64-netinst.iso\ncc  debian-14.0.0-amd64-netinst.iso\n";
        let found = newest(sums, "debian-*-amd64-netinst.iso", "13.6.0");
        assert_eq!(found.as_deref(), Some("13.7.0"), "a release stays itself");
        let kali = "aa *kali-linux-2027.1-installer-netinst-amd64.iso";
        let found = newest(kali, "kali-linux-*-installer-netinst-amd64.iso", "2026.2");
        assert_eq!(found.as_deref(), Some("2027.1"));
        let alpine = "nocloud_alpine-3.23.4-x86_64-uefi-cloudinit-r0.qcow2 nocloud_alpine-3.23.10-x86_64-uefi-cloudinit-r0.qcow2";
        let found = newest(
            alpine,
            "nocloud_alpine-*-x86_64-uefi-cloudinit-r0.qcow2",
            "3.23.4",
        );
        assert_eq!(found.as_deref(), Some("3.23.10"));
        for page in [
            "",
            "<html>moved</html>",
            "release-/",
            "release-abc/",
            "release-99999999999999999999999/",
        ] {
            assert_eq!(newest(page, "release-*/", "20260926"), None, "{page}");
        }
    }

    #[test]
    fn writes_what_saved_pages_say_and_tells_what_is_missing() {
        let folder = std::env::temp_dir().join(format!("nestbox-xtask-{}", std::process::id()));
        let put = |path: &str, text: &str| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&folder)).unwrap();
            fs::write(path, text).unwrap();
        };
        put(
            "vm-templates/families/f.toml",
            "[updates.pinned]\nindex = \"https://f.example/{codename}/\"\npattern = \"release-*/\"\n",
        );
        let template =
            |name: &str| format!("family = \"f\"\n[values]\ncodename = \"{name}\"\npinned = \"20260101\"\n");
        put("vm-templates/a.toml", &template("one"));
        put("vm-templates/b.toml", &template("two"));
        put("pages/f.example/one/index.html", "release-20260202/");
        let problems = update(&folder, Some("f"), Some(&folder.join("pages"))).unwrap();
        assert_eq!(problems.len(), 1, "{problems:?}");
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        assert!(read("vm-templates/a.toml").contains("pinned = \"20260202\""));
        assert_eq!(read("vm-templates/b.toml"), template("two"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
