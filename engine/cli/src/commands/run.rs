//! `rematch run`.

use rematch_engine::benchmark::{Plan, SpecSource};

use crate::arguments::RunArguments;
use crate::exit::{Exit, Failure};
use crate::gatekeeper;
use crate::worker::Worker;

/// Runs a benchmark and prints its verdict.
pub(crate) fn run(arguments: &RunArguments) -> Result<Exit, Failure> {
    let mut overrides = arguments.overrides.clone();
    if arguments.stop_when_decided {
        overrides.push("statistics.stop-when-decided=true".to_owned());
    }
    let source = SpecSource::read(&arguments.benchmark, &overrides)?;
    let plan = Plan::resolve(&source)?;
    super::validate::check_predicate(&plan, &source)?;
    plan.check_inputs(&source).map_err(|missing| Failure::new(Exit::Input, missing))?;
    gatekeeper::check(&plan)?;
    let mut worker = Worker::new(&arguments.work)?.of(&arguments.benchmark);
    let surroundings = worker.surroundings(arguments.out.clone(), arguments.shard, plan.has_plugins())?;
    worker.finish(rematch_engine::run::run(plan, surroundings))
}
