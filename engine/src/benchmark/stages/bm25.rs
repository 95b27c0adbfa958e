//! The source `bm25`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::benchmark::CorpusPlan;
use crate::benchmark::diagnostic::{Diagnostic, KeyPath};
use crate::benchmark::resolve::Context;
use crate::benchmark::resolve_retrievers::{LARGEST_SETTING, corpus_plan, in_range};

/// Lucene's defaults.
const DEFAULT_K1: f64 = 1.2;
const DEFAULT_B: f64 = 0.75;

/// The keys of a `bm25` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bm25Spec {
    /// Name of the corpus.
    pub corpus: String,
    /// Boost by field.
    pub fields: BTreeMap<String, f64>,
    /// Term-frequency saturation, at least 0; 1.2 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k1: Option<f64>,
    /// Length normalisation, 0 to 1; 0.75 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b: Option<f64>,
    /// How fields combine; `bm25f` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combine_fields: Option<CombineFields>,
}

/// How the fields of a BM25 stage combine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CombineFields {
    /// Boosted term frequencies and lengths add up before saturation, as if the fields were one text.
    #[default]
    Bm25f,
    /// Boosted BM25 scores of the fields add up.
    Sum,
}

/// BM25 over the text fields of a corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Bm25Plan {
    /// The documents.
    pub corpus: CorpusPlan,
    /// Boost by field; every boost is above 0.
    pub fields: BTreeMap<String, f64>,
    /// Term-frequency saturation.
    pub k1: f64,
    /// Length normalisation.
    pub b: f64,
    /// How fields combine.
    pub combine_fields: CombineFields,
}

pub(super) fn resolve(context: &Context<'_>, spec: &Bm25Spec, keys: &KeyPath) -> Result<Bm25Plan, Diagnostic> {
    check_fields(context, &spec.fields, keys)?;
    Ok(Bm25Plan {
        corpus: corpus_plan(context, &spec.corpus, keys)?,
        fields: spec.fields.clone(),
        k1: in_range(context, spec.k1.unwrap_or(DEFAULT_K1), 0.0, LARGEST_SETTING, &keys.key("k1"))?,
        b: in_range(context, spec.b.unwrap_or(DEFAULT_B), 0.0, 1.0, &keys.key("b"))?,
        combine_fields: spec.combine_fields.unwrap_or_default(),
    })
}

fn check_fields(context: &Context<'_>, fields: &BTreeMap<String, f64>, keys: &KeyPath) -> Result<(), Diagnostic> {
    let keys = keys.key("fields");
    if fields.is_empty() {
        return Err(context.mistake(&keys, "no field is given, expected boosts by field such as `{ title = 1.0 }`"));
    }
    for (field, boost) in fields {
        if !boost.is_finite() || *boost <= 0.0 || *boost > LARGEST_SETTING {
            return Err(context.mistake(
                &keys.key(field),
                format!("boost {boost} of `{field}` is not above 0 and at most {LARGEST_SETTING}"),
            ));
        }
    }
    Ok(())
}
