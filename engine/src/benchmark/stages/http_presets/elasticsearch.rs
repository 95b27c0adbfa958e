//! Elasticsearch 8 and 9: `POST /<index>/_search`
//! (<https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-search>).
//!
//! A `multi_match` query over `parameters.fields`, or over the index's default fields. Shards that fail, or do not
//! answer in time, make the whole request fail (`allow_partial_search_results=false`): a part of the index is not the
//! answer. `took` leaves out the queue before the search and the network. A stage that sorts by a field gets `null`
//! scores: it writes `scores = ""`.

use super::super::http::{HttpDefaults, ParameterDefault, TimingUnit};

pub(super) const DEFAULTS: HttpDefaults = HttpDefaults {
    path: Some("/{{ parameters.index }}/_search"),
    query: Some("allow_partial_search_results=false"),
    body: Some(BODY),
    ids: Some("$.hits.hits[*]._id"),
    scores: Some("$.hits.hits[*]._score"),
    error: Some("$.error.reason"),
    timings: &[("took", "$.took", TimingUnit::Milliseconds)],
    parameters: PARAMETERS,
    ..HttpDefaults::GENERIC
};

pub(super) const BODY: &str = r#"{
  "size": {{ depth }},
  "_source": false,
  "track_total_hits": false,
  "query": { "multi_match": {
    "query": {{ query }}{% if parameters.fields %},
    "fields": {{ parameters.fields }}{% endif %}
  } }
}"#;

pub(super) const PARAMETERS: &[ParameterDefault] = &[
    ParameterDefault { name: "index", default: None, description: "the index, alias or data stream that is searched" },
    ParameterDefault {
        name: "fields",
        default: Some("[]"),
        description: "the fields that are searched, such as `[\"title^3\", \"body\"]`; none: the index's default fields",
    },
];
