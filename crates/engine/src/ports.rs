//! Port forwards: kept in the spec, and live in the running machine.

use crate::Engine;
use crate::machine::{Handle, MachineRef};
use nestbox_model::{Error, EventKind, PortForward, Protocol, Result};
use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// Forwards to a guest's SSH server start here.
const SSH_PORT_FIRST: u16 = 2222;

/// Whether a port of 127.0.0.1 can be listened on right now.
fn is_free(protocol: Protocol, port: u16) -> bool {
    match protocol {
        Protocol::Tcp => TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok(),
        Protocol::Udp => UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok(),
    }
}

fn reserved(engine: &Engine, protocol: Protocol) -> HashSet<u16> {
    let mut ports = HashSet::new();
    for handle in engine.handles() {
        ports.extend(
            handle
                .read()
                .spec
                .ports
                .iter()
                .filter(|p| p.protocol == protocol)
                .map(|p| p.host),
        );
    }
    ports
}

fn free_port(engine: &Engine, protocol: Protocol, from: u16) -> Result<u16> {
    let taken = reserved(engine, protocol);
    (from..=u16::MAX)
        .find(|port| !taken.contains(port) && is_free(protocol, *port))
        .ok_or_else(|| Error::failed("no-free-port", "There is no free port on this computer."))
}

/// A forward to the guest's port 22 that no machine has and nothing listens on.
pub(crate) fn free_ssh_forward(engine: &Engine) -> Result<PortForward> {
    Ok(PortForward {
        protocol: Protocol::Tcp,
        host: free_port(engine, Protocol::Tcp, SSH_PORT_FIRST)?,
        guest: 22,
    })
}

/// A free port of this computer for a forward that another machine has already; `given` ones are taken.
pub(crate) fn free_for(engine: &Engine, forward: PortForward, given: &[(Protocol, u16)]) -> Result<u16> {
    let mut from = forward.host.max(1024);
    loop {
        let port = free_port(engine, forward.protocol, from)?;
        if !given.contains(&(forward.protocol, port)) {
            return Ok(port);
        }
        from = port
            .checked_add(1)
            .ok_or_else(|| Error::failed("no-free-port", "There is no free port on this computer."))?;
    }
}

/// Before a start: a taken port is an error that names a free one, except that the automatic SSH forward just moves.
pub(crate) fn settle_before_start(engine: &Engine, handle: &Handle) -> Result<()> {
    let mut spec = handle.spec();
    let mut moved = None;
    for forward in &mut spec.ports {
        if forward.host != 0 && is_free(forward.protocol, forward.host) {
            continue;
        }
        if forward.guest == 22 || forward.host == 0 {
            let from = forward.host.max(SSH_PORT_FIRST);
            forward.host = free_port(engine, forward.protocol, from)?;
            moved = Some(*forward);
        } else {
            return Err(taken(engine, *forward));
        }
    }
    if let Some(forward) = moved {
        engine.save_spec(handle, spec)?;
        let message = format!(
            "Its port was taken by another program, so guest port {} is now on {}",
            forward.guest, forward.host
        );
        engine.tell_machine(EventKind::MachineChanged, handle, Some(message));
    }
    Ok(())
}

fn taken(engine: &Engine, forward: PortForward) -> Error {
    let error = Error::conflict(
        "port-in-use",
        format!(
            "Port {} of this computer is in use by another program.",
            forward.host
        ),
    );
    match free_port(engine, forward.protocol, forward.host.saturating_add(1)) {
        Ok(free) => error
            .with_hint(format!(
                "Port {free} is free: use {free}:{}, or end the other program.",
                forward.guest
            ))
            .with_detail("free", free),
        Err(_) => error,
    }
}

impl Engine {
    /// Port forwards of a machine.
    pub fn ports(&self, wanted: MachineRef<'_>) -> Result<Vec<PortForward>> {
        Ok(self.find(wanted)?.spec().ports)
    }

    /// Adds a forward, at once if the machine runs. Host port 0 picks a free one.
    ///
    /// # Errors
    /// `port-in-use` (conflict), with a free port in the hint.
    pub async fn add_port(&self, wanted: MachineRef<'_>, mut forward: PortForward) -> Result<PortForward> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let mut spec = handle.spec();
        let Some(nic) = spec.nics.first().map(|nic| nic.id.clone()) else {
            return Err(Error::conflict(
                "no-nic",
                format!("“{}” has no network card to forward to.", spec.name),
            ));
        };
        if forward.host == 0 {
            forward.host = free_port(
                self,
                forward.protocol,
                if forward.guest == 22 { SSH_PORT_FIRST } else { 8000 },
            )?;
        } else if let Some(owner) = self.handles().iter().find(|h| {
            h.read()
                .spec
                .ports
                .iter()
                .any(|p| p.host == forward.host && p.protocol == forward.protocol)
        }) {
            return Err(Error::conflict(
                "port-in-use",
                format!(
                    "Port {} is already forwarded to “{}”.",
                    forward.host,
                    owner.name()
                ),
            )
            .with_hint("Use another host port, or 0 for a free one."));
        } else if !is_free(forward.protocol, forward.host) {
            return Err(taken(self, forward));
        }
        if let Ok(session) = handle.session() {
            forward = session.add_forward(&nic, forward).await?;
        }
        spec.ports.push(forward);
        if let Err(error) = self.save_spec(&handle, spec) {
            if let Ok(session) = handle.session() {
                let _ = session.remove_forward(&nic, forward).await;
            }
            return Err(error);
        }
        self.tell_machine(EventKind::MachineChanged, &handle, None);
        Ok(forward)
    }

    /// Removes the forward of a host port, at once if the machine runs.
    pub async fn remove_port(
        &self,
        wanted: MachineRef<'_>,
        host: u16,
        protocol: Protocol,
    ) -> Result<PortForward> {
        let handle = self.find(wanted)?;
        let _guard = handle.lock_ready().await?;
        let mut spec = handle.spec();
        let Some(at) = spec
            .ports
            .iter()
            .position(|p| p.host == host && p.protocol == protocol)
        else {
            return Err(Error::not_found(
                "port-not-found",
                format!(
                    "“{}” has no {} forward of port {host}.",
                    spec.name,
                    protocol.as_str()
                ),
            ));
        };
        let forward = spec.ports.remove(at);
        if let (Ok(session), Some(nic)) = (handle.session(), spec.nics.first()) {
            session.remove_forward(&nic.id, forward).await?;
        }
        self.save_spec(&handle, spec)?;
        self.tell_machine(EventKind::MachineChanged, &handle, None);
        Ok(forward)
    }
}
