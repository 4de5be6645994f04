CREATE TABLE jobs (
    id         TEXT    PRIMARY KEY NOT NULL,
    created_at INTEGER NOT NULL, -- nanoseconds since 1970, UTC
    over       INTEGER NOT NULL, -- 1: it ended, nothing more will happen
    job        TEXT    NOT NULL  -- the whole job, as JSON
) WITHOUT ROWID;
CREATE INDEX jobs_created ON jobs (created_at);
