//! Resolves the retrievers: baseline and candidates become pipelines, in that order.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use super::diagnostic::{Diagnostic, KeyPath, did_you_mean};
use super::plan::{CorpusPlan, PipelinePlan, StagePlan};
use super::resolve::Context;
use super::spec::{Compatibility, Missing, RetrieverSpec, StageSpec};

/// Lucene's defaults.
const DEFAULT_K1: f64 = 1.2;
const DEFAULT_B: f64 = 0.75;
/// Far above any sensible boost or k1, and far below what could overflow a score.
const LARGEST_SETTING: f64 = 1e6;

/// Returns the baseline's pipeline and then the candidates', in the order written.
pub(super) fn pipelines(context: &Context<'_>) -> Result<Vec<PipelinePlan>, Diagnostic> {
    let spec = context.spec;
    let root = KeyPath::root();
    check_ids(context)?;
    if spec.candidates.is_empty() {
        return Err(
            context.mistake(&root.key("candidates"), "no candidate is given, expected at least one retriever id")
        );
    }
    let mut pipelines = vec![pipeline(context, &spec.baseline, &root.key("baseline"))?];
    for (index, candidate) in spec.candidates.iter().enumerate() {
        let keys = root.key("candidates").index(index);
        if *candidate == spec.baseline {
            let message = format!("the baseline `{candidate}` is among the candidates");
            return Err(context.mistake(&keys, message).with_help("take it off the list; it is always replayed"));
        }
        if pipelines.iter().any(|known| known.id == *candidate) {
            return Err(context.mistake(&keys, format!("candidate `{candidate}` is listed twice")));
        }
        pipelines.push(pipeline(context, candidate, &keys)?);
    }
    Ok(pipelines)
}

fn check_ids(context: &Context<'_>) -> Result<(), Diagnostic> {
    for (index, retriever) in context.spec.retriever.iter().enumerate() {
        let keys = KeyPath::root().key("retriever").index(index).key("id");
        if retriever.id.trim().is_empty() {
            return Err(context.mistake(&keys, "the id is empty"));
        }
        if context.spec.retriever.iter().take(index).any(|earlier| earlier.id == retriever.id) {
            return Err(context.mistake(&keys, format!("two retrievers have the id `{}`", retriever.id)));
        }
    }
    Ok(())
}

fn pipeline(context: &Context<'_>, id: &str, keys: &KeyPath) -> Result<PipelinePlan, Diagnostic> {
    let known = || context.spec.retriever.iter().map(|retriever| retriever.id.as_str());
    let position = known().position(|known| known == id);
    let found = position.and_then(|index| Some((index, context.spec.retriever.get(index)?)));
    let Some((index, retriever)) = found else {
        let all: Vec<&str> = known().collect();
        let mistake =
            context.mistake(keys, format!("unknown retriever `{id}`, expected one of `{}`", all.join("`, `")));
        return Err(match did_you_mean(id, known()) {
            Some(near) => mistake.with_help(format!("did you mean `{near}`?")),
            None => mistake,
        });
    };
    let retriever_keys = KeyPath::root().key("retriever").index(index);
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Ok(PipelinePlan {
        id: retriever.id.clone(),
        name: retriever.name.clone().unwrap_or_else(|| retriever.id.clone()),
        stages: stages(context, retriever, &retriever_keys.key("stages"))?,
        concurrency: retriever.concurrency.unwrap_or(cores),
    })
}

fn stages(context: &Context<'_>, retriever: &RetrieverSpec, keys: &KeyPath) -> Result<Vec<StagePlan>, Diagnostic> {
    if retriever.stages.is_empty() {
        return Err(context.mistake(keys, format!("retriever `{}` has no stage", retriever.id)));
    }
    let mut plans = Vec::new();
    for (index, stage) in retriever.stages.iter().enumerate() {
        if index > 0 {
            let message = format!("`{}` is a source, and a source is the first stage of its retriever", stage.kind());
            return Err(context.mistake(&keys.index(index), message));
        }
        plans.push(stage_plan(context, stage, &keys.index(index))?);
    }
    Ok(plans)
}

fn stage_plan(context: &Context<'_>, stage: &StageSpec, keys: &KeyPath) -> Result<StagePlan, Diagnostic> {
    Ok(match stage {
        StageSpec::Recorded { path, retriever_id, session_column, hits_column, missing } => {
            let compatibility = context.spec.metrics.compatibility;
            let default_missing = match compatibility {
                Compatibility::Strict => Missing::Error,
                Compatibility::TrecEval => Missing::Empty,
            };
            StagePlan::Recorded {
                path: context.path(&keys.key("path"), path)?,
                retriever_id: retriever_id.clone(),
                session_column: session_column.clone(),
                hits_column: hits_column.clone(),
                missing: missing.unwrap_or(default_missing),
                compatibility,
            }
        }
        StageSpec::Shown {} => StagePlan::Shown,
        StageSpec::Bm25 { corpus, fields, k1, b, combine_fields } => {
            check_fields(context, fields, keys)?;
            StagePlan::Bm25 {
                corpus: corpus_plan(context, corpus, keys)?,
                fields: fields.clone(),
                k1: in_range(context, k1.unwrap_or(DEFAULT_K1), 0.0, LARGEST_SETTING, &keys.key("k1"))?,
                b: in_range(context, b.unwrap_or(DEFAULT_B), 0.0, 1.0, &keys.key("b"))?,
                combine_fields: combine_fields.unwrap_or_default(),
            }
        }
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

fn in_range(context: &Context<'_>, value: f64, low: f64, high: f64, keys: &KeyPath) -> Result<f64, Diagnostic> {
    if value.is_finite() && value >= low && value <= high {
        return Ok(value);
    }
    Err(context.mistake(keys, format!("{value} is out of range, expected {low} to {high}")))
}

/// Returns the corpus that the key `corpus` of the table at `keys` names.
pub(super) fn corpus_plan(context: &Context<'_>, name: &str, keys: &KeyPath) -> Result<CorpusPlan, Diagnostic> {
    let Some(corpus) = context.spec.corpus.get(name) else {
        let known: Vec<&str> = context.spec.corpus.keys().map(String::as_str).collect();
        let message = match known.as_slice() {
            [] => format!("unknown corpus `{name}`, there is no `[corpus.{name}]` table"),
            known => format!("unknown corpus `{name}`, expected one of `{}`", known.join("`, `")),
        };
        let mistake = context.mistake(&keys.key("corpus"), message);
        return Err(match did_you_mean(name, known) {
            Some(near) => mistake.with_help(format!("did you mean `{near}`?")),
            None => mistake,
        });
    };
    let path_keys = KeyPath::root().key("corpus").key(name).key("path");
    Ok(CorpusPlan { name: name.to_owned(), path: context.path(&path_keys, &corpus.path)?, id: corpus.id.clone() })
}
