//! Taking snapshots, of several machines too; clones, comparison, tidying, space.

use super::Client;
use crate::args::{Clone, Take};
use crate::output::Output;
use crate::{interrupt, progress};
use nestbox_model::units::format_size;
use nestbox_model::{CloneRequest, Comparison, Result, SnapshotRequest, TogetherRequest};

fn stood_still(seconds: f64) -> String {
    if seconds > 0.0 {
        format!(", the guest stood still for {:.0} ms", seconds * 1000.0)
    } else {
        String::new()
    }
}

/// One machine with a name of the snapshot, or several machines: a second word is a name unless a machine has it.
pub async fn take(client: &Client, mut take: Take, output: &Output) -> Result<()> {
    let by_group = take.tag.is_some() || take.network.is_some();
    if let ([_, second], None, false) = (take.words.as_slice(), &take.name, by_group)
        && (second.is_empty() || !is_machine(client, second).await?)
    {
        take.name = take.words.pop();
    }
    let memory = take.no_memory.then_some(false);
    if let ([machine], false) = (take.words.as_slice(), by_group) {
        let request = SnapshotRequest {
            name: take.name,
            notes: take.notes,
            memory,
            keep: take.keep,
        };
        let taken = client.take_snapshot(machine, &request).await?;
        output.result(&taken, |o| {
            o.line(format!(
                "Took “{}” ({}{}).",
                taken.snapshot.name,
                format_size(taken.snapshot.size),
                stood_still(taken.paused_seconds)
            ));
        });
        return Ok(());
    }
    let request = TogetherRequest {
        machines: take.words,
        tag: take.tag,
        network: take.network,
        name: take.name,
        notes: take.notes,
        memory,
        keep: take.keep,
    };
    let taken = client.take_together(&request).await?;
    output.result(&taken, |o| {
        for one in &taken.snapshots {
            o.line(format!(
                "Took “{}” of “{}” ({}).",
                one.snapshot.name,
                one.machine_name,
                format_size(one.snapshot.size)
            ));
        }
        o.note(format!(
            "{} machines were cut at one instant{}.",
            taken.snapshots.len(),
            stood_still(taken.paused_seconds)
        ));
    });
    Ok(())
}

async fn is_machine(client: &Client, word: &str) -> Result<bool> {
    match client.machine(word).await {
        Ok(machine) => Ok(machine.name.to_lowercase() == word.to_lowercase() || machine.id.as_str() == word),
        Err(error) if error.code == "machine-not-found" => Ok(false),
        Err(error) => Err(error),
    }
}

pub async fn clone(client: &Client, clone: Clone, output: &Output) -> Result<()> {
    let request = CloneRequest {
        name: clone.new,
        snapshot: clone.snapshot,
        full: clone.full,
        start: clone.start,
    };
    let _interrupt = (clone.full && !clone.detach).then(interrupt::claim);
    let mut made = client.clone_machine(&clone.machine, &request).await?;
    if let Some(job) = &made.job {
        if clone.detach {
            output.result(&made, |o| o.line(job.id.as_str()));
            return Ok(());
        }
        made.job = Some(progress::follow(client, job, output).await?);
        made.machine = client.machine(made.machine.id.as_str()).await?;
    }
    output.result(&made, |o| {
        o.line(format!(
            "“{}” is a clone, {}.",
            made.machine.name,
            made.machine.state.as_str()
        ));
        for note in &made.notes {
            o.note(note);
        }
    });
    Ok(())
}

pub async fn compare(
    client: &Client,
    machine: &str,
    snapshot: &str,
    other: Option<&str>,
    output: &Output,
) -> Result<()> {
    let comparison = client.compare(machine, snapshot, other).await?;
    output.result(&comparison, |o| print_comparison(&comparison, o));
    Ok(())
}

fn print_comparison(comparison: &Comparison, o: &Output) {
    o.line(format!(
        "“{}” and “{}”, {} min apart",
        comparison.from.name,
        comparison.to.name,
        (comparison.seconds_between / 60.0).round()
    ));
    let mut rows: Vec<Vec<String>> = comparison
        .settings
        .iter()
        .map(|setting| vec![setting.key.clone(), setting.before.clone(), setting.after.clone()])
        .collect();
    rows.extend(comparison.disks.iter().map(|disk| {
        let bytes = format!("at most {} differ", format_size(disk.written));
        vec![format!("disk {}", disk.id.short()), String::new(), bytes]
    }));
    if comparison.from.memory != comparison.to.memory {
        let word = |memory: bool| if memory { "kept" } else { "none" }.to_owned();
        rows.push(vec![
            "memory file".into(),
            word(comparison.from.memory),
            word(comparison.to.memory),
        ]);
    }
    if rows.is_empty() {
        o.line("Nothing differs.");
    } else {
        o.table(&["", &comparison.from.name, &comparison.to.name], &rows);
    }
}

pub async fn tidy(client: &Client, machine: &str, detach: bool, output: &Output) -> Result<()> {
    let job = client.tidy(machine).await?;
    if detach {
        output.result(&job, |o| o.line(job.id.as_str()));
        return Ok(());
    }
    let job = progress::follow(client, &job, output).await?;
    output.result(&job, |o| o.line("Tidied up."));
    Ok(())
}

pub async fn space(client: &Client, output: &Output) -> Result<()> {
    let report = client.space().await?;
    output.result(&report, |o| {
        let rows: Vec<Vec<String>> = report
            .items
            .iter()
            .map(|item| {
                let freeable = if item.freeable > 0 {
                    format_size(item.freeable)
                } else {
                    String::new()
                };
                vec![
                    item.title.clone(),
                    item.machine_name.clone().unwrap_or_default(),
                    format_size(item.bytes),
                    freeable,
                    item.note.clone().unwrap_or_default(),
                ]
            })
            .collect();
        o.table(&["WHAT", "MACHINE", "SIZE", "CAN BE FREED", ""], &rows);
        o.note(format!("{} are free.", format_size(report.free)));
    });
    Ok(())
}
