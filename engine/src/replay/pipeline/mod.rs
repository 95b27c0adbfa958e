//! Pipelines: what a plan's retrievers become, with the data they need in memory.

mod build;
mod error;
mod shared;
#[cfg(test)]
mod shared_tests;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

pub use error::ReplayError;

use self::build::Resources;
use self::shared::Prefixes;
use super::Retriever;
use super::stages::{Answered, Flight, Source, Stage, Stages};
use crate::benchmark::PipelinePlan;
use crate::benchmark::stages::OnStageError;
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
}

/// Where retrievers may put what they need, and how much memory they may take for it.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// A folder of this machine for files that nobody needs after the run.
    pub scratch: PathBuf,
    /// Memory for sorting, bytes.
    pub memory_bytes: usize,
}

impl Workspace {
    /// Memory for sorting where nothing else is said, bytes.
    pub const MEMORY_BYTES: usize = 256 << 20;
}

impl Default for Workspace {
    fn default() -> Self {
        Self { scratch: std::env::temp_dir(), memory_bytes: Self::MEMORY_BYTES }
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
        let workspace = Workspace::default();
        let mut resources = Resources::new(plans, &workspace);
        plans.iter().map(|plan| resources.pipeline_hash(plan)).collect()
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
            let flight = Flight::new(plan.concurrency);
            pipelines.push(Self { id, name, pipeline_hash, flight, stages, prefixes });
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
        Self { id, name, pipeline_hash, flight, stages, prefixes }
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

    /// Returns the SHA-256, in lower-case hex, of the stages' settings and of the content of every file they use. Neither
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

    /// Returns whether it begins with stages that another pipeline of the plan begins with.
    pub(crate) fn shares_stages(&self) -> bool {
        !self.prefixes.is_empty()
    }

    /// Returns the source, where it is all that there is.
    pub(super) fn lone_source(&self) -> Option<&Stage<Source>> {
        (self.stages.transforms.is_empty() && self.prefixes.is_empty()).then_some(&self.stages.source)
    }

    /// Returns the answers of all stages to a chunk of sessions.
    pub(super) async fn answer(&self, sessions: &Arc<[Session]>) -> Result<Vec<Answered>, ReplayError> {
        self.prefixes.answer(&self.stages, sessions, &self.flight).await
    }
}
