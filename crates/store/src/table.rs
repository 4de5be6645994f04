//! One module a table: its row type and its queries, as methods of [`crate::Library`].

pub(crate) mod activity;
pub(crate) mod jobs;
pub(crate) mod journal;
pub(crate) mod machines;
pub(crate) mod snapshots;
