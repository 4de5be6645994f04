//! Opening, backing up and moving aside the database.

use crate::{
    fault,
    migration::{self, APPLICATION_ID},
};
use nestbox_model::{Error, Result, layout::Layout};
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, Transaction, TransactionBehavior};
use std::{
    fs,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use time::{OffsetDateTime, macros::format_description};

/// How long a statement waits for another program's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many backups made before migrations are kept.
const BACKUPS_KEPT: usize = 10;

/// The open library. Clones share one connection.
#[derive(Clone, Debug)]
pub struct Library {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Mutex<Connection>,
    path: PathBuf,
    created: bool,
}

impl Library {
    /// Opens the library of `layout`, and makes it if there is none. An older schema is migrated, after a copy was
    /// put into `backups/`.
    ///
    /// A file of 0 bytes is no error, it is an empty library to SQLite; [`Self::was_created`] tells, so that whoever
    /// knows the machines' folders can rebuild it.
    ///
    /// # Errors
    /// `library-newer` (unfit): a newer Nestbox wrote it. `library-foreign` (conflict): it is another program's
    /// database. `library-corrupt` (failed): it is damaged or no database, see [`Self::recreate`].
    /// `library-not-a-file`, `library-busy`, `read-only`, `no-space`, `permission-denied`: as they say. In each of
    /// these cases the file is left as it was.
    pub fn open(layout: &Layout) -> Result<Self> {
        let path = layout.database();
        make_folder(layout.home())?;
        let empty = look_at_file(&path)?;
        if empty {
            make_private_file(&path)?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            Connection::open_with_flags(&path, flags).map_err(|e| fault::translate(&path, &e))?;
        let created =
            prepare(&mut connection, &path, layout, empty).map_err(|trouble| trouble.into_error(&path))?;
        Ok(Self {
            inner: Arc::new(Inner {
                connection: Mutex::new(connection),
                path,
                created,
            }),
        })
    }

    /// Moves a database that can't be used aside, as `library.db.broken-<time>` (with its `-wal` and `-shm`), and
    /// opens a new empty one. Nothing is deleted. Call [`Self::rebuild`] next.
    ///
    /// # Errors
    /// As [`Self::open`]; `io-error` and friends if the old file can't be moved.
    pub fn recreate(layout: &Layout) -> Result<Self> {
        let path = layout.database();
        let aside = free_path(layout.home(), &format!("library.db.broken-{}", stamp()));
        // The write-ahead log goes first: without its database it is harmless, the other way round it is not.
        for suffix in ["-wal", "-shm", ""] {
            let from = with_suffix(&path, suffix);
            let to = with_suffix(&aside, suffix);
            match fs::rename(&from, &to) {
                Ok(()) => tracing::warn!(from = %from.display(), to = %to.display(), "moved aside"),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("move the damaged database aside", &from, &error)),
            }
        }
        Self::open(layout)
    }

    /// The database was made by this [`Self::open`] (there was none, or a file of 0 bytes). If there are machine
    /// folders nonetheless, the index was lost: rebuild it.
    pub fn was_created(&self) -> bool {
        self.inner.created
    }

    /// There is not one machine in it, not even in the trash.
    ///
    /// # Errors
    /// `library-…`.
    pub fn is_empty(&self) -> Result<bool> {
        self.read(|c| c.query_row("SELECT NOT EXISTS (SELECT 1 FROM machines)", [], |row| row.get(0)))
    }

    /// Reads the whole database and reports what is wrong with it; empty when nothing is.
    ///
    /// # Errors
    /// `library-corrupt` when it is too damaged even for that.
    pub fn integrity(&self) -> Result<Vec<String>> {
        self.read(|c| {
            let mut problems = check(c, "integrity_check")?;
            let mut statement = c.prepare("PRAGMA foreign_key_check")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let table: String = row.get(0)?;
                problems.push(format!("a row of {table} belongs to a machine that is not there"));
                if problems.len() >= 100 {
                    break;
                }
            }
            Ok(problems)
        })
    }

    /// Path of the database file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held rolled its transaction back, so the connection is sound.
        self.inner
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one statement or a few that need no transaction.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(&self.lock()).map_err(|error| fault::translate(&self.inner.path, &error))
    }

    /// Runs `work` in one transaction.
    pub(crate) fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T> {
        in_transaction(&mut self.lock(), work).map_err(|error| fault::translate(&self.inner.path, &error))
    }

    /// Runs `work` in one transaction that is on the disk, power failure or not, when this returns.
    pub(crate) fn write_durably<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let mut connection = self.lock();
        let outcome = connection
            .pragma_update(None, "synchronous", "FULL")
            .and_then(|()| in_transaction(&mut connection, work));
        let reset = connection.pragma_update(None, "synchronous", "NORMAL");
        outcome
            .and_then(|value| reset.map(|()| value))
            .map_err(|error| fault::translate(&self.inner.path, &error))
    }
}

fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

/// What can stop a database from being opened.
enum Trouble {
    Sql(rusqlite::Error),
    Plain(Error),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Trouble {
    fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Sql(error) => fault::translate(path, &error),
            Self::Plain(error) => error,
        }
    }
}

/// Checks, sets up and migrates an open database; tells whether it was empty.
fn prepare(
    connection: &mut Connection,
    path: &Path,
    layout: &Layout,
    empty_file: bool,
) -> std::result::Result<bool, Trouble> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Everything up to the migration only reads, so that what is not ours stays as it is; and in one transaction, so
    // that another program's first migration is seen as a whole or not at all.
    let (application, version, tables) = {
        let snapshot = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let tables: i64 = snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let application: i32 = snapshot.pragma_query_value(None, "application_id", |row| row.get(0))?;
        (application, migration::version_of(&snapshot)?, tables)
    };
    let blank = application == 0 && version == 0 && tables == 0;
    if application != APPLICATION_ID && !blank {
        return Err(Trouble::Plain(foreign(path, application)));
    }
    if version > migration::schema_version() {
        return Err(Trouble::Plain(newer(path, version)));
    }
    if connection.is_readonly(MAIN_DB)? {
        return Err(Trouble::Plain(fault::read_only(path)));
    }
    if let Some(problem) = check(connection, "quick_check")?.first() {
        return Err(Trouble::Plain(fault::corrupt(path, &problem)));
    }
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    switch_to_wal(connection)?;
    // In WAL mode, NORMAL survives a killed program; the journal asks for more where it matters.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(64);
    if !blank && version < migration::schema_version() {
        back_up(connection, layout, version)?;
    }
    migration::apply(connection)?;
    Ok(empty_file || blank)
}

/// SQLite does not wait by itself when another program is in the middle of the same switch.
fn switch_to_wal(connection: &Connection) -> rusqlite::Result<()> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
}

/// Copies the database to `backups/library-<version>-<time>.db`, complete and compact, and drops the oldest copies.
fn back_up(connection: &Connection, layout: &Layout, version: u32) -> std::result::Result<(), Trouble> {
    let folder = layout.backups();
    make_folder(&folder).map_err(Trouble::Plain)?;
    let to = free_path(&folder, &format!("library-{version}-{}.db", stamp()));
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    tracing::info!(to = %to.display(), "backed the library up before migrating");
    let Ok(entries) = fs::read_dir(&folder) else {
        return Ok(());
    };
    let mut backups: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            name.starts_with("library-") && name.ends_with(".db")
        })
        .collect();
    backups.sort_by_key(|path| fs::metadata(path).and_then(|m| m.modified()).ok());
    for old in backups.iter().rev().skip(BACKUPS_KEPT) {
        if let Err(error) = fs::remove_file(old) {
            tracing::warn!(path = %old.display(), %error, "an old backup could not be removed");
        }
    }
    Ok(())
}

fn check(connection: &Connection, pragma: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("PRAGMA {pragma}(20)"))?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    Ok(lines
        .collect::<rusqlite::Result<Vec<_>>>()?
        .into_iter()
        .filter(|line| line != "ok")
        .collect())
}

/// Looks at what stands at the database's place before SQLite does. `true`: nothing, or 0 bytes.
fn look_at_file(path: &Path) -> Result<bool> {
    let doing = "open the library's database";
    let facts = match fs::metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err() => {
            return Ok(true);
        }
        Err(error) => return Err(Error::io(doing, path, &error)),
    };
    if !facts.is_file() {
        return Err(Error::conflict(
            "library-not-a-file",
            "There is something in the place of the library's database that is not a file.",
        )
        .with_hint("Move it away, or choose another library folder with --data-dir.")
        .with_detail("path", path.display().to_string()));
    }
    if facts.len() == 0 {
        tracing::warn!(path = %path.display(), "the library's database has 0 bytes");
        return Ok(true);
    }
    let mut magic = [0; 16];
    let complete = fs::File::open(path)
        .map_err(|error| Error::io(doing, path, &error))?
        .read_exact(&mut magic)
        .is_ok();
    if complete && &magic == b"SQLite format 3\0" {
        Ok(false)
    } else {
        Err(fault::corrupt(
            path,
            &"the file does not begin as a SQLite database does",
        ))
    }
}

fn foreign(path: &Path, application: i32) -> Error {
    Error::conflict(
        "library-foreign",
        "The file in the place of the library's database belongs to another program.",
    )
    .with_hint(
        "Choose another library folder with --data-dir, or move that file away. Nestbox left it as it is.",
    )
    .with_detail("path", path.display().to_string())
    .with_detail("application_id", application)
}

fn newer(path: &Path, version: u32) -> Error {
    Error::unfit(
        "library-newer",
        "A newer Nestbox has used this library, and this one does not understand it.",
    )
    .with_hint("Install the newest Nestbox, or choose another library folder with --data-dir.")
    .with_detail("path", path.display().to_string())
    .with_detail("version", version)
    .with_detail("supported", migration::schema_version())
}

/// Makes a folder that only this user may enter, if it is not there.
fn make_folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(|error| Error::io("make the library's folder", path, &error))
}

/// Makes an empty file that only this user may read, if it is not there.
fn make_private_file(path: &Path) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|error| Error::io("make the library's database", path, &error))?;
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// `folder/name`, or with a number behind it if that is taken.
fn free_path(folder: &Path, name: &str) -> PathBuf {
    let first = folder.join(name);
    if first.symlink_metadata().is_err() {
        return first;
    }
    let (stem, end) = match name.strip_suffix(".db") {
        Some(stem) => (stem, ".db"),
        None => (name, ""),
    };
    (2u32..)
        .map(|number| folder.join(format!("{stem}-{number}{end}")))
        .find(|path| path.symlink_metadata().is_err())
        .unwrap_or(first)
}

fn stamp() -> String {
    OffsetDateTime::now_utc()
        .format(format_description!("[year][month][day]T[hour][minute][second]Z"))
        .unwrap_or_else(|_| OffsetDateTime::now_utc().unix_timestamp().to_string())
}
