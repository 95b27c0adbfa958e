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

/// The benchmark file's keys that judge, and those that they refer to: what [`judge_by`] reads, and the depth.
const JUDGING: [&str; 10] =
    ["corpus", "depth", "exposure", "gate", "lists", "metrics", "output", "relevance", "scorer", "statistics"];

/// Further keys of the benchmark file, which were read when the run was made; and keys of tables that judge.
const NOT_JUDGING: [&str; 10] = [
    "baseline",
    "candidates",
    "cluster",
    "name",
    "output.dir",
    "output.formats",
    "retriever",
    "seed",
    "sessions",
    "statistics.stop-when-decided",
];

/// Checks that overrides of the form `key.path=value` set what judges. Keys that no benchmark file has are left to its parser.
///
/// # Errors
///
/// Returns [`RejudgeError::NotJudging`] for the first that sets something else.
pub fn check_overrides(overrides: &[String]) -> Result<(), RejudgeError> {
    let is_below =
        |key: &str, table: &str| key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    for given in overrides {
        let key: String = given.split('=').next().unwrap_or_default().split_whitespace().collect();
        if NOT_JUDGING.iter().any(|not_read| is_below(&key, not_read)) {
            let judging = JUDGING.iter().map(|key| if *key == "output" { "output.acknowledgements" } else { *key });
            return Err(RejudgeError::NotJudging { given: given.clone(), judging: judging.collect() });
        }
    }
    Ok(())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_a_benchmark_file_judges_or_does_not() {
        let schema = crate::benchmark::json_schema();
        let mut all: Vec<&str> =
            schema["properties"].as_object().expect("properties").keys().map(String::as_str).collect();
        all.sort_unstable();
        let mut known: Vec<&str> = NOT_JUDGING.into_iter().filter(|key| !key.contains('.')).chain(JUDGING).collect();
        known.sort_unstable();
        assert_eq!(known, all);
    }

    #[test]
    fn an_override_of_what_is_not_read_is_refused_with_what_is() {
        let check = |given: &str| check_overrides(&[given.to_owned()]);
        for read in
            ["metrics.primary=AP", "output.acknowledgements=a.toml", "relevence.gain=linear", "nonsense", "named=1"]
        {
            check(read).expect(read);
        }
        for not_read in
            ["candidates=[\"r2\"]", "sessions.sample.count=3", "output.formats=[]", "retriever.0.id=a", " seed =1"]
        {
            let refused = check(not_read).expect_err(not_read).to_string();
            let start =
                format!("`--set {not_read}` changes nothing: nothing is replayed, finished rankings are judged anew");
            assert!(refused.starts_with(&start) && refused.contains("`corpus`, `depth`, `exposure`"), "{refused}");
        }
    }
}
