//! The stages of a retriever: each kind as it is written, as it will be done, and the way from one to the other.
//!
//! One file per kind or family: `...Spec` is what stands in the file, `...Plan` has every default filled in, `resolve` turns
//! one into the other and tells mistakes with their place.

mod bm25;
mod fuse;
mod plan;
mod reading;
mod recorded;
mod spec;

pub use bm25::{Bm25Plan, Bm25Spec, CombineFields};
pub use fuse::{BranchPlan, BranchSpec, FuseMethod, FusePlan, FuseSpec, Normalise};
pub(in crate::benchmark) use plan::stages;
pub use plan::{StageKind, StagePlan, Used};
pub use recorded::{Missing, RecordedPlan, RecordedSpec};
pub use spec::{OnStageError, ShownSpec, StageKindSpec, StageSpec};
