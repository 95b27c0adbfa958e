//! `_rank_eval` of Elasticsearch and OpenSearch: `modules/rank-eval` of either. Its defaults: a rating of 1 is relevant
//! (`relevant_rating_threshold`, our `rel=`), unrated hits are not (`ignore_unlabeled: false`, our `judged_only`).

use std::num::NonZeroUsize;

use super::{cascade, exponential_gain, first_rank, ideal, share, window};
use crate::bounded::PositiveNumber;
use crate::metric::Metric;
use crate::ranking::{GainFunction, RankedGrades, Relevance};

pub(super) fn check(metric: &Metric) -> Result<(), &'static str> {
    match metric {
        Metric::Ndcg { gain: Some(GainFunction::Linear), .. } => Err("its gain is 2^rating - 1"),
        Metric::Precision { .. } => Ok(()),
        _ if metric.judged_only() => Err("only its precision can ignore unlabelled hits"),
        Metric::Ndcg { .. } | Metric::Recall { .. } | Metric::ReciprocalRank { .. } | Metric::Err { .. } => Ok(()),
        _ => Err("it has precision, recall, mean reciprocal rank, DCG and expected reciprocal rank"),
    }
}

pub(super) fn evaluate(metric: &Metric, grades: &RankedGrades<'_>) -> f64 {
    let found = |window: &[Option<f64>], level: f64| window.iter().flatten().filter(|&&grade| grade >= level).count();
    match *metric {
        Metric::Precision { relevance, judged_only, cutoff } => {
            let window = window(grades, Some(cutoff));
            let counted = if judged_only { window.iter().flatten().count() } else { window.len() };
            share(found(window, level(relevance).get()), counted)
        }
        Metric::Recall { relevance, cutoff, .. } => {
            let level = level(relevance).get();
            let relevant = grades.judged.iter().filter(|&&grade| grade >= level).count();
            share(found(window(grades, Some(cutoff)), level), relevant)
        }
        Metric::ReciprocalRank { relevance, cutoff, .. } => {
            let level = level(relevance).get();
            first_rank(window(grades, cutoff), |grade| grade.is_some_and(|grade| grade >= level))
        }
        Metric::Ndcg { cutoff, .. } => ndcg(grades, cutoff),
        Metric::Err { max_grade, cutoff, .. } => cascade(window(grades, cutoff), max_grade.get()),
        _ => 0.0,
    }
}

/// The ideal holds as many ratings as there are hits, so that a short answer is not held against a retriever.
fn ndcg(grades: &RankedGrades<'_>, cutoff: Option<NonZeroUsize>) -> f64 {
    let window = window(grades, cutoff);
    let ideal = exponential_gain(ideal(grades).iter().take(window.len()));
    if ideal == 0.0 { 0.0 } else { exponential_gain(window) / ideal }
}

/// The threshold: a rating of 1 unless the name says another.
pub(super) fn level(relevance: Relevance) -> PositiveNumber {
    match relevance {
        Relevance::AtLeast(level) => level,
        Relevance::AboveZero => PositiveNumber::ONE,
    }
}
