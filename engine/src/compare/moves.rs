//! Where did the items that users acted on go? The pooled moves as categories, and their median beside the mean.

use rematch_metrics::position::MoveDistribution;

use super::chunk::Chunk;
use super::outcome::PositionMoves;
use super::question::Question;

/// Returns where the touched items of a chunk went from the baseline's ranking to a candidate's: those that
/// [`super::tally::Positions`] sums up too, by how far. Nothing is recorded where either failed.
pub(super) fn moves(question: &Question<'_>, chunk: &Chunk, candidate: usize) -> MoveDistribution {
    let mut found = MoveDistribution::default();
    let (Some(baseline), Some(new)) = (chunk.arms.first(), chunk.arms.get(candidate)) else { return found };
    for (number, session) in chunk.touched.iter().enumerate() {
        if baseline.has_failed(session.row) || new.has_failed(session.row) {
            continue;
        }
        for (index, _) in session.items.iter().enumerate().filter(|(_, item)| item.interesting) {
            found.record(new.rank(number, index), baseline.rank(number, index), question.plan.depth);
        }
    }
    found
}

/// Returns the moves of a candidate in the report's words.
pub(super) fn summarise(question: &Question<'_>, moves: &MoveDistribution) -> PositionMoves {
    PositionMoves {
        depth: question.plan.depth.get() as u64,
        items: moves.items(),
        up: moves.up,
        down: moves.down,
        same: moves.same,
        entered: moves.entered,
        left: moves.left,
        absent: moves.missing_from_both,
        censored_share: moves.censored_share(),
        mean_delta: moves.mean_delta(),
        median_delta: moves.median_delta(),
    }
}
