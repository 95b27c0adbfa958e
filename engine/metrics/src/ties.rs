//! Hits with equal scores: in which order they count, and how much that order matters.
//!
//! An engine that returns equal scores in no particular order gives another value every time, by more than most reported
//! improvements: on one run in which half of the neighbours were tied, AP was 0.184 in the file's order, 0.187 by descending
//! item id and 0.189 by ascending. So the order is a setting, and [`tie_interval`] says what it can do.

use std::collections::HashSet;
use std::hash::Hash;

use crate::metric::Metric;
use crate::ranking::{GainFunction, RankedGrades, RbpGain, TrecMeasure};

/// The order of hits with equal scores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TieOrder {
    /// As the engine returned them: what users saw.
    #[default]
    Given,
    /// By item id, descending: trec_eval, which also reads scores in single precision.
    ItemDescending,
    /// By item id, ascending: `Judged` and RBP of ir_measures.
    ItemAscending,
}

/// Returns the indexes of the hits from the best score to the worst, ties in the order asked for; of an item that comes more
/// than once only the best-placed hit is left. A NaN score stands below all others.
#[must_use]
pub fn ordered<T: Ord + Hash>(hits: &[(T, f64)], ties: TieOrder) -> Vec<usize> {
    let mut order: Vec<(usize, &T, f64)> =
        hits.iter().enumerate().map(|(index, (item, score))| (index, item, comparable(*score))).collect();
    // The sort is stable, so that the given order needs no key.
    order.sort_by(|(_, item, score), (_, other_item, other_score)| {
        other_score.total_cmp(score).then_with(|| match ties {
            TieOrder::Given => std::cmp::Ordering::Equal,
            TieOrder::ItemDescending => other_item.cmp(item),
            TieOrder::ItemAscending => item.cmp(other_item),
        })
    });
    let mut seen = HashSet::with_capacity(order.len());
    order.into_iter().filter(|&(_, item, _)| seen.insert(item)).map(|(index, _, _)| index).collect()
}

/// Makes -0 equal to 0 in the total order, and NaN the least.
fn comparable(score: f64) -> f64 {
    if score.is_nan() { f64::NEG_INFINITY } else { score + 0.0 }
}

/// The values that a metric can have when hits with equal scores change places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TieInterval {
    /// The least value over all orders.
    pub low: f64,
    /// The greatest value over all orders.
    pub high: f64,
}

/// Returns the least and the greatest value of a metric over all orders of neighbours with equal scores.
///
/// `scores` has the score of each rank, in the order of the ranking; where it is shorter, the ranks below have no ties. The
/// ends are exact: no metric here falls when, within a tie, an item that is worth more to it goes up, so the best order is by
/// worth, descending, and the worst is the reverse. Worth is the gain for nDCG, RBP and ERR, relevance for metrics of binary
/// relevance, being judged for the judged share; for bpref, relevant items come first and judged non-relevant ones last.
///
/// `None` where the metric is undefined, and for infAP, for which no order is known to be best: an unjudged item of the pool
/// above a relevant one can raise it.
#[must_use]
pub fn tie_interval(
    metric: &Metric,
    grades: &RankedGrades<'_>,
    scores: &[f64],
    default_gain: GainFunction,
) -> Option<TieInterval> {
    let worth = |grade| worth(metric, grade, default_gain);
    let value = |ranked: &[Option<f64>]| metric.evaluate(&RankedGrades { ranked, judged: grades.judged }, default_gain);
    if matches!(metric, Metric::InferredAveragePrecision { .. }) {
        return None;
    }
    let mut ranked = grades.ranked.to_vec();
    sort_ties(&mut ranked, scores, |a, b| worth(*b).total_cmp(&worth(*a)));
    let high = value(&ranked)?;
    sort_ties(&mut ranked, scores, |a, b| worth(*a).total_cmp(&worth(*b)));
    Some(TieInterval { low: value(&ranked)?, high })
}

/// Returns [`tie_interval`] of several metrics at once: nearly all of them agree that the order by grade, descending, is the best.
#[must_use]
pub fn tie_intervals(
    metrics: &[Metric],
    grades: &RankedGrades<'_>,
    scores: &[f64],
    default_gain: GainFunction,
) -> Vec<Option<TieInterval>> {
    let worth = |grade: &Option<f64>| grade.map_or(0.0, |grade| grade.max(0.0));
    let mut best = grades.ranked.to_vec();
    sort_ties(&mut best, scores, |a, b| worth(b).total_cmp(&worth(a)));
    let mut worst = best.clone();
    sort_ties(&mut worst, scores, |a, b| worth(a).total_cmp(&worth(b)));
    let interval = |metric: &Metric| match metric {
        Metric::Judged { .. } | Metric::Bpref { .. } | Metric::InferredAveragePrecision { .. } => {
            tie_interval(metric, grades, scores, default_gain)
        }
        _ => {
            let value = |ranked| metric.evaluate(&RankedGrades { ranked, judged: grades.judged }, default_gain);
            Some(TieInterval { low: value(&worst)?, high: value(&best)? })
        }
    };
    metrics.iter().map(interval).collect()
}

fn sort_ties(
    ranked: &mut [Option<f64>],
    scores: &[f64],
    compare: impl Fn(&Option<f64>, &Option<f64>) -> std::cmp::Ordering,
) {
    let mut rest = ranked;
    for tied in scores.chunk_by(|a, b| a == b) {
        let (block, below) = rest.split_at_mut(tied.len().min(rest.len()));
        block.sort_by(&compare);
        rest = below;
    }
}

/// Returns a number that is higher where an item is worth more to the metric.
fn worth(metric: &Metric, grade: Option<f64>, default_gain: GainFunction) -> f64 {
    let relevant = |relevance: crate::Relevance| f64::from(u8::from(relevance.holds_at(grade)));
    match *metric {
        Metric::Ndcg { gain, .. } => grade.map_or(0.0, |grade| gain.unwrap_or(default_gain).gain(grade)),
        Metric::Err { .. } | Metric::Rbp { gain: RbpGain::Graded(_), .. } => grade.map_or(0.0, |grade| grade.max(0.0)),
        Metric::Recall { relevance, .. }
        | Metric::Precision { relevance, .. }
        | Metric::RPrecision { relevance, .. }
        | Metric::Success { relevance, .. }
        | Metric::ReciprocalRank { relevance, .. }
        | Metric::AveragePrecision { relevance, .. }
        | Metric::Rbp { gain: RbpGain::Binary(relevance), .. } => relevant(relevance),
        Metric::Bpref { relevance } => match grade {
            Some(grade) if relevance.holds(grade) => 2.0,
            Some(grade) if grade >= 0.0 => 0.0,
            _ => 1.0,
        },
        Metric::Judged { .. } => f64::from(u8::from(grade.is_some())),
        Metric::TrecEval { measure: TrecMeasure::NdcgAtLevels, .. } => grade.map_or(0.0, |grade| grade.max(0.0)),
        Metric::TrecEval { relevance, .. } => relevant(relevance),
        // The order does not matter to the counts; of infAP nothing is claimed.
        Metric::InferredAveragePrecision { .. } | Metric::Returned { .. } | Metric::Relevant { .. } => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items(hits: &[(&str, f64)], ties: TieOrder) -> String {
        ordered(hits, ties).into_iter().map(|index| hits[index].0).collect()
    }

    #[test]
    fn ties_follow_the_policy() {
        let hits = [("b", 1.0), ("a", 1.0), ("c", 2.0), ("d", 1.0), ("e", f64::NAN), ("f", -1.0)];
        assert_eq!(items(&hits, TieOrder::Given), "cbadfe");
        assert_eq!(items(&hits, TieOrder::ItemDescending), "cdbafe");
        assert_eq!(items(&hits, TieOrder::ItemAscending), "cabdfe");
    }

    #[test]
    fn a_repeated_item_stays_at_its_best_place() {
        assert_eq!(items(&[("a", 1.0), ("b", 2.0), ("a", 3.0)], TieOrder::Given), "ab");
        assert_eq!(items(&[("a", 0.0), ("b", -0.0)], TieOrder::ItemDescending), "ba");
    }

    #[test]
    fn ties_across_a_cutoff_decide_the_metric() {
        let metric: Metric = "P@1".parse().unwrap();
        let grades = RankedGrades { ranked: &[None, Some(1.0), Some(1.0)], judged: &[1.0, 1.0] };
        let interval = |scores: &[f64]| tie_interval(&metric, &grades, scores, GainFunction::Linear).unwrap();
        assert_eq!(interval(&[2.0, 2.0, 1.0]), TieInterval { low: 0.0, high: 1.0 });
        assert_eq!(interval(&[3.0, 2.0, 2.0]), TieInterval { low: 0.0, high: 0.0 });
        assert_eq!(interval(&[]), TieInterval { low: 0.0, high: 0.0 });
    }

    #[test]
    fn undefined_where_the_metric_is_and_for_inferred_precision() {
        let interval = |name: &str, judged| {
            let grades = RankedGrades { ranked: &[Some(1.0)], judged };
            tie_interval(&name.parse().unwrap(), &grades, &[1.0], GainFunction::Linear)
        };
        assert_eq!(interval("AP", &[0.0]), None);
        assert_eq!(interval("infAP", &[1.0]), None);
    }

    /// Every order of the hits in which scores do not rise.
    fn orders(hits: &[(Option<f64>, f64)]) -> Vec<Vec<Option<f64>>> {
        if hits.is_empty() {
            return vec![Vec::new()];
        }
        let best = hits.iter().map(|hit| hit.1).fold(f64::NEG_INFINITY, f64::max);
        let mut all = Vec::new();
        for index in (0..hits.len()).filter(|&index| hits[index].1 == best) {
            let mut rest = hits.to_vec();
            let (first, _) = rest.remove(index);
            for mut order in orders(&rest) {
                order.insert(0, first);
                all.push(order);
            }
        }
        all
    }

    proptest! {
        #[test]
        fn ends_are_those_of_all_permutations(
            hits in prop::collection::vec((prop::option::of((-1_i32..4).prop_map(f64::from)), (0_u8..3).prop_map(f64::from)), 0..7),
            missing in prop::collection::vec((-1_i32..4).prop_map(f64::from), 0..4),
        ) {
            let mut hits = hits;
            hits.sort_by(|a, b| b.1.total_cmp(&a.1));
            let (ranked, scores): (Vec<Option<f64>>, Vec<f64>) = hits.iter().copied().unzip();
            let judged: Vec<f64> = ranked.iter().flatten().copied().chain(missing).collect();
            let grades = RankedGrades { ranked: &ranked, judged: &judged };
            let orders = orders(&hits);
            for name in [
                "nDCG", "nDCG(dcg='exp-log2')@3", "R@2", "P@3", "Rprec", "Success@1", "RR", "RR@2", "AP", "AP@3", "ERR@4", "ERR",
                "RBP(p=0.7)", "RBP(p=0.5,max_rel=2)", "Judged@2", "Bpref", "Bpref(rel=2)", "NumRet(rel=1)", "NumRel",
                "nDCG(judged_only=True)@2", "AP(judged_only=True)@3", "P(judged_only=True)@2", "ERR(judged_only=True)",
            ] {
                let metric: Metric = name.parse().unwrap();
                let found = tie_interval(&metric, &grades, &scores, GainFunction::Linear);
                let values: Option<Vec<f64>> = orders
                    .iter()
                    .map(|ranked| metric.evaluate(&RankedGrades { ranked, judged: &judged }, GainFunction::Linear))
                    .collect();
                let expected = values.map(|values| {
                    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
                    (low, values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
                });
                prop_assert_eq!(&tie_intervals(&[metric], &grades, &scores, GainFunction::Linear), &[found], "{}", name);
                prop_assert_eq!(found.is_some(), expected.is_some(), "{}", name);
                let (Some(found), Some((low, high))) = (found, expected) else { continue };
                prop_assert!((found.low - low).abs() < 1e-12 && (found.high - high).abs() < 1e-12, "{} {:?} {} {}", name, found, low, high);
            }
        }
    }
}
