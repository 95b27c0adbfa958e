//! Anserini's REST server 1.7 over Lucene 10: `GET /v1/<index>/search`
//! (<https://github.com/castorini/anserini/blob/master/src/main/resources/rest/openapi.yaml>).
//!
//! BM25 with the server's settings. The index is a path on the server: never let strangers choose it. Anserini reports
//! no timings.

use super::super::http::{HttpDefaults, ParameterDefault};

pub(super) const DEFAULTS: HttpDefaults = HttpDefaults {
    method: Some("GET"),
    path: Some("/v1/{{ parameters.index }}/search"),
    query: Some("query={{ query }}&hits={{ depth }}"),
    ids: Some("$.candidates[*].docid"),
    scores: Some("$.candidates[*].score"),
    error: Some("$.error"),
    parameters: &[ParameterDefault { name: "index", default: None, description: "the index that is searched" }],
    ..HttpDefaults::GENERIC
};
