//! What every ranking metric looks at: the grades down a ranking, and all grades of the session.

use std::num::NonZeroUsize;

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
        let depth = cutoff.map_or(self.ranked.len(), |cutoff| cutoff.get().min(self.ranked.len()));
        self.ranked.get(..depth).unwrap_or_default()
    }

    /// Returns the number of relevant items of the session, `None` where there is not one.
    pub(crate) fn relevant(&self, relevance: Relevance) -> Option<NonZeroUsize> {
        NonZeroUsize::new(self.judged.iter().filter(|&&grade| relevance.holds(grade)).count())
    }
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
