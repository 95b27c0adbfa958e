//! What can clicks tell of the arms? Items that the logged ranker never showed could not be clicked.
//!
//! A replay that counts such items as worthless favours whoever produced the log, and so do clicks on the top of its list,
//! by tens of percent (Joachims et al. 2017; Agarwal et al. 2019). So, for sessions that nobody judged, this states the share
//! of each arm's top k that was shown, and estimates the difference four times, by the DCG of clicks (an additive metric, because a
//! ratio such as nDCG would cancel the weights): naively; with each click weighted by 1 / P(the user looked there); so, and on
//! common support, which decides; and on common support by the ranks of the whole lists.
//!
//! Common support is what was shown and what both arms have in their top k, and both lists are condensed to what both have: an item's
//! rank is its rank among the common ones. Asking both alike is what makes it fair. Where only the baseline's own list was shown, what a
//! candidate brings in its place cannot have been clicked: by the ranks of the whole list, a candidate would lose for every good
//! newcomer above an old item, and lists condensed to all that was shown would hold everything that the baseline chose, so that
//! an equal candidate would look better (the worlds of the tests show all three).
//!
//! [`click_log`] reads the log, [`survey`] says how likely users were to look, [`estimates`] sums up, [`curves`] asks whether an
//! assumption decides, [`words`] explains.

mod click_log;
mod curves;
mod estimates;
mod survey;
mod words;
#[cfg(test)]
mod worlds;

use datafusion::arrow::array::{Array, Float64Array, RecordBatch};
use rematch_metrics::stats::TStatistic;

pub(super) use click_log::LoggedSession;
pub(super) use curves::{over_curves, shares_of};
pub(super) use estimates::{Examination, Sums};
pub(super) use survey::survey;
pub(super) use words::{cautions, change, percent};

#[cfg(test)]
pub(super) use words::{explanation, too_little as too_little_of, weight_warning};

use super::chunk::{ArmChunk, Chunk};
use super::cluster_tests::Clustered;
use super::columns::Damaged;
use super::outcome::{
    Estimate, Exposure, MetricComparison, NodeOutcome, PipelineComparison, PropensityInfo, PropensitySource,
};
use super::question::Question;
use super::significance::{conclude, interval};
use super::tally::Tally;
use crate::benchmark::statistics::Correction;
use crate::rows::top_keys;
use click_log::ClickLog;
use estimates::{COMMON, CURVES, ESTIMATES, FIRST_CURVE, NAIVE, OfSession, RATIOS, UNCONDENSED, WEIGHTED};

/// Tests for each candidate: the estimates, then what is left of the numerators of the ratios.
pub(super) const TESTS: usize = ESTIMATES + RATIOS;

/// Two-sided level at which clicks decide, half of the usual one: sums of weighted clicks are skewed, so that a t-test at 0.05 finds a
/// loss of equal arms in a little more than its share, and no curve of attention is known exactly.
pub(super) const CLICK_SIGNIFICANCE: f64 = 0.025;

/// Returns the sessions of a chunk that nobody judged, from the columns [`click_log::COLUMNS`].
pub(super) fn logged_sessions(question: &Question<'_>, sessions: &RecordBatch) -> Result<Vec<LoggedSession>, Damaged> {
    Ok(ClickLog::of(sessions)?.sessions(&question.plan.relevance))
}

/// Iterates over the logged sessions that a candidate and the baseline answered, with what they say.
pub(super) fn sessions<'a>(
    question: &'a Question<'_>,
    chunk: &'a Chunk,
    candidate: usize,
) -> impl Iterator<Item = (&'a LoggedSession, OfSession)> {
    let depth = question.plan.support_depth();
    let arms = question.clicks.as_ref().zip(chunk.arms.first()).zip(chunk.arms.get(candidate));
    arms.into_iter().flat_map(move |((examination, baseline), new)| {
        chunk.logged.iter().enumerate().filter_map(move |(number, session)| {
            if baseline.has_failed(session.row) || new.has_failed(session.row) {
                return None;
            }
            let ranks = |arm: &'a ArmChunk| arm.exposed.get(number).map(Vec::as_slice).unwrap_or_default();
            let top = |arm: &'a ArmChunk| -> Vec<u64> {
                let keys = arm.top_items.as_ref().map(|keys| keys.value(session.row)).unwrap_or_default();
                top_keys(keys).take(depth).collect()
            };
            let [old, among_new] = estimates::common_ranks(&top(baseline), &top(new));
            let ranks = [ranks(baseline), ranks(new)];
            Some((session, OfSession::of(examination, session, ranks, [&old, &among_new])))
        })
    })
}

/// Returns what clicks say of a candidate on common support, by row of the chunk: under the curve that is taken for true, then,
/// where that is an assumption, under each of the others.
pub(super) fn common_deltas(question: &Question<'_>, chunk: &Chunk, candidate: usize) -> Vec<Vec<(usize, f64)>> {
    let assumed = question.clicks.as_ref().filter(|found| found.source == PropensitySource::Assumed);
    let others = assumed.map_or(0, |_| CURVES);
    let places: Vec<usize> = std::iter::once(COMMON).chain(FIRST_CURVE..FIRST_CURVE + others).collect();
    let mut deltas = vec![Vec::new(); places.len()];
    for (session, found) in sessions(question, chunk, candidate) {
        deltas.iter_mut().zip(&places).for_each(|(deltas, place)| deltas.push((session.row, found.delta(*place))));
    }
    deltas
}

/// Returns the exponents of the assumed curves; nothing where the curve is not an assumption.
pub(super) fn assumed_exponents(question: &Question<'_>) -> Vec<f64> {
    let assumed = question.clicks.as_ref().filter(|found| found.source == PropensitySource::Assumed);
    assumed.map(|found| found.exponents.to_vec()).unwrap_or_default()
}

/// Sums up a chunk, by candidate; nothing where it is not asked what clicks can tell.
pub(super) fn sum_up(question: &Question<'_>, chunk: &Chunk) -> Vec<Sums> {
    if question.clicks.is_none() {
        return Vec::new();
    }
    let depth = u32::try_from(question.plan.support_depth()).unwrap_or(u32::MAX);
    let of_candidate = |candidate: usize| {
        let mut sums = Sums::default();
        for (session, found) in sessions(question, chunk, candidate) {
            let hits = [0, candidate].map(|arm| {
                let arm = chunk.arms.get(arm).map(|arm| arm.hit_count.value(session.row));
                arm.unwrap_or_default().min(depth)
            });
            sums.record(&found, session.items.len(), hits, question.plan.noise_threshold);
        }
        sums
    };
    question.candidates().map(of_candidate).collect()
}

/// Returns the means around which the clusters of each test vary.
pub(super) fn centres(sums: &Sums) -> [f64; TESTS] {
    std::array::from_fn(|place| sums.estimates.get(place).and_then(|tally| tally.deltas.mean()).unwrap_or_default())
}

/// Assesses a candidate.
pub(super) fn assess(question: &Question<'_>, tally: &Tally, clustered: &Clustered, candidate: usize) -> Exposure {
    let k = question.plan.support_depth() as u64;
    let sums = candidate.checked_sub(1).and_then(|place| tally.exposures.get(place));
    let (Some(sums), Some(examination)) = (sums.filter(|sums| sums.click_derived > 0), &question.clicks) else {
        return Exposure { k, ..Exposure::default() };
    };
    let estimate = |place: usize| {
        let pairs = sums.estimates.get(place)?;
        Some(conclude(pairs, clustered.clicks(candidate, place), clustered.column(), true))
    };
    let moments = sums.estimates.get(COMMON).map(|pairs| pairs.deltas.moments());
    let clusters = |place: usize| -> Option<Option<TStatistic>> {
        let residuals = clustered.clicks(candidate, place);
        let residuals = residuals.filter(|found| (found.clusters() as u64) < sums.sessions())?;
        Some(moments.as_ref().and_then(|moments| residuals.test(moments).ok()).map(|test| test.statistic))
    };
    let ratio = |(sums, place): (&estimates::RatioSums, usize)| {
        let ci95 = sums.statistic(clusters(place)).map(|statistic| interval(&statistic));
        sums.defined().map(|estimate| Estimate { estimate, ci95 })
    };
    let [self_normalised, relative, unclipped_self_normalised, unclipped] = &sums.ratios;
    let [baseline_support, candidate_support] = sums.coverage();
    let assumed = examination.source == PropensitySource::Assumed;
    Exposure {
        click_derived_pairs: sums.click_derived,
        logged_sessions: sums.sessions(),
        k,
        baseline_support,
        candidate_support,
        propensity: Some(PropensityInfo {
            source: examination.source,
            by_rank: match examination.source {
                PropensitySource::Logged => Vec::new(),
                _ => estimates::by_rank(&examination.curve, question.plan.support_depth()),
            },
            exponent: examination.curve.exponent().filter(|_| assumed),
            interventions: examination.interventions,
            clip: examination.clip,
        }),
        naive: estimate(NAIVE),
        weighted: estimate(WEIGHTED),
        common_support: estimate(COMMON),
        uncondensed: estimate(UNCONDENSED),
        relative: ratio((relative, ESTIMATES + 1)),
        self_normalised: ratio((self_normalised, ESTIMATES)),
        unclipped: ratio((unclipped, ESTIMATES + 3)),
        unclipped_self_normalised: ratio((unclipped_self_normalised, ESTIMATES + 2)),
        weight_warning: words::weight_warning(sums.weights()),
        bounds: sums.bounds(),
        weights: Some(sums.weights()),
        sensitivity: curves::sensitivity(question, sums, clustered, candidate),
        depends_on_curve: None,
        decides: examination.decide(),
        too_little: too_little(question, sums),
        explanation: String::new(),
    }
}

/// Returns why what was summed up is too little to decide, or `None`.
pub(super) fn too_little(question: &Question<'_>, sums: &Sums) -> Option<String> {
    words::too_little(&question.plan.exposure, sums.coverage(), question.plan.support_depth(), sums.weights())
}

/// Leaves sessions that users clicked and nobody judged out of the measures that depend on relevance, where judges decide: a click says
/// something else than a grade.
pub(super) fn leave_out(question: &Question<'_>, logged: &[LoggedSession], measures: &mut [Float64Array]) {
    if question.clicks.as_ref().is_none_or(Examination::decide) {
        return;
    }
    let clicked = |session: &&LoggedSession| session.items.iter().any(|item| item.gain > 0.0);
    let rows: Vec<usize> = logged.iter().filter(clicked).map(|session| session.row).collect();
    for (values, _) in measures.iter_mut().zip(question.measures).filter(|(_, measure)| measure.reads_relevance) {
        let left = |row: usize| rows.binary_search(&row).is_err() && values.is_valid(row);
        let kept: Float64Array = (0..values.len()).map(|row| left(row).then(|| values.value(row))).collect();
        *values = kept;
    }
}

/// Says in words what was found, once no last look and no adjustment can change it.
pub(super) fn explain(exposure: &mut Exposure) {
    if exposure.click_derived_pairs > 0 {
        exposure.explanation = words::explanation(exposure);
    }
}

/// Withdraws what was called a win or a loss at taxonomy nodes, and what segments say, where clicks decide: those tests are naive.
pub(super) fn withdraw_nodes(
    comparison: &mut PipelineComparison,
    primary: &str,
    reads_relevance: impl Fn(&str) -> bool,
) {
    if !comparison.exposure.decides {
        return;
    }
    let (metrics, scorers) = (&mut comparison.metric_taxonomy, &mut comparison.scorer_taxonomy);
    let others =
        metrics.iter_mut().chain(scorers).filter(|(measure, _)| reads_relevance(measure)).map(|(_, nodes)| nodes);
    let naive = Some(&mut comparison.taxonomy).filter(|_| reads_relevance(primary)).into_iter().chain(others);
    for node in naive.flat_map(|nodes| nodes.values_mut()) {
        if node.outcome != NodeOutcome::TooFew {
            node.outcome = NodeOutcome::Undecided;
        }
    }
    if reads_relevance(primary) {
        comparison.taxonomy_wins.clear();
        comparison.taxonomy_losses.clear();
        comparison.segments.cautions.clear();
    }
}

/// Returns the interval of a metric's difference by what clicks say: the relative change on common support under every assumed curve,
/// of the baseline's mean.
pub(super) fn on_scale_of(test: &MetricComparison, exposure: &Exposure) -> Option<[f64; 2]> {
    let (relative, mean) = (over_curves(exposure).0?.ci95?, test.baseline_mean?);
    Some(relative.map(|end| end * mean))
}

/// Adjusts the p of what decides for the number of candidates that are compared with the same baseline, and asks whether it holds
/// under every assumed curve.
pub(super) fn adjust(correction: Correction, noise: f64, comparisons: &mut [PipelineComparison]) {
    let mut tests: Vec<&mut MetricComparison> = comparisons
        .iter_mut()
        .filter_map(|comparison| comparison.exposure.common_support.as_mut())
        .filter(|test| test.p.is_some())
        .collect();
    let values: Vec<f64> = tests.iter().filter_map(|test| test.p).collect();
    let (words, adjusted) = super::adjusted(correction, values);
    for (test, adjusted) in tests.iter_mut().zip(adjusted) {
        test.p_adjusted = Some(adjusted);
        test.correction.clone_from(&words);
    }
    curves::settle(correction, noise, comparisons);
}
