//! The library in SQLite: migrations, queries, journal.
//!
//! The database is an index. The truth about a machine is `machine.toml` in its folder, so a lost or damaged
//! database costs nothing but the time of [`Library::rebuild`]. What the database adds: quick lists, unique names,
//! transactions, jobs, the activity list, and the journal of operations under way.
//!
//! Invariants: nothing here knows machine folders or runs anything; all functions are synchronous and short; a database
//! that is not ours, is damaged, or was written by a newer Nestbox is refused and left as it is.

mod fault;
mod fold;
mod library;
mod migration;
mod row;
mod table;

pub use fold::fold_name;
pub use library::Library;
pub use migration::{APPLICATION_ID, schema_version};
pub use table::{
    journal::{JournalEntry, JournalId},
    machines::MachineRow,
};
