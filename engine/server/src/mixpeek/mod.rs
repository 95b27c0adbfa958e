//! The retriever-benchmark API: retrievers, what they answered, what users did with it, and benchmarks and evaluations of both.
//!
//! Everything belongs to a namespace of the organisation, which the header `X-Namespace` names. A retriever's stages are those
//! of a benchmark file, each `{"stage_name", "config": {"stage_id": KIND, "parameters": KEYS}}`. What retrievers answer to
//! `execute` is kept; interactions refer to it; a benchmark makes sessions of both and has the engine replay them.
//!
//! ```text
//!  retrievers ──execute──▶ executions ──┐
//!                         interactions ─┴─▶ sessions ──▶ benchmark (a job) ──▶ results, comparison
//!                 datasets (judged queries) ────────────▶ evaluation (a job) ──▶ metrics, verdict
//! ```

pub mod benchmarks;
pub mod evaluations;
pub mod executions;
pub mod interactions;
pub mod retrievers;

pub mod filters;
pub mod inputs;
pub mod listing;
pub mod page;
pub mod refusal;
pub mod scope;

use utoipa_axum::router::OpenApiRouter;

use crate::App;

/// Where the family's paths begin.
pub const PREFIXES: [&str; 3] = ["/v1/retrievers", "/v1/evaluations", "/v1/public/retrievers"];

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(retrievers::routes::routes())
        .merge(executions::routes::routes())
        .merge(interactions::routes::routes())
        .merge(benchmarks::routes::routes())
        .merge(evaluations::dataset_routes::routes())
        .merge(evaluations::routes::routes())
        .merge(evaluations::score::routes())
}
