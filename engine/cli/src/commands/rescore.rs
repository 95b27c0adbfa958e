//! `rematch rescore`.

use std::path::Path;

use anyhow::anyhow;
use rematch_engine::benchmark::{Plan, SpecSource};
use rematch_engine::run::rejudge;
use rematch_engine::store::layout;

use crate::exit::{Exit, Failure};
use crate::gatekeeper;
use crate::rejudge_arguments::RescoreArguments;
use crate::worker::Worker;

/// Judges a finished run by other settings and prints its verdict.
pub(crate) fn rescore(arguments: &RescoreArguments) -> Result<Exit, Failure> {
    rejudge::check_overrides(&arguments.overrides)?;
    let judging = match &arguments.benchmark {
        None if !arguments.overrides.is_empty() => Some(as_written(arguments)?),
        benchmark => judging(benchmark.as_deref(), &arguments.overrides)?,
    };
    let plan = rejudge::rescore(&arguments.directory, judging.as_ref())?;
    gatekeeper::check(&plan)?;
    let mut worker = Worker::new(&arguments.work)?;
    let surroundings = worker.surroundings(arguments.out.clone(), None, plan.has_plugins())?;
    worker.finish(rematch_engine::run::run(plan, surroundings))
}

/// Returns the run's own benchmark, with other values.
fn as_written(arguments: &RescoreArguments) -> Result<Plan, Failure> {
    let written = rejudge::written(&arguments.directory)?.ok_or_else(|| {
        let error = anyhow!("the run does not keep its benchmark as it was written; name the file with `--benchmark`");
        Failure::new(Exit::Usage, error)
    })?;
    let kept_at = arguments.directory.join(layout::BENCHMARK);
    Ok(Plan::resolve(&written.source(&kept_at, &arguments.overrides)?)?)
}

/// Reads the benchmark file that judges, if one is given. Its sessions and retrievers need not be there.
pub(super) fn judging(benchmark: Option<&Path>, overrides: &[String]) -> Result<Option<Plan>, Failure> {
    let Some(benchmark) = benchmark else { return Ok(None) };
    Ok(Some(Plan::resolve(&SpecSource::read(benchmark, overrides)?)?))
}
