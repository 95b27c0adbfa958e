//! Condensed rankings: what is left when items that nobody judged are dropped.

/// A ranking without its unjudged items, and where each item that is left stood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condensed {
    /// The grades that are left, best rank first; none is `None`.
    pub(crate) ranked: Vec<Option<f64>>,
    /// The index of each in the ranking as it was returned.
    pub(crate) places: Vec<usize>,
}

/// Returns the condensed ranking: `-J` of trec_eval, `judged_only=True` of ir_measures. Cutoffs then count judged items.
///
/// As in trec_eval, an item with a negative grade (in the pool, not judged) is dropped too. Condensed values tend to be too
/// high for rankings with many unjudged items (Sakai 2007, Alternatives to bpref), so they stand beside the others and are
/// never compared with them.
pub(crate) fn condensed(ranked: &[Option<f64>]) -> Condensed {
    let judged = ranked.iter().enumerate().filter(|(_, grade)| grade.is_some_and(|grade| grade >= 0.0));
    let (places, ranked) = judged.map(|(place, &grade)| (place, grade)).unzip();
    Condensed { ranked, places }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unjudged_items_and_negative_grades_are_dropped() {
        let left = condensed(&[None, Some(0.0), Some(-1.0), Some(2.0), None]);
        assert_eq!(left.ranked, [Some(0.0), Some(2.0)]);
        assert_eq!(left.places, [1, 3]);
    }

    #[test]
    fn nothing_is_left_of_an_unjudged_ranking() {
        assert_eq!(condensed(&[None, None]).ranked, []);
    }
}
