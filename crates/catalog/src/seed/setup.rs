//! Packages, commands, language, keyboard and time zone in cloud-config.
//!
//! Source: cloud-init's reference of the modules `package_update_upgrade_install`, `runcmd`, `locale`, `keyboard` and
//! `timezone`.

use nestbox_model::{Error, Result, Setup};
use serde_json::{Map, Value, json};

/// Most packages and most commands.
const ITEMS_MAX: usize = 200;
/// Longest command, bytes.
const COMMAND_MAX: usize = 4096;

/// Checks the words, so that a slip is told before the guest meets it.
///
/// # Errors
/// `bad-setup` (usage) that names what can't be used.
pub fn check(setup: &Setup) -> Result<()> {
    let bad = |what: &str, text: &str, hint: &str| {
        Err(Error::usage("bad-setup", format!("“{text}” can't be {what}."))
            .with_hint(hint)
            .with_detail("value", text))
    };
    if setup.packages.len() > ITEMS_MAX || setup.run.len() > ITEMS_MAX {
        return bad(
            "used",
            "more than 200 packages or commands",
            "Put them into a script of user-data.",
        );
    }
    for package in &setup.packages {
        if !is_plain(package, "+-._:@/") || package.starts_with('-') {
            return bad(
                "the name of a package",
                package,
                "Use the distribution's name, such as docker.io.",
            );
        }
    }
    for command in &setup.run {
        if command.trim().is_empty() || command.len() > COMMAND_MAX || command.contains(['\n', '\r', '\0']) {
            return bad("a command", command, "Use one shell line of at most 4096 bytes.");
        }
    }
    let words = [
        ("a locale", &setup.locale, "_.-@", "Write it such as de_DE.UTF-8."),
        (
            "a keyboard layout",
            &setup.keyboard,
            "_-",
            "Write the XKB name, such as de or us.",
        ),
        (
            "a time zone",
            &setup.timezone,
            "_+-/",
            "Write it such as Europe/Berlin or UTC.",
        ),
    ];
    for (what, word, signs, hint) in words {
        if let Some(word) = word
            && (!is_plain(word, signs) || word.starts_with(['-', '/']))
        {
            return bad(what, word, hint);
        }
    }
    Ok(())
}

fn is_plain(text: &str, signs: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || signs.contains(c);
    !text.is_empty() && text.len() <= 100 && text.chars().all(known) && !text.contains("..")
}

/// Adds the keys that something is asked for.
pub(super) fn add(config: &mut Map<String, Value>, setup: &Setup) {
    if !setup.packages.is_empty() {
        config.insert("package_update".into(), json!(true));
        config.insert("packages".into(), json!(setup.packages));
    }
    if !setup.run.is_empty() {
        config.insert("runcmd".into(), json!(setup.run));
    }
    if let Some(locale) = &setup.locale {
        config.insert("locale".into(), json!(locale));
    }
    if let Some(layout) = &setup.keyboard {
        config.insert("keyboard".into(), json!({ "layout": layout }));
    }
    if let Some(zone) = &setup.timezone {
        config.insert("timezone".into(), json!(zone));
    }
}
