//! McNemar's test for metrics that are 0 or 1, such as success.

use super::Untestable;
use super::binomial::fair_split_p;

/// The outcome of McNemar's test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McNemar {
    /// Sessions in which only the baseline succeeds.
    pub only_baseline: u64,
    /// Sessions in which only the candidate succeeds.
    pub only_candidate: u64,
    /// The two-sided p: how often fair coins split as unevenly.
    pub p_two_sided: f64,
}

/// Returns the exact test of whether one side alone succeeds more often than the other alone (McNemar 1947), as
/// `scipy.stats.binomtest(only_baseline, only_baseline + only_candidate)`.
///
/// # Errors
///
/// Where no session tells the sides apart.
pub fn mcnemar_exact(only_baseline: u64, only_candidate: u64) -> Result<McNemar, Untestable> {
    if only_baseline + only_candidate == 0 {
        return Err(Untestable::TooFewPairs { found: 0, needed: 1 });
    }
    Ok(McNemar { only_baseline, only_candidate, p_two_sided: fair_split_p(only_baseline, only_candidate) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discordant_sessions_decide() {
        assert_eq!(mcnemar_exact(0, 4).unwrap().p_two_sided, 0.125);
        assert_eq!(mcnemar_exact(7, 7).unwrap().p_two_sided, 1.0);
        assert_eq!(mcnemar_exact(0, 0), Err(Untestable::TooFewPairs { found: 0, needed: 1 }));
    }
}
