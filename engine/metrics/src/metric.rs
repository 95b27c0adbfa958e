//! One enum of every ranking metric.

use std::num::NonZeroUsize;

use crate::bounded::{PositiveNumber, Proportion};
use crate::ranking::{
    GainFunction, NdcgExplanation, RankedGrades, RbpGain, Relevance, average_precision, binary_preference,
    expected_reciprocal_rank, explain_ndcg, judged, ndcg, precision, rank_biased_precision, recall, reciprocal_rank,
    success,
};

/// A ranking metric with its parameters, read from and printed as its ir_measures name, such as `nDCG@10`.
///
/// Every metric is better when it is higher. A `cutoff` is the number of ranks looked at; `None` is the whole ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// Normalised discounted cumulative gain: `nDCG@10`, `nDCG(dcg='exp-log2')@5`. See [`ndcg`].
    Ndcg {
        /// The gain function that the name asks for; `None` is the benchmark's.
        gain: Option<GainFunction>,
        /// Ranks looked at.
        cutoff: Option<NonZeroUsize>,
    },
    /// Recall: `R@20`. See [`recall`].
    Recall {
        /// What counts as relevant.
        relevance: Relevance,
        /// Ranks looked at.
        cutoff: NonZeroUsize,
    },
    /// Precision: `P@5`. See [`precision`].
    Precision {
        /// What counts as relevant.
        relevance: Relevance,
        /// Ranks looked at.
        cutoff: NonZeroUsize,
    },
    /// Success: `Success@1`. See [`success`].
    Success {
        /// What counts as relevant.
        relevance: Relevance,
        /// Ranks looked at.
        cutoff: NonZeroUsize,
    },
    /// Reciprocal rank: `RR`, `RR(rel=2)@10`. See [`reciprocal_rank`].
    ReciprocalRank {
        /// What counts as relevant.
        relevance: Relevance,
        /// Ranks looked at.
        cutoff: Option<NonZeroUsize>,
    },
    /// Average precision: `AP`, `AP(rel=2)@100`. See [`average_precision`].
    AveragePrecision {
        /// What counts as relevant.
        relevance: Relevance,
        /// Ranks looked at.
        cutoff: Option<NonZeroUsize>,
    },
    /// Expected reciprocal rank: `ERR@5`, `ERR(max_rel=2)@5`. See [`expected_reciprocal_rank`].
    Err {
        /// The grade that leaves a reader content with probability (2^g - 1) / 2^g; [`DEFAULT_ERR_MAX_GRADE`] where the
        /// name says nothing.
        max_grade: PositiveNumber,
        /// Ranks looked at.
        cutoff: Option<NonZeroUsize>,
    },
    /// Rank-biased precision: `RBP(p=0.8)`, `RBP(p=0.5,max_rel=2)`. See [`rank_biased_precision`].
    Rbp {
        /// The probability to read on; [`DEFAULT_RBP_PERSISTENCE`] where the name says nothing.
        persistence: Proportion,
        /// What an item brings.
        gain: RbpGain,
        /// Ranks looked at.
        cutoff: Option<NonZeroUsize>,
    },
    /// The judged share: `Judged@10`. See [`judged`].
    Judged {
        /// Ranks looked at.
        cutoff: Option<NonZeroUsize>,
    },
    /// Binary preference: `Bpref`. See [`binary_preference`].
    Bpref {
        /// What counts as relevant.
        relevance: Relevance,
    },
}

/// The highest grade that ERR assumes where its name says nothing: 4, as gdeval, so that numbers of different query sets
/// can be compared.
pub const DEFAULT_ERR_MAX_GRADE: PositiveNumber = PositiveNumber::FOUR;

/// The persistence of RBP where its name says nothing: 0.8, as ir_measures.
pub const DEFAULT_RBP_PERSISTENCE: Proportion = Proportion::EIGHTY_PERCENT;

impl Metric {
    /// Returns the metric's value for one session, `None` where it is undefined.
    ///
    /// `default_gain` is the benchmark's gain function, used by nDCG unless its name asks for another.
    #[must_use]
    pub fn evaluate(&self, grades: &RankedGrades<'_>, default_gain: GainFunction) -> Option<f64> {
        match *self {
            Self::Ndcg { gain, cutoff } => ndcg(grades, gain.unwrap_or(default_gain), cutoff),
            Self::Recall { relevance, cutoff } => recall(grades, relevance, cutoff),
            Self::Precision { relevance, cutoff } => precision(grades, relevance, cutoff),
            Self::Success { relevance, cutoff } => success(grades, relevance, cutoff),
            Self::ReciprocalRank { relevance, cutoff } => reciprocal_rank(grades, relevance, cutoff),
            Self::AveragePrecision { relevance, cutoff } => average_precision(grades, relevance, cutoff),
            Self::Err { max_grade, cutoff } => expected_reciprocal_rank(grades, max_grade, cutoff),
            Self::Rbp { persistence, gain, cutoff } => rank_biased_precision(grades, gain, persistence, cutoff),
            Self::Judged { cutoff } => judged(grades, cutoff),
            Self::Bpref { relevance } => binary_preference(grades, relevance),
        }
    }

    /// Returns what each rank contributes to nDCG; `None` for other metrics and where nDCG is undefined.
    #[must_use]
    pub fn explain(&self, grades: &RankedGrades<'_>, default_gain: GainFunction) -> Option<NdcgExplanation> {
        match *self {
            Self::Ndcg { gain, cutoff } => explain_ndcg(grades, gain.unwrap_or(default_gain), cutoff),
            _ => None,
        }
    }

    /// Returns the number of ranks looked at; `None` where that is the whole ranking.
    #[must_use]
    pub fn cutoff(&self) -> Option<NonZeroUsize> {
        match *self {
            Self::Recall { cutoff, .. } | Self::Precision { cutoff, .. } | Self::Success { cutoff, .. } => Some(cutoff),
            Self::Ndcg { cutoff, .. }
            | Self::ReciprocalRank { cutoff, .. }
            | Self::AveragePrecision { cutoff, .. }
            | Self::Err { cutoff, .. }
            | Self::Rbp { cutoff, .. }
            | Self::Judged { cutoff } => cutoff,
            Self::Bpref { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAMES: [&str; 16] = [
        "nDCG",
        "nDCG@3",
        "nDCG(dcg='exp-log2')@3",
        "R@3",
        "R(rel=2)@3",
        "P@3",
        "Success@2",
        "RR",
        "RR@2",
        "AP",
        "AP@3",
        "ERR@4",
        "RBP(p=0.7)",
        "RBP(p=0.5,max_rel=3)",
        "Judged@3",
        "Bpref",
    ];

    /// A session: grades of its items, and a ranking of some of them and of unjudged ones.
    fn session() -> impl Strategy<Value = (Vec<Option<f64>>, Vec<f64>)> {
        (prop::collection::vec(-1_i32..5, 0..12), prop::collection::vec(any::<bool>(), 12), 0_usize..6).prop_flat_map(
            |(grades, returned, unjudged)| {
                let judged: Vec<f64> = grades.into_iter().map(f64::from).collect();
                let mut ranked: Vec<Option<f64>> = judged
                    .iter()
                    .zip(returned)
                    .filter(|(_, returned)| *returned)
                    .map(|(&grade, _)| Some(grade))
                    .collect();
                ranked.extend(std::iter::repeat_n(None, unjudged));
                (Just(ranked).prop_shuffle(), Just(judged))
            },
        )
    }

    proptest! {
        #[test]
        fn values_lie_between_zero_and_one((ranked, judged) in session()) {
            let grades = RankedGrades { ranked: &ranked, judged: &judged };
            for name in NAMES {
                let value = name.parse::<Metric>().unwrap().evaluate(&grades, GainFunction::Linear);
                prop_assert!(value.is_none_or(|value| (0.0..=1.0 + 1e-12).contains(&value)), "{} {:?}", name, value);
            }
        }

        #[test]
        fn the_order_of_the_judged_grades_does_not_matter((ranked, judged) in session()) {
            let reversed: Vec<f64> = judged.iter().rev().copied().collect();
            for name in NAMES {
                let metric: Metric = name.parse().unwrap();
                let value = |judged| metric.evaluate(&RankedGrades { ranked: &ranked, judged }, GainFunction::Exponential);
                prop_assert_eq!(value(&judged), value(&reversed), "{}", name);
            }
        }

        #[test]
        fn moving_a_better_item_up_never_lowers_a_graded_metric((ranked, judged) in session(), at in 0_usize..16) {
            prop_assume!(at + 1 < ranked.len());
            let mut better = ranked.clone();
            if better[at].unwrap_or(0.0) < better[at + 1].unwrap_or(0.0) {
                better.swap(at, at + 1);
            }
            for name in ["nDCG", "nDCG@3", "nDCG(dcg='exp-log2')@3", "RR", "AP", "P@3", "ERR@4", "RBP(p=0.5,max_rel=4)", "Bpref"] {
                let metric: Metric = name.parse().unwrap();
                let value = |ranked| metric.evaluate(&RankedGrades { ranked, judged: &judged }, GainFunction::Linear);
                let (before, after) = (value(&ranked), value(&better));
                prop_assert_eq!(before.is_some(), after.is_some());
                prop_assert!(before.unwrap_or(0.0) <= after.unwrap_or(0.0) + 1e-12, "{} {:?} {:?}", name, before, after);
            }
        }

        #[test]
        fn metrics_agree_with_their_textbook_forms((ranked, judged) in session(), k in 1_usize..8) {
            let grades = RankedGrades { ranked: &ranked, judged: &judged };
            let relevant = judged.iter().filter(|&&grade| grade > 0.0).count() as f64;
            prop_assume!(relevant > 0.0);
            let hits: Vec<f64> =
                ranked.iter().map(|grade| f64::from(u8::from(grade.is_some_and(|grade| grade > 0.0)))).collect();
            let found = |depth: usize| hits.iter().take(depth).sum::<f64>();
            let average = (0..hits.len()).map(|index| hits[index] * found(index + 1) / (index + 1) as f64).sum::<f64>() / relevant;
            let biased = (0..hits.len()).map(|index| hits[index] * 0.2 * 0.8_f64.powi(index as i32)).sum::<f64>();
            let expected = [
                (format!("R@{k}"), found(k) / relevant),
                (format!("P@{k}"), found(k) / k as f64),
                (format!("Success@{k}"), found(k).min(1.0)),
                ("RR".to_owned(), (0..hits.len()).find(|&index| hits[index] > 0.0).map_or(0.0, |index| 1.0 / (index + 1) as f64)),
                ("AP".to_owned(), average),
                ("RBP".to_owned(), biased),
            ];
            for (name, expected) in expected {
                let value = name.parse::<Metric>().unwrap().evaluate(&grades, GainFunction::Linear).unwrap();
                prop_assert!((value - expected).abs() < 1e-12, "{} {} {}", name, value, expected);
            }
        }
    }

    #[test]
    fn a_gain_in_the_name_beats_the_benchmarks() {
        let grades = RankedGrades { ranked: &[Some(1.0), Some(3.0)], judged: &[1.0, 3.0] };
        let value = |name: &str, gain| name.parse::<Metric>().unwrap().evaluate(&grades, gain);
        assert_eq!(value("nDCG", GainFunction::Exponential), value("nDCG(dcg='exp-log2')", GainFunction::Linear));
        assert_ne!(value("nDCG", GainFunction::Exponential), value("nDCG(dcg='log2')", GainFunction::Exponential));
    }

    #[test]
    fn only_ndcg_explains_itself() {
        let grades = RankedGrades { ranked: &[Some(1.0)], judged: &[1.0] };
        let explains = |name: &str| name.parse::<Metric>().unwrap().explain(&grades, GainFunction::Linear).is_some();
        assert!(explains("nDCG@5") && !explains("RR"));
    }
}
