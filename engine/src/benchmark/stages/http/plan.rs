//! The `http` stage, resolved.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AbsentHits, AuthPlan, Preset, ScoreDirection, TimingUnit};
use crate::benchmark::PolicyPlan;

/// A search endpoint: the request that asks it, and where the answer holds what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpPlan {
    /// The search engine.
    pub preset: Preset,
    /// Template of the whole URL, without credentials.
    pub url: String,
    /// The method, in capitals.
    pub method: String,
    /// Headers by their names in small letters, without those of the body and the credentials.
    pub headers: BTreeMap<String, String>,
    /// The credentials.
    pub auth: AuthPlan,
    /// Template of the body; `None` for a request without one.
    pub body: Option<String>,
    /// The body's media type.
    pub content_type: String,
    /// JSONPath of the item ids.
    pub ids: String,
    /// JSONPath of the scores; `None` for hits without scores.
    pub scores: Option<String>,
    /// Which scores are better.
    pub score_direction: ScoreDirection,
    /// What an answer without the list of hits means.
    pub absent_hits: AbsentHits,
    /// JSONPath of the error in an answer; `None` where the status says it all.
    pub error: Option<String>,
    /// Timings in the answer, by name.
    pub timings: BTreeMap<String, TimingPlan>,
    /// Values for the templates.
    pub parameters: BTreeMap<String, Value>,
    /// A PEM file of certificate authorities that are trusted besides those of the system.
    pub certificate_authority: Option<PathBuf>,
    /// How the endpoint is asked.
    pub policy: PolicyPlan,
}

/// A timing in the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TimingPlan {
    /// JSONPath of the number. No `path`, which the plan's files have.
    #[serde(rename = "json-path")]
    pub path: String,
    /// The number's unit.
    pub unit: TimingUnit,
}
