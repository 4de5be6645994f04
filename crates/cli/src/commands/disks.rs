//! `nestbox disk`.

use super::{Client, absolute};
use crate::args::{AddDisk, DiskCommand};
use crate::output::Output;
use crate::{interrupt, progress};
use nestbox_model::units::format_size;
use nestbox_model::{
    DiskAddRequest, DiskAttachRequest, DiskChangeRequest, DiskChanged, DiskCheckRequest, DiskDetails,
    DiskResizeRequest, Error, Job, Result,
};
use serde_json::{Value, json};
use time::macros::format_description;

pub async fn run(client: &Client, command: DiskCommand, output: &Output) -> Result<()> {
    match command {
        DiskCommand::List { machine, all } => list(client, &machine, all, output).await,
        DiskCommand::Add(add) => self::add(client, *add, output).await,
        DiskCommand::Remove {
            machine,
            disk,
            now,
            yes,
            dry_run,
        } => remove(client, &machine, &disk, (now, yes, dry_run), output).await,
        DiskCommand::Restore { machine, disk } => {
            let details = client.disk_act(&machine, &disk, "restore").await?;
            show(&details, "is back", output);
            Ok(())
        }
        DiskCommand::Detach { machine, disk } => {
            let details = client.disk_act(&machine, &disk, "detach").await?;
            show(&details, "is detached", output);
            Ok(())
        }
        DiskCommand::Attach {
            machine,
            disk,
            to,
            detach,
        } => {
            let changed = client
                .attach_disk(&machine, &disk, &DiskAttachRequest { to: to.clone() })
                .await?;
            let owner = to.unwrap_or(machine);
            finish(client, &owner, changed, "is attached", detach, output).await
        }
        DiskCommand::Resize { machine, disk, size } => {
            let request = DiskResizeRequest { size };
            let changed = client.resize_disk(&machine, &disk, &request).await?;
            finish(client, &machine, changed, "is larger", false, output).await
        }
        DiskCommand::Compact {
            machine,
            disk,
            dry_run,
            detach,
        } => {
            let job = client.compact_disk(&machine, &disk, dry_run).await?;
            let Some(job) = follow(client, job, detach, output).await? else {
                return Ok(());
            };
            output.result(&job, |o| compacted(&job, dry_run, o));
            Ok(())
        }
        DiskCommand::Check {
            machine,
            disk,
            repair,
            detach,
        } => check(client, &machine, &disk, repair, detach, output).await,
        DiskCommand::Convert(convert) => super::carry::convert(client, convert, output).await,
        DiskCommand::Browse(browse) => super::browse::browse(client, browse, output).await,
        DiskCommand::CopyOut(copy) => super::browse::copy_out(client, copy, output).await,
        DiskCommand::Set {
            machine,
            disk,
            changes,
        } => {
            let request = changes_of(&changes)?;
            let details = client.change_disk(&machine, &disk, &request).await?;
            show(&details, "is changed", output);
            Ok(())
        }
    }
}

async fn list(client: &Client, machine: &str, all: bool, output: &Output) -> Result<()> {
    let mut list = client.disks(machine).await?;
    let aside = list.disks.iter().filter(|disk| !disk.attached).count();
    list.disks.retain(|disk| all || disk.attached);
    output.result(&list, |o| {
        if list.disks.is_empty() {
            o.note("No disks.");
        } else {
            let headings = [
                "#",
                "ID",
                "LABEL",
                "BUS",
                "CAPACITY",
                "OWN",
                "SNAPSHOTS",
                "SHARED",
                "STATE",
            ];
            let rows: Vec<_> = list.disks.iter().map(row).collect();
            o.table(&headings, &rows);
        }
        for disk in &list.disks {
            disk.notes
                .iter()
                .for_each(|note| o.note(format!("{}: {note}", disk.disk.number)));
        }
        if aside > 0 && !all {
            o.note(format!("{aside} more are detached or in the bin: --all"));
        }
    });
    Ok(())
}

fn row(disk: &DiskDetails) -> Vec<String> {
    let bytes = |bytes: u64| match bytes {
        0 => "-".to_owned(),
        bytes => format_size(bytes),
    };
    vec![
        disk.disk.number.to_string(),
        disk.disk.id.short().to_owned(),
        disk.disk.label.clone().unwrap_or_else(|| "-".into()),
        disk.disk.bus.as_str().to_owned(),
        format_size(disk.disk.capacity),
        bytes(disk.disk.used),
        bytes(disk.in_snapshots),
        bytes(disk.shared),
        state(disk),
    ]
}

fn state(disk: &DiskDetails) -> String {
    let day = format_description!("[year]-[month]-[day]");
    let mut state = match (disk.attached, disk.purge_at) {
        (true, _) => "attached".to_owned(),
        (false, Some(at)) => format!("in the bin until {}", at.format(day).unwrap_or_default()),
        (false, None) => "detached".to_owned(),
    };
    for (holds, word) in [
        (disk.disk.read_only, ", read-only"),
        (
            disk.disk.linked.is_some() && !disk.disk.linked_missing,
            ", linked",
        ),
        (disk.disk.linked_missing, ", its file is missing"),
    ] {
        if holds {
            state += word;
        }
    }
    state
}

fn name(disk: &DiskDetails) -> String {
    match &disk.disk.label {
        Some(label) => format!("“{label}” ({})", disk.disk.id.short()),
        None => format!("Disk {} ({})", disk.disk.number, disk.disk.id.short()),
    }
}

fn show(details: &DiskDetails, what: &str, output: &Output) {
    output.result(details, |o| {
        o.line(format!(
            "{} {what}: {}, {}.",
            name(details),
            format_size(details.disk.capacity),
            state(details)
        ));
        details.notes.iter().for_each(|note| o.note(note));
    });
}

async fn add(client: &Client, args: AddDisk, output: &Output) -> Result<()> {
    let request = DiskAddRequest {
        size: args.size,
        file: args.file.as_deref().map(absolute).transpose()?,
        action: args.action.action(),
        read_only: args.read_only,
        bus: args.bus,
        cache: args.cache,
        discard: args.no_discard.then_some(false),
        iothread: args.iothread.then_some(true),
        label: args.label,
    };
    let _interrupt = (!args.detach).then(interrupt::claim);
    let changed = client.add_disk(&args.machine, &request).await?;
    finish(client, &args.machine, changed, "is there", args.detach, output).await
}

/// Follows the job of a change, if it has one, and shows the disk.
async fn finish(
    client: &Client,
    machine: &str,
    changed: DiskChanged,
    what: &str,
    detach: bool,
    output: &Output,
) -> Result<()> {
    let mut changed = changed;
    if let Some(job) = changed.job.take() {
        let Some(job) = follow(client, job, detach, output).await? else {
            return Ok(());
        };
        let details = job.steps.iter().filter_map(|step| step.detail.clone());
        changed.notes.extend(details);
        let disks = client.disks(machine).await?.disks;
        changed.disk = disks.into_iter().rfind(|disk| disk.attached);
        changed.job = Some(job);
    }
    output.result(&changed, |o| {
        if let Some(disk) = &changed.disk {
            o.line(format!(
                "{} {what}: {}, {}.",
                name(disk),
                format_size(disk.disk.capacity),
                state(disk)
            ));
            disk.notes.iter().for_each(|note| o.note(note));
        }
        changed.notes.iter().for_each(|note| o.note(note));
    });
    Ok(())
}

/// The job at its end, or nothing when nobody waits for it.
async fn follow(client: &Client, job: Job, detach: bool, output: &Output) -> Result<Option<Job>> {
    if detach {
        output.result(&json!({ "job": job }), |o| o.line(job.id.as_str()));
        return Ok(None);
    }
    progress::follow(client, &job, output).await.map(Some)
}

async fn remove(
    client: &Client,
    machine: &str,
    disk: &str,
    (now, yes, dry_run): (bool, bool, bool),
    output: &Output,
) -> Result<()> {
    if now && !yes && !dry_run {
        let would = client.remove_disk(machine, disk, true, true).await?;
        super::library::ask(&format!(
            "Free {} ({}) for good? Nothing can bring it back. [y/N] ",
            name(&would.removed),
            format_size(would.freed)
        ))
        .await?;
    }
    let removed = client.remove_disk(machine, disk, now, dry_run).await?;
    output.result(&removed, |o| {
        let would = if dry_run { "would be " } else { "is " };
        let name = name(&removed.removed);
        match removed.purge_at {
            None => o.line(format!(
                "{name} {would}gone; {} freed.",
                format_size(removed.freed)
            )),
            Some(_) => {
                o.line(format!("{name} {would}in the bin for a week."));
                if !dry_run {
                    let id = removed.removed.disk.id.short();
                    let machine = shell_word(machine);
                    o.note(format!("Undo: nestbox disk restore {machine} {id}"));
                }
            }
        }
        removed.notes.iter().for_each(|note| o.note(note));
    });
    Ok(())
}

/// Quoted for a POSIX shell where it needs to be.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn compacted(job: &Job, dry_run: bool, o: &Output) {
    let number = |key: &str| {
        job.result
            .as_ref()
            .and_then(|result| result[key].as_u64())
            .unwrap_or(0)
    };
    let (before, after) = (number("before"), number("after"));
    if dry_run {
        o.line(format!("Would write {} anew.", format_size(before)));
    } else {
        o.line(format!(
            "{} freed: {} before, {} now.",
            format_size(before.saturating_sub(after)),
            format_size(before),
            format_size(after)
        ));
    }
}

async fn check(
    client: &Client,
    machine: &str,
    disk: &str,
    repair: bool,
    detach: bool,
    output: &Output,
) -> Result<()> {
    let request = DiskCheckRequest { repair };
    let job = client.check_disk(machine, disk, &request).await?;
    let Some(job) = follow(client, job, detach, output).await? else {
        return Ok(());
    };
    let found = job.result.clone().unwrap_or_default();
    output.result(&job, |o| {
        for image in found["images"].as_array().into_iter().flatten() {
            let verdict = match (image["corruptions"].as_u64(), image["leaks"].as_u64()) {
                (Some(0), Some(0)) => "good".to_owned(),
                (Some(0), Some(leaks)) => format!("good, {leaks} clusters wasted"),
                (corruptions, _) => format!("damaged in {} places", corruptions.unwrap_or(0)),
            };
            o.line(format!(
                "{}  {verdict}",
                image["path"].as_str().unwrap_or_default()
            ));
        }
        for step in &job.steps {
            step.detail.iter().for_each(|detail| o.note(detail));
        }
    });
    if found["ok"] == Value::Bool(false) {
        return Err(
            Error::failed("disk-damaged", "The disk is damaged.").with_hint(format!(
                "Mend a copy of it with: nestbox disk check --repair {} {disk}",
                shell_word(machine)
            )),
        );
    }
    Ok(())
}

/// `KEY=VALUE` words as a request.
fn changes_of(changes: &[String]) -> Result<DiskChangeRequest> {
    const KEYS: &str = "bus, cache, discard, iothread, read-only, label, position";
    let mut request = serde_json::Map::new();
    for change in changes {
        let (key, value) = change.split_once('=').ok_or_else(|| {
            Error::usage("bad-value", format!("“{change}” is not KEY=VALUE."))
                .with_hint(format!("Keys are: {KEYS}."))
        })?;
        let bad = |takes: &str| {
            Error::usage("bad-value", format!("“{value}” can't be the value of {key}."))
                .with_hint(format!("It takes {takes}."))
        };
        let (key, value) = match key {
            "bus" => (key, json!(value.to_lowercase())),
            "cache" => (key, json!(value.to_lowercase())),
            "label" => (key, json!(value)),
            "discard" | "iothread" | "read-only" | "read_only" => {
                let on = match value {
                    "true" | "on" | "yes" => true,
                    "false" | "off" | "no" => false,
                    _ => return Err(bad("true or false")),
                };
                (if key.starts_with("read") { "read_only" } else { key }, json!(on))
            }
            "position" => {
                let place: u32 = value.parse().map_err(|_| bad("a number from 1"))?;
                (key, json!(place))
            }
            _ => {
                return Err(
                    Error::not_found("setting-not-found", format!("A disk has no setting “{key}”."))
                        .with_hint(format!("Settings are: {KEYS}.")),
                );
            }
        };
        let single = json!({ key: value.clone() });
        if serde_json::from_value::<DiskChangeRequest>(single).is_err() {
            let takes = match key {
                "bus" => "virtio, scsi, nvme, sata or usb",
                _ => "writeback, none, writethrough or unsafe",
            };
            return Err(bad(takes));
        }
        request.insert(key.to_owned(), value);
    }
    serde_json::from_value(Value::Object(request))
        .map_err(|error| Error::failed("internal", format!("The changes can't be said: {error}.")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestbox_model::{DiskBus, DiskCache};

    #[test]
    fn changes_are_read_and_judged() {
        let words = [
            "bus=SCSI",
            "cache=none",
            "read-only=on",
            "label=a=b",
            "position=2",
        ]
        .map(str::to_owned);
        let request = changes_of(&words).unwrap();
        assert_eq!(
            (request.bus, request.cache),
            (Some(DiskBus::Scsi), Some(DiskCache::None))
        );
        assert_eq!((request.read_only, request.position), (Some(true), Some(2)));
        assert_eq!(request.label.as_deref(), Some("a=b"));
        for (bad, code) in [
            ("bus=ide", "bad-value"),
            ("bus", "bad-value"),
            ("discard=maybe", "bad-value"),
            ("colour=red", "setting-not-found"),
        ] {
            assert_eq!(changes_of(&[bad.to_owned()]).unwrap_err().code, code, "{bad}");
        }
    }
}
