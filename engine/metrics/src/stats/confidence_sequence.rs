//! An interval that may be looked at after every session, for stopping as soon as the answer is clear.
//!
//! A t-test that is made again and again while data come in finds a difference sooner or later, whether there is one or not. The
//! intervals of a confidence sequence hold the true mean at all times at once, so that whoever stops when 0 falls out is wrong no
//! more often than the significance level says.

use super::{ClusterSum, Untestable};
use crate::bounded::Proportion;
use crate::sum::{CompensatedSum, whole};

/// Residuals whose squares are below this share of the squares of the sums are rounding: the clusters do not vary.
const ROUNDING: f64 = 1e-13;

/// The mean of n values is about normal, as the boundary takes it, from n = 25 · skewness² on (Cochran 1977, Sampling techniques,
/// 2.15). Deltas with rare large wins otherwise look like small sure losses until the first win comes.
const CLUSTERS_PER_SQUARED_SKEWNESS: f64 = 25.0;

/// Sums over clusters of deltas, from which the mean over pairs and its cluster-robust variance follow at any time.
///
/// Parts of different clusters merge: counts exactly, sums to their last digits, and to the bit where parts merge in a fixed order.
/// A cluster must come whole.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ClusterMoments {
    clusters: u64,
    pairs: u64,
    sum: CompensatedSum,
    squared_sum: CompensatedSum,
    squared_pairs: CompensatedSum,
    /// Pairs times sum.
    cross: CompensatedSum,
    largest: f64,
    /// Sums over clusters of sum³, sum² pairs, sum pairs² and pairs³.
    cubes: [CompensatedSum; 4],
}

impl ClusterMoments {
    /// Adds a cluster, whole; one without pairs is none.
    pub fn add(&mut self, cluster: ClusterSum) {
        if cluster.pairs == 0 {
            return;
        }
        let pairs = whole(cluster.pairs);
        self.clusters += 1;
        self.pairs += cluster.pairs;
        self.sum.add(cluster.sum);
        self.squared_sum.add(cluster.sum * cluster.sum);
        self.squared_pairs.add(pairs * pairs);
        self.cross.add(pairs * cluster.sum);
        self.largest = self.largest.max(cluster.sum.abs());
        let cubes = [
            cluster.sum * cluster.sum * cluster.sum,
            cluster.sum * cluster.sum * pairs,
            cluster.sum * pairs * pairs,
            pairs * pairs * pairs,
        ];
        self.cubes.iter_mut().zip(cubes).for_each(|(total, cube)| total.add(cube));
    }

    /// Adds the clusters of another part.
    pub fn merge(&mut self, other: Self) {
        self.clusters += other.clusters;
        self.pairs += other.pairs;
        self.sum.merge(other.sum);
        self.squared_sum.merge(other.squared_sum);
        self.squared_pairs.merge(other.squared_pairs);
        self.cross.merge(other.cross);
        self.largest = self.largest.max(other.largest);
        self.cubes.iter_mut().zip(other.cubes).for_each(|(ours, theirs)| ours.merge(theirs));
    }

    /// Returns the number of clusters that have pairs.
    #[must_use]
    pub fn clusters(&self) -> u64 {
        self.clusters
    }

    /// Returns the number of pairs.
    #[must_use]
    pub fn pairs(&self) -> u64 {
        self.pairs
    }

    /// Returns the mean delta over pairs, `None` without pairs.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.pairs > 0).then(|| self.sum.total() / whole(self.pairs))
    }

    /// Returns the skewness of the clusters' residuals, sum less pairs times the mean; `None` where they do not vary.
    #[must_use]
    pub fn skewness(&self) -> Option<f64> {
        let (mean, residuals) = (self.mean()?, self.squared_residuals().ok()?);
        let cubes = self.cubes.iter().zip([1.0, -3.0 * mean, 3.0 * mean * mean, -mean * mean * mean]);
        let third: f64 = cubes.map(|(total, factor)| total.total() * factor).sum();
        let skewness = third / residuals.powf(1.5) * whole(self.clusters).sqrt();
        skewness.is_finite().then_some(skewness)
    }

    /// Returns the standard error of the mean delta: CR1, as [`super::cluster_robust_t`].
    ///
    /// # Errors
    ///
    /// Where there are fewer than two clusters, a sum is not finite, or the clusters' means do not vary.
    pub fn standard_error(&self) -> Result<f64, Untestable> {
        let (residuals, number) = (self.squared_residuals()?, whole(self.clusters));
        Ok((number / (number - 1.0) * residuals).sqrt() / whole(self.pairs))
    }

    /// Returns Σ (S - n mean)² of the cluster sums S of n pairs.
    fn squared_residuals(&self) -> Result<f64, Untestable> {
        let clusters = usize::try_from(self.clusters).unwrap_or(usize::MAX);
        let (Some(mean), true) = (self.mean(), self.clusters > 1) else {
            return Err(Untestable::TooFewClusters { found: clusters });
        };
        let squares = self.squared_sum.total();
        let residuals = squares - 2.0 * mean * self.cross.total() + mean * mean * self.squared_pairs.total();
        if !(residuals.is_finite() && mean.is_finite()) {
            return Err(Untestable::NotFinite);
        }
        if self.largest == 0.0 {
            return Err(Untestable::Identical { pairs: usize::try_from(self.pairs).unwrap_or(usize::MAX) });
        }
        if residuals <= ROUNDING * squares {
            return Err(Untestable::ConstantClusters { clusters, delta: mean });
        }
        Ok(residuals)
    }
}

impl FromIterator<ClusterSum> for ClusterMoments {
    fn from_iter<I: IntoIterator<Item = ClusterSum>>(clusters: I) -> Self {
        let mut moments = Self::default();
        clusters.into_iter().for_each(|cluster| moments.add(cluster));
        moments
    }
}

/// An anytime-valid confidence sequence for a mean delta: the asymptotic one of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
/// (2021, revised 2024, Time-uniform central limit theory and asymptotic confidence sequences), with clusters in the place of
/// observations.
///
/// After G clusters the interval is the mean plus or minus its standard error times the boundary
/// sqrt((1 + 1 / (G ρ²)) · ln((G ρ² + 1) / α²)), Robbins' normal mixture. ρ is chosen so that the interval is as narrow as it can
/// be after `tuned_for` clusters; it is at most a tenth wider than the narrowest from a third to four times as many.
///
/// It is asymptotic as the t-test is: before a first look it says nothing, since the variance of few deltas is not to be trusted,
/// nor while they are too skewed for their number. Clusters must come in random order, or in one that has nothing to do with their deltas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfidenceSequence {
    significance: Proportion,
    first_look: u64,
    tuned_for: u64,
    mixture: f64,
}

/// One look at a confidence sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceInterval {
    /// Number of clusters.
    pub clusters: u64,
    /// Number of pairs.
    pub pairs: u64,
    /// The mean delta over pairs, candidate less baseline.
    pub estimate: f64,
    /// The standard error of the mean, above 0.
    pub standard_error: f64,
    /// How many standard errors the interval reaches to each side, where a fixed sample takes 1.96.
    pub boundary: f64,
    /// The p that may be looked at at any time: the smallest significance level at which a sequence with this ρ excludes 0.
    pub p: f64,
}

impl SequenceInterval {
    /// Returns the interval, low end first.
    #[must_use]
    pub fn interval(&self) -> [f64; 2] {
        let reach = self.boundary * self.standard_error;
        [self.estimate - reach, self.estimate + reach]
    }
}

/// What a look decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// There are fewer clusters than the first look needs, or than deltas as skewed as these need.
    TooEarly,
    /// Nothing can be said of deltas like these, and more of them may change that.
    Untestable(Untestable),
    /// The interval holds 0.
    Undecided(SequenceInterval),
    /// The whole interval is above 0: the candidate is better.
    Better(SequenceInterval),
    /// The whole interval is below 0: the candidate is worse.
    Worse(SequenceInterval),
}

impl Decision {
    /// Returns whether looking on is of no use: the candidate is better or worse.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        matches!(self, Self::Better(_) | Self::Worse(_))
    }
}

impl ConfidenceSequence {
    /// The number of clusters before which there is no look by default. With this and the rule for skewness, deltas of which half
    /// are ties and one in ten or one in 25 is a large win are called wrong in about 5 % of replays at most (see STATISTICS.md).
    pub const FIRST_LOOK: u64 = 150;

    /// Returns the sequence; `first_look` and `tuned_for` are numbers of clusters, and count as at least 2 and 1.
    #[must_use]
    pub fn new(significance: Proportion, first_look: u64, tuned_for: u64) -> Self {
        let tuned_for = tuned_for.max(1);
        let mixture = narrowest_mixture(significance) / whole(tuned_for);
        Self { significance, first_look: first_look.max(2), tuned_for, mixture }
    }

    /// Returns the sequence for at most this many clusters, tuned for a quarter of them: where an effect of twice the smallest
    /// that all of them could detect is about to be decided.
    #[must_use]
    pub fn planned(significance: Proportion, clusters: u64) -> Self {
        Self::new(significance, Self::FIRST_LOOK, (clusters / 4).max(Self::FIRST_LOOK))
    }

    /// Returns the number of clusters before which nothing is decided.
    #[must_use]
    pub fn first_look(&self) -> u64 {
        self.first_look
    }

    /// Returns the number of clusters after which the interval is narrowest, for what a sequence can be.
    #[must_use]
    pub fn tuned_for(&self) -> u64 {
        self.tuned_for
    }

    /// Returns how often, over all looks together, the sequence may miss the true mean.
    #[must_use]
    pub fn significance(&self) -> Proportion {
        self.significance
    }

    /// Returns ρ, the scale of the mixture.
    #[must_use]
    pub fn rho(&self) -> f64 {
        self.mixture.sqrt()
    }

    /// Returns how many standard errors the interval reaches to each side after this many clusters; infinitely many after none.
    #[must_use]
    pub fn boundary(&self, clusters: u64) -> f64 {
        let information = whole(clusters) * self.mixture;
        let shrinkage = 1.0 + 1.0 / information;
        (shrinkage * (information.ln_1p() - 2.0 * self.significance.get().ln())).sqrt()
    }

    /// Returns the look at these clusters. Nothing is decided by it before the first look.
    ///
    /// # Errors
    ///
    /// As [`ClusterMoments::standard_error`].
    pub fn look(&self, moments: &ClusterMoments) -> Result<SequenceInterval, Untestable> {
        let standard_error = moments.standard_error()?;
        let estimate = moments.mean().unwrap_or_default();
        let information = whole(moments.clusters()) * self.mixture;
        let shrinkage = 1.0 + 1.0 / information;
        let boundary = self.boundary(moments.clusters());
        let z = estimate / standard_error;
        let p = (0.5 * (information.ln_1p() - z * z / shrinkage)).exp().min(1.0);
        Ok(SequenceInterval {
            clusters: moments.clusters(),
            pairs: moments.pairs(),
            estimate,
            standard_error,
            boundary,
            p,
        })
    }

    /// Returns what is decided after these clusters: nothing before the first look, nor while there are fewer than 25 · skewness²
    /// of them, of the skewness seen.
    #[must_use]
    pub fn decision(&self, moments: &ClusterMoments) -> Decision {
        if moments.clusters() < self.first_look {
            return Decision::TooEarly;
        }
        let skewness = moments.skewness().unwrap_or_default();
        if whole(moments.clusters()) < CLUSTERS_PER_SQUARED_SKEWNESS * skewness * skewness {
            return Decision::TooEarly;
        }
        match self.look(moments) {
            Err(reason) => Decision::Untestable(reason),
            Ok(look) => match look.interval() {
                [low, _] if low > 0.0 => Decision::Better(look),
                [_, high] if high < 0.0 => Decision::Worse(look),
                _ => Decision::Undecided(look),
            },
        }
    }
}

/// Returns the x = G ρ² at which the boundary is lowest: x = ln((x + 1) / α²), to which the iteration contracts.
fn narrowest_mixture(significance: Proportion) -> f64 {
    let target = -2.0 * significance.get().ln();
    (0..200).fold(target.max(1.0), |x: f64, _| target + x.ln_1p())
}

#[cfg(test)]
mod tests;
