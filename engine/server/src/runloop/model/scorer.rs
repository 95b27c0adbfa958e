//! Registered scorers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ScenarioEnvironment, ScoringFunctionResult};
use crate::platform::extract::object;

/// A scorer to register or to change.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::NewScorer)]
pub struct NewScorer {
    /// The name by which contracts refer to it. Without a script, it names a component, `name` or `name@version`, or a metric,
    /// `metric:nDCG@10`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A script that reads `$RL_SCORER_CONTEXT`, JSON, and prints `score=` and a number from 0 to 1; empty for a component.
    #[serde(default)]
    pub bash_script: String,
}

/// A registered scorer.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::RegisteredScorer)]
pub struct ScorerView {
    /// Its identifier.
    pub id: String,
    /// The name by which contracts refer to it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its script; empty for a component.
    pub bash_script: String,
}

/// A page of scorers, the newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = runloop::ScorerList)]
pub struct ScorerList {
    /// The scorers.
    pub scorers: Vec<ScorerView>,
    /// Whether there are more after them.
    pub has_more: bool,
    /// All that match, on whatever page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_count: Option<u64>,
    /// Those after this page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_count: Option<u64>,
}

/// What a scorer is tried on.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::Validation)]
pub struct Validation {
    /// Any JSON: the script's context. For a component, an object with the fields of a session, `query`, `hits` and
    /// `scorer_params`.
    pub scoring_context: Value,
    /// Where it would run.
    #[serde(default, deserialize_with = "object")]
    pub environment_parameters: Option<ScenarioEnvironment>,
}

/// What a scorer made of it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::Validated)]
pub struct Validated {
    /// The scorer's type.
    pub name: String,
    /// What it was tried on.
    pub scoring_context: Value,
    /// What it came to.
    pub scoring_result: ScoringFunctionResult,
    /// Where it would run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_parameters: Option<ScenarioEnvironment>,
}
