//! Benchmarks: scenarios that are run together.

use serde::{Deserialize, Serialize};

use super::Texts;

/// A benchmark to make.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::NewBenchmark)]
pub struct NewBenchmark {
    /// Its name, not empty.
    pub name: String,
    /// Its scenarios, in order; one that is named twice counts once.
    #[serde(default)]
    pub scenario_ids: Option<Vec<String>>,
    /// Whatever the user wishes to keep with it; `retriever_id` names who answers where a run does not say.
    #[serde(default)]
    pub metadata: Option<Texts>,
    /// What it is about.
    #[serde(default)]
    pub description: Option<String>,
    /// Whose work it is.
    #[serde(default)]
    pub attribution: Option<String>,
    /// Environment variables without which no run begins.
    #[serde(default)]
    pub required_environment_variables: Option<Vec<String>>,
    /// Secrets without which no run begins.
    #[serde(default)]
    pub required_secret_names: Option<Vec<String>>,
    /// Lists it among the organisation's public ones.
    #[serde(default)]
    pub is_public: Option<bool>,
}

/// Changes of a benchmark: what is absent or null stays, what is there replaces.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::BenchmarkChange)]
pub struct BenchmarkChange {
    /// The name.
    #[serde(default)]
    pub name: Option<String>,
    /// The scenarios.
    #[serde(default)]
    pub scenario_ids: Option<Vec<String>>,
    /// The metadata.
    #[serde(default)]
    pub metadata: Option<Texts>,
    /// What it is about; an empty text clears it.
    #[serde(default)]
    pub description: Option<String>,
    /// Whose work it is; an empty text clears it.
    #[serde(default)]
    pub attribution: Option<String>,
    /// Environment variables without which no run begins.
    #[serde(default)]
    pub required_environment_variables: Option<Vec<String>>,
    /// Secrets without which no run begins.
    #[serde(default)]
    pub required_secret_names: Option<Vec<String>>,
    /// Whether it is listed among the public ones.
    #[serde(default)]
    pub is_public: Option<bool>,
}

/// Scenarios that join or leave a benchmark. Those that join come last; removals come first.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::MembersChange)]
pub struct MembersChange {
    /// Scenarios to add.
    #[serde(default)]
    pub scenarios_to_add: Option<Vec<String>>,
    /// Scenarios to remove; those that are not in it are passed over.
    #[serde(default)]
    pub scenarios_to_remove: Option<Vec<String>>,
}

/// A benchmark.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::Benchmark)]
pub struct BenchmarkView {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its scenarios, in order.
    #[serde(rename = "scenarioIds")]
    pub scenario_ids: Vec<String>,
    /// Whatever the user keeps with it.
    pub metadata: Texts,
    /// `active` or `archived`.
    pub status: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whose work it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<String>,
    /// Whether it is listed among the public ones.
    pub is_public: bool,
    /// Environment variables without which no run begins.
    pub required_environment_variables: Vec<String>,
    /// Secrets without which no run begins.
    pub required_secret_names: Vec<String>,
}

/// A page of benchmarks, the newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = runloop::BenchmarkList)]
pub struct BenchmarkList {
    /// The benchmarks.
    pub benchmarks: Vec<BenchmarkView>,
    /// Whether there are more after them.
    pub has_more: bool,
    /// All that match, on whatever page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_count: Option<u64>,
    /// Those after this page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_count: Option<u64>,
}
