//! The native API: all that the command line does, over HTTP.
//!
//! A client brings files, corpora and components, posts a benchmark that names them, follows the run, and reads its report,
//! its tables, and the answers to queries over these. Handlers translate between JSON and the catalogue, the queue and the
//! workers; errors are RFC 9457 problems.

mod artifacts;
mod compare;
mod components;
mod corpora;
mod events;
mod files;
mod folders;
mod gates;
mod kinds;
mod pages;
mod problem;
mod query;
mod rows;
mod runs;
mod secrets;
mod specs;
mod submission;

pub use folders::with_one_segment;
pub use kinds::{RejudgeKind, RunKind};

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(files::list))
        .routes(routes!(files::put, files::get, files::delete))
        .routes(routes!(files::content))
        .routes(routes!(files::storage))
        .routes(routes!(corpora::list))
        .routes(routes!(corpora::put, corpora::get, corpora::delete))
        .routes(routes!(components::list))
        .routes(routes!(components::put, components::get, components::delete))
        .routes(routes!(components::content))
        .routes(routes!(specs::list))
        .routes(routes!(specs::put, specs::get, specs::delete))
        .routes(routes!(runs::create, runs::list))
        .routes(routes!(runs::get, runs::delete))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::retry))
        .routes(routes!(runs::report))
        .routes(routes!(events::follow))
        .routes(routes!(artifacts::list))
        .routes(routes!(artifacts::get))
        .routes(routes!(rows::page))
        .routes(routes!(query::query))
        .routes(routes!(gates::judge))
        .routes(routes!(gates::judge_with))
        .routes(routes!(compare::compare))
        .routes(routes!(compare::rescore))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::put, secrets::delete))
        .routes(routes!(submission::plan))
        .routes(routes!(submission::schema))
}
