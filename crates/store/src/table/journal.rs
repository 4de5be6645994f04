//! The journal of multi-step operations. Each begins with an entry, notes every step *before* doing it, and ends by
//! removing the entry. What is still there at the next start was cut off and is finished or undone.
//!
//! Every function here returns only once the entry is on the disk.

use crate::{
    Library,
    row::{json_from_column, json_to_column, time_from_column, time_to_column},
};
use nestbox_model::{Error, MachineId, Result};
use rusqlite::params;
use serde_json::Value;
use time::OffsetDateTime;

/// Names a journal entry. Ids are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JournalId(i64);

/// An operation that was begun and not finished.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// Id.
    pub id: JournalId,
    /// Which operation; the caller's word.
    pub op: String,
    /// Machine it works on.
    pub machine: Option<MachineId>,
    /// The last step noted; empty when none was.
    pub step: String,
    /// What the operation needs to go on or to be undone, as of that step.
    pub payload: Value,
    /// When that step was noted.
    pub at: OffsetDateTime,
}

impl Library {
    /// Notes that an operation begins.
    ///
    /// # Errors
    /// `library-…`; then don't begin.
    pub fn begin(&self, op: &str, machine: Option<&MachineId>, payload: &Value) -> Result<JournalId> {
        self.write_durably(|t| {
            t.prepare_cached(
                "INSERT INTO journal (at, op, machine, step, payload) VALUES (?1, ?2, ?3, '', ?4)",
            )?
            .execute(params![
                time_to_column(OffsetDateTime::now_utc()),
                op,
                machine.map(MachineId::as_str),
                json_to_column(payload)?
            ])?;
            Ok(JournalId(t.last_insert_rowid()))
        })
    }

    /// Notes the step that comes next, with a new payload.
    ///
    /// # Errors
    /// `journal-entry-gone` when there is no such entry (any more).
    pub fn advance(&self, id: JournalId, step: &str, payload: &Value) -> Result<()> {
        let changed = self.write_durably(|t| {
            t.prepare_cached("UPDATE journal SET at = ?2, step = ?3, payload = ?4 WHERE id = ?1")?
                .execute(params![
                    id.0,
                    time_to_column(OffsetDateTime::now_utc()),
                    step,
                    json_to_column(payload)?
                ])
        })?;
        if changed == 1 {
            return Ok(());
        }
        Err(Error::failed(
            "journal-entry-gone",
            "The operation is not in the library's journal any more.",
        )
        .with_detail("entry", id.0)
        .with_detail("step", step))
    }

    /// Removes an entry: the operation is complete, or completely undone. Nothing happens when it is not there.
    ///
    /// # Errors
    /// `library-…`.
    pub fn finish(&self, id: JournalId) -> Result<()> {
        self.write_durably(|t| {
            t.prepare_cached("DELETE FROM journal WHERE id = ?1")?
                .execute([id.0])
                .map(drop)
        })
    }

    /// Operations that were not finished, oldest first.
    ///
    /// # Errors
    /// `library-…`.
    pub fn open_entries(&self) -> Result<Vec<JournalEntry>> {
        self.read(|c| {
            c.prepare_cached("SELECT id, op, machine, step, payload, at FROM journal ORDER BY id")?
                .query_map([], |row| {
                    Ok(JournalEntry {
                        id: JournalId(row.get(0)?),
                        op: row.get(1)?,
                        machine: row.get::<_, Option<String>>(2)?.map(MachineId::from_text),
                        step: row.get(3)?,
                        payload: json_from_column(4, row.get_ref(4)?.as_str()?)?,
                        at: time_from_column(row.get(5)?),
                    })
                })?
                .collect()
        })
    }
}
