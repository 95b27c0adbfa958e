//! Is the mean paired difference of one metric more than chance?

use rematch_metrics::stats::{
    ClusterResiduals, DeltaSums, PairedT, SignCounts, TStatistic, Untestable, mcnemar_exact, minimum_detectable_effect,
    paired_t_of_moments, sessions_to_settle, sign_test, student_t_quantile,
};
use rematch_metrics::{Metric, Proportion};

use super::cluster_tests::Clustered;
use super::outcome::{McNemarTest, MetricComparison, OtherTest, RelativeChange};
use super::question::Question;
use super::tally::{PairTally, Tally};
use super::{CONFIDENCE, SIGNIFICANCE};
use crate::benchmark::statistics::{DEFAULT_POWER, FurtherTest};
use crate::schema::column;

/// The upper tail that a 95 % interval leaves out.
const TAIL: f64 = 0.025;

/// A baseline's mean within this many standard errors of 0 is nothing to be relative to.
const LEAST_DISTANCE: f64 = 3.0;

/// A standard error of a relative change below this share of what it is the difference of is rounding.
const ROUNDING: f64 = 1e-9;

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
    let statistics = &question.plan.statistics;
    let clusters = clustered.whole(candidate, measure);
    let found = conclude_at(&pairs, clusters, clustered.column(), higher_is_better, Some(statistics.power));
    let repeated = (found.clusters < found.n).then(|| clustered.relative(candidate, measure)).flatten();
    // A metric's place among the measures is its place in the plan; scorers come after.
    let metric = question.plan.metrics.get(measure);
    let is_binary = matches!(metric, Some(Metric::Success { .. })) && question.plan.noise_threshold < 1.0;
    let by_sign = || sign(pairs.signs, found.clusters < found.n);
    MetricComparison {
        dropped: dropped.map(super::failures::DroppedTally::by_reason).unwrap_or_default(),
        errors_as_zero: dropped.map_or(0, |dropped| dropped.errors_as_zero),
        relative: relative_change(&pairs, repeated),
        mcnemar: is_binary.then(|| mcnemar(pairs.signs)),
        other_tests: statistics.also.contains(&FurtherTest::Sign).then(by_sign).into_iter().collect(),
        ..found
    }
}

/// Returns the change relative to the baseline's mean; `clusters` are the residuals of [`Clustered::relative`] where clusters
/// repeat.
fn relative_change(pairs: &PairTally, clusters: Option<&ClusterResiduals>) -> Option<RelativeChange> {
    let count = pairs.deltas.count();
    let n = count as f64;
    let (delta, baseline) = (pairs.deltas.mean()?, pairs.baseline.total() / n);
    let squares = pairs.baseline_squares.total();
    let baseline_error = ((squares - n * baseline * baseline).max(0.0) / (n - 1.0) / n).sqrt();
    if count < 2 || baseline.abs() <= LEAST_DISTANCE * baseline_error || baseline == 0.0 {
        return None;
    }
    let ratio = delta / baseline;
    // The residuals of the ratio, delta - ratio x baseline, add up to 0.
    let residuals = pairs.deltas.squares() - 2.0 * ratio * pairs.products.total() + ratio * ratio * squares;
    let (error, degrees_of_freedom) = match clusters {
        Some(clusters) => (clusters.standard_error()?, clusters.clusters() as f64 - 1.0),
        None => ((n / (n - 1.0) * residuals.max(0.0)).sqrt() / n, n - 1.0),
    };
    let least = ROUNDING * (pairs.deltas.squares() + ratio * ratio * squares).sqrt() / n;
    let change = delta / baseline.abs();
    let reach = student_t_quantile(TAIL, degrees_of_freedom) * error / baseline.abs();
    let ci95 = (error > least && reach.is_finite()).then_some([change - reach, change + reach]);
    change.is_finite().then_some(RelativeChange { change, ci95 })
}

fn mcnemar(signs: SignCounts) -> McNemarTest {
    let (only_baseline, only_candidate) = (signs.degraded, signs.improved);
    let p = mcnemar_exact(only_baseline, only_candidate).ok().map(|test| test.p_two_sided);
    McNemarTest { only_baseline, only_candidate, p }
}

/// What a test that knows nothing of clusters takes for granted.
pub(super) fn independence(clusters_repeat: bool) -> &'static str {
    if clusters_repeat { "; it takes sessions for independent, which they are not here" } else { "" }
}

pub(super) fn sign(signs: SignCounts, clusters_repeat: bool) -> OtherTest {
    let test = sign_test(signs);
    OtherTest {
        test: "sign".to_owned(),
        hypothesis: format!("as many wins as losses, not a mean of 0{}", independence(clusters_repeat)),
        statistic: Some(signs.improved as f64),
        p: test.as_ref().ok().map(|test| test.p_two_sided),
        n: signs.improved + signs.degraded,
        note: test.err().map(|reason| format!("none: {reason}")).unwrap_or_default(),
    }
}

/// Returns a difference as a share of the baseline's value; `None` where that is not above 0.
pub(super) fn relative_to(baseline: Option<f64>, difference: f64) -> Option<f64> {
    Some(difference / baseline.filter(|baseline| *baseline > 0.0)?)
}

/// The t-test of a mean: plain, or cluster-robust (CR1) where a cluster repeats among the deltas.
pub(super) struct Tested {
    /// Its name.
    pub(super) name: &'static str,
    pub(super) statistic: Result<TStatistic, Untestable>,
    /// Clusters, or deltas where none repeats.
    pub(super) clusters: u64,
    /// Whether one repeats.
    pub(super) repeated: bool,
}

impl Tested {
    pub(super) fn of(deltas: &DeltaSums, clusters: Option<&ClusterResiduals>) -> Self {
        let (n, moments) = (deltas.count(), deltas.moments());
        match clusters.filter(|clusters| (clusters.clusters() as u64) < n) {
            Some(clusters) => Self {
                name: "cluster-robust t (CR1)",
                statistic: clusters.test(&moments).map(|test| test.statistic),
                clusters: clusters.clusters() as u64,
                repeated: true,
            },
            None => Self {
                name: "paired t",
                statistic: paired_t_of_moments(&moments).map(|test| test.statistic),
                clusters: n,
                repeated: false,
            },
        }
    }

    /// Returns the test's name, or why there is none.
    pub(super) fn words(&self) -> String {
        match &self.statistic {
            Ok(_) => self.name.to_owned(),
            Err(reason) => format!("none: {reason}"),
        }
    }
}

/// Returns the 95 % interval.
pub(super) fn interval(statistic: &TStatistic) -> [f64; 2] {
    statistic.interval(CONFIDENCE)
}

/// Concludes from the sums of pairs: the paired t-test, cluster-robust (CR1) as soon as a cluster repeats among them. Wins and
/// losses are counted in the direction that is better; every other number is candidate - baseline.
pub(super) fn conclude(
    pairs: &PairTally,
    clusters: Option<&ClusterResiduals>,
    cluster_by: &str,
    higher_is_better: bool,
) -> MetricComparison {
    conclude_at(pairs, clusters, cluster_by, higher_is_better, Some(DEFAULT_POWER))
}

/// As [`conclude`], with detectable differences at that power, if any: they take longer than everything else.
pub(super) fn conclude_at(
    pairs: &PairTally,
    clusters: Option<&ClusterResiduals>,
    cluster_by: &str,
    higher_is_better: bool,
    power: Option<f64>,
) -> MetricComparison {
    let n = pairs.deltas.count();
    let tested = Tested::of(&pairs.deltas, clusters);
    let mean = |sum: rematch_metrics::sum::CompensatedSum| (n > 0).then(|| sum.total() / n as f64);
    let signs = pairs.signs;
    let plain = paired_t_of_moments(&pairs.deltas.moments()).ok();
    let mut found = MetricComparison {
        baseline_mean: mean(pairs.baseline),
        candidate_mean: mean(pairs.candidate),
        delta: pairs.deltas.mean(),
        test: tested.words(),
        n,
        clusters: tested.clusters,
        cluster_by: if tested.repeated { cluster_by } else { column::SESSION_ID }.to_owned(),
        lower_is_better: !higher_is_better,
        win: if higher_is_better { signs.improved } else { signs.degraded },
        tie: signs.neutral,
        loss: if higher_is_better { signs.degraded } else { signs.improved },
        identical: pairs.deltas.all_zero(),
        correction: "none".to_owned(),
        d_z: plain.as_ref().map(PairedT::d_z),
        g_z: plain.as_ref().filter(|test| test.statistic.degrees_of_freedom > 1.0).map(PairedT::hedges_g_z),
        ..MetricComparison::default()
    };
    if let Ok(statistic) = &tested.statistic {
        fill(&mut found, statistic, power);
    }
    found
}

fn fill(found: &mut MetricComparison, statistic: &TStatistic, power: Option<f64>) {
    found.t = Some(statistic.t());
    found.df = Some(statistic.degrees_of_freedom);
    found.p = Some(statistic.p_two_sided());
    found.ci95 = Some(interval(statistic));
    found.power = power;
    let Some(power) = power.and_then(|power| Proportion::new(power).ok()) else { return };
    let Ok(significance) = Proportion::new(SIGNIFICANCE) else { return };
    // Clusters are what repeats independently: the effect is stated per cluster, so that few clusters mean little power.
    let clusters = found.clusters as f64;
    let deviation = statistic.standard_error * clusters.sqrt();
    let detectable = minimum_detectable_effect(found.clusters, significance, power);
    found.detectable_delta = detectable.map(|effect| effect * deviation);
    let needed = sessions_to_settle((statistic.estimate / deviation).abs(), significance, power);
    found.sessions_to_settle = needed.map(|needed| (needed as f64 * found.n as f64 / clusters).ceil() as u64);
}
