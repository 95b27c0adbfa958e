//! The source `fuse`: several lists of hits made into one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{StagePlan, StageSpec};
use crate::benchmark::diagnostic::{Diagnostic, KeyPath};
use crate::benchmark::resolve::Context;
use crate::benchmark::resolve_retrievers::{LARGEST_SETTING, in_range};
use crate::benchmark::spec::RetrieverSpec;

/// The constant of Cormack, Clarke and Büttcher (2009).
const DEFAULT_RANK_CONSTANT: f64 = 60.0;

/// The keys of a `fuse` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FuseSpec {
    /// The branches, at least two; each begins with a source.
    pub branches: Vec<BranchSpec>,
    /// How their lists become one; `rrf` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<FuseMethod>,
    /// The constant that is added to every rank under `rrf`, at least 0; 60 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_constant: Option<f64>,
    /// How the scores of a branch are made comparable under `weighted`; `min-max` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalise: Option<Normalise>,
}

/// A branch of a `fuse` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BranchSpec {
    /// The stages in order; the first is a source.
    pub stages: Vec<StageSpec>,
    /// What the branch counts, above 0; 1 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
}

/// How lists of hits become one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FuseMethod {
    /// Reciprocal rank fusion: an item's score is the sum over the branches of weight / (rank constant + rank).
    #[default]
    Rrf,
    /// An item's score is the weighted sum of its normalised scores; a branch that did not return it adds nothing.
    Weighted,
}

/// How the scores of a branch are made comparable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Normalise {
    /// From 0 (the branch's lowest score) to 1 (its highest); all 1 where they are equal.
    #[default]
    MinMax,
    /// Divided by the highest score, which must then be above 0.
    Max,
    /// Distance from the branch's mean, in its standard deviations; all 0 where the scores are equal.
    ZScore,
    /// The scores as they are.
    None,
}

/// Several lists of hits made into one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FusePlan {
    /// The branches.
    pub branches: Vec<BranchPlan>,
    /// How their lists become one.
    pub method: FuseMethod,
    /// The constant that is added to every rank under `rrf`.
    pub rank_constant: f64,
    /// How the scores of a branch are made comparable under `weighted`.
    pub normalise: Normalise,
}

/// A branch of a `fuse` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BranchPlan {
    /// The stages in order.
    pub stages: Vec<StagePlan>,
    /// What the branch counts.
    pub weight: f64,
}

pub(super) fn resolve(
    context: &Context<'_>,
    retriever: &RetrieverSpec,
    spec: &FuseSpec,
    keys: &KeyPath,
) -> Result<FusePlan, Diagnostic> {
    let method = spec.method.unwrap_or_default();
    let stray = match method {
        FuseMethod::Rrf => spec.normalise.map(|_| ("normalise", "weighted")),
        FuseMethod::Weighted => spec.rank_constant.map(|_| ("rank-constant", "rrf")),
    };
    if let Some((key, other)) = stray {
        return Err(context.mistake(&keys.key(key), format!("`{key}` is a setting of `method = \"{other}\"`")));
    }
    if spec.branches.len() < 2 {
        let message = format!("{} given, expected at least two branches", spec.branches.len());
        return Err(context.mistake(&keys.key("branches"), message));
    }
    let mut branches = Vec::with_capacity(spec.branches.len());
    for (index, branch) in spec.branches.iter().enumerate() {
        let keys = keys.key("branches").index(index);
        let weight = branch.weight.unwrap_or(1.0);
        if !(weight > 0.0 && weight <= LARGEST_SETTING) {
            let message = format!("weight {weight} is not above 0 and at most {LARGEST_SETTING}");
            return Err(context.mistake(&keys.key("weight"), message));
        }
        let stages = super::plan::branch_stages(context, retriever, &branch.stages, &keys.key("stages"))?;
        branches.push(BranchPlan { stages, weight });
    }
    let constant = spec.rank_constant.unwrap_or(DEFAULT_RANK_CONSTANT);
    Ok(FusePlan {
        branches,
        method,
        rank_constant: in_range(context, constant, 0.0, LARGEST_SETTING, &keys.key("rank-constant"))?,
        normalise: spec.normalise.unwrap_or_default(),
    })
}
