//! Apache Solr 8 and 9: `POST /solr/<collection>/select` with a JSON query
//! (<https://solr.apache.org/guide/solr/latest/query-guide/json-query-dsl.html>).
//!
//! The query is an `edismax` query over `parameters.fields`, or over the handler's own. The session's text is a value
//! of the query parser, never local parameters. A collection whose unique key is not `id` sets `parameters.id`, and
//! `ids` to match.

use super::super::http::{HttpDefaults, ParameterDefault, TimingUnit};

pub(super) const DEFAULTS: HttpDefaults = HttpDefaults {
    path: Some("/solr/{{ parameters.collection }}/select"),
    body: Some(BODY),
    ids: Some("$.response.docs[*].id"),
    scores: Some("$.response.docs[*].score"),
    error: Some("$.error.msg"),
    timings: &[("query", "$.responseHeader.QTime", TimingUnit::Milliseconds)],
    parameters: &[
        ParameterDefault { name: "collection", default: None, description: "the collection or core that is searched" },
        ParameterDefault {
            name: "fields",
            default: Some("[]"),
            description: "the fields that are searched (`qf`), such as `[\"title^3\", \"body\"]`; none: the handler's own",
        },
        ParameterDefault { name: "id", default: Some("\"id\""), description: "the unique key" },
    ],
    ..HttpDefaults::GENERIC
};

const BODY: &str = r#"{
  "query": { "edismax": {
    "query": {{ query }}{% if parameters.fields %},
    "qf": {{ parameters.fields | join(" ") }}{% endif %}
  } },
  "limit": {{ depth }},
  "fields": [{{ parameters.id }}, "score"]
}"#;
