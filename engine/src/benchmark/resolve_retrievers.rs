//! Resolves the retrievers: baseline and candidates become pipelines, in that order.

use std::num::NonZeroUsize;

use super::diagnostic::{Diagnostic, KeyPath, did_you_mean};
use super::plan::{CorpusPlan, PipelinePlan};
use super::policy;
use super::resolve::Context;
use super::stages::{Caching, stages};

/// Far above any sensible boost, weight or k1, and far below what could overflow a score.
pub(super) const LARGEST_SETTING: f64 = 1e6;

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
    let stages = stages(context, retriever, &retriever_keys.key("stages"))?;
    let caching = stages.iter().map(|stage| stage.does.caching()).max().unwrap_or(Caching::Never);
    if retriever.cache == Some(true) && caching == Caching::Never {
        let message = "a recording or a shown list is looked up anyway, there is nothing to keep";
        return Err(context.mistake(&retriever_keys.key("cache"), message));
    }
    if !stages.iter().any(|stage| stage.does.policy().is_some()) {
        policy::refuse(context, retriever)?;
    }
    Ok(PipelinePlan {
        id: retriever.id.clone(),
        name: retriever.name.clone().unwrap_or_else(|| retriever.id.clone()),
        stages,
        cache: retriever.cache.unwrap_or(caching == Caching::ByDefault) && caching != Caching::Never,
        concurrency: retriever.concurrency.unwrap_or(cores),
    })
}

/// Returns a number that lies in a range.
pub(super) fn in_range(
    context: &Context<'_>,
    value: f64,
    low: f64,
    high: f64,
    keys: &KeyPath,
) -> Result<f64, Diagnostic> {
    if value.is_finite() && value >= low && value <= high {
        return Ok(value);
    }
    Err(context.mistake(keys, format!("{value} is out of range, expected {low} to {high}")))
}

/// Returns the corpus that the key `corpus` of the table at `keys` names.
pub(super) fn corpus_plan(context: &Context<'_>, name: &str, keys: &KeyPath) -> Result<CorpusPlan, Diagnostic> {
    named_corpus(context, name, &keys.key("corpus"))
}

/// Returns the corpus that is named at `keys`.
pub(super) fn named_corpus(context: &Context<'_>, name: &str, keys: &KeyPath) -> Result<CorpusPlan, Diagnostic> {
    let Some(corpus) = context.spec.corpus.get(name) else {
        let known: Vec<&str> = context.spec.corpus.keys().map(String::as_str).collect();
        let message = match known.as_slice() {
            [] => format!("unknown corpus `{name}`, there is no `[corpus.{name}]` table"),
            known => format!("unknown corpus `{name}`, expected one of `{}`", known.join("`, `")),
        };
        let mistake = context.mistake(keys, message);
        return Err(match did_you_mean(name, known) {
            Some(near) => mistake.with_help(format!("did you mean `{near}`?")),
            None => mistake,
        });
    };
    let path_keys = KeyPath::root().key("corpus").key(name).key("path");
    Ok(CorpusPlan { name: name.to_owned(), path: context.path(&path_keys, &corpus.path)?, id: corpus.id.clone() })
}
