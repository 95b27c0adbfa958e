//! Ballista's executor, which opens runs and does their units.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::extension::SessionConfigExt;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use datafusion::prelude::SessionConfig;
use tokio::net::TcpListener;

use super::codec::Codec;
use super::error::cannot_listen;
use super::shipping::{Shipped, read_shipped};
use super::{ClusterDriver, ClusterError};
use crate::benchmark::{ClusterAddress, Plan, check_below};
use crate::compare::{CompareError, Round, SumMaker};
use crate::replay::remote::no_secrets;
use crate::replay::{Requests, Workspace};
use crate::score::wasm::PluginHost;
use crate::storage::{Location, OneReading};
use crate::store::{RunDirectory, host_name, layout, random_id};
use crate::unit::{Order, UnitContext, UnitContexts, UnitError, UnitHost};

/// How an executor is run.
pub struct ExecutorSettings {
    /// The scheduler that it asks for work.
    pub scheduler: ClusterAddress,
    /// Where Ballista's own transport of results listens; nothing of a run goes over it.
    pub listen: IpAddr,
    /// Its port.
    pub port: u16,
    /// Work units at once.
    pub cores: NonZeroUsize,
    /// Folder of what is sorted, converted and fetched.
    pub work_folder: PathBuf,
    /// How long the scheduler may be away at the start, seconds.
    pub connect_seconds: u16,
    /// Does the runs of strangers in this folder, and no others, where there is one.
    pub only_in: Option<PathBuf>,
    /// What retrievers need of this machine, credentials among it. Its `scratch` is replaced by one per run, and a run whose
    /// retrievers may not connect to everybody gets no credentials: a stranger wrote its benchmark.
    pub workspace: Workspace,
    /// Runs components.
    pub plugins: Arc<PluginHost>,
}

/// Waits until the scheduler takes connections: Ballista's own executor would ask for ever.
async fn wait_for_scheduler(address: &ClusterAddress, patience: Duration) -> Result<(), ClusterError> {
    ClusterDriver::reach_within(address, patience).await.map_err(|error| {
        let ClusterError::Unreachable { reason, .. } = error else { return error };
        let waited = patience.as_secs();
        let reason = format!(
            "the scheduler at `{address}` could not be reached for {waited} s ({reason}); is `rematch scheduler` running there, and \
             the port open from this machine? (`--connect-timeout` waits longer.)"
        );
        ClusterError::Process { process: "executor", reason }
    })
}

/// Runs an executor until it is told to stop, or fails.
///
/// # Errors
///
/// Returns an error when the scheduler cannot be reached in time, the port is taken, or Ballista's service ends.
pub async fn serve_executor(settings: ExecutorSettings) -> Result<(), ClusterError> {
    let failed = |reason: String| ClusterError::Process { process: "executor", reason };
    let listen = SocketAddr::new(settings.listen, settings.port);
    // Ballista's service would end without a word where the port is taken.
    drop(TcpListener::bind(listen).await.map_err(|error| cannot_listen(listen, &error, "--port"))?);
    wait_for_scheduler(&settings.scheduler, Duration::from_secs(settings.connect_seconds.into())).await?;
    let shuffles = settings.work_folder.join("ballista");
    std::fs::create_dir_all(&shuffles)
        .map_err(|error| failed(format!("cannot make `{}`: {error}", shuffles.display())))?;
    let settings = Arc::new(settings);
    let name = format!("{}:{}", host_name().unwrap_or_else(|| settings.listen.to_string()), settings.port);
    let unheard = Arc::new(settings.plugins.unheard().map_err(|error| failed(error.to_string()))?);
    let asked = Asked::default();
    let this = Host { settings: Arc::clone(&settings), unheard, asked, makers: Mutex::default() };
    let contexts = Arc::new(UnitContexts::of(Box::new(this)).named(name));
    let config = ExecutorProcessConfig {
        bind_host: settings.listen.to_string(),
        external_host: Some(settings.listen.to_string()),
        port: settings.port,
        scheduler_host: settings.scheduler.host().to_owned(),
        scheduler_port: settings.scheduler.port(),
        scheduler_connect_timeout_seconds: settings.connect_seconds,
        vcores: settings.cores.get(),
        task_scheduling_policy: TaskSchedulingPolicy::PullStaged,
        work_dir: Some(shuffles.to_string_lossy().into_owned()),
        // What a task says of its units is of no use to anybody after the job.
        job_data_ttl_seconds: 3600,
        job_data_clean_up_interval_seconds: 600,
        // Sorting has a limit of its own.
        memory_pool_size: Some(0),
        override_config_producer: Some(Arc::new(move || {
            SessionConfig::new_with_ballista().with_extension(Arc::clone(&contexts))
        })),
        override_physical_codec: Some(Arc::new(Codec::default())),
        ..ExecutorProcessConfig::default()
    };
    start_executor_process(Arc::new(config)).await.map_err(|error| failed(error.to_string()))
}

/// What the servers of runs were asked by this process. It is noted in the run's directory with every task, as nobody knows
/// which is the last.
#[derive(Default)]
struct Asked {
    noted: Mutex<Vec<Noted>>,
}

/// What stands in the directory of a run of each time that it was opened.
struct Noted {
    /// Another time has another plan.
    opened: Weak<Plan>,
    name: PathBuf,
    requests: Requests,
}

impl Asked {
    fn note(&self, context: &UnitContext) -> Result<(), UnitError> {
        // Held until it is written, so that older numbers never replace newer ones.
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.retain(|noted| noted.opened.strong_count() > 0);
        let requests = Requests::of(context.pipelines.iter().map(Arc::as_ref));
        if !requests.any() {
            return Ok(());
        }
        // What was asked was asked, whoever ordered it.
        let (opened, run) = (Arc::downgrade(&context.plan), context.run.without_order());
        if let Some(known) = noted.iter_mut().find(|noted| noted.opened.ptr_eq(&opened)) {
            if known.requests != requests {
                run.write_json(&known.name, &requests)?;
                known.requests = requests;
            }
            return Ok(());
        }
        let name = Path::new(layout::ASKED).join(format!("{}.json", random_id()));
        run.write_json(&name, &requests)?;
        noted.push(Noted { opened, name, requests });
        Ok(())
    }
}

fn elsewhere(order: &Order, reason: String) -> UnitError {
    UnitError::Elsewhere { run: order.run.clone(), reason }
}

/// This machine, as it opens runs.
struct Host {
    settings: Arc<ExecutorSettings>,
    /// Runs the components of strangers.
    unheard: Arc<PluginHost>,
    asked: Asked,
    /// Who makes the sums of the runs that are open, with the plan that each was opened with.
    makers: Mutex<Vec<(Weak<Plan>, Arc<SumMaker>)>>,
}

impl Host {
    /// Checks, before anything of it is read, that a run lies where this executor works.
    fn check_place(&self, order: &Order) -> Result<(), UnitError> {
        let Some(folder) = &self.settings.only_in else { return Ok(()) };
        let is_local = Location::of(Path::new(&order.run)).is_ok_and(|place| place.local().is_some());
        if is_local && check_below(Path::new(&order.run), folder).is_ok() {
            return Ok(());
        }
        Err(elsewhere(order, format!("this executor does runs in `{}` only", folder.display())))
    }

    /// Returns what a run gets of this machine. A stranger's gets no credentials, connects to whom it may, reads what was shipped
    /// with it, and what its components say stands in no log.
    fn surroundings(
        &self,
        shipped: &Shipped,
        run: &RunDirectory,
        scratch: &Path,
    ) -> Result<(Workspace, &Arc<PluginHost>), UnitError> {
        let ExecutorSettings { workspace, plugins, scheduler, .. } = self.settings.as_ref();
        let workspace = Workspace { scratch: scratch.to_owned(), ..workspace.clone() };
        if !shipped.outbound.is_restricted() {
            return match &self.settings.only_in {
                None => Ok((workspace, plugins)),
                Some(_) => Err(UnitError::Elsewhere {
                    run: run.root().display().to_string(),
                    reason: "this executor does runs of a server only".to_owned(),
                }),
            };
        }
        shipped.check_inputs(run)?;
        // Whoever reaches the scheduler runs what he likes; it may have another name here than where the run began.
        let outbound = shipped.outbound.clone().but_not(scheduler.host(), scheduler.port());
        Ok((Workspace { outbound, secrets: no_secrets(), rankings: None, ..workspace }, &self.unheard))
    }
}

impl UnitHost for Host {
    /// Opens a run by what was shipped with it.
    fn open(&self, order: &Order) -> Result<UnitContext, UnitError> {
        let different = |reason: String| elsewhere(order, reason);
        self.check_place(order)?;
        // An executor outlives many runs, and what lies at a URL is another night's for the next one.
        let _reading = OneReading::begin();
        let (run, manifest, _) = RunDirectory::view(Path::new(&order.run))?;
        if manifest.run_id != order.id {
            return Err(different(format!("it holds run {} here, and run {} was meant", manifest.run_id, order.id)));
        }
        let run = run.ordered_by(&order.drive);
        run.check_order()?;
        let shipped = read_shipped(&run)?;
        let folder = self.settings.work_folder.join("runs");
        let scratch = std::fs::create_dir_all(&folder)
            .and_then(|()| tempfile::Builder::new().prefix("run-").tempdir_in(&folder))
            .map_err(|error| different(format!("cannot make a folder in `{}`: {error}", folder.display())))?;
        let (workspace, plugins) = self.surroundings(&shipped, &run, scratch.path())?;
        let mut context = UnitContext::open(run, shipped.plan, plugins, &workspace)?;
        for scorer in context.contract.scorers() {
            if scorer.content_hash() != shipped.component_hashes.get(scorer.name()).map(String::as_str) {
                let name = scorer.name();
                return Err(different(format!("component `{name}` is another one here than where the run began")));
            }
        }
        for (pipeline, expected) in context.pipelines.iter().zip(&shipped.pipeline_hashes) {
            if pipeline.pipeline_hash() != expected {
                return Err(different(format!(
                    "retriever `{}` depends on other content here than where the run began; do its inputs lie where every executor \
                     reads the same?",
                    pipeline.id()
                )));
            }
        }
        context.scratch = Some(scratch);
        Ok(context)
    }

    fn task_done(&self, context: &UnitContext) -> Result<(), UnitError> {
        self.asked.note(context)
    }

    fn sum_up(&self, context: &UnitContext, round: usize, piece: usize) -> Result<u64, UnitError> {
        let failed = |error: CompareError| match error {
            CompareError::Store(error) => error.into(),
            error => UnitError::Sums { round, piece, source: Box::new(error) },
        };
        let maker = self.maker(context, round).map_err(failed)?;
        maker.make(&context.plan, &context.contract, &context.run, &context.sample, piece).map_err(failed)
    }
}

impl Host {
    /// Returns who makes the pieces of a round; what was asked for is read once for all pieces.
    fn maker(&self, context: &UnitContext, round: usize) -> Result<Arc<SumMaker>, CompareError> {
        let round = Round::of(round).ok_or(CompareError::NotAsked)?;
        // Held while it is read: whoever comes meanwhile waits for it.
        let mut makers = self.makers.lock().unwrap_or_else(PoisonError::into_inner);
        let of_run = Arc::downgrade(&context.plan);
        makers.retain(|(plan, maker)| plan.strong_count() > 0 && (!plan.ptr_eq(&of_run) || maker.round() == round));
        if let Some((_, maker)) = makers.iter().find(|(plan, _)| plan.ptr_eq(&of_run)) {
            return Ok(Arc::clone(maker));
        }
        let maker = Arc::new(SumMaker::of(&context.run, round)?);
        makers.push((of_run, Arc::clone(&maker)));
        Ok(maker)
    }
}

#[cfg(test)]
#[path = "executor_tests.rs"]
mod tests;
