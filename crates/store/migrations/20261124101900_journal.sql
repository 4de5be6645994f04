-- Multi-step operations under way. A row that is still here at start belongs to an operation that was cut off.
CREATE TABLE journal (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL, -- of the last step, nanoseconds since 1970, UTC
    op      TEXT    NOT NULL,
    machine TEXT,
    step    TEXT    NOT NULL, -- the last step that was reached; empty: begun
    payload TEXT    NOT NULL  -- what the operation needs to go on or to be undone, as JSON
);
