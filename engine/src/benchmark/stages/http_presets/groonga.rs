//! Groonga 13: `GET /d/select` (<https://groonga.org/docs/reference/commands/select.html>), command version 3.
//!
//! Any of the query's words may match; each is quoted, so that none is an operator, and a query without words finds
//! nothing (Groonga's own answer to it would be the whole table). Hits are rows, so the paths go by the order of
//! `output_columns`. Errors have a `return_code` below 0, and may come with the status of a success. Without a scorer
//! in `parameters.match_columns` the score counts occurrences.

use super::super::http::{HttpDefaults, ParameterDefault, TimingUnit};

pub(super) const DEFAULTS: HttpDefaults = HttpDefaults {
    method: Some("GET"),
    path: Some("/d/select"),
    query: Some(QUERY),
    ids: Some("$.body.records[*][0]"),
    scores: Some("$.body.records[*][1]"),
    error: Some("$.header.error.message"),
    timings: &[("select", "$.header.elapsed_time", TimingUnit::Seconds)],
    parameters: &[
        ParameterDefault { name: "table", default: None, description: "the table that is searched" },
        ParameterDefault {
            name: "match_columns",
            default: None,
            description: "the columns that are searched, such as `scorer_tf_idf(title) * 3 || scorer_tf_idf(body)`",
        },
        ParameterDefault { name: "id", default: Some("\"_key\""), description: "the table's column of item ids" },
    ],
    ..HttpDefaults::GENERIC
};

const QUERY: &str = concat!(
    "command_version=3&table={{ parameters.table }}&match_columns={{ parameters.match_columns }}",
    r#"&query={{ '"' ~ (query | replace('\\', '\\\\') | replace('"', '\\"') | split | join('" OR "')) ~ '"' }}"#,
    "&output_columns={{ parameters.id }},_score&sort_keys=-_score,{{ parameters.id }}&limit={{ depth }}",
);
