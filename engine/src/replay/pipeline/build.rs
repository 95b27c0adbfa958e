//! Builds pipelines: what their stages share is made once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::data::VectorTables;
use super::{ReplayError, Workspace};
use crate::benchmark::stages::http::HttpPlan;
use crate::benchmark::stages::{FusePlan, RecordedPlan, RerankPlan, Reranker, StageKind, StagePlan, VectorPlan};
use crate::benchmark::{CorpusPlan, PipelinePlan, PolicyPlan};
use crate::load::LoadError;
use crate::load::recorded::{RecordedSettings, Recording};
use crate::replay::Transform;
use crate::replay::fuse::{Branch, Fuse};
use crate::replay::plugin::{PluginError, PluginReranker, PluginRetriever};
use crate::replay::remote::Policy;
use crate::replay::retrievers::bm25::{Bm25Retriever, Bm25Settings, CorpusIndex, IndexError};
use crate::replay::retrievers::http::{HttpError, HttpReranker};
use crate::replay::retrievers::sql::SqlError;
use crate::replay::retrievers::vector::VectorError;
use crate::replay::retrievers::{HttpRetriever, RecordedRetriever, ShownRetriever};
use crate::replay::stages::{INSIDE, Source, Stage, Stages};
use crate::replay::transforms::{Boost, Dedupe, FilterHits, Rerank, Reranks, TransformError, Truncate};
use crate::sandbox::{HostSettings, PluginHost};

/// A corpus by what its index depends on, besides the fields.
pub(super) type CorpusKey = (PathBuf, String);

/// What pipelines share while they are built.
pub(super) struct Resources<'a> {
    plans: &'a [PipelinePlan],
    pub(super) workspace: &'a Workspace,
    /// By corpus: every field that a stage searches.
    fields: BTreeMap<CorpusKey, BTreeSet<String>>,
    indexes: BTreeMap<CorpusKey, Arc<CorpusIndex>>,
    pub(super) tables: VectorTables,
    /// What runs components: the workspace's, or one of our own.
    plugins: Option<Arc<PluginHost>>,
    /// The name of the stage that the present one is inside of, as a beginning of names in records.
    inside: String,
    /// How the servers of the present pipeline's stages are asked, by the names of the stages.
    remotes: Vec<(String, Arc<Policy>)>,
}

impl<'a> Resources<'a> {
    pub(super) fn new(plans: &'a [PipelinePlan], workspace: &'a Workspace) -> Self {
        let mut used: BTreeMap<CorpusKey, BTreeSet<String>> = BTreeMap::new();
        for plan in plans {
            for_each_stage(&plan.stages, &mut |stage| {
                if let StageKind::Bm25(plan) = &stage.does {
                    used.entry(key(&plan.corpus)).or_default().extend(plan.fields.keys().cloned());
                }
            });
        }
        Self {
            plans,
            workspace,
            fields: used,
            indexes: BTreeMap::new(),
            tables: BTreeMap::new(),
            plugins: workspace.plugins.clone(),
            inside: String::new(),
            remotes: Vec::new(),
        }
    }

    /// Returns how the servers of the pipeline that was built last are asked.
    pub(super) fn take_remotes(&mut self) -> Vec<(String, Arc<Policy>)> {
        std::mem::take(&mut self.remotes)
    }

    /// Returns how the server of a stage is asked.
    pub(super) fn policy(&mut self, plan: &PipelinePlan, stage: &StagePlan, policy: &PolicyPlan) -> Arc<Policy> {
        let policy = Arc::new(Policy::new(policy, plan.concurrency));
        self.remotes.push((format!("{}{}", self.inside, stage.name), Arc::clone(&policy)));
        policy
    }

    /// Builds a list of stages of the retriever `plan`.
    pub(super) fn stages(&mut self, plan: &PipelinePlan, stages: &[StagePlan]) -> Result<Stages, ReplayError> {
        let misplaced = |stage: &StagePlan, expected| {
            let (retriever, stage) = (plan.id.clone(), stage.name.clone());
            ReplayError::Stages { retriever, stage, expected }
        };
        let Some((source, transforms)) = stages.split_first() else {
            let (retriever, stage) = (plan.id.clone(), String::new());
            return Err(ReplayError::Stages { retriever, stage, expected: "source" });
        };
        let does = self.source(plan, source)?.ok_or_else(|| misplaced(source, "source"))?;
        let source = stage_of(source, does);
        let transforms = transforms.iter().map(|stage| {
            let does = self.transform(plan, stage)?.ok_or_else(|| misplaced(stage, "transform"))?;
            Ok(stage_of(stage, does))
        });
        Ok(Stages { source, transforms: transforms.collect::<Result<_, ReplayError>>()? })
    }

    /// Loads every component among the stages of a retriever, and lets go of it.
    pub(super) fn check_plugins(&mut self, plan: &PipelinePlan) -> Result<(), ReplayError> {
        let mut stages = Vec::new();
        for_each_stage(&plan.stages, &mut |stage| stages.push(stage.clone()));
        for stage in stages.iter().filter(|stage| stage.does.has_plugins()) {
            match &stage.does {
                StageKind::Plugin(_) => drop(self.source(plan, stage)?),
                StageKind::Rerank(_) => drop(self.transform(plan, stage)?),
                _ => {}
            }
        }
        Ok(())
    }

    /// Builds a transform; `None` where the stage is none.
    fn transform(&mut self, plan: &PipelinePlan, stage: &StagePlan) -> Result<Option<Arc<dyn Transform>>, ReplayError> {
        let failed = |source| transform_error(plan, stage, source);
        Ok(Some(match &stage.does {
            StageKind::Filter(filter) => Arc::new(FilterHits::build(filter).map_err(failed)?),
            StageKind::Boost(boost) => Arc::new(Boost::build(boost).map_err(failed)?),
            StageKind::Dedupe(dedupe) => Arc::new(Dedupe::build(dedupe).map_err(failed)?),
            StageKind::Truncate(truncate) => Arc::new(Truncate { k: truncate.k }),
            StageKind::Rerank(RerankPlan { by: Reranker::Plugin(plugin), top }) => {
                let host = self.plugins(plan, stage)?;
                let reranker = PluginReranker::load(&stage.name, plugin, &host);
                let reranker = Arc::new(reranker.map_err(|source| plugin_error(plan, stage, source))?);
                Arc::new(Rerank { by: Reranks::Plugin(reranker), top: *top })
            }
            StageKind::Rerank(RerankPlan { by: Reranker::Http(http), top }) => {
                let policy = self.policy(plan, stage, &http.policy);
                let reranker = HttpReranker::build(http, policy, &self.workspace.secrets, &self.workspace.outbound);
                let reranker = reranker.map_err(|source| http_error(plan, stage, source))?;
                Arc::new(Rerank { by: Reranks::Http(Box::new(reranker)), top: *top })
            }
            _ => return Ok(None),
        }))
    }

    /// Returns what runs components.
    fn plugins(&mut self, plan: &PipelinePlan, stage: &StagePlan) -> Result<Arc<PluginHost>, ReplayError> {
        if let Some(host) = &self.plugins {
            return Ok(Arc::clone(host));
        }
        let host = PluginHost::new(HostSettings::default());
        let host = Arc::new(host.map_err(|source| plugin_error(plan, stage, source.into()))?);
        self.plugins = Some(Arc::clone(&host));
        Ok(host)
    }

    /// Builds a source; `None` where the stage is none.
    fn source(&mut self, plan: &PipelinePlan, stage: &StagePlan) -> Result<Option<Source>, ReplayError> {
        Ok(Some(match &stage.does {
            StageKind::Recorded(recorded) => {
                let Workspace { scratch, memory_bytes, .. } = self.workspace;
                let settings = recorded_settings(recorded);
                let recording = Recording::open(&recorded.path, &settings, scratch, *memory_bytes);
                let recording = recording.map_err(|source| load_error(plan, source))?;
                let retriever = RecordedRetriever::new(&plan.id, &stage.name, recording, recorded.missing);
                Source::Recorded(Arc::new(retriever))
            }
            StageKind::Shown => Source::Asked(Arc::new(ShownRetriever)),
            StageKind::Bm25(bm25) => {
                let (fields, combine_fields) = (bm25.fields.clone(), bm25.combine_fields);
                let settings = Bm25Settings { fields, k1: bm25.k1, b: bm25.b, combine_fields };
                Source::Asked(Arc::new(Bm25Retriever::new(self.index(plan, &bm25.corpus)?, &settings)))
            }
            StageKind::Vector(vector) => Source::Asked(self.vector(plan, vector)?),
            StageKind::Sql(sql) => Source::Asked(self.sql(plan, stage, sql)?),
            StageKind::Postgres(postgres) => Source::Asked(self.postgres(plan, stage, postgres)?),
            StageKind::Fuse(fuse) => Source::Fuse(Arc::new(self.fuse(plan, stage, fuse)?)),
            StageKind::Plugin(plugin) => {
                let host = self.plugins(plan, stage)?;
                let retriever = PluginRetriever::load(&stage.name, plugin, &host);
                Source::Asked(Arc::new(retriever.map_err(|source| plugin_error(plan, stage, source))?))
            }
            StageKind::Http(http) => Source::Asked(Arc::new(self.http(plan, stage, http)?)),
            StageKind::Filter(_)
            | StageKind::Boost(_)
            | StageKind::Dedupe(_)
            | StageKind::Truncate(_)
            | StageKind::Rerank(_) => return Ok(None),
        }))
    }

    fn fuse(&mut self, plan: &PipelinePlan, stage: &StagePlan, fuse: &FusePlan) -> Result<Fuse, ReplayError> {
        let mut branches = Vec::with_capacity(fuse.branches.len());
        let outside = self.inside.clone();
        for (number, branch) in (1..).zip(&fuse.branches) {
            self.inside = format!("{outside}{}{INSIDE}{number}{INSIDE}", stage.name);
            branches.push(Branch { stages: Arc::new(self.stages(plan, &branch.stages)?), weight: branch.weight });
        }
        self.inside = outside;
        let FusePlan { method, rank_constant, normalise, .. } = *fuse;
        Ok(Fuse { branches, method, rank_constant, normalise })
    }

    fn http(&mut self, plan: &PipelinePlan, stage: &StagePlan, http: &HttpPlan) -> Result<HttpRetriever, ReplayError> {
        let policy = self.policy(plan, stage, &http.policy);
        let Workspace { secrets, outbound, .. } = self.workspace;
        HttpRetriever::build(http, policy, secrets, outbound).map_err(|source| http_error(plan, stage, source))
    }

    fn index(&mut self, plan: &PipelinePlan, corpus: &CorpusPlan) -> Result<Arc<CorpusIndex>, ReplayError> {
        let key = key(corpus);
        if let Some(index) = self.indexes.get(&key) {
            return Ok(index.clone());
        }
        let index = CorpusIndex::build(corpus, &self.fields_of(&key));
        let index = Arc::new(index.map_err(|source| self.index_error(plan, corpus, source))?);
        self.indexes.insert(key, index.clone());
        Ok(index)
    }

    /// Returns every field of a corpus that a stage searches.
    pub(super) fn fields_of(&self, key: &CorpusKey) -> Vec<String> {
        self.fields.get(key).into_iter().flatten().cloned().collect()
    }

    pub(super) fn index_error(&self, plan: &PipelinePlan, corpus: &CorpusPlan, source: IndexError) -> ReplayError {
        ReplayError::Index {
            retriever: self.at_fault(&source, &key(corpus)).unwrap_or(plan).id.clone(),
            corpus: corpus.name.clone(),
            source: Box::new(source),
        }
    }

    /// Returns the first retriever that asks for a column that does not exist: the index is built for the first retriever
    /// that searches the corpus, with everyone's fields.
    fn at_fault(&self, error: &IndexError, key: &CorpusKey) -> Option<&'a PipelinePlan> {
        let IndexError::Load(LoadError::MissingColumn { column, .. }) = error else { return None };
        let asks = |plan: &&PipelinePlan| {
            let mut found = false;
            for_each_stage(&plan.stages, &mut |stage| {
                if let StageKind::Bm25(plan) = &stage.does {
                    found |= self::key(&plan.corpus) == *key && plan.fields.contains_key(column);
                }
            });
            found
        };
        self.plans.iter().find(asks)
    }
}

pub(super) fn recorded_settings(plan: &RecordedPlan) -> RecordedSettings {
    RecordedSettings {
        retriever_id: plan.retriever_id.clone(),
        order: plan.compatibility,
        columns: plan.columns.clone(),
    }
}

pub(super) fn load_error(plan: &PipelinePlan, source: LoadError) -> ReplayError {
    ReplayError::Load { retriever: plan.id.clone(), source }
}

pub(super) fn vector_error(plan: &PipelinePlan, vector: &VectorPlan, source: VectorError) -> ReplayError {
    let (retriever, corpus) = (plan.id.clone(), vector.corpus.name.clone());
    ReplayError::Vectors { retriever, corpus, source: Box::new(source) }
}

pub(super) fn sql_error(plan: &PipelinePlan, stage: &StagePlan, source: SqlError) -> ReplayError {
    ReplayError::Sql { retriever: plan.id.clone(), stage: stage.name.clone(), source: Box::new(source) }
}

pub(super) fn transform_error(plan: &PipelinePlan, stage: &StagePlan, source: TransformError) -> ReplayError {
    ReplayError::Transform { retriever: plan.id.clone(), stage: stage.name.clone(), source: Box::new(source) }
}

fn http_error(plan: &PipelinePlan, stage: &StagePlan, source: HttpError) -> ReplayError {
    ReplayError::Http { retriever: plan.id.clone(), stage: stage.name.clone(), source }
}

fn plugin_error(plan: &PipelinePlan, stage: &StagePlan, source: PluginError) -> ReplayError {
    ReplayError::Plugin { retriever: plan.id.clone(), stage: stage.name.clone(), source: Box::new(source) }
}

fn stage_of<T>(plan: &StagePlan, does: T) -> Stage<T> {
    Stage { name: plan.name.clone(), on_error: plan.on_error, depth: plan.depth.get(), does }
}

/// Visits all stages, those inside of others too.
pub(super) fn for_each_stage(stages: &[StagePlan], visit: &mut dyn FnMut(&StagePlan)) {
    for stage in stages {
        visit(stage);
        if let StageKind::Fuse(plan) = &stage.does {
            plan.branches.iter().for_each(|branch| for_each_stage(&branch.stages, visit));
        }
    }
}

pub(super) fn key(corpus: &CorpusPlan) -> CorpusKey {
    (corpus.path.clone(), corpus.id.clone())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use tempfile::TempDir;

    use super::*;
    use crate::benchmark::spec::{CombineFields, Missing};
    use crate::benchmark::stages::Bm25Plan;
    use crate::benchmark::{HitOrder, RecordedColumns};
    use crate::replay::Pipeline;

    fn plan(id: &str, does: StageKind) -> PipelinePlan {
        PipelinePlan {
            id: id.into(),
            name: id.into(),
            stages: vec![StagePlan::of(does)],
            concurrency: NonZeroUsize::MIN,
            cache: false,
        }
    }

    fn bm25(path: PathBuf, fields: &[&str], k1: f64) -> StageKind {
        let corpus = CorpusPlan { name: "docs".into(), path, id: "id".into() };
        let fields: BTreeMap<String, f64> = fields.iter().map(|field| ((*field).to_owned(), 1.0)).collect();
        StageKind::Bm25(Bm25Plan { corpus, fields, k1, b: 0.75, combine_fields: CombineFields::Bm25f })
    }

    fn recorded_run(path: PathBuf) -> StageKind {
        let (missing, compatibility) = (Missing::Error, HitOrder::Strict);
        StageKind::Recorded(RecordedPlan {
            path,
            retriever_id: None,
            columns: RecordedColumns::default(),
            missing,
            compatibility,
        })
    }

    fn write(folder: &TempDir, name: &str, content: &str) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn hash(stage: StageKind) -> String {
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
        assert_ne!(original, hash(StageKind::Shown));
    }

    #[test]
    fn concurrency_and_names_do_not_change_the_hash() {
        let mut other = plan("b", StageKind::Shown);
        other.concurrency = NonZeroUsize::new(9).unwrap();
        let pipelines = Pipeline::build(&[plan("a", StageKind::Shown), other], &Workspace::default()).unwrap();
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
        let built: Vec<Stages> = plans.iter().map(|plan| resources.stages(plan, &plan.stages).unwrap()).collect();
        assert_eq!((built.len(), resources.indexes.len()), (2, 1));
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
        let mut two = plan("two", StageKind::Shown);
        two.stages.push(StagePlan::of(StageKind::Shown));
        let error = Pipeline::build(&[two], &Workspace::default()).unwrap_err();
        assert_eq!(error.to_string(), "retriever `two`: stage `shown` stands where a transform is expected");
    }
}
