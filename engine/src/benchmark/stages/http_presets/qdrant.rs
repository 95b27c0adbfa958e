//! Qdrant 1.10 and later: `POST /collections/<collection>/points/query`
//! (<https://api.qdrant.tech/api-reference/search/query-points>).
//!
//! The nearest neighbours of the session's vector. Ids are numbers or UUIDs. Scores are similarities for collections
//! with the distance `Cosine` or `Dot`; for `Euclid` and `Manhattan` the stage writes `score-direction = "lower"`.

use super::super::http::{HttpDefaults, ParameterDefault, TimingUnit};

pub(super) const DEFAULTS: HttpDefaults = HttpDefaults {
    path: Some("/collections/{{ parameters.collection }}/points/query"),
    body: Some(BODY),
    ids: Some("$.result.points[*].id"),
    scores: Some("$.result.points[*].score"),
    error: Some("$.status.error"),
    timings: &[("query", "$.time", TimingUnit::Seconds)],
    parameters: &[
        ParameterDefault { name: "collection", default: None, description: "the collection that is searched" },
        ParameterDefault {
            name: "using",
            default: Some("\"\""),
            description: "the name of the vector, where points have several",
        },
        ParameterDefault {
            name: "params",
            default: Some("{}"),
            description: "how the index is searched, such as `{ hnsw_ef = 128 }` or `{ exact = true }`",
        },
    ],
    ..HttpDefaults::GENERIC
};

const BODY: &str = r#"{
  "query": {{ vector }},
  "limit": {{ depth }},
  "with_payload": false{% if parameters.using %},
  "using": {{ parameters.using }}{% endif %}{% if parameters.params %},
  "params": {{ parameters.params }}{% endif %}
}"#;
