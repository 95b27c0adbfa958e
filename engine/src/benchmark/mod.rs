//! The benchmark file: [`BenchmarkSpec`] is what was written, [`Plan`] is what will happen.
//!
//! [`spec`] holds the serde types whose shape is the contract of [`json_schema`]; [`SpecSource`] reads TOML or YAML and
//! turns every mistake into a [`Diagnostic`] that names file, line and column; [`Plan::resolve`] fills in defaults and
//! checks references.
//!
//! Not for: reading the sessions or the corpora; [`Plan::check_inputs`] only looks whether they are there.

mod borrowed;
mod cluster;
mod confined;
mod diagnostic;
pub(crate) mod exposure;
mod gate;
mod inputs;
mod lists;
mod overrides;
mod parse;
mod plan;
mod plugin_reference;
mod policy;
mod resolve;
mod resolve_plugin;
mod resolve_retrievers;
mod resolve_scorers;
mod scorer_spec;
mod shortest;
pub mod spec;
pub mod stages;
pub mod statistics;

pub use borrowed::{BorrowedPipeline, BorrowedPlan, BorrowedRun};
pub use cluster::{ClusterAddress, ClusterAddressError};
pub use confined::{OutsideError, check_below};
pub use diagnostic::{Diagnostic, KeyPath};
pub use exposure::{ExposurePlan, ExposureSpec, Propensity};
pub use gate::{GateNodes, GatePlan, Observed};
pub use lists::ListsPlan;
pub use parse::{SpecSource, json_schema};
pub use plan::{
    CorpusPlan, ItemsPlan, Limits, PipelinePlan, Plan, PluginPlan, RelevancePlan, SamplePlan, ScorerPlan, ScorerSource,
    Written,
};
pub use plugin_reference::{PluginReference, PluginReferenceError};
pub use policy::{Arrival, ByteSize, PolicyPlan, PolicySpec, TimeSpan};
pub use spec::BenchmarkSpec;
pub use stages::{HitOrder, RecordedColumns};
pub use statistics::StatisticsPlan;
