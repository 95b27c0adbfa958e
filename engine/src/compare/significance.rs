//! Is the mean paired difference of one metric more than chance?

use std::collections::BTreeMap;

use rematch_metrics::Proportion;
use rematch_metrics::stats::{
    SignCounts, TStatistic, Untestable, cluster_robust_t, minimum_detectable_effect, paired_t, sessions_to_settle,
};
use rematch_metrics::sum::mean;

use super::SIGNIFICANCE;
use super::observations::Observations;
use super::outcome::MetricComparison;
use crate::schema::column;

/// Power at which detectable differences and needed sessions are stated.
const POWER: f64 = 0.8;
const CONFIDENCE: f64 = 0.95;

/// The pairs of one comparison: sessions in which both sides have a value.
#[derive(Default)]
pub(super) struct Pairs {
    baseline: Vec<f64>,
    candidate: Vec<f64>,
    clusters: Vec<usize>,
}

impl Pairs {
    /// Pairs `baseline` with `candidate` over the sessions in `rows`.
    pub(super) fn of(
        observations: &Observations,
        baseline: &[Option<f64>],
        candidate: &[Option<f64>],
        rows: impl Iterator<Item = usize>,
    ) -> Self {
        let mut pairs = Self::default();
        for row in rows {
            let values = baseline.get(row).copied().flatten().zip(candidate.get(row).copied().flatten());
            if let (Some((base, new)), Some(session)) = (values, observations.session(row)) {
                pairs.baseline.push(base);
                pairs.candidate.push(new);
                pairs.clusters.push(session.cluster);
            }
        }
        pairs.clusters = renumbered(&pairs.clusters);
        pairs
    }

    pub(super) fn len(&self) -> usize {
        self.baseline.len()
    }

    fn deltas(&self) -> Vec<f64> {
        self.candidate.iter().zip(&self.baseline).map(|(new, base)| new - base).collect()
    }

    fn cluster_count(&self) -> usize {
        self.clusters.iter().max().map_or(0, |last| last + 1)
    }
}

/// Numbers the clusters that occur from 0 without gaps, in order of first appearance.
fn renumbered(clusters: &[usize]) -> Vec<usize> {
    let mut numbers = std::collections::HashMap::new();
    clusters
        .iter()
        .map(|cluster| {
            let next = numbers.len();
            *numbers.entry(*cluster).or_insert(next)
        })
        .collect()
}

/// Compares the metric at position `metric` of the plan between the baseline and the arm at `candidate`.
pub(super) fn test(observations: &Observations, candidate: usize, metric: usize, noise: f64) -> MetricComparison {
    let values = |arm: usize| observations.arm(arm).metrics.get(metric).map(Vec::as_slice).unwrap_or_default();
    let rows = 0..observations.sessions();
    compare_pairs(&Pairs::of(observations, values(0), values(candidate), rows), observations.cluster_by(), noise)
}

/// Compares pairs: the paired t-test, cluster-robust (CR1) as soon as a cluster repeats.
pub(super) fn compare_pairs(pairs: &Pairs, cluster_by: &str, noise: f64) -> MetricComparison {
    let deltas = pairs.deltas();
    let clusters = pairs.cluster_count();
    let signs = SignCounts::of(&deltas, noise);
    let mut found = MetricComparison {
        baseline_mean: mean(&pairs.baseline),
        candidate_mean: mean(&pairs.candidate),
        delta: mean(&deltas),
        n: deltas.len() as u64,
        clusters: clusters as u64,
        cluster_by: if clusters < deltas.len() { cluster_by } else { column::SESSION_ID }.to_owned(),
        win: signs.improved,
        tie: signs.neutral,
        loss: signs.degraded,
        identical: !deltas.is_empty() && deltas.iter().all(|delta| *delta == 0.0),
        correction: "none".to_owned(),
        ..MetricComparison::default()
    };
    let plain = paired_t(&deltas);
    found.d_z = plain.as_ref().ok().map(rematch_metrics::stats::PairedT::d_z);
    let (name, tested) = if clusters < deltas.len() {
        ("cluster-robust t (CR1)", cluster_robust_t(&deltas, &pairs.clusters).map(|test| test.statistic))
    } else {
        ("paired t", plain.map(|test| test.statistic))
    };
    match tested {
        Ok(statistic) => fill(&mut found, name, &statistic),
        Err(reason) => found.test = why_untested(&reason),
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

fn why_untested(reason: &Untestable) -> String {
    format!("none: {reason}")
}

/// Counts the sessions that have no pair of the metric at position `metric`, by reason.
pub(super) fn dropped(observations: &Observations, candidate: usize, metric: usize) -> BTreeMap<String, u64> {
    let mut reasons = BTreeMap::new();
    let (base, new) = (observations.arm(0), observations.arm(candidate));
    let at = |values: &[Vec<Option<f64>>], row: usize| {
        values.get(metric).and_then(|values| values.get(row).copied().flatten())
    };
    for row in 0..observations.sessions() {
        let failed = |flags: &[bool]| flags.get(row).copied().unwrap_or(false);
        let reason = match (failed(&base.failed), failed(&new.failed)) {
            (true, true) => "both_failed",
            (true, false) => "baseline_failed",
            (false, true) => "candidate_failed",
            (false, false) if at(&base.metrics, row).is_none() || at(&new.metrics, row).is_none() => "metric_undefined",
            (false, false) => continue,
        };
        *reasons.entry(reason.to_owned()).or_default() += 1;
    }
    reasons
}
