//! The `http` stage: [`HttpSpec`] is what was written, [`HttpPlan`] is the request that will be sent and where its answer
//! lies, with the preset's [`HttpDefaults`] filled in.
//!
//! Not for: sending anything.

mod auth;
mod defaults;
mod plan;
mod resolve;
mod spec;
mod target;

pub use auth::{AuthPlan, AuthSpec, UserPlan};
pub use defaults::{HttpDefaults, ParameterDefault};
pub use plan::{HttpPlan, TimingPlan};
pub(in crate::benchmark) use resolve::resolve;
pub use spec::{AbsentHits, HttpSpec, Preset, ScoreDirection, TimingSpec, TimingUnit};
