//! The library in SQLite: migrations, queries, journal.
