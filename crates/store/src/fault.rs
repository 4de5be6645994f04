//! SQLite's failures in plain words.

use nestbox_model::Error;
use rusqlite::{Error as Sql, ErrorCode};
use std::path::Path;

/// The database is damaged or is no database.
pub(crate) fn corrupt(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::failed(
        "library-corrupt",
        "The library's database is damaged. Your machines are safe: each is complete in its own folder.",
    )
    .with_hint("Run `nestbox library check --rebuild`: it keeps the damaged file and makes a new database.")
    .with_detail("path", path.display().to_string())
    .with_detail("system", why.to_string())
}

/// Turns `error`, met while doing something to the database at `path`, into words.
pub(crate) fn translate(path: &Path, error: &Sql) -> Error {
    let Some(code) = error.sqlite_error_code() else {
        return match error {
            // A value of a type or form that we never write.
            Sql::FromSqlConversionFailure(..)
            | Sql::InvalidColumnType(..)
            | Sql::IntegralValueOutOfRange(..)
            | Sql::Utf8Error(..) => corrupt(path, &error),
            _ => general(path, error),
        };
    };
    match code {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => corrupt(path, &error),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::conflict(
            "library-busy",
            "Another program is holding the library's database, and did not let go within 5 seconds.",
        )
        .with_hint(
            "Close programs that have library.db open (backup tools, database browsers), then try again.",
        )
        .with_detail("path", path.display().to_string()),
        ErrorCode::DiskFull => Error::unfit(
            "no-space",
            "The library's database could not be written since the disk is full.",
        )
        .with_hint("Free some space (the trash and the image cache are good places to look), then try again.")
        .with_detail("path", path.display().to_string()),
        ErrorCode::ReadOnly => read_only(path),
        ErrorCode::PermissionDenied => Error::unfit(
            "permission-denied",
            "This account may not open the library's database.",
        )
        .with_hint("Give this account access to the file and its folder.")
        .with_detail("path", path.display().to_string()),
        _ => general(path, error),
    }
}

/// The file or its folder can't be written.
pub(crate) fn read_only(path: &Path) -> Error {
    Error::unfit(
        "read-only",
        "The library's database can't be written: the file, its folder or the file system is read-only.",
    )
    .with_hint("Make it writable for this account, or choose another library folder with --data-dir.")
    .with_detail("path", path.display().to_string())
}

fn general(path: &Path, error: &Sql) -> Error {
    Error::failed("library-failed", "The library's database did not work.")
        .with_hint("Try again. If it goes on, run `nestbox library check`.")
        .with_detail("path", path.display().to_string())
        .with_detail("system", error.to_string())
}
