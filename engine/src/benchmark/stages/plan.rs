//! A stage as it will be done.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Bm25Plan, FusePlan, OnStageError, RecordedPlan, StageKindSpec, StageSpec, bm25, fuse, recorded};
use crate::benchmark::CorpusPlan;
use crate::benchmark::diagnostic::{Diagnostic, KeyPath};
use crate::benchmark::resolve::Context;
use crate::benchmark::spec::{RetrieverSpec, defaults};

/// One stage, ready to be built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StagePlan {
    /// The name under which it stands in the report, unique in its list of stages.
    pub name: String,
    /// What an error means.
    pub on_error: OnStageError,
    /// Number of hits that a source is asked for.
    pub depth: NonZeroUsize,
    /// What it does.
    pub does: StageKind,
}

impl StagePlan {
    /// Returns a stage of that kind with its usual name and the usual depth.
    #[must_use]
    pub fn of(does: StageKind) -> Self {
        let (name, on_error) = (does.as_str().to_owned(), OnStageError::default());
        Self { name, on_error, depth: defaults::DEPTH, does }
    }
}

/// What a stage does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StageKind {
    /// Rankings from a TREC run or a Parquet table.
    Recorded(RecordedPlan),
    /// The list that the session was shown.
    Shown,
    /// BM25 over the text fields of a corpus.
    Bm25(Bm25Plan),
    /// Several lists of hits made into one.
    Fuse(FusePlan),
}

/// What the content of a stage's answer depends on besides its settings.
#[derive(Debug)]
pub enum Used<'a> {
    /// A file.
    File {
        /// The key of the stage that names it.
        key: &'static str,
        /// Where it lies.
        path: &'a mut PathBuf,
    },
    /// The files of a corpus.
    Corpus(&'a mut CorpusPlan),
}

impl StageKind {
    /// Returns the kind as written in the benchmark file.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Recorded(_) => "recorded",
            Self::Shown => "shown",
            Self::Bm25(_) => "bm25",
            Self::Fuse(_) => "fuse",
        }
    }

    /// Returns what the stage reads.
    pub fn uses(&mut self) -> Vec<Used<'_>> {
        match self {
            Self::Recorded(plan) => vec![Used::File { key: "path", path: &mut plan.path }],
            Self::Shown => Vec::new(),
            Self::Bm25(plan) => vec![Used::Corpus(&mut plan.corpus)],
            Self::Fuse(plan) => {
                let stages = plan.branches.iter_mut().flat_map(|branch| &mut branch.stages);
                stages.flat_map(|stage| stage.does.uses()).collect()
            }
        }
    }
}

/// Returns the stages of a retriever.
pub(in crate::benchmark) fn stages(
    context: &Context<'_>,
    retriever: &RetrieverSpec,
    keys: &KeyPath,
) -> Result<Vec<StagePlan>, Diagnostic> {
    if let Some(first) = retriever.stages.first()
        && first.on_error == Some(OnStageError::Skip)
    {
        let message = "without its source a retriever has no answer, and an error is no empty answer";
        let mistake = context.mistake(&keys.index(0).key("on-error"), message);
        return Err(mistake.with_help("`on-error = \"skip\"` is for transforms and for the branches of a `fuse`"));
    }
    branch_stages(context, retriever, &retriever.stages, keys)
}

/// Returns a list of stages that begins with a source.
pub(super) fn branch_stages(
    context: &Context<'_>,
    retriever: &RetrieverSpec,
    stages: &[StageSpec],
    keys: &KeyPath,
) -> Result<Vec<StagePlan>, Diagnostic> {
    if stages.is_empty() {
        return Err(context.mistake(keys, format!("retriever `{}` has no stage", retriever.id)));
    }
    let mut names = BTreeSet::new();
    let mut plans = Vec::with_capacity(stages.len());
    for (index, stage) in stages.iter().enumerate() {
        let keys = keys.index(index);
        let kind = stage.kind.as_str();
        if index == 0 && !stage.kind.is_source() {
            let message = format!("`{kind}` changes hits, and the first stage of a retriever must find them");
            return Err(context.mistake(&keys, message));
        }
        if index > 0 && stage.kind.is_source() {
            let message = format!("`{kind}` is a source, and a source is the first stage of its retriever");
            let mistake = context.mistake(&keys, message);
            return Err(mistake.with_help("a `fuse` stage makes the hits of several sources into one list"));
        }
        if index > 0 && stage.depth.is_some() {
            return Err(context.mistake(&keys.key("depth"), "`depth` is what a source is asked for, and this is none"));
        }
        plans.push(StagePlan {
            name: unique_name(context, stage, &mut names, &keys)?,
            on_error: stage.on_error.unwrap_or_default(),
            depth: stage.depth.unwrap_or(context.spec.depth),
            does: kind_plan(context, retriever, &stage.kind, &keys)?,
        });
    }
    Ok(plans)
}

/// A name that is written must be unique; one that is not becomes so.
fn unique_name(
    context: &Context<'_>,
    stage: &StageSpec,
    names: &mut BTreeSet<String>,
    keys: &KeyPath,
) -> Result<String, Diagnostic> {
    let kind = stage.kind.as_str();
    let name = match &stage.name {
        Some(name) if name.trim().is_empty() => return Err(context.mistake(&keys.key("name"), "the name is empty")),
        Some(name) if name.contains('/') => {
            let message = format!("name `{name}` has a `/`, which separates a stage from the stages inside of it");
            return Err(context.mistake(&keys.key("name"), message));
        }
        Some(name) if names.contains(name) => {
            return Err(context.mistake(&keys.key("name"), format!("two stages have the name `{name}`")));
        }
        Some(name) => name.clone(),
        None => {
            let numbered = (2..).map(|number| format!("{kind}-{number}"));
            let mut free = std::iter::once(kind.to_owned()).chain(numbered).filter(|name| !names.contains(name));
            free.next().unwrap_or_default()
        }
    };
    names.insert(name.clone());
    Ok(name)
}

fn kind_plan(
    context: &Context<'_>,
    retriever: &RetrieverSpec,
    kind: &StageKindSpec,
    keys: &KeyPath,
) -> Result<StageKind, Diagnostic> {
    Ok(match kind {
        StageKindSpec::Recorded(spec) => StageKind::Recorded(recorded::resolve(context, spec, keys)?),
        StageKindSpec::Shown(_) => StageKind::Shown,
        StageKindSpec::Bm25(spec) => StageKind::Bm25(bm25::resolve(context, spec, keys)?),
        StageKindSpec::Fuse(spec) => StageKind::Fuse(fuse::resolve(context, retriever, spec, keys)?),
    })
}
