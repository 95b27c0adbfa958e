//! A stage as it will be done.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::http::HttpPlan;
use super::spec::KindName;
use super::{
    Bm25Plan, BoostPlan, DedupePlan, FilterHitsPlan, FusePlan, OnStageError, PostgresPlan, RecordedPlan, RerankPlan,
    Reranker, SqlPlan, StageKindSpec, StageSpec, TruncatePlan, VectorPlan, bm25, fuse, http, plugin, postgres,
    recorded, sql, transforms, vector,
};
use crate::benchmark::diagnostic::{Diagnostic, KeyPath};
use crate::benchmark::resolve::Context;
use crate::benchmark::spec::{RetrieverSpec, defaults};
use crate::benchmark::{CorpusPlan, PluginPlan, PolicyPlan};

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
    /// The nearest vectors of a corpus.
    Vector(VectorPlan),
    /// A query over corpora.
    Sql(SqlPlan),
    /// A query of a Postgres database.
    Postgres(Box<PostgresPlan>),
    /// Several lists of hits made into one.
    Fuse(FusePlan),
    /// A component that answers searches.
    Plugin(PluginPlan),
    /// Takes hits out by what a corpus says of them.
    Filter(FilterHitsPlan),
    /// Changes scores by what a corpus says of the hits.
    Boost(BoostPlan),
    /// Leaves one hit of all that have the same value.
    Dedupe(DedupePlan),
    /// Cuts the list off.
    Truncate(TruncatePlan),
    /// Orders the top of the list anew.
    Rerank(RerankPlan),
    /// A search endpoint over HTTP.
    Http(Box<HttpPlan>),
}

/// Whether a stage's answers are kept for later runs; of several stages, the last in this order counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::benchmark) enum Caching {
    /// Unless the benchmark says no.
    ByDefault,
    /// Only where the benchmark says yes: a server answers, which may have changed.
    OnRequest,
    /// Never: an answer is a look-up anyway.
    Never,
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
            Self::Recorded(_) => KindName::Recorded,
            Self::Shown => KindName::Shown,
            Self::Bm25(_) => KindName::Bm25,
            Self::Vector(_) => KindName::Vector,
            Self::Sql(_) => KindName::Sql,
            Self::Postgres(_) => KindName::Postgres,
            Self::Fuse(_) => KindName::Fuse,
            Self::Plugin(_) => KindName::Plugin,
            Self::Filter(_) => KindName::Filter,
            Self::Boost(_) => KindName::Boost,
            Self::Dedupe(_) => KindName::Dedupe,
            Self::Truncate(_) => KindName::Truncate,
            Self::Rerank(_) => KindName::Rerank,
            Self::Http(_) => KindName::Http,
        }
        .as_str()
    }

    /// Returns whether answers are kept for later runs.
    pub(in crate::benchmark) fn caching(&self) -> Caching {
        match self {
            Self::Recorded(_) | Self::Shown => Caching::Never,
            Self::Http(_) | Self::Postgres(_) | Self::Rerank(RerankPlan { by: Reranker::Http(_), .. }) => {
                Caching::OnRequest
            }
            Self::Fuse(plan) => {
                let stages = plan.branches.iter().flat_map(|branch| &branch.stages);
                stages.map(|stage| stage.does.caching()).max().unwrap_or(Caching::Never)
            }
            Self::Bm25(_)
            | Self::Vector(_)
            | Self::Sql(_)
            | Self::Plugin(_)
            | Self::Filter(_)
            | Self::Boost(_)
            | Self::Dedupe(_)
            | Self::Truncate(_)
            | Self::Rerank(RerankPlan { by: Reranker::Plugin(_), .. }) => Caching::ByDefault,
        }
    }

    /// Returns whether a component takes part in the stage.
    #[must_use]
    pub fn has_plugins(&self) -> bool {
        match self {
            Self::Plugin(_) | Self::Rerank(RerankPlan { by: Reranker::Plugin(_), .. }) => true,
            Self::Fuse(plan) => {
                plan.branches.iter().flat_map(|branch| &branch.stages).any(|stage| stage.does.has_plugins())
            }
            _ => false,
        }
    }

    /// Returns what the stage reads.
    pub fn uses(&mut self) -> Vec<Used<'_>> {
        match self {
            Self::Recorded(plan) => vec![Used::File { key: "path", path: &mut plan.path }],
            Self::Shown | Self::Truncate(_) => Vec::new(),
            Self::Bm25(plan) => vec![Used::Corpus(&mut plan.corpus)],
            Self::Vector(plan) => vec![Used::Corpus(&mut plan.corpus)],
            Self::Sql(plan) => plan.corpora.iter_mut().map(Used::Corpus).collect(),
            Self::Filter(plan) => vec![Used::Corpus(&mut plan.corpus)],
            Self::Boost(plan) => vec![Used::Corpus(&mut plan.corpus)],
            Self::Dedupe(plan) => vec![Used::Corpus(&mut plan.corpus)],
            Self::Plugin(plan) => plugin_uses(plan),
            Self::Rerank(RerankPlan { by: Reranker::Plugin(plan), .. }) => plugin_uses(plan),
            Self::Fuse(plan) => {
                let stages = plan.branches.iter_mut().flat_map(|branch| &mut branch.stages);
                stages.flat_map(|stage| stage.does.uses()).collect()
            }
            Self::Postgres(plan) => {
                let path = plan.certificate_authority.iter_mut();
                path.map(|path| Used::File { key: "certificate-authority", path }).collect()
            }
            Self::Http(plan) | Self::Rerank(RerankPlan { by: Reranker::Http(plan), .. }) => {
                let path = plan.certificate_authority.iter_mut();
                path.map(|path| Used::File { key: "certificate-authority", path }).collect()
            }
        }
    }

    /// Returns how servers are asked, where the stage, or one inside of it, asks one.
    #[must_use]
    pub fn policy(&self) -> Option<&PolicyPlan> {
        match self {
            Self::Http(plan) | Self::Rerank(RerankPlan { by: Reranker::Http(plan), .. }) => Some(&plan.policy),
            Self::Postgres(plan) => Some(&plan.policy),
            Self::Fuse(plan) => {
                plan.branches.iter().flat_map(|branch| &branch.stages).find_map(|stage| stage.does.policy())
            }
            _ => None,
        }
    }

    /// Returns the environment variables from which the stage, or one inside of it, takes credentials.
    #[must_use]
    pub fn variables(&self) -> Vec<&str> {
        match self {
            Self::Http(plan) | Self::Rerank(RerankPlan { by: Reranker::Http(plan), .. }) => {
                plan.auth.variables().into_iter().map(|(_, variable)| variable).collect()
            }
            Self::Postgres(plan) => plan.variables(),
            Self::Fuse(plan) => {
                let stages = plan.branches.iter().flat_map(|branch| &branch.stages);
                stages.flat_map(|stage| stage.does.variables()).collect()
            }
            Self::Recorded(_)
            | Self::Shown
            | Self::Bm25(_)
            | Self::Vector(_)
            | Self::Sql(_)
            | Self::Plugin(_)
            | Self::Filter(_)
            | Self::Boost(_)
            | Self::Dedupe(_)
            | Self::Truncate(_)
            | Self::Rerank(RerankPlan { by: Reranker::Plugin(_), .. }) => Vec::new(),
        }
    }

    /// Returns how the server is asked, where the stage itself asks one.
    pub fn policy_mut(&mut self) -> Option<&mut PolicyPlan> {
        match self {
            Self::Http(plan) | Self::Rerank(RerankPlan { by: Reranker::Http(plan), .. }) => Some(&mut plan.policy),
            Self::Postgres(plan) => Some(&mut plan.policy),
            _ => None,
        }
    }
}

/// Returns what a component's answers depend on: the component, and the corpus of its items.
fn plugin_uses(plan: &mut PluginPlan) -> Vec<Used<'_>> {
    let corpus = plan.items.as_mut().map(|items| Used::Corpus(&mut items.corpus));
    [Used::File { key: "plugin", path: &mut plan.path }].into_iter().chain(corpus).collect()
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
        return Err(context.mistake(keys, "no stage is given, expected at least a source"));
    }
    let written: BTreeSet<&str> = stages.iter().filter_map(|stage| stage.name.as_deref()).collect();
    let mut names = BTreeSet::new();
    let mut plans = Vec::with_capacity(stages.len());
    for (index, stage) in stages.iter().enumerate() {
        let keys = keys.index(index);
        let kind = stage.kind.as_str();
        if index == 0 && !stage.kind.is_source() {
            let message = format!("`{kind}` changes hits, and the first stage must find them");
            return Err(context.mistake(&keys, message));
        }
        if index > 0 && stage.kind.is_source() {
            let message = format!("`{kind}` is a source, and a source stands first");
            let mistake = context.mistake(&keys, message);
            return Err(mistake.with_help("a `fuse` stage makes the hits of several sources into one list"));
        }
        if index > 0 && stage.depth.is_some() {
            return Err(context.mistake(&keys.key("depth"), "`depth` is what a source is asked for, and this is none"));
        }
        let depth = stage.depth.unwrap_or(context.spec.depth);
        plans.push(StagePlan {
            name: unique_name(context, stage, &written, &mut names, &keys)?,
            on_error: stage.on_error.unwrap_or_default(),
            depth,
            does: kind_plan(context, retriever, &stage.kind, depth, &keys)?,
        });
    }
    Ok(plans)
}

/// A name that is written must be unique; one that is not becomes so.
fn unique_name(
    context: &Context<'_>,
    stage: &StageSpec,
    written: &BTreeSet<&str>,
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
            let mut free = std::iter::once(kind.to_owned())
                .chain(numbered)
                .filter(|name| !names.contains(name) && !written.contains(name.as_str()));
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
    depth: NonZeroUsize,
    keys: &KeyPath,
) -> Result<StageKind, Diagnostic> {
    Ok(match kind {
        StageKindSpec::Recorded(spec) => StageKind::Recorded(recorded::resolve(context, spec, keys)?),
        StageKindSpec::Shown(_) => StageKind::Shown,
        StageKindSpec::Bm25(spec) => StageKind::Bm25(bm25::resolve(context, spec, keys)?),
        StageKindSpec::Vector(spec) => StageKind::Vector(vector::resolve(context, spec, depth, keys)?),
        StageKindSpec::Sql(spec) => StageKind::Sql(sql::resolve(context, spec, keys)?),
        StageKindSpec::Postgres(spec) => {
            StageKind::Postgres(Box::new(postgres::resolve(context, retriever, spec, keys)?))
        }
        StageKindSpec::Fuse(spec) => StageKind::Fuse(fuse::resolve(context, retriever, spec, keys)?),
        StageKindSpec::Plugin(spec) => StageKind::Plugin(plugin::resolve(context, spec, keys)?),
        StageKindSpec::Filter(spec) => StageKind::Filter(transforms::filter(context, spec, keys)?),
        StageKindSpec::Boost(spec) => StageKind::Boost(transforms::boost(context, spec, keys)?),
        StageKindSpec::Dedupe(spec) => StageKind::Dedupe(transforms::dedupe(context, spec, keys)?),
        StageKindSpec::Truncate(spec) => StageKind::Truncate(TruncatePlan { k: spec.k }),
        StageKindSpec::Rerank(spec) => StageKind::Rerank(transforms::rerank(context, retriever, spec, keys)?),
        StageKindSpec::Http(spec) => StageKind::Http(Box::new(http::resolve(context, retriever, spec, false, keys)?)),
    })
}
