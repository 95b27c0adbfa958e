//! `rematch compare`.

use rematch_engine::run::rejudge::{self, ComparePlan, CompareSettings};

use super::rescore::judging;
use crate::exit::{Exit, Failure};
use crate::gatekeeper;
use crate::rejudge_arguments::CompareArguments;
use crate::terminal::{tell, visible};
use crate::worker::Worker;

/// Compares the retrievers of finished runs and prints the verdicts.
pub(crate) fn compare(arguments: &CompareArguments) -> Result<Exit, Failure> {
    rejudge::check_overrides(&arguments.overrides)?;
    let judging = judging(arguments.benchmark.as_deref(), &arguments.overrides)?;
    let settings = CompareSettings {
        baseline: arguments.baseline.as_deref(),
        judging: judging.as_ref(),
        allow_different: arguments.allow_different,
    };
    let ComparePlan { plan, notes } = rejudge::compare(&arguments.runs, settings)?;
    gatekeeper::check(&plan)?;
    if !arguments.work.quiet {
        for note in &notes {
            tell(&format!("note: {}", visible(note)));
        }
    }
    let mut worker = Worker::new(&arguments.work)?;
    let surroundings = worker.surroundings(arguments.out.clone(), None, plan.has_plugins())?;
    worker.finish(rematch_engine::run::run(plan, surroundings))
}
