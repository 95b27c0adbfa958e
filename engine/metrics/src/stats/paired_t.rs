//! The paired t-test, its interval and its effect sizes.

use super::student_t::{student_t_quantile, student_t_upper_tail};
use super::{Moments, Untestable};
use crate::bounded::Proportion;
use crate::sum::count;

/// An estimate and its standard error, compared with Student's t distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TStatistic {
    /// The mean delta, candidate less baseline.
    pub estimate: f64,
    /// The standard error of the estimate, above 0.
    pub standard_error: f64,
    /// The degrees of freedom.
    pub degrees_of_freedom: f64,
}

impl TStatistic {
    /// Returns the estimate over its standard error.
    #[must_use]
    pub fn t(&self) -> f64 {
        self.estimate / self.standard_error
    }

    /// Returns the probability of a t at least this far from 0 if the true delta were 0.
    #[must_use]
    pub fn p_two_sided(&self) -> f64 {
        (2.0 * student_t_upper_tail(self.t().abs(), self.degrees_of_freedom)).min(1.0)
    }

    /// Returns the probability of a t at least this high if the true delta were 0: small where the candidate is better.
    #[must_use]
    pub fn p_greater(&self) -> f64 {
        student_t_upper_tail(self.t(), self.degrees_of_freedom)
    }

    /// Returns the probability of a t at most this high if the true delta were 0: small where the candidate is worse.
    #[must_use]
    pub fn p_less(&self) -> f64 {
        student_t_upper_tail(-self.t(), self.degrees_of_freedom)
    }

    /// Returns the two-sided confidence interval of the estimate, low end first.
    #[must_use]
    pub fn interval(&self, level: Proportion) -> [f64; 2] {
        let reach = student_t_quantile((1.0 - level.get()) / 2.0, self.degrees_of_freedom) * self.standard_error;
        [self.estimate - reach, self.estimate + reach]
    }
}

/// The outcome of a paired t-test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedT {
    /// Number of pairs.
    pub pairs: usize,
    /// Sample standard deviation of the deltas.
    pub standard_deviation: f64,
    /// Mean delta, standard error and n - 1 degrees of freedom.
    pub statistic: TStatistic,
}

impl PairedT {
    /// Returns d_z, the mean delta in standard deviations of the deltas (Cohen 1988). It depends on the pairing.
    #[must_use]
    pub fn d_z(&self) -> f64 {
        self.statistic.estimate / self.standard_deviation
    }

    /// Returns g_z, which is d_z less its small-sample bias: times 1 - 3 / (4 df - 1) (Hedges 1981).
    #[must_use]
    pub fn hedges_g_z(&self) -> f64 {
        self.d_z() * (1.0 - 3.0 / (4.0 * self.statistic.degrees_of_freedom - 1.0))
    }
}

/// Returns the paired t-test of deltas (Student 1908), as `scipy.stats.ttest_rel(candidate, baseline)`.
///
/// # Errors
///
/// Where there are fewer than two deltas, one is not finite, or they do not vary: [`Untestable::Identical`] and
/// [`Untestable::Constant`] are findings, not failures.
pub fn paired_t(deltas: &[f64]) -> Result<PairedT, Untestable> {
    paired_t_of_moments(&Moments::of(deltas))
}

/// Returns the paired t-test of deltas of which only the moments are known.
///
/// # Errors
///
/// As [`paired_t`].
pub fn paired_t_of_moments(moments: &Moments) -> Result<PairedT, Untestable> {
    let (estimate, standard_deviation) = moments.testable()?;
    let pairs = count(moments.count());
    let statistic =
        TStatistic { estimate, standard_error: standard_deviation / pairs.sqrt(), degrees_of_freedom: pairs - 1.0 };
    Ok(PairedT { pairs: moments.count(), standard_deviation, statistic })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn test_by_hand() {
        // Mean 1, variance 2 / 2 = 1, so t = sqrt(3) with 2 degrees of freedom.
        let test = paired_t(&[0.0, 1.0, 2.0]).unwrap();
        assert!((test.statistic.t() - 3.0_f64.sqrt()).abs() < 1e-15);
        assert!((test.statistic.p_two_sided() - (1.0 - (3.0_f64 / 5.0).sqrt())).abs() < 1e-14);
        assert_eq!(test.d_z(), 1.0);
        assert!((test.hedges_g_z() - 4.0 / 7.0).abs() < 1e-15);
    }

    #[test]
    fn interval_touches_zero_where_p_is_one_less_the_level() {
        let test = paired_t(&[0.3, -0.1, 0.4, 0.2, -0.2, 0.5]).unwrap();
        let level = Proportion::new(1.0 - test.statistic.p_two_sided()).unwrap();
        assert!(test.statistic.interval(level)[0].abs() < 1e-12);
    }

    #[test]
    fn identical_and_constant_deltas_are_outcomes() {
        assert_eq!(paired_t(&[0.0; 5]), Err(Untestable::Identical { pairs: 5 }));
        assert_eq!(paired_t(&[-0.5; 5]), Err(Untestable::Constant { pairs: 5, delta: -0.5 }));
        assert_eq!(paired_t(&[]), Err(Untestable::TooFewPairs { found: 0, needed: 2 }));
    }

    proptest! {
        #[test]
        fn outcomes_are_never_nan(deltas in prop::collection::vec(prop_oneof![-1.0_f64..1.0, Just(0.0), Just(1e-300), any::<f64>()], 0..20)) {
            if let Ok(test) = paired_t(&deltas) {
                let [low, high] = test.statistic.interval(Proportion::NINETY_FIVE_PERCENT);
                prop_assert!(low <= test.statistic.estimate && test.statistic.estimate <= high);
                for p in [test.statistic.p_two_sided(), test.statistic.p_less(), test.statistic.p_greater()] {
                    prop_assert!((0.0..=1.0).contains(&p));
                }
                prop_assert!(test.d_z().is_finite());
            }
        }
    }
}
