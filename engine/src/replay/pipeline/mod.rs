//! Pipelines: what a plan's retrievers become, with the data they need in memory.

mod build;
mod contents;
mod data;
mod error;
mod look;
mod shared;
#[cfg(test)]
mod shared_tests;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

pub use error::ReplayError;
pub(crate) use shared::{CHUNKS_SIDE_BY_SIDE, begin_alike};

use self::build::Resources;
use self::contents::Contents;
use self::shared::Prefixes;
use super::Retriever;
use super::cache::{PipelineRankings, RankingCache};
use super::remote::{Policy, RemoteCounts, Secrets, no_secrets};
use super::stages::{Answered, Flight, Source, Stage, Stages};
use crate::benchmark::PipelinePlan;
use crate::benchmark::stages::OnStageError;
use crate::outbound::Outbound;
use crate::sandbox::PluginHost;
use crate::session::Session;

/// A retriever of a benchmark, ready to answer.
#[derive(Clone)]
pub struct Pipeline {
    id: String,
    name: String,
    pipeline_hash: String,
    /// One permit for each session that may be in flight, whoever replays it.
    flight: Arc<Flight>,
    stages: Arc<Stages>,
    /// Where its stages are those of another pipeline too.
    prefixes: Prefixes,
    /// What it answered in earlier runs, where that is kept.
    rankings: Option<Arc<PipelineRankings>>,
    /// How its servers are asked, by the names of its stages.
    remotes: Vec<(String, Arc<Policy>)>,
}

/// Where retrievers may put what they need, how much memory they may take for it, what runs their components, what is known
/// from earlier runs, who knows their credentials, and whom they may connect to.
#[derive(Clone)]
pub struct Workspace {
    /// A folder of this machine for files that nobody needs after the run.
    pub scratch: PathBuf,
    /// Memory for sorting, bytes.
    pub memory_bytes: usize,
    /// What runs components; where `None`, they are compiled in this process and not kept.
    pub plugins: Option<Arc<PluginHost>>,
    /// Rankings of earlier runs; nothing is kept where `None`.
    pub rankings: Option<Arc<RankingCache>>,
    /// Looks up the environment variables that hold credentials.
    pub secrets: Secrets,
    /// Whom retrievers may connect to.
    pub outbound: Outbound,
}

impl Workspace {
    /// Memory for sorting where nothing else is said, bytes.
    pub const MEMORY_BYTES: usize = 256 << 20;
}

/// The system's folder for temporary files, no credentials, and everybody to connect to.
impl Default for Workspace {
    fn default() -> Self {
        let (scratch, memory_bytes) = (std::env::temp_dir(), Self::MEMORY_BYTES);
        let (secrets, outbound) = (no_secrets(), Outbound::default());
        Self { scratch, memory_bytes, plugins: None, rankings: None, secrets, outbound }
    }
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { scratch, memory_bytes, .. } = self;
        let mut fields = formatter.debug_struct("Workspace");
        fields.field("scratch", scratch).field("memory_bytes", memory_bytes).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.stages.source.does.kind();
        formatter.debug_struct("Pipeline").field("id", &self.id).field("source", &kind).finish_non_exhaustive()
    }
}

impl Pipeline {
    /// Returns the [`Pipeline::pipeline_hash`] of every pipeline of a plan, in order. It reads every file that they use.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first retriever whose files cannot be read.
    pub fn hashes(plans: &[PipelinePlan]) -> Result<Vec<String>, ReplayError> {
        let contents = Contents::read(plans);
        plans.iter().map(|plan| contents.pipeline_hash(plan)).collect()
    }

    /// Loads every component that a stage of the plans is, and nothing else.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first stage whose component cannot be used or refuses its parameters.
    pub fn check_plugins(plans: &[PipelinePlan], workspace: &Workspace) -> Result<(), ReplayError> {
        let mut resources = Resources::new(plans, workspace);
        plans.iter().try_for_each(|plan| resources.check_plugins(plan))
    }

    /// Looks whether the data of every pipeline of a plan are what its stages read: columns that are there, files of their format. It
    /// reads headers, footers and first rows, and nothing that lies behind a URL but the footers of tables; it loads no component
    /// and asks no server.
    ///
    /// # Errors
    ///
    /// Returns an error that building the pipelines returns too.
    pub fn look(plans: &[PipelinePlan], workspace: &Workspace) -> Result<(), ReplayError> {
        let resources = Resources::new(plans, workspace);
        plans.iter().try_for_each(|plan| resources.look(plan))
    }

    /// Builds every pipeline of a plan, in order; `hashes` are those of [`Pipeline::hashes`]. Pipelines that search one
    /// corpus share one index over all fields that any of them uses, and pipelines that begin with the same stages run these
    /// once. It reads files and uses a whole processor core: call it outside the asynchronous runtime's threads.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first retriever that cannot be built.
    pub fn build_hashed(
        plans: &[PipelinePlan],
        hashes: Vec<String>,
        workspace: &Workspace,
    ) -> Result<Vec<Self>, ReplayError> {
        let mut resources = Resources::new(plans, workspace);
        let prefixes = Prefixes::of(plans);
        let mut pipelines = Vec::with_capacity(plans.len());
        for ((plan, pipeline_hash), prefixes) in plans.iter().zip(hashes).zip(prefixes) {
            let (id, name) = (plan.id.clone(), plan.name.clone());
            let stages = Arc::new(resources.stages(plan, &plan.stages)?);
            let remotes = resources.take_remotes();
            let flight = Flight::new(plan.concurrency);
            let pipeline = Self { id, name, pipeline_hash, flight, stages, prefixes, rankings: None, remotes };
            pipelines.push(match &workspace.rankings {
                Some(cache) if plan.cache => pipeline.kept_in(cache),
                _ => pipeline,
            });
        }
        Ok(pipelines)
    }

    /// Builds every pipeline of a plan, in order.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first retriever that cannot be built.
    pub fn build(plans: &[PipelinePlan], workspace: &Workspace) -> Result<Vec<Self>, ReplayError> {
        Self::build_hashed(plans, Self::hashes(plans)?, workspace)
    }

    /// Returns a pipeline around a retriever of the caller's own, which is asked for `depth` hits. `pipeline_hash` must
    /// change whenever an answer may.
    #[must_use]
    pub fn from_retriever(
        id: String,
        name: String,
        pipeline_hash: String,
        concurrency: NonZeroUsize,
        depth: NonZeroUsize,
        retriever: Arc<dyn Retriever>,
    ) -> Self {
        let (kind, on_error) = (retriever.kind().to_owned(), OnStageError::Fail);
        let source = Stage { name: kind, on_error, depth: depth.get(), does: Source::Asked(retriever) };
        let stages = Arc::new(Stages { source, transforms: Vec::new() });
        let (flight, prefixes) = (Flight::new(concurrency), Prefixes::default());
        Self { id, name, pipeline_hash, flight, stages, prefixes, rankings: None, remotes: Vec::new() }
    }

    /// Returns what the servers of its stages were asked since it was built, by the names that the stages have in records.
    #[must_use]
    pub fn remote_counts(&self) -> Vec<(String, RemoteCounts)> {
        self.remotes.iter().map(|(stage, policy)| (stage.clone(), policy.counts())).collect()
    }

    /// Returns the pipeline with answers that are kept, and known again in later runs. Its `pipeline_hash` must be that of
    /// no other pipeline.
    #[must_use]
    pub fn kept_in(self, cache: &Arc<RankingCache>) -> Self {
        let (stages, reads) = (self.stages.names(), self.stages.reads());
        let rankings = Some(Arc::new(PipelineRankings::new(cache, &self.pipeline_hash, stages, reads)));
        Self { rankings, ..self }
    }

    /// Returns the retriever's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the name shown to people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the SHA-256, in lower-case hex, of the stages' settings and of the BLAKE3 hash of every file they use. Neither
    /// the retriever's id, nor its stages' names, nor where files lie, nor the concurrency changes it.
    #[must_use]
    pub fn pipeline_hash(&self) -> &str {
        &self.pipeline_hash
    }

    /// Returns the number of sessions in flight at once.
    #[must_use]
    pub fn concurrency(&self) -> NonZeroUsize {
        self.flight.concurrency
    }

    /// Forgets answers that it keeps for other pipelines of the plan: what is asked from now on is asked anew.
    pub(crate) fn forget_shared(&self) {
        self.prefixes.forget();
    }

    /// Returns whether it begins with stages that another pipeline of the plan begins with.
    pub(crate) fn shares_stages(&self) -> bool {
        !self.prefixes.is_empty()
    }

    /// Returns the source, where it is all that there is.
    pub(super) fn lone_source(&self) -> Option<&Stage<Source>> {
        (self.stages.transforms.is_empty() && self.prefixes.is_empty()).then_some(&self.stages.source)
    }

    /// Returns its stages.
    pub(super) fn stages(&self) -> &Arc<Stages> {
        &self.stages
    }

    /// Returns what limits the sessions that are on their way at once.
    pub(super) fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    /// Returns the answers of all stages to a chunk of sessions, with at least the first `depth` hits of each: those that
    /// are known from earlier runs, and those of the stages, which are kept for later ones.
    pub(super) async fn answer(&self, sessions: &Arc<[Session]>, depth: usize) -> Result<Vec<Answered>, ReplayError> {
        let Some(rankings) = &self.rankings else { return self.ask(sessions).await };
        let (kept, wanted) = (Arc::clone(rankings), Arc::clone(sessions));
        // Files take a thread of their own.
        let mut answers = tokio::task::spawn_blocking(move || kept.look_up(&wanted, depth)).await?;
        let missing: Vec<usize> =
            answers.iter().enumerate().filter(|(_, answer)| answer.is_none()).map(|(index, _)| index).collect();
        if missing.is_empty() {
            return Ok(answers.into_iter().flatten().collect());
        }
        // The very same chunk where all of it is missing: pipelines that begin alike know each other's by it.
        let asked: Arc<[Session]> = match missing.len() == sessions.len() {
            true => Arc::clone(sessions),
            false => missing.iter().filter_map(|index| sessions.get(*index).cloned()).collect(),
        };
        let found = self.ask(&asked).await?;
        let rankings = Arc::clone(rankings);
        let keep = move || {
            rankings.keep(asked.iter().zip(&found), depth);
            found
        };
        for (index, answer) in missing.into_iter().zip(tokio::task::spawn_blocking(keep).await?) {
            if let Some(slot) = answers.get_mut(index) {
                *slot = Some(answer);
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// Returns the answers of all stages to a chunk of sessions.
    async fn ask(&self, sessions: &Arc<[Session]>) -> Result<Vec<Answered>, ReplayError> {
        self.prefixes.answer(&self.stages, sessions, &self.flight).await
    }
}
