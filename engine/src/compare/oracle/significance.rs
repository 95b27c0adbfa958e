//! Is the mean paired difference of one metric more than chance?

use std::collections::BTreeMap;

use rematch_metrics::Proportion;
use rematch_metrics::stats::{
    ClusterSum, Moments, PairedT, SignCounts, TStatistic, Untestable, cluster_robust_t, cluster_sums,
    minimum_detectable_effect, paired_t, sessions_to_settle, sign_test, student_t_quantile,
};
use rematch_metrics::sum::mean;

use super::observations::Observations;
use crate::benchmark::Plan;
use crate::compare::SIGNIFICANCE;
use crate::compare::outcome::{McNemarTest, MetricComparison, RelativeChange};
use crate::compare::significance::sign;
use crate::schema::column;
use crate::score::{Measure, MeasureKind};

const CONFIDENCE: f64 = 0.95;

/// The pairs of one comparison: sessions in which both sides have a value.
#[derive(Default)]
pub(super) struct Pairs {
    baseline: Vec<f64>,
    candidate: Vec<f64>,
    clusters: Vec<usize>,
    /// The clusters by their numbers in the run.
    run_clusters: Vec<usize>,
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
        pairs.run_clusters = std::mem::take(&mut pairs.clusters);
        pairs.clusters = renumbered(&pairs.run_clusters);
        pairs
    }

    /// Pairs lists of one length; `rows` says which sessions they are about.
    pub(super) fn of_values(observations: &Observations, rows: &[usize], values: Vec<[f64; 2]>) -> Self {
        let clusters: Vec<usize> =
            rows.iter().filter_map(|row| observations.session(*row)).map(|session| session.cluster).collect();
        let (baseline, candidate) = values.into_iter().map(|[old, new]| (old, new)).unzip();
        Self { baseline, candidate, clusters: renumbered(&clusters), run_clusters: clusters }
    }

    pub(super) fn clusters(&self) -> &[usize] {
        &self.clusters
    }

    /// The sums of the clusters, in the order in which the run has them.
    pub(super) fn cluster_sums(&self) -> Vec<ClusterSum> {
        cluster_sums(&self.deltas(), &self.run_clusters).expect("as many clusters as deltas")
    }

    pub(super) fn len(&self) -> usize {
        self.baseline.len()
    }

    pub(super) fn deltas(&self) -> Vec<f64> {
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
pub(super) fn test(plan: &Plan, observations: &Observations, candidate: usize, measure: usize) -> MetricComparison {
    let noise = plan.noise_threshold;
    let values = |arm: usize| observations.values(arm, measure);
    let rows = 0..observations.sessions();
    let higher_is_better = observations.measures().get(measure).is_none_or(|measure| measure.higher_is_better);
    let pairs = Pairs::of(observations, values(0), values(candidate), rows);
    let failures = ScorerFailures { observations, measure, candidate };
    let found = compare_pairs(&pairs, observations.cluster_by(), noise, higher_is_better, plan.statistics.power.into());
    let signs = SignCounts::of(&pairs.deltas(), noise);
    let binary = observations.measures()[measure].name.starts_with("Success");
    MetricComparison {
        relative: relative_change(&pairs),
        mcnemar: binary.then(|| McNemarTest {
            only_baseline: signs.degraded,
            only_candidate: signs.improved,
            p: sign_test(signs).ok().map(|test| test.p_two_sided),
        }),
        other_tests: vec![sign(signs, pairs.cluster_count() < pairs.len())],
        dropped: failures.dropped(),
        errors_as_zero: failures.as_zero(),
        ..found
    }
}

/// Returns 1 where a higher value is a better one, else -1.
pub(super) fn direction(measure: &Measure) -> f64 {
    if measure.higher_is_better { 1.0 } else { -1.0 }
}

/// Compares pairs: the paired t-test, cluster-robust (CR1) as soon as a cluster repeats. Wins and losses are counted in the
/// direction that is better; every other number is candidate - baseline.
pub(super) fn compare_pairs(
    pairs: &Pairs,
    cluster_by: &str,
    noise: f64,
    higher_is_better: bool,
    power: Option<f64>,
) -> MetricComparison {
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
    found.d_z = plain.as_ref().ok().map(PairedT::d_z);
    found.g_z = plain.as_ref().ok().filter(|_| deltas.len() > 2).map(PairedT::hedges_g_z);
    let (name, tested) = if clusters < deltas.len() {
        ("cluster-robust t (CR1)", cluster_robust_t(&deltas, &pairs.clusters).map(|test| test.statistic))
    } else {
        ("paired t", plain.map(|test| test.statistic))
    };
    match tested {
        Ok(statistic) => fill(&mut found, name, &statistic, power),
        Err(reason) => found.test = why_untested(&reason),
    }
    found
}

/// The relative change and its interval, from the residuals themselves.
fn relative_change(pairs: &Pairs) -> Option<RelativeChange> {
    let moments = Moments::of(&pairs.baseline);
    let (baseline, delta, n) = (moments.mean()?, mean(&pairs.deltas())?, pairs.len() as f64);
    if baseline.abs() <= 3.0 * moments.standard_deviation()? / n.sqrt() || baseline == 0.0 {
        return None;
    }
    let residual = |(old, delta): (&f64, f64)| delta - delta_share(old, baseline, mean(&pairs.deltas()));
    let residuals: Vec<f64> = pairs.baseline.iter().zip(pairs.deltas()).map(residual).collect();
    let sums = cluster_sums(&residuals, &pairs.clusters).expect("as many clusters as deltas");
    let clusters = sums.len() as f64;
    let squares: f64 = sums.iter().map(|sum| sum.sum * sum.sum).sum();
    let error = (clusters / (clusters - 1.0) * squares).sqrt() / n / baseline.abs();
    let change = delta / baseline.abs();
    let reach = student_t_quantile(0.025, clusters - 1.0) * error;
    let ci95 = (clusters > 1.0 && error > 1e-9).then_some([change - reach, change + reach]);
    (clusters > 1.0).then_some(RelativeChange { change, ci95 })
}

/// What a baseline's value contributes to the mean delta, if deltas were a share of it.
fn delta_share(value: &f64, baseline: f64, delta: Option<f64>) -> f64 {
    value * delta.unwrap_or(0.0) / baseline
}

fn fill(found: &mut MetricComparison, name: &str, statistic: &TStatistic, power: Option<f64>) {
    name.clone_into(&mut found.test);
    found.t = Some(statistic.t());
    found.df = Some(statistic.degrees_of_freedom);
    found.p = Some(statistic.p_two_sided());
    found.ci95 = Proportion::new(CONFIDENCE).ok().map(|level| statistic.interval(level));
    found.power = power;
    let Some(power) = power else { return };
    let (Ok(significance), Ok(power)) = (Proportion::new(SIGNIFICANCE), Proportion::new(power)) else { return };
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
