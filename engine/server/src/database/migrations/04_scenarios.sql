-- Scenarios, benchmarks of them, and runs. Bodies are the definitions as they are shown.
CREATE TABLE scenarios (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    name TEXT NOT NULL,
    validation_type TEXT NOT NULL,
    is_public INTEGER NOT NULL,
    archived INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX scenarios_by_organisation ON scenarios (organisation, id);

CREATE TABLE scenario_benchmarks (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    name TEXT NOT NULL,
    is_public INTEGER NOT NULL,
    archived INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX scenario_benchmarks_by_organisation ON scenario_benchmarks (organisation, id);

CREATE TABLE scenario_scorers (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    type TEXT NOT NULL,
    bash_script TEXT NOT NULL
) STRICT;
CREATE INDEX scenario_scorers_by_organisation ON scenario_scorers (organisation, id);
CREATE INDEX scenario_scorers_by_type ON scenario_scorers (organisation, type, id);

CREATE TABLE scenario_benchmark_runs (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    -- None where a job runs scenarios of its own choice.
    benchmark TEXT,
    name TEXT,
    metadata TEXT NOT NULL,
    environment TEXT NOT NULL,
    secrets TEXT NOT NULL,
    purpose TEXT,
    -- The scenarios of the benchmark when the run began, a JSON list.
    scenarios TEXT NOT NULL,
    -- running | completed | canceled; what is shown is in the view below.
    state TEXT NOT NULL,
    -- The job that drives it; none where a client does.
    job TEXT,
    started_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE INDEX scenario_benchmark_runs_by_organisation ON scenario_benchmark_runs (organisation, id);
CREATE INDEX scenario_benchmark_runs_by_job ON scenario_benchmark_runs (job) WHERE job IS NOT NULL;

CREATE TABLE scenario_runs (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    devbox TEXT NOT NULL UNIQUE,
    scenario TEXT NOT NULL,
    benchmark_run TEXT,
    name TEXT,
    metadata TEXT NOT NULL,
    environment TEXT NOT NULL,
    secrets TEXT NOT NULL,
    purpose TEXT,
    -- Who answers; none where the run brings its own ranking, which then stands in hits.
    retriever TEXT,
    hits TEXT,
    -- running | scoring | scored | completed | canceled | timeout | failed; what is shown is in the view below.
    state TEXT NOT NULL,
    -- The job that scores it.
    job TEXT,
    score REAL,
    result TEXT,
    log TEXT,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    -- When a run that nobody scored ends by itself.
    deadline_at INTEGER NOT NULL
) STRICT;
CREATE INDEX scenario_runs_by_organisation ON scenario_runs (organisation, id);
CREATE INDEX scenario_runs_by_benchmark_run ON scenario_runs (benchmark_run, id) WHERE benchmark_run IS NOT NULL;
CREATE INDEX scenario_runs_by_scenario ON scenario_runs (organisation, scenario, id);

-- A run as it stands: how its job ended decides where nothing was written down.
CREATE VIEW scenario_runs_shown AS
SELECT
    run.*,
    CASE
        WHEN run.state = 'running' AND run.job IS NULL AND run.deadline_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER)
            THEN 'timeout'
        WHEN run.state NOT IN ('running', 'scoring') OR run.job IS NULL THEN run.state
        WHEN job.state = 'failed' AND json_extract(job.failure, '$.code') = 'timeout' THEN 'timeout'
        WHEN job.state = 'cancelled' THEN 'canceled'
        WHEN job.state IN ('queued', 'running') THEN run.state
        ELSE 'failed'
    END AS shown,
    coalesce(
        run.ended_at,
        job.ended_at,
        CASE WHEN run.job IS NULL AND run.deadline_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) THEN run.deadline_at END
    ) AS shown_end,
    job.failure AS failure
FROM scenario_runs AS run
LEFT JOIN jobs AS job ON job.id = run.job;

-- A run that is complete while one of its scenarios is being scored is shown as running until it is scored.
CREATE VIEW scenario_benchmark_runs_shown AS
SELECT
    run.*,
    CASE
        WHEN run.state = 'running' AND job.state = 'failed' THEN 'failed'
        WHEN run.state = 'running' AND job.state = 'cancelled' THEN 'canceled'
        WHEN run.state = 'completed' AND EXISTS (
            SELECT 1 FROM scenario_runs_shown AS part WHERE part.benchmark_run = run.id AND part.shown = 'scoring'
        ) THEN 'running'
        ELSE run.state
    END AS shown,
    coalesce(run.ended_at, job.ended_at) AS shown_end,
    -- Of the scenario runs with a score.
    (
        SELECT avg(part.score) FROM scenario_runs AS part
        WHERE part.benchmark_run = run.id AND part.state IN ('scored', 'completed')
    ) AS mean,
    -- The same sum, over all scenario runs that are not canceled; none where none has a score.
    (
        SELECT sum(part.score) FILTER (WHERE part.state IN ('scored', 'completed')) / count(*)
        FROM scenario_runs_shown AS part WHERE part.benchmark_run = run.id AND part.shown <> 'canceled'
    ) AS score,
    -- Those of them that ended without a score.
    (
        SELECT count(*) FROM scenario_runs_shown AS part
        WHERE part.benchmark_run = run.id
            AND (part.shown IN ('failed', 'timeout') OR (part.shown = 'completed' AND part.score IS NULL))
    ) AS unscored
FROM scenario_benchmark_runs AS run
LEFT JOIN jobs AS job ON job.id = run.job;

-- A job's row in `jobs` has the same identifier.
CREATE TABLE scenario_jobs (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX scenario_jobs_by_organisation ON scenario_jobs (organisation, id);

-- Answers that were given, so that a request that is sent again is answered again and not done again.
CREATE TABLE idempotency_keys (
    organisation TEXT NOT NULL,
    key TEXT NOT NULL,
    -- What was asked: SHA-256 of method, path and body.
    fingerprint TEXT NOT NULL,
    answer TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
