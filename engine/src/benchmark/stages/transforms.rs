//! The transforms: what is done with hits that a source found.

use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::http::{self, HttpPlan, HttpSpec};
use crate::benchmark::diagnostic::{Diagnostic, KeyPath};
use crate::benchmark::resolve::Context;
use crate::benchmark::resolve_plugin::WrittenPlugin;
use crate::benchmark::resolve_retrievers::corpus_plan;
use crate::benchmark::spec::{ItemsSpec, LimitsSpec, RetrieverSpec, Wasi};
use crate::benchmark::{CorpusPlan, PluginPlan};

/// The keys of a `filter` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FilterHitsSpec {
    /// Name of the corpus.
    pub corpus: String,
    /// A SQL predicate over the corpus's columns: a hit goes on where it is true.
    #[serde(rename = "where")]
    pub predicate: String,
    /// What becomes of hits that do not stand in the corpus; `drop` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<UnknownHits>,
}

/// What becomes of hits that do not stand in the corpus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownHits {
    /// They are taken out.
    #[default]
    Drop,
    /// They go on.
    Keep,
}

/// The keys of a `boost` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BoostSpec {
    /// Name of the corpus.
    pub corpus: String,
    /// A SQL expression over the corpus's columns, a number: what a hit's score is multiplied by, or what is added to it.
    /// Where it is null, or the hit does not stand in the corpus, the score stays.
    pub by: String,
    /// What is done with the number; `multiply` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<BoostMode>,
}

/// What a boost does with its number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BoostMode {
    /// The score is multiplied by it; it must not be below 0. Where a hit of the list has no score, or one below 0, every
    /// score of the list is 1 / rank to begin with.
    #[default]
    Multiply,
    /// It is added to the score. Where a hit of the list has no score, every score of the list is 1 / rank to begin with.
    Add,
}

/// The keys of a `dedupe` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DedupeSpec {
    /// Name of the corpus.
    pub corpus: String,
    /// A column of the corpus: of all hits with one value, the best goes on. Hits without a value, and hits that do not
    /// stand in the corpus, go on.
    pub field: String,
}

/// The keys of a `truncate` stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TruncateSpec {
    /// The number of hits that go on at most.
    pub k: NonZeroUsize,
}

/// The keys of a `rerank` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RerankSpec {
    /// Path of a WASM component of the world `rematch:scoring/reranker`, or its name and version in a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// An endpoint instead of a component: the keys of an `http` stage, whose templates see the hits as `hits`, a list of
    /// `{item_id, score}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Box<HttpSpec>>,
    /// The number of hits that are handed over, from the top of the list; the others follow in their order, without scores.
    /// All hits where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<NonZeroUsize>,
    /// SHA-256 of the component, in hex; another file is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Parameters handed to the component as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<serde_json::Value>,
    /// Most sessions of one call of the component; 1024 where it is not given. With 1, no session can see another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<NonZeroUsize>,
    /// What a component that imports WASI gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wasi: Option<Wasi>,
    /// Where a component that asks for fields of the items finds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<ItemsSpec>,
    /// Limits of the sandbox; each has a default.
    #[serde(default)]
    pub limits: LimitsSpec,
}

/// Takes hits out by what a corpus says of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FilterHitsPlan {
    /// The documents.
    pub corpus: CorpusPlan,
    /// A SQL predicate over their columns.
    #[serde(rename = "where")]
    pub predicate: String,
    /// What becomes of hits that do not stand in the corpus.
    pub unknown: UnknownHits,
}

/// Changes scores by what a corpus says of the hits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BoostPlan {
    /// The documents.
    pub corpus: CorpusPlan,
    /// A SQL expression over their columns.
    pub by: String,
    /// What is done with its value.
    pub mode: BoostMode,
}

/// Leaves one hit of all that have the same value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DedupePlan {
    /// The documents.
    pub corpus: CorpusPlan,
    /// The column with the value.
    pub field: String,
}

/// Cuts a list off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TruncatePlan {
    /// The number of hits that go on at most.
    pub k: NonZeroUsize,
}

/// Orders the top of a list anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RerankPlan {
    /// Who does it.
    pub by: Reranker,
    /// The number of hits that are handed over; all where `None`.
    pub top: Option<NonZeroUsize>,
}

/// Who orders hits anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reranker {
    /// A WASM component.
    Plugin(Box<PluginPlan>),
    /// An endpoint over HTTP.
    Http(Box<HttpPlan>),
}

pub(super) fn filter(
    context: &Context<'_>,
    spec: &FilterHitsSpec,
    keys: &KeyPath,
) -> Result<FilterHitsPlan, Diagnostic> {
    Ok(FilterHitsPlan {
        corpus: corpus_plan(context, &spec.corpus, keys)?,
        predicate: written(context, &spec.predicate, &keys.key("where"), "price < 100")?,
        unknown: spec.unknown.unwrap_or_default(),
    })
}

pub(super) fn boost(context: &Context<'_>, spec: &BoostSpec, keys: &KeyPath) -> Result<BoostPlan, Diagnostic> {
    Ok(BoostPlan {
        corpus: corpus_plan(context, &spec.corpus, keys)?,
        by: written(context, &spec.by, &keys.key("by"), "1 + stars / 5.0")?,
        mode: spec.mode.unwrap_or_default(),
    })
}

pub(super) fn dedupe(context: &Context<'_>, spec: &DedupeSpec, keys: &KeyPath) -> Result<DedupePlan, Diagnostic> {
    Ok(DedupePlan {
        corpus: corpus_plan(context, &spec.corpus, keys)?,
        field: written(context, &spec.field, &keys.key("field"), "brand")?,
    })
}

pub(super) fn rerank(
    context: &Context<'_>,
    retriever: &RetrieverSpec,
    spec: &RerankSpec,
    keys: &KeyPath,
) -> Result<RerankPlan, Diagnostic> {
    let path = match (&spec.plugin, &spec.http) {
        (Some(path), None) => path,
        (None, Some(endpoint)) => {
            let of_plugins = [
                ("sha256", spec.sha256.is_some()),
                ("params", spec.params.is_some()),
                ("batch", spec.batch.is_some()),
                ("wasi", spec.wasi.is_some()),
                ("items", spec.items.is_some()),
                ("limits", spec.limits != LimitsSpec::default()),
            ];
            if let Some((key, _)) = of_plugins.iter().find(|(_, given)| *given) {
                let message = format!("an endpoint orders the hits anew, and `{key}` is for plugins only");
                return Err(context.mistake(&keys.key(key), message));
            }
            let plan = http::resolve(context, retriever, endpoint, true, &keys.key("http"))?;
            return Ok(RerankPlan { by: Reranker::Http(Box::new(plan)), top: spec.top });
        }
        (Some(_), Some(_)) => {
            return Err(context.mistake(&keys.key("http"), "there are both `plugin` and `http`, expected one"));
        }
        (None, None) => {
            return Err(context.mistake(keys, "a `rerank` stage needs the key `plugin` or the key `http`"));
        }
    };
    let written = WrittenPlugin {
        path,
        sha256: spec.sha256.as_deref(),
        params: spec.params.as_ref(),
        batch: spec.batch,
        wasi: spec.wasi,
        items: spec.items.as_ref(),
        limits: &spec.limits,
    };
    Ok(RerankPlan { by: Reranker::Plugin(Box::new(written.resolve(context, keys)?)), top: spec.top })
}

fn written(context: &Context<'_>, text: &str, keys: &KeyPath, example: &str) -> Result<String, Diagnostic> {
    if text.trim().is_empty() {
        return Err(context.mistake(keys, format!("it is empty, expected for example `{example}`")));
    }
    Ok(text.to_owned())
}
