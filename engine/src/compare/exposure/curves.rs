//! Does what clicks say hold, however fast attention falls with rank?
//!
//! A log of one ranker that never changes cannot tell how fast it falls, and a curve that is assumed wrongly makes an equal
//! candidate better or worse: a flatter truth flatters whoever moves the lower items up, a steeper one whoever leaves them. So what
//! rests on an assumed curve decides only where it holds, with the same sign and at the same level, under every curve of a
//! family. If the truth is one of them, its own test keeps the level, and so does a decision that needs them all (Berger 1982,
//! intersection-union tests).

use super::super::cluster_tests::Clustered;
use super::super::outcome::{Estimate, Exposure, PipelineComparison, PropensitySource, Sensitivity};
use super::super::question::Question;
use super::super::significance::{conclude_at, relative_to};
use super::CLICK_SIGNIFICANCE;
use super::estimates::{FIRST_CURVE, Sums};
use super::words::{change, curve};
use crate::benchmark::statistics::Correction;
use crate::compare::adjusted;

/// Returns the difference on common support under each of the assumed curves; nothing where the curve is not an assumption.
pub(super) fn sensitivity(
    question: &Question<'_>,
    sums: &Sums,
    clustered: &Clustered,
    candidate: usize,
) -> Vec<Sensitivity> {
    let Some(examination) = question.clicks.as_ref().filter(|found| found.source == PropensitySource::Assumed) else {
        return Vec::new();
    };
    let mut found: Vec<Sensitivity> = Vec::new();
    for (place, exponent) in (FIRST_CURVE..).zip(examination.exponents) {
        let Some(pairs) = sums.estimates.get(place) else { continue };
        if found.last().is_some_and(|last| last.exponent == exponent) {
            continue;
        }
        let test = conclude_at(pairs, clustered.clicks(candidate, place), clustered.column(), true, None);
        found.push(Sensitivity {
            exponent,
            baseline_mean: test.baseline_mean,
            relative: test.delta.and_then(|delta| relative_to(test.baseline_mean, delta)),
            ci95: test.ci95.and_then(|ends| shares_of(test.baseline_mean, ends)),
            p: test.p,
            p_adjusted: None,
        });
    }
    found
}

/// Returns both ends as shares of a baseline's value above 0.
pub(in crate::compare) fn shares_of(baseline: Option<f64>, [low, high]: [f64; 2]) -> Option<[f64; 2]> {
    Some([relative_to(baseline, low)?, relative_to(baseline, high)?])
}

/// Adjusts the p under each curve for the number of candidates, and says where what is significant does not hold under all.
pub(super) fn settle(correction: Correction, noise: f64, comparisons: &mut [PipelineComparison]) {
    let curves = comparisons.iter().map(|comparison| comparison.exposure.sensitivity.len()).max().unwrap_or(0);
    for place in 0..curves {
        let mut tested: Vec<&mut Sensitivity> = comparisons
            .iter_mut()
            .filter_map(|comparison| comparison.exposure.sensitivity.get_mut(place))
            .filter(|one| one.p.is_some())
            .collect();
        let (_, adjusted) = adjusted(correction, tested.iter().filter_map(|one| one.p).collect());
        tested.iter_mut().zip(adjusted).for_each(|(one, adjusted)| one.p_adjusted = Some(adjusted));
    }
    for comparison in comparisons {
        comparison.exposure.depends_on_curve = depends(&comparison.exposure, noise);
    }
}

/// Returns why a difference that is significant under the assumed curve does not hold under all.
fn depends(exposure: &Exposure, noise: f64) -> Option<String> {
    let test = exposure.common_support.as_ref()?;
    let delta = test.delta.filter(|delta| delta.abs() > noise)?;
    test.p_adjusted.or(test.p).filter(|p| *p < CLICK_SIGNIFICANCE)?;
    let towards = |one: &Sensitivity| one.relative.map_or(0.0, |relative| relative * delta.signum());
    let holds =
        |one: &Sensitivity| towards(one) > 0.0 && one.p_adjusted.or(one.p).is_some_and(|p| p < CLICK_SIGNIFICANCE);
    let worst = exposure
        .sensitivity
        .iter()
        .filter(|one| !holds(one))
        .min_by(|left, right| towards(left).total_cmp(&towards(right)))?;
    let there = match worst.relative {
        Some(estimate) => format!("the difference would be {}", change(&Estimate { estimate, ci95: worst.ci95 })),
        None => "nothing could be told".to_owned(),
    };
    Some(format!(
        "how fast attention falls with rank is an assumption, and if it fell as {} {there}; a log in which items were shown at \
         several ranks would tell (so would `exposure.exponents`, if these users are known better)",
        curve(worst.exponent)
    ))
}

/// Returns the relative change with an interval that holds under every curve, and the p below which all of them agree.
pub(in crate::compare) fn over_curves(exposure: &Exposure) -> (Option<Estimate>, Option<f64>) {
    let test = exposure.common_support.as_ref();
    let p = test.and_then(|test| test.p_adjusted.or(test.p));
    let Some(relative) = exposure.relative else { return (None, p) };
    // The curve that is taken for true is what the estimate itself goes by.
    let taken = exposure.propensity.as_ref().and_then(|info| info.exponent);
    let others = exposure.sensitivity.iter().filter(|one| Some(one.exponent) != taken);
    let of_curves = || others.clone().filter(|one| one.relative.is_some());
    let ends = of_curves().filter_map(|one| one.ci95);
    let ci95 = relative
        .ci95
        .map(|interval| ends.fold(interval, |[low, high], [least, most]| [low.min(least), high.max(most)]));
    let agree = of_curves().all(|one| one.relative.is_some_and(|found| found * relative.estimate > 0.0));
    let largest = of_curves().filter_map(|one| one.p_adjusted.or(one.p)).fold(p, |largest, p| Some(largest?.max(p)));
    let p = if agree { largest } else { p.map(|_| 1.0) };
    (Some(Estimate { ci95, ..relative }), p)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::outcome::MetricComparison;

    fn exposure(curves: [(f64, f64); 3]) -> Exposure {
        let sensitivity = curves.into_iter().zip([0.0, 1.0, 2.0]).map(|((relative, p), exponent)| Sensitivity {
            exponent,
            relative: Some(relative),
            ci95: Some([relative - 0.01, relative + 0.01]),
            p: Some(p),
            ..Sensitivity::default()
        });
        Exposure {
            common_support: Some(MetricComparison { delta: Some(0.05), p: Some(0.001), ..MetricComparison::default() }),
            relative: Some(Estimate { estimate: 0.05, ci95: Some([0.04, 0.06]) }),
            sensitivity: sensitivity.collect(),
            ..Exposure::default()
        }
    }

    fn settled(curves: [(f64, f64); 3]) -> Exposure {
        let mut comparisons = [PipelineComparison { exposure: exposure(curves), ..PipelineComparison::default() }];
        settle(Correction::Holm, 1e-9, &mut comparisons);
        let [comparison] = comparisons;
        comparison.exposure
    }

    #[test]
    fn what_holds_under_every_curve_depends_on_none() {
        let found = settled([(0.01, 0.02), (0.05, 0.001), (0.09, 1e-9)]);
        assert_eq!(found.depends_on_curve, None);
        let (relative, p) = over_curves(&found);
        assert_eq!(p, Some(0.02));
        let [low, high] = relative.unwrap().ci95.unwrap();
        assert!(low.abs() < 1e-15 && (high - 0.1).abs() < 1e-15);
    }

    #[test]
    fn the_curve_that_says_the_opposite_is_named() {
        let found = settled([(-0.03, 1e-6), (0.05, 0.001), (0.09, 1e-9)]);
        let why = found.depends_on_curve.clone().unwrap();
        assert!(why.contains("1 / rank^0 (every rank looked at alike) the difference would be -3.0 %"), "{why}");
        assert_eq!(over_curves(&found).1, Some(1.0));
    }

    #[test]
    fn a_curve_under_which_nothing_is_significant_is_one_too_many() {
        assert!(settled([(0.01, 0.2), (0.05, 0.001), (0.09, 1e-9)]).depends_on_curve.is_some());
        let identical = settled([(0.0, 1.0), (0.05, 0.001), (0.09, 1e-9)]);
        assert!(identical.depends_on_curve.is_some());
    }

    #[test]
    fn a_known_curve_needs_no_others() {
        let mut known = exposure([(0.0, 1.0); 3]);
        known.sensitivity.clear();
        assert_eq!(depends(&known, 1e-9), None);
        assert_eq!(over_curves(&known), (known.relative, Some(0.001)));
    }
}
