//! The source `vector`.

use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::benchmark::CorpusPlan;
use crate::benchmark::diagnostic::{Diagnostic, KeyPath};
use crate::benchmark::resolve::Context;
use crate::benchmark::resolve_retrievers::{corpus_plan, in_range};

/// The column of vectors where none is named.
const DEFAULT_COLUMN: &str = "vector";

/// The keys of a `vector` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VectorSpec {
    /// Name of the corpus, which is Parquet.
    pub corpus: String,
    /// The column of vectors, a list of numbers; `vector` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// How near is measured; `cosine` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<VectorMetric>,
    /// Searches a graph of neighbours (HNSW) instead of comparing every vector; answers are then approximate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ann: Option<AnnSpec>,
}

/// How near two vectors are; a higher score is nearer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VectorMetric {
    /// The cosine of the angle between them, -1 to 1.
    #[default]
    Cosine,
    /// Their dot product.
    Dot,
    /// The negative square of their Euclidean distance, at most 0.
    L2,
}

/// Settings of the graph of neighbours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AnnSpec {
    /// Neighbours of each vector in the graph, 2 to 256; 16 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connectivity: Option<NonZeroUsize>,
    /// Candidates looked at when a vector is added; 128 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expansion_add: Option<NonZeroUsize>,
    /// Candidates looked at in a search, at least the stage's depth; 64 or the depth where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expansion_search: Option<NonZeroUsize>,
    /// The share of sessions, 0 to 1, that are also answered exactly, to report the recall; 0.05 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall_sample: Option<f64>,
}

/// The items whose vectors are nearest to the session's query vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VectorPlan {
    /// The vectors' corpus.
    pub corpus: CorpusPlan,
    /// The column of vectors.
    pub column: String,
    /// How near is measured.
    pub metric: VectorMetric,
    /// The graph of neighbours; `None` for exact answers.
    pub ann: Option<AnnPlan>,
}

/// The settings of a graph of neighbours, all of them filled in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AnnPlan {
    /// Neighbours of each vector in the graph.
    pub connectivity: NonZeroUsize,
    /// Candidates looked at when a vector is added.
    pub expansion_add: NonZeroUsize,
    /// Candidates looked at in a search.
    pub expansion_search: NonZeroUsize,
    /// The share of sessions that are also answered exactly.
    pub recall_sample: f64,
}

impl Default for AnnPlan {
    fn default() -> Self {
        const fn positive(number: usize) -> NonZeroUsize {
            match NonZeroUsize::new(number) {
                Some(number) => number,
                None => NonZeroUsize::MIN,
            }
        }
        Self {
            connectivity: positive(16),
            expansion_add: positive(128),
            expansion_search: positive(64),
            recall_sample: 0.05,
        }
    }
}

/// Neighbours above this make a graph larger and no better.
const MOST_CONNECTIVITY: usize = 256;
/// Candidates above this are a search of nearly everything.
const MOST_EXPANSION: usize = 1 << 16;

/// Returns the plan of the `vector` stage at `keys`, which is asked for `depth` hits.
pub(super) fn resolve(
    context: &Context<'_>,
    spec: &VectorSpec,
    depth: NonZeroUsize,
    keys: &KeyPath,
) -> Result<VectorPlan, Diagnostic> {
    let column = spec.column.clone().unwrap_or_else(|| DEFAULT_COLUMN.to_owned());
    if column.is_empty() {
        return Err(context.mistake(&keys.key("column"), "the column's name is empty"));
    }
    Ok(VectorPlan {
        corpus: corpus_plan(context, &spec.corpus, keys)?,
        column,
        metric: spec.metric.unwrap_or_default(),
        ann: spec.ann.as_ref().map(|ann| resolve_ann(context, ann, depth, &keys.key("ann"))).transpose()?,
    })
}

fn resolve_ann(
    context: &Context<'_>,
    spec: &AnnSpec,
    depth: NonZeroUsize,
    keys: &KeyPath,
) -> Result<AnnPlan, Diagnostic> {
    let default = AnnPlan::default();
    let within = |key: &str, value: Option<NonZeroUsize>, default: NonZeroUsize, least: usize, most: usize| {
        let value = value.unwrap_or(default);
        if (least..=most).contains(&value.get()) {
            return Ok(value);
        }
        Err(context.mistake(&keys.key(key), format!("{value} is out of range, expected {least} to {most}")))
    };
    let search = default.expansion_search.max(depth);
    let expansion_search = within("expansion-search", spec.expansion_search, search, 1, MOST_EXPANSION)?;
    if expansion_search < depth {
        let message = format!("{expansion_search} candidates cannot make {depth} hits, which the stage is asked for");
        let mistake = context.mistake(&keys.key("expansion-search"), message);
        return Err(mistake.with_help(format!("take it out or set it to {depth} or more; or set a smaller `depth`")));
    }
    let recall_sample = spec.recall_sample.unwrap_or(default.recall_sample);
    Ok(AnnPlan {
        connectivity: within("connectivity", spec.connectivity, default.connectivity, 2, MOST_CONNECTIVITY)?,
        expansion_add: within("expansion-add", spec.expansion_add, default.expansion_add, 1, MOST_EXPANSION)?,
        expansion_search,
        recall_sample: in_range(context, recall_sample, 0.0, 1.0, &keys.key("recall-sample"))?,
    })
}
