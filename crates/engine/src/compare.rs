//! What differs between two points of a machine.

use crate::machine::{Handle, MachineRef};
use crate::{Engine, files};
use nestbox_model::units::format_size;
use nestbox_model::{
    ComparedPoint, Comparison, DiskDifference, DiskId, MachineSpec, Result, SettingDifference, SnapshotRecord,
};
use std::collections::HashMap;
use std::path::PathBuf;
use time::OffsetDateTime;

/// One side, as far as comparing needs it.
struct Side {
    point: ComparedPoint,
    spec: MachineSpec,
    /// Active or frozen image of each disk.
    disks: Vec<(DiskId, String)>,
}

impl Side {
    fn of_record(record: &SnapshotRecord) -> Self {
        Self {
            point: ComparedPoint {
                id: Some(record.id.clone()),
                name: record.name.clone(),
                memory: record.memory,
                at: record.created_at,
            },
            spec: record.spec.clone(),
            disks: record
                .disks
                .iter()
                .map(|d| (d.id.clone(), d.image.clone()))
                .collect(),
        }
    }

    fn present(spec: MachineSpec) -> Self {
        Self {
            point: ComparedPoint {
                id: None,
                name: "Now".into(),
                memory: false,
                at: OffsetDateTime::now_utc(),
            },
            disks: spec
                .disks
                .iter()
                .map(|d| (d.id.clone(), d.image.clone()))
                .collect(),
            spec,
        }
    }
}

impl Engine {
    /// Compares a snapshot with another, or with the present when `with` is none.
    ///
    /// # Errors
    /// `snapshot-not-found`.
    pub fn compare(&self, wanted: MachineRef<'_>, from: &str, with: Option<&str>) -> Result<Comparison> {
        let handle = self.find(wanted)?;
        let from = Side::of_record(&self.find_snapshot(&handle, from)?.0);
        let to = match with {
            Some(with) => Side::of_record(&self.find_snapshot(&handle, with)?.0),
            None => Side::present(handle.spec()),
        };
        Ok(Comparison {
            settings: differences(&from.spec, &to.spec),
            disks: self.disk_differences(&handle, &from, &to),
            seconds_between: (to.point.at - from.point.at).as_seconds_f64().abs(),
            from: from.point,
            to: to.point,
        })
    }

    /// Bytes in the images that are in the one chain and not in the other.
    fn disk_differences(&self, handle: &Handle, from: &Side, to: &Side) -> Vec<DiskDifference> {
        let (before, after) = (self.chains_of(handle, from), self.chains_of(handle, to));
        let mut ids: Vec<&DiskId> = before.keys().chain(after.keys()).collect();
        ids.sort();
        ids.dedup();
        let none = Vec::new();
        ids.into_iter()
            .map(|id| {
                let (a, b) = (before.get(id).unwrap_or(&none), after.get(id).unwrap_or(&none));
                let only_a = a.iter().filter(|path| !b.contains(path));
                let only_b = b.iter().filter(|path| !a.contains(path));
                DiskDifference {
                    id: id.clone(),
                    written: only_a
                        .chain(only_b)
                        .map(|path| files::allocated_bytes(path))
                        .sum(),
                }
            })
            .filter(|difference| difference.written > 0)
            .collect()
    }

    fn chains_of(&self, handle: &Handle, side: &Side) -> HashMap<DiskId, Vec<PathBuf>> {
        let folder = self.folder(&handle.id);
        side.disks
            .iter()
            .map(|(id, image)| {
                let disk = side.spec.disks.iter().find(|disk| disk.id == *id);
                let linked = disk.and_then(|disk| disk.linked.as_deref());
                let chain = self.chain(&folder.disk_image(image), linked).unwrap_or_default();
                (id.clone(), chain.into_iter().map(|link| link.path).collect())
            })
            .collect()
    }
}

/// Settings that differ, as text.
fn differences(before: &MachineSpec, after: &MachineSpec) -> Vec<SettingDifference> {
    settings(before)
        .into_iter()
        .zip(settings(after))
        .filter(|((_, before), (_, after))| before != after)
        .map(|((key, before), (_, after))| SettingDifference {
            key: key.to_owned(),
            before,
            after,
        })
        .collect()
}

/// The settings that are compared, always in the same order.
fn settings(spec: &MachineSpec) -> Vec<(&'static str, String)> {
    let list = |items: Vec<String>| items.join(", ");
    vec![
        ("name", spec.name.clone()),
        ("cpus", spec.cpus.to_string()),
        ("memory", format_size(spec.memory)),
        ("firmware", word(&spec.firmware)),
        ("accelerator", word(&spec.accelerator)),
        (
            "display.resolution",
            format!("{}x{}", spec.display.width, spec.display.height),
        ),
        ("boot.order", spec.boot_order.join(", ")),
        ("clock", if spec.clock_local { "local" } else { "utc" }.into()),
        (
            "disks",
            list(spec.disks.iter().map(|d| format_size(d.capacity)).collect()),
        ),
        (
            "nics",
            list(
                spec.nics
                    .iter()
                    .map(|n| format!("{} on {}", n.mac, n.network))
                    .collect(),
            ),
        ),
        (
            "ports",
            list(spec.ports.iter().map(ToString::to_string).collect()),
        ),
        (
            "medium",
            spec.medium.as_ref().map(|m| m.path.clone()).unwrap_or_default(),
        ),
        ("tags", spec.tags.join(", ")),
        ("notes", spec.notes.clone()),
    ]
}

fn word<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// What restoring changes beside the disks' content, in sentences. Names, notes, tags and forwards stay as they are.
pub(crate) fn differences_said(present: &MachineSpec, record: &SnapshotRecord) -> Vec<String> {
    let stays = ["name", "notes", "tags", "ports"];
    let mut said: Vec<String> = differences(present, &record.spec)
        .into_iter()
        .filter(|difference| !stays.contains(&difference.key.as_str()))
        .map(|difference| {
            let text = |text: String| {
                if text.is_empty() {
                    "nothing".to_owned()
                } else {
                    text
                }
            };
            format!(
                "The hardware is the snapshot's: {} is {} and was {}.",
                difference.key,
                text(difference.after),
                text(difference.before)
            )
        })
        .collect();
    if let Some(medium) = record
        .spec
        .medium
        .as_ref()
        .filter(|m| !std::path::Path::new(&m.path).exists())
    {
        said.push(format!(
            "The medium that was in its drive is not there any more, so the drive is empty: {}",
            medium.path
        ));
    }
    said
}
