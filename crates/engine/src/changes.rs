//! Settings of a machine: `nestbox set M KEY=VALUE`, the Edit page.

use crate::Engine;
use crate::hardware::check_limits;
use crate::machine::{MachineRef, shell_word};
use nestbox_model::units::parse_size;
use nestbox_model::{ChangeRequest, DisplaySpec, Error, EventKind, Machine, MachineSpec, Result};
use serde_json::Value;

/// Keys that can be set.
pub(crate) const KEYS: &[&str] = &[
    "cpus",
    "memory",
    "display.resolution",
    "boot.order",
    "notes",
    "tags",
    "firmware",
    "accelerator",
    "clock",
    "snapshots.every",
    "snapshots.before-start",
    "snapshots.keep",
];
/// Keys that take effect without the guest noticing.
const ANY_TIME: &[&str] = &[
    "notes",
    "tags",
    "snapshots.every",
    "snapshots.before-start",
    "snapshots.keep",
];
/// Most hours between two automatic snapshots, and most of them that are kept.
const SCHEDULE_MAX: u32 = 1000;
const NOTES_MAX_CHARS: usize = 20_000;
const TAGS_MAX: usize = 32;

/// Tags without blanks and duplicates, in order.
pub(crate) fn clean_tags(tags: &[String]) -> Result<Vec<String>> {
    let mut clean: Vec<String> = Vec::new();
    for tag in tags {
        let tag = nestbox_model::validate_name(tag)?;
        if tag.contains(',') {
            return Err(Error::usage(
                "bad-tag",
                format!("A tag can't have a comma: “{tag}”."),
            ));
        }
        if !clean.iter().any(|have| have.to_lowercase() == tag.to_lowercase()) {
            clean.push(tag);
        }
    }
    if clean.len() > TAGS_MAX {
        return Err(Error::usage(
            "too-many-tags",
            format!("A machine takes at most {TAGS_MAX} tags."),
        ));
    }
    Ok(clean)
}

impl Engine {
    /// Changes settings, all or none.
    ///
    /// # Errors
    /// `setting-not-found`, `bad-value`; `machine-running` for hardware while the machine is active.
    pub async fn change(&self, wanted: MachineRef<'_>, request: ChangeRequest) -> Result<Machine> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let before = handle.spec();
        let mut spec = before.clone();
        for (key, value) in &request.changes {
            apply(&mut spec, key, value)?;
        }
        check_limits(spec.cpus, spec.memory)?;
        if spec == before {
            return Ok(self.view(&handle));
        }
        let hardware = request
            .changes
            .keys()
            .any(|key| !ANY_TIME.contains(&key.as_str()));
        if hardware && handle.state().is_active() {
            return Err(Error::conflict(
                "machine-running",
                format!(
                    "“{}” is {}, and its hardware can only change while it is off.",
                    spec.name,
                    handle.state().as_str()
                ),
            )
            .with_hint(format!("Stop it first: nestbox stop {}", shell_word(&spec.name))));
        }
        if hardware && spec.suspended.is_some() {
            return Err(Error::conflict(
                "machine-suspended",
                format!(
                    "“{}” is suspended: its memory goes on with the same hardware only.",
                    spec.name
                ),
            )
            .with_hint(format!(
                "Start it and shut it down, or throw its memory away: nestbox discard-state {}",
                shell_word(&spec.name)
            )));
        }
        self.save_spec(&handle, spec)?;
        let keys: Vec<&str> = request.changes.keys().map(String::as_str).collect();
        self.tell_machine(
            EventKind::MachineChanged,
            &handle,
            Some(format!("Changed {}", keys.join(", "))),
        );
        Ok(self.view(&handle))
    }
}

fn apply(spec: &mut MachineSpec, key: &str, value: &Value) -> Result<()> {
    match key {
        "cpus" => {
            let cpus = match value {
                Value::Number(number) => number.as_u64(),
                _ => text(key, value)?.trim().parse().ok(),
            };
            spec.cpus = cpus
                .and_then(|n| u32::try_from(n).ok())
                .ok_or_else(|| bad(key, value, "a whole number"))?;
        }
        "memory" => {
            spec.memory = match value {
                Value::Number(number) => number
                    .as_u64()
                    .ok_or_else(|| bad(key, value, "bytes, or a size as 4G"))?,
                _ => parse_size(text(key, value)?)?,
            }
            // Guests want whole pages, QEMU whole mebibytes.
            .next_multiple_of(nestbox_model::units::MIB);
        }
        "display.resolution" => {
            let (width, height) = text(key, value)?
                .split_once('x')
                .and_then(|(w, h)| Some((w.trim().parse::<u32>().ok()?, h.trim().parse::<u32>().ok()?)))
                .filter(|(w, h)| (320..=8192).contains(w) && (200..=8192).contains(h))
                .ok_or_else(|| bad(key, value, "a size such as 1920x1080"))?;
            spec.display = DisplaySpec { width, height };
        }
        "boot.order" => {
            let order = list(key, value)?;
            let known = ["disk", "media", "network"];
            if let Some(wrong) = order.iter().find(|entry| !known.contains(&entry.as_str())) {
                return Err(bad(
                    key,
                    &Value::String(wrong.clone()),
                    "disk, media and network, with commas between",
                ));
            }
            spec.boot_order = order;
        }
        "notes" => {
            let notes = text(key, value)?;
            if notes.chars().count() > NOTES_MAX_CHARS {
                return Err(Error::usage(
                    "bad-value",
                    format!("Notes take at most {NOTES_MAX_CHARS} characters."),
                ));
            }
            spec.notes = notes.to_owned();
        }
        "tags" => spec.tags = clean_tags(&list(key, value)?)?,
        "firmware" => spec.firmware = text(key, value)?.parse()?,
        "accelerator" => spec.accelerator = Engine::accelerator_choice(text(key, value)?)?,
        "clock" => {
            spec.clock_local = match text(key, value)? {
                "local" => true,
                "utc" => false,
                _ => return Err(bad(key, value, "utc or local")),
            }
        }
        "snapshots.every" => {
            let hours = match value.as_str() {
                Some("never" | "off") => 0,
                _ => count(key, value, 0)?,
            };
            spec.auto_snapshots.every_hours = hours;
        }
        "snapshots.keep" => spec.auto_snapshots.keep = count(key, value, 1)?,
        "snapshots.before-start" => {
            spec.auto_snapshots.before_start = match value {
                Value::Bool(on) => *on,
                _ => match text(key, value)? {
                    "true" | "on" | "yes" => true,
                    "false" | "off" | "no" => false,
                    _ => return Err(bad(key, value, "true or false")),
                },
            }
        }
        _ => {
            return Err(
                Error::not_found("setting-not-found", format!("A machine has no setting “{key}”."))
                    .with_hint(format!("Settings are: {}.", KEYS.join(", "))),
            );
        }
    }
    Ok(())
}

fn bad(key: &str, value: &Value, takes: &str) -> Error {
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Error::usage("bad-value", format!("“{shown}” can't be the value of {key}."))
        .with_hint(format!("It takes {takes}."))
}

/// A whole number from `least` to [`SCHEDULE_MAX`].
fn count(key: &str, value: &Value, least: u32) -> Result<u32> {
    let number = match value {
        Value::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
        _ => text(key, value)?.trim().parse().ok(),
    };
    number
        .filter(|n| (least..=SCHEDULE_MAX).contains(n))
        .ok_or_else(|| {
            bad(
                key,
                value,
                &format!("a whole number from {least} to {SCHEDULE_MAX}"),
            )
        })
}

fn text<'a>(key: &str, value: &'a Value) -> Result<&'a str> {
    value.as_str().ok_or_else(|| bad(key, value, "text"))
}

/// A JSON array of strings, or one string with commas.
fn list(key: &str, value: &Value) -> Result<Vec<String>> {
    match value {
        Value::Array(items) => items
            .iter()
            .map(|item| text(key, item).map(str::to_owned))
            .collect(),
        _ => Ok(text(key, value)?
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_lose_blanks_and_doubles() {
        let tags = clean_tags(&["work".into(), " Work ".into(), "lab".into()]).unwrap();
        assert_eq!(tags, ["work", "lab"]);
        assert!(clean_tags(&["a,b".into()]).is_err());
    }

    #[test]
    fn lists_come_as_text_or_arrays() {
        assert_eq!(
            list("tags", &serde_json::json!("a, b,,c")).unwrap(),
            ["a", "b", "c"]
        );
        assert_eq!(list("tags", &serde_json::json!(["a"])).unwrap(), ["a"]);
        assert!(list("tags", &serde_json::json!([1])).is_err());
    }
}
