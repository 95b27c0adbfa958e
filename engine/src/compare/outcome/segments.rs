//! Where in the taxonomy the difference comes from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the segments, the top-level nodes of the taxonomy, make of the primary measure's difference. How much of it each
/// contributes stands with the node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Segments {
    /// Top-level nodes with enough pairs to be tested.
    pub tested: u64,
    /// Those of them whose mean difference has the sign of the whole.
    pub agree: u64,
    /// Those of them whose mean difference has the other sign.
    pub disagree: u64,
    /// Mean of the tested segments' mean differences, each counted once however many sessions it has.
    pub mean_of_segments: Option<f64>,
    /// Sessions under more than one segment: they are part of each one's contribution.
    pub sessions_in_several: u64,
    /// Sessions under none: they are part of no contribution.
    pub sessions_in_none: u64,
    /// What a reader must know before taking the whole for its parts.
    pub cautions: Vec<String>,
}
