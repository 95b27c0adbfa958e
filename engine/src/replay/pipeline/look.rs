//! Could pipelines be built over their data? Told by headers, footers and first rows.

use super::ReplayError;
use super::build::{
    Resources, for_each_stage, key, load_error, recorded_settings, sql_error, transform_error, vector_error,
};
use crate::benchmark::PipelinePlan;
use crate::benchmark::stages::{StageKind, StagePlan, Used};
use crate::load::recorded::Recording;
use crate::replay::retrievers::bm25::CorpusIndex;
use crate::replay::retrievers::{SqlRetriever, VectorRetriever};
use crate::replay::transforms::{Boost, Dedupe, FilterHits};

impl Resources<'_> {
    /// Looks at the data of every stage of a retriever, in the order in which they are built. Components and servers are not
    /// asked, and corpora behind URLs are not fetched.
    pub(super) fn look(&self, plan: &PipelinePlan) -> Result<(), ReplayError> {
        let mut looked = Ok(());
        for_each_stage(&plan.stages, &mut |stage| {
            if looked.is_ok() && !reads_a_corpus_behind_a_url(stage) {
                looked = self.look_at(plan, stage);
            }
        });
        looked
    }

    fn look_at(&self, plan: &PipelinePlan, stage: &StagePlan) -> Result<(), ReplayError> {
        match &stage.does {
            StageKind::Recorded(recorded) => {
                Recording::look(&recorded.path, &recorded_settings(recorded)).map_err(|source| load_error(plan, source))
            }
            StageKind::Bm25(bm25) => {
                let fields = self.fields_of(&key(&bm25.corpus));
                CorpusIndex::look(&bm25.corpus, &fields).map_err(|source| self.index_error(plan, &bm25.corpus, source))
            }
            StageKind::Vector(vector) => {
                VectorRetriever::look(vector).map_err(|source| vector_error(plan, vector, source))
            }
            StageKind::Sql(sql) => {
                SqlRetriever::look(sql, self.workspace).map_err(|source| sql_error(plan, stage, source))
            }
            StageKind::Filter(filter) => {
                FilterHits::look(filter).map_err(|source| transform_error(plan, stage, source))
            }
            StageKind::Boost(boost) => Boost::look(boost).map_err(|source| transform_error(plan, stage, source)),
            StageKind::Dedupe(dedupe) => Dedupe::look(dedupe).map_err(|source| transform_error(plan, stage, source)),
            // What is inside of a `fuse` is looked at on its own.
            StageKind::Shown
            | StageKind::Fuse(_)
            | StageKind::Truncate(_)
            | StageKind::Plugin(_)
            | StageKind::Rerank(_)
            | StageKind::Http(_)
            | StageKind::Postgres(_) => Ok(()),
        }
    }
}

fn reads_a_corpus_behind_a_url(stage: &StagePlan) -> bool {
    let mut does = stage.does.clone();
    let is_remote = |used: &Used<'_>| matches!(used, Used::Corpus(corpus) if corpus.is_behind_a_url());
    !matches!(does, StageKind::Fuse(_)) && does.uses().iter().any(is_remote)
}
