//! Coverage of the catalogue.

use std::collections::HashSet;
use std::hash::Hash;
use std::num::NonZeroUsize;

use crate::sum::count;

/// The distinct items that lists have shown.
///
/// Catalogue coverage is their share of all items, in [0, 1]: a retriever that shows everybody the same bestsellers covers
/// little. Source: Ge, Delgado-Battenfeld and Jannach 2010, Beyond accuracy: evaluating recommender systems by coverage and
/// serendipity. It grows with the number of lists, so it compares retrievers over the same sessions only. Memory grows with
/// the number of distinct items shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueCoverage<T: Eq + Hash> {
    shown: HashSet<T>,
}

impl<T: Eq + Hash> Default for CatalogueCoverage<T> {
    fn default() -> Self {
        Self { shown: HashSet::new() }
    }
}

impl<T: Eq + Hash> CatalogueCoverage<T> {
    /// Adds the first `cutoff` items of a list.
    pub fn add(&mut self, list: impl IntoIterator<Item = T>, cutoff: NonZeroUsize) {
        self.shown.extend(list.into_iter().take(cutoff.get()));
    }

    /// Adds what another part has seen; the order of parts does not matter.
    pub fn merge(&mut self, other: Self) {
        self.shown.extend(other.shown);
    }

    /// Returns the number of distinct items shown.
    #[must_use]
    pub fn shown(&self) -> usize {
        self.shown.len()
    }

    /// Returns the share of a catalogue of so many items that was shown; `None` where more items were shown than the catalogue
    /// is said to have, since it then is not the catalogue of these lists.
    #[must_use]
    pub fn share(&self, catalogue: NonZeroUsize) -> Option<f64> {
        (self.shown.len() <= catalogue.get()).then(|| count(self.shown.len()) / count(catalogue.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_items_of_the_tops_are_counted_once() {
        let two = NonZeroUsize::new(2).unwrap();
        let mut coverage = CatalogueCoverage::default();
        coverage.add(["a", "b", "c"], two);
        let mut other = CatalogueCoverage::default();
        other.add(["b", "d"], two);
        other.add([], two);
        coverage.merge(other);
        assert_eq!(coverage.shown(), 3);
        assert_eq!(coverage.share(NonZeroUsize::new(12).unwrap()), Some(0.25));
    }

    #[test]
    fn a_catalogue_that_is_smaller_than_what_was_shown_has_no_coverage() {
        let mut coverage = CatalogueCoverage::default();
        coverage.add([1, 2], NonZeroUsize::new(5).unwrap());
        assert_eq!(coverage.share(NonZeroUsize::MIN), None);
        assert_eq!(CatalogueCoverage::<u8>::default().share(NonZeroUsize::MIN), Some(0.0));
    }
}
