//! A benchmark, run in a worker.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rematch_engine::benchmark::{Plan, SpecSource};
use rematch_engine::cluster::ClusterError;
use rematch_engine::event::{Event, Listener};
use rematch_engine::run::{self, Outcome, Place, RunError, Surroundings};
use rematch_engine::sandbox::PluginHost;
use rematch_engine::store::{RunDirectory, StoreError};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::inspect::in_full;
use super::{Failure, INTERRUPTED, Message, Outlet, RunOrder, Task};

/// Between two words about the progress of a retriever.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// How long a worker of a server that was killed may take to die.
const PREDECESSOR: Duration = Duration::from_secs(20);

/// How a run is watched and kept by whoever wants more of it than its end.
#[derive(Clone, Default)]
pub(super) struct Pace {
    /// Sessions of a work unit; as many as suit its sample where `None`.
    pub(super) sessions_per_chunk: Option<NonZeroUsize>,
    /// Called when a work unit is done.
    pub(super) heard: Option<Arc<dyn Fn() + Send + Sync>>,
}

pub(super) fn run(task: &Task, order: &RunOrder, plugins: Arc<PluginHost>, outlet: &Outlet) -> Result<Value, Failure> {
    run_at(task, order, plugins, outlet, Pace::default())
}

pub(super) fn run_at(
    task: &Task,
    order: &RunOrder,
    plugins: Arc<PluginHost>,
    outlet: &Outlet,
    pace: Pace,
) -> Result<Value, Failure> {
    let source = SpecSource::read(&order.benchmark, &order.overrides).map_err(wrong)?;
    let plan = Plan::resolve(&source).map_err(wrong)?;
    task.check_paths(&plan)?;
    plan.check_inputs(&source).map_err(wrong)?;
    drive_at(task, plan, (&order.out, order.retry_errors), plugins, outlet, pace)
}

/// Runs a plan, or goes on with it, in that run directory.
pub(super) fn drive(
    task: &Task,
    plan: Plan,
    out: &Path,
    retry_errors: bool,
    plugins: Arc<PluginHost>,
    outlet: &Outlet,
) -> Result<Value, Failure> {
    drive_at(task, plan, (out, retry_errors), plugins, outlet, Pace::default())
}

fn drive_at(
    task: &Task,
    plan: Plan,
    (out, retry_errors): (&Path, bool),
    plugins: Arc<PluginHost>,
    outlet: &Outlet,
    pace: Pace,
) -> Result<Value, Failure> {
    task.check_paths(&plan)?;
    wait_for_predecessor(out);
    let Pace { sessions_per_chunk, heard } = pace;
    let listener = Arc::new(Told { outlet: outlet.clone(), heard, last: Mutex::new(Instant::now()) });
    let stop = plugins.stop();
    let surroundings = Surroundings {
        out: Some(out.to_owned()),
        sessions_per_chunk,
        memory_bytes: usize::try_from(task.limits.memory_bytes / 4).unwrap_or(usize::MAX),
        retry_errors,
        place: place_of(task, &plan, outlet),
        outbound: task.outbound()?,
        secrets: task.secrets.lookup(),
        stop: Arc::clone(&stop),
        ..Surroundings::new(listener, plugins)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("internal", error))?;
    let outcome = runtime.block_on(async {
        tokio::spawn(stop_on_signal(stop));
        run::run(plan, surroundings).await
    });
    runtime.shutdown_background();
    match outcome {
        Ok(Outcome::Finished(finished)) => {
            Ok(json!({ "run_id": finished.report.run.id, "state": finished.report.run.state }))
        }
        Ok(Outcome::Shard { .. }) => Err(Failure::new("internal", "a run of the server has no shards")),
        Err(error @ RunError::Interrupted { .. }) => Err(Failure::new(INTERRUPTED, error)),
        Err(RunError::Cluster(error)) => Err(of_cluster(&error)),
        Err(error) => Err(Failure::new("run_failed", in_full(&error))),
    }
}

/// Returns where the units of a run are done: on the operator's cluster, where he has one and executors can do them, and in this
/// process else. Whom tenants name is nobody to connect to.
fn place_of(task: &Task, plan: &Plan, outlet: &Outlet) -> Place {
    let (Some(address), Some(_)) = (&task.cluster, task.order.run_directory()) else { return Place::Here };
    let reason = match plan.variables().first() {
        Some(variable) => {
            format!("its retrievers need the secret `{variable}`, which leaves this server for nobody else")
        }
        None if plan.statistics.stop_when_decided => {
            "it stops when it is decided, which each chunk is asked".to_owned()
        }
        None => return Place::Cluster(address.clone()),
    };
    outlet.say(&Message::Note(format!("the run is done on the server, and not on its cluster: {reason}")));
    Place::Here
}

/// A cluster that is away is none of the run's failures.
fn of_cluster(error: &ClusterError) -> Failure {
    match error {
        ClusterError::Unreachable { address, reason } | ClusterError::Lost { address, reason, .. } => {
            let message = format!(
                "the server's cluster at `{address}` cannot be reached ({reason}); what is done is kept: try the job again \
                 when it is back, or tell the operator"
            );
            Failure::new("cluster_unreachable", message)
        }
        error => Failure::new("run_failed", in_full(error)),
    }
}

fn wrong(mistake: rematch_engine::benchmark::Diagnostic) -> Failure {
    Failure::new("invalid_benchmark", mistake)
}

/// Waits while another process works in the run directory: the worker of a server that was killed takes a moment to die.
fn wait_for_predecessor(out: &Path) {
    let begun = Instant::now();
    while begun.elapsed() < PREDECESSOR && matches!(RunDirectory::attach(out), Err(StoreError::Locked { .. })) {
        std::thread::sleep(Duration::from_millis(100));
    }
}

async fn stop_on_signal(stop: Arc<AtomicBool>) {
    if let Ok(mut terminate) = signal(SignalKind::terminate()) {
        terminate.recv().await;
        stop.store(true, Ordering::SeqCst);
    }
}

/// Tells the server what happens; progress now and then only.
struct Told {
    outlet: Outlet,
    heard: Option<Arc<dyn Fn() + Send + Sync>>,
    last: Mutex<Instant>,
}

impl Listener for Told {
    fn hear(&self, event: &Event) {
        let message = match event {
            Event::Entered(state) => {
                let name = serde_json::to_value(state).ok().and_then(|name| name.as_str().map(ToOwned::to_owned));
                Message::Phase(name.unwrap_or_default())
            }
            Event::Sampled { loaded, sampled } => Message::Sampled { loaded: *loaded, sampled: *sampled },
            Event::Replayed { retriever_id, done, total, failed, .. } => {
                if let Some(heard) = &self.heard {
                    heard();
                }
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                if done < total && last.elapsed() < PROGRESS_EVERY {
                    return;
                }
                *last = Instant::now();
                Message::Progress { retriever_id: retriever_id.clone(), done: *done, total: *total, failed: *failed }
            }
            _ => return,
        };
        self.outlet.say(&message);
    }
}
