//! Tests of the library, one module a table.

#![allow(clippy::unwrap_used)]

mod activity;
mod jobs;
mod journal;
mod machines;
mod opening;
mod snapshots;
mod two_programs;

use nestbox_model::{
    DiskId, MACHINE_FILE_VERSION, MachineId, MachineSpec, NicSpec, SnapshotId, SnapshotRecord, layout::Layout,
};
use nestbox_store::Library;
use serde_json::json;
use std::path::Path;
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::datetime};

/// A library in a folder of its own, gone at the end of the test.
struct Home {
    _folder: tempfile::TempDir,
    layout: Layout,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("home"), Path::new("/run/user/0"));
        Self {
            _folder: folder,
            layout,
        }
    }
    fn open(&self) -> Library {
        Library::open(&self.layout).unwrap()
    }
    /// Raw access, as another program would have.
    fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.layout.database()).unwrap()
    }
}

const NOON: OffsetDateTime = datetime!(2026-03-01 12:00:00.123456789 UTC);

/// A machine as its file would be read: made from text, so that new optional settings need no change here.
fn spec(name: &str) -> MachineSpec {
    let text = json!({
        "version": MACHINE_FILE_VERSION,
        "id": MachineId::random(),
        "name": name,
        "created_at": "2026-03-01T12:00:00.123456789Z",
        "template": "debian-13",
        "system": "Debian 13",
        "arch": "aarch64",
        "cpus": 2,
        "memory": 2u64 << 30,
        "boot_order": ["disk"],
        "tags": ["a", "b"],
        "notes": "“quotes” and\nlines",
        "disks": [{"id": DiskId::random(), "image": "x.qcow2", "capacity": 20u64 << 30}],
        "nics": [NicSpec::on_default_network()],
    });
    serde_json::from_value(text).unwrap()
}

fn record(name: &str, machine: &MachineSpec) -> SnapshotRecord {
    let text = json!({
        "version": 1,
        "id": SnapshotId::random(),
        "name": name,
        "created_at": machine.created_at.format(&Rfc3339).unwrap(),
        "memory": true,
        "backend_version": "10.0.2",
        "disks": [{"id": machine.disks[0].id, "image": "frozen.qcow2"}],
        "spec": machine,
    });
    serde_json::from_value(text).unwrap()
}
