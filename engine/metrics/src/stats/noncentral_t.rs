//! The noncentral t distribution, which power is computed with.

use super::normal::{normal_lower_tail, normal_upper_tail};

/// Densities below e^-45 of the highest one add nothing to 15 digits.
const NEGLIGIBLE: f64 = -45.0;

/// Returns P(T > t) for T = (Z + noncentrality) / sqrt(χ²/df), in [0, 1].
///
/// Accurate to about 1e-10. All arguments are finite, the degrees of freedom above 0.
#[must_use]
pub fn noncentral_t_upper_tail(t: f64, degrees_of_freedom: f64, noncentrality: f64) -> f64 {
    expectation(degrees_of_freedom, t.hypot(noncentrality), |scale| normal_upper_tail(t * scale - noncentrality))
}

/// Returns P(T <= t) for T = (Z + noncentrality) / sqrt(χ²/df), in [0, 1].
///
/// Accurate to about 1e-10. All arguments are finite, the degrees of freedom above 0.
#[must_use]
pub fn noncentral_t_lower_tail(t: f64, degrees_of_freedom: f64, noncentrality: f64) -> f64 {
    expectation(degrees_of_freedom, t.hypot(noncentrality), |scale| normal_lower_tail(t * scale - noncentrality))
}

/// Returns the mean of a function of s = sqrt(χ²/df), by the trapezoidal rule over u = ln s.
///
/// The density in u decays at least exponentially on both sides, so that the rule converges geometrically; dividing by
/// the sum of the weights makes the density's constant unnecessary. The step follows the narrower of the density
/// (1 / sqrt(2 df)) and the function's transition (1 / steepness).
fn expectation(degrees_of_freedom: f64, steepness: f64, function: impl Fn(f64) -> f64) -> f64 {
    let finest = 1e-5 / degrees_of_freedom.sqrt().max(1.0);
    let step = (0.25 / (degrees_of_freedom + steepness * steepness / 2.0).sqrt()).min(0.1).max(finest);
    let (mut weights, mut total) = (0.0, 0.0);
    for direction in [-step, step] {
        // The point in the middle is met from both sides, with half its weight each.
        let mut share = 0.5;
        let mut u = 0.0;
        loop {
            let logarithm = log_density(u, degrees_of_freedom);
            if logarithm < NEGLIGIBLE || logarithm.is_nan() {
                break;
            }
            let weight = share * logarithm.exp();
            weights += weight;
            total += weight * function(u.exp());
            share = 1.0;
            u += direction;
        }
    }
    (total / weights).clamp(0.0, 1.0)
}

/// Returns df (u - (e^2u - 1) / 2): the logarithm of the density of u = ln s, relative to its value at 0.
fn log_density(u: f64, degrees_of_freedom: f64) -> f64 {
    let exponent = if u.abs() < 0.01 {
        // Both terms nearly cancel; their power series does not.
        -u * u * (1.0 + u * (2.0 / 3.0 + u * (1.0 / 3.0 + u * (2.0 / 15.0 + u * (2.0 / 45.0 + u * 4.0 / 315.0)))))
    } else {
        u - (2.0 * u).exp_m1() / 2.0
    };
    degrees_of_freedom * exponent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::student_t_upper_tail;

    #[test]
    fn tails_equal_scipys() {
        for (t, df, noncentrality, upper) in [
            (12.706204736174705, 1.0, 0.5, 0.0436944404288698),
            (-12.706204736174705, 1.0, 7.0, 0.9999999999999889),
            (3.1824463052837086, 3.0, 2.8, 0.482889724794074),
            (2.2621571627982053, 9.0, 1.5, 0.26850955808456994),
            (0.4, 9.0, 4.5, 0.9999786891591653),
            (2.0095752371292397, 49.0, 2.8, 0.7837082403290812),
            (-1.9719565442517537, 199.0, 0.5, 0.9930057715884618),
            (1.9719565442517537, 199.0, 2.8, 0.7957394648163163),
            (1.9623414611334498, 999.0, 4.5, 0.9943889559871439),
            (1.9602012636213577, 9999.0, 2.8, 0.799480501733139),
            (0.4, 9999.0, 7.0, 0.9999999999794398),
        ] {
            let value = noncentral_t_upper_tail(t, df, noncentrality);
            assert!((value - upper).abs() < 1e-10, "{t} {df} {noncentrality}: {value} {upper}");
            let lower = noncentral_t_lower_tail(t, df, noncentrality);
            assert!((value + lower - 1.0).abs() < 1e-13);
        }
    }

    #[test]
    fn without_noncentrality_it_is_students_t() {
        for df in [1.0, 2.5, 10.0, 99.0, 1e4, 1e7] {
            for t in [-3.0, 0.0, 0.7, 2.0, 5.0] {
                let (value, expected) = (noncentral_t_upper_tail(t, df, 0.0), student_t_upper_tail(t, df));
                assert!((value - expected).abs() < 1e-10, "{t} {df}: {value} {expected}");
            }
        }
    }
}
