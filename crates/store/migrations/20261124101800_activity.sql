-- What happened, for people. It outlives the machines it is about, so there is no foreign key.
CREATE TABLE activity (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL, -- nanoseconds since 1970, UTC
    machine TEXT,
    kind    TEXT    NOT NULL,
    message TEXT    NOT NULL
);
