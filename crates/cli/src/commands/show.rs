//! What there is: machines, templates, logs.

use super::Client;
use crate::args::{List, Template};
use crate::interrupt;
use crate::output::Output;
use nestbox_model::units::format_size;
use nestbox_model::{Logs, Machine, Result, TemplateKind, VerifiedBy};
use serde::Serialize;
use serde_json::json;
use std::time::Duration;
use time::format_description::well_known::Rfc3339;

#[derive(Serialize)]
struct Machines<'a> {
    machines: &'a [Machine],
}

pub async fn list(client: &Client, list: &List, output: &Output) -> Result<()> {
    let machines = client
        .machines(list.tag.as_deref(), list.state.as_deref(), list.search.as_deref())
        .await?;
    output.result(&Machines { machines: &machines }, |o| {
        if machines.is_empty() {
            o.note("No machines. Make one: nestbox create NAME --template ubuntu-24.04");
            return;
        }
        let rows: Vec<_> = machines
            .iter()
            .map(|m| {
                let state = m.state.as_str().to_owned();
                vec![
                    m.name.clone(),
                    state,
                    m.arch.to_string(),
                    m.cpus.to_string(),
                    format_size(m.memory),
                    m.system.clone().unwrap_or_default(),
                    m.id.short().to_owned(),
                ]
            })
            .collect();
        o.table(
            &["NAME", "STATE", "ARCH", "CPUS", "MEMORY", "SYSTEM", "ID"],
            &rows,
        );
    });
    Ok(())
}

pub async fn machine(client: &Client, machine: &str, command: bool, output: &Output) -> Result<()> {
    if command {
        let shown = client.command(machine).await?;
        output.result(&shown, |o| o.line(&shown.shell));
        return Ok(());
    }
    let machine = client.machine(machine).await?;
    output.result(&machine, |o| facts(&machine, o));
    Ok(())
}

pub fn facts(m: &Machine, o: &Output) {
    let state = match &m.state_reason {
        Some(reason) => format!("{} ({reason})", m.state.as_str()),
        None => m.state.as_str().to_owned(),
    };
    let accelerator = m.accelerator.map(|a| match &m.accelerator_reason {
        Some(reason) => format!("{a} ({reason})"),
        None => a.to_string(),
    });
    let list = |items: Vec<String>| items.join("\n                 ");
    o.facts(&[
        ("Name", m.name.clone()),
        ("Id", m.id.to_string()),
        ("State", state),
        ("System", m.system.clone().unwrap_or_default()),
        ("Architecture", m.arch.to_string()),
        ("Processors", m.cpus.to_string()),
        ("Memory", format_size(m.memory)),
        ("Accelerator", accelerator.unwrap_or_default()),
        (
            "Firmware",
            if m.firmware == nestbox_model::Firmware::Uefi {
                "UEFI"
            } else {
                "BIOS"
            }
            .into(),
        ),
        (
            "Disks",
            list(
                m.disks
                    .iter()
                    .map(|d| format!("{} of {}", format_size(d.used), format_size(d.capacity)))
                    .collect(),
            ),
        ),
        (
            "Medium",
            m.medium
                .as_ref()
                .map(|medium| medium.path.clone())
                .unwrap_or_default(),
        ),
        (
            "Networks",
            list(
                m.nics
                    .iter()
                    .map(|n| format!("{} ({})", n.network, n.mac))
                    .collect(),
            ),
        ),
        (
            "Ports",
            list(
                m.ports
                    .iter()
                    .map(|p| format!("127.0.0.1:{} → {}/{}", p.host, p.guest, p.protocol.as_str()))
                    .collect(),
            ),
        ),
        ("SSH", m.ways_in.ssh_command.clone().unwrap_or_default()),
        ("Snapshots", m.snapshots.to_string()),
        ("Tags", m.tags.join(", ")),
        ("Notes", m.notes.clone()),
        ("Made", m.created_at.format(&Rfc3339).unwrap_or_default()),
        ("Folder", m.folder.clone()),
    ]);
}

pub async fn template(client: &Client, action: Template, output: &Output) -> Result<()> {
    match action {
        Template::List { arch } => {
            let templates = client.templates(arch.map(nestbox_model::Arch::as_str)).await?;
            output.result(&json!({ "templates": templates }), |o| {
                let rows: Vec<_> = templates
                    .iter()
                    .map(|t| {
                        let arches: Vec<_> = t.arches.keys().map(|a| a.as_str()).collect();
                        vec![t.id.clone(), t.name.clone(), arches.join(" "), t.summary.clone()]
                    })
                    .collect();
                o.table(&["ID", "NAME", "ARCHITECTURES", "WHAT"], &rows);
            });
        }
        Template::Show { id } => {
            let t = client.template(&id).await?;
            output.result(&t, |o| {
                o.facts(&[
                    ("Id", t.id.clone()),
                    ("Name", t.name.clone()),
                    ("What", t.summary.clone()),
                    ("Account", t.user.clone().unwrap_or_default()),
                    (
                        "Defaults",
                        format!(
                            "{} processors, {} memory, {} disk",
                            t.defaults.cpus,
                            format_size(t.defaults.memory),
                            format_size(t.defaults.disk)
                        ),
                    ),
                ]);
                for note in &t.notes {
                    o.line(format!("Note: {note}"));
                }
                for (arch, offer) in &t.arches {
                    if offer.own_medium {
                        o.line(format!("{arch}: installer, from an ISO of your own (--iso FILE)"));
                        continue;
                    }
                    let kind = match offer.kind {
                        TemplateKind::CloudImage => "cloud image",
                        TemplateKind::Installer => "installer",
                    };
                    let verified = match offer.verified_by {
                        VerifiedBy::Gpg => "signed",
                        VerifiedBy::Checksum => "checksum only",
                        VerifiedBy::None => "not verifiable",
                    };
                    let size = offer
                        .size
                        .map(format_size)
                        .unwrap_or_else(|| "size unknown".into());
                    let cached = if offer.cached { ", in the cache" } else { "" };
                    o.line(format!(
                        "{arch}: {kind}, {size}, {verified}{cached}\n  {}",
                        offer.url
                    ));
                }
            });
        }
    }
    Ok(())
}

pub async fn logs(client: &Client, machine: &str, follow: bool, output: &Output) -> Result<()> {
    let logs = client.logs(machine).await?;
    if !follow {
        output.result(&logs, |o| {
            o.line("── hypervisor ──");
            o.line(logs.backend.trim_end());
            o.line("── serial port ──");
            o.line(logs.serial.trim_end());
        });
        return Ok(());
    }
    let interrupt = interrupt::claim();
    tokio::select! {
        result = follow_logs(client, machine, logs, output) => result,
        () = interrupt.pressed() => Ok(()),
    }
}

async fn follow_logs(client: &Client, machine: &str, logs: Logs, output: &Output) -> Result<()> {
    let mut seen = (String::new(), String::new());
    let mut now = (logs.backend, logs.serial);
    loop {
        for (source, old, new) in [("backend", &seen.0, &now.0), ("serial", &seen.1, &now.1)] {
            let fresh = news(old, new);
            if fresh.is_empty() {
                continue;
            }
            if output.json {
                output.stream(&json!({ "source": source, "text": fresh }));
            } else {
                output.line(fresh.trim_end_matches('\n'));
            }
        }
        seen = now;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let logs = client.logs(machine).await?;
        now = (logs.backend, logs.serial);
    }
}

/// What `new` has beyond `old`: both are windows at the end of one growing text.
fn news<'a>(old: &str, new: &'a str) -> &'a str {
    if let Some(rest) = new.strip_prefix(old) {
        return rest;
    }
    // The window moved: find the end of the old text in the new one.
    let mut tail_start = old.len().saturating_sub(256);
    while !old.is_char_boundary(tail_start) {
        tail_start += 1;
    }
    let tail = &old[tail_start..];
    new.rfind(tail).map_or(new, |at| &new[at + tail.len()..])
}

#[cfg(test)]
mod tests {
    use super::news;

    #[test]
    fn only_what_is_new_is_printed() {
        assert_eq!(news("", "ab"), "ab");
        assert_eq!(news("ab", "abc"), "c");
        assert_eq!(news("ab", "ab"), "");
        let old = "x".repeat(1000) + "end";
        let new = old[100..].to_owned() + "more";
        assert_eq!(news(&old, &new), "more");
        assert_eq!(news("old", "another"), "another");
    }
}
