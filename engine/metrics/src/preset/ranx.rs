//! ranx 0.3: <https://github.com/AmenRa/ranx>, `ranx/metrics`.

use super::window;
use crate::bounded::PositiveNumber;
use crate::metric::Metric;
use crate::ranking::{GainFunction, RankedGrades, RbpGain, Relevance};
use crate::sum::CompensatedSum;

/// `rel_lvl`, which its names write as `-l1`.
const LEVEL: f64 = 1.0;

pub(super) fn check(metric: &Metric) -> Result<(), &'static str> {
    if metric.judged_only() {
        return Err("it does not condense rankings");
    }
    match metric {
        Metric::Ndcg { .. }
        | Metric::Recall { .. }
        | Metric::Precision { .. }
        | Metric::RPrecision { .. }
        | Metric::Success { .. }
        | Metric::ReciprocalRank { .. }
        | Metric::AveragePrecision { .. }
        | Metric::Rbp { gain: RbpGain::Binary(_), cutoff: None, .. }
        | Metric::Returned { relevance: Some(_) } => Ok(()),
        Metric::Rbp { .. } => Err("its `rbp` takes the grade itself as the gain, over the whole ranking"),
        Metric::Bpref { .. } => Err("its `bpref` is not a number where no item is judged not relevant"),
        _ => Err("it has precision, recall, hit rate, hits, R-precision, MRR, MAP, nDCG and RBP"),
    }
}

/// Its metrics are those of trec_eval with another level: an item counts from grade 1 on, and its grade is its gain.
pub(super) fn evaluate(metric: &Metric, grades: &RankedGrades<'_>, default_gain: GainFunction) -> f64 {
    let kept = |grade: f64| if grade >= LEVEL { grade } else { 0.0 };
    let ranked: Vec<Option<f64>> = grades.ranked.iter().map(|grade| grade.map(kept)).collect();
    let judged: Vec<f64> = grades.judged.iter().map(|&grade| kept(grade)).collect();
    let kept = RankedGrades { ranked: &ranked, judged: &judged };
    match *metric {
        Metric::Rbp { persistence, gain: RbpGain::Binary(relevance), .. } => {
            graded_rbp(&kept, relevance, persistence.get())
        }
        _ => metric.evaluate(&kept, default_gain).unwrap_or(0.0),
    }
}

/// The gain is the grade, which no highest grade divides: a value may be above 1.
fn graded_rbp(grades: &RankedGrades<'_>, relevance: Relevance, persistence: f64) -> f64 {
    let mut total = CompensatedSum::default();
    let mut weight = 1.0 - persistence;
    for grade in window(grades, None) {
        total.add(weight * grade.filter(|&grade| relevance.holds(grade)).unwrap_or(0.0));
        weight *= persistence;
    }
    total.total()
}

/// The level as it is written in a convention.
pub(super) fn level(relevance: Relevance) -> PositiveNumber {
    match relevance {
        Relevance::AtLeast(level) if level.get() > LEVEL => level,
        _ => PositiveNumber::ONE,
    }
}
