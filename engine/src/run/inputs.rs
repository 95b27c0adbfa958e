//! What a run is made from, and by what content it is known. Nothing is built here: whether there is anything to do is
//! not known yet.

use std::path::PathBuf;
use std::sync::Arc;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::RunError;
use super::rejudge::report_hash;
use crate::benchmark::spec::SessionsPath;
use crate::benchmark::{CorpusPlan, Plan, ScorerSource};
use crate::load::beir::BeirFiles;
use crate::load::{self, LoadError};
use crate::replay::Pipeline;
use crate::score::ScoringContract;
use crate::score::wasm::PluginHost;
use crate::storage::is_url;
use crate::store::{InputHash, Manifest, StoreError};

/// A run whose identity is known.
pub(super) struct Prepared {
    pub(super) contract: ScoringContract,
    /// The pipelines' hashes.
    pub(super) hashes: Vec<String>,
    pub(super) manifest: Manifest,
}

/// Loads the scorers and reads every input once, for its hash.
pub(super) fn prepare(plan: &Plan, plugins: &Arc<PluginHost>) -> Result<Prepared, RunError> {
    let hashes = match &plan.borrowed {
        Some(borrowed) => borrowed.pipelines.iter().map(|pipeline| pipeline.pipeline_hash.clone()).collect(),
        None => Pipeline::hashes(&plan.pipelines)?,
    };
    let contract = ScoringContract::load(plan, plugins)?;
    let manifest = Manifest::of(plan, inputs(plan, &contract, &hashes)?).map_err(StoreError::manifest)?;
    Ok(Prepared { contract, hashes, manifest })
}

/// The content of everything that the run depends on.
fn inputs(plan: &Plan, contract: &ScoringContract, hashes: &[String]) -> Result<Vec<InputHash>, RunError> {
    let mut inputs = Vec::new();
    for run in plan.borrowed.iter().flat_map(|borrowed| &borrowed.runs) {
        inputs.push(InputHash { name: format!("run {}", run.run_id), sha256: report_hash(&run.path)? });
    }
    let mut files = Vec::new();
    // Whoever borrows rankings borrows the sample with them.
    let session_files = if plan.borrowed.is_some() { Vec::new() } else { session_files(&plan.sessions)? };
    for path in session_files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        files.push((format!("sessions {name}"), path));
    }
    for scorer in &plan.scorers {
        if let ScorerSource::Plugin(plugin) = &scorer.source
            && let Some(items) = &plugin.items
        {
            files.extend(named(&format!("items of plugin {}", scorer.name), &items.corpus)?);
        }
    }
    if let Some(items) = plan.lists.as_ref().and_then(|lists| lists.items.as_ref()) {
        files.extend(named("items of lists", &items.corpus)?);
    }
    let hash = |(name, path): (String, PathBuf)| {
        InputHash::of_file(name, &path).map_err(|source| LoadError::Io { path, source })
    };
    let hashed: Vec<Result<InputHash, LoadError>> = files.into_par_iter().map(hash).collect();
    for input in hashed {
        inputs.push(input?);
    }
    for scorer in contract.scorers() {
        if let Some(sha256) = scorer.content_hash() {
            inputs.push(InputHash { name: format!("plugin {}", scorer.name()), sha256: sha256.to_owned() });
        }
    }
    for (pipeline, sha256) in plan.pipelines.iter().zip(hashes) {
        inputs.push(InputHash { name: format!("pipeline {}", pipeline.id), sha256: sha256.clone() });
    }
    Ok(inputs)
}

/// Returns the files of a corpus, each with what it is.
fn named(name: &str, corpus: &CorpusPlan) -> Result<Vec<(String, PathBuf)>, LoadError> {
    let files = load::documents::corpus_files(corpus)?;
    Ok(files.into_iter().map(|path| (name.to_owned(), path)).collect())
}

fn session_files(sessions: &SessionsPath) -> Result<Vec<PathBuf>, LoadError> {
    let mut files = Vec::new();
    match sessions {
        SessionsPath::Files(patterns) => {
            for pattern in patterns {
                files.extend(load::expand(pattern)?);
            }
        }
        SessionsPath::Ubi(ubi) => {
            files.extend(load::expand(&ubi.queries)?);
            files.extend(load::expand(&ubi.events)?);
        }
        SessionsPath::Trec(trec) => {
            files.extend(trec.topics.iter().map(PathBuf::from));
            files.push(PathBuf::from(&trec.qrels));
        }
        SessionsPath::Beir(directory) if is_url(directory) => {
            let BeirFiles { queries, qrels } = BeirFiles::find(directory)?;
            files.extend([queries, qrels]);
        }
        SessionsPath::Beir(directory) => {
            for pattern in ["queries.jsonl*", "qrels/*"] {
                files.extend(load::expand(&format!("{directory}/{pattern}"))?);
            }
        }
    }
    Ok(files)
}
