//! What a description's parser collects: every value is put within bounds here, and what becomes of it is written down.

use super::{Bundle, BundleFacts, Checksum, invalid};
use crate::{
    Facts, Inspection,
    beside::{Within, judge_path, outside},
    foreign::Beside,
    inspect::inspect_open,
    qcow2::printable,
    refuse,
};
use nestbox_model::{
    Arch, DiskBus, Error, Firmware, ImportItem, ImportNic, ImportShare, ItemFate, PortForward, Protocol,
    Result,
    units::{MIB, TIB, format_size},
    validate_name,
};
use std::{collections::HashSet, net::IpAddr, path::Path};

const CPUS_MAX: u32 = 255;
const MEMORY_MIN: u64 = 4 * MIB;
const MEMORY_MAX: u64 = 16 * TIB;
const DISKS_MAX: usize = 64;
const NICS_MAX: usize = 32;
const PORTS_MAX: usize = 256;
const NOTES_MAX: usize = 4000;
/// Lines of a plan; a description with more is no machine's.
const ITEMS_MAX: usize = 500;

pub(super) struct Draft<'a> {
    pub facts: BundleFacts,
    beside: &'a dyn Beside,
    disks: Vec<Inspection>,
    names: HashSet<String>,
    /// The disks can't be reached yet.
    unjudged: bool,
    /// Of the disks that come next.
    bus: Option<DiskBus>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(words: &str, beside: &'a dyn Beside) -> Self {
        Self {
            facts: BundleFacts {
                words: words.to_owned(),
                ..BundleFacts::default()
            },
            beside,
            disks: Vec::new(),
            names: HashSet::new(),
            unjudged: false,
            bus: None,
        }
    }

    /// Without a look at the disks.
    pub(super) fn unjudged(words: &str, beside: &'a dyn Beside) -> Self {
        Self {
            unjudged: true,
            ..Self::new(words, beside)
        }
    }

    fn note(&mut self, what: String, fate: ItemFate, why: Option<&str>) {
        if self.facts.items.len() < ITEMS_MAX {
            let why = why.map(str::to_owned);
            self.facts.items.push(ImportItem { what, fate, why });
        }
    }
    pub(super) fn kept(&mut self, what: impl Into<String>) {
        self.note(what.into(), ItemFate::Kept, None);
    }
    pub(super) fn changed(&mut self, what: impl Into<String>, why: &str) {
        self.note(what.into(), ItemFate::Changed, Some(why));
    }
    pub(super) fn dropped(&mut self, what: impl Into<String>, why: &str) {
        self.note(what.into(), ItemFate::Dropped, Some(why));
    }

    /// The controller of the disks that come next; `None` if it is not told.
    pub(super) fn on(&mut self, bus: Option<DiskBus>) {
        self.bus = bus;
    }

    pub(super) fn clock(&mut self, local: bool) {
        self.facts.clock_local = Some(local);
    }

    pub(super) fn name(&mut self, text: &str) {
        let clean: String = printable(text)
            .chars()
            .filter(|c| !matches!(c, '\u{fffd}' | '<' | '>' | '"' | '`' | ';' | '$' | '\\' | '/'))
            .take(100)
            .collect();
        let clean = validate_name(clean.trim_matches([' ', '.'])).ok();
        match &clean {
            Some(name) if name == text => self.kept(format!("The name, “{name}”")),
            Some(name) => self.changed(
                format!("The name becomes “{name}”"),
                "it had letters that names here don't have",
            ),
            None if text.is_empty() => {}
            None => self.dropped("The name", "it has no letters that names here have"),
        }
        self.facts.name = clean;
    }

    pub(super) fn notes(&mut self, text: &str) {
        let text: String = text
            .chars()
            .filter(|c| *c == '\n' || !c.is_control())
            .take(NOTES_MAX)
            .collect();
        if !text.trim().is_empty() {
            self.facts.notes = Some(text.trim().to_owned());
            self.kept("The notes");
        }
    }

    pub(super) fn arch(&mut self, word: &str) -> Result<()> {
        let word = plain_word(word)?;
        let arch = word.parse::<Arch>().map_err(|_| {
            refuse::unsupported_machine(
                format!("The machine is of the architecture “{word}”, for which Nestbox makes none."),
                "Import its disk by itself if you know better.",
            )
        })?;
        self.facts.arch = Some(arch);
        Ok(())
    }

    pub(super) fn firmware(&mut self, firmware: Firmware) {
        self.facts.firmware = Some(firmware);
        self.kept(match firmware {
            Firmware::Uefi => "The firmware: UEFI, with new variables",
            Firmware::Bios => "The firmware: BIOS",
        });
    }

    /// A number as text; what is none or out of bounds becomes the usual.
    pub(super) fn cpus(&mut self, text: &str) {
        match text.trim().parse::<u32>() {
            Ok(0) => self.changed(
                "The processors: as many as usual",
                "the description leaves their number open",
            ),
            Ok(count) if count <= CPUS_MAX => {
                self.facts.cpus = Some(count);
                self.kept(format!("{count} processor{}", if count == 1 { "" } else { "s" }));
            }
            _ => self.changed("The processors: as many as usual", "their number is impossible"),
        }
    }

    /// `None`: the value is no number.
    pub(super) fn memory(&mut self, bytes: Option<u64>) {
        match bytes.filter(|bytes| (MEMORY_MIN..=MEMORY_MAX).contains(bytes)) {
            Some(bytes) => {
                let whole = bytes / MIB * MIB;
                self.facts.memory = Some(whole);
                self.kept(format!("{} of memory", format_size(whole)));
            }
            None => self.changed("The memory: as much as usual", "its size is impossible"),
        }
    }

    /// # Errors
    /// `bundle-invalid` for a MAC address that is none.
    pub(super) fn nic(&mut self, mac: Option<&str>, connection: &str, connected: bool) -> Result<()> {
        if self.facts.nics.len() == NICS_MAX {
            return Err(invalid("it has more NICs than fit in a machine"));
        }
        let mac = mac
            .filter(|mac| !mac.trim().is_empty())
            .map(judge_mac)
            .transpose()?
            .flatten();
        let usual = connection == "NAT";
        match &mac {
            Some(mac) => self.kept(format!("A NIC with the MAC address {mac}")),
            None => self.changed(
                "A NIC with a new MAC address",
                "the description gives none that is good for a NIC",
            ),
        }
        if !usual {
            self.changed(
                format!("The NIC's connection ({connection}) becomes NAT"),
                "networks of another computer are not here; it can be connected to others afterwards",
            );
        }
        self.facts.nics.push(ImportNic {
            mac,
            connection: connection.to_owned(),
            connected,
        });
        Ok(())
    }

    /// A forward of a port of this computer.
    ///
    /// # Errors
    /// `bundle-invalid` for what is no port or no address.
    pub(super) fn port(&mut self, protocol: &str, host_address: &str, host: &str, guest: &str) -> Result<()> {
        let bad = || invalid("it has a port forward that is none");
        let protocol = match protocol.to_ascii_lowercase().as_str() {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(bad()),
        };
        let address = host_address.trim();
        if !address.is_empty() && address.parse::<IpAddr>().is_err() {
            return Err(bad());
        }
        let number = |text: &str| text.trim().parse::<u16>().map_err(|_| bad());
        let forward = PortForward {
            protocol,
            host: number(host)?,
            guest: number(guest)?,
        };
        if forward.guest == 0 || self.facts.ports.len() == PORTS_MAX {
            return Err(bad());
        }
        let local = address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
        if local {
            self.kept(format!("The port forward {forward}"));
        } else {
            self.changed(
                format!("The port forward {forward}, from this computer only"),
                "others can't reach ports of machines here",
            );
        }
        self.facts.ports.push(forward);
        Ok(())
    }

    pub(super) fn share(&mut self, name: &str, host_path: &str, read_only: bool) {
        self.dropped(
            format!(
                "The shared folder “{}” ({})",
                printable(name),
                printable(host_path)
            ),
            "folders of this computer are shared only when you say so; add it again if you want it",
        );
        if self.facts.shares.len() < ITEMS_MAX {
            self.facts.shares.push(ImportShare {
                name: printable(name),
                host_path: printable(host_path),
                read_only,
            });
        }
    }

    pub(super) fn snapshot(&mut self, name: &str) {
        let name = printable(name);
        self.dropped(
            format!("The snapshot “{name}”"),
            "the machine is imported as it is now",
        );
        if self.facts.snapshots.len() < ITEMS_MAX {
            self.facts.snapshots.push(name);
        }
    }

    /// A disk at a path that the description gives: opened beside it and judged.
    ///
    /// # Errors
    /// `image-refers-elsewhere`, `part-missing`, `bundle-invalid` (one disk twice), whatever the image is refused for.
    pub(super) fn disk(&mut self, text: &str) -> Result<()> {
        let path = self.resolve(text)?;
        self.disk_at(&path)
    }

    /// As [`Self::disk`], for a path below the bundle's folder.
    pub(super) fn disk_at(&mut self, path: &str) -> Result<()> {
        judge_path(path)?;
        if !self.names.insert(path.to_owned()) {
            return Err(invalid(format_args!(
                "it has the disk “{}” twice",
                printable(path)
            )));
        }
        if self.names.len() > DISKS_MAX {
            return Err(invalid("it has more disks than fit in a machine"));
        }
        if self.unjudged {
            self.facts.unjudged.push(printable(path));
            self.facts.buses.push(self.bus);
            return Ok(());
        }
        let inspection = self.inspect(path)?;
        match inspection.facts {
            Facts::Iso(_) => self.medium_at(path),
            Facts::Packed(_) | Facts::Bundle(_) => {
                return Err(refuse::unsupported_machine(
                    format!(
                        "The machine's disk “{}” is itself compressed or a bundle.",
                        printable(path)
                    ),
                    "Unpack the disk, or import it by itself.",
                ));
            }
            _ => {
                self.kept(format!("The disk “{}”: all data, byte for byte", printable(path)));
                self.disks.push(inspection);
                self.facts.buses.push(self.bus);
            }
        }
        Ok(())
    }

    fn inspect(&self, path: &str) -> Result<Inspection> {
        let file = self.beside.file(path)?;
        let folder = path
            .rsplit_once('/')
            .map(|(folder, _)| folder)
            .unwrap_or_default();
        let within = Within {
            beside: self.beside,
            folder,
        };
        inspect_open(file, Path::new(path), &within)
            .map_err(|error| error.with_detail("disk", printable(path)))
    }

    /// A medium: kept where it lies, if it lies beside the description.
    pub(super) fn medium(&mut self, text: &str) {
        match self.resolve(text) {
            Ok(path) => self.medium_at(&path),
            Err(_) => self.dropped(
                format!("The medium “{}”", printable(text)),
                "it does not lie beside the machine's description",
            ),
        }
    }

    fn medium_at(&mut self, path: &str) {
        let what = format!("The medium “{}”", printable(path));
        if self.facts.medium.is_some() {
            return self.dropped(what, "machines here have one CD drive");
        }
        let found = (!self.unjudged).then(|| self.inspect(path).ok()).flatten();
        match (found.map(|found| found.facts), self.beside.folder()) {
            (Some(Facts::Iso(_)), Some(folder)) => {
                self.facts.medium = Some(folder.join(path));
                self.kept(format!("{what}, read where it is"));
            }
            _ => self.dropped(what, "it is not there, or no ISO that can be read where it is"),
        }
    }

    /// A path that the description gives, as one below its folder: a relative one as it is; of an absolute one only the
    /// name, if such a file lies beside the description.
    fn resolve(&mut self, text: &str) -> Result<String> {
        let path = text.trim().replace('\\', "/");
        let absolute = path.starts_with('/') || path.get(1..3) == Some(":/");
        if !absolute {
            let path = path.strip_prefix("./").unwrap_or(&path);
            return judge_path(path)
                .map(|()| path.to_owned())
                .map_err(|_| outside(text));
        }
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        if path.contains("/../") || judge_path(&name).is_err() || self.beside.file(&name).is_err() {
            return Err(outside(text));
        }
        self.changed(
            format!(
                "The path {} becomes “{}”, which lies beside the description",
                printable(text),
                printable(&name)
            ),
            "paths of another computer mean nothing here",
        );
        Ok(name)
    }

    /// # Errors
    /// `bundle-no-disk`.
    pub(super) fn finish(self, checksums: Vec<Checksum>) -> Result<Bundle> {
        if self.disks.is_empty() && self.facts.unjudged.is_empty() {
            return Err(Error::unsafe_input(
                "bundle-no-disk",
                "The machine's description names no disk that could be imported.",
            )
            .with_hint("Import its disk, or the ISO it starts from, by itself."));
        }
        Ok(Bundle {
            facts: self.facts,
            disks: self.disks,
            checksums,
        })
    }
}

/// A word of a description that some program might take apart must have nothing to take apart.
///
/// # Errors
/// `bundle-invalid`.
pub(super) fn plain_word(text: &str) -> Result<&str> {
    let plain = text.len() <= 64
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-+ ".contains(c));
    if plain {
        Ok(text.trim())
    } else {
        Err(invalid(format_args!(
            "“{}” is no word that belongs there",
            printable(text)
        )))
    }
}

/// Normal form of a MAC address; `None` if it is one, but none that a NIC can have.
fn judge_mac(text: &str) -> Result<Option<String>> {
    let digits: String = text.trim().chars().filter(|c| !matches!(c, ':' | '-')).collect();
    let bytes = hex::decode(&digits).ok().filter(|bytes| bytes.len() == 6);
    let Some(bytes) = bytes.filter(|_| matches!(text.trim().len(), 12 | 17)) else {
        return Err(invalid(format_args!("“{}” is no MAC address", printable(text))));
    };
    if bytes[0] & 1 != 0 || bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let parts: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(parts.join(":")))
}
