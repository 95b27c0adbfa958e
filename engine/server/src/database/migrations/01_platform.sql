-- Times are milliseconds since 1970, UTC.
CREATE TABLE organisations (
    id TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    -- HMAC-SHA-256 under the key beside the database; the token itself is nowhere.
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    kind TEXT NOT NULL,
    request TEXT NOT NULL,
    -- queued | running | completed | failed | cancelled
    state TEXT NOT NULL,
    -- While it runs: the engine's state.
    phase TEXT NOT NULL,
    cancelling INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    -- When its last attempt was begun: whose turn was longest ago is next.
    begun_at INTEGER,
    ended_at INTEGER,
    failure TEXT,
    outcome TEXT,
    -- What lies in its folder, measured when it ended.
    bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX jobs_by_state ON jobs (state, organisation, id);
CREATE INDEX jobs_by_turn ON jobs (organisation, begun_at);
CREATE INDEX jobs_by_age ON jobs (organisation, id);
CREATE INDEX jobs_by_organisation ON jobs (organisation, kind, id);

CREATE TABLE job_events (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (job, sequence)
) STRICT, WITHOUT ROWID;
