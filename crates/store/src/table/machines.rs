//! Machines: the index of `machines/` and `trash/`.

use crate::{
    Library, fold_name,
    row::{json_to_column, time_from_column, time_to_column},
    table::snapshots,
};
use nestbox_model::{Error, MachineId, MachineSpec, Result, SnapshotRecord, free_name};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params, types::Type};
use std::collections::HashSet;
use time::OffsetDateTime;

/// A machine as the library knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineRow {
    /// Its spec.
    pub spec: MachineSpec,
    /// When it went to the trash; `None`: it is in use.
    pub trashed_at: Option<OffsetDateTime>,
}

impl Library {
    /// Adds a machine or replaces its spec. Whether it is in the trash stays as it is.
    ///
    /// # Errors
    /// `name-taken` (conflict) when another machine outside the trash has that name, in whatever case.
    pub fn upsert_machine(&self, spec: &MachineSpec) -> Result<()> {
        match self.write(|t| upsert(t, spec, None).map(Ok).or_else(name_conflict))? {
            Ok(()) => Ok(()),
            Err(NameConflict) => Err(name_taken(&spec.name)),
        }
    }

    /// Forgets a machine and its snapshots. Nothing happens when it is not there.
    ///
    /// # Errors
    /// `library-…`.
    pub fn remove_machine(&self, id: &MachineId) -> Result<()> {
        self.write(|t| {
            t.prepare_cached("DELETE FROM machines WHERE id = ?1")?
                .execute([id.as_str()])
                .map(drop)
        })
    }

    /// Puts a machine into the trash (a time) or takes it out (`None`).
    ///
    /// # Errors
    /// `machine-not-found`; `name-taken` (conflict) when it comes out and its name is in use by now.
    pub fn set_trashed(&self, id: &MachineId, trashed_at: Option<OffsetDateTime>) -> Result<()> {
        let outcome = self.write(|t| {
            t.prepare_cached("UPDATE machines SET trashed_at = ?2 WHERE id = ?1")?
                .execute(params![id.as_str(), trashed_at.map(time_to_column)])
                .map(Ok)
                .or_else(name_conflict)
        })?;
        match outcome {
            Ok(0) => Err(
                Error::not_found("machine-not-found", "There is no such machine in the library.")
                    .with_detail("machine", id.as_str()),
            ),
            Ok(_) => Ok(()),
            Err(NameConflict) => {
                let name = self.machine(id)?.map(|row| row.spec.name).unwrap_or_default();
                Err(name_taken(&name))
            }
        }
    }

    /// One machine, in the trash or not.
    ///
    /// # Errors
    /// `library-…`.
    pub fn machine(&self, id: &MachineId) -> Result<Option<MachineRow>> {
        self.read(|c| {
            c.prepare_cached("SELECT spec, trashed_at FROM machines WHERE id = ?1")?
                .query_row([id.as_str()], |row| {
                    Ok(MachineRow {
                        spec: spec_from(row, 0)?,
                        trashed_at: row.get::<_, Option<i64>>(1)?.map(time_from_column),
                    })
                })
                .optional()
        })
    }

    /// All machines outside the trash, oldest first.
    ///
    /// # Errors
    /// `library-…`.
    pub fn machines(&self) -> Result<Vec<MachineSpec>> {
        self.read(|c| {
            c.prepare_cached("SELECT spec FROM machines WHERE trashed_at IS NULL ORDER BY created_at, id")?
                .query_map([], |row| spec_from(row, 0))?
                .collect()
        })
    }

    /// The machines in the trash with the time of their deletion, the last deleted first.
    ///
    /// # Errors
    /// `library-…`.
    pub fn trashed(&self) -> Result<Vec<(MachineSpec, OffsetDateTime)>> {
        self.read(|c| {
            c.prepare_cached(
                "SELECT spec, trashed_at FROM machines WHERE trashed_at IS NOT NULL ORDER BY trashed_at DESC, id",
            )?
            .query_map([], |row| Ok((spec_from(row, 0)?, time_from_column(row.get(1)?))))?
            .collect()
        })
    }

    /// The machine outside the trash that has this name, in whatever case.
    ///
    /// # Errors
    /// `library-…`.
    pub fn machine_named(&self, name: &str) -> Result<Option<MachineId>> {
        self.read(|c| {
            c.prepare_cached("SELECT id FROM machines WHERE name_folded = ?1 AND trashed_at IS NULL")?
                .query_row([fold_name(name)], |row| row.get::<_, String>(0))
                .optional()
        })
        .map(|id| id.map(MachineId::from_text))
    }

    /// Replaces all machines and snapshots by what was read from their folders, in one transaction. Jobs, activity
    /// and journal stay. Snapshots of machines that are not given are left out.
    ///
    /// Two machines can't have one name: from the second on they get a number behind it (the older machine keeps
    /// its name). Of two with one id, the one outside the trash counts. Those renamed are returned, so that the caller can write their `machine.toml`.
    ///
    /// # Errors
    /// `library-…`; then nothing changed.
    pub fn rebuild(
        &self,
        machines: &[MachineRow],
        snapshots: &[(MachineId, SnapshotRecord, u64)],
    ) -> Result<Vec<MachineSpec>> {
        let mut ordered: Vec<&MachineRow> = machines.iter().collect();
        ordered.sort_by_key(|row| (row.trashed_at.is_some(), row.spec.created_at, row.spec.id.clone()));
        let mut names = HashSet::new();
        let mut ids = HashSet::new();
        let mut renamed = Vec::new();
        self.write(|t| {
            t.execute("DELETE FROM machines", [])?;
            for row in ordered {
                if !ids.insert(row.spec.id.clone()) {
                    continue;
                }
                let mut spec = row.spec.clone();
                if row.trashed_at.is_none() {
                    spec.name = free_name(&row.spec.name, |name| names.contains(&fold_name(name)));
                    names.insert(fold_name(&spec.name));
                }
                upsert(t, &spec, row.trashed_at)?;
                if spec.name != row.spec.name {
                    renamed.push(spec);
                }
            }
            for (machine, record, size) in snapshots {
                if ids.contains(machine) {
                    snapshots::upsert(t, machine, record, *size)?;
                }
            }
            Ok(())
        })?;
        Ok(renamed)
    }
}

struct NameConflict;

/// Sorts a broken name index out of the other errors.
fn name_conflict<T>(error: rusqlite::Error) -> rusqlite::Result<Result<T, NameConflict>> {
    match error.sqlite_error() {
        Some(cause)
            if cause.code == ErrorCode::ConstraintViolation
                && cause.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE =>
        {
            Ok(Err(NameConflict))
        }
        _ => Err(error),
    }
}

fn name_taken(name: &str) -> Error {
    Error::conflict(
        "name-taken",
        format!("There is already a machine called “{name}”."),
    )
    .with_hint("Choose another name; upper and lower case count as the same.")
    .with_detail("name", name)
}

/// `trashed_at` counts for a new row only.
fn upsert(
    connection: &Connection,
    spec: &MachineSpec,
    trashed_at: Option<OffsetDateTime>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO machines (id, name, name_folded, created_at, spec, trashed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_folded = excluded.name_folded,
                 created_at = excluded.created_at, spec = excluded.spec",
        )?
        .execute(params![
            spec.id.as_str(),
            spec.name,
            fold_name(&spec.name),
            time_to_column(spec.created_at),
            spec_text(spec)?,
            trashed_at.map(time_to_column)
        ])
        .map(drop)
}

/// JSON, as it is quick to read; TOML where JSON can't hold what a newer version wrote (dates, infinite numbers).
fn spec_text(spec: &MachineSpec) -> rusqlite::Result<String> {
    let json = json_to_column(spec)?;
    if spec.unknown.is_empty() || serde_json::from_str::<MachineSpec>(&json).is_ok_and(|back| &back == spec) {
        return Ok(json);
    }
    toml::to_string(spec).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn spec_from(row: &Row<'_>, index: usize) -> rusqlite::Result<MachineSpec> {
    let text = row.get_ref(index)?.as_str()?;
    let bad = |error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(index, Type::Text, error)
    };
    if text.starts_with('{') {
        serde_json::from_str(text).map_err(|error| bad(error.into()))
    } else {
        toml::from_str(text).map_err(|error| bad(error.into()))
    }
}
