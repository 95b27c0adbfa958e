//! The stages of a retriever: each kind as it is written, as it will be done, and the way from one to the other.
//!
//! One file per kind or family: `...Spec` is what stands in the file, `...Plan` has every default filled in, `resolve` turns
//! one into the other and tells mistakes with their place.

mod bm25;
#[cfg(test)]
mod data_tests;
mod fuse;
pub mod http;
pub mod http_presets;
mod plan;
mod plugin;
mod postgres;
mod query_text;
mod reading;
mod recorded;
mod spec;
mod sql;
mod transforms;
mod vector;

pub use bm25::{Bm25Plan, Bm25Spec, CombineFields};
pub use fuse::{BranchPlan, BranchSpec, FuseMethod, FusePlan, FuseSpec, Normalise};
pub(in crate::benchmark) use plan::{Caching, stages};
pub use plan::{StageKind, StagePlan, Used};
pub use plugin::PluginSpec;
pub(crate) use postgres::understood;
pub use postgres::{PostgresPlan, PostgresServer, PostgresSpec, SslMode};
pub(crate) use query_text::{Parameter, QueryText};
pub use recorded::{HitOrder, Missing, OrderBy, RecordedColumns, RecordedPlan, RecordedSpec};
pub use spec::{OnStageError, ShownSpec, StageKindSpec, StageSpec};
pub use sql::{SqlPlan, SqlSpec};
pub use transforms::{
    BoostMode, BoostPlan, BoostSpec, DedupePlan, DedupeSpec, FilterHitsPlan, FilterHitsSpec, RerankPlan, RerankSpec,
    Reranker, TruncatePlan, TruncateSpec, UnknownHits,
};
pub use vector::{AnnPlan, AnnSpec, VectorMetric, VectorPlan, VectorSpec};
