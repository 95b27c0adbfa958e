//! The scenario API: benchmarks of scenarios, runs, scoring contracts, for clients of both generations that exist.
//!
//! The first clients look for runs at `/v1/benchmarks/runs`, today's at `/v1/benchmark_runs`: both stand over one store, and
//! objects have the fields of both. Lists begin with the newest and go on after an identifier. Whatever changes something is
//! done once for each `x-request-id` (`once.rs`). Mistakes are 400, for these clients repeat 409 and 5xx; identifiers of other
//! organisations are 404 like unknown ones.
//!
//! What is scored, and how, is told in `scoring/`. Nothing is launched for a scenario: the devbox that clients wait for is
//! there at once, and as long as its run.
//!
//! - A scenario run is `running` until it is scored, `scoring` from the answer to `POST .../score` on, then `scored`, `failed`
//!   or `timeout`; `completed` when a client says so. `canceled` ends it anywhere before. One that nobody scores ends as
//!   `timeout` after its `keep_alive_time_seconds`, 48 hours where nothing is said.
//! - A benchmark's run is `running` until it is completed or canceled; scenario runs that still run are then canceled, and
//!   those that are being scored are waited for: it is `completed` when they are.
//! - A job runs all scenarios with each of its agents, retrievers here, in the engine's way: one run over all sessions that
//!   have the same contract.

mod benchmark_jobs;
mod benchmark_runs;
mod benchmarks;
mod devboxes;
pub mod errors;
mod first_generation;
mod listing;
mod logs;
pub mod model;
mod once;
mod profile;
mod scenario_runs;
mod scenarios;
mod scorers;
mod scoring;
mod starting;

use axum::middleware::{from_fn, from_fn_with_state};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;

pub use scoring::Scoring;

/// Where this API's paths begin.
pub const PREFIXES: [&str; 5] =
    ["/v1/benchmarks", "/v1/benchmark_runs", "/v1/benchmark_jobs", "/v1/scenarios", "/v1/devboxes"];

/// Returns the routes.
pub fn routes(app: &App) -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(benchmarks::create_benchmark, benchmarks::list_benchmarks))
        .routes(routes!(benchmarks::list_public_benchmarks))
        .routes(routes!(benchmarks::get_benchmark, benchmarks::update_benchmark))
        .routes(routes!(benchmarks::list_definitions))
        .routes(routes!(benchmarks::update_benchmark_scenarios))
        .routes(routes!(starting::start_benchmark_run))
        .routes(routes!(benchmark_runs::list_benchmark_runs, starting::start_unofficial_run))
        .routes(routes!(benchmark_runs::get_benchmark_run))
        .routes(routes!(benchmark_runs::complete_benchmark_run))
        .routes(routes!(benchmark_runs::cancel_benchmark_run))
        .routes(routes!(benchmark_runs::list_runs_of_benchmark_run))
        .routes(routes!(first_generation::list_old_runs))
        .routes(routes!(first_generation::get_old_run))
        .routes(routes!(first_generation::complete_old_run))
        .routes(routes!(first_generation::cancel_old_run))
        .routes(routes!(first_generation::list_scenario_runs_of_old_run))
        .routes(routes!(benchmark_jobs::create_benchmark_job, benchmark_jobs::list_benchmark_jobs))
        .routes(routes!(benchmark_jobs::get_benchmark_job))
        .routes(routes!(scenarios::create_scenario, scenarios::list_scenarios))
        .routes(routes!(scenarios::list_public_scenarios))
        .routes(routes!(scenarios::get_scenario, scenarios::update_scenario))
        .routes(routes!(scenarios::archive_scenario))
        .routes(routes!(starting::start_scenario_run))
        .routes(routes!(scenario_runs::list_scenario_runs))
        .routes(routes!(scenario_runs::get_scenario_run))
        .routes(routes!(scenario_runs::score_scenario_run))
        .routes(routes!(scenario_runs::complete_scenario_run))
        .routes(routes!(scenario_runs::cancel_scenario_run))
        .routes(routes!(logs::download_scenario_run_logs))
        .routes(routes!(scorers::create_scorer, scorers::list_scorers))
        .routes(routes!(scorers::get_scorer, scorers::update_scorer))
        .routes(routes!(scorers::validate_scorer))
        .routes(routes!(devboxes::get_devbox))
        .routes(routes!(devboxes::wait_for_devbox))
        .layer(from_fn_with_state(app.clone(), once::remember))
        .layer(from_fn(errors::mistakes_are_400))
}
