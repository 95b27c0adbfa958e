//! Whose conventions the numbers follow: presets that give the values of other programs on the same data.
//!
//! Programs that print the same name compute different numbers: gain, ideal, divisor, what is relevant, what undefined means.
//! A preset reproduces one program's, so that yesterday's dashboard can be matched, and [`Preset::convention`] says in words
//! what it does. What a program does not have is refused, not approximated.

mod convention;
#[cfg(test)]
mod documentation;
mod elasticsearch;
mod opensearch;
mod quepid;
mod ranx;
#[cfg(test)]
mod tests;
mod trec_measures;

use std::num::NonZeroUsize;

use crate::metric::Metric;
use crate::ranking::{GainFunction, RankedGrades, SparseGrades};

pub use convention::Convention;

/// A program whose numbers are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preset {
    /// Our own: the definitions of trec_eval and ir_measures, where undefined is undefined.
    #[default]
    Strict,
    /// trec_eval with `-c`: undefined is zero.
    TrecEval,
    /// ranx (Bassani 2022) 0.3: grades below 1 do not count, undefined is zero.
    Ranx,
    /// Elasticsearch's and OpenSearch's `_rank_eval`.
    Elasticsearch,
    /// OpenSearch's Search Relevance Workbench (3.x, with its dynamic threshold): values are rounded to two digits per search.
    OpenSearch,
    /// Quepid's shipped scorers.
    Quepid,
}

/// Why a program's value of a metric cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{program} has no `{metric}`: {reason}")]
pub struct NotInPreset {
    /// The program.
    pub program: &'static str,
    /// The metric's name.
    pub metric: String,
    /// What the program has instead.
    pub reason: &'static str,
}

impl Preset {
    /// Returns the program's name, for people.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Strict => "Rematch",
            Self::TrecEval => "trec_eval",
            Self::Ranx => "ranx",
            Self::Elasticsearch => "Elasticsearch",
            Self::OpenSearch => "OpenSearch",
            Self::Quepid => "Quepid",
        }
    }

    /// Returns where this program's definitions stand.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::Strict => "<https://ir-measur.es>, <https://github.com/usnistgov/trec_eval>",
            Self::TrecEval => "<https://github.com/usnistgov/trec_eval>",
            Self::Ranx => "<https://github.com/AmenRa/ranx>, `ranx/metrics`",
            Self::Elasticsearch => "<https://github.com/elastic/elasticsearch>, `modules/rank-eval`",
            Self::OpenSearch => {
                "<https://github.com/opensearch-project/search-relevance>, `metrics/calculator/Evaluation.java` and \
                 `JudgmentThresholdCalculator.java`"
            }
            Self::Quepid => "<https://github.com/o19s/quepid>, `db/scorers`",
        }
    }

    /// Returns whether a value that is undefined is zero to this program.
    #[must_use]
    pub fn undefined_is_zero(self) -> bool {
        self != Self::Strict
    }

    /// Checks that the program has this metric.
    ///
    /// # Errors
    ///
    /// Where it has not, or has another one by that name; the error says which.
    pub fn check(self, metric: &Metric) -> Result<(), NotInPreset> {
        let refused = match self {
            Self::Strict | Self::TrecEval => Ok(()),
            Self::Ranx => ranx::check(metric),
            Self::Elasticsearch => elasticsearch::check(metric),
            Self::OpenSearch => opensearch::check(metric),
            Self::Quepid => quepid::check(metric),
        };
        refused.map_err(|reason| NotInPreset { program: self.program(), metric: metric.to_string(), reason })
    }

    /// Returns the program's value for one session, `None` where it is undefined: never for a program to which that is zero,
    /// but for Quepid's AP without a relevant item, which is not a number there.
    ///
    /// Of a metric that [`check`](Self::check) refuses this is `None`.
    #[must_use]
    pub fn evaluate(self, metric: &Metric, grades: &RankedGrades<'_>, default_gain: GainFunction) -> Option<f64> {
        match self {
            Self::Strict | Self::TrecEval => self.of_our_value(metric, metric.evaluate(grades, default_gain)),
            _ if self.check(metric).is_err() => None,
            Self::Ranx => Some(ranx::evaluate(metric, grades, default_gain)),
            Self::Elasticsearch => Some(elasticsearch::evaluate(metric, grades)),
            Self::OpenSearch => Some(opensearch::evaluate(metric, grades)),
            Self::Quepid => quepid::evaluate(metric, grades),
        }
    }

    /// Returns what [`evaluate`](Self::evaluate) says of grades that are kept another way.
    #[must_use]
    pub fn evaluate_sparse(self, metric: &Metric, grades: &mut SparseGrades) -> Option<f64> {
        match self {
            Self::Strict | Self::TrecEval => self.of_our_value(metric, grades.evaluate(metric)),
            _ => {
                let gain = grades.gain();
                self.evaluate(metric, &grades.rank_by_rank(), gain)
            }
        }
    }

    /// Returns the value for one session, of a program that differs from us in nothing but what it makes of an undefined one.
    fn of_our_value(self, metric: &Metric, value: Option<f64>) -> Option<f64> {
        value.or_else(|| self.undefined_is_zero().then(|| metric.of_nothing()))
    }
}

/// Returns the first ranks, down to the cutoff.
fn window<'a>(grades: &RankedGrades<'a>, cutoff: Option<NonZeroUsize>) -> &'a [Option<f64>] {
    grades.top(cutoff)
}

/// Returns Σ (2^grade - 1) / log2(rank + 1), for grades as they are: a negative one takes away.
fn exponential_gain<'a>(grades: impl IntoIterator<Item = &'a Option<f64>>) -> f64 {
    let gains = grades.into_iter().enumerate().filter_map(|(index, grade)| Some((index, (*grade)?)));
    crate::sum::sum(gains.map(|(index, grade)| (grade.exp2() - 1.0) / crate::sum::count(index + 2).log2()))
}

/// Returns all grades of the session, highest first.
fn ideal(grades: &RankedGrades<'_>) -> Vec<Option<f64>> {
    let mut all: Vec<f64> = grades.judged.to_vec();
    all.sort_unstable_by(|a, b| b.total_cmp(a));
    all.into_iter().map(Some).collect()
}

/// Returns the expected reciprocal rank of a reader whom a grade satisfies with probability (2^grade - 1) / 2^max_grade, for
/// grades as they are.
fn cascade(window: &[Option<f64>], max_grade: f64) -> f64 {
    let mut still_reading = 1.0;
    let mut stops = crate::sum::CompensatedSum::default();
    for (index, grade) in window.iter().enumerate() {
        let content = grade.map_or(0.0, |grade| (grade.exp2() - 1.0) / max_grade.exp2());
        stops.add(still_reading * content / crate::sum::count(index + 1));
        still_reading *= 1.0 - content;
    }
    stops.total()
}

/// Returns part / whole, 0 where there is nothing to divide by.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { crate::sum::count(part) / crate::sum::count(whole) }
}

/// Returns 1 / the first rank that holds an item for which `relevant` says so, else 0.
fn first_rank(window: &[Option<f64>], relevant: impl Fn(Option<f64>) -> bool) -> f64 {
    window.iter().position(|&grade| relevant(grade)).map_or(0.0, |index| crate::sum::count(index + 1).recip())
}
