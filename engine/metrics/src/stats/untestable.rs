//! Why there is no test: outcomes that other programs print as NaN.

/// Why a test could not be made on these deltas.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Untestable {
    /// There are fewer pairs than the test needs.
    #[error("expected at least {needed} pairs, found {found}")]
    TooFewPairs {
        /// Pairs given.
        found: usize,
        /// Pairs needed.
        needed: usize,
    },
    /// There are fewer than two clusters.
    #[error("expected at least 2 clusters, found {found}")]
    TooFewClusters {
        /// Clusters given.
        found: usize,
    },
    /// Every delta is 0: both sides did the same.
    #[error("all {pairs} pairs are identical")]
    Identical {
        /// Pairs given.
        pairs: usize,
    },
    /// Every delta is the same and not 0: there is no variance to test against.
    #[error("all {pairs} pairs differ by the same `{delta}`")]
    Constant {
        /// Pairs given.
        pairs: usize,
        /// The delta that all have.
        delta: f64,
    },
    /// Every cluster has the same mean delta.
    #[error("all {clusters} clusters have the same mean delta `{delta}`")]
    ConstantClusters {
        /// Clusters given.
        clusters: usize,
        /// The mean delta that all have.
        delta: f64,
    },
    /// A delta is NaN or infinite, or so large that its square is.
    #[error("a delta is not a finite number, or too large to be squared")]
    NotFinite,
    /// An exact test would take too long.
    #[error("an exact test takes at most {limit} units, found {found}; use the approximate one")]
    TooManyForExact {
        /// Units given.
        found: usize,
        /// Units at most.
        limit: usize,
    },
    /// Lists that belong together have different lengths.
    #[error("expected {expected} values beside as many deltas, found {found}")]
    UnequalLengths {
        /// Length of the first list.
        expected: usize,
        /// Length of the other.
        found: usize,
    },
    /// No resample was asked for.
    #[error("expected at least 1 resample, found 0")]
    NoResamples,
}
