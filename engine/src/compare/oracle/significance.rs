//! Is the mean paired difference of one metric more than chance?

use std::collections::BTreeMap;

use rematch_metrics::Proportion;
use rematch_metrics::stats::{
    SignCounts, TStatistic, Untestable, cluster_robust_t, minimum_detectable_effect, paired_t, sessions_to_settle,
};
use rematch_metrics::sum::mean;

use super::observations::Observations;
use crate::compare::SIGNIFICANCE;
use crate::compare::outcome::MetricComparison;
use crate::schema::column;
use crate::score::{Measure, MeasureKind};

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

/// Compares the measure at place `measure` between the baseline and the arm at `candidate`.
pub(super) fn test(observations: &Observations, candidate: usize, measure: usize, noise: f64) -> MetricComparison {
    let values = |arm: usize| observations.values(arm, measure);
    let rows = 0..observations.sessions();
    let higher_is_better = observations.measures().get(measure).is_none_or(|measure| measure.higher_is_better);
    let pairs = Pairs::of(observations, values(0), values(candidate), rows);
    let failures = ScorerFailures { observations, measure, candidate };
    MetricComparison {
        dropped: failures.dropped(),
        errors_as_zero: failures.as_zero(),
        ..compare_pairs(&pairs, observations.cluster_by(), noise, higher_is_better)
    }
}

/// Returns 1 where a higher value is a better one, else -1.
pub(super) fn direction(measure: &Measure) -> f64 {
    if measure.higher_is_better { 1.0 } else { -1.0 }
}

/// Compares pairs: the paired t-test, cluster-robust (CR1) as soon as a cluster repeats. Wins and losses are counted in the
/// direction that is better; every other number is candidate - baseline.
pub(super) fn compare_pairs(pairs: &Pairs, cluster_by: &str, noise: f64, higher_is_better: bool) -> MetricComparison {
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
        lower_is_better: !higher_is_better,
        win: if higher_is_better { signs.improved } else { signs.degraded },
        tie: signs.neutral,
        loss: if higher_is_better { signs.degraded } else { signs.improved },
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

/// What becomes of the sessions that a measure, or one of the scorers that it comes from, failed on.
struct ScorerFailures<'a> {
    observations: &'a Observations,
    measure: usize,
    candidate: usize,
}

impl ScorerFailures<'_> {
    fn undefined(&self, arm: usize, row: usize) -> bool {
        self.observations.values(arm, self.measure).get(row).copied().flatten().is_none()
    }

    /// Whether a scorer that the measure comes from failed on the session with one of the two arms.
    fn failed(&self, row: usize) -> bool {
        let kind = self.observations.measures().get(self.measure).map(|measure| measure.kind);
        [0, self.candidate].into_iter().any(|arm| {
            let mut scorers = self.observations.arm(arm).scorers.iter().enumerate().filter(|(index, _)| match kind {
                Some(MeasureKind::Scorer(scorer) | MeasureKind::SubScore(scorer)) => *index == scorer,
                Some(MeasureKind::ScenarioScore) => true,
                Some(MeasureKind::Metric) | None => false,
            });
            scorers.any(|(_, scorer)| scorer.failed.get(row).copied().unwrap_or(false))
        })
    }

    /// Counts the sessions that have no pair, by reason.
    fn dropped(&self) -> BTreeMap<String, u64> {
        let mut reasons = BTreeMap::new();
        let (base, new) = (self.observations.arm(0), self.observations.arm(self.candidate));
        for row in 0..self.observations.sessions() {
            let failed = |flags: &[bool]| flags.get(row).copied().unwrap_or(false);
            let reason = match (failed(&base.failed), failed(&new.failed)) {
                (true, true) => "both_failed",
                (true, false) => "baseline_failed",
                (false, true) => "candidate_failed",
                (false, false) if !self.undefined(0, row) && !self.undefined(self.candidate, row) => continue,
                (false, false) if self.failed(row) => "scorer_failed",
                (false, false) => "metric_undefined",
            };
            *reasons.entry(reason.to_owned()).or_default() += 1;
        }
        reasons
    }

    /// Counts the pairs that stand on an error.
    fn as_zero(&self) -> u64 {
        let paired = |row: &usize| !self.undefined(0, *row) && !self.undefined(self.candidate, *row);
        (0..self.observations.sessions()).filter(paired).filter(|row| self.failed(*row)).count() as u64
    }
}
