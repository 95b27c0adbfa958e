//! One enum of every ranking metric.

use std::num::NonZeroUsize;

use crate::bounded::{PositiveNumber, Proportion};
use crate::ranking::condensed::condensed;
use crate::ranking::explanation::Weighing;
use crate::ranking::{
    Explanation, GainFunction, RankedGrades, RbpGain, Relevance, TrecMeasure, average_precision, binary_preference,
    expected_reciprocal_rank, hit_counts, inferred_average_precision, judged, ndcg, precision, r_precision,
    rank_biased_precision, recall, reciprocal_rank, success,
};

/// A ranking metric with its parameters, read from and printed as its ir_measures name, such as `nDCG@10`.
///
/// Every metric is better when it is higher. A `cutoff` is the number of ranks looked at; `None` is the whole ranking. With
/// `judged_only`, items that nobody judged are dropped first, those with a negative grade too, and the cutoff counts what is
/// left: the condensed ranking of trec_eval's `-J`, `nDCG(judged_only=True)@10` of ir_measures. Condensed values tend to be
/// too high where much is unjudged; they stand beside the others and are not to be compared with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// Normalised discounted cumulative gain: `nDCG@10`, `nDCG(dcg='exp-log2')@5`. See [`ndcg`].
    Ndcg {
        /// The gain function that the name asks for; `None` is the benchmark's.
        gain: Option<GainFunction>,
        /// Whether unjudged items are dropped.
        judged_only: bool,
        /// Ranks looked at.
        cutoff: Option<NonZeroUsize>,
    },
    /// Recall: `R@20`. See [`recall`].
    Recall {
        /// What counts as relevant.
        relevance: Relevance,
        /// Whether unjudged items are dropped.
        judged_only: bool,
        /// Ranks looked at.
        cutoff: NonZeroUsize,
    },
    /// Precision: `P@5`. See [`precision`].
    Precision {
        /// What counts as relevant.
        relevance: Relevance,
        /// Whether unjudged items are dropped.
        judged_only: bool,
        /// Ranks looked at.
        cutoff: NonZeroUsize,
    },
    /// R-precision: `Rprec`. See [`r_precision`].
    RPrecision {
        /// What counts as relevant.
        relevance: Relevance,
        /// Whether unjudged items are dropped.
        judged_only: bool,
    },
    /// Success: `Success@1`. See [`success`].
    Success {
        /// What counts as relevant.
        relevance: Relevance,
        /// Whether unjudged items are dropped.
        judged_only: bool,
        /// Ranks looked at.
        cutoff: NonZeroUsize,
    },
    /// Reciprocal rank: `RR`, `RR(rel=2)@10`. See [`reciprocal_rank`].
    ReciprocalRank {
        /// What counts as relevant.
        relevance: Relevance,
        /// Whether unjudged items are dropped.
        judged_only: bool,
        /// Ranks looked at.
        cutoff: Option<NonZeroUsize>,
    },
    /// Average precision: `AP`, `AP(rel=2)@100`. See [`average_precision`].
    AveragePrecision {
        /// What counts as relevant.
        relevance: Relevance,
        /// Whether unjudged items are dropped.
        judged_only: bool,
        /// Ranks looked at.
        cutoff: Option<NonZeroUsize>,
    },
    /// Expected reciprocal rank: `ERR@5`, `ERR(max_rel=2)@5`. See [`expected_reciprocal_rank`].
    Err {
        /// The grade that leaves a reader content with probability (2^g - 1) / 2^g; [`DEFAULT_ERR_MAX_GRADE`] where the
        /// name says nothing.
        max_grade: PositiveNumber,
        /// Whether unjudged items are dropped.
        judged_only: bool,
        /// Ranks looked at.
        cutoff: Option<NonZeroUsize>,
    },
    /// Rank-biased precision: `RBP(p=0.8)`, `RBP(p=0.5,max_rel=2)`. See [`rank_biased_precision`].
    Rbp {
        /// The probability to read on; [`DEFAULT_RBP_PERSISTENCE`] where the name says nothing.
        persistence: Proportion,
        /// What an item brings.
        gain: RbpGain,
        /// Whether unjudged items are dropped.
        judged_only: bool,
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
    /// Inferred average precision: `infAP`. See [`inferred_average_precision`].
    InferredAveragePrecision {
        /// What counts as relevant.
        relevance: Relevance,
    },
    /// The number of returned items: `NumRet`, of the relevant ones among them `NumRet(rel=1)`. See
    /// [`returned`](hit_counts::returned).
    Returned {
        /// What counts as relevant; `None` where every item counts.
        relevance: Option<Relevance>,
    },
    /// The number of relevant items, returned or not: `NumRel`. See [`relevant`](hit_counts::relevant).
    Relevant {
        /// What counts as relevant.
        relevance: Relevance,
    },
    /// A measure that trec_eval alone prints: `IPrec@0.1`, `SetF`, `Rprec(mult=0.5)`, `Rndcg`. See [`TrecMeasure`].
    TrecEval {
        /// Which one.
        measure: TrecMeasure,
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
        if self.judged_only() {
            let left = condensed(grades.ranked).ranked;
            return self.value(&RankedGrades { ranked: &left, judged: grades.judged }, default_gain);
        }
        self.value(grades, default_gain)
    }

    /// Returns what each rank brings to the metric's value; `None` where that is undefined.
    #[must_use]
    pub fn explain(&self, grades: &RankedGrades<'_>, default_gain: GainFunction) -> Option<Explanation> {
        let value = self.evaluate(grades, default_gain)?;
        if self.judged_only() {
            let left = condensed(grades.ranked);
            let weighing = self.weigh(&RankedGrades { ranked: &left.ranked, judged: grades.judged }, default_gain)?;
            return Some(weighing.explain(grades.ranked, left.places, value));
        }
        Some(self.weigh(grades, default_gain)?.explain(grades.ranked, 0..grades.ranked.len(), value))
    }

    fn value(&self, grades: &RankedGrades<'_>, default_gain: GainFunction) -> Option<f64> {
        match *self {
            Self::Ndcg { gain, cutoff, .. } => ndcg(grades, gain.unwrap_or(default_gain), cutoff),
            Self::Recall { relevance, cutoff, .. } => recall(grades, relevance, cutoff),
            Self::Precision { relevance, cutoff, .. } => precision(grades, relevance, cutoff),
            Self::RPrecision { relevance, .. } => r_precision(grades, relevance),
            Self::Success { relevance, cutoff, .. } => success(grades, relevance, cutoff),
            Self::ReciprocalRank { relevance, cutoff, .. } => reciprocal_rank(grades, relevance, cutoff),
            Self::AveragePrecision { relevance, cutoff, .. } => average_precision(grades, relevance, cutoff),
            Self::Err { max_grade, cutoff, .. } => expected_reciprocal_rank(grades, max_grade, cutoff),
            Self::Rbp { persistence, gain, cutoff, .. } => rank_biased_precision(grades, gain, persistence, cutoff),
            Self::Judged { cutoff } => judged(grades, cutoff),
            Self::Bpref { relevance } => binary_preference(grades, relevance),
            Self::InferredAveragePrecision { relevance } => inferred_average_precision(grades, relevance),
            Self::Returned { relevance } => Some(hit_counts::returned(grades, relevance)),
            Self::Relevant { relevance } => Some(hit_counts::relevant(grades, relevance)),
            Self::TrecEval { measure, relevance } => measure.evaluate(grades, relevance),
        }
    }

    fn weigh(&self, grades: &RankedGrades<'_>, default_gain: GainFunction) -> Option<Weighing> {
        match *self {
            Self::Ndcg { gain, cutoff, .. } => ndcg::weigh(grades, gain.unwrap_or(default_gain), cutoff),
            Self::Recall { relevance, cutoff, .. } => recall::weigh(grades, relevance, cutoff),
            Self::Precision { relevance, cutoff, .. } => precision::weigh(grades, relevance, cutoff),
            Self::RPrecision { relevance, .. } => r_precision::weigh(grades, relevance),
            Self::Success { relevance, cutoff, .. } => success::weigh(grades, relevance, cutoff),
            Self::ReciprocalRank { relevance, cutoff, .. } => reciprocal_rank::weigh(grades, relevance, cutoff),
            Self::AveragePrecision { relevance, cutoff, .. } => average_precision::weigh(grades, relevance, cutoff),
            Self::Err { max_grade, cutoff, .. } => expected_reciprocal_rank::weigh(grades, max_grade, cutoff),
            Self::Rbp { persistence, gain, cutoff, .. } => {
                rank_biased_precision::weigh(grades, gain, persistence, cutoff)
            }
            Self::Judged { cutoff } => judged::weigh(grades, cutoff),
            Self::Bpref { relevance } => binary_preference::weigh(grades, relevance),
            Self::InferredAveragePrecision { relevance } => inferred_average_precision::weigh(grades, relevance),
            Self::Returned { relevance } => Some(hit_counts::weigh_returned(grades, relevance)),
            Self::Relevant { relevance } => Some(hit_counts::weigh_relevant(grades, relevance)),
            Self::TrecEval { measure, relevance } => measure.weigh(grades, relevance),
        }
    }

    /// Returns the number of ranks looked at; `None` where that is the whole ranking (or, for R-precision, depends on the
    /// session).
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
            Self::TrecEval { measure, .. } => measure.cutoff(),
            Self::RPrecision { .. }
            | Self::Bpref { .. }
            | Self::InferredAveragePrecision { .. }
            | Self::Returned { .. }
            | Self::Relevant { .. } => None,
        }
    }

    /// Returns whether the interval that ties leave is known: whether no order of tied items is better than that by what they
    /// are worth, descending. It is not for infAP, `G` and `nDCG_rel`.
    #[must_use]
    pub fn ties_have_an_interval(&self) -> bool {
        !matches!(
            self,
            Self::InferredAveragePrecision { .. }
                | Self::TrecEval { measure: TrecMeasure::NormalisedGain | TrecMeasure::NdcgOverRelevant, .. }
        )
    }

    /// Returns whether a session's value is a logarithm, so that the mean's exponential is a geometric mean: `gm_map`, `gm_bpref`.
    #[must_use]
    pub fn is_logarithm(&self) -> bool {
        matches!(self, Self::TrecEval { measure, .. } if measure.is_logarithm())
    }

    /// Returns what stands for a session of which the metric is undefined, for programs that count those as nothing found: 0, or the
    /// least logarithm.
    #[must_use]
    pub fn of_nothing(&self) -> f64 {
        if self.is_logarithm() { TrecMeasure::LEAST.ln() } else { 0.0 }
    }

    /// Returns whether items that nobody judged are dropped before the metric looks at the ranking.
    #[must_use]
    pub fn judged_only(&self) -> bool {
        match *self {
            Self::Ndcg { judged_only, .. }
            | Self::Recall { judged_only, .. }
            | Self::Precision { judged_only, .. }
            | Self::RPrecision { judged_only, .. }
            | Self::Success { judged_only, .. }
            | Self::ReciprocalRank { judged_only, .. }
            | Self::AveragePrecision { judged_only, .. }
            | Self::Err { judged_only, .. }
            | Self::Rbp { judged_only, .. } => judged_only,
            Self::Judged { .. }
            | Self::Bpref { .. }
            | Self::InferredAveragePrecision { .. }
            | Self::Returned { .. }
            | Self::Relevant { .. }
            | Self::TrecEval { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests;
