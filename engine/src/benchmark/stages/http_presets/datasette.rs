//! Datasette 0.65 over an SQLite FTS5 table: `GET /<database>.json?sql=...`
//! (<https://docs.datasette.io/en/stable/json_api.html>, <https://www.sqlite.org/fts5.html>).
//!
//! Any of the query's words may match; each is quoted, so that none is an operator. SQLite's `bm25()` is negative, and
//! lower is better; ties are broken by id. Datasette returns at most `max_returned_rows` (1,000 unless set).

use super::super::http::{HttpDefaults, ParameterDefault, ScoreDirection, TimingUnit};

pub(super) const DEFAULTS: HttpDefaults = HttpDefaults {
    method: Some("GET"),
    path: Some("/{{ parameters.database }}.json"),
    query: Some(QUERY),
    ids: Some("$.rows[*].id"),
    scores: Some("$.rows[*].score"),
    score_direction: ScoreDirection::Lower,
    error: Some("$.error"),
    timings: &[("query", "$.query_ms", TimingUnit::Milliseconds)],
    parameters: &[
        ParameterDefault { name: "database", default: None, description: "the database, as it stands in URLs" },
        ParameterDefault { name: "table", default: None, description: "the FTS5 table that is searched" },
        ParameterDefault { name: "id", default: Some("\"id\""), description: "the table's column of item ids" },
        ParameterDefault {
            name: "weights",
            default: Some("[]"),
            description: "the weight of each column, in the table's order (that of an unindexed column counts too); none: 1 \
                          each",
        },
    ],
    ..HttpDefaults::GENERIC
};

// Names stand in brackets: between double quotes SQLite takes a column that is not there for a text.
const QUERY: &str = concat!(
    "_shape=objects",
    r#"&q={{ '"' ~ (query | replace('"', '""') | split | join('" OR "')) ~ '"' }}"#,
    "&n={{ depth }}",
    "&sql={{ 'select [' ~ parameters.id ~ '] as id, bm25([' ~ parameters.table ~ ']'",
    " ~ (', ' ~ (parameters.weights | join(', ')) if parameters.weights else '')",
    " ~ ') as score from [' ~ parameters.table ~ '] where [' ~ parameters.table ~ '] match :q",
    " order by score, id limit :n' }}",
);
