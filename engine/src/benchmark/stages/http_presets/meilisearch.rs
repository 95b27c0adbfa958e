//! Meilisearch 1.3 and later: `POST /indexes/<index>/search` (<https://www.meilisearch.com/docs/reference/api/search>).
//!
//! The key goes into `auth = { bearer-env = "..." }`. An index whose primary key is not `id` sets `parameters.id`, and
//! `ids` to match. At most the index's `maxTotalHits` (1,000 unless set) come back.

use super::super::http::{HttpDefaults, ParameterDefault, TimingUnit};

pub(super) const DEFAULTS: HttpDefaults = HttpDefaults {
    path: Some("/indexes/{{ parameters.index }}/search"),
    body: Some(BODY),
    ids: Some("$.hits[*].id"),
    scores: Some("$.hits[*]._rankingScore"),
    // Successes have no member of that name.
    error: Some("$.message"),
    timings: &[("processing", "$.processingTimeMs", TimingUnit::Milliseconds)],
    parameters: &[
        ParameterDefault { name: "index", default: None, description: "the index that is searched" },
        ParameterDefault { name: "id", default: Some("\"id\""), description: "the primary key" },
    ],
    ..HttpDefaults::GENERIC
};

const BODY: &str = r#"{
  "q": {{ query }},
  "limit": {{ depth }},
  "showRankingScore": true,
  "attributesToRetrieve": [{{ parameters.id }}]
}"#;
