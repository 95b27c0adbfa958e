//! Weaviate 1.17 and later, while it serves GraphQL: `POST /v1/graphql`
//! (<https://docs.weaviate.io/weaviate/api/graphql/search-operators>).
//!
//! A `bm25` search. Scores come as texts, and errors with the status of a success (`errors`, as GraphQL has it). A
//! search by vector writes a body of its own with `nearVector`, asks for `_additional { id distance }`, and has
//! `score-direction = "lower"`. Weaviate reports no timings.

use super::super::http::{HttpDefaults, ParameterDefault};

pub(super) const DEFAULTS: HttpDefaults = HttpDefaults {
    path: Some("/v1/graphql"),
    body: Some(BODY),
    ids: Some("$.data.Get[*][*]._additional.id"),
    scores: Some("$.data.Get[*][*]._additional.score"),
    error: Some("$.errors[*].message"),
    parameters: &[
        ParameterDefault { name: "class", default: None, description: "the collection (class) that is searched" },
        ParameterDefault {
            name: "properties",
            default: Some("[]"),
            description: "the properties that are searched, such as `[\"title^2\", \"body\"]`; none: all texts",
        },
    ],
    ..HttpDefaults::GENERIC
};

// A text of GraphQL is written like one of JSON, and the whole query is a text of the body.
const BODY: &str = r#"{ "query": {{ "{ Get { " ~ parameters.class ~ "(limit: " ~ depth ~ ", bm25: { query: " ~ (query | tojson)
  ~ (", properties: " ~ (parameters.properties | tojson) if parameters.properties else "")
  ~ " }) { _additional { id score } } } }" }} }"#;
