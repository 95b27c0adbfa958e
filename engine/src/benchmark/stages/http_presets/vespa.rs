//! Vespa 8: `POST /search/` (<https://docs.vespa.ai/en/reference/query-api-reference.html>,
//! <https://docs.vespa.ai/en/reference/default-result-format.html>).
//!
//! The ids are Vespa's document ids (`id:<namespace>:<type>::<key>`). Where sessions know items by a field instead, the
//! stage writes `ids = "$.root.children[*].fields.<field>"`. Soft timeouts are off, so that a search which runs out of
//! time is an error and no part of an answer. An answer without hits has no list of them. More than 400 hits need the
//! query profile's `maxHits`.

use super::super::http::{AbsentHits, HttpDefaults, ParameterDefault, TimingUnit};

pub(super) const DEFAULTS: HttpDefaults = HttpDefaults {
    path: Some("/search/"),
    body: Some(BODY),
    ids: Some("$.root.children[*].id"),
    scores: Some("$.root.children[*].relevance"),
    absent_hits: AbsentHits::Empty,
    error: Some("$.root.errors[*].summary"),
    timings: &[
        ("query", "$.timing.querytime", TimingUnit::Seconds),
        ("summary-fetch", "$.timing.summaryfetchtime", TimingUnit::Seconds),
        ("search", "$.timing.searchtime", TimingUnit::Seconds),
    ],
    parameters: &[
        ParameterDefault {
            name: "schema",
            default: Some("\"sources *\""),
            description: "the schema that is searched; `sources *` for all",
        },
        ParameterDefault { name: "ranking", default: Some("\"default\""), description: "the rank profile" },
        ParameterDefault {
            name: "type",
            default: Some("\"weakAnd\""),
            description: "how the query's words are matched: `weakAnd`, `any` or `all`",
        },
    ],
    ..HttpDefaults::GENERIC
};

const BODY: &str = r#"{
  "yql": {{ "select * from " ~ parameters.schema ~ " where userQuery()" }},
  "query": {{ query }},
  "type": {{ parameters.type }},
  "hits": {{ depth }},
  "ranking": {{ parameters.ranking }},
  "ranking.softtimeout.enable": false,
  "presentation.timing": true
}"#;
