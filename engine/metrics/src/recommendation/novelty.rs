//! Novelty.

use crate::sum::{CompensatedSum, count, whole};

/// How little known the items of a list are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Novelty {
    /// Mean self-information of the items that are known, in bits, 0 or more; `None` where none is.
    pub mean: Option<f64>,
    /// Items that nobody ever touched: they are news without measure, and are in no mean.
    pub unknown: usize,
}

/// Returns -log2(touched / people), in bits, 0 or more: an item that one in 1,024 touched tells 10 bits.
///
/// Undefined where nobody touched it, or more than all people did.
#[must_use]
pub fn self_information(touched: u64, people: u64) -> Option<f64> {
    (touched > 0 && touched <= people).then(|| (whole(people) / whole(touched)).log2())
}

/// Returns the mean self-information of a list's items, given how many of `people` touched each. Source: Zhou et al. 2010,
/// Solving the apparent diversity-accuracy dilemma of recommender systems; Castells, Vargas and Wang 2011, Novelty and
/// diversity metrics for recommender systems.
///
/// Count the touches in a log that neither arm has written, else the arm that wrote it looks less novel.
#[must_use]
pub fn novelty(touched: impl IntoIterator<Item = u64>, people: u64) -> Novelty {
    let (mut total, mut known, mut unknown) = (CompensatedSum::default(), 0, 0);
    for touched in touched {
        match self_information(touched, people) {
            Some(bits) => {
                total.add(bits);
                known += 1;
            }
            None => unknown += 1,
        }
    }
    Novelty { mean: (known > 0).then(|| total.total() / count(known)), unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_by_hand() {
        assert_eq!(self_information(1, 1024), Some(10.0));
        assert_eq!(self_information(8, 8), Some(0.0));
        assert_eq!(novelty([1, 2, 0], 4), Novelty { mean: Some(1.5), unknown: 1 });
    }

    #[test]
    fn items_that_nobody_touched_are_no_number() {
        assert_eq!(self_information(0, 5), None);
        assert_eq!(self_information(6, 5), None);
        assert_eq!(novelty([0], 5), Novelty { mean: None, unknown: 1 });
        assert_eq!(novelty([], 5), Novelty { mean: None, unknown: 0 });
    }
}
