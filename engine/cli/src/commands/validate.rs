//! `rematch validate`.

use rematch_engine::benchmark::{Diagnostic, KeyPath, Plan, SpecSource};
use rematch_engine::replay::{Pipeline, Workspace};
use rematch_engine::run;
use rematch_engine::score::ScoringContract;
use rematch_engine::select::{self, SelectError};

use super::{print, print_json};
use crate::arguments::ValidateArguments;
use crate::exit::{Exit, Failure};
use crate::gatekeeper;
use crate::plugin_host::plugin_host;
use crate::terminal::counted;

/// Checks a benchmark file, that its inputs are there, and that they hold what it names.
pub(crate) fn validate(arguments: &ValidateArguments) -> Result<Exit, Failure> {
    let source = SpecSource::read(&arguments.benchmark, &arguments.overrides)?;
    let plan = Plan::resolve(&source)?;
    check_predicate(&plan, &source)?;
    plan.check_inputs(&source).map_err(|missing| Failure::new(Exit::Input, missing))?;
    gatekeeper::check(&plan)?;
    run::look(&plan)?;
    if plan.has_plugins() {
        // A component that cannot be loaded, refuses its parameters or contradicts another scorer is found here.
        let plugins = plugin_host(None)?;
        ScoringContract::load(&plan, &plugins).map_err(|error| Failure::new(Exit::Plugin, error))?;
        let workspace = Workspace { plugins: Some(plugins), ..Workspace::default() };
        Pipeline::check_plugins(&plan.pipelines, &workspace).map_err(Failure::from)?;
    }
    if arguments.json {
        print_json(&plan)?;
    } else {
        print(&format!(
            "{} is valid: `{}` against {}, {}, {}, {}\n",
            arguments.benchmark.display(),
            plan.pipelines.first().map(|pipeline| pipeline.id.as_str()).unwrap_or_default(),
            counted((plan.pipelines.len() - 1) as u64, "candidate"),
            counted(plan.metrics.len() as u64, "metric"),
            counted(plan.scorers.len() as u64, "scorer"),
            counted(plan.gates.len() as u64, "gate"),
        ))?;
    }
    Ok(Exit::Done)
}

/// Checks the free SQL predicate at its place in the file.
pub(crate) fn check_predicate(plan: &Plan, source: &SpecSource) -> Result<(), Diagnostic> {
    let Some(predicate) = &plan.filter.predicate else { return Ok(()) };
    let keys = KeyPath::root().key("sessions").key("filter").key("where");
    select::check_predicate(predicate).map_err(|error| {
        let message = match error {
            SelectError::Predicate { reason } => format!("not a predicate over the session columns: {reason}"),
            other => other.to_string(),
        };
        source.mistake_at(&keys, message)
    })
}
