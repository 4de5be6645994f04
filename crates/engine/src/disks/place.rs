//! Which disk is meant.

use crate::machine::shell_word;
use nestbox_model::{DetachedDisk, DiskSpec, Error, MachineSpec, Result};
use time::OffsetDateTime;

/// Fewest digits of an id that name a disk.
const PREFIX_MIN: usize = 4;

/// Where in a machine's settings a disk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Index in `disks`.
    Attached(usize),
    /// Index in `detached`.
    Detached(usize),
}

impl Place {
    /// All disks in the order of their numbers: attached ones, detached ones, those in the bin.
    pub fn all(spec: &MachineSpec) -> Vec<Self> {
        let in_bin = |wanted: bool| {
            let detached = spec.detached.iter().enumerate();
            detached
                .filter(move |(_, disk)| disk.removed_at.is_some() == wanted)
                .map(|(index, _)| Self::Detached(index))
        };
        (0..spec.disks.len())
            .map(Self::Attached)
            .chain(in_bin(false))
            .chain(in_bin(true))
            .collect()
    }

    /// The disk meant by a number from 1, an id, the beginning of one, or a label.
    ///
    /// # Errors
    /// `disk-not-found`; `disk-ambiguous` (usage).
    pub fn find(spec: &MachineSpec, wanted: &str) -> Result<Self> {
        let all = Self::all(spec);
        let disk = |place: &Self| place.disk(spec);
        if let Some(place) = all.iter().find(|place| disk(place).id.as_str() == wanted) {
            return Ok(*place);
        }
        let number: Option<usize> = wanted.parse().ok();
        if let Some(place) = number.and_then(|number| all.get(number.checked_sub(1)?)) {
            return Ok(*place);
        }
        let folded = wanted.to_lowercase();
        let label = |place: &Self| {
            let label = disk(place).label.as_ref();
            label.is_some_and(|label| label.to_lowercase() == folded)
        };
        let prefix =
            |place: &Self| wanted.len() >= PREFIX_MIN && disk(place).id.as_str().starts_with(&folded);
        for fits in [&label as &dyn Fn(&Self) -> bool, &prefix] {
            let mut fitting = all.iter().filter(|place| fits(place));
            match (fitting.next(), fitting.next()) {
                (Some(place), None) => return Ok(*place),
                (Some(_), Some(_)) => {
                    return Err(Error::usage(
                        "disk-ambiguous",
                        format!("“{wanted}” names several disks of “{}”.", spec.name),
                    )
                    .with_hint("Give its number, or more of its id."));
                }
                _ => {}
            }
        }
        Err(Error::not_found(
            "disk-not-found",
            format!("“{}” has no disk “{wanted}”.", spec.name),
        )
        .with_hint(format!(
            "See all with: nestbox disk list {} --all",
            shell_word(&spec.name)
        )))
    }

    pub fn disk(self, spec: &MachineSpec) -> &DiskSpec {
        match self {
            Self::Attached(index) => &spec.disks[index],
            Self::Detached(index) => &spec.detached[index].disk,
        }
    }

    pub fn disk_mut(self, spec: &mut MachineSpec) -> &mut DiskSpec {
        match self {
            Self::Attached(index) => &mut spec.disks[index],
            Self::Detached(index) => &mut spec.detached[index].disk,
        }
    }

    pub fn detached(self, spec: &MachineSpec) -> Option<&DetachedDisk> {
        match self {
            Self::Attached(_) => None,
            Self::Detached(index) => Some(&spec.detached[index]),
        }
    }

    /// Its number in lists, from 1.
    pub fn number(self, spec: &MachineSpec) -> usize {
        let place = Self::all(spec).iter().position(|place| *place == self);
        place.map_or(0, |index| index + 1)
    }

    /// Takes the disk out of the settings.
    pub fn take(self, spec: &mut MachineSpec) -> DiskSpec {
        match self {
            Self::Attached(index) => spec.disks.remove(index),
            Self::Detached(index) => spec.detached.remove(index).disk,
        }
    }
}

/// A disk that the guest does not see from now on.
pub(crate) fn set_aside(disk: DiskSpec, in_bin: bool) -> DetachedDisk {
    let now = OffsetDateTime::now_utc();
    DetachedDisk {
        disk: DiskSpec { slot: None, ..disk },
        detached_at: now,
        removed_at: in_bin.then_some(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::new_disk;
    use nestbox_model::DiskId;

    fn disk(id: &str, label: Option<&str>) -> DiskSpec {
        DiskSpec {
            id: DiskId::from_text(id),
            label: label.map(str::to_owned),
            ..new_disk(1 << 20)
        }
    }

    fn machine() -> MachineSpec {
        let text = "version = 1\nid = '00112233445566778899aabbccddeeff'\nname = 'web'\narch = 'x86_64'\n\
            created_at = '2026-01-01T00:00:00Z'\ncpus = 1\nmemory = 1\n";
        let mut spec: MachineSpec = toml::from_str(text).unwrap();
        spec.disks = vec![disk("aaaa1111", None), disk("2222bbbb", Some("Data"))];
        spec.detached = vec![
            set_aside(disk("aaaa3333", None), true),
            set_aside(disk("44445555", None), false),
        ];
        spec
    }

    #[test]
    fn disks_are_found_by_number_label_and_prefix() {
        let spec = machine();
        for (wanted, place) in [
            ("1", Place::Attached(0)),
            ("2", Place::Attached(1)),
            ("data", Place::Attached(1)),
            ("2222", Place::Attached(1)),
            // Detached ones come before those in the bin.
            ("3", Place::Detached(1)),
            ("4", Place::Detached(0)),
            ("aaaa3", Place::Detached(0)),
        ] {
            assert_eq!(Place::find(&spec, wanted).unwrap(), place, "{wanted}");
        }
        assert_eq!(Place::find(&spec, "aaaa").unwrap_err().code, "disk-ambiguous");
        for missing in ["0", "5", "22", "", "zzzz"] {
            assert_eq!(
                Place::find(&spec, missing).unwrap_err().code,
                "disk-not-found",
                "{missing}"
            );
        }
    }
}
