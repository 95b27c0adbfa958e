//! Chroma 1: `POST` to the `query` of a collection
//! (<https://docs.trychroma.com/reference/chroma-api/record/query-collection>).
//!
//! The nearest neighbours of the session's vector, by distance. The collection is named by its UUID, as the server's
//! own list of collections gives it; names are refused. Chroma reports no timings.

use super::super::http::{HttpDefaults, ParameterDefault, ScoreDirection};

pub(super) const DEFAULTS: HttpDefaults = HttpDefaults {
    path: Some(
        "/api/v2/tenants/{{ parameters.tenant }}/databases/{{ parameters.database }}/collections/{{ parameters.collection }}/query",
    ),
    body: Some(BODY),
    // One list for each query vector, of which there is one.
    ids: Some("$.ids[0][*]"),
    scores: Some("$.distances[0][*]"),
    score_direction: ScoreDirection::Lower,
    // Successes have no member of that name.
    error: Some("$.message"),
    parameters: &[
        ParameterDefault {
            name: "collection",
            default: None,
            description: "the UUID of the collection that is searched",
        },
        ParameterDefault { name: "tenant", default: Some("\"default_tenant\""), description: "the tenant" },
        ParameterDefault { name: "database", default: Some("\"default_database\""), description: "the database" },
    ],
    ..HttpDefaults::GENERIC
};

const BODY: &str = r#"{
  "query_embeddings": [{{ vector }}],
  "n_results": {{ depth }},
  "include": ["distances"]
}"#;
