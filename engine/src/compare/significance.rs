//! Is the mean paired difference of one metric more than chance?

use rematch_metrics::Proportion;
use rematch_metrics::stats::{
    ClusterResiduals, PairedT, TStatistic, minimum_detectable_effect, paired_t_of_moments, sessions_to_settle,
};

use super::SIGNIFICANCE;
use super::cluster_tests::Clustered;
use super::outcome::MetricComparison;
use super::question::Question;
use super::tally::{PairTally, Tally};
use crate::schema::column;

/// Power at which detectable differences and needed sessions are stated.
const POWER: f64 = 0.8;
const CONFIDENCE: f64 = 0.95;

/// Compares the measure at place `measure` between the baseline and the arm at `candidate`.
pub(super) fn test(
    question: &Question<'_>,
    tally: &Tally,
    clustered: &Clustered,
    candidate: usize,
    measure: usize,
) -> MetricComparison {
    let higher_is_better = question.measures.get(measure).is_none_or(|measure| measure.higher_is_better);
    let place = candidate.checked_sub(1);
    let pairs = place.and_then(|place| tally.whole.pairs.get(place)?.get(measure)).copied().unwrap_or_default();
    let dropped = place.and_then(|place| tally.dropped.get(place)?.get(measure));
    MetricComparison {
        dropped: dropped.map(super::failures::DroppedTally::by_reason).unwrap_or_default(),
        errors_as_zero: dropped.map_or(0, |dropped| dropped.errors_as_zero),
        ..conclude(&pairs, clustered.whole(candidate, measure), clustered.column(), higher_is_better)
    }
}

/// Concludes from the sums of pairs: the paired t-test, cluster-robust (CR1) as soon as a cluster repeats among them. Wins and
/// losses are counted in the direction that is better; every other number is candidate - baseline.
pub(super) fn conclude(
    pairs: &PairTally,
    clusters: Option<&ClusterResiduals>,
    cluster_by: &str,
    higher_is_better: bool,
) -> MetricComparison {
    let n = pairs.deltas.count();
    let repeated = clusters.filter(|clusters| (clusters.clusters() as u64) < n);
    let mean = |sum: rematch_metrics::sum::CompensatedSum| (n > 0).then(|| sum.total() / n as f64);
    let signs = pairs.signs;
    let mut found = MetricComparison {
        baseline_mean: mean(pairs.baseline),
        candidate_mean: mean(pairs.candidate),
        delta: pairs.deltas.mean(),
        n,
        clusters: repeated.map_or(n, |clusters| clusters.clusters() as u64),
        cluster_by: if repeated.is_some() { cluster_by } else { column::SESSION_ID }.to_owned(),
        lower_is_better: !higher_is_better,
        win: if higher_is_better { signs.improved } else { signs.degraded },
        tie: signs.neutral,
        loss: if higher_is_better { signs.degraded } else { signs.improved },
        identical: pairs.deltas.all_zero(),
        correction: "none".to_owned(),
        ..MetricComparison::default()
    };
    let moments = pairs.deltas.moments();
    let plain = paired_t_of_moments(&moments);
    found.d_z = plain.as_ref().ok().map(PairedT::d_z);
    let (name, tested) = match repeated {
        Some(clusters) => ("cluster-robust t (CR1)", clusters.test(&moments).map(|test| test.statistic)),
        None => ("paired t", plain.map(|test| test.statistic)),
    };
    match tested {
        Ok(statistic) => fill(&mut found, name, &statistic),
        Err(reason) => found.test = format!("none: {reason}"),
    }
    found
}

fn fill(found: &mut MetricComparison, name: &str, statistic: &TStatistic) {
    name.clone_into(&mut found.test);
    found.t = Some(statistic.t());
    found.df = Some(statistic.degrees_of_freedom);
    found.p = Some(statistic.p_two_sided());
    found.ci95 = Proportion::new(CONFIDENCE).ok().map(|level| statistic.interval(level));
    let (Ok(significance), Ok(power)) = (Proportion::new(SIGNIFICANCE), Proportion::new(POWER)) else { return };
    // Clusters are what repeats independently: the effect is stated per cluster, so that few clusters mean little power.
    let clusters = found.clusters as f64;
    let deviation = statistic.standard_error * clusters.sqrt();
    let detectable = minimum_detectable_effect(found.clusters, significance, power);
    found.detectable_delta = detectable.map(|effect| effect * deviation);
    let needed = sessions_to_settle((statistic.estimate / deviation).abs(), significance, power);
    found.sessions_to_settle = needed.map(|needed| (needed as f64 * found.n as f64 / clusters).ceil() as u64);
}
