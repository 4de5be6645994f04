//! The schema's history. A step is never edited or removed once released: mistakes are mended by further steps.
//!
//! `PRAGMA user_version` counts the steps a database has had. `PRAGMA application_id` says that it is ours.

use rusqlite::{Connection, TransactionBehavior};

/// `PRAGMA application_id` of a library: “Nest” in ASCII.
pub const APPLICATION_ID: i32 = 0x4E65_7374;

macro_rules! steps {
    ($($name:literal),+ $(,)?) => {
        /// Name and SQL of every step, oldest first.
        pub(crate) const STEPS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../migrations/", $name, ".sql")))),+];
    };
}

steps![
    "20261124101500_machines",
    "20261124101600_snapshots",
    "20261124101700_jobs",
    "20261124101800_activity",
    "20261124101900_journal",
];

/// The schema version this program writes and the newest it reads.
pub const fn schema_version() -> u32 {
    STEPS.len() as u32
}

/// The version of an open database.
pub(crate) fn version_of(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Applies the steps that are missing, all or none. Two programs may call this at the same time: the second waits
/// for the first and finds nothing left to do.
pub(crate) fn apply(connection: &mut Connection) -> rusqlite::Result<()> {
    if version_of(connection)? >= schema_version() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = version_of(&transaction)? as usize;
    for (name, sql) in STEPS.iter().skip(done) {
        tracing::info!(step = name, "migrating the library");
        transaction.execute_batch(sql)?;
    }
    if done < STEPS.len() {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", schema_version())?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_in_order_of_their_timestamps() {
        let names: Vec<_> = STEPS.iter().map(|(name, _)| *name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(names, sorted);
        for name in names {
            let (stamp, what) = name.split_once('_').unwrap();
            assert!(
                stamp.len() == 14 && stamp.bytes().all(|b| b.is_ascii_digit()),
                "{name}"
            );
            assert!(!what.is_empty());
        }
    }

    #[test]
    fn every_file_in_the_folder_is_a_step() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let files = std::fs::read_dir(folder).unwrap().count();
        assert_eq!(files, STEPS.len());
    }

    #[test]
    fn applying_twice_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection).unwrap();
        let schema = |c: &Connection| -> i64 {
            c.pragma_query_value(None, "schema_version", |row| row.get(0))
                .unwrap()
        };
        let before = schema(&connection);
        apply(&mut connection).unwrap();
        assert_eq!(schema(&connection), before);
        assert_eq!(version_of(&connection).unwrap(), schema_version());
    }
}
