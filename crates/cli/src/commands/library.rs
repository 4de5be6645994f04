//! Doctor, trash, image cache, jobs, events, statistics, library check.

use super::Client;
use crate::args::{Jobs, Library};
use crate::interrupt;
use crate::output::Output;
use nestbox_model::units::format_size;
use nestbox_model::{CheckStatus, Error, Event, Result};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::time::Duration;
use time::format_description::well_known::Rfc3339;

pub async fn doctor(client: &Client, refresh: bool, output: &Output) -> Result<()> {
    let report = client.doctor(refresh).await?;
    output.result(&report, |o| {
        for check in &report.checks {
            let mark = match check.status {
                CheckStatus::Ok => "ok      ",
                CheckStatus::Warning => "warning ",
                CheckStatus::Missing => "missing ",
                CheckStatus::Failed => "failed  ",
            };
            o.line(format!("{mark} {}", check.message));
            if let Some(fix) = &check.fix {
                o.line(format!("         → {fix}"));
            }
            if let (true, Some(technical)) = (o.verbose, &check.technical) {
                o.line(format!("           {technical}"));
            }
        }
        o.line("");
        let rows: Vec<_> = report
            .accelerators
            .iter()
            .map(|a| {
                let usable = if a.usable { "usable" } else { "not usable" };
                vec![
                    a.name.to_string(),
                    a.arch.to_string(),
                    usable.to_owned(),
                    a.reason.clone(),
                ]
            })
            .collect();
        o.table(&["ACCELERATOR", "ARCH", "VERDICT", "WHY"], &rows);
    });
    if report.ok {
        return Ok(());
    }
    let fix = report
        .checks
        .iter()
        .filter(|c| c.status != CheckStatus::Ok)
        .find_map(|c| c.fix.clone());
    Err(
        Error::unfit("not-ready", "Machines can't run on this computer yet.")
            .with_hint(fix.unwrap_or_default()),
    )
}

pub async fn trash_list(client: &Client, output: &Output) -> Result<()> {
    let entries = client.trash().await?;
    output.result(&json!({ "entries": entries }), |o| {
        if entries.is_empty() {
            o.note("The trash is empty.");
            return;
        }
        let rows: Vec<_> = entries
            .iter()
            .map(|e| {
                vec![
                    e.name.clone(),
                    format_size(e.size),
                    e.deleted_at.format(&Rfc3339).unwrap_or_default(),
                    e.id.short().to_owned(),
                ]
            })
            .collect();
        o.table(&["NAME", "SIZE", "DELETED", "ID"], &rows);
    });
    Ok(())
}

pub async fn untrash(client: &Client, machine: &str, output: &Output) -> Result<()> {
    let machine = client.untrash(machine).await?;
    output.result(&machine, |o| o.line(format!("“{}” is back.", machine.name)));
    Ok(())
}

pub async fn empty_trash(client: &Client, yes: bool, dry_run: bool, output: &Output) -> Result<()> {
    let would = client.empty_trash(true).await?;
    let what = |emptied: &nestbox_model::TrashEmptied| match emptied.disks.len() {
        0 => format!("{} machines", emptied.removed.len()),
        disks => format!("{} machines and {disks} disks", emptied.removed.len()),
    };
    let nothing = would.removed.is_empty() && would.disks.is_empty();
    if !dry_run && !yes && !nothing {
        ask(&format!(
            "Remove {} ({}) for good? Nothing can bring them back. [y/N] ",
            what(&would),
            format_size(would.freed)
        ))
        .await?;
    }
    let emptied = if dry_run {
        would
    } else {
        client.empty_trash(false).await?
    };
    output.result(&emptied, |o| {
        let verb = if dry_run { "Would remove" } else { "Removed" };
        o.line(format!(
            "{verb} {}, {}.",
            what(&emptied),
            format_size(emptied.freed)
        ));
    });
    Ok(())
}

pub async fn cache(client: &Client, output: &Output) -> Result<()> {
    let list = client.cache().await?;
    output.result(&list, |o| {
        let rows: Vec<Vec<String>> = list
            .images
            .iter()
            .map(|image| {
                let name = std::path::Path::new(&image.path).file_name().unwrap_or_default();
                let what = match image.templates.as_slice() {
                    [] => name.to_string_lossy().into_owned(),
                    templates => templates.join(", "),
                };
                vec![what, format_size(image.bytes), image.needed_by.join(", ")]
            })
            .collect();
        if rows.is_empty() {
            o.line("No images are downloaded.");
        } else {
            o.table(&["IMAGE", "SIZE", "NEEDED BY"], &rows);
        }
        if list.partial > 0 {
            o.note(format!("Unfinished downloads: {}.", format_size(list.partial)));
        }
    });
    Ok(())
}

pub async fn prune_cache(client: &Client, dry_run: bool, output: &Output) -> Result<()> {
    let pruned = client.prune_cache(dry_run).await?;
    output.result(&pruned, |o| {
        let verb = if dry_run { "Would remove" } else { "Removed" };
        o.line(format!(
            "{verb} {} images and unfinished downloads, {}.",
            pruned.removed.len(),
            format_size(pruned.freed)
        ));
    });
    Ok(())
}

pub async fn ask(question: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        return Err(
            Error::usage("needs-yes", "This can't be undone, and nobody is there to ask.")
                .with_hint("Add --yes."),
        );
    }
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{question}");
    let _ = stderr.flush();
    // On a thread of its own, so that Ctrl-C is an answer too.
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        let _ = std::io::stdin().read_line(&mut answer);
        answer
    });
    let answer = answer.await.unwrap_or_default();
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Error::cancelled())
    }
}

pub async fn jobs(client: &Client, action: Jobs, output: &Output) -> Result<()> {
    match action {
        Jobs::List => {
            let jobs = client.jobs().await?;
            output.result(&json!({ "jobs": jobs }), |o| {
                let rows: Vec<_> = jobs
                    .iter()
                    .map(|j| {
                        let state = format!("{:?}", j.state).to_lowercase();
                        let progress = j
                            .progress
                            .map(|p| format!("{:.0} %", p * 100.0))
                            .unwrap_or_default();
                        vec![
                            j.id.short().to_owned(),
                            j.title.clone(),
                            state,
                            progress,
                            j.message.clone(),
                        ]
                    })
                    .collect();
                o.table(&["ID", "WHAT", "STATE", "DONE", "NOW"], &rows);
            });
        }
        Jobs::Show { job } => {
            let job = client.job(&job).await?;
            output.result(&job, |o| {
                o.line(format!("{}: {}", job.title, job.message));
                for step in &job.steps {
                    let detail = step
                        .detail
                        .as_ref()
                        .map(|d| format!(" ({d})"))
                        .unwrap_or_default();
                    o.line(format!(
                        "  {:8} {}{detail}",
                        format!("{:?}", step.state).to_lowercase(),
                        step.title
                    ));
                }
            });
        }
        Jobs::Cancel { job } => {
            let job = client.job_act(&job, "cancel").await?;
            output.result(&job, |o| o.line(format!("Cancelling: {}", job.title)));
        }
    }
    Ok(())
}

pub async fn events(client: &Client, follow: bool, output: &Output) -> Result<()> {
    if !follow {
        let mut entries = client.activity().await?;
        entries.reverse();
        for entry in &entries {
            if output.json {
                output.stream(entry);
            } else {
                output.line(format!(
                    "{}  {}",
                    entry.at.format(&Rfc3339).unwrap_or_default(),
                    entry.message
                ));
            }
        }
        return Ok(());
    }
    let interrupt = interrupt::claim();
    tokio::select! {
        result = follow_events(client, output) => result,
        () = interrupt.pressed() => Ok(()),
    }
}

async fn follow_events(client: &Client, output: &Output) -> Result<()> {
    let mut socket = client.events().await?;
    loop {
        let Some(event) = socket.next().await else {
            return Err(Error::unfit("service-gone", "The service ended.")
                .with_hint("Run the command again to start it."));
        };
        if output.json {
            output.stream(&event);
        } else {
            print_event(&event, output);
        }
    }
}

fn print_event(event: &Event, output: &Output) {
    let kind = serde_json::to_value(event.kind)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default();
    let about = match (&event.machine_now, &event.job) {
        (_, Some(job)) => format!("{}: {}", job.title, job.message),
        (Some(machine), _) => format!("“{}” {}", machine.name, machine.state.as_str()),
        _ => event
            .machine
            .as_ref()
            .map(|id| id.short().to_owned())
            .unwrap_or_default(),
    };
    output.line(format!(
        "{}  {kind}  {about}",
        event.at.format(&Rfc3339).unwrap_or_default()
    ));
}

pub async fn stats(client: &Client, machine: Option<&str>, follow: bool, output: &Output) -> Result<()> {
    if !follow {
        return show_stats(client, machine, false, output).await;
    }
    let interrupt = interrupt::claim();
    let following = async {
        loop {
            show_stats(client, machine, true, output).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        result = following => result,
        () = interrupt.pressed() => Ok(()),
    }
}

async fn show_stats(client: &Client, machine: Option<&str>, follow: bool, output: &Output) -> Result<()> {
    let stats = client.stats(machine).await?;
    if output.json && follow {
        output.stream(&stats);
    } else {
        output.result(&stats, |o| {
            o.line(format!(
                "Host: {:.1} of {} cores, {} of memory free",
                stats.host.cpu,
                stats.host.cpus,
                format_size(stats.host.memory_free)
            ));
            for usage in &stats.machines {
                o.line(format!(
                    "{}: {:.2} cores, {}, disk {}/s read, {}/s written",
                    usage.id.get(..8).unwrap_or(&usage.id),
                    usage.cpu,
                    format_size(usage.memory_resident),
                    format_size(usage.disk_read_bps as u64),
                    format_size(usage.disk_write_bps as u64)
                ));
            }
        });
    }
    Ok(())
}

pub async fn check(client: &Client, action: &Library, output: &Output) -> Result<()> {
    let Library::Check { rebuild, dry_run } = action;
    let report = client.check_library(*rebuild && !dry_run).await?;
    output.result(&report, |o| {
        for problem in &report.problems {
            let path = problem
                .path
                .as_ref()
                .map(|p| format!(" ({p})"))
                .unwrap_or_default();
            o.line(format!("{}: {}{path}", problem.code, problem.message));
        }
        match report.rebuilt {
            Some(count) => o.line(format!("The index was made anew: {count} machines.")),
            None if report.ok => o.line("The library is in order."),
            None => o.note("Make the index anew from the folders with: nestbox library check --rebuild"),
        }
    });
    if report.ok {
        Ok(())
    } else {
        Err(Error::failed(
            "library-problems",
            "The library has problems, listed above.",
        ))
    }
}
