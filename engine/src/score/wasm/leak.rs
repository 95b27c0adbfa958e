//! Whether a session's score depends on other sessions: a few of every chunk are scored again alone.

use super::calls::Scored;
use crate::score::{Case, ScoreOutcome};

/// Picks sessions of a chunk that are scored again: by a hash of their ids and retrievers, so that they are the same ones
/// every time, among those that were not alone already.
pub(super) fn suspects<'a, 'c>(
    cases: &'a [Case<'c>],
    scored: &'a [Scored],
    count: usize,
) -> Vec<(&'a Case<'c>, &'a ScoreOutcome)> {
    let key = |case: &Case<'_>| hash([case.session.session_id.as_bytes(), case.ranking.retriever_id.as_bytes()]);
    let mut found: Vec<_> = cases.iter().zip(scored).filter(|(_, scored)| !scored.alone).collect();
    if count < found.len() {
        found.select_nth_unstable_by_key(count, |(case, _)| key(case));
        found.truncate(count);
    }
    found.into_iter().map(|(case, scored)| (case, &scored.outcome)).collect()
}

/// Compares what was found in a batch with what was found alone, bit by bit; the error says in words how they differ
/// and what to do.
pub(super) fn compare(case: &Case<'_>, found: &ScoreOutcome, alone: &ScoreOutcome) -> Result<(), String> {
    if found.same_bits(alone) {
        return Ok(());
    }
    Err(format!(
        "session `{}` has another score among others than alone: {}, alone {}; a score must not depend on other sessions; \
         mend the scorer, or set `batch = 1`, so that no session sees another",
        case.session.session_id,
        found.in_words(),
        alone.in_words()
    ))
}

/// FNV-1a (Fowler, Noll and Vo), finished as SplitMix64 does, over texts that each end with a byte that no text has.
fn hash<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let bytes = texts.into_iter().flat_map(|text| text.iter().copied().chain([0xff]));
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^ (hash >> 31)
}
