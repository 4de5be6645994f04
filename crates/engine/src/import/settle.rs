//! What an import plan must change because of the machines and programs that are here already: a taken name, MAC
//! address or port, and memory that this computer does not have.

use crate::{Engine, doctor, ports};
use nestbox_model::units::{MIB, format_size};
use nestbox_model::{ImportItem, ImportNic, ImportPlan, ItemFate, PortForward, Result, free_name};
use std::collections::HashMap;

/// A plan that fits this library.
pub(crate) struct Settled {
    pub plan: ImportPlan,
    /// What had to change for it, in whole sentences.
    pub said: Vec<String>,
}

impl Engine {
    /// # Errors
    /// `no-free-port`.
    pub(super) fn settle(&self, mut plan: ImportPlan) -> Result<Settled> {
        let taken: Vec<String> = self.handles().iter().map(|h| h.name().to_lowercase()).collect();
        plan.name = free_name(&plan.name, |name| taken.contains(&name.to_lowercase()));
        let mut said = settle_addresses(&mut plan, self.addresses());
        said.extend(self.settle_ports(&mut plan)?);
        said.extend(settle_memory(&mut plan, doctor::host_memory().0));
        Ok(Settled { plan, said })
    }

    /// Every MAC address of the library, and the name of its machine.
    fn addresses(&self) -> HashMap<String, String> {
        let mut addresses = HashMap::new();
        for handle in self.handles() {
            let spec = handle.spec();
            for nic in spec.nics {
                addresses.insert(nic.mac.to_ascii_lowercase(), format!("“{}”", spec.name));
            }
        }
        addresses
    }

    /// A taken port of this computer is replaced by the next free one.
    fn settle_ports(&self, plan: &mut ImportPlan) -> Result<Vec<String>> {
        let mut own = Vec::new();
        let mut said = Vec::new();
        for index in 0..plan.ports.len() {
            let wanted = plan.ports[index];
            let host = ports::free_for(self, wanted, &own)?;
            let found = PortForward { host, ..wanted };
            own.push((found.protocol, found.host));
            if found.host == wanted.host {
                continue;
            }
            plan.ports[index] = found;
            let why = changed_port(wanted, found);
            change(&mut plan.items, &format!("The port forward {wanted}"), &why);
            said.push(capitalised(&why));
        }
        Ok(said)
    }
}

fn changed_port(wanted: PortForward, found: PortForward) -> String {
    let reason = match wanted.host {
        0 => "it was left open".to_owned(),
        host @ 1..1024 => format!("programs of users can't listen at port {host}"),
        host => format!("port {host} of this computer is taken"),
    };
    format!(
        "{reason}, so port {} leads to the guest's port {}",
        found.host, found.guest
    )
}

/// Two machines with one address on one network reach nobody, so each address is kept once.
fn settle_addresses(plan: &mut ImportPlan, mut taken: HashMap<String, String>) -> Vec<String> {
    let mut said = Vec::new();
    for ImportNic { mac, .. } in &mut plan.nics {
        let Some(wanted) = mac.clone() else { continue };
        let Some(owner) = taken.insert(wanted.to_ascii_lowercase(), "another NIC of it".into()) else {
            continue;
        };
        *mac = None;
        let why = format!("{owner} has the MAC address {wanted}, so the NIC gets a new one");
        change(
            &mut plan.items,
            &format!("A NIC with the MAC address {wanted}"),
            &why,
        );
        said.push(capitalised(&why));
    }
    said
}

/// `host`: bytes of memory that this computer has; 0 if that is not known.
fn settle_memory(plan: &mut ImportPlan, host: u64) -> Option<String> {
    if host == 0 || plan.memory <= host {
        return None;
    }
    let wanted = format_size(plan.memory);
    plan.memory = (host / 2 / MIB * MIB).max(MIB);
    let why = format!(
        "this computer has less memory than the {wanted} of the machine, so it gets {}",
        format_size(plan.memory)
    );
    change(&mut plan.items, &format!("{wanted} of memory"), &why);
    Some(capitalised(&why))
}

/// The plan's line about `what` says what becomes of it; where there is none, there is one now.
fn change(items: &mut Vec<ImportItem>, what: &str, why: &str) {
    let changed = |what: String| ImportItem {
        what,
        fate: ItemFate::Changed,
        why: Some(why.to_owned()),
    };
    // The last one: of two NICs with one address, it is the second that gets another.
    match items.iter_mut().rev().find(|item| item.what.starts_with(what)) {
        Some(item) => *item = changed(item.what.clone()),
        None => items.push(changed(what.to_owned())),
    }
}

fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(letters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestbox_model::Arch;

    fn plan(macs: &[&str]) -> ImportPlan {
        let kept = |what: String| ImportItem {
            what,
            fate: ItemFate::Kept,
            why: None,
        };
        ImportPlan {
            path: "/m.vmx".into(),
            recognised: nestbox_model::Recognised::Vmx,
            description: String::new(),
            name: "m".into(),
            system: None,
            glyph: String::new(),
            arch: Arch::X86_64,
            arch_reason: String::new(),
            firmware: nestbox_model::Firmware::Bios,
            cpus: 1,
            memory: 4096 * MIB,
            disk: MIB,
            size: MIB,
            needs: MIB,
            partitions: Vec::new(),
            items: macs
                .iter()
                .map(|mac| kept(format!("A NIC with the MAC address {mac}")))
                .collect(),
            warnings: Vec::new(),
            inside: None,
            disks: Vec::new(),
            nics: macs
                .iter()
                .map(|mac| ImportNic {
                    mac: Some((*mac).to_owned()),
                    connection: "NAT".into(),
                    connected: true,
                })
                .collect(),
            ports: Vec::new(),
            shares: Vec::new(),
            snapshots: Vec::new(),
            medium: None,
            notes: None,
            clock_local: false,
            new_disk_bus: Default::default(),
        }
    }

    #[test]
    fn an_address_is_kept_once() {
        let mut plan = plan(&["08:00:27:00:00:01", "08:00:27:00:00:02", "08:00:27:00:00:02"]);
        let taken = HashMap::from([("08:00:27:00:00:01".to_owned(), "“old”".to_owned())]);
        let said = settle_addresses(&mut plan, taken);
        let kept: Vec<bool> = plan.nics.iter().map(|nic| nic.mac.is_some()).collect();
        assert_eq!(kept, [false, true, false]);
        let fates: Vec<ItemFate> = plan.items.iter().map(|item| item.fate).collect();
        assert_eq!(fates, [ItemFate::Changed, ItemFate::Kept, ItemFate::Changed]);
        assert_eq!(
            said[0],
            "“old” has the MAC address 08:00:27:00:00:01, so the NIC gets a new one."
        );
        assert!(said[1].starts_with("Another NIC of it"), "{said:?}");
    }

    #[test]
    fn memory_that_is_not_there_is_not_promised() {
        let mut plan = plan(&[]);
        assert_eq!(settle_memory(&mut plan, 0), None);
        assert_eq!(settle_memory(&mut plan, 4096 * MIB), None);
        assert!(settle_memory(&mut plan, 3000 * MIB).is_some());
        assert_eq!(plan.memory, 1500 * MIB);
        assert_eq!(plan.items[0].fate, ItemFate::Changed);
    }
}
