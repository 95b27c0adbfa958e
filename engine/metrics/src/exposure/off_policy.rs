//! What another policy would have earned, from rewards that one policy logged.

use crate::bounded::{PositiveNumber, Proportion};
use crate::stats::DeltaSums;
use crate::stats::student_t_quantile;
use crate::sum::{CompensatedSum, whole};

/// Below this many effective rows an interval by the normal distribution is not to be trusted.
const LEAST_EFFECTIVE_ROWS: f64 = 100.0;

/// Below this share of effective rows the two policies have little in common.
const LEAST_EFFECTIVE_SHARE: f64 = 0.1;

/// Below this many effective rewarded rows the estimate hangs on which few rewards happened to come.
const LEAST_EFFECTIVE_REWARDS: f64 = 10.0;

/// A row with more than this share of all weight moves the estimate by itself.
const LARGEST_SHARE: f64 = 0.05;

/// Differences of sums that are below this share of the sums are rounding.
const ROUNDING: f64 = 1e-14;

/// Rewards and weights, added up row by row: with the weights as they are, and clipped.
///
/// A row is one logged decision. Its weight is the probability of the decision under the policy that is asked about, over that under
/// the policy that logged it; or 1 / theta(rank) for a click at a rank ([`super::ExaminationCurve`]). Rows are taken as
/// independent. Sums of chunks merge: counts and the largest weight exactly, the compensated sums up to their last digits, and to
/// the bit where chunks merge in a fixed order.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OffPolicySums {
    limit: Option<PositiveNumber>,
    weights: WeightedRewards,
    clipped: WeightedRewards,
    rows_clipped: u64,
}

/// The sums over rows with one set of weights, and what follows from them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WeightedRewards {
    weight: CompensatedSum,
    largest: f64,
    squared_weight: CompensatedSum,
    /// w² r.
    cross: CompensatedSum,
    /// w r: its sum, squares and range.
    products: DeltaSums,
    /// (w r)².
    squared_product: CompensatedSum,
}

/// An estimate of a policy's mean reward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OffPolicyEstimate {
    /// The mean reward per row.
    pub mean: f64,
    /// Its standard error, `None` for one row.
    pub standard_error: Option<f64>,
    /// Number of rows.
    pub rows: u64,
}

/// What clipping took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClippedWeights {
    /// The largest weight let through.
    pub limit: f64,
    /// Rows whose weight was larger.
    pub rows: u64,
    /// Those rows as a share of all.
    pub share_of_rows: f64,
    /// The weight that was cut off, as a share of all: what the estimate no longer sees.
    pub share_of_weight: f64,
}

/// Why an estimate, or its interval, is not to be relied upon.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WeightWarning {
    /// No row has a weight above 0.
    #[error("no logged row could have come from the other policy")]
    NoWeight,
    /// No row with weight has a reward, so that the interval has no width.
    #[error("no row with weight has a reward: the interval says nothing")]
    NoReward,
    /// One row has a large share of all weight.
    #[error("one row has {:.0} % of all weight", share * 100.0)]
    OneRowDominates {
        /// Its share.
        share: f64,
    },
    /// The effective sample size is small, in itself or against the rows.
    #[error("{rows} weighted rows are worth {effective:.0} equal ones")]
    FewEffectiveRows {
        /// The effective sample size.
        effective: f64,
        /// Number of rows.
        rows: u64,
    },
    /// The rewards hang on few rows.
    #[error("the weighted rewards are worth {effective:.1} equal ones")]
    FewEffectiveRewards {
        /// The effective number of rewarded rows.
        effective: f64,
    },
}

/// Why a row is refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("expected a finite reward and a finite weight of 0 or above, found reward `{reward}` and weight `{weight}`")]
pub struct InvalidObservation {
    /// The row's reward.
    pub reward: f64,
    /// The row's weight.
    pub weight: f64,
}

impl OffPolicySums {
    /// Starts without rows; a weight above `limit` counts as `limit` in the clipped sums.
    #[must_use]
    pub fn clipped_at(limit: PositiveNumber) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }

    /// Adds one row.
    ///
    /// # Errors
    ///
    /// Where the reward is not finite, or the weight is negative or not finite; nothing is added then.
    pub fn add(&mut self, reward: f64, weight: f64) -> Result<(), InvalidObservation> {
        if !(reward.is_finite() && weight.is_finite() && weight >= 0.0) {
            return Err(InvalidObservation { reward, weight });
        }
        let limit = self.limit.map_or(f64::INFINITY, PositiveNumber::get);
        self.weights.add(reward, weight);
        self.clipped.add(reward, weight.min(limit));
        self.rows_clipped += u64::from(weight > limit);
        Ok(())
    }

    /// Adds the rows of another part that clips at the same limit.
    pub fn merge(&mut self, other: Self) {
        debug_assert_eq!(self.limit, other.limit, "parts of one estimate clip alike");
        self.weights.merge(other.weights);
        self.clipped.merge(other.clipped);
        self.rows_clipped += other.rows_clipped;
    }

    /// Returns the sums with weights as they are: unbiased estimates, that few rows may dominate.
    #[must_use]
    pub fn unclipped(&self) -> &WeightedRewards {
        &self.weights
    }

    /// Returns the sums with clipped weights: less variance, and a bias towards rows that both policies make often (Bottou et al.
    /// 2013, Counterfactual reasoning and learning systems). The same as unclipped without a limit.
    #[must_use]
    pub fn clipped(&self) -> &WeightedRewards {
        &self.clipped
    }

    /// Returns what clipping took; `None` without a limit or without weight.
    #[must_use]
    pub fn clipping(&self) -> Option<ClippedWeights> {
        let limit = self.limit?.get();
        let (all, kept) = (self.weights.weight.total(), self.clipped.weight.total());
        (all > 0.0).then(|| ClippedWeights {
            limit,
            rows: self.rows_clipped,
            share_of_rows: whole(self.rows_clipped) / whole(self.weights.rows()),
            share_of_weight: if self.rows_clipped > 0 { (1.0 - kept / all).max(0.0) } else { 0.0 },
        })
    }
}

impl WeightedRewards {
    fn add(&mut self, reward: f64, weight: f64) {
        let product = weight * reward;
        self.weight.add(weight);
        self.largest = self.largest.max(weight);
        self.squared_weight.add(weight * weight);
        self.cross.add(weight * product);
        self.products.add(product);
        self.squared_product.add(product * product);
    }

    fn merge(&mut self, other: Self) {
        self.weight.merge(other.weight);
        self.largest = self.largest.max(other.largest);
        self.squared_weight.merge(other.squared_weight);
        self.cross.merge(other.cross);
        self.products.merge(other.products);
        self.squared_product.merge(other.squared_product);
    }

    /// Returns the number of rows, those of weight 0 included.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.products.count()
    }

    /// Returns the inverse propensity estimate Σ w r / n (Horvitz and Thompson 1952); `None` without rows, or where squares leave
    /// the range of numbers.
    #[must_use]
    pub fn ips(&self) -> Option<OffPolicyEstimate> {
        let rows = self.rows();
        let deviation = self.products.moments().standard_deviation();
        let standard_error = deviation.map(|deviation| deviation / whole(rows).sqrt());
        OffPolicyEstimate { mean: self.products.mean()?, standard_error, rows }.finite()
    }

    /// Returns the self-normalised estimate Σ w r / Σ w (Swaminathan and Joachims 2015, The self-normalized estimator for
    /// counterfactual learning), which lies within the range of the rewards and does not move when all rewards do.
    ///
    /// Its standard error is that of a ratio by the delta method, sqrt(n / (n - 1) Σ w² (r - estimate)²) / Σ w; it is biased by
    /// an order of 1 / n. `None` without weight, or where squares leave the range of numbers.
    #[must_use]
    pub fn snips(&self) -> Option<OffPolicyEstimate> {
        let rows = self.rows();
        let weight = Some(self.weight.total()).filter(|weight| *weight > 0.0)?;
        let mean = self.products.mean()? * whole(rows) / weight;
        let (positive, negative) =
            (self.squared_product.total() + mean * mean * self.squared_weight.total(), 2.0 * mean * self.cross.total());
        let squares = Some(positive - negative).filter(|squares| *squares > ROUNDING * positive).unwrap_or(0.0);
        let checked = if positive.is_finite() && negative.is_finite() { squares } else { f64::INFINITY };
        let standard_error = (rows > 1).then(|| (checked * whole(rows) / whole(rows - 1)).sqrt() / weight);
        OffPolicyEstimate { mean, standard_error, rows }.finite()
    }

    /// Returns how many rows of equal weight these are worth, (Σ w)² / Σ w² (Kong 1992): from 1 to the number of rows; `None` without
    /// weight.
    #[must_use]
    pub fn effective_sample_size(&self) -> Option<f64> {
        let weight = self.weight.total();
        let effective = weight * weight / self.squared_weight.total();
        (weight > 0.0 && effective.is_finite()).then(|| effective.min(whole(self.rows())))
    }

    /// Returns how many equal rewards the weighted ones are worth, (Σ w r)² / Σ (w r)²; `None` without rewards. Meant for rewards
    /// of one sign, such as clicks.
    #[must_use]
    pub fn effective_rewards(&self) -> Option<f64> {
        let (sum, squares) = (self.products.mean()? * whole(self.rows()), self.squared_product.total());
        let effective = sum * sum / squares;
        (squares > 0.0 && effective.is_finite()).then_some(effective)
    }

    /// Returns the mean weight, `None` without rows. Inverse propensities of a log that could have shown all that the other policy
    /// shows have a mean near 1; less says what share of the other policy the log saw.
    #[must_use]
    pub fn mean_weight(&self) -> Option<f64> {
        (self.rows() > 0).then(|| self.weight.total() / whole(self.rows()))
    }

    /// Returns the largest weight as a share of all weight, `None` without weight.
    #[must_use]
    pub fn largest_weight_share(&self) -> Option<f64> {
        let weight = self.weight.total();
        (weight > 0.0).then(|| (self.largest / weight).min(1.0))
    }

    /// Returns the gravest reason not to rely on the estimates, if there is one.
    ///
    /// In this order: no weight; no reward; one row with more than 5 % of all weight; an effective sample size below 100 or below
    /// 10 % of the rows; rewards worth fewer than 10 equal ones.
    #[must_use]
    pub fn warning(&self) -> Option<WeightWarning> {
        let (Some(share), Some(effective)) = (self.largest_weight_share(), self.effective_sample_size()) else {
            return Some(WeightWarning::NoWeight);
        };
        let Some(rewards) = self.effective_rewards() else { return Some(WeightWarning::NoReward) };
        let rows = self.rows();
        if share > LARGEST_SHARE {
            Some(WeightWarning::OneRowDominates { share })
        } else if effective < LEAST_EFFECTIVE_ROWS.max(LEAST_EFFECTIVE_SHARE * whole(rows)) {
            Some(WeightWarning::FewEffectiveRows { effective, rows })
        } else if rewards < LEAST_EFFECTIVE_REWARDS {
            Some(WeightWarning::FewEffectiveRewards { effective: rewards })
        } else {
            None
        }
    }
}

impl OffPolicyEstimate {
    /// Returns the confidence interval by Student's t with n - 1 degrees of freedom, low end first; `None` for one row.
    ///
    /// Few rows with large weights make it too short: see [`WeightedRewards::warning`].
    #[must_use]
    pub fn interval(&self, level: Proportion) -> Option<[f64; 2]> {
        let error = self.standard_error?;
        let reach = student_t_quantile((1.0 - level.get()) / 2.0, whole(self.rows.saturating_sub(1))) * error;
        Some([self.mean - reach, self.mean + reach])
    }

    fn finite(self) -> Option<Self> {
        (self.mean.is_finite() && self.standard_error.is_none_or(f64::is_finite)).then_some(self)
    }
}

#[cfg(test)]
mod tests;
