CREATE TABLE snapshots (
    machine    TEXT    NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    id         TEXT    NOT NULL,
    created_at INTEGER NOT NULL, -- nanoseconds since 1970, UTC
    size       INTEGER NOT NULL, -- bytes that only this snapshot holds
    record     TEXT    NOT NULL, -- the whole record, as JSON
    PRIMARY KEY (machine, id)
) WITHOUT ROWID;
