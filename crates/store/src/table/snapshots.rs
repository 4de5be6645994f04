//! Snapshots: the index of the machines' `snapshots/` folders.

use crate::{
    Library,
    row::{json_from_column, json_to_column, time_to_column},
};
use nestbox_model::{MachineId, Result, SnapshotId, SnapshotRecord};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;

impl Library {
    /// Adds a snapshot or replaces its record. `size`: bytes that only this snapshot holds.
    ///
    /// # Errors
    /// `library-failed` when the machine is not in the library.
    pub fn upsert_snapshot(&self, machine: &MachineId, record: &SnapshotRecord, size: u64) -> Result<()> {
        self.write(|t| upsert(t, machine, record, size))
    }

    /// Forgets a snapshot. Nothing happens when it is not there.
    ///
    /// # Errors
    /// `library-…`.
    pub fn remove_snapshot(&self, machine: &MachineId, id: &SnapshotId) -> Result<()> {
        self.write(|t| {
            t.prepare_cached("DELETE FROM snapshots WHERE machine = ?1 AND id = ?2")?
                .execute([machine.as_str(), id.as_str()])
                .map(drop)
        })
    }

    /// The snapshots of a machine with their sizes, oldest first.
    ///
    /// # Errors
    /// `library-…`.
    pub fn snapshots(&self, machine: &MachineId) -> Result<Vec<(SnapshotRecord, u64)>> {
        self.read(|c| {
            c.prepare_cached("SELECT record, size FROM snapshots WHERE machine = ?1 ORDER BY created_at, id")?
                .query_map([machine.as_str()], from_row)?
                .collect()
        })
    }

    /// One snapshot of a machine.
    ///
    /// # Errors
    /// `library-…`.
    pub fn snapshot(&self, machine: &MachineId, id: &SnapshotId) -> Result<Option<(SnapshotRecord, u64)>> {
        self.read(|c| {
            c.prepare_cached("SELECT record, size FROM snapshots WHERE machine = ?1 AND id = ?2")?
                .query_row([machine.as_str(), id.as_str()], from_row)
                .optional()
        })
    }

    /// How many snapshots each machine has; machines without any are left out.
    ///
    /// # Errors
    /// `library-…`.
    pub fn snapshot_counts(&self) -> Result<HashMap<MachineId, u32>> {
        self.read(|c| {
            c.prepare_cached("SELECT machine, count(*) FROM snapshots GROUP BY machine")?
                .query_map([], |row| {
                    Ok((MachineId::from_text(row.get::<_, String>(0)?), row.get(1)?))
                })?
                .collect()
        })
    }
}

pub(super) fn upsert(
    connection: &Connection,
    machine: &MachineId,
    record: &SnapshotRecord,
    size: u64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO snapshots (machine, id, created_at, size, record) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (machine, id) DO UPDATE SET created_at = excluded.created_at, size = excluded.size,
                 record = excluded.record",
        )?
        .execute(params![
            machine.as_str(),
            record.id.as_str(),
            time_to_column(record.created_at),
            i64::try_from(size).unwrap_or(i64::MAX),
            json_to_column(record)?
        ])
        .map(drop)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<(SnapshotRecord, u64)> {
    let record = json_from_column(0, row.get_ref(0)?.as_str()?)?;
    Ok((record, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0)))
}
