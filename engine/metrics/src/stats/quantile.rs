//! Quantiles, under the names that numpy gives the methods (Hyndman and Fan 1996).

use crate::sum::count;

/// How a quantile between two observations is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum QuantileMethod {
    /// Interpolates between the observations around q (n - 1): type 7, the default nearly everywhere.
    #[default]
    Linear,
    /// Interpolates between the observations around n q - 1/2: type 5.
    Hazen,
    /// The higher of the observations around q (n - 1).
    Higher,
    /// The least observation with at least a share q at or below it: type 1.
    InvertedCdf,
}

/// Returns a quantile of finite values in any order; `q` is from 0 to 1. `None` without values or for another q.
#[must_use]
pub fn quantile(values: &[f64], q: f64, method: QuantileMethod) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q, method)
}

/// Returns a quantile of finite values in ascending order; `q` is from 0 to 1. `None` without values or for another q.
#[must_use]
pub fn quantile_of_sorted(sorted: &[f64], q: f64, method: QuantileMethod) -> Option<f64> {
    if !(0.0..=1.0).contains(&q) {
        return None;
    }
    let number = count(sorted.len());
    let last = number - 1.0;
    let index = match method {
        QuantileMethod::Linear => q * last,
        QuantileMethod::Hazen => number * q - 0.5,
        QuantileMethod::Higher => (q * last).ceil(),
        QuantileMethod::InvertedCdf => (number * q).ceil() - 1.0,
    };
    let index = index.clamp(0.0, last.max(0.0));
    let (low, high) = (at(sorted, index.floor())?, at(sorted, index.ceil())?);
    Some(interpolated(low, high, index.fract()))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number within the slice")]
fn at(sorted: &[f64], index: f64) -> Option<f64> {
    sorted.get(index as usize).copied()
}

/// Interpolates from the nearer end, as numpy does, so that both ends are met exactly.
fn interpolated(low: f64, high: f64, share: f64) -> f64 {
    if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const METHODS: [QuantileMethod; 4] =
        [QuantileMethod::Linear, QuantileMethod::Hazen, QuantileMethod::Higher, QuantileMethod::InvertedCdf];

    #[test]
    fn methods_by_hand() {
        let values = [40.0, 10.0, 30.0, 20.0];
        for (method, median, ninetieth) in [
            (QuantileMethod::Linear, 25.0, 37.0),
            (QuantileMethod::Hazen, 25.0, 40.0),
            (QuantileMethod::Higher, 30.0, 40.0),
            (QuantileMethod::InvertedCdf, 20.0, 40.0),
        ] {
            assert_eq!(quantile(&values, 0.5, method), Some(median), "{method:?}");
            assert!((quantile(&values, 0.9, method).unwrap() - ninetieth).abs() < 1e-12, "{method:?}");
            assert_eq!(quantile(&values, 0.0, method), Some(10.0));
            assert_eq!(quantile(&values, 1.0, method), Some(40.0));
        }
    }

    #[test]
    fn undefined_without_values_or_outside_the_unit_interval() {
        for method in METHODS {
            assert_eq!(quantile(&[], 0.5, method), None);
            assert_eq!(quantile(&[1.0], 1.5, method), None);
            assert_eq!(quantile(&[1.0], f64::NAN, method), None);
            assert_eq!(quantile(&[1.0], 0.3, method), Some(1.0));
        }
    }

    proptest! {
        #[test]
        fn quantiles_grow_and_stay_in_range(values in prop::collection::vec(-1e3_f64..1e3, 1..50), a in 0.0_f64..=1.0, b in 0.0_f64..=1.0) {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            for method in METHODS {
                let (low, high) = (quantile(&values, a.min(b), method).unwrap(), quantile(&values, a.max(b), method).unwrap());
                prop_assert!(least <= low && low <= high + 1e-9 && high <= greatest);
            }
        }
    }
}
