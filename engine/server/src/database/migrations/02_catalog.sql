-- What organisations bring: files, what is in them, and retrievers.
CREATE TABLE files (
    organisation TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    -- What a look into it found, as JSON.
    found TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, name)
) STRICT;

-- A corpus: the body is its section of a benchmark file, its `path` the name of a file above.
CREATE TABLE corpora (
    organisation TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, name)
) STRICT;

-- A benchmark that was kept under a name: the body is what is posted to run it.
CREATE TABLE specs (
    organisation TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    summary TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, name)
) STRICT;

CREATE TABLE components (
    organisation TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    found TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, name, version)
) STRICT;

CREATE TABLE retrievers (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    -- As its API family wrote it.
    body TEXT NOT NULL,
    -- Its section of a benchmark file: `{"id", "name", "stages": [...]}`.
    section TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX retrievers_by_organisation ON retrievers (organisation, namespace, id);

-- What was submitted under an `Idempotency-Key`: the same request again is the same job.
CREATE TABLE submissions (
    organisation TEXT NOT NULL,
    key TEXT NOT NULL,
    -- Of the request's body, in hexadecimal digits.
    sha256 TEXT NOT NULL,
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (organisation, key)
) STRICT;
CREATE INDEX submissions_by_job ON submissions (job);
