//! The examination curve from a log in which items were shown at several ranks, without any experiment.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use super::pair_likelihood::{End, fit};
use super::{ExaminationCurve, InvalidExamination};
use crate::bounded::Proportion;
use crate::stats::normal::normal_quantile;

/// Sums of clicks may exceed their weight by this share, by rounding.
const ROUNDING: f64 = 1e-9;

/// Ranks further down are not fitted: the equations grow with their square.
const MOST_RANKS: usize = 200;

/// What a log says of the (query, item)s that it showed at both of two ranks.
///
/// For each (query, item) let `n_k` be the impressions of the item for the query at rank k, `c_k` those of them with a click, and
/// `n` its impressions at all ranks. Then, summed over every (query, item) with `n_rank` > 0 and `n_other` > 0, and with
/// v = `n_rank · n_other / n`:
///
/// | field | sum over (query, item) |
/// |---|---|
/// | `items` | 1 |
/// | `weight` | v |
/// | `clicks_at_rank` | v · `c_rank / n_rank`, which is `n_other · c_rank / n` |
/// | `clicks_at_other` | v · `c_other / n_other`, which is `n_rank · c_other / n` |
///
/// Given a table `shown(query, item, rank, n, c)` grouped by its first three columns, and `n_all`, the sum of `n` over the ranks
/// of a (query, item):
///
/// ```sql
/// SELECT a.rank, b.rank AS other, COUNT(*) AS items,
///        SUM(a.n * b.n / n_all) AS weight,
///        SUM(b.n * a.c / n_all) AS clicks_at_rank,
///        SUM(a.n * b.c / n_all) AS clicks_at_other
/// FROM shown a JOIN shown b ON a.query = b.query AND a.item = b.item AND a.rank < b.rank
/// GROUP BY a.rank, b.rank
/// ```
///
/// The two click sums have the same weights, so under the position-based model the ratio of their expectations is the ratio of
/// theta, whatever the items' relevance. Any weights that do not depend on clicks will do for that (Agarwal et al. take v = 1);
/// these trust a click rate as far as it has impressions, and count each impression less than once over all pairs, so that
/// standard errors are not too small.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankPair {
    /// The rank nearer to the top.
    pub rank: NonZeroUsize,
    /// The rank further down.
    pub other: NonZeroUsize,
    /// Number of (query, item)s shown at both.
    pub items: u64,
    /// Sum of their weights v; what was not clicked is this less the clicks.
    pub weight: f64,
    /// Weighted sum of their click rates at `rank`.
    pub clicks_at_rank: f64,
    /// Weighted sum of their click rates at `other`.
    pub clicks_at_other: f64,
}

/// What is known of one rank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HarvestedRank {
    /// The rank.
    pub rank: NonZeroUsize,
    /// (query, item)s over all the pairs that the rank is in; one that was shown at three ranks counts in two of a rank's pairs.
    pub items: u64,
    /// Theta relative to rank 1; `None` where the log's pairs and clicks do not link the rank to rank 1.
    pub examination: Option<f64>,
    /// The standard error of ln theta, that is the relative error of theta where it is small; 0 for rank 1.
    ///
    /// From the curvature of the likelihood, for clicks that are independent given item and rank. Users who search again and
    /// again make it too small; resample them to know by how much.
    pub log_standard_error: Option<f64>,
}

impl HarvestedRank {
    /// Returns the confidence interval of theta, low end first; `None` without an estimate.
    #[must_use]
    pub fn interval(&self, level: Proportion) -> Option<[f64; 2]> {
        let (theta, error) = self.examination.zip(self.log_standard_error)?;
        let factor = (normal_quantile(0.5 + level.get() / 2.0) * error).exp();
        Some([theta / factor, theta * factor])
    }
}

/// An examination curve that was read from a log, and how well the log determines it.
#[derive(Debug, Clone, PartialEq)]
pub struct HarvestedCurve {
    /// The curve; ranks without an estimate as [`ExaminationCurve::from_estimates`] says.
    pub curve: ExaminationCurve,
    /// Every rank of the pairs, ascending.
    pub ranks: Vec<HarvestedRank>,
    /// The pairs that went in, ascending, those of the same ranks added up.
    pub pairs: Vec<RankPair>,
}

impl HarvestedCurve {
    /// Returns the largest standard error of ln theta among the estimated ranks up to `depth`; `None` where only rank 1 is
    /// estimated there. Above about 0.5, theta is known within a factor of 2.7 only: better to assume a curve and say so.
    #[must_use]
    pub fn largest_log_standard_error(&self, depth: NonZeroUsize) -> Option<f64> {
        let after_first = |rank: &&HarvestedRank| rank.rank > NonZeroUsize::MIN && rank.rank <= depth;
        self.ranks.iter().filter(after_first).filter_map(|rank| rank.log_standard_error).reduce(f64::max)
    }
}

/// Why a log does not give a curve.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HarvestingError {
    /// No (query, item) was shown at two ranks.
    #[error("expected items that were shown at two ranks for the same query, found none")]
    NoRankVariation,
    /// No pair with clicks links rank 1 to another rank.
    #[error("expected clicks that link rank 1 to other ranks, found none among {pairs} pairs of ranks")]
    FirstRankNotLinked {
        /// Pairs of ranks given.
        pairs: usize,
    },
    /// A pair that no log gives.
    #[error(
        "expected `rank` < `other` <= 200 and clicks between 0 and a weight above 0 for ranks {rank} and {other}, found \
         {clicks_at_rank} and {clicks_at_other} clicks of weight {weight}"
    )]
    InvalidPair {
        /// The rank nearer to the top.
        rank: usize,
        /// The rank further down.
        other: usize,
        /// The pair's weight.
        weight: f64,
        /// Its clicks at the one.
        clicks_at_rank: f64,
        /// Its clicks at the other.
        clicks_at_other: f64,
    },
    /// The likelihood has no maximum that can be found.
    #[error("the fit of {ranks} ranks does not converge; assume a curve instead")]
    NotConverged {
        /// Ranks that were fitted.
        ranks: usize,
    },
    /// The estimates leave the range of numbers.
    #[error("the estimates are no examination curve")]
    NoCurve(#[from] InvalidExamination),
}

/// Returns the examination curve by intervention harvesting, with the AllPairs estimator of Agarwal, Zaitsev, Wang, Li, Najork and
/// Joachims 2019 (Estimating position bias without intrusive interventions, WSDM).
///
/// An item that different rankers, or one ranker at different times, put at different ranks for the same query is an experiment
/// that nobody had to make. The estimate maximises the likelihood Π `(theta_k · r)^clicks · (1 - theta_k · r)^no clicks` over the
/// ends k of all pairs, each pair with its own mean relevance r, and theta of rank 1 set to 1. Theta of another rank may exceed 1.
///
/// Assumes that which rank an item had did not depend on who searched, given the query. A log of one ranker that never changed
/// has no such pairs. Pairs may come in any order; those of the same two ranks, say of several chunks, are added up.
///
/// # Errors
///
/// Where there are no pairs, none links rank 1 to another rank through clicks, a pair cannot be, or the fit does not converge.
pub fn harvest(pairs: &[RankPair]) -> Result<HarvestedCurve, HarvestingError> {
    let pairs = added_up(pairs)?;
    if pairs.is_empty() {
        return Err(HarvestingError::NoRankVariation);
    }
    let linked = linked_to_first(&pairs);
    if linked.len() < 2 {
        return Err(HarvestingError::FirstRankNotLinked { pairs: pairs.len() });
    }
    let index: BTreeMap<NonZeroUsize, usize> = linked.iter().copied().zip(0..).collect();
    let ends: Vec<[End; 2]> = pairs.iter().filter_map(|pair| ends(pair, &index)).collect();
    let fit = fit(linked.len(), &ends).ok_or(HarvestingError::NotConverged { ranks: linked.len() })?;

    let all: BTreeSet<NonZeroUsize> = pairs.iter().flat_map(|pair| [pair.rank, pair.other]).collect();
    let describe = |rank: NonZeroUsize| {
        let of = |values: &[f64]| index.get(&rank).and_then(|&index| values.get(index)).copied();
        HarvestedRank {
            rank,
            items: pairs.iter().filter(|pair| pair.rank == rank || pair.other == rank).map(|pair| pair.items).sum(),
            examination: of(&fit.log_theta).map(f64::exp),
            log_standard_error: of(&fit.standard_errors),
        }
    };
    let ranks: Vec<HarvestedRank> = all.into_iter().map(describe).collect();
    let last = ranks.last().map_or(0, |rank| rank.rank.get());
    let mut by_rank = vec![None; last];
    for rank in &ranks {
        if let Some(slot) = by_rank.get_mut(rank.rank.get() - 1) {
            *slot = rank.examination;
        }
    }
    Ok(HarvestedCurve { curve: ExaminationCurve::from_estimates(&by_rank)?, ranks, pairs })
}

/// Returns the checked pairs, ascending, one for each two ranks.
fn added_up(pairs: &[RankPair]) -> Result<Vec<RankPair>, HarvestingError> {
    let mut by_ranks: BTreeMap<(NonZeroUsize, NonZeroUsize), RankPair> = BTreeMap::new();
    for pair in pairs {
        check(pair)?;
        by_ranks
            .entry((pair.rank, pair.other))
            .and_modify(|sums| {
                sums.items += pair.items;
                sums.weight += pair.weight;
                sums.clicks_at_rank += pair.clicks_at_rank;
                sums.clicks_at_other += pair.clicks_at_other;
            })
            .or_insert(*pair);
    }
    Ok(by_ranks.into_values().collect())
}

fn check(pair: &RankPair) -> Result<(), HarvestingError> {
    let RankPair { rank, other, weight, clicks_at_rank, clicks_at_other, .. } = *pair;
    let possible = |clicks: f64| (0.0..=weight * (1.0 + ROUNDING)).contains(&clicks);
    let weighs = weight > 0.0 && weight.is_finite();
    let ordered = rank < other && other.get() <= MOST_RANKS;
    if ordered && weighs && possible(clicks_at_rank) && possible(clicks_at_other) {
        return Ok(());
    }
    let (rank, other) = (rank.get(), other.get());
    Err(HarvestingError::InvalidPair { rank, other, weight, clicks_at_rank, clicks_at_other })
}

/// Returns the ranks of which clicks tell the examination relative to rank 1, which comes first.
///
/// A pair without clicks at one of its ends says only that this end is looked at less, not how much less. The likelihood has a
/// maximum where rank 1 leads to a rank through ends with clicks, and the rank back to rank 1 (the condition of Ford 1957, Solution
/// of a ranking problem from binary comparisons, which has the same shape).
fn linked_to_first(pairs: &[RankPair]) -> BTreeSet<NonZeroUsize> {
    let down = pairs.iter().filter(|pair| pair.clicks_at_other > 0.0).map(|pair| (pair.rank, pair.other));
    let up = pairs.iter().filter(|pair| pair.clicks_at_rank > 0.0).map(|pair| (pair.other, pair.rank));
    let steps: Vec<(NonZeroUsize, NonZeroUsize)> = down.chain(up).collect();
    let back: Vec<(NonZeroUsize, NonZeroUsize)> = steps.iter().map(|&(from, to)| (to, from)).collect();
    &reached(&steps) & &reached(&back)
}

/// Returns what rank 1 leads to, itself included.
fn reached(steps: &[(NonZeroUsize, NonZeroUsize)]) -> BTreeSet<NonZeroUsize> {
    let mut reached = BTreeSet::from([NonZeroUsize::MIN]);
    loop {
        let known = reached.len();
        for (from, to) in steps {
            if reached.contains(from) {
                reached.insert(*to);
            }
        }
        if reached.len() == known {
            return reached;
        }
    }
}

/// Returns the ends of a pair between linked ranks; `None` for another, and for one without clicks, which says nothing.
fn ends(pair: &RankPair, index: &BTreeMap<NonZeroUsize, usize>) -> Option<[End; 2]> {
    let (&rank, &other) = index.get(&pair.rank).zip(index.get(&pair.other))?;
    let end = |rank: usize, clicks: f64| End { rank, clicks: clicks.min(pair.weight), weight: pair.weight };
    let clicked = pair.clicks_at_rank + pair.clicks_at_other > 0.0;
    clicked.then(|| [end(rank, pair.clicks_at_rank), end(other, pair.clicks_at_other)])
}

#[cfg(test)]
mod tests;
