//! What gates say of a candidate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Estimate;
use crate::benchmark::spec::{GateOn, Regression};

/// What one gate says of one candidate, over all sessions or at one taxonomy node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateOutcome {
    /// The metric.
    pub metric: String,
    /// The taxonomy node that was judged; `null` for all sessions.
    #[serde(default)]
    pub node: Option<String>,
    /// The largest loss that is accepted: a number in the metric's unit, or a share of the baseline's mean such as `2 %`;
    /// `null` where only the candidate's value counts.
    pub max_regression: Option<Regression>,
    /// The least value of the candidate that is accepted.
    #[serde(default)]
    pub min_value: Option<f64>,
    /// The largest value of the candidate that is accepted.
    #[serde(default)]
    pub max_value: Option<f64>,
    /// What was held against the largest loss.
    #[serde(default)]
    pub on: GateOn,
    /// Whether less is better.
    #[serde(default)]
    pub lower_is_better: bool,
    /// The baseline's value.
    #[serde(default)]
    pub baseline: Option<f64>,
    /// The candidate's value; `null` where clicks tell only of a change.
    #[serde(default)]
    pub candidate: Option<f64>,
    /// Their difference, candidate - baseline.
    #[serde(default)]
    pub delta: Option<f64>,
    /// The interval that was judged; `null` where there is none.
    #[serde(default)]
    pub interval: Option<[f64; 2]>,
    /// Its confidence: 0.95, or more for one of several nodes, so that all of their intervals hold together with 0.95.
    #[serde(default)]
    pub confidence: Option<f64>,
    /// Two-sided p of the difference, adjusted for the number of candidates; for the number of nodes at one of all nodes.
    #[serde(default)]
    pub p: Option<f64>,
    /// The difference that is just accepted, in the metric's unit; `null` where there is no such bound.
    #[serde(default)]
    pub bound: Option<f64>,
    /// Sessions that both arms were compared on; for what was observed, the candidate's sessions.
    #[serde(default)]
    pub n: u64,
    /// Nodes that were judged beside this one, itself included; `null` where the gate is not on every node.
    #[serde(default)]
    pub nodes_judged: Option<u64>,
    /// Nodes that were left out because they have too few sessions.
    #[serde(default)]
    pub nodes_left_out: Option<u64>,
    /// Why the difference must not be acted on, whatever its size; `null` where nothing speaks against it.
    #[serde(default)]
    pub distrust: Option<String>,
    /// What clicks say, where they decide: relevance comes from them, and the measure's own test is naive. `null` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clicks: Option<GateClicks>,
    /// Whether the gate holds.
    pub state: GateState,
    /// Why, in words.
    pub reason: String,
}

/// What clicks on common support say of a gate's measure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateClicks {
    /// The change as a share of the baseline's value; `null` where no clicked item was shown and is returned by both. Where the
    /// curve of attention is assumed, the interval holds under every one that is.
    pub relative: Option<Estimate>,
    /// Two-sided p, adjusted for the number of candidates where the primary measure reads clicks too; the largest of all assumed
    /// curves, and 1 where they disagree in sign.
    pub p: Option<f64>,
    /// Sessions that it is a mean over.
    pub n: u64,
    /// Whether there are clicks on common support, and both arms are equal there in every session.
    pub identical: bool,
    /// Why nothing can be told; `null` where it can.
    pub too_little: Option<String>,
}

/// The states of a gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    /// What was measured is within every bound, or it cannot be told and the gate is set to pass then.
    Passed,
    /// What was measured is beyond a bound.
    Failed,
    /// It cannot be told whether the gate holds, and it is set to fail then.
    #[default]
    Inconclusive,
    /// It cannot be told whether the gate holds, and it is set to warn then.
    Warned,
}
