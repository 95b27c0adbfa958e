-- What retrievers answered, what users did with it, and what was asked of both. Times are milliseconds since 1970, UTC.
CREATE TABLE executions (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    namespace TEXT NOT NULL,
    retriever TEXT NOT NULL,
    -- completed | failed
    status TEXT NOT NULL,
    inputs TEXT NOT NULL,
    -- What the client filtered by, as JSON.
    filters TEXT,
    -- Documents before the first one that was returned.
    page_offset INTEGER NOT NULL,
    -- `[{"document_id", "score"}]`, best first.
    documents TEXT NOT NULL,
    statistics TEXT NOT NULL,
    error TEXT,
    created_at INTEGER NOT NULL,
    completed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX executions_by_retriever ON executions (organisation, namespace, retriever, id);

CREATE TABLE interactions (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    namespace TEXT NOT NULL,
    feature TEXT NOT NULL,
    -- Its types, sorted, as a JSON array: by them a repetition is known.
    types TEXT NOT NULL,
    position INTEGER NOT NULL,
    session TEXT,
    user TEXT,
    execution TEXT,
    retriever TEXT,
    -- As it was sent, as JSON.
    body TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX interactions_in_order ON interactions (organisation, namespace, id);
CREATE INDEX interactions_by_retriever ON interactions (organisation, namespace, retriever, id);
CREATE INDEX interactions_by_search ON interactions (organisation, namespace, coalesce(session, execution), execution, id);
CREATE INDEX interactions_repeated ON interactions (organisation, namespace, execution, feature, types);

-- A benchmark is the job of the same id: what is not said here, the job says.
CREATE TABLE retriever_benchmarks (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    namespace TEXT NOT NULL,
    -- Identifiers of the retrievers, the baseline first, as a JSON array.
    retrievers TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX retriever_benchmarks_in_order ON retriever_benchmarks (organisation, namespace, id);

CREATE TABLE evaluation_datasets (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    queries TEXT NOT NULL,
    metadata TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (organisation, namespace, name)
) STRICT;

-- An evaluation is the job of the same id.
CREATE TABLE retriever_evaluations (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    namespace TEXT NOT NULL,
    retriever TEXT NOT NULL,
    dataset TEXT NOT NULL,
    dataset_name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX retriever_evaluations_by_retriever ON retriever_evaluations (organisation, namespace, retriever, id);
