//! What becomes of hits that a re-ranker leaves out.

use std::collections::HashSet;

use crate::session::Hit;

/// Returns the hits that a re-ranker named, and behind them those that it was given and left out: in their order, without
/// scores, since theirs were made by another measure.
pub(super) fn with_the_rest(given: &[Hit], mut named: Vec<Hit>) -> Vec<Hit> {
    let known: HashSet<String> = named.iter().map(|hit| hit.item_id.clone()).collect();
    let rest = given.iter().filter(|hit| !known.contains(&hit.item_id));
    named.extend(rest.map(|hit| Hit { item_id: hit.item_id.clone(), score: None }));
    named
}
