//! How well one arm's answers agree with what users wanted, over any set of sessions.

use std::collections::BTreeMap;

use rematch_metrics::stats::SignCounts;

use super::outcome::{AlignmentMetrics, MetricSummary};
use super::question::Question;
use super::tally::{Group, GroupArm, MeanTally};
use crate::score::MeasureKind;

/// Sums up the arm at `index` over a group of sessions; `paired` are the measures that the group pairs.
pub(super) fn align(question: &Question<'_>, group: &Group, index: usize, paired: &[usize]) -> AlignmentMetrics {
    let Some(arm) = group.arms.get(index) else { return AlignmentMetrics::default() };
    let mean = |place: usize| arm.means.get(place).and_then(MeanTally::mean);
    let family = |prefix: &str| -> BTreeMap<String, Option<f64>> {
        let named = question.plan.metrics.iter().enumerate();
        named
            .filter_map(|(place, name)| Some((name.to_string().strip_prefix(prefix)?.to_owned(), mean(place))))
            .collect()
    };
    let scored = question.measures.iter().enumerate().filter(|(_, one)| one.kind != MeasureKind::Metric);
    let signs = signs(question, group, arm, index, paired);
    let positions = arm.positions;
    AlignmentMetrics {
        ndcg_at_k: family("nDCG@"),
        recall_at_k: family("R@"),
        scorers: scored.map(|(place, one)| (one.name.clone(), mean(place))).collect(),
        primary_mean: mean(question.primary),
        mean_rank_clicked: positions.clicked.mean_rank(),
        mean_rank_purchased: positions.purchased.mean_rank(),
        clicked_not_retrieved: positions.clicked.not_retrieved,
        purchased_not_retrieved: positions.purchased.not_retrieved,
        avg_position_delta: positions.moves.mean_delta(),
        items_promoted: positions.moves.promoted,
        items_demoted: positions.moves.demoted,
        sessions_improved: signs.improved,
        sessions_degraded: signs.degraded,
        sessions_neutral: signs.neutral,
        sessions: arm.answered,
    }
}

/// Returns mean, n and undefined of one measure.
pub(super) fn summarise(arm: &GroupArm, place: usize) -> MetricSummary {
    let found = arm.means.get(place).copied().unwrap_or_default();
    MetricSummary { mean: found.mean(), n: found.n, undefined: arm.answered - found.n }
}

/// Sessions by the sign of the primary measure's difference to the baseline: improved is better, whichever way that is.
fn signs(question: &Question<'_>, group: &Group, arm: &GroupArm, index: usize, paired: &[usize]) -> SignCounts {
    let Some(candidate) = index.checked_sub(1) else {
        return SignCounts { neutral: arm.primary_defined, ..SignCounts::default() };
    };
    let place = paired.iter().position(|place| *place == question.primary);
    let pair = place.and_then(|place| group.pairs.get(candidate)?.get(place));
    let signs = pair.map(|pair| pair.signs).unwrap_or_default();
    if question.measures.get(question.primary).is_none_or(|measure| measure.higher_is_better) {
        return signs;
    }
    SignCounts { improved: signs.degraded, degraded: signs.improved, ..signs }
}
