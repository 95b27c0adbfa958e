//! Adjusted p-values for several tests at once.
//!
//! Each function takes the p-values of all tests that were made, in any order, and returns the adjusted ones in the same
//! order, in [0, 1]. Tests that could not be made are not passed.

use crate::sum::{count, sum};

/// Returns p-values that bound the chance of even one false alarm: each times the number of tests.
#[must_use]
pub fn bonferroni(p_values: &[f64]) -> Vec<f64> {
    p_values.iter().map(|p| (p * count(p_values.len())).min(1.0)).collect()
}

/// Returns p-values that bound the chance of even one false alarm, never larger than Bonferroni's (Holm 1979).
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let tests = p_values.len();
    let mut adjusted = vec![0.0; tests];
    let mut highest = 0.0_f64;
    for (place, &index) in ascending(p_values).iter().enumerate() {
        let p = p_values.get(index).copied().unwrap_or(1.0);
        highest = highest.max(p * count(tests - place)).min(1.0);
        set(&mut adjusted, index, highest);
    }
    adjusted
}

/// Returns p-values that bound the share of false alarms among the findings, for independent or positively dependent
/// tests (Benjamini and Hochberg 1995).
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    step_up(p_values, 1.0)
}

/// Returns p-values that bound the share of false alarms among the findings, whatever the dependence (Benjamini and
/// Yekutieli 2001).
#[must_use]
pub fn benjamini_yekutieli(p_values: &[f64]) -> Vec<f64> {
    step_up(p_values, sum((1..=p_values.len()).map(|place| count(place).recip())))
}

fn step_up(p_values: &[f64], penalty: f64) -> Vec<f64> {
    let tests = p_values.len();
    let mut adjusted = vec![0.0; tests];
    let mut lowest = 1.0_f64;
    for (place, &index) in ascending(p_values).iter().enumerate().rev() {
        let p = p_values.get(index).copied().unwrap_or(1.0);
        lowest = lowest.min(p * penalty * count(tests) / count(place + 1));
        set(&mut adjusted, index, lowest);
    }
    adjusted
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<(f64, usize)> = p_values.iter().copied().zip(0..).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    order.into_iter().map(|(_, index)| index).collect()
}

fn set(adjusted: &mut [f64], index: usize, p: f64) {
    if let Some(slot) = adjusted.get_mut(index) {
        *slot = p;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
    }

    #[test]
    fn adjusted_values_keep_the_order_of_the_tests() {
        let p = [0.04, 0.01, 0.03];
        assert_close(&bonferroni(&p), &[0.12, 0.03, 0.09]);
        assert_close(&holm(&p), &[0.06, 0.03, 0.06]);
        assert_close(&benjamini_hochberg(&p), &[0.04, 0.03, 0.04]);
        let penalty = 1.0 + 0.5 + 1.0 / 3.0;
        assert_close(&benjamini_yekutieli(&p), &[0.04 * penalty, 0.03 * penalty, 0.04 * penalty]);
    }

    #[test]
    fn no_tests_and_one_test_need_no_adjustment() {
        for adjust in [bonferroni, holm, benjamini_hochberg, benjamini_yekutieli] {
            assert!(adjust(&[]).is_empty());
            assert_eq!(adjust(&[0.2]), [0.2]);
        }
    }

    proptest! {
        #[test]
        fn adjustments_are_ordered_by_strictness(p in prop::collection::vec(0.0_f64..=1.0, 1..30)) {
            let (bonferroni, holm, hochberg) = (bonferroni(&p), holm(&p), benjamini_hochberg(&p));
            for index in 0..p.len() {
                prop_assert!(p[index] <= hochberg[index] + 1e-15);
                prop_assert!(hochberg[index] <= holm[index] + 1e-15);
                prop_assert!(holm[index] <= bonferroni[index] + 1e-15);
                prop_assert!(bonferroni[index] <= 1.0);
                for other in 0..p.len() {
                    prop_assert!(p[index] > p[other] || (holm[index] <= holm[other] && hochberg[index] <= hochberg[other]));
                }
            }
        }
    }
}
