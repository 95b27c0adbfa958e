//! The `http` stage, as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::AuthSpec;
use crate::benchmark::PolicySpec;

/// A search endpoint that is asked over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpSpec {
    /// The search engine whose requests and answers are known; `generic`, where it is not given, knows nothing.
    #[serde(default)]
    pub preset: Preset,
    /// Template of the URL, `http` or `https`; values in it are percent-encoded. A preset adds the path and the query
    /// string where the URL has none.
    pub url: String,
    /// The method; the preset's where it is not given, or else `POST` with a body and `GET` without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Headers; they add to the preset's. Secrets belong into `auth`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Credentials, by the names of the environment variables that hold them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthSpec>,
    /// Template of the body; the preset's where it is not given. In a JSON body each `{{ value }}` prints as JSON, strings
    /// with their quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body's media type; the preset's where it is not given, or else `application/json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// JSONPath of the item ids, best first; the preset's where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<String>,
    /// JSONPath of the scores, one for each id; the preset's where it is not given. Empty text: the hits have no scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<String>,
    /// Whether higher or lower scores are better; the preset's where it is not given, or else `higher`. Scores of which
    /// lower ones are better are recorded with their sign changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_direction: Option<ScoreDirection>,
    /// What an answer without the list that `ids` walks over means; the preset's where it is not given, or else `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent_hits: Option<AbsentHits>,
    /// JSONPath that finds something only in answers that are errors, whatever their status; the preset's where it is not
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Timings that the server reports in its answer, by name; they add to the preset's. A `Server-Timing` header is always
    /// read, and comes first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timings: BTreeMap<String, TimingSpec>,
    /// Values for the templates, as `parameters.<name>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Value>,
    /// A PEM file of certificate authorities that are trusted besides those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<String>,
    /// How this endpoint is asked, where that is not as the retriever says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicySpec>,
}

/// A search engine whose requests and answers are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Elasticsearch, `_search`.
    Elasticsearch,
    /// OpenSearch, `_search`.
    Opensearch,
    /// Apache Solr, `select`.
    Solr,
    /// Vespa, `/search/`.
    Vespa,
    /// Qdrant, `points/query`.
    Qdrant,
    /// Weaviate, GraphQL `Get`.
    Weaviate,
    /// Typesense, `documents/search`.
    Typesense,
    /// Meilisearch, `search`.
    Meilisearch,
    /// Chroma, `query` of a collection.
    Chroma,
    /// Datasette over an SQLite FTS5 table.
    Datasette,
    /// Groonga, `select`.
    Groonga,
    /// Anserini's REST server over Lucene.
    Anserini,
    /// Any other endpoint.
    #[default]
    Generic,
}

/// Which scores are better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScoreDirection {
    /// Higher ones: similarities.
    #[default]
    Higher,
    /// Lower ones: distances, and SQLite's `bm25()`.
    Lower,
}

/// What an answer without the list of hits means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AbsentHits {
    /// The answer is not what the paths were written for.
    #[default]
    Error,
    /// Nothing was found.
    Empty,
}

/// A timing in the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TimingSpec {
    /// JSONPath of the number.
    pub path: String,
    /// The number's unit.
    pub unit: TimingUnit,
}

/// The unit of a timing in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TimingUnit {
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanoseconds,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
}
