//! The machine that clients wait for before they go on with a scenario.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Texts;

/// What is waited for.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = runloop::WaitForStatus)]
pub struct WaitForStatus {
    /// The states of which one is waited for.
    pub statuses: Vec<String>,
    /// How long, seconds; 10 where it is not given, 30 at most.
    #[serde(default)]
    pub timeout_seconds: Option<f64>,
}

/// A devbox: none is launched, as a search needs no machine of its own. It runs as long as its scenario run does.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = runloop::Devbox)]
pub struct DevboxView {
    /// Its identifier.
    pub id: String,
    /// `running` or `shutdown`.
    pub status: String,
    /// Nothing.
    pub capabilities: Vec<String>,
    /// When it was made, milliseconds since 1970.
    pub create_time_ms: i64,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time_ms: Option<i64>,
    /// What it was launched with: nothing.
    #[schema(value_type = Object)]
    pub launch_parameters: Value,
    /// The scenario run's metadata.
    pub metadata: Texts,
    /// The states that it went through.
    pub state_transitions: Vec<StateTransition>,
    /// `scenario`.
    pub initiator_type: String,
    /// The scenario run.
    pub initiator_id: String,
}

/// A state that a devbox came into.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = runloop::StateTransition)]
pub struct StateTransition {
    /// The state.
    pub status: String,
    /// When, milliseconds since 1970.
    pub transition_time_ms: i64,
}
