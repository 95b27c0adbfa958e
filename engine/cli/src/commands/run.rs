//! `rematch run`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rematch_engine::benchmark::{Plan, SpecSource};
use rematch_engine::compare::outcome::GateState;
use rematch_engine::report::{Report, RunState};
use rematch_engine::run::{Finished, Surroundings};
use rematch_engine::score::wasm::{HostSettings, PluginHost};

use super::{print, print_json};
use crate::arguments::RunArguments;
use crate::exit::{Exit, Failure};
use crate::plugin_host::{Say, plugin_host};
use crate::progress::Progress;
use crate::summary;

/// Runs a benchmark and prints its verdict.
pub(crate) fn run(arguments: &RunArguments) -> Result<Exit, Failure> {
    let source = SpecSource::read(&arguments.benchmark, &arguments.overrides)?;
    let plan = Plan::resolve(&source)?;
    super::validate::check_predicate(&plan, &source)?;
    plan.check_inputs(&source).map_err(|missing| Failure::new(Exit::Input, missing))?;
    let progress = Arc::new(Progress::new(arguments.quiet));
    // A run without plugins needs no place to keep them.
    let plugins = if plan.has_plugins() {
        plugin_host(says(&progress, arguments.quiet))?
    } else {
        Arc::new(PluginHost::new(HostSettings::default())?)
    };
    let surroundings = Surroundings {
        out: arguments.out.clone(),
        threads: arguments.threads,
        listener: progress.clone(),
        stop: stop_on_interrupt(plugins.stop())?,
        plugins,
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = arguments.threads {
        runtime.worker_threads(threads.get());
    }
    let runtime = runtime.enable_all().build()?;
    let finished = runtime.block_on(rematch_engine::run::run(plan, surroundings));
    progress.finish();
    let finished = finished?;
    if arguments.json {
        print_json(&finished.report)?;
    } else if !arguments.quiet {
        print(&summary::render(&finished))?;
    }
    tell_failures(&finished);
    Ok(exit_of(&finished.report))
}

/// Messages of plugins go where the progress is shown; quiet, they go nowhere.
fn says(progress: &Arc<Progress>, quiet: bool) -> Option<Say> {
    let progress = Arc::clone(progress);
    (!quiet).then(|| -> Say { Arc::new(move |line| progress.line(line)) })
}

/// The first interrupt stops after the work in flight, the second at once.
fn stop_on_interrupt(stop: Arc<AtomicBool>) -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
    })?;
    Ok(stop)
}

/// An arm that never ran is said on stderr too, so that it is seen whatever becomes of stdout.
#[expect(clippy::print_stderr, reason = "talk goes to stderr")]
fn tell_failures(finished: &Finished) {
    for result in &finished.report.results {
        if result.answered_sessions == 0 {
            let kinds: Vec<String> =
                result.error_summary.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            eprintln!(
                "error: retriever `{}` failed on every session ({}); it is not scored",
                result.retriever_id,
                kinds.join(", ")
            );
        }
    }
}

fn exit_of(report: &Report) -> Exit {
    let gates = || report.comparison.comparisons.iter().flat_map(|comparison| &comparison.gates);
    if report.run.state == RunState::Failed {
        Exit::Incomplete
    } else if gates().any(|gate| gate.state == GateState::Failed) {
        Exit::GateFailed
    } else if gates().any(|gate| gate.state == GateState::Inconclusive) {
        Exit::GateInconclusive
    } else {
        Exit::Done
    }
}
