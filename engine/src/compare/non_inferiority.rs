//! Is the candidate at least not worse by more than a margin? Asked beside the verdict, where the benchmark gives a margin.
//!
//! The end of the 95 % interval on the side of a loss decides, a one-sided test at level 0.025 (CONSORT's extension for
//! non-inferiority trials, Piaggio et al. 2012). What keeps a verdict from being trusted keeps this from it too.

use super::exposure;
use super::outcome::{MetricComparison, NonInferiority, NonInferiorityOutcome, PipelineComparison};
use super::verdict::{self, Distrust};
use crate::benchmark::Plan;

/// Decides by the primary measure; `None` where no margin is given, or the measure was not compared.
pub(super) fn decide(plan: &Plan, baseline: &str, comparison: &PipelineComparison) -> Option<NonInferiority> {
    let margin = plan.statistics.non_inferiority_margin?;
    let (test, exposure) = (comparison.metrics.get(&plan.primary)?, &comparison.exposure);
    let by_clicks = exposure.decides;
    let distrusted = match verdict::distrust(test, exposure, plan.noise_threshold) {
        Some(Distrust::Exposure) => exposure.too_little.is_some(),
        Some(Distrust::Failures { .. }) => true,
        None => false,
    };
    let candidate = &comparison.candidate_retriever_id;
    if !by_clicks {
        return Some(judge(&plan.primary, margin, test, distrusted, [candidate, baseline]));
    }
    let identical = exposure.common_support.as_ref().is_some_and(|common| common.identical);
    let seen = MetricComparison { ci95: exposure::on_scale_of(test, exposure), identical, ..test.clone() };
    let metric = format!("{}, by clicks on common support,", plan.primary);
    let found = judge(&metric, margin, &seen, distrusted, [candidate, baseline]);
    Some(NonInferiority { metric: plan.primary.clone(), ..found })
}

fn judge(
    metric: &str,
    margin: f64,
    test: &MetricComparison,
    distrusted: bool,
    [candidate, baseline]: [&str; 2],
) -> NonInferiority {
    let towards_better = |[low, high]: [f64; 2]| if test.lower_is_better { [-high, -low] } else { [low, high] };
    let interval = match test.ci95 {
        Some(interval) => Some(towards_better(interval)),
        None if test.identical => Some([0.0, 0.0]),
        None => None,
    };
    let outcome = match interval {
        Some(_) if distrusted => NonInferiorityOutcome::Inconclusive,
        Some([worst, _]) if worst > -margin => NonInferiorityOutcome::NonInferior,
        Some([_, best]) if best < -margin => NonInferiorityOutcome::Inferior,
        Some(_) | None => NonInferiorityOutcome::Inconclusive,
    };
    let worst_case = interval.map(|[worst, _]| worst);
    let shown = match outcome {
        NonInferiorityOutcome::NonInferior => {
            format!("`{candidate}` loses at most {margin} against `{baseline}` (not inferior)")
        }
        NonInferiorityOutcome::Inferior => {
            format!("`{candidate}` loses more than {margin} against `{baseline}` (inferior)")
        }
        NonInferiorityOutcome::Inconclusive => {
            format!("Whether `{candidate}` loses at most {margin} against `{baseline}` is not known")
        }
    };
    let numbers = match interval {
        _ if test.identical => format!("identical in {metric} on all {} sessions", test.n),
        Some([worst, best]) => {
            format!("{metric} changes by {worst:+.4} to {best:+.4} (95 % CI, + is better; one-sided level 0.025)")
        }
        None => format!("{metric} has no interval ({})", test.test),
    };
    let doubt = match distrusted {
        true => "; these numbers are not to be trusted, for the reason that the verdict gives",
        false => "",
    };
    let sentence = format!("{shown}: {numbers}{doubt}.");
    NonInferiority { metric: metric.to_owned(), margin, worst_case, outcome, sentence }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(interval: Option<[f64; 2]>, lower_is_better: bool, distrusted: bool) -> NonInferiority {
        let test = MetricComparison { ci95: interval, lower_is_better, n: 9, ..MetricComparison::default() };
        judge("RR", 0.01, &test, distrusted, ["new", "old"])
    }

    #[test]
    fn the_end_of_the_interval_on_the_side_of_a_loss_decides() {
        use NonInferiorityOutcome::{Inconclusive, Inferior, NonInferior};
        assert_eq!(outcome(Some([-0.009, 0.2]), false, false).outcome, NonInferior);
        assert_eq!(outcome(Some([-0.011, 0.2]), false, false).outcome, Inconclusive);
        assert_eq!(outcome(Some([-0.2, -0.011]), false, false).outcome, Inferior);
        assert_eq!(outcome(Some([-0.2, 0.009]), true, false).outcome, NonInferior);
        assert_eq!(outcome(Some([0.011, 0.2]), true, false).outcome, Inferior);
        assert_eq!(outcome(Some([-0.009, 0.2]), false, true).outcome, Inconclusive);
        assert_eq!(outcome(None, false, false).outcome, Inconclusive);
        assert_eq!(outcome(Some([-0.2, 0.009]), true, false).worst_case, Some(-0.009));
    }

    #[test]
    fn identical_arms_are_not_inferior_and_the_sentence_says_why() {
        let test = MetricComparison { identical: true, n: 7, ..MetricComparison::default() };
        let found = judge("RR", 0.01, &test, false, ["new", "old"]);
        assert_eq!(found.outcome, NonInferiorityOutcome::NonInferior);
        assert_eq!(
            found.sentence,
            "`new` loses at most 0.01 against `old` (not inferior): identical in RR on all 7 sessions."
        );
    }
}
