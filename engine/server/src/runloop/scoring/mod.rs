//! How a scenario becomes a score.
//!
//! A scenario is one search under a scoring contract: `problem_statement` is the query, and `additional_context` may tell what
//! is known of it, in the fields of a session: `judgments`, `interactions`, `shown`, `inputs`, `taxonomy`, `expected` and
//! others. What answers is a registered retriever, named by the first of these that says: the scenario run's metadata
//! `retriever_id`, its environment variable `RETRIEVER_ID`, the same two of the benchmark's run, the benchmark's metadata, the
//! scenario's metadata. Where nobody is named, the run brings its own ranking: `hits` in its metadata (JSON text) or in
//! `additional_context`, best first, items or `{"item_id", "score"}`.
//!
//! A contract's functions are the scorers of a benchmark file with one session, or with all sessions of a job that have the
//! same contract: registered components and built-in metrics are the engine's, so that a score here is what
//! `rematch run` gives on the same session. Programs (where the operator allows them) run in child processes of their own
//! after the ranking is there, and read it in their context.
//!
//! - The score of a scenario run is the weighted mean of its functions' scores: with weights that add up to 1, their weighted
//!   sum.
//! - Each function's score lies in 0..1. One that returns another number failed; it is not cut to fit.
//! - A run is `scored` when every function came to a score. Where one failed (`error`) or is undefined (`unknown`: nothing is
//!   known to be relevant), or where the retriever failed, the run is `failed`: no score of 0 is made of it.
//! - A program that takes longer than the scenario's `scorer_timeout_sec` makes its run a `timeout`.
//! - A benchmark's run has as its score the sum of the scores of its scenario runs over the number of those that are not
//!   canceled. One that came to no score is in the number, so that it lowers the score as a 0 would; how many did is told
//!   beside it, as `unscored_scenario_runs`. Where none has a score, there is none.
//! - A job's `average_score` is the mean of the scenarios that have a score, as in the reports of the engine.

mod contract;
mod kind;
mod native;
mod ranking;
mod results;
mod session;
mod work;

pub(super) use contract::{allowed, check, custom, resolve};
pub use kind::Scoring;
pub(super) use kind::cancel;
pub(super) use native::Program;
pub(super) use ranking::{hits_of, retriever};
pub(super) use results::failed;
pub(super) use session::{files_of, session_of};
pub(super) use work::{AgentWork, Function, How, ScenarioWork, Work, trial};
