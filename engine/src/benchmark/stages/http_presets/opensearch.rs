//! OpenSearch 2 and 3: `POST /<index>/_search`
//! (<https://docs.opensearch.org/latest/api-reference/search-apis/search/>).
//!
//! As for Elasticsearch, and from 2.12 on the time of the query and fetch phases (`phase_took`), which earlier versions
//! refuse: there the stage writes a URL with a query string of its own.

use super::super::http::{HttpDefaults, TimingUnit};
use super::elasticsearch;

pub(super) const DEFAULTS: HttpDefaults = HttpDefaults {
    query: Some("allow_partial_search_results=false&phase_took=true"),
    timings: &[
        ("took", "$.took", TimingUnit::Milliseconds),
        ("query", "$.phase_took.query", TimingUnit::Milliseconds),
        ("fetch", "$.phase_took.fetch", TimingUnit::Milliseconds),
    ],
    ..elasticsearch::DEFAULTS
};
