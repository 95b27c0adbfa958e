//! What the server and its workers say to each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rematch_engine::benchmark::{ClusterAddress, Plan};
use rematch_engine::outbound::{Allowed, Outbound};
use rematch_engine::replay::Workspace;
use rematch_engine::replay::remote::Secrets;
use rematch_engine::sandbox::PluginHost;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    CheckOrder, ComponentOrder, EvaluateOrder, Failure, FoundHit, InspectOrder, NativeScorerOrder, QueryOrder,
    RejudgeOrder, ScoredSession, SearchOrder, SearchedStage,
};
use crate::settings::WorkerLimits;

/// All that a worker is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// What to do.
    pub order: Order,
    /// The organisation's folder: nothing outside of it is read or written.
    pub root: PathBuf,
    /// Private hosts that retrievers may ask.
    pub outbound_allow: Vec<String>,
    /// The operator's cluster, where he has one. Runs are done on it, and no retriever connects to it.
    #[serde(default)]
    pub cluster: Option<ClusterAddress>,
    /// Secrets of the organisation by name, for retrievers; empty where none is asked.
    #[serde(default)]
    pub secrets: Handed,
    /// What the kernel holds it to.
    pub limits: Limits,
    /// The process of the server: who is not its child any more does nothing.
    pub server: u32,
}

impl Task {
    /// Returns whom the worker may connect to.
    ///
    /// # Errors
    ///
    /// Returns an error for an entry of the operator's list that names no host.
    pub fn outbound(&self) -> Result<Outbound, Failure> {
        let allowed = self.outbound_allow.iter().map(|text| text.parse::<Allowed>()).collect::<Result<Vec<_>, _>>();
        let outbound = allowed.map(Outbound::public_and).map_err(|error| Failure::new("internal", error))?;
        Ok(match &self.cluster {
            // Whoever reaches the scheduler runs what he likes.
            Some(cluster) => outbound.but_not(cluster.host(), cluster.port()),
            None => outbound,
        })
    }

    /// Returns where retrievers may put what they need, what runs their components, and whom they may connect to. Every
    /// pipeline of a worker is built in one of these: that of the engine's default connects to everybody.
    ///
    /// # Errors
    ///
    /// As [`Self::outbound`].
    pub fn workspace(&self, scratch: &Path, plugins: Arc<PluginHost>) -> Result<Workspace, Failure> {
        let (scratch, plugins) = (scratch.to_owned(), Some(plugins));
        let (outbound, secrets) = (self.outbound()?, self.secrets.lookup());
        Ok(Workspace { scratch, plugins, outbound, secrets, ..Workspace::default() })
    }

    /// Checks that a plan names no file outside of the organisation's folder.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first one that does.
    pub fn check_paths(&self, plan: &Plan) -> Result<(), Failure> {
        plan.check_below(&self.root).map_err(|error| Failure::new("invalid_benchmark", error))
    }
}

/// Secrets on their way to a worker, through its stdin. They print as their names only.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Handed(pub BTreeMap<String, String>);

impl std::fmt::Debug for Handed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Handed {
    /// Returns what looks a secret up by its name, in the place of the environment.
    #[must_use]
    pub fn lookup(&self) -> Secrets {
        let known = self.0.clone();
        Arc::new(move |name| known.get(name).cloned())
    }
}

/// One thing to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Runs a benchmark, or goes on with it. Its outcome is `{"run_id", "state"}`; the artefacts lie in the run directory.
    Run(RunOrder),
    /// Runs a program that a tenant brought. Its outcome is `{"exit_code", "stdout", "stderr", "timed_out"}`.
    NativeScorer(NativeScorerOrder),
    /// Asks a retriever one search, or checks it. Its outcome is a [`SearchOutcome`](super::SearchOutcome).
    Search(SearchOrder),
    /// Measures a retriever by judged queries. Its outcome is an [`EvaluateOutcome`](super::EvaluateOutcome).
    Evaluate(EvaluateOrder),
    /// Runs benchmarks of which the scores of each session are wanted. Its outcome is a list of [`super::ScoredRun`].
    Score(super::ScoreOrder),
    /// Looks into an uploaded file. Its outcome is the inspection.
    Inspect(InspectOrder),
    /// Checks and compiles an uploaded component, and asks it what it is. Its outcome is `{"inspection", "description"}`.
    Component(ComponentOrder),
    /// Checks a benchmark before it is queued. Its outcome is `{"benchmark", "summary", "forecast"}` or `{"mistake"}`.
    Check(CheckOrder),
    /// Judges finished runs anew, or against each other: a run that replays nothing. Its outcome is that of [`Self::Run`].
    Rejudge(RejudgeOrder),
    /// Answers a query over the tables of a finished run. Its outcome is `{"columns", "rows", "truncated"}`.
    Query(QueryOrder),
}

impl Order {
    /// Returns what kind of thing it is.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::NativeScorer(_) => "native_scorer",
            Self::Search(_) => "search",
            Self::Evaluate(_) => "evaluate",
            Self::Score(_) => "score",
            Self::Inspect(_) => "inspect",
            Self::Component(_) => "component",
            Self::Check(_) => "check",
            Self::Rejudge(_) => "rejudge",
            Self::Query(_) => "query",
        }
    }

    /// Returns whether retrievers are asked, which may need secrets.
    pub(crate) fn asks_retrievers(&self) -> bool {
        matches!(self, Self::Run(_) | Self::Search(_) | Self::Evaluate(_) | Self::Score(_))
    }

    /// Returns the run directory of what may be done on a cluster.
    pub(crate) fn run_directory(&self) -> Option<&Path> {
        match self {
            Self::Run(order) => Some(&order.out),
            _ => None,
        }
    }

    /// Returns where its temporary files lie, when that is not in the organisation's folder: a program that runs as nobody
    /// reaches no folder below one of root's.
    pub(crate) fn temporary_files(&self) -> Option<PathBuf> {
        let is_scorer = matches!(self, Self::NativeScorer(_));
        (is_scorer && rustix::process::geteuid().is_root()).then(std::env::temp_dir)
    }
}

/// A benchmark to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunOrder {
    /// The benchmark file, TOML or, named `.yaml`, YAML or JSON; relative paths in it begin at its folder.
    pub benchmark: PathBuf,
    /// `key.path=value` each.
    pub overrides: Vec<String>,
    /// The run directory.
    pub out: PathBuf,
    /// Tries failed sessions again.
    pub retry_errors: bool,
}

/// Limits of a worker.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Limits {
    /// Memory that it may write to, bytes.
    pub memory_bytes: u64,
    /// Processor time, seconds.
    pub cpu_seconds: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Open files.
    pub open_files: u64,
    /// Processes and threads of this user, whoever started them.
    pub processes: u64,
}

/// Threads and processes of a user while a worker is there. It ends a bomb, and must be above all that runs anyway.
const PROCESSES: u64 = 16 << 10;

impl Limits {
    /// Returns the limits of something that may take that long.
    #[must_use]
    pub fn of(limits: &WorkerLimits, time: Duration) -> Self {
        Self {
            memory_bytes: limits.memory_bytes,
            cpu_seconds: limits.job_cpu.min(time.saturating_mul(8)).as_secs().max(1),
            file_bytes: limits.file_bytes,
            open_files: limits.open_files,
            processes: PROCESSES,
        }
    }
}

/// One line of a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The run entered a state.
    Phase(String),
    /// The sample is drawn.
    Sampled {
        /// Sessions that were loaded.
        loaded: u64,
        /// Sessions that will be replayed.
        sampled: u64,
    },
    /// A retriever is so far.
    Progress {
        /// Which one.
        retriever_id: String,
        /// Sessions done.
        done: u64,
        /// Of how many.
        total: u64,
        /// Failures among them.
        failed: u64,
    },
    /// Something that whoever asked may want to know, in words.
    Note(String),
    /// A stage of a search begins.
    StageBegan {
        /// Its place among the stages, from 0.
        position: usize,
        /// The number of stages.
        stages: usize,
        /// Its name.
        name: String,
        /// Its kind.
        kind: String,
    },
    /// A stage of a search has ended.
    StageEnded {
        /// Its place among the stages, from 0.
        position: usize,
        /// The number of stages.
        stages: usize,
        /// What it did.
        stage: SearchedStage,
        /// The first hits that left it.
        hits: Vec<FoundHit>,
    },
    /// Sessions of a run whose scores will not change any more.
    Scored {
        /// The run, by its place in the order.
        run: usize,
        /// The sessions.
        sessions: Vec<ScoredSession>,
    },
    /// The order is done.
    Done(Value),
    /// The order cannot be done.
    Failed {
        /// A stable identifier of the kind of failure.
        code: String,
        /// What is wrong.
        message: String,
    },
}

impl Message {
    /// Returns it as it stands in a job's journal.
    #[must_use]
    pub fn as_event(&self) -> Value {
        match self {
            Self::Phase(phase) => json!({ "type": "phase", "phase": phase }),
            Self::Sampled { loaded, sampled } => json!({ "type": "sampled", "loaded": loaded, "sampled": sampled }),
            Self::Progress { retriever_id, done, total, failed } => {
                json!({ "type": "progress", "retriever_id": retriever_id, "done": done, "total": total, "failed": failed })
            }
            Self::Note(note) => json!({ "type": "note", "note": note }),
            Self::StageBegan { name, .. } => json!({ "type": "stage", "stage": name, "state": "began" }),
            Self::StageEnded { stage, .. } => json!({ "type": "stage", "stage": stage.name, "state": stage.state }),
            Self::Scored { sessions, .. } => json!({ "type": "scored", "sessions": sessions.len() }),
            Self::Done(_) => json!({ "type": "done" }),
            Self::Failed { code, message } => json!({ "type": "failed", "code": code, "message": message }),
        }
    }
}

#[cfg(test)]
mod tests {
    /// Whoever builds pipelines in another workspace, or runs them in other surroundings, connects to everybody.
    #[test]
    fn every_pipeline_of_a_worker_is_held_to_the_operators_list() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/worker");
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let made = code.matches("Workspace::default()").count() + code.matches("..Surroundings::new(").count();
            let is_here = entry.file_name() == "order.rs" || entry.file_name() == "run.rs";
            assert_eq!(made, usize::from(is_here), "{:?}", entry.path());
            assert!(made == 0 || code.contains("outbound()?"), "{:?}", entry.path());
        }
    }
}
