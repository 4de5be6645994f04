//! Create and import.

use super::{Client, absolute};
use crate::args::{Create, FileAction as FileActionArgs, Import, WaitFor};
use crate::output::Output;
use crate::{interrupt, progress, wait};
use nestbox_model::units::format_size;
use nestbox_model::{
    CreateRequest, CreateSource, Error, FileAction, ImportPlan, ImportRequest, ItemFate, JobKind, JobStarted,
    Result,
};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// Keys, user-data and passwords larger than this are not what they should be.
const TEXT_MAX: u64 = 1 << 20;

impl FileActionArgs {
    pub(super) fn action(&self) -> FileAction {
        match (self.move_in, self.link) {
            (true, _) => FileAction::Move,
            (_, true) => FileAction::Link,
            _ => FileAction::Copy,
        }
    }
}

fn read_text(path: &Path, what: &str) -> Result<String> {
    let fail = |e: std::io::Error| Error::io(&format!("read {what}"), path, &e);
    let mut text = String::new();
    std::fs::File::open(path)
        .map_err(fail)?
        .take(TEXT_MAX)
        .read_to_string(&mut text)
        .map_err(fail)?;
    Ok(text)
}

async fn read_password() -> Result<String> {
    // On a thread of its own, so that Ctrl-C ends the wait for it.
    tokio::task::spawn_blocking(read_password_now)
        .await
        .unwrap_or_else(|_| Err(interrupt::error()))
}

fn read_password_now() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .take(TEXT_MAX)
        .read_to_string(&mut text)
        .map_err(|e| {
            Error::failed(
                "io-error",
                format!("The password can't be read from standard input: {e}."),
            )
        })?;
    let password = text.lines().next().unwrap_or_default().to_owned();
    if password.is_empty() {
        return Err(Error::usage("empty-password", "Standard input held no password."));
    }
    Ok(password)
}

pub async fn create(client: &Client, args: Create, output: &Output) -> Result<()> {
    let source = match (&args.template, &args.iso, &args.disk_image) {
        (Some(id), iso, _) => CreateSource::Template {
            id: id.clone(),
            medium: iso.as_deref().map(absolute).transpose()?,
        },
        (_, Some(path), _) => CreateSource::Iso {
            path: absolute(path)?,
        },
        (_, _, Some(path)) => CreateSource::DiskImage {
            path: absolute(path)?,
            action: args.action.action(),
        },
        _ => CreateSource::Blank,
    };
    let mut ssh_keys = Vec::new();
    for path in &args.ssh_key {
        ssh_keys.extend(
            read_text(path, "the public key")?
                .lines()
                .map(str::trim)
                .filter(|l| !l.is_empty())
                .map(str::to_owned),
        );
    }
    let request = CreateRequest {
        name: args.name.clone(),
        source,
        arch: args.arch,
        cpus: args.cpus,
        memory: args.memory,
        disk: args.disk,
        firmware: args.firmware,
        user: args.user.clone(),
        password: if args.password_stdin {
            Some(read_password().await?)
        } else {
            None
        },
        ssh_keys,
        user_data: args
            .user_data
            .as_deref()
            .map(|path| read_text(path, "the user-data"))
            .transpose()?,
        setup: args.setup.setup(),
        network: args.network.first().cloned(),
        tags: args.tag.clone(),
        start: args.start || args.wait.wait.is_some(),
    };
    // Pressed before the job is known, it cancels the job as soon as it is.
    let _interrupt = (!args.detach).then(interrupt::claim);
    let started = client.create(&request).await?;
    finish(
        client,
        started,
        args.detach,
        args.wait.wait,
        args.wait.timeout,
        output,
    )
    .await
}

async fn finish(
    client: &Client,
    started: JobStarted,
    detach: bool,
    wait_for: Option<WaitFor>,
    timeout: u64,
    output: &Output,
) -> Result<()> {
    if detach {
        output.result(&started, |o| o.line(started.job.id.as_str()));
        return Ok(());
    }
    let job = progress::follow(client, &started.job, output).await?;
    if job.kind == JobKind::Import {
        // What was changed so that the machine fits in here.
        job.steps
            .iter()
            .filter_map(|step| step.detail.as_deref())
            .for_each(|detail| output.note(detail));
    }
    let id = started.machine.id.as_str();
    let machine = match wait_for {
        Some(wanted) => wait::until(client, id, wanted, Duration::from_secs(timeout), output).await?,
        None => client.machine(id).await?,
    };
    output.result(&machine, |o| {
        o.line(format!("“{}” is {}.", machine.name, machine.state.as_str()));
        match &machine.ways_in.ssh_command {
            Some(ssh) if machine.state.is_active() => o.note(format!("Sign in with: {ssh}")),
            None if machine.state.is_active() => {}
            _ => o.note(format!("Start it with: nestbox start {}", machine.id.short())),
        }
    });
    Ok(())
}

pub async fn import(client: &Client, args: Import, output: &Output) -> Result<()> {
    let path = absolute(&args.file)?;
    if args.dry_run {
        let plan = client
            .import_plan(&path, args.arch.map(nestbox_model::Arch::as_str))
            .await?;
        output.result(&plan, |o| show_plan(&plan, o));
        return Ok(());
    }
    let request = ImportRequest {
        path,
        name: args.name,
        action: args.action.action(),
        arch: args.arch,
        start: args.start,
        ..ImportRequest::default()
    };
    let _interrupt = (!args.detach).then(interrupt::claim);
    let started = client.import(&request).await?;
    finish(client, started, args.detach, None, 0, output).await
}

fn show_plan(plan: &ImportPlan, o: &Output) {
    o.facts(&[
        ("File", plan.path.clone()),
        ("Recognised as", plan.description.clone()),
        (
            "System",
            plan.system.clone().unwrap_or_else(|| "not recognised".into()),
        ),
        (
            "Architecture",
            format!("{} (from {})", plan.arch, plan.arch_reason),
        ),
        (
            "Machine",
            format!(
                "“{}”: {} processors, {} memory, {} disk",
                plan.name,
                plan.cpus,
                format_size(plan.memory),
                format_size(plan.disk)
            ),
        ),
        ("Needs", format_size(plan.needs)),
        ("Partitions", plan.partitions.join(", ")),
    ]);
    for item in &plan.items {
        let fate = match item.fate {
            ItemFate::Kept => "kept",
            ItemFate::Changed => "changed",
            ItemFate::Dropped => "dropped",
        };
        let why = item
            .why
            .as_ref()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        o.line(format!("  {fate:7}  {}{why}", item.what));
    }
    for warning in &plan.warnings {
        o.line(format!("  note     {warning}"));
    }
}
