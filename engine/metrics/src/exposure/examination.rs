//! How likely a user is to look at a rank, relative to the first.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::sum::count;

/// The examination probability by rank, in units of that of rank 1: theta of the position-based model (Craswell, Zoeter, Taylor
/// and Ramsey 2008, An experimental comparison of click position-bias models).
///
/// The default, for logs that cannot tell, is 1 / rank: a power law with exponent 1, as Joachims, Swaminathan and Schnabel 2017
/// (Unbiased learning-to-rank with biased feedback) simulate it. Say so wherever it is used: it is an assumption.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExaminationCurve {
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    PowerLaw {
        exponent: f64,
    },
    /// Every estimated rank after the first, ascending, with ln theta; at least one.
    Estimated {
        points: Vec<(NonZeroUsize, f64)>,
    },
}

/// Why there is no such curve.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidExamination {
    /// An exponent is negative or no number.
    #[error("expected an exponent of 0 or above, found `{found}`")]
    Exponent {
        /// The exponent given.
        found: f64,
    },
    /// An estimate is no finite number above 0.
    #[error("expected an examination probability above 0 at rank {rank}, found `{found}`")]
    Estimate {
        /// The rank.
        rank: usize,
        /// The estimate given.
        found: f64,
    },
    /// Rank 1 has no estimate, so that nothing is relative to it.
    #[error("expected an estimate at rank 1, found none")]
    NoFirstRank,
    /// Only rank 1 has an estimate.
    #[error("expected an estimate at a rank after the first, found none")]
    OnlyFirstRank,
}

impl ExaminationCurve {
    /// Returns 1 / rank^`exponent`: 1 is the default, 0 says that every rank is looked at alike.
    ///
    /// # Errors
    ///
    /// Where the exponent is negative, infinite or NaN.
    pub fn power_law(exponent: f64) -> Result<Self, InvalidExamination> {
        if exponent >= 0.0 && exponent.is_finite() {
            Ok(Self { shape: Shape::PowerLaw { exponent } })
        } else {
            Err(InvalidExamination::Exponent { found: exponent })
        }
    }

    /// Returns the curve through estimates, the first of which is rank 1's; all are divided by it. The curve is as fitted: nothing
    /// makes it fall with rank.
    ///
    /// A rank without estimate lies on the power law through its estimated neighbours; one beyond the last, on the power law
    /// through rank 1 and the last, but no higher than the last (a log that never showed those ranks cannot say that they are
    /// looked at more).
    ///
    /// # Errors
    ///
    /// Where an estimate is no finite number above 0, or rank 1 or all others have none.
    pub fn from_estimates(by_rank: &[Option<f64>]) -> Result<Self, InvalidExamination> {
        let first = by_rank.first().copied().flatten().ok_or(InvalidExamination::NoFirstRank)?;
        let mut points = Vec::new();
        for (rank, &estimate) in (1..).map_while(NonZeroUsize::new).zip(by_rank) {
            let Some(found) = estimate else { continue };
            let relative = (found / first).ln();
            if !(found > 0.0 && found.is_finite() && relative.is_finite()) {
                return Err(InvalidExamination::Estimate { rank: rank.get(), found });
            }
            if rank.get() > 1 {
                points.push((rank, relative));
            }
        }
        if points.is_empty() {
            return Err(InvalidExamination::OnlyFirstRank);
        }
        Ok(Self { shape: Shape::Estimated { points } })
    }

    /// Returns theta at a rank: above 0, and 1 at rank 1.
    #[must_use]
    pub fn at(&self, rank: NonZeroUsize) -> f64 {
        let theta = match &self.shape {
            Shape::PowerLaw { exponent } => count(rank.get()).powf(-exponent),
            Shape::Estimated { points } => log_theta(points, rank).exp(),
        };
        // A power law far enough down leaves the range of numbers; an inverse of it must still be one.
        theta.max(f64::MIN_POSITIVE)
    }

    /// Returns whether theta at a rank was estimated from data, which of an assumed curve is nowhere true.
    #[must_use]
    pub fn is_estimated_at(&self, rank: NonZeroUsize) -> bool {
        match &self.shape {
            Shape::PowerLaw { .. } => false,
            Shape::Estimated { points } => rank.get() == 1 || points.iter().any(|&(estimated, _)| estimated == rank),
        }
    }

    /// Returns the exponent of an assumed power law; `None` for an estimated curve.
    #[must_use]
    pub fn exponent(&self) -> Option<f64> {
        match self.shape {
            Shape::PowerLaw { exponent } => Some(exponent),
            Shape::Estimated { .. } => None,
        }
    }
}

impl Default for ExaminationCurve {
    fn default() -> Self {
        Self { shape: Shape::PowerLaw { exponent: 1.0 } }
    }
}

/// Returns ln theta of a rank; linear in ln rank between estimates.
fn log_theta(points: &[(NonZeroUsize, f64)], rank: NonZeroUsize) -> f64 {
    let log_rank = |rank: NonZeroUsize| count(rank.get()).ln();
    let at = points.partition_point(|&(estimated, _)| estimated < rank);
    let before = at.checked_sub(1).and_then(|index| points.get(index)).copied();
    let (left_rank, left) = before.map_or((0.0, 0.0), |(rank, theta)| (log_rank(rank), theta));
    match points.get(at) {
        Some(&(right, theta)) => {
            let share = (log_rank(rank) - left_rank) / (log_rank(right) - left_rank);
            left + share * (theta - left)
        }
        None if left_rank > 0.0 => left + (left / left_rank).min(0.0) * (log_rank(rank) - left_rank),
        None => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rank(rank: usize) -> NonZeroUsize {
        NonZeroUsize::new(rank).unwrap()
    }

    #[test]
    fn the_default_is_one_over_rank() {
        let curve = ExaminationCurve::default();
        assert_eq!([1, 2, 4, 10].map(|at| curve.at(rank(at))), [1.0, 0.5, 0.25, 0.1]);
        assert_eq!((curve.exponent(), curve.is_estimated_at(rank(1))), (Some(1.0), false));
        assert_eq!(ExaminationCurve::power_law(0.0).unwrap().at(rank(1000)), 1.0);
        assert!((ExaminationCurve::power_law(0.5).unwrap().at(rank(9)) - 1.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn a_far_rank_of_a_steep_law_is_still_above_zero() {
        assert!(ExaminationCurve::power_law(300.0).unwrap().at(rank(1_000_000)) > 0.0);
    }

    #[test]
    fn estimates_are_relative_to_rank_one_and_need_not_fall() {
        let curve = ExaminationCurve::from_estimates(&[Some(0.5), Some(0.6), None, Some(0.1)]).unwrap();
        assert!((curve.at(rank(2)) - 1.2).abs() < 1e-15 && (curve.at(rank(4)) - 0.2).abs() < 1e-15);
        assert_eq!(curve.at(rank(1)), 1.0);
        assert_eq!([1, 2, 3, 4, 5].map(|at| curve.is_estimated_at(rank(at))), [true, true, false, true, false]);
        assert_eq!(curve.exponent(), None);
    }

    #[test]
    fn gaps_and_ranks_beyond_follow_a_power_law() {
        // 1 / rank at 1, 4 and 8 is 1 / rank everywhere.
        let mut estimates = [None; 8];
        (estimates[0], estimates[3], estimates[7]) = (Some(1.0), Some(0.25), Some(0.125));
        let curve = ExaminationCurve::from_estimates(&estimates).unwrap();
        for at in 1..40 {
            assert!((curve.at(rank(at)) * at as f64 - 1.0).abs() < 1e-12, "{at}");
        }
        let rising = ExaminationCurve::from_estimates(&[Some(1.0), Some(1.5)]).unwrap();
        assert_eq!(rising.at(rank(9)), rising.at(rank(2)));
    }

    #[test]
    fn curves_that_mean_nothing_are_refused() {
        for found in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(ExaminationCurve::power_law(found), Err(InvalidExamination::Exponent { .. })), "{found}");
        }
        assert_eq!(ExaminationCurve::from_estimates(&[]), Err(InvalidExamination::NoFirstRank));
        assert_eq!(ExaminationCurve::from_estimates(&[None, Some(1.0)]), Err(InvalidExamination::NoFirstRank));
        assert_eq!(ExaminationCurve::from_estimates(&[Some(1.0), None]), Err(InvalidExamination::OnlyFirstRank));
        for found in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let refused = ExaminationCurve::from_estimates(&[Some(1.0), Some(found)]);
            assert!(matches!(refused, Err(InvalidExamination::Estimate { rank: 2, .. })), "{found}");
            assert!(ExaminationCurve::from_estimates(&[Some(found), Some(1.0)]).is_err(), "{found}");
        }
    }

    proptest! {
        #[test]
        fn every_rank_has_a_finite_theta_between_its_neighbours(
            estimates in prop::collection::vec(prop::option::of(1e-6_f64..10.0), 1..20), at in 1_usize..50,
        ) {
            let mut by_rank = vec![Some(1.0)];
            by_rank.extend(estimates);
            let Ok(curve) = ExaminationCurve::from_estimates(&by_rank) else { return Ok(()) };
            let theta = curve.at(rank(at));
            prop_assert!(theta > 0.0 && theta.is_finite());
            let known = |at: &usize| by_rank.get(at - 1).copied().flatten();
            if let Some(estimate) = known(&at) {
                prop_assert!((theta / estimate - 1.0).abs() < 1e-9);
            } else if let Some(right) = (at..=by_rank.len()).find(|at| known(at).is_some()) {
                let left = (1..at).rev().find(|at| known(at).is_some()).unwrap();
                let (left, right) = (known(&left).unwrap(), known(&right).unwrap());
                prop_assert!(theta >= left.min(right) * (1.0 - 1e-9) && theta <= left.max(right) * (1.0 + 1e-9));
            }
        }
    }
}
