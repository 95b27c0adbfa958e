//! Several people's judgments of the same query.

use crate::Metric;
use crate::ranking::{GainFunction, RankedGrades};
use crate::sum::{count, sum};

/// Returns a metric averaged over groups of judgments, one for each judge: `map_avgjg`, `P_avgjg` and `Rprec_mult_avgjg` of
/// trec_eval for `AP`, `P` and `Rprec(mult=...)`.
///
/// As there, a group of which the metric is undefined (its judge found nothing relevant) counts as 0. Undefined without groups.
#[must_use]
pub fn averaged_over_groups(metric: &Metric, groups: &[RankedGrades<'_>], default_gain: GainFunction) -> Option<f64> {
    let values = groups.iter().map(|grades| metric.evaluate(grades, default_gain).unwrap_or(0.0));
    (!groups.is_empty()).then(|| sum(values) / count(groups.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judges_count_alike_and_one_who_found_nothing_counts_zero() {
        let metric: Metric = "P@1".parse().unwrap();
        let content = RankedGrades { ranked: &[Some(1.0)], judged: &[1.0] };
        let nothing = RankedGrades { ranked: &[Some(0.0)], judged: &[0.0] };
        assert_eq!(averaged_over_groups(&metric, &[content, nothing], GainFunction::Linear), Some(0.5));
        assert_eq!(averaged_over_groups(&metric, &[], GainFunction::Linear), None);
    }
}
