//! How values stand in columns.

use rusqlite::types::Type;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

/// Nanoseconds since 1970; times beyond the years 1678–2262 are clamped to them.
pub(crate) fn time_to_column(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos()).unwrap_or(if at.unix_timestamp() < 0 {
        i64::MIN
    } else {
        i64::MAX
    })
}

/// The time a column holds.
pub(crate) fn time_from_column(column: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(column)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Parses the JSON of column `index`.
pub(crate) fn json_from_column<T: DeserializeOwned>(index: usize, text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error)))
}

/// JSON text of a value for a column.
pub(crate) fn json_to_column<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
