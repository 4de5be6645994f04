//! Port forwards of user networking. QEMU offers them only in its human monitor, where a failure is text in an
//! answer that succeeded.

use super::QemuSession;
use crate::{
    command::hostfwd,
    plan::nic_netdev,
    qmp::{Qmp, tame},
    trouble,
};
use nestbox_model::{Error, NicId, PortForward, Protocol, Result};
use qapi::qmp as commands;

impl QemuSession {
    async fn human(qmp: &Qmp, line: String) -> Result<String> {
        let command = commands::human_monitor_command {
            command_line: line,
            cpu_index: None,
        };
        Ok(qmp.execute(command).await?.trim().to_owned())
    }

    pub(super) async fn list_forwards(&self) -> Result<Vec<(String, PortForward)>> {
        let text = Self::human(&*self.qmp()?, "info usernet".into()).await?;
        Ok(parse(&text))
    }

    pub(super) async fn make_forward(&self, nic: &NicId, forward: PortForward) -> Result<PortForward> {
        let _alone = self.operation.lock().await;
        let netdev = nic_netdev(nic);
        let before = self.list_forwards().await?;
        let line = format!("hostfwd_add {netdev} {}", hostfwd(&forward));
        let answer = Self::human(&*self.qmp()?, line).await?;
        if !answer.is_empty() {
            return Err(refusal(&answer, &forward));
        }
        let added = self.list_forwards().await?.into_iter().find(|(owner, real)| {
            *owner == netdev
                && real.protocol == forward.protocol
                && real.guest == forward.guest
                && (forward.host == 0 || real.host == forward.host)
                && !before.contains(&(owner.clone(), *real))
        });
        added.map(|(_, real)| real).ok_or_else(|| {
            Error::failed(
                "forward-failed",
                "QEMU took the port forward but does not show it.",
            )
        })
    }

    pub(super) async fn drop_forward(&self, nic: &NicId, forward: PortForward) -> Result<()> {
        let _alone = self.operation.lock().await;
        let line = format!(
            "hostfwd_remove {} {}:127.0.0.1:{}",
            nic_netdev(nic),
            forward.protocol.as_str(),
            forward.host
        );
        let answer = Self::human(&*self.qmp()?, line).await?;
        // "host forwarding rule for tcp:127.0.0.1:2222 removed"
        if answer.contains(" removed") {
            return Ok(());
        }
        if answer.contains("not found") && !answer.contains("network backend") {
            return Err(Error::not_found(
                "forward-not-found",
                format!("There is no port forward from port {}.", forward.host),
            ));
        }
        Err(refusal(&answer, &forward))
    }
}

fn refusal(answer: &str, forward: &PortForward) -> Error {
    let error = if answer.contains("Could not set up host forwarding") {
        trouble::port_taken(&forward.host.to_string())
    } else if answer.contains("not found")
        || answer.contains("not in user mode")
        || answer.contains("unrecognized")
    {
        Error::not_found(
            "nic-not-found",
            "The machine has no such NIC with user networking.",
        )
    } else {
        Error::failed("forward-failed", "QEMU refused the port forward.")
    };
    error.with_detail("technical", tame(answer))
}

/// Rows of `info usernet` that are forwards, each with the netdev it belongs to.
fn parse(text: &str) -> Vec<(String, PortForward)> {
    let mut netdev = String::new();
    let mut forwards = Vec::new();
    for line in text.lines() {
        // "Hub -1 (net-1234abcd):"
        if let Some(name) = line
            .trim_end()
            .strip_suffix("):")
            .and_then(|rest| rest.rsplit_once('('))
        {
            netdev = name.1.to_owned();
        }
        let mut words = line.split_ascii_whitespace();
        let protocol = match words.next() {
            Some("TCP[HOST_FORWARD]") => Protocol::Tcp,
            Some("UDP[HOST_FORWARD]") => Protocol::Udp,
            _ => continue,
        };
        // fd, source address, port, destination address, port, …
        let words: Vec<&str> = words.collect();
        let port = |at: usize| words.get(at).and_then(|word| word.parse().ok());
        if let (Some(host), Some(guest)) = (port(2), port(4)) {
            forwards.push((
                netdev.clone(),
                PortForward {
                    protocol,
                    host,
                    guest,
                },
            ));
        }
    }
    forwards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwards_are_read_from_the_table() {
        let text = "Hub -1 (net-0a1b2c3d):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n  \
            TCP[HOST_FORWARD]  12       127.0.0.1  2222       10.0.2.15    22     0     0\r\n  \
            TCP[ESTABLISHED]   14       10.0.2.15 40000    93.184.1.1   443     0     0\r\n  \
            UDP[HOST_FORWARD]  13       127.0.0.1  5353       10.0.2.15    53     0     0\r\n\
            Hub -1 (net-ffffffff):\r\n  TCP[HOST_FORWARD]  15 * 80 10.0.2.15 99999 0 0\r\n";
        let forwards = parse(text);
        assert_eq!(
            forwards,
            [
                (
                    "net-0a1b2c3d".into(),
                    PortForward {
                        protocol: Protocol::Tcp,
                        host: 2222,
                        guest: 22
                    }
                ),
                (
                    "net-0a1b2c3d".into(),
                    PortForward {
                        protocol: Protocol::Udp,
                        host: 5353,
                        guest: 53
                    }
                ),
            ]
        );
        assert!(parse("").is_empty());
    }
}
