//! Measures that trec_eval alone prints. Each file says which, and weighs the ranks: a value is what its ranks bring, summed.

mod geometric;
mod graded_cumulation;
mod interpolated_precision;
mod normalised_gain;
mod set_retrieval;
mod utility;

use std::num::NonZeroUsize;

use super::explanation::Weighing;
use super::{RankedGrades, Relevance, average_precision, binary_preference};
use crate::bounded::{PositiveNumber, RecallLevel};
use crate::sum::{count, sum};

/// A measure that trec_eval prints and no other program knows under a common name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TrecMeasure {
    /// `iprec_at_recall`: the best precision from that recall on, in [0, 1].
    InterpolatedPrecision(RecallLevel),
    /// `11pt_avg`: the mean of the interpolated precision at recall 0, 0.1, ... 1, in [0, 1].
    ElevenPoint,
    /// `set_P`: the relevant share of everything that was returned, in [0, 1].
    SetPrecision,
    /// `set_relative_P`: as `set_P`, over the best that this many items could reach, in [0, 1].
    SetRelativePrecision,
    /// `set_recall`: the returned share of everything relevant, in [0, 1].
    SetRecall,
    /// `set_F`: the harmonic mean of both, recall weighing as much as trec_eval's parameter `x` says, in [0, 1].
    SetF(PositiveNumber),
    /// `set_map`: the product of `set_P` and `set_recall`, in [0, 1].
    SetAveragePrecision,
    /// `relative_P`: precision over the best that the session allows at that cutoff, in [0, 1].
    RelativePrecision(NonZeroUsize),
    /// `Rprec_mult`: precision at that multiple of the number of relevant items, in [0, 1].
    RPrecisionMultiple(PositiveNumber),
    /// `utility`: relevant items minus others, of all that was returned; unbounded.
    Utility,
    /// `G`: gain, discounted by what was missed before, over the ideal, in [0, 1].
    NormalisedGain,
    /// `binG`: the same of binary gains, in [0, 1].
    BinaryNormalisedGain,
    /// `ndcg_rel`: nDCG at each relevant item, averaged over those, in [0, 1].
    NdcgOverRelevant,
    /// `Rndcg`: nDCG where each level of relevance could be complete, and at the end, averaged, in [0, 1].
    NdcgAtLevels,
    /// `gm_map`: the natural logarithm of average precision, of 1e-5 where that is less, in [-11.52, 0]. Its mean is that of
    /// logarithms, so that sessions that go wholly wrong weigh; trec_eval prints the exponential of it.
    GeometricAveragePrecision,
    /// `gm_bpref`: the same of bpref.
    GeometricBpref,
    /// `num_nonrel_judged_ret`: returned items that are judged and not relevant.
    JudgedNonRelevant,
}

impl TrecMeasure {
    /// What counts where a value that a logarithm is made of is less.
    pub(crate) const LEAST: f64 = 1e-5;

    /// Returns its value, `None` where nothing is relevant (but for counts and utility, which always are something).
    #[must_use]
    pub fn evaluate(self, grades: &RankedGrades<'_>, relevance: Relevance) -> Option<f64> {
        let weighing = self.weigh(grades, relevance)?;
        Some(sum(weighing.ranks.iter().map(|(gain, weight)| gain * weight)) / weighing.normaliser + weighing.unranked)
    }

    /// Returns what each rank brings.
    pub(crate) fn weigh(self, grades: &RankedGrades<'_>, relevance: Relevance) -> Option<Weighing> {
        let relevance = if self.is_graded() { Relevance::AboveZero } else { relevance };
        match self {
            Self::InterpolatedPrecision(level) => interpolated_precision::weigh(grades, relevance, &[level]),
            Self::ElevenPoint => interpolated_precision::weigh(grades, relevance, &RecallLevel::ELEVEN),
            Self::SetPrecision => set_retrieval::weigh_precision(grades, relevance),
            Self::SetRelativePrecision => set_retrieval::weigh_relative_precision(grades, relevance, None),
            Self::SetRecall => set_retrieval::weigh_recall(grades, relevance),
            Self::SetF(x) => set_retrieval::weigh_f(grades, relevance, x.get()),
            Self::SetAveragePrecision => set_retrieval::weigh_average_precision(grades, relevance),
            Self::RelativePrecision(cutoff) => set_retrieval::weigh_relative_precision(grades, relevance, Some(cutoff)),
            Self::RPrecisionMultiple(multiple) => set_retrieval::weigh_r_precision(grades, relevance, multiple.get()),
            Self::Utility => Some(utility::weigh(grades, relevance)),
            Self::NormalisedGain => normalised_gain::weigh(grades, relevance, false),
            Self::BinaryNormalisedGain => normalised_gain::weigh(grades, relevance, true),
            Self::NdcgOverRelevant => graded_cumulation::weigh_over_relevant(grades, relevance),
            Self::NdcgAtLevels => graded_cumulation::weigh_at_levels(grades, relevance),
            Self::GeometricAveragePrecision => average_precision::weigh(grades, relevance, None).map(geometric::weigh),
            Self::GeometricBpref => binary_preference::weigh(grades, relevance).map(geometric::weigh),
            Self::JudgedNonRelevant => Some(utility::weigh_judged_non_relevant(grades, relevance)),
        }
    }

    /// Returns the number of ranks looked at, where it is said.
    pub(crate) fn cutoff(self) -> Option<NonZeroUsize> {
        match self {
            Self::RelativePrecision(cutoff) => Some(cutoff),
            _ => None,
        }
    }

    /// Returns whether a session's value is a logarithm, of which a geometric mean is made.
    #[must_use]
    pub fn is_logarithm(self) -> bool {
        matches!(self, Self::GeometricAveragePrecision | Self::GeometricBpref)
    }

    /// Returns whether it takes every grade above 0 by its height, so that no level of relevance can be said.
    #[must_use]
    pub fn is_graded(self) -> bool {
        matches!(self, Self::NormalisedGain | Self::NdcgOverRelevant | Self::NdcgAtLevels)
    }
}

/// Returns a share of all relevant items as a number of items, after `part` of one is added and the rest cut off.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is meant to truncate; a share is no less than 0"
)]
fn share_of(share: f64, relevant: usize, part: f64) -> usize {
    (share * count(relevant) + part) as usize
}

/// Returns the grades above 0 of a session, the highest first: the gains of the ideal ranking.
fn ideal(judged: &[f64]) -> Vec<f64> {
    let mut gains: Vec<f64> = judged.iter().copied().filter(|grade| *grade > 0.0).collect();
    gains.sort_by(|a, b| b.total_cmp(a));
    gains
}

/// Returns what a grade gains: itself, and nothing below 0 or where nobody judged.
fn gain(grade: Option<f64>) -> f64 {
    grade.filter(|grade| *grade > 0.0).unwrap_or(0.0)
}
