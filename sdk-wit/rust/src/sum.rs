//! Sums whose rounding error does not grow with the number of terms.

/// Adds numbers with Neumaier's compensation (1974), as the engine's metrics do: the same terms in the same order give
/// the same bits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CompensatedSum {
    total: f64,
    lost: f64,
}

impl CompensatedSum {
    /// Adds one finite number.
    #[inline]
    pub fn add(&mut self, term: f64) {
        let next = self.total + term;
        self.lost +=
            if self.total.abs() >= term.abs() { (self.total - next) + term } else { (term - next) + self.total };
        self.total = next;
    }

    /// Returns the total; 0 where nothing was added.
    #[must_use]
    #[inline]
    pub fn total(self) -> f64 {
        self.total + self.lost
    }
}

impl FromIterator<f64> for CompensatedSum {
    #[inline]
    fn from_iter<I: IntoIterator<Item = f64>>(terms: I) -> Self {
        let mut sum = Self::default();
        for term in terms {
            sum.add(term);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_beside_large_ones() {
        assert_eq!([1.0, 1e100, 1.0, -1e100].into_iter().collect::<CompensatedSum>().total(), 2.0);
        assert_eq!([0.1; 10].into_iter().collect::<CompensatedSum>().total(), 1.0);
        assert_eq!(CompensatedSum::default().total(), 0.0);
    }
}
