//! Runs that replay nothing: finished rankings judged by other settings, or against those of other runs.
//!
//! [`rescore`] and [`compare`] make a plan that borrows its rankings ([`crate::benchmark::BorrowedPlan`]); [`super::run`] does
//! the rest as of any run. `lender` is a finished run that was read; `sample` is the sessions that all of them have; `differ` says
//! in what runs differ that should not.
//!
//! Not for: judging. What is made of the rankings is what every run makes of them.

mod compare;
mod differ;
mod error;
mod lender;
mod rescore;
mod sample;

use std::num::NonZeroUsize;

use rematch_metrics::Metric;

pub use compare::{ComparePlan, CompareSettings, compare};
pub use error::RejudgeError;
pub use rescore::{rescore, written};

pub(super) use lender::report_hash;
pub(super) use sample::borrow_sample;

use crate::benchmark::Plan;

/// Puts what judges into `plan`: everything but the retrievers, the sessions, and how these are replayed.
fn judge_by(plan: &mut Plan, judging: &Plan) {
    let stop_when_decided = plan.statistics.stop_when_decided;
    plan.written.clone_from(&judging.written);
    plan.relevance = judging.relevance.clone();
    plan.exposure = judging.exposure.clone();
    plan.metrics.clone_from(&judging.metrics);
    plan.primary.clone_from(&judging.primary);
    plan.lists.clone_from(&judging.lists);
    plan.noise_threshold = judging.noise_threshold;
    plan.statistics = judging.statistics.clone();
    // How sessions were dealt into chunks does not change any more.
    plan.statistics.stop_when_decided = stop_when_decided;
    plan.scorers.clone_from(&judging.scorers);
    plan.gates.clone_from(&judging.gates);
    plan.acknowledgements.clone_from(&judging.acknowledgements);
}

/// Returns what of the plan looks deeper than `depth` hits.
fn too_deep(plan: &Plan, depth: NonZeroUsize) -> Option<String> {
    let is_too_deep = |metric: &&Metric| metric.cutoff().is_some_and(|cutoff| cutoff > depth);
    let metric = plan.metrics.iter().find(is_too_deep).map(ToString::to_string);
    let lists = || plan.lists.as_ref().filter(|lists| lists.k > depth).map(|lists| format!("lists.k = {}", lists.k));
    metric.or_else(lists)
}
