//! How many sessions improved and degraded.

use serde::{Deserialize, Serialize};

/// Sessions by the sign of their delta.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignCounts {
    /// Sessions in which the candidate is better.
    pub improved: u64,
    /// Sessions in which the candidate is worse.
    pub degraded: u64,
    /// Sessions in which both do the same, up to the noise threshold.
    pub neutral: u64,
}

impl SignCounts {
    /// Returns the counts of deltas; one that is at most `noise` from 0 (or NaN) is neutral.
    #[must_use]
    pub fn of(deltas: &[f64], noise: f64) -> Self {
        let mut counts = Self::default();
        for &delta in deltas {
            if delta > noise {
                counts.improved += 1;
            } else if delta < -noise {
                counts.degraded += 1;
            } else {
                counts.neutral += 1;
            }
        }
        counts
    }

    /// Adds other sessions.
    pub fn merge(&mut self, other: Self) {
        self.improved += other.improved;
        self.degraded += other.degraded;
        self.neutral += other.neutral;
    }

    /// Returns the number of sessions.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.improved + self.degraded + self.neutral
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_within_the_noise_are_neutral() {
        let mut counts = SignCounts::of(&[0.5, -0.5, 1e-9, -1e-9, 0.0, 2e-9], 1e-9);
        assert_eq!(counts, SignCounts { improved: 2, degraded: 1, neutral: 3 });
        counts.merge(SignCounts { improved: 1, degraded: 1, neutral: 1 });
        assert_eq!(counts.total(), 9);
    }
}
