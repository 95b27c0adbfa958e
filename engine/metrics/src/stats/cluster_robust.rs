//! The t-test for sessions that come in clusters, such as those of one user.

use serde::{Deserialize, Serialize};

use super::{Moments, TStatistic, Untestable};
use crate::sum::{CompensatedSum, count, sum, whole};

/// Cluster totals that differ from the mean by less than this share of the largest do not vary.
const ROUNDING: f64 = 1e-12;

/// The deltas of one cluster, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ClusterSum {
    /// Number of pairs.
    pub pairs: u64,
    /// Sum of the deltas.
    pub sum: f64,
}

impl ClusterSum {
    /// Returns the sum of one delta: a session that is its own cluster.
    #[must_use]
    pub fn single(delta: f64) -> Self {
        Self { pairs: 1, sum: delta }
    }

    /// Adds the pairs of another part of the same cluster.
    pub fn merge(&mut self, other: Self) {
        self.pairs += other.pairs;
        self.sum += other.sum;
    }
}

/// The outcome of a cluster-robust t-test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterRobustT {
    /// Number of pairs.
    pub pairs: u64,
    /// Number of clusters G.
    pub clusters: usize,
    /// Mean delta over pairs, CR1 standard error and G - 1 degrees of freedom.
    pub statistic: TStatistic,
}

/// Returns the sums of the clusters that have pairs, in ascending order of their index.
///
/// # Errors
///
/// Where there is not one cluster index per delta.
pub fn cluster_sums(deltas: &[f64], clusters: &[usize]) -> Result<Vec<ClusterSum>, Untestable> {
    if deltas.len() != clusters.len() {
        return Err(Untestable::UnequalLengths { expected: deltas.len(), found: clusters.len() });
    }
    // Sorted rather than indexed: a cluster index may be any number.
    let mut members: Vec<(usize, f64)> = clusters.iter().copied().zip(deltas.iter().copied()).collect();
    members.sort_by_key(|&(cluster, _)| cluster);
    let cluster_sum = |members: &[(usize, f64)]| ClusterSum {
        pairs: members.len() as u64,
        sum: members.iter().map(|&(_, delta)| delta).collect::<CompensatedSum>().total(),
    };
    Ok(members.chunk_by(|a, b| a.0 == b.0).map(cluster_sum).collect())
}

/// Returns the cluster-robust t-test of deltas, given the index of each one's cluster.
///
/// The standard error is CR1, sqrt(G / (G - 1) Σ_g (Σ_{i in g} (d_i - mean))²) / n, with G - 1 degrees of freedom (Liang and
/// Zeger 1986; Cameron and Miller 2015, A practitioner's guide to cluster-robust inference). Where every pair is its own
/// cluster it is the paired t-test.
///
/// # Errors
///
/// As [`super::paired_t`], and where there are fewer than two clusters or all have the same mean.
pub fn cluster_robust_t(deltas: &[f64], clusters: &[usize]) -> Result<ClusterRobustT, Untestable> {
    let sums = cluster_sums(deltas, clusters)?;
    Moments::of(deltas).testable()?;
    cluster_robust_t_of_sums(&sums)
}

/// Returns the cluster-robust t-test of deltas of which only the sums of the clusters are known.
///
/// # Errors
///
/// Where there are fewer than two clusters, a sum is not finite, or all clusters have the same mean. That deltas are
/// identical within clusters too cannot be told from the sums.
pub fn cluster_robust_t_of_sums(clusters: &[ClusterSum]) -> Result<ClusterRobustT, Untestable> {
    let clusters: Vec<ClusterSum> = clusters.iter().copied().filter(|cluster| cluster.pairs > 0).collect();
    if clusters.len() < 2 {
        return Err(Untestable::TooFewClusters { found: clusters.len() });
    }
    let pairs = clusters.iter().map(|cluster| cluster.pairs).sum::<u64>();
    let estimate = sum(clusters.iter().map(|cluster| cluster.sum)) / whole(pairs);
    let mut residuals = ClusterResiduals::around(estimate);
    clusters.iter().for_each(|cluster| residuals.add(*cluster));
    residuals.statistic()
}

/// The residuals of clusters that come one by one, when the mean of all deltas is known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClusterResiduals {
    #[serde(with = "crate::every_float")]
    estimate: f64,
    pairs: u64,
    clusters: usize,
    squares: CompensatedSum,
    sums_squared: CompensatedSum,
    #[serde(with = "crate::every_float")]
    largest: f64,
}

impl ClusterResiduals {
    /// Starts without clusters; `mean` is the mean over all pairs that will come.
    #[must_use]
    pub fn around(mean: f64) -> Self {
        let (squares, sums_squared) = (CompensatedSum::default(), CompensatedSum::default());
        Self { estimate: mean, pairs: 0, clusters: 0, squares, sums_squared, largest: 0.0 }
    }

    /// Adds a cluster, whole; one without pairs is none.
    pub fn add(&mut self, cluster: ClusterSum) {
        if cluster.pairs == 0 {
            return;
        }
        let residual = cluster.sum - whole(cluster.pairs) * self.estimate;
        self.pairs += cluster.pairs;
        self.clusters += 1;
        self.squares.add(residual * residual);
        self.sums_squared.add(cluster.sum * cluster.sum);
        self.largest = self.largest.max(cluster.sum.abs());
    }

    /// Adds other clusters, whose residuals are around the same mean.
    pub fn merge(&mut self, other: Self) {
        self.pairs += other.pairs;
        self.clusters += other.clusters;
        self.squares.merge(other.squares);
        self.sums_squared.merge(other.sums_squared);
        self.largest = self.largest.max(other.largest);
    }

    /// Returns the number of clusters that have pairs.
    #[must_use]
    pub fn clusters(&self) -> usize {
        self.clusters
    }

    /// Returns the sum of the squared sums of the clusters: what no flip of the clusters' signs changes
    /// ([`super::StreamedRandomisation::counts`]).
    #[must_use]
    pub fn squared_sums(&self) -> f64 {
        self.sums_squared.total()
    }

    /// Returns the CR1 standard error of the mean, sqrt(G / (G - 1) Σ residual²) / n; `None` with fewer than two clusters. 0 where
    /// no cluster is away from the mean.
    #[must_use]
    pub fn standard_error(&self) -> Option<f64> {
        let clusters = count(self.clusters);
        (self.clusters > 1).then(|| (clusters / (clusters - 1.0) * self.squares.total()).sqrt() / whole(self.pairs))
    }

    /// Returns the cluster-robust t-test ([`cluster_robust_t`]); `deltas` are the moments of all pairs.
    ///
    /// # Errors
    ///
    /// As [`cluster_robust_t`].
    pub fn test(&self, deltas: &Moments) -> Result<ClusterRobustT, Untestable> {
        deltas.testable()?;
        self.statistic()
    }

    fn statistic(&self) -> Result<ClusterRobustT, Untestable> {
        let Self { estimate, pairs, clusters, largest, .. } = *self;
        if clusters < 2 {
            return Err(Untestable::TooFewClusters { found: clusters });
        }
        let squares = self.squares.total();
        if !squares.is_finite() {
            return Err(Untestable::NotFinite);
        }
        if squares.sqrt() <= ROUNDING * largest {
            return Err(Untestable::ConstantClusters { clusters, delta: estimate });
        }
        let number = count(clusters);
        let standard_error = (number / (number - 1.0) * squares).sqrt() / whole(pairs);
        let statistic = TStatistic { estimate, standard_error, degrees_of_freedom: number - 1.0 };
        Ok(ClusterRobustT { pairs, clusters, statistic })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::paired_t;
    use proptest::prelude::*;

    #[test]
    fn standard_error_by_hand() {
        // Mean 2; the clusters' residual sums are -2, 0 and 2.
        let test = cluster_robust_t(&[1.0, 1.0, 2.0, 3.0, 3.0], &[7, 7, 0, 9, 9]).unwrap();
        assert_eq!((test.pairs, test.clusters), (5, 3));
        assert!((test.statistic.standard_error - (1.5_f64 * 8.0).sqrt() / 5.0).abs() < 1e-15);
        assert_eq!(test.statistic.degrees_of_freedom, 2.0);
    }

    #[test]
    fn fewer_than_two_clusters_are_untestable() {
        assert_eq!(cluster_robust_t(&[1.0, 2.0], &[3, 3]), Err(Untestable::TooFewClusters { found: 1 }));
        assert_eq!(cluster_robust_t_of_sums(&[]), Err(Untestable::TooFewClusters { found: 0 }));
        let with_empty = [ClusterSum::default(), ClusterSum::single(1.0)];
        assert_eq!(cluster_robust_t_of_sums(&with_empty), Err(Untestable::TooFewClusters { found: 1 }));
    }

    #[test]
    fn clusters_with_one_mean_are_untestable() {
        let outcome = cluster_robust_t(&[1.0, 3.0, 3.0, 1.0], &[0, 0, 1, 1]);
        assert_eq!(outcome, Err(Untestable::ConstantClusters { clusters: 2, delta: 2.0 }));
        let balanced = cluster_robust_t(&[1.0, -1.0, 2.0, -2.0], &[0, 0, 1, 1]);
        assert_eq!(balanced, Err(Untestable::ConstantClusters { clusters: 2, delta: 0.0 }));
        assert_eq!(cluster_robust_t(&[0.0; 3], &[0, 1, 2]), Err(Untestable::Identical { pairs: 3 }));
    }

    #[test]
    fn lists_of_unequal_lengths_are_refused() {
        assert_eq!(cluster_robust_t(&[1.0], &[]), Err(Untestable::UnequalLengths { expected: 1, found: 0 }));
    }

    proptest! {
        #[test]
        fn single_sessions_give_the_paired_t_test(deltas in prop::collection::vec(-1.0_f64..1.0, 2..40)) {
            let clusters: Vec<usize> = (0..deltas.len()).collect();
            if let Ok(expected) = paired_t(&deltas) {
                let test = cluster_robust_t(&deltas, &clusters).unwrap();
                prop_assert!((test.statistic.t() - expected.statistic.t()).abs() < 1e-9 * expected.statistic.t().abs().max(1.0));
                prop_assert_eq!(test.statistic.degrees_of_freedom, expected.statistic.degrees_of_freedom);
            }
        }

        #[test]
        fn residuals_of_other_clusters_merge(sums in prop::collection::vec((1_u64..4, -8_i32..8), 2..40), at in 0_usize..40) {
            let sums: Vec<ClusterSum> =
                sums.into_iter().map(|(pairs, sum)| ClusterSum { pairs, sum: f64::from(sum) }).collect();
            let of = |sums: &[ClusterSum]| {
                let mut residuals = ClusterResiduals::around(0.25);
                sums.iter().for_each(|sum| residuals.add(*sum));
                residuals
            };
            let (one, other) = sums.split_at(at.min(sums.len()));
            let mut merged = of(one);
            merged.merge(of(other));
            // Sixteenths add up without rounding.
            prop_assert_eq!(merged, of(&sums));
        }

        #[test]
        fn parts_of_clusters_merge(members in prop::collection::vec((0_usize..5, -8_i32..8), 2..40), at in 0_usize..40) {
            let (clusters, deltas): (Vec<usize>, Vec<f64>) = members.iter().map(|&(cluster, delta)| (cluster, f64::from(delta))).unzip();
            let at = at.min(deltas.len());
            let mut merged = [ClusterSum::default(); 5];
            for part in [0..at, at..deltas.len()] {
                for index in part {
                    merged[clusters[index]].merge(ClusterSum::single(deltas[index]));
                }
            }
            let whole = cluster_robust_t_of_sums(&cluster_sums(&deltas, &clusters).unwrap());
            prop_assert_eq!(cluster_robust_t_of_sums(&merged), whole);
        }
    }
}
