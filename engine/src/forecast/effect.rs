//! What so many sessions can find.

use rematch_metrics::Proportion;
use rematch_metrics::stats::{ConfidenceSequence, minimum_detectable_effect, student_t_quantile};

use super::DetectableEffect;
use super::earlier::Earlier;
use crate::benchmark::Plan;
use crate::compare::SIGNIFICANCE;
use crate::compare::outcome::{MetricComparison, SequenceLook};

/// Half of what lies outside of the intervals that a report states.
const TAIL: f64 = 0.025;

/// With so many degrees of freedom t is the normal distribution.
const NORMAL: f64 = 1e9;

/// How much the primary measure varied in an earlier run.
struct Variation {
    candidate: String,
    /// Standard deviation of the differences per cluster: the standard error times the root of the clusters.
    deviation: f64,
    baseline: Option<f64>,
    /// Pairs per sampled session.
    defined: f64,
    /// Clusters per pair.
    clusters: f64,
    cluster_by: String,
}

/// Returns the smallest difference that the run of `plan` over `sampled` sessions finds with this power.
pub(super) fn of(plan: &Plan, sampled: u64, power: Proportion, earlier: Option<&Earlier>) -> DetectableEffect {
    let found = earlier.and_then(|earlier| variation(plan, earlier));
    let (sessions, clusters) = match &found {
        Some(found) => {
            let sessions = sampled as f64 * found.defined;
            (sessions.round() as u64, Some((sessions * found.clusters).round() as u64))
        }
        None => (sampled, None),
    };
    let significance = Proportion::new(SIGNIFICANCE).unwrap_or(Proportion::FIVE_PERCENT);
    let units = clusters.unwrap_or(sessions);
    let fixed = minimum_detectable_effect(units, significance, power);
    let stops = plan.statistics.stop_when_decided;
    let standard_deviations = fixed.map(|fixed| if stops { of_sequence(units, significance, power) } else { fixed });
    let deviation = found.as_ref().map(|found| found.deviation);
    let delta = standard_deviations.zip(deviation).map(|(effect, deviation)| effect * deviation);
    let baseline = found.as_ref().and_then(|found| found.baseline).map(f64::abs).filter(|mean| *mean > 0.0);
    let basis = match &found {
        Some(found) => format!(
            "the differences of `{}` in the earlier run; as many clusters per session as there",
            found.candidate
        ),
        None => {
            "no earlier run tells how much the differences vary; users or visits that repeat make it larger".to_owned()
        }
    };
    DetectableEffect {
        metric: plan.primary.clone(),
        power: power.get(),
        significance: SIGNIFICANCE,
        sessions,
        clusters,
        cluster_by: found.as_ref().map(|found| found.cluster_by.clone()),
        standard_deviations,
        delta,
        relative: delta.zip(baseline).map(|(delta, mean)| delta / mean),
        basis: match fixed.filter(|_| stops) {
            Some(fixed) => format!("{basis}; {}", beside_fixed(fixed, deviation)),
            None => basis,
        },
    }
}

/// Returns what the whole sample of a run that stops when it is decided finds, in standard deviations: its interval reaches
/// farther than that of a fixed sample.
fn of_sequence(clusters: u64, significance: Proportion, power: Proportion) -> f64 {
    let reach = ConfidenceSequence::planned(significance, clusters).boundary(clusters);
    (reach + student_t_quantile(1.0 - power.get(), NORMAL)) / (clusters as f64).sqrt()
}

fn beside_fixed(fixed: f64, deviation: Option<f64>) -> String {
    let found = match deviation {
        Some(deviation) => format!("{:.4}", fixed * deviation),
        None => format!("{fixed:.4} standard deviations"),
    };
    format!("a confidence sequence finds less than a fixed test of the same size, which would find {found}")
}

/// Returns what stopping when it is decided makes of the numbers, in words; `None` where the run does not.
pub(super) fn stopping(plan: &Plan, effect: &DetectableEffect) -> Option<String> {
    plan.statistics.stop_when_decided.then(|| {
        let (needed, units) = (ConfidenceSequence::FIRST_LOOK, effect.clusters.unwrap_or(effect.sessions));
        match units < needed {
            true => format!("the run cannot stop early: that needs {needed} users or visits, and about {units} are expected"),
            false => "the run stops as soon as every candidate is decided: requests, time and disk are those of the whole sample, and \
                      may be less"
                .to_owned(),
        }
    })
}

/// Returns the variation of the candidate that varied most, of those that the plan has still.
fn variation(plan: &Plan, earlier: &Earlier) -> Option<Variation> {
    let comparisons = earlier.report.comparison.comparisons.iter();
    let known =
        comparisons.filter(|one| plan.pipelines.iter().any(|pipeline| pipeline.id == one.candidate_retriever_id));
    let varied = known.filter_map(|one| {
        let test = one.metrics.get(&plan.primary)?;
        let replayed = earlier.replayed();
        let stopping = earlier.report.comparison.stopping.as_ref();
        let look = stopping.and_then(|stopping| stopping.candidates.get(&one.candidate_retriever_id));
        Some(Variation {
            candidate: one.candidate_retriever_id.clone(),
            deviation: deviation(test, look)?,
            baseline: test.baseline_mean,
            defined: (replayed > 0).then(|| test.n as f64 / replayed as f64)?,
            clusters: (test.n > 0).then(|| test.clusters as f64 / test.n as f64)?,
            cluster_by: test.cluster_by.clone(),
        })
    });
    varied.max_by(|left, right| left.deviation.total_cmp(&right.deviation))
}

/// Returns the standard deviation per cluster. Where the last look of a run that stops when it is decided is in the place of a
/// t-test, there are no degrees of freedom, and the look has the standard error.
fn deviation(test: &MetricComparison, look: Option<&SequenceLook>) -> Option<f64> {
    let [low, high] = test.ci95?;
    let standard_error = match test.df {
        Some(df) => (high - low) / 2.0 / student_t_quantile(TAIL, df),
        None => look?.standard_error?,
    };
    let deviation = standard_error * (test.clusters as f64).sqrt();
    (deviation.is_finite() && deviation > 0.0).then_some(deviation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_read_back_from_the_interval() {
        // 400 independent pairs that vary by 0.2: a standard error of 0.01, and t of 399 degrees of freedom is 1.965927.
        let half = 1.965_927_3 * 0.01;
        let test = MetricComparison {
            ci95: Some([0.05 - half, 0.05 + half]),
            df: Some(399.0),
            n: 400,
            clusters: 400,
            ..MetricComparison::default()
        };
        assert!((deviation(&test, None).expect("a deviation") - 0.2).abs() < 1e-6);
        assert_eq!(deviation(&MetricComparison::default(), None), None);
    }

    #[test]
    fn the_deviation_of_an_early_stop_is_that_of_its_last_look() {
        let test = MetricComparison { ci95: Some([0.02, 0.08]), n: 800, clusters: 400, ..MetricComparison::default() };
        let look = SequenceLook { standard_error: Some(0.01), ..SequenceLook::default() };
        assert!((deviation(&test, Some(&look)).expect("a deviation") - 0.2).abs() < 1e-12);
        assert_eq!(deviation(&test, None), None);
        let untested = MetricComparison { ci95: None, ..test };
        assert_eq!(deviation(&untested, Some(&look)), None);
    }

    #[test]
    fn a_sequence_finds_less_than_a_fixed_test_of_the_same_size() {
        let power = Proportion::new(0.8).expect("a share");
        let fixed = minimum_detectable_effect(2000, Proportion::FIVE_PERCENT, power).expect("an effect");
        // The boundary is 3.12 standard errors after four times as many clusters as it is tuned for.
        let found = of_sequence(2000, Proportion::FIVE_PERCENT, power) / fixed;
        assert!((1.3..1.6).contains(&found), "{found}");
    }
}
