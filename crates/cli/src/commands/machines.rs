//! What can be done with a machine.

use super::{Client, absolute};
use crate::args::{Media, Port, Wait};
use crate::output::Output;
use crate::wait;
use nestbox_model::units::format_size;
use nestbox_model::{ChangeRequest, Error, Machine, PortForward, Protocol, Result};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// One machine as itself, several as a list.
fn print(machines: &[Machine], output: &Output, words: impl Fn(&Machine) -> String) {
    let human = |o: &Output| {
        for machine in machines {
            o.line(words(machine));
        }
    };
    match machines {
        [one] => output.result(one, human),
        several => output.result(&json!({ "machines": several }), human),
    }
}

fn in_state(machine: &Machine) -> String {
    format!("“{}” is {}.", machine.name, machine.state.as_str())
}

pub async fn start(
    client: &Client,
    names: &[String],
    disposable: bool,
    wait: &Wait,
    output: &Output,
) -> Result<()> {
    let mut machines = Vec::new();
    for name in names {
        let mut machine = client.start(name, disposable).await?;
        if let Some(wanted) = wait.wait {
            machine = wait::until(client, name, wanted, Duration::from_secs(wait.timeout), output).await?;
        }
        machines.push(machine);
    }
    print(&machines, output, |machine| {
        match (machine.accelerator, &machine.accelerator_reason) {
            (Some(accelerator), Some(reason)) => format!(
                "“{}” is {} ({accelerator}: {reason})",
                machine.name,
                machine.state.as_str()
            ),
            _ => in_state(machine),
        }
    });
    Ok(())
}

pub async fn stop(
    client: &Client,
    names: &[String],
    force: bool,
    timeout: u64,
    output: &Output,
) -> Result<()> {
    for name in names {
        client.stop(name, force).await?;
    }
    let mut machines = Vec::new();
    for name in names {
        machines.push(wait::until_stopped(client, name, Duration::from_secs(timeout)).await?);
    }
    print(&machines, output, in_state);
    Ok(())
}

pub async fn act(client: &Client, name: &str, verb: &str, output: &Output) -> Result<()> {
    let machine = client.act(name, verb).await?;
    print(&[machine], output, in_state);
    Ok(())
}

pub async fn rename(client: &Client, name: &str, new: &str, output: &Output) -> Result<()> {
    let machine = client.rename(name, new).await?;
    print(&[machine], output, |machine| {
        format!("It is now “{}”.", machine.name)
    });
    Ok(())
}

pub async fn set(client: &Client, name: &str, changes: &[String], output: &Output) -> Result<()> {
    let mut request = ChangeRequest::default();
    for change in changes {
        let (key, value) = change.split_once('=').ok_or_else(|| {
            Error::usage("bad-change", format!("“{change}” is not KEY=VALUE."))
                .with_hint("For example: memory=4G")
        })?;
        request
            .changes
            .insert(key.trim().to_owned(), Value::String(value.to_owned()));
    }
    let machine = client.change(name, &request).await?;
    print(&[machine], output, |machine| {
        format!("Changed “{}”.", machine.name)
    });
    Ok(())
}

pub async fn delete(client: &Client, name: &str, dry_run: bool, output: &Output) -> Result<()> {
    let entry = client.delete(name, dry_run).await?;
    output.result(&entry, |o| {
        if dry_run {
            o.line(format!(
                "“{}” ({}) would move to the trash.",
                entry.name,
                format_size(entry.size)
            ));
        } else {
            o.line(format!("“{}” is in the trash.", entry.name));
            o.note(format!(
                "Bring it back with: nestbox trash restore {}",
                entry.id.short()
            ));
        }
    });
    Ok(())
}

pub async fn media(client: &Client, action: Media, output: &Output) -> Result<()> {
    let machine = match action {
        Media::Insert { machine, file } => client.insert_medium(&machine, &absolute(&file)?).await?,
        Media::Eject { machine } => client.eject_medium(&machine).await?,
    };
    print(&[machine], output, |machine| match &machine.medium {
        Some(medium) => format!("“{}” is in the drive of “{}”.", medium.name, machine.name),
        None => format!("The drive of “{}” is empty.", machine.name),
    });
    Ok(())
}

pub async fn screenshot(client: &Client, name: &str, file: &Path, output: &Output) -> Result<()> {
    let png = client.screenshot(name).await?;
    let fail = |e: std::io::Error| Error::io("save the picture", file, &e);
    std::fs::write(file, &png).map_err(fail)?;
    let path = absolute(file)?;
    output.result(&json!({ "path": path, "size": png.len() }), |o| {
        o.line(format!("Saved {path}"));
    });
    Ok(())
}

pub async fn type_text(client: &Client, name: &str, text: &str, output: &Output) -> Result<()> {
    client.type_text(name, text).await?;
    output.result(&json!({ "typed": text.chars().count() }), |_| {});
    Ok(())
}

pub async fn keys(client: &Client, name: &str, keys: &[String], output: &Output) -> Result<()> {
    client.send_keys(name, keys).await?;
    output.result(&json!({ "pressed": keys }), |_| {});
    Ok(())
}

fn shown(forward: &PortForward) -> String {
    format!(
        "127.0.0.1:{} → {}/{}",
        forward.host,
        forward.guest,
        forward.protocol.as_str()
    )
}

pub async fn port(client: &Client, action: Port, output: &Output) -> Result<()> {
    match action {
        Port::List { machine } => {
            let ports = client.ports(&machine).await?;
            output.result(&json!({ "ports": ports }), |o| {
                for forward in &ports {
                    o.line(shown(forward));
                }
            });
        }
        Port::Add { machine, forward } => {
            let forward = client.add_port(&machine, forward).await?;
            output.result(&forward, |o| o.line(shown(&forward)));
        }
        Port::Remove { machine, host } => {
            let (port, protocol) = match host.split_once('/') {
                Some((port, "udp")) => (port, Protocol::Udp),
                Some((port, "tcp")) => (port, Protocol::Tcp),
                _ => (host.as_str(), Protocol::Tcp),
            };
            let port = port.parse().map_err(|_| {
                Error::usage("bad-port", format!("“{host}” is not a port."))
                    .with_hint("Write HOST or HOST/udp.")
            })?;
            let forward = client.remove_port(&machine, port, protocol).await?;
            output.result(&forward, |o| o.line(format!("Removed {}", shown(&forward))));
        }
    }
    Ok(())
}
