//! The activity list: what happened, in sentences.

use crate::{
    Library,
    row::{time_from_column, time_to_column},
};
use nestbox_model::{ActivityEntry, MachineId, Result};
use rusqlite::params;
use time::OffsetDateTime;

/// Older lines are dropped beyond this number.
const KEPT: i64 = 2000;

impl Library {
    /// Adds a line. The last 2,000 are kept.
    ///
    /// # Errors
    /// `library-…`.
    pub fn add_activity(
        &self,
        at: OffsetDateTime,
        machine: Option<&MachineId>,
        kind: &str,
        message: &str,
    ) -> Result<()> {
        self.write(|t| {
            t.prepare_cached("INSERT INTO activity (at, machine, kind, message) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![
                    time_to_column(at),
                    machine.map(MachineId::as_str),
                    kind,
                    message
                ])?;
            t.prepare_cached("DELETE FROM activity WHERE id <= ?1")?
                .execute([t.last_insert_rowid().saturating_sub(KEPT)])?;
            Ok(())
        })
    }

    /// The last `limit` lines, newest first.
    ///
    /// # Errors
    /// `library-…`.
    pub fn activity(&self, limit: u32) -> Result<Vec<ActivityEntry>> {
        self.read(|c| {
            c.prepare_cached("SELECT at, machine, kind, message FROM activity ORDER BY id DESC LIMIT ?1")?
                .query_map([limit], |row| {
                    Ok(ActivityEntry {
                        at: time_from_column(row.get(0)?),
                        machine: row.get::<_, Option<String>>(1)?.map(MachineId::from_text),
                        kind: row.get(2)?,
                        message: row.get(3)?,
                    })
                })?
                .collect()
        })
    }
}
