//! A machine of quickemu's: a file of shell assignments. It is read, never run: only plain assignments are taken, and a
//! file with anything else is refused.

use super::{
    Bundle,
    config::{lines, utf_8},
    draft::Draft,
    invalid, text_of,
};
use crate::{
    detect::{Detector, Fate},
    foreign::Beside,
    qcow2::printable,
    source::OpenFile,
};
use nestbox_model::{Arch, Error, Firmware, Recognised, Result};
use std::collections::BTreeMap;

pub(crate) const DETECTOR: Detector = Detector {
    name: "machines of quickemu",
    found: |p| p.sets(&["guest_os", "disk_img"]),
    fate: Fate::Bundle(Recognised::Quickemu, open),
};

/// What is kept; all other keys are dropped.
const KEPT: [&str; 11] = [
    "guest_os",
    "disk_img",
    "iso",
    "fixed_iso",
    "ram",
    "cpu_cores",
    "boot",
    "arch",
    "macaddr",
    "port_forwards",
    "ssh_port",
];

/// A value.
struct Value {
    words: Vec<String>,
    /// It has something that a shell would put in: `${HOME}`.
    expands: bool,
}

/// # Errors
/// `bundle-invalid` (anything that a shell would run), `image-refers-elsewhere`, `part-missing`, whatever the disk is
/// refused for.
pub(crate) fn open(file: &OpenFile, beside: &dyn Beside) -> Result<Bundle> {
    let bytes = text_of(file)?;
    let values = read_values(utf_8(&bytes)?)?;
    let mut draft = Draft::new("machine of quickemu", beside);
    read_system(&values, &mut draft)?;
    if let Some(disk) = one(&values, "disk_img")? {
        draft.disk(disk)?;
    }
    for key in ["iso", "fixed_iso"] {
        if let Some(medium) = one(&values, key)? {
            draft.medium(medium);
        }
    }
    read_network(&values, &mut draft)?;
    for (key, value) in &values {
        if KEPT.contains(&key.as_str()) {
            continue;
        }
        let shown = printable(&value.words.join(" "));
        draft.dropped(format!("{key}={shown}"), why_dropped(key));
    }
    draft.finish(Vec::new())
}

fn why_dropped(key: &str) -> &'static str {
    match key {
        "extra_args" => "arguments for QEMU could reach anything on this computer",
        "public_dir" => "folders of this computer are shared only when you say so",
        "usb_devices" | "gpu" => "devices are given to a machine only when you say so",
        "disk_size" => "the disk says its size itself",
        _ => "Nestbox decides that by itself, or does not know it",
    }
}

fn read_values(text: &str) -> Result<BTreeMap<String, Value>> {
    let mut out = BTreeMap::new();
    for line in lines(text)? {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(|| runs(line))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if key.is_empty() || !key.chars().all(plain) || key.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(runs(line));
        }
        let value = Value::parse(value).ok_or_else(|| runs(line))?;
        if out.insert(key.to_owned(), value).is_some() {
            return Err(invalid(format_args!("it sets “{}” twice", printable(key))));
        }
    }
    Ok(out)
}

/// The line is more than an assignment.
fn runs(line: &str) -> Error {
    invalid(format_args!(
        "a line is more than “key=value”, so that a shell would run something: “{}”",
        printable(line)
    ))
}

impl Value {
    /// `None` for what a shell would do more with than take it as a value.
    fn parse(text: &str) -> Option<Self> {
        let (inside, list) = match text.strip_prefix('(') {
            Some(rest) => (rest.strip_suffix(')')?, true),
            None => (text, false),
        };
        let mut out = Self {
            words: Vec::new(),
            expands: false,
        };
        let mut rest = inside.trim();
        while !rest.is_empty() {
            // Behind the value there may be a remark.
            if rest.starts_with('#') && !out.words.is_empty() {
                break;
            }
            rest = out.word(rest)?.trim_start();
            if !list && out.words.len() > 1 {
                return None;
            }
        }
        if out.words.is_empty() && !list {
            out.words.push(String::new());
        }
        Some(out)
    }

    /// Takes one word; what is behind it.
    fn word<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let mut word = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if c.is_whitespace() {
                break;
            }
            let part;
            (part, rest) = match c {
                '\'' => rest[1..].split_once('\'')?,
                '"' => rest[1..].split_once('"')?,
                _ => {
                    let end = rest
                        .find(|c: char| c.is_whitespace() || c == '"' || c == '\'')
                        .unwrap_or(rest.len());
                    let (part, after) = rest.split_at(end);
                    if part.contains([
                        ';', '&', '|', '<', '>', '(', ')', '*', '?', '~', '!', '{', '}', '\\',
                    ]) {
                        return None;
                    }
                    (part, after)
                }
            };
            // Something is run, and the letter before a quote may be hidden from it.
            if c != '\'' && (part.contains("$(") || part.contains(['`', '\\'])) {
                return None;
            }
            self.expands |= c != '\'' && part.contains('$');
            word.push_str(part);
        }
        self.words.push(word);
        Some(rest)
    }
}

/// A value that is one word and stands for itself.
fn one<'a>(values: &'a BTreeMap<String, Value>, key: &str) -> Result<Option<&'a str>> {
    match values.get(key) {
        None => Ok(None),
        Some(Value {
            words,
            expands: false,
        }) if words.len() == 1 => Ok(Some(words[0].as_str()).filter(|word| !word.is_empty())),
        Some(_) => Err(invalid(format_args!("“{key}” is no plain value"))),
    }
}

fn read_system(values: &BTreeMap<String, Value>, draft: &mut Draft) -> Result<()> {
    if let Some(system) = one(values, "guest_os")? {
        draft.facts.system = Some(printable(system));
        if system == "macos" {
            return Err(crate::refuse::unsupported_machine(
                "The machine runs macOS, which needs a start loader that Nestbox does not have.",
                "Go on using it in quickemu.",
            ));
        }
    }
    match one(values, "arch")? {
        Some(arch) => draft.arch(arch)?,
        None => draft.facts.arch = Some(Arch::X86_64),
    }
    if let Some(count) = one(values, "cpu_cores")? {
        draft.cpus(count);
    }
    if let Some(size) = one(values, "ram")? {
        draft.memory(nestbox_model::units::parse_size(size).ok());
    }
    let legacy = one(values, "boot")?.is_some_and(|boot| boot == "legacy");
    draft.firmware(if legacy { Firmware::Bios } else { Firmware::Uefi });
    Ok(())
}

fn read_network(values: &BTreeMap<String, Value>, draft: &mut Draft) -> Result<()> {
    draft.nic(one(values, "macaddr")?, "NAT", true)?;
    let forwards = values.get("port_forwards");
    if forwards.is_some_and(|value| value.expands) {
        return Err(invalid("“port_forwards” is no plain value"));
    }
    for forward in forwards.into_iter().flat_map(|value| &value.words) {
        let (host, guest) = forward
            .split_once(':')
            .ok_or_else(|| invalid("it has a port forward that is none"))?;
        draft.port("tcp", "", host, guest)?;
    }
    if let Some(port) = one(values, "ssh_port")? {
        draft.port("tcp", "", port, "22")?;
    }
    Ok(())
}
