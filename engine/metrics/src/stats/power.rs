//! Power of the paired t-test: what a number of sessions can detect, and how many an effect needs.
//!
//! Effects are d_z, mean delta over standard deviation of the deltas. The tests are two-sided. For clustered sessions,
//! multiply sessions by the design effect, the square of cluster-robust over plain standard error.

use super::bisection::{first_doubling_beyond, last_where};
use super::noncentral_t::{noncentral_t_lower_tail, noncentral_t_upper_tail};
use super::student_t::student_t_quantile;
use crate::bounded::Proportion;
use crate::sum::whole;

/// More sessions than anybody has; the search for a number of sessions ends here.
const MOST_SESSIONS: u64 = 1 << 50;

/// Returns the probability that the test with this many sessions finds an effect of this size, in [0, 1].
///
/// `None` for fewer than two sessions or an effect that is not finite. Source: Cohen 1988, by the noncentral t distribution.
#[must_use]
pub fn power(d_z: f64, sessions: u64, significance: Proportion) -> Option<f64> {
    let test = Test::new(sessions, significance)?;
    d_z.is_finite().then(|| test.power(d_z))
}

/// Returns the smallest effect d_z that the test with this many sessions finds with the given power.
///
/// 0 where a power of at most the significance level is asked for; `None` for fewer than two sessions. Times the standard
/// deviation of the deltas, it is in units of the metric.
#[must_use]
pub fn minimum_detectable_effect(sessions: u64, significance: Proportion, power: Proportion) -> Option<f64> {
    let test = Test::new(sessions, significance)?;
    let misses = |d_z: f64| test.power(d_z) < power.get();
    if !misses(0.0) {
        return Some(0.0);
    }
    let high = first_doubling_beyond(1.0 / whole(sessions).sqrt(), misses)?;
    Some(last_where(0.0, high, misses))
}

/// Returns how many sessions the test needs to find an effect of this size with the given power: at least 2.
///
/// `None` for an effect of 0 or one that is not finite or would take more than 10^15 sessions.
#[must_use]
pub fn sessions_to_settle(d_z: f64, significance: Proportion, power: Proportion) -> Option<u64> {
    if d_z == 0.0 || !d_z.is_finite() {
        return None;
    }
    let settles = |sessions: u64| Test::new(sessions, significance).is_some_and(|test| test.power(d_z) >= power.get());
    let mut enough = 2;
    while !settles(enough) {
        enough *= 2;
        if enough > MOST_SESSIONS {
            return None;
        }
    }
    let mut too_few = enough / 2;
    while too_few + 1 < enough {
        let middle = too_few.midpoint(enough);
        if settles(middle) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Some(enough)
}

/// The two-sided paired t-test of some number of sessions.
struct Test {
    degrees_of_freedom: f64,
    sessions: f64,
    critical: f64,
}

impl Test {
    fn new(sessions: u64, significance: Proportion) -> Option<Self> {
        if sessions < 2 {
            return None;
        }
        let degrees_of_freedom = whole(sessions - 1);
        let critical = student_t_quantile(significance.get() / 2.0, degrees_of_freedom);
        Some(Self { degrees_of_freedom, sessions: whole(sessions), critical })
    }

    fn power(&self, d_z: f64) -> f64 {
        let noncentrality = d_z.abs() * self.sessions.sqrt();
        // s = sqrt(χ²/df) exceeds 40 with probability below e^-800, and only then could the test miss such an effect.
        if noncentrality > 40.0 * self.critical.max(1.0) {
            return 1.0;
        }
        let same_side = noncentral_t_upper_tail(self.critical, self.degrees_of_freedom, noncentrality);
        let other_side = noncentral_t_lower_tail(-self.critical, self.degrees_of_freedom, noncentrality);
        (same_side + other_side).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALPHA: Proportion = Proportion::FIVE_PERCENT;
    const POWER: Proportion = Proportion::EIGHTY_PERCENT;

    #[test]
    fn textbook_sample_sizes() {
        // Cohen's small, medium and large effects, as G*Power prints them.
        assert_eq!(sessions_to_settle(0.2, ALPHA, POWER), Some(199));
        assert_eq!(sessions_to_settle(-0.5, ALPHA, POWER), Some(34));
        assert_eq!(sessions_to_settle(0.8, ALPHA, POWER), Some(15));
    }

    #[test]
    fn without_an_effect_power_is_the_significance_level() {
        for sessions in [2, 3, 10, 1000, 1_000_000] {
            assert!((power(0.0, sessions, ALPHA).unwrap() - 0.05).abs() < 1e-10, "{sessions}");
        }
    }

    #[test]
    fn extremes_are_defined_or_none() {
        assert_eq!(power(1.0, 1, ALPHA), None);
        assert_eq!(power(f64::NAN, 10, ALPHA), None);
        assert_eq!(power(1e300, 10, ALPHA), Some(1.0));
        assert_eq!(sessions_to_settle(0.0, ALPHA, POWER), None);
        assert_eq!(sessions_to_settle(1e-9, ALPHA, POWER), None);
        assert_eq!(sessions_to_settle(1e6, ALPHA, POWER), Some(2));
        assert_eq!(minimum_detectable_effect(1, ALPHA, POWER), None);
        assert_eq!(minimum_detectable_effect(10, ALPHA, Proportion::new(0.01).unwrap()), Some(0.0));
    }

    #[test]
    fn large_samples_approach_the_normal_formula() {
        // (z_.975 + z_.8)² / d², which leaves out the 1e-6 of power on the other side: some 17 sessions.
        let expected = 7.848_879_734_349_087 / (0.001_f64 * 0.001);
        let sessions = sessions_to_settle(0.001, ALPHA, POWER).unwrap() as f64;
        assert!((sessions - expected).abs() < 20.0, "{sessions} {expected}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn settling_detectable_effect_and_power_agree(sessions in 3_u64..3000) {
            let effect = minimum_detectable_effect(sessions, ALPHA, POWER).unwrap();
            prop_assert!((power(effect, sessions, ALPHA).unwrap() - 0.8).abs() < 1e-11);
            prop_assert_eq!(sessions_to_settle(effect * (1.0 + 1e-9), ALPHA, POWER), Some(sessions));
            prop_assert_eq!(sessions_to_settle(effect * (1.0 - 1e-9), ALPHA, POWER), Some(sessions + 1));
        }
    }
}
