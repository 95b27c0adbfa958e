//! How much do the means depend on the order of hits with equal scores, which an engine may return in any?

use datafusion::arrow::array::{Array as _, AsArray as _};
use datafusion::arrow::datatypes::Float64Type;
use rematch_metrics::Metric;
use rematch_metrics::sum::CompensatedSum;
use serde::{Deserialize, Serialize};

use super::chunk::ArmChunk;
use super::columns::{Damaged, mismatch};
use super::outcome::{TieRange, TieSummary};
use super::question::Question;
use super::tally::{GroupArm, merge_each};
use crate::rows::list_range;
use crate::schema::column;

/// The ties of one arm.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct TieTally {
    sessions: u64,
    /// In the order of [`crate::benchmark::Plan::metrics`].
    metrics: Vec<Gaps>,
}

/// How far one metric could be from its values.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Gaps {
    sessions: u64,
    below: CompensatedSum,
    above: CompensatedSum,
}

impl TieTally {
    pub(super) fn of(question: &Question<'_>, arm: &ArmChunk) -> Result<Self, Damaged> {
        let metrics = question.plan.metrics.len();
        let mut found = Self { sessions: 0, metrics: vec![Gaps::default(); metrics] };
        let Some(bounds) = arm.tie_bounds.as_ref().filter(|bounds| bounds.null_count() < bounds.len()) else {
            return Ok(found);
        };
        let values = bounds.values().as_primitive_opt::<Float64Type>();
        let values = values.ok_or_else(|| mismatch(column::TIE_BOUNDS, bounds.values().data_type()))?;
        for row in (0..bounds.len()).filter(|row| bounds.is_valid(*row)) {
            found.sessions += 1;
            let range = list_range(bounds, row);
            if range.len() != 2 * metrics && !range.is_empty() {
                let reason = format!(
                    "row {} has {} numbers in column `{}`, expected two for each of {metrics} metrics",
                    row + 1,
                    range.len(),
                    column::TIE_BOUNDS
                );
                return Err(reason.into());
            }
            for (metric, (gaps, low)) in found.metrics.iter_mut().zip(range.step_by(2)).enumerate() {
                if values.is_valid(low)
                    && values.is_valid(low + 1)
                    && let Some(value) = arm.value(metric, row)
                {
                    gaps.add(value, values.value(low), values.value(low + 1));
                }
            }
        }
        Ok(found)
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.sessions += other.sessions;
        merge_each(&mut self.metrics, other.metrics, |ours, theirs| {
            ours.sessions += theirs.sessions;
            ours.below.merge(theirs.below);
            ours.above.merge(theirs.above);
        });
    }

    /// Returns what ties leave open; `None` where there are none. `whole` is the arm over all sessions.
    pub(super) fn summarise(&self, question: &Question<'_>, whole: &GroupArm) -> Option<TieSummary> {
        let metrics = question.plan.metrics.iter().enumerate().zip(&self.metrics);
        let ours = question.plan.relevance.compatibility.has_our_values();
        let known = metrics.filter(|((_, metric), _)| ours && metric.ties_have_an_interval());
        let range = |((place, metric), gaps): ((usize, &Metric), &Gaps)| {
            let found = whole.means.get(place).copied().unwrap_or_default();
            let mean = found.mean();
            let share = |sum: CompensatedSum| sum.total() / found.n.max(1) as f64;
            let range = TieRange {
                sessions: gaps.sessions,
                lowest_mean: mean.map(|mean| mean - share(gaps.below)),
                highest_mean: mean.map(|mean| mean + share(gaps.above)),
            };
            (metric.to_string(), range)
        };
        (self.sessions > 0).then(|| TieSummary {
            sessions: self.sessions,
            share: (whole.answered > 0).then(|| self.sessions as f64 / whole.answered as f64),
            metrics: known.map(range).collect(),
        })
    }
}

impl Gaps {
    fn add(&mut self, value: f64, low: f64, high: f64) {
        if low < high {
            self.sessions += 1;
            self.below.add(value - low);
            self.above.add(high - value);
        }
    }
}
