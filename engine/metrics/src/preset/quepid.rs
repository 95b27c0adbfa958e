//! Quepid's shipped scorers: `db/scorers` of <https://github.com/o19s/quepid> (`p@10.js`, `ap@10.js`, `rr@10.js`, `err@10.js`,
//! `ndcg@10.js`), with the cutoff as it is asked for.

use super::{cascade, exponential_gain, first_rank, ideal, share, window};
use crate::metric::{DEFAULT_ERR_MAX_GRADE, Metric};
use crate::ranking::{GainFunction, RankedGrades, Relevance};
use crate::sum::{count, sum};

/// The highest rating of its scale, which its ERR has in its code.
const MAX_RATING: f64 = 3.0;

pub(super) fn check(metric: &Metric) -> Result<(), &'static str> {
    if metric.judged_only() {
        return Err("it does not condense rankings");
    }
    match metric {
        Metric::Ndcg { gain: Some(GainFunction::Linear), .. } => Err("its gain is 2^rating - 1"),
        Metric::Ndcg { .. } => Ok(()),
        Metric::Err { max_grade, .. } if *max_grade == DEFAULT_ERR_MAX_GRADE || max_grade.get() == MAX_RATING => Ok(()),
        Metric::Err { .. } => Err("its highest rating is 3"),
        Metric::Precision { relevance, .. }
        | Metric::ReciprocalRank { relevance, .. }
        | Metric::AveragePrecision { relevance, .. } => {
            if *relevance == Relevance::AboveZero {
                Ok(())
            } else {
                Err("any rating above 0 is relevant")
            }
        }
        _ => Err("it has P, AP, RR, ERR, CG, DCG and nDCG"),
    }
}

pub(super) fn evaluate(metric: &Metric, grades: &RankedGrades<'_>) -> Option<f64> {
    let holds = |grade: Option<f64>| Relevance::AboveZero.holds_at(grade);
    let window = window(grades, metric.cutoff());
    Some(match metric {
        Metric::Precision { .. } => share(window.iter().filter(|&&grade| holds(grade)).count(), window.len()),
        Metric::ReciprocalRank { .. } => first_rank(window, holds),
        Metric::AveragePrecision { .. } => {
            let all = count(grades.relevant(Relevance::AboveZero)?.get());
            let ranks = (1..).zip(window).filter(|(_, grade)| holds(**grade)).map(|(rank, _): (usize, _)| rank);
            sum((1..).zip(ranks).map(|(found, rank)| count(found) / count(rank))) / all
        }
        Metric::Err { .. } => cascade(window, MAX_RATING),
        Metric::Ndcg { .. } => {
            // The ideal is of all rated items, below the cutoff too, so that nDCG@10 of more than ten stays below 1.
            let ideal = exponential_gain(&ideal(grades));
            if ideal == 0.0 { 0.0 } else { exponential_gain(window) / ideal }
        }
        _ => return None,
    })
}
