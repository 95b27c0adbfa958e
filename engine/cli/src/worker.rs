//! What every command that works on a run has in common: progress, signals, threads, and how the outcome is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rematch_engine::compare::gates::FailedRetriever;
use rematch_engine::outbound::Outbound;
use rematch_engine::report::Report;
use rematch_engine::run::{Outcome, RunError, Shard, Surroundings};
use rematch_engine::score::wasm::{HostSettings, PluginHost};

use crate::arguments::WorkArguments;
use crate::commands::{print, print_json};
use crate::exit::{Exit, Failure};
use crate::plugin_host::{Say, plugin_host};
use crate::progress::Progress;
use crate::terminal::{tell, visible, visible_within};
use crate::{environment, gatekeeper, ranking_cache, signals, summary};

/// Works on a run.
pub(crate) struct Worker<'a> {
    arguments: &'a WorkArguments,
    progress: Arc<Progress>,
    runtime: tokio::runtime::Runtime,
    /// Set by a signal.
    stop: Arc<AtomicBool>,
    /// The benchmark file, where the command line names it.
    benchmark: Option<&'a Path>,
}

impl<'a> Worker<'a> {
    /// Returns a worker with its threads and its progress bar.
    ///
    /// # Errors
    ///
    /// Returns an error when the system gives no threads.
    pub(crate) fn new(arguments: &'a WorkArguments) -> Result<Self, Failure> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        if let Some(threads) = arguments.threads {
            runtime.worker_threads(threads.get());
        }
        let progress = Arc::new(Progress::new(arguments.quiet));
        let runtime = runtime.enable_all().build()?;
        Ok(Self { arguments, progress, runtime, stop: Arc::default(), benchmark: None })
    }

    /// Names the benchmark file in what is said to the user.
    pub(crate) fn of(self, benchmark: &'a Path) -> Self {
        Self { benchmark: Some(benchmark), ..self }
    }

    /// Returns what the run needs to know of this process. From here on signals stop the run.
    ///
    /// # Errors
    ///
    /// Returns an error when plugins cannot be run on this machine.
    pub(crate) fn surroundings(
        &mut self,
        out: Option<PathBuf>,
        shard: Option<Shard>,
        may_have_plugins: bool,
    ) -> Result<Surroundings, Failure> {
        // A run without plugins needs no place to keep them.
        let plugins = match may_have_plugins {
            true => plugin_host(self.says())?,
            false => Arc::new(PluginHost::new(HostSettings::default())?),
        };
        let stop = plugins.stop();
        self.stop = Arc::clone(&stop);
        signals::stop_on_signal(Arc::clone(&stop))?;
        Ok(Surroundings {
            out,
            threads: self.arguments.threads,
            sessions_per_chunk: None,
            memory_bytes: self.arguments.memory_limit,
            shard,
            retry_errors: self.arguments.retry_errors,
            place: self.arguments.cluster.clone().unwrap_or_default(),
            listener: self.progress.clone(),
            stop,
            plugins,
            rankings: if self.arguments.no_cache { None } else { ranking_cache::rankings()? },
            secrets: environment::secrets(),
            outbound: Outbound::default(),
        })
    }

    /// Messages of plugins go where the progress is shown; quiet, they go nowhere.
    fn says(&self) -> Option<Say> {
        let progress = Arc::clone(&self.progress);
        (!self.arguments.quiet).then(|| -> Say { Arc::new(move |line| progress.line(line)) })
    }

    /// Waits for the run, and tells what became of it.
    ///
    /// # Errors
    ///
    /// Returns the error of the run.
    pub(crate) fn finish(self, run: impl Future<Output = Result<Outcome, RunError>>) -> Result<Exit, Failure> {
        let stop = self.stop.clone();
        let outcome = self.runtime.block_on(async {
            tokio::select! {
                outcome = run => outcome.map_err(Failure::from),
                () = out_of_patience(stop) => Err(interrupted()),
            }
        });
        self.progress.finish();
        // Work that was dropped is done anew another time: nobody waits for it.
        self.runtime.shutdown_background();
        match outcome? {
            Outcome::Finished(finished) => {
                let judgement = gatekeeper::judge(&finished)?;
                if self.arguments.json {
                    print_json(&finished.report)?;
                } else if !self.arguments.quiet {
                    print(&summary::render(&finished, &judgement))?;
                }
                tell_failures(&finished.report, self.benchmark);
                gatekeeper::tell(&judgement, self.arguments.json);
                Ok(gatekeeper::exit_of(&judgement))
            }
            Outcome::Shard { directory, shard, units } => {
                if !self.arguments.quiet {
                    let (index, count, directory) = (shard.index, shard.count, directory.display());
                    print(&format!(
                        "Shard {index} of {count} is done: {units} work units in {directory}\n\
                         `rematch merge` makes one run of all shards and writes the report.\n"
                    ))?;
                }
                Ok(Exit::Done)
            }
        }
    }
}

/// How long a run may take to stop by itself: longer than its work units may.
const PATIENCE: Duration = Duration::from_millis(3500);

/// Ends when a run was asked to stop and does not. Whatever it does then may be broken off: files are complete or absent.
async fn out_of_patience(stop: Arc<AtomicBool>) {
    let mut waited = Duration::ZERO;
    while waited < PATIENCE {
        let step = Duration::from_millis(50);
        tokio::time::sleep(step).await;
        if stop.load(Ordering::Relaxed) {
            waited += step;
        }
    }
}

fn interrupted() -> Failure {
    let error = anyhow::anyhow!("interrupted; what is done is kept, the same command goes on from there");
    Failure::new(Exit::Interrupted, error)
}

/// Characters of an error that are shown; a server may say as much as it likes.
const ERROR_CHARACTERS: usize = 300;

/// An arm that never ran is said on stderr too, so that it is seen whatever becomes of stdout.
fn tell_failures(report: &Report, benchmark: Option<&Path>) {
    for result in report.results.iter().filter(|result| result.answered_sessions == 0) {
        let (id, kinds) = (visible(&result.retriever_id), FailedRetriever::of(result).errors());
        tell(&format!("error: retriever `{id}` failed on every session ({kinds}); it is not scored"));
        let failed = result.stages.iter().filter(|stage| stage.failed > 0);
        if let Some((stage, error)) = failed.filter_map(|stage| Some((&stage.name, stage.first_error.as_ref()?))).next()
        {
            let (stage, error) = (visible(stage), visible_within(error, ERROR_CHARACTERS));
            tell(&format!("  its first error, of stage `{stage}`: {error}"));
        }
        let doctor = match benchmark {
            Some(benchmark) => format!("`rematch doctor {}`", visible(&benchmark.display().to_string())),
            None => "`rematch doctor` with its benchmark file".to_owned(),
        };
        tell(&format!("  {doctor} asks it once and says what to mend"));
    }
}
