//! Waiting for a guest to come up or go down.

use crate::args::WaitFor;
use crate::interrupt::{self, interrupted};
use crate::output::Output;
use nestbox_api::Client;
use nestbox_model::{Error, Machine, MachineState, Protocol, Result};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const POLL: Duration = Duration::from_millis(200);

/// Waits until the machine is as wanted.
///
/// # Errors
/// `timeout` (exit 1), saying what was seen; `machine-ended` when it stopped instead; `stopped-waiting` (exit 130).
pub async fn until(
    client: &Client,
    machine: &str,
    wanted: WaitFor,
    timeout: Duration,
    output: &Output,
) -> Result<Machine> {
    let interrupt = interrupt::claim();
    tokio::select! {
        result = watch(client, machine, wanted, timeout, output) => result,
        () = interrupt.pressed() => Err(interrupted("Interrupted. The machine goes on running.")
            .with_hint(format!("See it with: nestbox show {machine}"))),
    }
}

async fn watch(
    client: &Client,
    machine: &str,
    wanted: WaitFor,
    timeout: Duration,
    output: &Output,
) -> Result<Machine> {
    let deadline = Instant::now() + timeout;
    // Only what the guest says from now on counts: the log also holds earlier runs.
    let old_log = client.logs(machine).await?.serial.len();
    loop {
        let now = client.machine(machine).await?;
        match now.state {
            MachineState::Running if is_there(client, &now, wanted, old_log).await? => return Ok(now),
            MachineState::Stopped | MachineState::Broken => {
                let reason = now.state_reason.clone().unwrap_or_else(|| "it shut down".into());
                return Err(Error::failed(
                    "machine-ended",
                    format!(
                        "“{}” stopped before that: {reason}.",
                        now.name.trim_end_matches('.')
                    ),
                )
                .with_hint(format!("See: nestbox logs {machine}")));
            }
            _ => {}
        }
        if Instant::now() >= deadline {
            return Err(Error::failed("timeout", format!("“{}” is {}, but that took longer than {} s.", now.name, now.state.as_str(), timeout.as_secs()))
                .with_hint("It goes on running. Look at it with: nestbox screenshot or nestbox logs; --timeout waits longer."));
        }
        if output.verbose {
            output.note(format!("{} is {}", now.name, now.state.as_str()));
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn is_there(client: &Client, machine: &Machine, wanted: WaitFor, old_log: usize) -> Result<bool> {
    Ok(match wanted {
        WaitFor::Running => true,
        WaitFor::Ssh => {
            let Some(port) = ssh_port(machine) else {
                return Err(Error::usage(
                    "no-ssh-forward",
                    format!("“{}” forwards no port to its SSH server.", machine.name),
                )
                .with_hint("Add one: nestbox port add M 0:22"));
            };
            ssh_answers(port).await
        }
        WaitFor::Booted => {
            let log = client.logs(machine.id.as_str()).await?.serial;
            let fresh = if log.len() >= old_log {
                log.get(old_log..).unwrap_or(&log)
            } else {
                &log
            };
            let prompt = fresh.contains("login:");
            prompt || matches!(ssh_port(machine), Some(port) if ssh_answers(port).await)
        }
    })
}

fn ssh_port(machine: &Machine) -> Option<u16> {
    machine
        .ports
        .iter()
        .find(|p| p.guest == 22 && p.protocol == Protocol::Tcp)
        .map(|p| p.host)
}

/// QEMU accepts a forwarded connection at once, so only the server's own greeting counts (RFC 4253, 4.2).
async fn ssh_answers(port: u16) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.ok()?;
        (&head == b"SSH-").then_some(())
    };
    tokio::time::timeout(Duration::from_secs(2), greeting)
        .await
        .ok()
        .flatten()
        .is_some()
}

/// Waits until the guest obeyed and the machine is off.
///
/// # Errors
/// `guest-did-not-stop` (exit 1) when it does not obey; `stopped-waiting` (exit 130).
pub async fn until_stopped(client: &Client, machine: &str, timeout: Duration) -> Result<Machine> {
    let interrupt = interrupt::claim();
    tokio::select! {
        result = watch_stop(client, machine, timeout) => result,
        () = interrupt.pressed() => Err(interrupted("Interrupted. The machine goes on; its guest was asked to shut down.")
            .with_hint(format!("See it with: nestbox show {machine}; end it with: nestbox stop --force {machine}"))),
    }
}

async fn watch_stop(client: &Client, machine: &str, timeout: Duration) -> Result<Machine> {
    let deadline = Instant::now() + timeout;
    loop {
        let now = client.machine(machine).await?;
        if !now.state.is_active() {
            return Ok(now);
        }
        if Instant::now() >= deadline {
            return Err(Error::failed(
                "guest-did-not-stop",
                format!("“{}” was asked to shut down and still runs after {} s.", now.name, timeout.as_secs()),
            )
            .with_hint("Wait longer with --timeout, or end it with --force: what the guest has not saved is lost then."));
        }
        tokio::time::sleep(POLL).await;
    }
}
