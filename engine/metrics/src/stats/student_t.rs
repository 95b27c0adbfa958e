//! Student's t distribution, accurate for any number of sessions.

use statrs::function::beta::checked_beta_reg;

use super::bisection::{first_doubling_beyond, last_where};
use super::normal::normal_upper_tail;

/// From here on Hill's expansion is more accurate than the incomplete beta function, whose continued fraction is cut off
/// at a fixed length and whose gamma functions cancel.
const HILL_FROM: f64 = 1000.0;

/// Returns P(T > t) for T with this many degrees of freedom (above 0, not necessarily whole), in [0, 1].
#[must_use]
pub fn student_t_upper_tail(t: f64, degrees_of_freedom: f64) -> f64 {
    let beyond = 0.5 * outside(t.abs(), degrees_of_freedom);
    if t >= 0.0 { beyond } else { 1.0 - beyond }
}

/// Returns the t with P(T > t) = `upper_tail`, for a tail in (0, 1).
#[must_use]
pub fn student_t_quantile(upper_tail: f64, degrees_of_freedom: f64) -> f64 {
    if upper_tail > 0.5 {
        return -student_t_quantile(1.0 - upper_tail, degrees_of_freedom);
    }
    let is_below = |t: f64| student_t_upper_tail(t, degrees_of_freedom) >= upper_tail;
    first_doubling_beyond(1.0, is_below).map_or(f64::INFINITY, |high| last_where(0.0, high, is_below))
}

/// Returns P(|T| > t) for t of 0 or above.
fn outside(t: f64, degrees_of_freedom: f64) -> f64 {
    let square = t * t;
    if square.is_infinite() {
        return 0.0;
    }
    if degrees_of_freedom >= HILL_FROM {
        return 2.0 * normal_upper_tail(normal_equivalent(t, degrees_of_freedom));
    }
    let half = degrees_of_freedom / 2.0;
    // Of the two complementary forms, the one whose argument is far from 1 loses no digits.
    let inner = square / (degrees_of_freedom + square);
    let outside = if inner < 1.5 / (half + 2.5) {
        checked_beta_reg(0.5, half, inner).map(|inside| 1.0 - inside)
    } else {
        checked_beta_reg(half, 0.5, degrees_of_freedom / (degrees_of_freedom + square))
    };
    outside.unwrap_or(0.0)
}

/// Returns the normal deviate with the same tail as t. Source: Hill 1970, Algorithm 395: Student's t-distribution.
fn normal_equivalent(t: f64, degrees_of_freedom: f64) -> f64 {
    let a = degrees_of_freedom - 0.5;
    let b = 48.0 * a * a;
    let y = a * (t * t / degrees_of_freedom).ln_1p();
    let correction = (((-0.4 * y - 3.3) * y - 24.0) * y - 85.5) / (0.8 * y * y + 100.0 + b) + y + 3.0;
    (correction / b + 1.0) * y.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_equal_scipys() {
        for (t, df, tail) in [
            (1e-06, 1.0, 0.4999996816759652),
            (0.3, 1.0, 0.4072264209222577),
            (12.0, 1.0, 0.026464676059589878),
            (1.96, 3.5, 0.0658112865063629),
            (3.1, 9.0, 0.006361227989100975),
            (12.0, 39.0, 5.7514409783232675e-15),
            (0.3, 150.0, 0.3822962471941794),
            (25.0, 150.0, 1.1678447637979735e-55),
            (1e-06, 999.0, 0.4999996011575425),
            (1.96, 999.0, 0.025136731366905023),
            (12.0, 999.0, 2.171551953858165e-31),
            (1e-06, 1001.0, 0.4999996011573431),
            (1.96, 1001.0, 0.02513645386644927),
            (12.0, 1001.0, 2.152564502580066e-31),
            (1.0, 9999.0, 0.1586673533751286),
            (3.1, 250000.0, 0.0009677106654805681),
            (6.0, 1000000.0, 9.86924906177215e-10),
        ] {
            let value = student_t_upper_tail(t, df);
            assert!((value / tail - 1.0).abs() < 1e-9, "{t} {df}: {value} {tail}");
        }
    }

    #[test]
    fn quantiles_equal_scipys() {
        for (tail, df, t) in [
            (0.4, 1.0, 0.32491969623290634),
            (1e-06, 1.0, 318309.8861827435),
            (0.025, 2.0, 4.302652729749464),
            (0.005, 9.0, 3.2498355415921263),
            (0.025, 39.0, 2.022690920036761),
            (1e-06, 250.0, 4.867928470361656),
            (0.025, 1000.0, 1.9623390808264085),
            (0.4, 1000000.0, 0.25334717053784184),
            (0.025, 1000000.0, 1.9599663568141072),
        ] {
            let value = student_t_quantile(tail, df);
            assert!((value / t - 1.0).abs() < 1e-10, "{tail} {df}: {value} {t}");
            assert!((student_t_quantile(1.0 - tail, df) + t).abs() < 1e-9 * t);
        }
    }

    #[test]
    fn extremes_stay_probabilities() {
        assert_eq!(student_t_upper_tail(f64::INFINITY, 3.0), 0.0);
        assert_eq!(student_t_upper_tail(f64::NEG_INFINITY, 3.0), 1.0);
        assert_eq!(student_t_upper_tail(0.0, 1e9), 0.5);
        assert_eq!(student_t_upper_tail(1e200, 1e9), 0.0);
        assert!(student_t_upper_tail(1e200, 5.0) >= 0.0);
    }

    #[test]
    fn both_branches_meet() {
        for t in [0.01, 0.5, 2.0, 4.0, 8.0] {
            let (below, above) =
                (student_t_upper_tail(t, HILL_FROM * (1.0 - 1e-12)), student_t_upper_tail(t, HILL_FROM));
            assert!((below / above - 1.0).abs() < 1e-9, "{t}: {below} {above}");
        }
    }
}
