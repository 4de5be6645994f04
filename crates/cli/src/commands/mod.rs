//! One function a command.

mod browse;
pub mod carry;
mod disks;
mod library;
mod machines;
mod making;
mod show;
mod snapshots;
mod timeline;

use crate::args::{Cache, Cli, Command, Config, Jobs, Shell, Trash};
use crate::output::Output;
use crate::{console, service};
use clap::CommandFactory;
use nestbox_api::{Client, connect_or_start};
use nestbox_model::{Error, Result};
use std::path::{Path, PathBuf};

pub async fn run(cli: Cli, output: &Output) -> Result<()> {
    if let Command::Completions { shell } = &cli.command {
        completions(*shell);
        return Ok(());
    }
    let layout = nestbox_api::layout(cli.data_dir)?;
    if let Command::Service(action) = cli.command {
        return service::run(action, layout, output).await;
    }
    let client = connect_or_start(&layout).await?;
    dispatch(cli.command, &client, output).await
}

async fn dispatch(command: Command, client: &Client, output: &Output) -> Result<()> {
    match command {
        Command::Doctor { refresh } => library::doctor(client, refresh, output).await,
        Command::Template(action) => show::template(client, action, output).await,
        Command::Create(create) => making::create(client, *create, output).await,
        Command::Backup(backup) => carry::backup(client, backup, output).await,
        Command::RestoreBackup(restore) => carry::restore(client, restore, output).await,
        Command::Export(export) => carry::export(client, export, output).await,
        Command::Import(import) => making::import(client, import, output).await,
        Command::List(list) => show::list(client, &list, output).await,
        Command::Show { machine, command } => show::machine(client, &machine, command, output).await,
        Command::Start {
            machines,
            disposable,
            wait,
        } => machines::start(client, &machines, disposable, &wait, output).await,
        Command::Stop {
            machines,
            force,
            timeout,
        } => machines::stop(client, &machines, force, timeout, output).await,
        Command::Reset { machine } => machines::act(client, &machine, "reset", output).await,
        Command::Pause { machine } => machines::act(client, &machine, "pause", output).await,
        Command::Resume { machine } => machines::act(client, &machine, "resume", output).await,
        Command::Suspend { machine } => machines::act(client, &machine, "suspend", output).await,
        Command::DiscardState { machine } => machines::act(client, &machine, "discard-state", output).await,
        Command::KeepChanges { machine } => machines::act(client, &machine, "keep-changes", output).await,
        Command::Clone(clone) => timeline::clone(client, clone, output).await,
        Command::Space => timeline::space(client, output).await,
        Command::Cache(Cache::List) => library::cache(client, output).await,
        Command::Cache(Cache::Prune { dry_run }) => library::prune_cache(client, dry_run, output).await,
        Command::Rename { machine, new } => machines::rename(client, &machine, &new, output).await,
        Command::Set { machine, changes } => machines::set(client, &machine, &changes, output).await,
        Command::Delete {
            machine,
            dry_run,
            yes: _,
        } => machines::delete(client, &machine, dry_run, output).await,
        Command::Trash(Trash::List) => library::trash_list(client, output).await,
        Command::Trash(Trash::Restore { machine }) => library::untrash(client, &machine, output).await,
        Command::Trash(Trash::Empty { yes, dry_run }) => {
            library::empty_trash(client, yes, dry_run, output).await
        }
        Command::Snapshot(action) => snapshots::run(client, action, output).await,
        Command::Disk(command) => disks::run(client, command, output).await,
        Command::Media(action) => machines::media(client, action, output).await,
        Command::Screenshot { machine, file } => machines::screenshot(client, &machine, &file, output).await,
        Command::Type { machine, text } => machines::type_text(client, &machine, &text, output).await,
        Command::Keys { machine, keys } => machines::keys(client, &machine, &keys, output).await,
        Command::Console { machine } => console::run(client.console(&machine).await?, output).await,
        Command::Port(action) => machines::port(client, action, output).await,
        Command::Jobs { action } => library::jobs(client, action.unwrap_or(Jobs::List), output).await,
        Command::Logs { machine, follow } => show::logs(client, &machine, follow, output).await,
        Command::Events { follow } => library::events(client, follow, output).await,
        Command::Stats { machine, follow } => {
            library::stats(client, machine.as_deref(), follow, output).await
        }
        Command::Config(action) => config(client, action, output).await,
        Command::Library(action) => library::check(client, &action, output).await,
        Command::Service(_) | Command::Completions { .. } => Ok(()),
    }
}

async fn config(client: &Client, action: Config, output: &Output) -> Result<()> {
    match action {
        Config::Get { key } => {
            let value = client.setting(&key).await?;
            output.result(&serde_json::json!({ "key": key, "value": value }), |o| {
                o.line(&value);
            });
        }
        Config::Set { key, value } => {
            client.set_setting(&key, value.as_deref()).await?;
            output.result(
                &serde_json::json!({ "key": key, "value": value }),
                |o| match &value {
                    Some(value) => o.note(format!("{key} is now {value}")),
                    None => o.note(format!("{key} is back to its default")),
                },
            );
        }
        Config::List => {
            let settings = client.settings().await?;
            output.result(&serde_json::json!({ "config": settings }), |o| {
                for (key, value) in &settings {
                    o.line(format!("{key} = {value}"));
                }
            });
        }
    }
    Ok(())
}

fn completions(shell: Shell) {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Powershell => clap_complete::Shell::PowerShell,
    };
    clap_complete::generate(shell, &mut Cli::command(), "nestbox", &mut std::io::stdout());
}

/// The absolute form of a path of the user's: the service has another working directory.
fn absolute(path: &Path) -> Result<String> {
    let absolute: PathBuf = std::path::absolute(path).map_err(|e| Error::io("find the file", path, &e))?;
    absolute.to_str().map(str::to_owned).ok_or_else(|| {
        Error::usage(
            "path-not-utf8",
            format!("The path is not valid UTF-8: {}", path.display()),
        )
    })
}
