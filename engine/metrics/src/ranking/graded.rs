//! What every ranking metric looks at: the grades down a ranking, and all grades of the session.

use std::num::NonZeroUsize;

use super::ndcg::{self, GainFunction};
use crate::bounded::PositiveNumber;

/// The grades of one ranking of one session.
///
/// Each item appears at most once in the ranking, and each judged item of the ranking is also in `judged`. Grades are
/// finite; a grade of 0 or below is judged and not relevant (and a NaN is treated like one).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankedGrades<'a> {
    /// The grade of the item at rank index + 1; `None` where nobody judged it.
    pub ranked: &'a [Option<f64>],
    /// All grades of the session, returned or not, in any order.
    pub judged: &'a [f64],
}

impl<'a> RankedGrades<'a> {
    /// Returns the ranks down to the cutoff, all of them where there is none.
    pub(crate) fn top(&self, cutoff: Option<NonZeroUsize>) -> &'a [Option<f64>] {
        self.ranked.get(..depth(cutoff).min(self.ranked.len())).unwrap_or_default()
    }

    /// Returns the number of relevant items of the session, `None` where there is not one.
    pub(crate) fn relevant(&self, relevance: Relevance) -> Option<NonZeroUsize> {
        NonZeroUsize::new(self.judged.iter().filter(|&&grade| relevance.holds(grade)).count())
    }
}

/// What the metrics that are asked for most need to know of a ranking, however its grades are kept: each formula stands once.
pub(crate) trait Grades {
    /// Iterates over the grades down to the cutoff, each with its rank - 1, best rank first.
    fn found(&self, cutoff: Option<NonZeroUsize>) -> impl Iterator<Item = (usize, f64)>;

    /// Returns the number of relevant items of the session, `None` where there is not one.
    fn relevant(&self, relevance: Relevance) -> Option<NonZeroUsize>;

    /// Returns the number of relevant items down to the cutoff.
    fn relevant_found(&self, relevance: Relevance, cutoff: NonZeroUsize) -> usize;

    /// Returns the discounted gain of the ranking down to the cutoff, and of the best ranking of all items of the session.
    fn discounted(&self, gain: GainFunction, cutoff: Option<NonZeroUsize>) -> Discounted;
}

/// Discounted gains.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Discounted {
    pub(crate) found: f64,
    pub(crate) ideal: f64,
}

/// Judgments of a session that are sorted on the stack.
pub(super) const FEW: usize = 16;

impl Grades for RankedGrades<'_> {
    fn found(&self, cutoff: Option<NonZeroUsize>) -> impl Iterator<Item = (usize, f64)> {
        self.top(cutoff).iter().enumerate().filter_map(|(index, grade)| Some((index, (*grade)?)))
    }

    fn relevant(&self, relevance: Relevance) -> Option<NonZeroUsize> {
        RankedGrades::relevant(self, relevance)
    }

    fn relevant_found(&self, relevance: Relevance, cutoff: NonZeroUsize) -> usize {
        self.top(Some(cutoff)).iter().filter(|&&grade| relevance.holds_at(grade)).count()
    }

    fn discounted(&self, gain: GainFunction, cutoff: Option<NonZeroUsize>) -> Discounted {
        let found = self.found(cutoff).map(|(index, grade)| (index, gain.gain(grade)));
        let ideal = |grades: &mut [f64]| {
            let worthy = best_first(grades).iter().map(|&grade| gain.gain(grade)).filter(|&gain| gain > 0.0);
            ndcg::discounted(worthy.take(depth(cutoff)).enumerate())
        };
        // Most sessions have few judgments: those need no memory of their own.
        let mut few = [0.0; FEW];
        let ideal = match few.get_mut(..self.judged.len()) {
            Some(few) => {
                few.copy_from_slice(self.judged);
                ideal(few)
            }
            None => ideal(&mut self.judged.to_vec()),
        };
        Discounted { found: ndcg::discounted(found), ideal }
    }
}

/// Returns the number of ranks down to the cutoff.
pub(super) fn depth(cutoff: Option<NonZeroUsize>) -> usize {
    cutoff.map_or(usize::MAX, NonZeroUsize::get)
}

/// Sorts grades, highest first.
pub(super) fn best_first(grades: &mut [f64]) -> &[f64] {
    grades.sort_unstable_by(|a, b| b.total_cmp(a));
    grades
}

/// From which grade on an item counts as relevant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relevance {
    /// Any grade above 0.
    #[default]
    AboveZero,
    /// This grade or a higher one: `rel=` of ir_measures, `-l` of trec_eval.
    AtLeast(PositiveNumber),
}

impl Relevance {
    /// Returns whether a grade is relevant.
    #[must_use]
    pub fn holds(self, grade: f64) -> bool {
        match self {
            Self::AboveZero => grade > 0.0,
            Self::AtLeast(level) => grade >= level.get(),
        }
    }

    /// Returns whether the item at a rank is relevant; an unjudged one is not.
    #[must_use]
    pub fn holds_at(self, grade: Option<f64>) -> bool {
        grade.is_some_and(|grade| self.holds(grade))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractional_grades_are_relevant_unless_a_level_is_given() {
        let level = Relevance::AtLeast(PositiveNumber::new(1.0).unwrap());
        assert!(Relevance::AboveZero.holds(0.5) && !level.holds(0.5) && level.holds(1.0));
        assert!(!Relevance::AboveZero.holds(0.0) && !Relevance::AboveZero.holds(-1.0));
        assert!(!Relevance::AboveZero.holds(f64::NAN) && !Relevance::AboveZero.holds_at(None));
    }

    #[test]
    fn cutoff_beyond_the_ranking_takes_all_of_it() {
        let grades = RankedGrades { ranked: &[Some(1.0), None], judged: &[1.0] };
        assert_eq!(grades.top(NonZeroUsize::new(1)).len(), 1);
        assert_eq!(grades.top(NonZeroUsize::new(9)).len(), 2);
        assert_eq!(grades.top(None).len(), 2);
    }
}
