//! Jobs, so that those that ended can be shown after a restart and those that were cut off be noticed.

use crate::{
    Library,
    row::{json_from_column, json_to_column, time_to_column},
};
use nestbox_model::{Job, JobId, Result};
use rusqlite::{OptionalExtension, params};

/// Jobs that ended are dropped, oldest first, beyond this number.
const KEPT: u32 = 500;

impl Library {
    /// Adds a job or replaces it. Of the jobs that ended, the last 500 are kept.
    ///
    /// # Errors
    /// `library-…`.
    pub fn upsert_job(&self, job: &Job) -> Result<()> {
        let over = job.state.is_over();
        self.write(|t| {
            t.prepare_cached(
                "INSERT INTO jobs (id, created_at, over, job) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET over = excluded.over, job = excluded.job",
            )?
            .execute(params![
                job.id.as_str(),
                time_to_column(job.created_at),
                over,
                json_to_column(job)?
            ])?;
            if over {
                t.prepare_cached(
                    "DELETE FROM jobs WHERE over AND id NOT IN
                     (SELECT id FROM jobs WHERE over ORDER BY created_at DESC LIMIT ?1)",
                )?
                .execute([KEPT])?;
            }
            Ok(())
        })
    }

    /// The last `limit` jobs, newest first.
    ///
    /// # Errors
    /// `library-…`.
    pub fn jobs(&self, limit: u32) -> Result<Vec<Job>> {
        self.read(|c| {
            c.prepare_cached("SELECT job FROM jobs ORDER BY created_at DESC, id LIMIT ?1")?
                .query_map([limit], |row| json_from_column(0, row.get_ref(0)?.as_str()?))?
                .collect()
        })
    }

    /// One job.
    ///
    /// # Errors
    /// `library-…`.
    pub fn job(&self, id: &JobId) -> Result<Option<Job>> {
        self.read(|c| {
            c.prepare_cached("SELECT job FROM jobs WHERE id = ?1")?
                .query_row([id.as_str()], |row| {
                    json_from_column(0, row.get_ref(0)?.as_str()?)
                })
                .optional()
        })
    }
}
