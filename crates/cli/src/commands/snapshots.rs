//! `nestbox snapshot`.

use super::{Client, timeline};
use crate::args::Snapshot as Action;
use crate::output::Output;
use nestbox_model::units::format_size;
use nestbox_model::{RestoreRequest, Result, Snapshot, SnapshotId, SnapshotList};
use serde_json::json;
use time::macros::format_description;

pub async fn run(client: &Client, action: Action, output: &Output) -> Result<()> {
    match action {
        Action::Take(take) => timeline::take(client, take, output).await?,
        Action::List { machine } => {
            let list = client.snapshots(&machine).await?;
            output.result(&list, |o| {
                if list.snapshots.is_empty() {
                    o.note("No snapshots.");
                } else {
                    tree(&list, None, "", o);
                }
            });
        }
        Action::Show { machine, snapshot } => {
            let snapshot = client.snapshot(&machine, &snapshot).await?;
            output.result(&snapshot, |o| {
                o.facts(&[
                    ("Name", snapshot.name.clone()),
                    ("Id", snapshot.id.to_string()),
                    ("Taken", when(&snapshot)),
                    (
                        "Holds",
                        if snapshot.memory {
                            "disks and memory"
                        } else {
                            "disks"
                        }
                        .into(),
                    ),
                    ("Size", format_size(snapshot.size)),
                    (
                        "Kept",
                        if snapshot.keep { "until you delete it" } else { "" }.into(),
                    ),
                    ("Clones on it", snapshot.needed_by.join(", ")),
                    ("Picture", snapshot.screenshot.clone().unwrap_or_default()),
                    ("Notes", snapshot.notes.clone()),
                ]);
            });
        }
        Action::Restore {
            machine,
            snapshot,
            discard,
            no_memory,
            dry_run,
        } => {
            let request = RestoreRequest {
                discard,
                memory: no_memory.then_some(false),
            };
            restore(client, &machine, &snapshot, &request, dry_run, output).await?;
        }
        Action::Keep {
            machine,
            snapshot,
            off,
        } => {
            let snapshot = client
                .change_snapshot(&machine, &snapshot, None, None, Some(!off))
                .await?;
            output.result(&snapshot, |o| {
                let rule = if off {
                    "Rules may remove"
                } else {
                    "No rule removes"
                };
                o.line(format!("{rule} “{}”.", snapshot.name));
            });
        }
        Action::Compare {
            machine,
            snapshot,
            other,
        } => timeline::compare(client, &machine, &snapshot, other.as_deref(), output).await?,
        Action::DropMemory { machine, snapshot } => {
            let snapshot = client.drop_memory(&machine, &snapshot).await?;
            output.result(&snapshot, |o| {
                o.line(format!("“{}” holds its disks only now.", snapshot.name));
            });
        }
        Action::Tidy { machine, detach } => timeline::tidy(client, &machine, detach, output).await?,
        Action::Rename {
            machine,
            snapshot,
            new,
            notes,
        } => {
            let snapshot = client
                .change_snapshot(&machine, &snapshot, Some(&new), notes.as_deref(), None)
                .await?;
            output.result(&snapshot, |o| o.line(format!("It is now “{}”.", snapshot.name)));
        }
        Action::Delete {
            machine,
            snapshot,
            subtree,
            dry_run,
        } => {
            let deleted = client
                .delete_snapshot(&machine, &snapshot, subtree, dry_run)
                .await?;
            output.result(&deleted, |o| {
                let names: Vec<_> = deleted.deleted.iter().map(|s| format!("“{}”", s.name)).collect();
                let verb = if dry_run { "Would delete" } else { "Deleted" };
                o.line(format!(
                    "{verb} {} ({} freed).",
                    names.join(", "),
                    format_size(deleted.freed)
                ));
            });
        }
    }
    Ok(())
}

async fn restore(
    client: &Client,
    machine: &str,
    snapshot: &str,
    request: &RestoreRequest,
    dry_run: bool,
    output: &Output,
) -> Result<()> {
    let discard = request.discard;
    if dry_run {
        let snapshot = client.snapshot(machine, snapshot).await?;
        output.result(
            &json!({ "would_restore": snapshot, "would_keep_present": !discard }),
            |o| {
                let present = if discard {
                    "The present would be lost."
                } else {
                    "The present would be kept as a snapshot."
                };
                o.line(format!("Would restore “{}”. {present}", snapshot.name));
            },
        );
        return Ok(());
    }
    let restored = client.restore_snapshot(machine, snapshot, request).await?;
    output.result(&restored, |o| {
        o.line(format!(
            "Restored; “{}” is {}.",
            restored.machine.name,
            restored.machine.state.as_str()
        ));
        for note in &restored.notes {
            o.note(note);
        }
        if let Some(kept) = &restored.kept {
            o.note(format!(
                "What was there before is kept as “{}”. Undo: nestbox snapshot restore {} {}",
                kept.name,
                restored.machine.id.short(),
                kept.id.short()
            ));
        }
    });
    Ok(())
}

fn when(snapshot: &Snapshot) -> String {
    snapshot
        .created_at
        .format(format_description!("[year]-[month]-[day] [hour]:[minute] UTC"))
        .unwrap_or_default()
}

fn tree(list: &SnapshotList, parent: Option<&SnapshotId>, indent: &str, o: &Output) {
    let children: Vec<_> = list
        .snapshots
        .iter()
        .filter(|s| match (&s.parent, parent) {
            // One whose parent is not there stands at the root, so that none is hidden.
            (Some(own), None) => !list.snapshots.iter().any(|other| other.id == *own),
            (own, parent) => own.as_ref() == parent,
        })
        .collect();
    for (at, snapshot) in children.iter().enumerate() {
        let last = at + 1 == children.len();
        let (branch, below) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let memory = if snapshot.memory { ", with memory" } else { "" };
        let now = if list.current.as_ref() == Some(&snapshot.id) {
            "  ← now"
        } else {
            ""
        };
        o.line(format!(
            "{indent}{branch}{}  {}  {}{memory}  {}{now}",
            snapshot.name,
            when(snapshot),
            format_size(snapshot.size),
            snapshot.id.short()
        ));
        tree(list, Some(&snapshot.id), &format!("{indent}{below}"), o);
    }
}
