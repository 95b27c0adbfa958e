//! The standard normal distribution, to about 1e-11 of the value.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use statrs::function::erf::{erfc, erfc_inv};

/// Returns P(Z > z).
pub(crate) fn normal_upper_tail(z: f64) -> f64 {
    0.5 * erfc(z * FRAC_1_SQRT_2)
}

/// Returns P(Z <= z).
pub(crate) fn normal_lower_tail(z: f64) -> f64 {
    normal_upper_tail(-z)
}

/// Returns the z with P(Z <= z) = `probability`, for a probability in (0, 1); infinite at 0 and 1.
pub(crate) fn normal_quantile(probability: f64) -> f64 {
    -SQRT_2 * erfc_inv(2.0 * probability)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_and_quantiles_equal_scipys() {
        for (z, upper) in [
            (-1.0, 0.841_344_746_068_542_9),
            (0.0, 0.5),
            (1.959_963_984_540_054, 0.025),
            (5.0, 2.866_515_718_791_939e-7),
            (10.0, 7.619_853_024_160_525e-24),
        ] {
            assert!((normal_upper_tail(z) / upper - 1.0).abs() < 1e-10, "{z}");
            assert!((normal_lower_tail(-z) / upper - 1.0).abs() < 1e-10, "{z}");
        }
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-10);
        assert!((normal_quantile(1e-10) + 6.361_340_902_404_056).abs() < 1e-10);
    }
}
