//! Typesense 26 and later: `GET /collections/<collection>/documents/search`
//! (<https://typesense.org/docs/latest/api/search.html>).
//!
//! The key goes into `auth = { header = "X-TYPESENSE-API-KEY", value-env = "..." }`. A page has at most 250 hits, so a
//! larger `depth` is refused. `text_match` packs several criteria into a large integer, whose last digits a score does
//! not keep; the order is the server's. A search by vector writes a URL and paths of its own (`vector_distance`, lower
//! is better).

use super::super::http::{HttpDefaults, ParameterDefault, TimingUnit};

pub(super) const DEFAULTS: HttpDefaults = HttpDefaults {
    method: Some("GET"),
    path: Some("/collections/{{ parameters.collection }}/documents/search"),
    query: Some("q={{ query }}&query_by={{ parameters.fields | join(',') }}&per_page={{ depth }}&include_fields=id"),
    ids: Some("$.hits[*].document.id"),
    scores: Some("$.hits[*].text_match"),
    // Successes have no member of that name.
    error: Some("$.message"),
    timings: &[("search", "$.search_time_ms", TimingUnit::Milliseconds)],
    parameters: &[
        ParameterDefault { name: "collection", default: None, description: "the collection that is searched" },
        ParameterDefault {
            name: "fields",
            default: None,
            description: "the fields that are searched (`query_by`), such as `[\"title\", \"body\"]`",
        },
    ],
    ..HttpDefaults::GENERIC
};
