//! OpenSearch's Search Relevance Workbench: `metrics/calculator/Evaluation.java` and `JudgmentThresholdCalculator.java` of
//! <https://github.com/opensearch-project/search-relevance>.

use super::{exponential_gain, first_rank, ideal, share, window};
use crate::metric::Metric;
use crate::ranking::{GainFunction, RankedGrades, Relevance};
use crate::sum::{count, sum};

pub(super) fn check(metric: &Metric) -> Result<(), &'static str> {
    const LEVEL: &str = "what is relevant follows from the ratings of each search, and cannot be said";
    if metric.judged_only() {
        return Err("it does not condense rankings");
    }
    match metric {
        Metric::Ndcg { gain: Some(GainFunction::Linear), .. } => Err("its gain is 2^rating - 1"),
        Metric::Ndcg { .. } | Metric::Judged { .. } => Ok(()),
        Metric::Precision { relevance, .. }
        | Metric::Recall { relevance, .. }
        | Metric::ReciprocalRank { relevance, .. }
        | Metric::AveragePrecision { relevance, .. } => {
            if *relevance == Relevance::AboveZero {
                Ok(())
            } else {
                Err(LEVEL)
            }
        }
        _ => Err("it has coverage (Judged), precision, recall, MAP, MRR, DCG and nDCG"),
    }
}

pub(super) fn evaluate(metric: &Metric, grades: &RankedGrades<'_>) -> f64 {
    let threshold = threshold(grades.judged);
    let relevant = |grade: f64| grade >= threshold && grade > 0.0;
    let holds = |grade: Option<f64>| grade.is_some_and(relevant);
    let window = window(grades, metric.cutoff());
    let found = window.iter().filter(|&&grade| holds(grade)).count();
    let all = grades.judged.iter().filter(|&&grade| relevant(grade)).count();
    rounded(match *metric {
        Metric::Judged { .. } => share(window.iter().flatten().count(), window.len()),
        Metric::Precision { .. } => share(found, window.len()),
        Metric::Recall { .. } => share(found, all),
        Metric::ReciprocalRank { .. } => first_rank(window, holds),
        Metric::AveragePrecision { .. } if found > 0 => {
            let ranks = (1..).zip(window).filter(|(_, grade)| holds(**grade)).map(|(rank, _): (usize, _)| rank);
            sum((1..).zip(ranks).map(|(found, rank)| count(found) / count(rank))) / count(all)
        }
        Metric::Ndcg { cutoff, .. } => {
            let mut best = ideal(grades);
            best.truncate(cutoff.map_or(best.len(), std::num::NonZeroUsize::get));
            let ideal = exponential_gain(&best);
            if ideal > 0.0 { exponential_gain(window) / ideal } else { 0.0 }
        }
        _ => 0.0,
    })
}

/// Returns the rating from which on an item is relevant: the larger of half the highest one and the 90th percentile (nearest
/// rank) of the session's ratings; 0, so any positive one, where there are none or the highest is 0.
fn threshold(ratings: &[f64]) -> f64 {
    let mut sorted = ratings.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let Some(&highest) = sorted.last() else { return 0.0 };
    if highest == 0.0 {
        return 0.0;
    }
    // ceil(0.9 n) - 1, in whole numbers.
    let place = (sorted.len() * 9).div_ceil(10) - 1;
    let percentile = sorted.get(place).copied().unwrap_or(highest);
    percentile.max(0.5 * highest)
}

/// Rounds to two digits, halves up, as Java does.
fn rounded(value: f64) -> f64 {
    (value * 100.0 + 0.5).floor() / 100.0
}
