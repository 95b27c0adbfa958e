//! Is the answer clear by now? Looks at the primary metric after every chunk of a run that stops when it is decided.
//!
//! The chunks of such a run are random batches of whole users, so a chunk's clusters are complete and their sums merge. What is
//! looked at is a confidence sequence ([`ConfidenceSequence`]): its interval holds at all looks at once, so that stopping at the
//! first clear one is no way to be lucky. A candidate is decided when its anytime-valid p, times the number of candidates, is
//! below the significance level; the run stops at the first look at which all are.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use rematch_metrics::Proportion;
use rematch_metrics::stats::{
    ClusterMoments, ClusterSum, ConfidenceSequence, Decision, SequenceInterval, student_t_quantile,
};

use super::chunk::{Chunk, Extent};
use super::clusters::{Keys, Numbers};
use super::exposure::{self, CLICK_SIGNIFICANCE};
use super::outcome::{CurveLook, MetricComparison, PipelineComparison, SequenceLook, Stopping, VerdictOutcome};
use super::question::Question;
use super::tables::OfChunk;
use super::verdict::TOLERATED_FAILURES;
use super::{CompareError, SIGNIFICANCE};
use crate::benchmark::Plan;
use crate::benchmark::statistics::{ClusterBy, DEFAULT_POWER};
use crate::score::ScoringContract;
use crate::store::{RunDirectory, StoreError, TableReader};

/// What the sequence is called beside its p.
const TEST: &str = "confidence sequence (anytime-valid, cluster-robust)";

/// With so many degrees of freedom t is the normal distribution.
const NORMAL: f64 = 1e9;

/// Sums up chunk after chunk, and says when the answer is clear.
pub struct Watch<'a> {
    question: Question<'a>,
    sequence: ConfidenceSequence,
    /// By candidate (the first is 0): of what decides, then, of clicks by an assumed curve, of the same under each of the others.
    moments: Vec<Vec<ClusterMoments>>,
    /// What clicks say, and on how many sessions one of the two failed, by candidate.
    clicks: Vec<exposure::Sums>,
    failed: Vec<u64>,
    looks: u64,
    sessions: u64,
    clusters: u64,
    sample: TableReader,
    run: &'a RunDirectory,
}

impl<'a> Watch<'a> {
    /// Starts before the first chunk of the run's whole sample.
    ///
    /// # Errors
    ///
    /// Returns an error when the sample cannot be read.
    pub fn new(plan: &'a Plan, contract: &'a ScoringContract, run: &'a RunDirectory) -> Result<Self, CompareError> {
        let sample = run.table(crate::store::layout::SESSIONS)?;
        let mut question = Question::new(plan, contract, plan.pipelines.len());
        if question.reads_relevance(&plan.primary) {
            question.clicks = exposure::survey(plan, run, &sample, NonZeroUsize::MIN)?;
        }
        let mut clusters = 0;
        for chunk in 0..sample.groups() {
            let tables = OfChunk { run, sample: &sample, chunk };
            clusters += clusters_of(&Keys::read(&tables, plan.statistics.cluster_by)?);
        }
        let significance = Proportion::new(SIGNIFICANCE).unwrap_or(Proportion::FIVE_PERCENT);
        let sequence = ConfidenceSequence::planned(significance, clusters);
        let candidates = question.candidates().len();
        let moments = vec![vec![ClusterMoments::default()]; candidates];
        let (clicks, failed) = (vec![exposure::Sums::default(); candidates], vec![0; candidates]);
        Ok(Self { question, sequence, moments, clicks, failed, looks: 0, sessions: 0, clusters, sample, run })
    }

    /// Looks at one more chunk, which every retriever has replayed; chunks come in their order. Returns whether every candidate is
    /// decided.
    ///
    /// # Errors
    ///
    /// Returns an error when the chunk's parts cannot be read.
    pub fn look(&mut self, chunk: usize) -> Result<bool, CompareError> {
        let tables = OfChunk { run: self.run, sample: &self.sample, chunk };
        let keys = Keys::read(&tables, self.question.plan.statistics.cluster_by)?;
        let read = Chunk::read(&self.question, &tables, Extent::Pairs)?;
        for (candidate, moments) in self.question.candidates().zip(&mut self.moments) {
            let found = cluster_sums(&self.question, &keys, &read, candidate);
            moments.resize(found.len(), ClusterMoments::default());
            for (moments, clusters) in moments.iter_mut().zip(found) {
                clusters.into_iter().for_each(|cluster| moments.add(cluster));
            }
        }
        for (sums, found) in self.clicks.iter_mut().zip(exposure::sum_up(&self.question, &read)) {
            sums.merge(found);
        }
        for (candidate, failed) in self.question.candidates().zip(&mut self.failed) {
            let arms = [0, candidate].map(|arm| read.arms.get(arm));
            let one_failed = |row: &usize| arms.iter().flatten().any(|arm| arm.has_failed(*row));
            *failed += (0..read.rows).filter(one_failed).count() as u64;
        }
        self.looks += 1;
        self.sessions += read.rows as u64;
        Ok(!self.moments.is_empty() && (0..self.moments.len()).all(|place| self.decided(place).is_some()))
    }

    /// Returns the look that decides on the candidate at `place`, if one does and a verdict could follow it.
    fn decided(&self, place: usize) -> Option<SequenceInterval> {
        let (moments, failed) = (self.moments.get(place)?, self.failed.get(place)?);
        let too_little = self.by_clicks() && exposure::too_little(&self.question, self.clicks.get(place)?).is_some();
        if too_little || *failed as f64 > TOLERATED_FAILURES * self.sessions as f64 {
            return None;
        }
        let candidates = self.moments.len().max(1) as f64;
        let clear = |moments: &ClusterMoments| match self.sequence.decision(moments) {
            Decision::TooEarly | Decision::Untestable(_) => None,
            Decision::Undecided(look) | Decision::Better(look) | Decision::Worse(look) => {
                Some(look).filter(|look| look.p * candidates < self.level())
            }
        };
        let (first, curves) = moments.split_first()?;
        let look = clear(first)?;
        // What an assumed curve decides, all of them must.
        let agree = |moments: &ClusterMoments| clear(moments).is_some_and(|at| at.estimate * look.estimate > 0.0);
        curves.iter().all(agree).then_some(look)
    }

    /// Whether what clicks say is looked at.
    fn by_clicks(&self) -> bool {
        self.question.clicks.as_ref().is_some_and(exposure::Examination::decide)
    }

    /// The level below which the anytime-valid p decides.
    fn level(&self) -> f64 {
        if self.by_clicks() { CLICK_SIGNIFICANCE } else { SIGNIFICANCE }
    }

    /// Returns what the looks came to.
    #[must_use]
    pub fn finish(&self) -> Stopping {
        let plan = self.question.plan;
        let names = plan.pipelines.iter().skip(1).map(|pipeline| pipeline.id.clone());
        let candidates: BTreeMap<String, SequenceLook> =
            names.zip((0..).zip(&self.moments).map(|(place, moments)| self.last_look(place, moments))).collect();
        let not_replayed = self.sample.rows().saturating_sub(self.sessions);
        let mut stopping = Stopping {
            statement: String::new(),
            decided: !candidates.is_empty() && candidates.values().all(|look| look.decided),
            looks: self.looks,
            sessions_replayed: self.sessions,
            sessions_not_replayed: not_replayed,
            replays_saved: not_replayed * plan.pipelines.len() as u64,
            share_saved: if self.sample.rows() > 0 { not_replayed as f64 / self.sample.rows() as f64 } else { 0.0 },
            method: TEST.to_owned(),
            significance: self.level(),
            by_clicks: self.by_clicks(),
            first_look_clusters: self.sequence.first_look(),
            sample_clusters: self.clusters,
            tuned_for_clusters: self.sequence.tuned_for(),
            rho: self.sequence.rho(),
            candidates,
        };
        stopping.statement = statement(plan, &stopping, &[]);
        stopping
    }

    fn last_look(&self, place: usize, moments: &[ClusterMoments]) -> SequenceLook {
        let [moments, curves @ ..] = moments else { return SequenceLook::default() };
        let of_curve = |(exponent, moments): (f64, &ClusterMoments)| {
            let look = self.sequence.look(moments).ok();
            CurveLook { exponent, ci95: look.as_ref().map(SequenceInterval::interval), p: look.map(|look| look.p) }
        };
        let found = SequenceLook {
            decided: self.decided(place).is_some(),
            clusters: moments.clusters(),
            pairs: moments.pairs(),
            delta: moments.mean().filter(|mean| mean.is_finite()),
            curves: exposure::assumed_exponents(&self.question).into_iter().zip(curves).map(of_curve).collect(),
            ..SequenceLook::default()
        };
        match self.sequence.look(moments) {
            Err(reason) => SequenceLook { undecidable: Some(reason.to_string()), ..found },
            Ok(look) => SequenceLook {
                standard_error: Some(look.standard_error),
                boundary: Some(look.boundary),
                ci95: Some(look.interval()),
                p: Some(look.p),
                ..found
            },
        }
    }
}

/// Users, visits and sessions alone of a chunk, which holds all sessions of each.
fn clusters_of(keys: &Keys) -> u64 {
    let (mut numbers, mut clusters) = (Numbers::default(), 0);
    for row in 0..keys.rows() {
        clusters += u64::from(keys.get(row).is_none_or(|key| numbers.of(key, 0).1));
    }
    clusters
}

/// Returns the sums of a chunk's clusters, for each of what is looked at.
fn cluster_sums(question: &Question<'_>, keys: &Keys, chunk: &Chunk, candidate: usize) -> Vec<Vec<ClusterSum>> {
    let value = |arm: usize, row: usize| chunk.arms.get(arm)?.value(question.primary, row);
    let deltas: Vec<Vec<(usize, f64)>> = match &question.clicks {
        Some(clicks) if clicks.decide() => exposure::common_deltas(question, chunk, candidate),
        _ => vec![(0..chunk.rows).filter_map(|row| Some((row, value(candidate, row)? - value(0, row)?))).collect()],
    };
    deltas.into_iter().map(|deltas| by_cluster(keys, deltas)).collect()
}

/// Adds up deltas by cluster, in the order in which these first come.
fn by_cluster(keys: &Keys, deltas: Vec<(usize, f64)>) -> Vec<ClusterSum> {
    let mut numbers = Numbers::default();
    let mut sums: Vec<ClusterSum> = Vec::new();
    for (row, delta) in deltas {
        let pair = ClusterSum::single(delta);
        let next = u32::try_from(sums.len()).unwrap_or(u32::MAX);
        let known = keys.get(row).map(|key| numbers.of(key, next)).filter(|(_, is_new)| !is_new);
        match known.and_then(|(number, _)| sums.get_mut(number as usize)) {
            Some(sum) => sum.merge(pair),
            None => sums.push(pair),
        }
    }
    sums
}

/// Brings flags and statement in line with the verdicts, which know more than the looks: other tests of a family, failures, the
/// noise threshold, and that a sample which was replayed to its end is not too small or too skewed to stop at.
pub(super) fn settle(plan: &Plan, stopping: &mut Stopping, comparisons: &[PipelineComparison]) {
    let mut open: Vec<&str> = Vec::new();
    for comparison in comparisons {
        let Some(look) = stopping.candidates.get_mut(&comparison.candidate_retriever_id) else { continue };
        let decided = comparison.verdict.outcome != VerdictOutcome::Inconclusive;
        if stopping.sessions_not_replayed == 0 {
            look.decided = decided;
        } else if !decided {
            open.push(&comparison.candidate_retriever_id);
        }
    }
    stopping.decided = !stopping.candidates.is_empty() && stopping.candidates.values().all(|look| look.decided);
    stopping.statement = statement(plan, stopping, &open);
}

/// Says how it went; `open` are the candidates whose verdict is inconclusive although the looks decided them.
fn statement(plan: &Plan, stopping: &Stopping, open: &[&str]) -> String {
    let Stopping { looks, sessions_replayed, sessions_not_replayed, share_saved, .. } = stopping;
    let stopped = *sessions_not_replayed > 0;
    let outcome = match (stopping.decided, stopped) {
        (true, true) => format!(
            "Stopped after {sessions_replayed} of {} sessions, when every candidate was decided: {} replays were saved ({:.0} %)",
            sessions_replayed + sessions_not_replayed,
            stopping.replays_saved,
            share_saved * 100.0,
        ),
        (true, false) => {
            format!("Every candidate was decided by the last of {sessions_replayed} sessions: no replay was saved")
        }
        (false, _) if *sessions_not_replayed > 0 => format!(
            "Not every candidate was decided by the {sessions_replayed} of {} sessions that have rankings",
            sessions_replayed + sessions_not_replayed
        ),
        (false, _) => {
            format!(
                "Not every candidate was decided: all {sessions_replayed} sessions were replayed, and none was saved"
            )
        }
    };
    let (needed, found) = (stopping.first_look_clusters, stopping.sample_clusters);
    let too_few = match !stopped && found < needed {
        true => format!(
            " Stopping needs {needed} {}, the sample has {found}: it cannot stop early, and without `stop-when-decided` the interval \
             is narrower.",
            clusters_in_words(plan.statistics.cluster_by)
        ),
        false => String::new(),
    };
    let open = match open {
        [] => String::new(),
        [one] => format!(" The verdict on `{one}` is inconclusive for another reason, which it gives."),
        many => {
            format!(" The verdicts on `{}` are inconclusive for other reasons, which they give.", many.join("`, `"))
        }
    };
    let others = match stopped {
        true => " Those of other metrics are of a fixed sample, and too narrow after an early stop.",
        false => "",
    };
    let times = if *looks == 1 { "once".to_owned() } else { format!("{looks} times") };
    format!(
        "{outcome}.{too_few}{open} It was looked at {times}; interval and p of {} hold whenever one looks, and are wider for it.\
         {others}",
        if stopping.by_clicks { "what clicks say on common support" } else { "the primary metric" }
    )
}

fn clusters_in_words(by: ClusterBy) -> &'static str {
    match by {
        ClusterBy::Auto => "users or visits",
        ClusterBy::User => "users",
        ClusterBy::Visit => "visits",
        ClusterBy::Session => "sessions",
    }
}

/// Puts the last look in the place of the fixed test of what decides: where one may stop at any time, that one's p is too small.
pub(super) fn apply(primary: &str, stopping: &Stopping, comparisons: &mut [PipelineComparison]) {
    for comparison in comparisons {
        let look = stopping.candidates.get(&comparison.candidate_retriever_id);
        let Some(look) = look else { continue };
        if stopping.by_clicks {
            let exposure = &mut comparison.exposure;
            let Some(test) = &mut exposure.common_support else { continue };
            replace(test, look);
            if let (Some(relative), Some(mean)) =
                (&mut exposure.relative, test.baseline_mean.filter(|mean| *mean > 0.0))
            {
                relative.ci95 = test.ci95.map(|ends| ends.map(|end| end / mean));
            }
            for one in &mut exposure.sensitivity {
                let at = look.curves.iter().find(|curve| curve.exponent == one.exponent);
                one.p = at.and_then(|at| at.p);
                one.ci95 = at.and_then(|at| at.ci95).and_then(|ends| exposure::shares_of(one.baseline_mean, ends));
            }
            continue;
        }
        let Some(test) = comparison.metrics.get_mut(primary) else { continue };
        replace(test, look);
        comparison.p_value = test.p;
        comparison.confidence_interval = test.ci95;
    }
}

fn replace(test: &mut MetricComparison, look: &SequenceLook) {
    if test.identical {
        return;
    }
    TEST.clone_into(&mut test.test);
    (test.t, test.df, test.sessions_to_settle) = (None, None, None);
    (test.p, test.ci95) = (look.p, look.ci95);
    test.clusters = look.clusters;
    (test.ci95_bootstrap, test.randomisation, test.mcnemar) = (None, None, None);
    let deviate = student_t_quantile(1.0 - test.power.unwrap_or(DEFAULT_POWER), NORMAL);
    let reach = look.boundary.zip(look.standard_error);
    test.detectable_delta = reach.map(|(boundary, error)| (boundary + deviate) * error);
    if let Some(reason) = &look.undecidable {
        test.test = format!("none: {reason}");
    }
}

/// Reads what stopped the run; `None` where the plan does not ask for it.
pub(super) fn read(plan: &Plan, run: &RunDirectory) -> Result<Option<Stopping>, StoreError> {
    if plan.statistics.stop_when_decided { run.read_json(crate::store::layout::LOOKS).map(Some) } else { Ok(None) }
}
