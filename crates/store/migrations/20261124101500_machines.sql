-- One row a machine. `spec` is the whole spec as text; the other columns are copies of parts of it, for searching.
CREATE TABLE machines (
    id          TEXT    PRIMARY KEY NOT NULL,
    name        TEXT    NOT NULL,
    name_folded TEXT    NOT NULL, -- for comparing names without regard to case
    created_at  INTEGER NOT NULL, -- nanoseconds since 1970, UTC
    trashed_at  INTEGER,          -- likewise; NULL: not in the trash
    spec        TEXT    NOT NULL
) WITHOUT ROWID;
-- Names in the trash are free again.
CREATE UNIQUE INDEX machines_name ON machines (name_folded) WHERE trashed_at IS NULL;
