//! Pipelines: what a plan's retrievers become, with the data they need in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::error::ArrowError;
use tokio::sync::Semaphore;

use super::Retriever;
use super::retrievers::bm25::{Bm25Retriever, Bm25Settings, CorpusIndex, IndexError};
use super::retrievers::{RecordedRetriever, ShownRetriever};
use crate::benchmark::{CorpusPlan, PipelinePlan, StagePlan};
use crate::load::recorded::{RecordedSettings, Recording};
use crate::load::{LoadError, documents};
use crate::store::{sha256_of_bytes, sha256_of_file};

/// Why a pipeline cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// A file that the retriever needs cannot be read.
    #[error("retriever `{retriever}` cannot be built")]
    Load {
        /// The retriever.
        retriever: String,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// A corpus cannot be indexed.
    #[error("retriever `{retriever}` cannot be built: corpus `{corpus}` cannot be indexed")]
    Index {
        /// The retriever.
        retriever: String,
        /// The corpus's name.
        corpus: String,
        /// Why.
        #[source]
        source: Box<IndexError>,
    },
    /// The settings have no canonical text to hash.
    #[error("retriever `{retriever}`: its settings cannot be written as JSON")]
    Canonical {
        /// The retriever.
        retriever: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The thread that read a recording died.
    #[error("a reader of recorded rankings died")]
    Reader(#[from] tokio::task::JoinError),
    /// The answers do not fit into one table.
    #[error("the answers of retriever `{retriever}` do not fit into a table; a smaller `depth` helps")]
    Rows {
        /// The retriever.
        retriever: String,
        /// Why.
        #[source]
        source: ArrowError,
    },
    /// The stages do not make a pipeline.
    #[error("retriever `{retriever}` has {count} stages, expected one: every kind of stage is a source")]
    Stages {
        /// The retriever.
        retriever: String,
        /// Number of stages.
        count: usize,
    },
}

/// A retriever of a benchmark, ready to answer.
#[derive(Clone)]
pub struct Pipeline {
    id: String,
    name: String,
    pipeline_hash: String,
    concurrency: NonZeroUsize,
    /// One for each session that may be in flight, whoever replays it.
    permits: Arc<Semaphore>,
    source: Source,
}

/// Where a pipeline's hits come from.
#[derive(Clone)]
pub(super) enum Source {
    /// A retriever that is asked session by session.
    Each(Arc<dyn Retriever>),
    /// A recording, which answers whole chunks.
    Recorded(Arc<RecordedRetriever>),
}

impl Source {
    pub(super) fn retriever(&self) -> &dyn Retriever {
        match self {
            Self::Each(retriever) => retriever.as_ref(),
            Self::Recorded(retriever) => retriever.as_ref(),
        }
    }
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
        let kind = self.source.retriever().kind();
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
    /// corpus share one index over all fields that any of them uses. It reads files and uses a whole processor core: call
    /// it outside the asynchronous runtime's threads.
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
        plans.iter().zip(hashes).map(|(plan, hash)| resources.pipeline(plan, hash)).collect()
    }

    /// Builds every pipeline of a plan, in order.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first retriever that cannot be built.
    pub fn build(plans: &[PipelinePlan], workspace: &Workspace) -> Result<Vec<Self>, ReplayError> {
        Self::build_hashed(plans, Self::hashes(plans)?, workspace)
    }

    /// Returns a pipeline around a retriever of the caller's own. `pipeline_hash` must change whenever an answer may.
    #[must_use]
    pub fn from_retriever(
        id: String,
        name: String,
        pipeline_hash: String,
        concurrency: NonZeroUsize,
        source: Arc<dyn Retriever>,
    ) -> Self {
        Self::of_source(id, name, pipeline_hash, concurrency, Source::Each(source))
    }

    fn of_source(id: String, name: String, pipeline_hash: String, concurrency: NonZeroUsize, source: Source) -> Self {
        let permits = Arc::new(Semaphore::new(concurrency.get().min(Semaphore::MAX_PERMITS)));
        Self { id, name, pipeline_hash, concurrency, permits, source }
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
    /// the retriever's id, nor where files lie, nor the concurrency changes it.
    #[must_use]
    pub fn pipeline_hash(&self) -> &str {
        &self.pipeline_hash
    }

    /// Returns the number of sessions in flight at once.
    #[must_use]
    pub fn concurrency(&self) -> NonZeroUsize {
        self.concurrency
    }

    pub(super) fn permits(&self) -> &Semaphore {
        &self.permits
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }
}

/// A corpus by what its index depends on, besides the fields.
type CorpusKey = (PathBuf, String);

/// What pipelines share while they are built.
struct Resources<'a> {
    plans: &'a [PipelinePlan],
    workspace: &'a Workspace,
    /// By corpus: every field that a stage searches.
    fields: BTreeMap<CorpusKey, BTreeSet<String>>,
    indexes: BTreeMap<CorpusKey, Arc<CorpusIndex>>,
    /// Content hashes by file.
    hashes: BTreeMap<PathBuf, String>,
}

impl<'a> Resources<'a> {
    fn new(plans: &'a [PipelinePlan], workspace: &'a Workspace) -> Self {
        let mut used: BTreeMap<CorpusKey, BTreeSet<String>> = BTreeMap::new();
        for stage in plans.iter().flat_map(|plan| &plan.stages) {
            if let StagePlan::Bm25 { corpus, fields, .. } = stage {
                used.entry(key(corpus)).or_default().extend(fields.keys().cloned());
            }
        }
        Self { plans, workspace, fields: used, indexes: BTreeMap::new(), hashes: BTreeMap::new() }
    }

    fn pipeline_hash(&mut self, plan: &PipelinePlan) -> Result<String, ReplayError> {
        let canonical = self.canonical(&plan.stages);
        let canonical = canonical.map_err(|source| ReplayError::Load { retriever: plan.id.clone(), source })?;
        let canonical = serde_json::to_vec(&canonical)
            .map_err(|source| ReplayError::Canonical { retriever: plan.id.clone(), source })?;
        Ok(sha256_of_bytes(&canonical))
    }

    fn pipeline(&mut self, plan: &PipelinePlan, pipeline_hash: String) -> Result<Pipeline, ReplayError> {
        let [stage] = plan.stages.as_slice() else {
            return Err(ReplayError::Stages { retriever: plan.id.clone(), count: plan.stages.len() });
        };
        let load_error = |source| ReplayError::Load { retriever: plan.id.clone(), source };
        let source: Arc<dyn Retriever> = match stage {
            StagePlan::Recorded { path, missing, .. } => {
                let Workspace { scratch, memory_bytes } = self.workspace;
                let settings = recorded_settings(stage);
                let recording = Recording::open(path, &settings, scratch, *memory_bytes).map_err(load_error)?;
                let source = Source::Recorded(Arc::new(RecordedRetriever::new(recording, *missing)));
                let (id, name) = (plan.id.clone(), plan.name.clone());
                return Ok(Pipeline::of_source(id, name, pipeline_hash, plan.concurrency, source));
            }
            StagePlan::Shown => Arc::new(ShownRetriever),
            StagePlan::Bm25 { corpus, fields, k1, b, combine_fields } => {
                let settings = Bm25Settings { fields: fields.clone(), k1: *k1, b: *b, combine_fields: *combine_fields };
                Arc::new(Bm25Retriever::new(self.index(plan, corpus)?, &settings))
            }
        };
        let (id, name) = (plan.id.clone(), plan.name.clone());
        Ok(Pipeline::from_retriever(id, name, pipeline_hash, plan.concurrency, source))
    }

    fn index(&mut self, plan: &PipelinePlan, corpus: &CorpusPlan) -> Result<Arc<CorpusIndex>, ReplayError> {
        let key = key(corpus);
        if let Some(index) = self.indexes.get(&key) {
            return Ok(index.clone());
        }
        let fields: Vec<String> = self.fields.get(&key).into_iter().flatten().cloned().collect();
        let index = CorpusIndex::build(corpus, &fields).map_err(|source| ReplayError::Index {
            retriever: self.at_fault(&source, &key).unwrap_or(plan).id.clone(),
            corpus: corpus.name.clone(),
            source: Box::new(source),
        })?;
        let index = Arc::new(index);
        self.indexes.insert(key, index.clone());
        Ok(index)
    }

    /// Returns the first retriever that asks for a column that does not exist: the index is built for the first retriever
    /// that searches the corpus, with everyone's fields.
    fn at_fault(&self, error: &IndexError, key: &CorpusKey) -> Option<&'a PipelinePlan> {
        let IndexError::Load(LoadError::MissingColumn { column, .. }) = error else { return None };
        let asks = |stage: &StagePlan| match stage {
            StagePlan::Bm25 { corpus, fields, .. } => self::key(corpus) == *key && fields.contains_key(column),
            _ => false,
        };
        self.plans.iter().find(|plan| plan.stages.iter().any(asks))
    }

    /// Returns the stages with each path replaced by the content behind it.
    fn canonical(&mut self, stages: &[StagePlan]) -> Result<Vec<StagePlan>, LoadError> {
        let mut canonical = stages.to_vec();
        for stage in &mut canonical {
            match stage {
                StagePlan::Recorded { path, .. } => *path = self.content_hash(path)?.into(),
                StagePlan::Bm25 { corpus, .. } => {
                    let files = documents::corpus_files(corpus)?;
                    let mut hashes = files.iter().map(|file| self.content_hash(file)).collect::<Result<Vec<_>, _>>()?;
                    // The order of the files is that of their names, which are no part of the content.
                    hashes.sort();
                    corpus.path = hashes.join(" ").into();
                }
                StagePlan::Shown => {}
            }
        }
        Ok(canonical)
    }

    fn content_hash(&mut self, path: &Path) -> Result<String, LoadError> {
        if let Some(hash) = self.hashes.get(path) {
            return Ok(hash.clone());
        }
        let hash = sha256_of_file(path).map_err(|source| LoadError::Io { path: path.to_owned(), source })?;
        self.hashes.insert(path.to_owned(), hash.clone());
        Ok(hash)
    }
}

fn recorded_settings(stage: &StagePlan) -> RecordedSettings {
    match stage {
        StagePlan::Recorded { retriever_id, compatibility, session_column, hits_column, .. } => RecordedSettings {
            retriever_id: retriever_id.clone(),
            order: *compatibility,
            session_column: session_column.clone(),
            hits_column: hits_column.clone(),
        },
        _ => RecordedSettings::default(),
    }
}

fn key(corpus: &CorpusPlan) -> CorpusKey {
    (corpus.path.clone(), corpus.id.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tempfile::TempDir;

    use super::*;
    use crate::benchmark::spec::{CombineFields, Compatibility, Missing};

    fn plan(id: &str, stage: StagePlan) -> PipelinePlan {
        PipelinePlan { id: id.into(), name: id.into(), stages: vec![stage], concurrency: NonZeroUsize::MIN }
    }

    fn bm25(path: PathBuf, fields: &[&str], k1: f64) -> StagePlan {
        let corpus = CorpusPlan { name: "docs".into(), path, id: "id".into() };
        let fields: BTreeMap<String, f64> = fields.iter().map(|field| ((*field).to_owned(), 1.0)).collect();
        StagePlan::Bm25 { corpus, fields, k1, b: 0.75, combine_fields: CombineFields::Bm25f }
    }

    fn recorded_run(path: PathBuf) -> StagePlan {
        let (missing, compatibility) = (Missing::Error, Compatibility::Strict);
        StagePlan::Recorded {
            path,
            retriever_id: None,
            session_column: None,
            hits_column: None,
            missing,
            compatibility,
        }
    }

    fn write(folder: &TempDir, name: &str, content: &str) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn hash(stage: StagePlan) -> String {
        Pipeline::build(&[plan("any", stage)], &Workspace::default()).unwrap()[0].pipeline_hash().to_owned()
    }

    const DOCUMENTS: &str = "{\"id\": 1, \"title\": \"a\", \"text\": \"b\"}\n";

    #[test]
    fn the_hash_follows_settings_and_content_only() {
        let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let docs = write(&here, "docs.jsonl", DOCUMENTS);
        let original = hash(bm25(docs.clone(), &["title"], 1.2));
        assert_eq!(original.len(), 64);
        assert_eq!(original, hash(bm25(write(&there, "moved.jsonl", DOCUMENTS), &["title"], 1.2)), "elsewhere");
        assert_ne!(original, hash(bm25(docs.clone(), &["title"], 1.3)), "another setting");
        assert_ne!(original, hash(bm25(docs.clone(), &["title", "text"], 1.2)), "another field");
        write(&here, "docs.jsonl", &format!("{DOCUMENTS}{{\"id\": 2}}\n"));
        assert_ne!(original, hash(bm25(docs, &["title"], 1.2)), "another document");

        let run = write(&here, "run", "s Q0 a 1 1 t\n");
        let original = hash(recorded_run(run.clone()));
        assert_eq!(original, hash(recorded_run(write(&there, "other", "s Q0 a 1 1 t\n"))));
        write(&here, "run", "s Q0 b 1 1 t\n");
        assert_ne!(original, hash(recorded_run(run)));
        assert_ne!(original, hash(StagePlan::Shown));
    }

    #[test]
    fn concurrency_and_names_do_not_change_the_hash() {
        let mut other = plan("b", StagePlan::Shown);
        other.concurrency = NonZeroUsize::new(9).unwrap();
        let pipelines = Pipeline::build(&[plan("a", StagePlan::Shown), other], &Workspace::default()).unwrap();
        assert_eq!(pipelines[0].pipeline_hash(), pipelines[1].pipeline_hash());
        assert_eq!((pipelines[1].id(), pipelines[1].concurrency().get()), ("b", 9));
    }

    #[test]
    fn pipelines_over_one_corpus_share_an_index() {
        let folder = TempDir::new().unwrap();
        let docs = write(&folder, "docs.jsonl", DOCUMENTS);
        let plans = [plan("a", bm25(docs.clone(), &["title"], 1.2)), plan("b", bm25(docs, &["text"], 1.2))];
        let workspace = Workspace::default();
        let mut resources = Resources::new(&plans, &workspace);
        let pipelines: Vec<Pipeline> =
            plans.iter().map(|plan| resources.pipeline(plan, String::new()).unwrap()).collect();
        assert_eq!((pipelines.len(), resources.indexes.len()), (2, 1));
        let index = resources.indexes.values().next().unwrap();
        assert!(index.has_field("title") && index.has_field("text"));
        assert_eq!(Arc::strong_count(index), 3, "ours and one per pipeline");
    }

    #[test]
    fn errors_name_the_retriever_at_fault() {
        let folder = TempDir::new().unwrap();
        let docs = write(&folder, "docs.jsonl", DOCUMENTS);
        let plans = [plan("fine", bm25(docs.clone(), &["title"], 1.2)), plan("wrong", bm25(docs, &["body"], 1.2))];
        let error = Pipeline::build(&plans, &Workspace::default()).unwrap_err();
        assert_eq!(error.to_string(), "retriever `wrong` cannot be built: corpus `docs` cannot be indexed");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("has no column `body`"), "{source}");

        let error = Pipeline::build(&[plan("absent", recorded_run(folder.path().join("none")))], &Workspace::default())
            .unwrap_err();
        assert!(
            matches!(&error, ReplayError::Load { retriever, source: LoadError::Io { .. } } if retriever == "absent")
        );
        let mut two = plan("two", StagePlan::Shown);
        two.stages.push(StagePlan::Shown);
        let error = Pipeline::build(&[two], &Workspace::default()).unwrap_err();
        assert_eq!(error.to_string(), "retriever `two` has 2 stages, expected one: every kind of stage is a source");
    }
}
