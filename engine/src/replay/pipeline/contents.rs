//! What pipelines are known by: their settings, and the content of every file that they read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::ReplayError;
use crate::benchmark::stages::{StageKind, StagePlan, Used};
use crate::benchmark::{PipelinePlan, PolicyPlan};
use crate::load::{LoadError, documents};
use crate::store::{blake3_of_file, sha256_of_bytes};

/// Content hashes by file.
pub(super) struct Contents(BTreeMap<PathBuf, String>);

impl Contents {
    /// Reads every file that the pipelines use, on the available cores: a hash is made byte after byte, and keeps one of them busy.
    pub(super) fn read(plans: &[PipelinePlan]) -> Self {
        let mut files = BTreeSet::new();
        for stage in plans.iter().flat_map(|plan| &plan.stages) {
            for used in stage.clone().does.uses() {
                match used {
                    Used::File { path, .. } => drop(files.insert(path.clone())),
                    // Whoever needs the files of a corpus that has none says so.
                    Used::Corpus(corpus) => files.extend(documents::corpus_files(corpus).unwrap_or_default()),
                }
            }
        }
        let hash = |file: PathBuf| blake3_of_file(&file).ok().map(|hash| (file, hash));
        Self(files.into_par_iter().filter_map(hash).collect())
    }

    /// Returns the hash of a pipeline.
    ///
    /// # Errors
    ///
    /// Returns an error that names the retriever where a file cannot be read.
    pub(super) fn pipeline_hash(&self, plan: &PipelinePlan) -> Result<String, ReplayError> {
        let canonical = self.canonical(&plan.stages);
        let canonical = canonical.map_err(|source| ReplayError::Load { retriever: plan.id.clone(), source })?;
        let canonical = serde_json::to_vec(&canonical)
            .map_err(|source| ReplayError::Canonical { retriever: plan.id.clone(), source })?;
        Ok(sha256_of_bytes(&canonical))
    }

    /// Returns the stages without their names, and with each path replaced by the content behind it.
    fn canonical(&self, stages: &[StagePlan]) -> Result<Vec<StagePlan>, LoadError> {
        let mut canonical = stages.to_vec();
        for stage in &mut canonical {
            stage.name.clear();
            if let Some(policy) = stage.does.policy_mut() {
                // How a server is asked does not change what it answers.
                *policy = PolicyPlan::default();
            }
            if let StageKind::Fuse(plan) = &mut stage.does {
                for branch in &mut plan.branches {
                    branch.stages = self.canonical(&branch.stages)?;
                }
                continue;
            }
            for used in stage.does.uses() {
                match used {
                    Used::File { path, .. } => *path = self.content_hash(path)?.into(),
                    Used::Corpus(corpus) => {
                        let files = documents::corpus_files(corpus)?;
                        // The order of the files numbers the documents, and the ending of a name says how they are read.
                        let content =
                            |file: &PathBuf| Ok(format!("{}.{}", self.content_hash(file)?, documents::ending(file)));
                        let contents = files.iter().map(content).collect::<Result<Vec<String>, LoadError>>()?;
                        corpus.path = contents.join(" ").into();
                    }
                }
            }
        }
        Ok(canonical)
    }

    /// Returns the hash of a file; one that could not be read is tried again, for its error.
    fn content_hash(&self, path: &Path) -> Result<String, LoadError> {
        match self.0.get(path) {
            Some(hash) => Ok(hash.clone()),
            None => blake3_of_file(path).map_err(|source| LoadError::Io { path: path.to_owned(), source }),
        }
    }
}
