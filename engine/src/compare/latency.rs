//! Latency of first attempts: percentiles, mean, mean by stage; and how long a candidate takes against the baseline, session by
//! session.
//!
//! Sessions differ more in how long they take than retrievers do, and pairing takes that out. The mean difference is what a
//! server pays, the geometric mean of the ratios what a typical session notices. A session that timed out took at least its
//! deadline: it is no pair, but it is counted, and where it tells which side was slower it counts for that.

use std::collections::BTreeMap;

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::Int64Type;
use hdrhistogram::Histogram;
use rematch_metrics::stats::{DeltaSums, TStatistic};
use serde::{Deserialize, Serialize};

use super::chunk::ArmChunk;
use super::cluster_tests::Clustered;
use super::columns::{Damaged, as_numbers, field, list, numbers, text_column, texts};
use super::outcome::{AtLeast, CensoredLatency, LatencyComparison, LatencyMetrics, LatencyQuantiles, PairedLatency};
use super::question::Question;
use super::significance::{Tested, interval};
use super::tally::Tally;
use super::touched::structs;
use crate::replay::RetrieveErrorKind;
use crate::rows::list_range;
use crate::schema::column;
use crate::session::StageState;

const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;

/// Significant decimal digits of the histogram: a value of it is within 0.1 % of the latency that it stands for.
const DIGITS: u8 = 3;

/// The latencies of an arm. Sums are whole nanoseconds, so that parts merge exactly.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Latencies {
    /// Those of a chunk, which are not worth a histogram.
    pending: Vec<u64>,
    #[serde(with = "recorded")]
    histogram: Option<Histogram<u64>>,
    total_ns: i128,
    sessions: u64,
    stages: BTreeMap<String, StageLatency>,
    /// Deadlines of sessions that timed out: of a chunk, then of all.
    deadlines: Vec<u64>,
    #[serde(with = "recorded")]
    timed_out: Option<Histogram<u64>>,
    deadlines_ns: i128,
}

#[derive(Default, Clone, Copy, Serialize, Deserialize)]
struct StageLatency {
    total_ns: i128,
    sessions: u64,
}

/// What is known of how long one session took an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timed {
    /// Nothing: it failed, was looked up or kept from an earlier run, or took more than one attempt.
    Unmeasured,
    /// That many nanoseconds.
    Took(u64),
    /// At least that many: it timed out.
    AtLeast(u64),
}

/// Reads what is known of a chunk's latencies, by row.
pub(super) fn timed(question: &Question<'_>, index: usize, arm: &ArmChunk) -> Result<Vec<Timed>, Damaged> {
    let latency = numbers::<Int64Type>(&arm.batch, column::LATENCY_NS)?;
    let errors = text_column(&arm.batch, column::ERROR_KIND)?;
    let stages = list(&arm.batch, column::STAGES)?;
    let stage = structs(stages, column::STAGES)?;
    let states = texts(field(stage, column::STATE)?, column::STATE)?;
    let attempts = as_numbers::<Int64Type>(field(stage, column::ATTEMPTS)?, column::ATTEMPTS)?;
    let is_first_attempt = |index: usize| match StageState::parse(states.value(index)) {
        Some(StageState::Reported) => true,
        Some(state) => state.is_measured(attempts.value(index)),
        None => false,
    };
    // Which of its servers did not answer is not recorded.
    let timeout = question.plan.pipelines.get(index).and_then(|pipeline| pipeline.longest_timeout());
    let deadline_ns = timeout.map_or(u64::MAX, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
    let timed = |row: usize| {
        let nanoseconds = if latency.is_valid(row) { u64::try_from(latency.value(row)).unwrap_or(0) } else { 0 };
        let mut of_row = list_range(stages, row);
        if !arm.has_failed(row) {
            return if of_row.all(is_first_attempt) { Timed::Took(nanoseconds) } else { Timed::Unmeasured };
        }
        if errors.value(row) != RetrieveErrorKind::Timeout.as_str() {
            return Timed::Unmeasured;
        }
        // What a failure took is the time of all its attempts.
        let attempts = of_row.map(|index| attempts.value(index)).max().and_then(|most| u64::try_from(most).ok());
        Timed::AtLeast((nanoseconds / attempts.unwrap_or(1).max(1)).min(deadline_ns))
    };
    Ok((0..latency.len()).map(timed).collect())
}

impl Latencies {
    /// Sums up a chunk's latencies.
    pub(super) fn of(arm: &ArmChunk, timed: &[Timed]) -> Result<Self, Damaged> {
        let stages = list(&arm.batch, column::STAGES)?;
        let stage = structs(stages, column::STAGES)?;
        let names = texts(field(stage, column::NAME)?, column::NAME)?;
        let stage_latency = as_numbers::<Int64Type>(field(stage, column::LATENCY_NS)?, column::LATENCY_NS)?;
        let mut found = Self::default();
        for (row, timed) in timed.iter().enumerate() {
            if let Timed::AtLeast(nanoseconds) = *timed {
                found.deadlines.push(nanoseconds);
                found.deadlines_ns += i128::from(nanoseconds);
            }
            let Timed::Took(nanoseconds) = *timed else { continue };
            found.pending.push(nanoseconds);
            found.total_ns += i128::from(nanoseconds);
            found.sessions += 1;
            for index in list_range(stages, row) {
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

    /// Counts those of a chunk by their size: what travels is then no latency of a session.
    pub(super) fn settle(&mut self) {
        record(&mut self.histogram, &std::mem::take(&mut self.pending));
        record(&mut self.timed_out, &std::mem::take(&mut self.deadlines));
    }

    /// Adds the latencies of a chunk.
    pub(super) fn merge(&mut self, other: Self) {
        record(&mut self.histogram, &other.pending);
        record(&mut self.timed_out, &other.deadlines);
        recorded::merge(&mut self.histogram, other.histogram);
        recorded::merge(&mut self.timed_out, other.timed_out);
        self.deadlines_ns += other.deadlines_ns;
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
            at_least: self.at_least(),
        }
    }

    /// Returns what time-outs make of percentiles and mean; `None` without any. A time-out ranks above every session that was
    /// measured, whatever its deadline: where stages have several, one session may take longer than another's.
    fn at_least(&self) -> Option<AtLeast> {
        let bounds = self.timed_out.as_ref()?;
        let measured = self.histogram.as_ref();
        let timed_out = bounds.len();
        let n = measured.map_or(0, Histogram::len) + timed_out;
        let place_of_first = (n - timed_out) as f64;
        let largest = measured.map_or(0.0, |measured| at_place(measured, place_of_first - 1.0));
        let at_rank = |place: f64| match measured {
            Some(measured) if place < place_of_first => at_place(measured, place),
            _ => at_place(bounds, place - place_of_first).max(largest),
        };
        let at = |share| interpolated_ms(n, share, at_rank);
        Some(AtLeast {
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            mean_ms: Some(mean_ms(self.total_ns + self.deadlines_ns, n)),
            timed_out,
            n,
        })
    }

    /// Returns percentiles and mean, milliseconds, and how many sessions they are of.
    fn quantiles(&self) -> LatencyQuantiles {
        let LatencyMetrics { p50_ms, p90_ms, p99_ms, mean_ms, .. } = self.summarise();
        LatencyQuantiles { p50_ms, p90_ms, p99_ms, mean_ms, n: self.sessions }
    }

    fn mean_ms(&self) -> Option<f64> {
        (self.sessions > 0).then(|| mean_ms(self.total_ns, self.sessions))
    }

    fn quantile_ms(&self, share: f64) -> Option<f64> {
        quantile_ms(self.histogram.as_ref()?, share)
    }
}

/// Histograms on their way to another process: sizes that were recorded, ascending, and how often each was. They merge exactly.
mod recorded {
    use hdrhistogram::Histogram;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use super::DIGITS;

    pub(super) fn serialize<S: Serializer>(
        histogram: &Option<Histogram<u64>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let counts = histogram.as_ref().map(|histogram| {
            let counts = histogram.iter_recorded();
            counts.map(|found| (found.value_iterated_to(), found.count_at_value())).collect::<Vec<(u64, u64)>>()
        });
        counts.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Histogram<u64>>, D::Error> {
        let Some(counts) = Option::<Vec<(u64, u64)>>::deserialize(deserializer)? else { return Ok(None) };
        let mut histogram = Histogram::new(DIGITS).map_err(de::Error::custom)?;
        for (value, count) in counts {
            histogram.record_n(value, count).map_err(de::Error::custom)?;
        }
        Ok(Some(histogram))
    }

    pub(super) fn merge(ours: &mut Option<Histogram<u64>>, theirs: Option<Histogram<u64>>) {
        let Some(theirs) = theirs else { return };
        match ours {
            // The histogram grows with what it is given; only memory could refuse it.
            Some(ours) => drop(ours.add(&theirs)),
            None => *ours = Some(theirs),
        }
    }
}

fn record(histogram: &mut Option<Histogram<u64>>, latencies: &[u64]) {
    if histogram.is_none() && !latencies.is_empty() {
        *histogram = Histogram::new(DIGITS).ok();
    }
    if let Some(histogram) = histogram {
        for nanoseconds in latencies {
            // The histogram grows with what it is given; only memory could refuse it.
            let _ = histogram.record(*nanoseconds);
        }
    }
}

fn quantile_ms(histogram: &Histogram<u64>, share: f64) -> Option<f64> {
    interpolated_ms(histogram.len(), share, |place| at_place(histogram, place))
}

/// Returns the latency at a place of the ascending order, counted from 0, nanoseconds.
fn at_place(histogram: &Histogram<u64>, place: f64) -> f64 {
    // Asked for half a place further, rounding cannot lead to a neighbour.
    let found = histogram.value_at_quantile((place + 0.5) / histogram.len() as f64);
    histogram.median_equivalent(found) as f64
}

/// The quantile by linear interpolation between the two latencies around it (type 7).
fn interpolated_ms(sessions: u64, share: f64, at: impl Fn(f64) -> f64) -> Option<f64> {
    let place = share * (sessions.checked_sub(1)? as f64);
    let (below, above) = (at(place.floor()), at(place.ceil()));
    Some((below + (above - below) * place.fract()) / NANOSECONDS_PER_MILLISECOND)
}

fn mean_ms(total_ns: i128, sessions: u64) -> f64 {
    total_ns as f64 / sessions as f64 / NANOSECONDS_PER_MILLISECOND
}

/// The paired latencies of one candidate.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct LatencyPairs {
    /// Milliseconds.
    pub(super) deltas: DeltaSums,
    /// Logarithms of candidate / baseline.
    pub(super) log_ratios: DeltaSums,
    slower: u64,
    faster: u64,
    censored: CensoredLatency,
    /// The deltas of sessions in which one side timed out, taken to have ended at its deadline.
    at_deadline: DeltaSums,
    /// Those sessions in which that side was slower for sure.
    surely_slower: u64,
    surely_faster: u64,
}

impl LatencyPairs {
    pub(super) fn of(timed: &[Vec<Timed>], candidate: usize) -> Self {
        let mut found = Self::default();
        let (Some(baseline), Some(new)) = (timed.first(), timed.get(candidate)) else { return found };
        for (old, new) in baseline.iter().zip(new) {
            match (*old, *new) {
                (Timed::Took(old), Timed::Took(new)) => {
                    let [delta, log_ratio] = differences(old, new);
                    found.deltas.add(delta);
                    found.log_ratios.add(log_ratio);
                    found.slower += u64::from(new > old);
                    found.faster += u64::from(new < old);
                }
                (Timed::Took(old), Timed::AtLeast(new)) => {
                    found.censored.candidate += 1;
                    found.at_deadline.add(differences(old, new)[0]);
                    found.surely_slower += u64::from(new > old);
                }
                (Timed::AtLeast(old), Timed::Took(new)) => {
                    found.censored.baseline += 1;
                    found.at_deadline.add(differences(old, new)[0]);
                    found.surely_faster += u64::from(new < old);
                }
                (Timed::AtLeast(_), Timed::AtLeast(_)) => found.censored.both += 1,
                (Timed::Unmeasured, _) | (_, Timed::Unmeasured) => {}
            }
        }
        found
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.deltas.merge(other.deltas);
        self.log_ratios.merge(other.log_ratios);
        self.at_deadline.merge(other.at_deadline);
        self.slower += other.slower;
        self.faster += other.faster;
        self.surely_slower += other.surely_slower;
        self.surely_faster += other.surely_faster;
        self.censored.baseline += other.censored.baseline;
        self.censored.candidate += other.censored.candidate;
        self.censored.both += other.censored.both;
    }

    fn delta_at_deadline_ms(&self) -> Option<f64> {
        let mut all = self.deltas;
        all.merge(self.at_deadline);
        all.mean().filter(|_| self.at_deadline.count() > 0)
    }

    fn slower_share(&self) -> Option<f64> {
        let known = self.deltas.count() + self.surely_slower + self.surely_faster;
        (known > 0).then(|| (self.slower + self.surely_slower) as f64 / known as f64)
    }
}

/// Returns the difference in milliseconds and the logarithm of the ratio; a clock that says 0 is taken to mean 1 ns.
pub(super) fn differences(baseline_ns: u64, candidate_ns: u64) -> [f64; 2] {
    let (old, new) = (baseline_ns as f64, candidate_ns as f64);
    [(new - old) / NANOSECONDS_PER_MILLISECOND, (new.max(1.0) / old.max(1.0)).ln()]
}

/// Compares the latencies of the arm at `candidate` with the baseline's.
pub(super) fn compare(tally: &Tally, clustered: &Clustered, candidate: usize) -> LatencyComparison {
    let quantiles = |arm: usize| tally.arms.get(arm).map(|arm| arm.latencies.quantiles()).unwrap_or_default();
    let Some(pairs) = candidate.checked_sub(1).and_then(|place| tally.latencies.get(place)) else {
        return LatencyComparison::default();
    };
    let [deltas, log_ratios] =
        clustered.latencies(candidate).map_or([None, None], |[deltas, ratios]| [Some(deltas), Some(ratios)]);
    let difference = Tested::of(&pairs.deltas, deltas);
    let ratio = Tested::of(&pairs.log_ratios, log_ratios);
    let test = difference.words();
    let p = |statistic: Option<&TStatistic>| statistic.map(TStatistic::p_two_sided);
    let (difference_t, ratio_t) = (difference.statistic.as_ref().ok(), ratio.statistic.as_ref().ok());
    LatencyComparison {
        baseline: quantiles(0),
        candidate: quantiles(candidate),
        paired: PairedLatency {
            delta_ms: pairs.deltas.mean(),
            ci95_ms: difference_t.map(interval),
            p: p(difference_t),
            test,
            ratio: pairs.log_ratios.mean().map(f64::exp),
            ratio_ci95: ratio_t
                .map(interval)
                .map(|ends| ends.map(f64::exp))
                .filter(|ends| ends.iter().all(|end| end.is_finite())),
            ratio_p: p(ratio_t),
            n: pairs.deltas.count(),
            clusters: difference.clusters,
            cluster_by: if difference.repeated { clustered.column() } else { column::SESSION_ID }.to_owned(),
            slower: pairs.slower,
            faster: pairs.faster,
            slower_share: pairs.slower_share(),
        },
        censored: CensoredLatency { delta_at_deadline_ms: pairs.delta_at_deadline_ms(), ..pairs.censored },
    }
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
    fn time_outs_count_where_they_tell_which_side_was_slower() {
        let took = |milliseconds: u64| Timed::Took(milliseconds * 1_000_000);
        let at_least = |milliseconds: u64| Timed::AtLeast(milliseconds * 1_000_000);
        let baseline =
            vec![took(10), took(20), took(30), at_least(100), at_least(100), at_least(100), Timed::Unmeasured];
        let candidate = vec![took(20), took(10), at_least(100), took(5), took(300), at_least(100), took(1)];
        let pairs = LatencyPairs::of(&[baseline, candidate], 1);
        assert_eq!((pairs.deltas.count(), pairs.slower, pairs.faster), (2, 1, 1));
        assert_eq!((pairs.censored.baseline, pairs.censored.candidate, pairs.censored.both), (2, 1, 1));
        // One slower of two pairs, one that surely was and one that surely was not; 300 ms against at least 100 tell nothing.
        assert_eq!(pairs.slower_share(), Some(2.0 / 4.0));
        let at_deadline: f64 = [10.0, -10.0, 70.0, -95.0, 200.0].iter().sum::<f64>() / 5.0;
        assert!((pairs.delta_at_deadline_ms().expect("a bound") - at_deadline).abs() < 1e-9);
        assert!(pairs.log_ratios.mean().expect("ratios").abs() < 1e-12);
        assert_eq!(LatencyPairs::default().slower_share(), None);
        assert!(differences(0, 1_000_000).iter().all(|number| number.is_finite()));
    }

    #[test]
    fn a_percentile_among_time_outs_is_at_least_the_deadline_and_not_that_of_the_rest() {
        let mut found = Latencies::default();
        let took: Vec<u64> = (1..=97).map(|milliseconds| milliseconds * 1_000_000).collect();
        let (total_ns, sessions) = (took.iter().map(|ns| i128::from(*ns)).sum(), 97);
        found.merge(Latencies { pending: took, total_ns, sessions, ..Latencies::default() });
        assert_eq!(found.summarise().at_least, None);
        let (deadlines, deadlines_ns) = (vec![1_000_000_000; 3], 3_000_000_000);
        found.merge(Latencies { deadlines, deadlines_ns, ..Latencies::default() });
        let measured = found.summarise();
        assert!(measured.p99_ms < Some(98.0), "{measured:?}");
        let at_least = measured.at_least.expect("time-outs");
        assert!((at_least.p99_ms.expect("a bound") / 1000.0 - 1.0).abs() < 1e-3, "{at_least:?}");
        assert!((at_least.p50_ms.expect("a value") - 50.5).abs() < 0.1, "{at_least:?}");
        assert!((at_least.mean_ms.expect("a bound") - (4753.0 + 3000.0) / 100.0).abs() < 1e-9, "{at_least:?}");
        assert_eq!((at_least.timed_out, at_least.n), (3, 100));
        assert_eq!((at_least.bounds(0.5), at_least.bounds(0.9), at_least.bounds(0.99)), (false, false, true));
    }

    #[test]
    fn a_time_out_ranks_above_all_that_was_measured_even_with_a_shorter_deadline() {
        let mut found = Latencies::default();
        // Of two stages with deadlines of their own, session by session a chunk.
        for (took, deadline) in [(10, 5), (40, 60), (20, 7), (30, 8)] {
            let (took, deadline) = (took * 1_000_000_u64, deadline * 1_000_000_u64);
            found.merge(Latencies { pending: vec![took], deadlines: vec![deadline], ..Latencies::default() });
        }
        let at_least = found.at_least().expect("time-outs");
        // Places 0 to 3 were measured (10, 20, 30, 40); 4 to 6 are bounds below 40, place 7 is at least 60.
        assert!((at_least.p50_ms.expect("a bound") - 40.0).abs() < 0.1, "{at_least:?}");
        assert!((at_least.p90_ms.expect("a bound") - 46.0).abs() < 0.1, "{at_least:?}");
        assert!((at_least.p99_ms.expect("a bound") - 58.6).abs() < 0.1, "{at_least:?}");
        assert_eq!((at_least.timed_out, at_least.n), (4, 8));
        assert!(at_least.bounds(0.5) && !at_least.bounds(0.4));
        let mut alone = Latencies::default();
        alone.merge(Latencies { deadlines: vec![5_000_000], ..Latencies::default() });
        assert!((alone.at_least().and_then(|bound| bound.p50_ms).expect("a bound") - 5.0).abs() < 0.01);
    }

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
