//! The sign test: does the candidate win more sessions than it loses?

use super::binomial::fair_split_p;
use super::{SignCounts, Untestable};

/// The outcome of a sign test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignTest {
    /// Sessions that improved, degraded or stayed; the last are left out of the test.
    pub counts: SignCounts,
    /// The two-sided p: how often fair coins split as unevenly.
    pub p_two_sided: f64,
}

/// Returns the exact sign test, as `scipy.stats.binomtest(improved, improved + degraded)`.
///
/// It tests the sign, not the mean: with many small losses and few large wins it rejects although the mean delta is 0.
///
/// # Errors
///
/// Where no session improved or degraded.
pub fn sign_test(counts: SignCounts) -> Result<SignTest, Untestable> {
    if counts.improved + counts.degraded == 0 {
        return Err(Untestable::Identical { pairs: usize::try_from(counts.neutral).unwrap_or(usize::MAX) });
    }
    Ok(SignTest { counts, p_two_sided: fair_split_p(counts.improved, counts.degraded) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neutral_sessions_do_not_matter() {
        let counts = SignCounts { improved: 5, degraded: 0, neutral: 90 };
        assert_eq!(sign_test(counts).unwrap().p_two_sided, 0.0625);
    }

    #[test]
    fn only_neutral_sessions_are_untestable() {
        let counts = SignCounts { improved: 0, degraded: 0, neutral: 9 };
        assert_eq!(sign_test(counts), Err(Untestable::Identical { pairs: 9 }));
    }
}
