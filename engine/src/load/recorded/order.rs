//! One session's hits: are they sound, and in which order do they stand?

use std::cmp::Ordering;
use std::ops::Range;
use std::path::Path;

use datafusion::arrow::array::{Array, Float64Array, Int64Array, StringArray};

use super::block::{Block, Ranks, Rows};
use super::repeats::RepeatFinder;
use crate::benchmark::HitOrder;
use crate::load::LoadError;

/// The order of one session's hits.
pub(super) enum Order {
    /// As they stand.
    AsStored,
    /// These places of the block, best first.
    Places(Vec<u32>),
}

/// Checks and orders sessions, one after the other.
pub(super) struct Arranger {
    compatibility: HitOrder,
    repeats: RepeatFinder,
}

impl Arranger {
    pub(super) fn new(compatibility: HitOrder) -> Self {
        Self { compatibility, repeats: RepeatFinder::default() }
    }

    /// Returns the order of a run's hits.
    ///
    /// # Errors
    ///
    /// Names the row of a hit that is not sound: without an item or a rank, with a score that is no finite number, of an
    /// item that the session has already; or without a score where others have one.
    pub(super) fn order(
        &mut self,
        path: &Path,
        item_name: &str,
        block: &Block,
        run: usize,
    ) -> Result<Order, LoadError> {
        let hits = block.bounds.get(run).cloned().unwrap_or_default();
        let fault = block.faults.iter().find(|fault| fault.run == run);
        if let Some(fault) = fault {
            return Err(LoadError::Row { path: path.to_owned(), row: fault.row, reason: fault.reason.clone() });
        }
        let falls = || self.scores_fall(block, hits.clone()) || ranks_rise(block, hits.clone());
        let ordered = is_whole(block) && (is_a_list(block) || falls());
        let ranks = if ordered { None } else { block.ranks.get()? };
        if !ordered {
            check_hits(path, item_name, block, run, ranks)?;
        }
        if self.repeats.may_repeat(&block.items, hits.clone()) {
            check_repeats(path, block, run)?;
        }
        if ordered {
            return Ok(Order::AsStored);
        }
        check_scores(path, block, run)?;
        self.sort(block, hits, ranks)
    }

    /// Returns whether every score is finite and below the one before, so that nothing else decides.
    fn scores_fall(&self, block: &Block, hits: Range<usize>) -> bool {
        let Some(scores) = block.scores.as_ref().and_then(|scores| scores.values().get(hits)) else { return false };
        let (Some(first), Some(last)) = (scores.first(), scores.last()) else { return true };
        // A number that is not finite cannot stand between two that are and fall.
        let finite = first.is_finite() && last.is_finite();
        finite
            && match self.compatibility {
                HitOrder::Strict | HitOrder::Rank => {
                    scores.windows(2).all(|pair| matches!(pair, [left, right] if left > right))
                }
                HitOrder::TrecEval => {
                    scores.windows(2).all(|pair| matches!(pair, [left, right] if single(*left) > single(*right)))
                }
            }
    }

    fn sort(&self, block: &Block, hits: Range<usize>, ranks: Option<&Int64Array>) -> Result<Order, LoadError> {
        let compare = |left: &u32, right: &u32| self.compare(block, ranks, *left as usize, *right as usize);
        #[expect(clippy::cast_possible_truncation, reason = "arrays of text have fewer than 2^31 elements")]
        let mut places: Vec<u32> = hits.map(|hit| hit as u32).collect();
        if places.is_sorted_by(|left, right| compare(left, right).is_le()) {
            return Ok(Order::AsStored);
        }
        places.sort_by(compare);
        Ok(Order::Places(places))
    }

    fn compare(&self, block: &Block, ranks: Option<&Int64Array>, left: usize, right: usize) -> Ordering {
        let rank = |hit: usize| match (ranks, &block.rows) {
            (Some(ranks), _) => ranks.values().get(hit).copied().unwrap_or(0),
            // The hits of a list stand in the order of their ranks.
            (None, Rows::OfRuns(_)) => i64::try_from(hit).unwrap_or(i64::MAX),
            (None, _) => 0,
        };
        let by_rank = || rank(left).cmp(&rank(right));
        let (Some(left_score), Some(right_score)) = (score(block, left), score(block, right)) else {
            return by_rank();
        };
        // -0.0 and 0.0 are a tie.
        match self.compatibility {
            HitOrder::Strict | HitOrder::Rank => {
                let by_score = right_score.partial_cmp(&left_score).unwrap_or(Ordering::Equal);
                by_score.then_with(by_rank).then_with(|| block.items.value(left).cmp(block.items.value(right)))
            }
            HitOrder::TrecEval => {
                let by_score = single(right_score).partial_cmp(&single(left_score)).unwrap_or(Ordering::Equal);
                by_score.then_with(|| block.items.value(right).cmp(block.items.value(left)))
            }
        }
    }
}

/// Returns the score in single precision, in which `trec_eval` keeps scores.
#[expect(clippy::cast_possible_truncation, reason = "trec_eval keeps scores in single precision")]
pub(super) fn single(score: f64) -> f32 {
    score as f32
}

/// Returns whether no item, score or rank of the block is null.
fn is_whole(block: &Block) -> bool {
    let whole = |array: &dyn Array| array.null_count() == 0;
    let scores = block.scores.as_ref().is_none_or(|scores| whole(scores));
    let ranks = match &block.ranks {
        Ranks::Read(ranks) => whole(ranks),
        Ranks::Narrow(narrow) => whole(&narrow.ranks),
        Ranks::OfOrder | Ranks::Left(_) => true,
    };
    scores && ranks && whole(&block.items)
}

/// Returns whether hits have ranks alone, each above the one before, so that nothing else decides.
fn ranks_rise(block: &Block, hits: Range<usize>) -> bool {
    match (&block.scores, &block.ranks) {
        (None, Ranks::Read(ranks)) => ranks.values().get(hits).is_some_and(rise),
        (None, Ranks::Narrow(narrow)) => narrow.ranks.values().get(hits).is_some_and(rise),
        _ => false,
    }
}

fn rise<T: PartialOrd>(ranks: &[T]) -> bool {
    ranks.windows(2).all(|pair| matches!(pair, [left, right] if left < right))
}

/// Returns whether hits have nothing but their order.
fn is_a_list(block: &Block) -> bool {
    matches!((&block.scores, &block.ranks, &block.rows), (None, Ranks::OfOrder, Rows::OfRuns(_)))
}

fn score(block: &Block, hit: usize) -> Option<f64> {
    let value = |scores: &Float64Array| scores.is_valid(hit).then(|| scores.value(hit));
    block.scores.as_ref().and_then(value)
}

/// Refuses the first hit without an item or a rank, or with a score that is no finite number.
fn check_hits(
    path: &Path,
    item_name: &str,
    block: &Block,
    run: usize,
    ranks: Option<&Int64Array>,
) -> Result<(), LoadError> {
    for hit in block.bounds.get(run).cloned().unwrap_or_default() {
        let reason = if block.items.is_null(hit) {
            format!("`{item_name}` is null")
        } else if ranks.is_some_and(|ranks| ranks.is_null(hit)) {
            "no rank, expected a whole number".to_owned()
        } else if let Some(score) = score(block, hit).filter(|score| !score.is_finite()) {
            format!("score `{score}`, expected a finite number")
        } else {
            continue;
        };
        return Err(LoadError::Row { path: path.to_owned(), row: block.row(run, hit), reason });
    }
    Ok(())
}

/// Refuses the first hit of an item that the session has already.
fn check_repeats(path: &Path, block: &Block, run: usize) -> Result<(), LoadError> {
    let hits = block.bounds.get(run).cloned().unwrap_or_default();
    let mut by_item: Vec<(&str, u64)> = hits.map(|hit| (block.items.value(hit), block.row(run, hit))).collect();
    by_item.sort_unstable();
    let repeats = by_item.iter().zip(by_item.iter().skip(1)).filter(|((item, _), (next, _))| item == next);
    let earliest = repeats.map(|((item, first), (_, row))| (*row, *first, *item)).min();
    match earliest {
        Some((row, first, item)) => Err(LoadError::Duplicate {
            path: path.to_owned(),
            row,
            what: "session and item",
            id: format!("{} {item}", session_id(&block.ids, run)),
            first,
        }),
        None => Ok(()),
    }
}

/// Refuses a ranking in which only some hits have a score: it has no order.
fn check_scores(path: &Path, block: &Block, run: usize) -> Result<(), LoadError> {
    let hits = block.bounds.get(run).cloned().unwrap_or_default();
    let without = hits.clone().find(|hit| score(block, *hit).is_none());
    match without {
        Some(hit) if hits.clone().any(|hit| score(block, hit).is_some()) => Err(LoadError::Row {
            path: path.to_owned(),
            row: block.row(run, hit),
            reason: format!("item `{}` has no score, but other items of the session have one", block.items.value(hit)),
        }),
        _ => Ok(()),
    }
}

fn session_id(ids: &StringArray, run: usize) -> &str {
    if run < ids.len() { ids.value(run) } else { "" }
}
