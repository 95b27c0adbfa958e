//! Several runs, compared as one.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::lender::Lender;
use super::{RejudgeError, differ, judge_by, sample, too_deep};
use crate::benchmark::{BorrowedPipeline, BorrowedPlan, PipelinePlan, Plan};
use crate::store::RunDirectory;

/// What is compared, and how.
#[derive(Debug, Clone, Copy, Default)]
pub struct CompareSettings<'a> {
    /// The retriever that all others are compared with, as `run:retriever`; the first run's baseline where `None`.
    pub baseline: Option<&'a str>,
    /// What judges; the first run's own settings where `None`.
    pub judging: Option<&'a Plan>,
    /// Compares runs that differ in sample, depth or relevance; the report then says in what.
    pub allow_different: bool,
}

/// The plan of a comparison.
#[derive(Debug)]
pub struct ComparePlan {
    /// What [`crate::run::run`] does.
    pub plan: Plan,
    /// What became of retrievers that are in several runs, in words.
    pub notes: Vec<String>,
}

/// Returns the plan of a run that compares the retrievers of all finished runs in `runs`.
///
/// A retriever whose pipeline is the same in several runs appears once, but for one that asks servers: these may have changed
/// since. A retriever id of several runs becomes `folder:id`. The sample is what all runs have, the depth the smallest, and the first
/// run judges, or [`CompareSettings::judging`].
///
/// # Errors
///
/// Returns an error when there are fewer than two runs, when one is not finished, stopped early or cannot be read, when they
/// differ in sample, depth or relevance (unless allowed), and when one session id has different contents.
pub fn compare(runs: &[PathBuf], settings: CompareSettings<'_>) -> Result<ComparePlan, RejudgeError> {
    if runs.len() < 2 {
        return Err(RejudgeError::TooFew { found: runs.len() });
    }
    let lenders = runs.iter().map(|run| Lender::read(run)).collect::<Result<Vec<Lender>, RejudgeError>>()?;
    check(&lenders)?;
    let names = names(&lenders);
    let differences = differences(&lenders, &names, settings)?;
    let mut arms = Arms::of(&lenders, &names);
    if let Some(asked) = settings.baseline {
        arms.put_first(asked, &lenders, &names, runs)?;
    }
    if let [one] = arms.kept.as_slice() {
        return Err(RejudgeError::OneRetriever { retriever: one.plan.id.clone() });
    }
    let Some(first) = lenders.first() else { return Err(RejudgeError::TooFew { found: 0 }) };
    let mut plan = first.plan.clone();
    if let Some(judging) = settings.judging {
        judge_by(&mut plan, judging);
    }
    plan.depth = depth(&lenders, settings.judging)?;
    if let Some(what) = too_deep(&plan, plan.depth) {
        return Err(RejudgeError::Cutoff { what, kept: plan.depth.get() });
    }
    let notes = arms.notes;
    let (pipelines, borrowed): (Vec<PipelinePlan>, Vec<BorrowedPipeline>) =
        arms.kept.into_iter().map(|arm| (arm.plan, arm.borrowed)).unzip();
    plan.pipelines = pipelines;
    let runs = lenders.iter().map(Lender::lends).collect();
    plan.borrowed = Some(BorrowedPlan { runs, pipelines: borrowed, differences });
    Ok(ComparePlan { plan, notes })
}

/// Refuses what cannot be compared at all.
fn check(lenders: &[Lender]) -> Result<(), RejudgeError> {
    for (place, lender) in lenders.iter().enumerate() {
        let place_of = |lender: &Lender| lender.path().canonicalize().unwrap_or_else(|_| lender.path());
        let before = lenders.get(..place).unwrap_or_default();
        if before.iter().any(|other| place_of(other) == place_of(lender)) {
            return Err(RejudgeError::Twice { run: lender.path() });
        }
        if lender.plan.statistics.stop_when_decided {
            return Err(RejudgeError::StoppedEarly { run: lender.path() });
        }
    }
    Ok(())
}

/// Returns a name for each run: its folder's, with a number where that is another's too.
fn names(lenders: &[Lender]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for lender in lenders {
        let folder = lender.folder();
        let mut name = folder.clone();
        let mut number = 2;
        while names.contains(&name) {
            name = format!("{folder}-{number}");
            number += 1;
        }
        names.push(name);
    }
    names
}

/// Returns in what the runs differ, where that is allowed.
fn differences(
    lenders: &[Lender],
    names: &[String],
    settings: CompareSettings<'_>,
) -> Result<Vec<String>, RejudgeError> {
    let directories: Vec<&RunDirectory> = lenders.iter().map(|lender| &lender.directory).collect();
    let common = sample::common(&directories)?;
    let mut differences: Vec<String> = differ::samples(names, &common).into_iter().collect();
    let mut named = names.iter().map(String::as_str).zip(lenders);
    if let Some(first) = named.next() {
        for other in named {
            // A benchmark that is given judges all runs alike, whatever judged them before.
            differences.extend(differ::settings(first, other, settings.judging.is_none()));
        }
    }
    if !differences.is_empty() && !settings.allow_different {
        return Err(RejudgeError::Different { differences });
    }
    if common.sessions == 0 {
        return Err(RejudgeError::NothingInCommon);
    }
    for (name, lender) in names.iter().zip(lenders) {
        differences.extend(lender.report.run.differences.iter().map(|text| format!("in `{name}`: {text}")));
    }
    Ok(differences)
}

/// Returns the hits that every run keeps, or those that are asked for.
fn depth(lenders: &[Lender], judging: Option<&Plan>) -> Result<NonZeroUsize, RejudgeError> {
    let shallowest = lenders.iter().min_by_key(|lender| lender.plan.depth);
    let Some(shallowest) = shallowest else { return Err(RejudgeError::TooFew { found: 0 }) };
    let kept = shallowest.plan.depth;
    match judging.map(|judging| judging.depth) {
        Some(asked) if asked > kept => {
            Err(RejudgeError::Depth { run: shallowest.path(), asked: asked.get(), kept: kept.get() })
        }
        asked => Ok(asked.unwrap_or(kept)),
    }
}

/// The retrievers of a comparison.
struct Arms {
    kept: Vec<Arm>,
    /// By run and pipeline: the place among those that are kept.
    places: BTreeMap<(usize, usize), usize>,
    notes: Vec<String>,
}

struct Arm {
    plan: PipelinePlan,
    borrowed: BorrowedPipeline,
}

impl Arms {
    fn of(lenders: &[Lender], names: &[String]) -> Self {
        let mut arms = Self { kept: Vec::new(), places: BTreeMap::new(), notes: Vec::new() };
        for (run, (lender, name)) in lenders.iter().zip(names).enumerate() {
            for (plan, borrowed) in lender.plan.pipelines.iter().zip(lender.pipelines(run)) {
                let key = (run, borrowed.pipeline);
                let same = |arm: &Arm| {
                    let earlier = &arm.borrowed;
                    earlier.run < run && earlier.pipeline_hash == borrowed.pipeline_hash && plan.policy().is_none()
                };
                let place = match arms.kept.iter().position(same) {
                    Some(place) => {
                        arms.notes.extend(arms.kept.get(place).map(|arm| appears_once(plan, name, arm, names)));
                        place
                    }
                    None => {
                        arms.kept.push(Arm { plan: plan.clone(), borrowed });
                        arms.kept.len() - 1
                    }
                };
                arms.places.insert(key, place);
            }
        }
        arms.rename(names);
        arms
    }

    /// Makes ids unique: those of several runs say which run they are of.
    fn rename(&mut self, names: &[String]) {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for arm in &self.kept {
            *counts.entry(arm.plan.id.clone()).or_default() += 1;
        }
        for arm in &mut self.kept {
            if counts.get(&arm.plan.id).is_some_and(|count| *count > 1)
                && let Some(run) = names.get(arm.borrowed.run)
            {
                arm.plan.id = format!("{run}:{}", arm.plan.id);
                arm.plan.name = format!("{run}:{}", arm.plan.name);
            }
        }
    }

    /// Puts the retriever `run:retriever` in the place of the baseline. The run may be named by its folder, by its id, or as
    /// it was given.
    fn put_first(
        &mut self,
        asked: &str,
        lenders: &[Lender],
        names: &[String],
        runs: &[PathBuf],
    ) -> Result<(), RejudgeError> {
        let mut known = Vec::new();
        for (run, ((lender, name), given)) in lenders.iter().zip(names).zip(runs).enumerate() {
            for (pipeline, plan) in lender.plan.pipelines.iter().enumerate() {
                let spellings = [name.clone(), given.display().to_string(), lender.manifest.run_id.clone()];
                if spellings.iter().any(|spelling| format!("{spelling}:{}", plan.id) == asked)
                    && let Some(place) = self.places.get(&(run, pipeline))
                {
                    let arm = self.kept.remove(*place);
                    self.kept.insert(0, arm);
                    return Ok(());
                }
                known.push(format!("{name}:{}", plan.id));
            }
        }
        Err(RejudgeError::NoBaseline { asked: asked.to_owned(), known })
    }
}

fn appears_once(plan: &PipelinePlan, run: &str, kept: &Arm, names: &[String]) -> String {
    let (id, of) = (&kept.plan.id, names.get(kept.borrowed.run).map_or("", String::as_str));
    format!("`{}` of `{run}` is the same pipeline as `{id}` of `{of}`; it appears once", plan.id)
}
