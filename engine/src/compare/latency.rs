//! Latency of first attempts: percentiles, mean, and mean by stage.

use std::collections::BTreeMap;

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::Int64Type;
use hdrhistogram::Histogram;

use super::chunk::ArmChunk;
use super::columns::{Damaged, as_numbers, field, list, numbers, texts};
use super::outcome::LatencyMetrics;
use super::touched::structs;
use crate::rows::list_range;
use crate::schema::column;
use crate::session::StageState;

const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;

/// Significant decimal digits of the histogram: a value of it is within 0.1 % of the latency that it stands for.
const DIGITS: u8 = 3;

/// The latencies of an arm. Sums are whole nanoseconds, so that parts merge exactly.
#[derive(Default)]
pub(super) struct Latencies {
    /// Those of a chunk, which are not worth a histogram.
    pending: Vec<u64>,
    histogram: Option<Histogram<u64>>,
    total_ns: i128,
    sessions: u64,
    stages: BTreeMap<String, StageLatency>,
}

#[derive(Default, Clone, Copy)]
struct StageLatency {
    total_ns: i128,
    sessions: u64,
}

impl Latencies {
    /// Reads a chunk's latencies; failed sessions have none, nor have those whose answer was looked
    /// up, kept from an earlier run, or took more than one attempt.
    pub(super) fn of(arm: &ArmChunk) -> Result<Self, Damaged> {
        let latency = numbers::<Int64Type>(&arm.batch, column::LATENCY_NS)?;
        let stages = list(&arm.batch, column::STAGES)?;
        let stage = structs(stages, column::STAGES)?;
        let states = texts(field(stage, column::STATE)?, column::STATE)?;
        let names = texts(field(stage, column::NAME)?, column::NAME)?;
        let whole_numbers = |name| as_numbers::<Int64Type>(field(stage, name)?, name);
        let (stage_latency, attempts) = (whole_numbers(column::LATENCY_NS)?, whole_numbers(column::ATTEMPTS)?);
        let is_first_attempt = |index: usize| match StageState::parse(states.value(index)) {
            Some(StageState::Reported) => true,
            Some(state) => state.is_measured(attempts.value(index)),
            None => false,
        };
        let mut found = Self::default();
        for row in (0..latency.len()).filter(|row| !arm.has_failed(*row)) {
            let stages = list_range(stages, row);
            if !stages.clone().all(is_first_attempt) {
                continue;
            }
            let nanoseconds = if latency.is_valid(row) { latency.value(row) } else { 0 };
            found.pending.push(u64::try_from(nanoseconds).unwrap_or(0));
            found.total_ns += i128::from(nanoseconds);
            found.sessions += 1;
            for index in stages {
                let name = names.value(index);
                if !found.stages.contains_key(name) {
                    found.stages.insert(name.to_owned(), StageLatency::default());
                }
                if let Some(stage) = found.stages.get_mut(name) {
                    stage.total_ns += i128::from(stage_latency.value(index));
                    stage.sessions += 1;
                }
            }
        }
        Ok(found)
    }

    /// Adds the latencies of a chunk.
    pub(super) fn merge(&mut self, other: Self) {
        if self.histogram.is_none() && !other.pending.is_empty() {
            self.histogram = Histogram::new(DIGITS).ok();
        }
        if let Some(histogram) = &mut self.histogram {
            for nanoseconds in &other.pending {
                // The histogram grows with what it is given; only memory could refuse it.
                let _ = histogram.record(*nanoseconds);
            }
        }
        self.total_ns += other.total_ns;
        self.sessions += other.sessions;
        for (name, stage) in other.stages {
            let ours = self.stages.entry(name).or_default();
            ours.total_ns += stage.total_ns;
            ours.sessions += stage.sessions;
        }
    }

    /// Returns percentiles, mean, and mean by stage, milliseconds.
    pub(super) fn summarise(&self) -> LatencyMetrics {
        let stages = self.stages.iter().filter(|(_, stage)| stage.sessions > 0);
        LatencyMetrics {
            p50_ms: self.quantile_ms(0.5),
            p90_ms: self.quantile_ms(0.9),
            p99_ms: self.quantile_ms(0.99),
            mean_ms: self.mean_ms(),
            stage_latencies: stages
                .map(|(name, stage)| (name.clone(), mean_ms(stage.total_ns, stage.sessions)))
                .collect(),
        }
    }

    fn mean_ms(&self) -> Option<f64> {
        (self.sessions > 0).then(|| mean_ms(self.total_ns, self.sessions))
    }

    /// The quantile by linear interpolation between the two latencies around it (type 7).
    fn quantile_ms(&self, share: f64) -> Option<f64> {
        let histogram = self.histogram.as_ref()?;
        let sessions = histogram.len();
        let place = share * (sessions.checked_sub(1)? as f64);
        // Asked for half a place further, rounding cannot lead to a neighbour.
        let at = |place: f64| {
            let found = histogram.value_at_quantile((place + 0.5) / sessions as f64);
            histogram.median_equivalent(found) as f64
        };
        let (below, above) = (at(place.floor()), at(place.ceil()));
        Some((below + (above - below) * place.fract()) / NANOSECONDS_PER_MILLISECOND)
    }
}

fn mean_ms(total_ns: i128, sessions: u64) -> f64 {
    total_ns as f64 / sessions as f64 / NANOSECONDS_PER_MILLISECOND
}

/// Returns the difference of the mean latencies, candidate - baseline, milliseconds.
pub(super) fn delta_ms(baseline: &Latencies, candidate: &Latencies) -> Option<f64> {
    Some(candidate.mean_ms()? - baseline.mean_ms()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rematch_metrics::stats::{QuantileMethod, quantile};

    #[test]
    fn percentiles_are_within_a_thousandth_of_the_exact_ones() {
        for sessions in [1_u32, 2, 3, 10, 101, 5000] {
            let latencies: Vec<u64> =
                (0..sessions).map(|index| u64::from(index.wrapping_mul(2_654_435_761) % 90_000_000)).collect();
            let mut found = Latencies::default();
            for part in latencies.chunks(7) {
                found.merge(Latencies { pending: part.to_vec(), ..Latencies::default() });
            }
            let exact: Vec<f64> = latencies.iter().map(|latency| *latency as f64).collect();
            for share in [0.5, 0.9, 0.99] {
                let expected = quantile(&exact, share, QuantileMethod::Linear).expect("values") / 1e6;
                let ms = found.quantile_ms(share).expect("values");
                assert!((ms - expected).abs() <= 1e-3 * expected, "{sessions} {share}: {ms} {expected}");
            }
        }
        assert_eq!(Latencies::default().summarise(), LatencyMetrics::default());
    }
}
