//! Which searches were lost and won most? The largest differences of the primary measure, in lists that are bounded and merge.
//!
//! Nothing but a comparison with the least of the list is done for nearly every session. Sessions are numbered as the sample
//! has them, so that the same ones are told of whatever the chunks, threads and machines; who they are is read in the end.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::Array;
use serde::{Deserialize, Serialize};

use super::chunk::Chunk;
use super::columns::{Damaged, text_column};
use super::outcome::{LargestChanges, SessionChange};
use super::question::Question;
use super::tally::Tally;
use crate::schema::column;
use crate::store::{StoreError, TableReader};

/// Sessions that are told of in each direction.
pub(super) const MOST: usize = 10;

/// The largest differences of one candidate: at most [`MOST`] above and below 0. Which of them are losses, the measure knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct LargestTally {
    rises: Vec<Change>,
    falls: Vec<Change>,
}

/// The primary measure's values in one session.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Change {
    /// The session's number among those that are summed up.
    session: u64,
    baseline: f64,
    candidate: f64,
}

impl Change {
    fn delta(self) -> f64 {
        self.candidate - self.baseline
    }

    /// Whether it comes before another one of its direction: the larger, of equals the one that the sample has first.
    fn is_before(self, other: Self) -> bool {
        let (size, of_other) = (self.delta().abs(), other.delta().abs());
        size > of_other || (size == of_other && self.session < other.session)
    }
}

impl LargestTally {
    /// Looks at the pairs of a chunk. What the noise threshold makes a tie is no change.
    pub(super) fn of(question: &Question<'_>, chunk: &Chunk, candidate: usize) -> Self {
        let values = |arm: usize| chunk.arms.get(arm)?.measures.get(question.primary);
        let mut found = Self::default();
        let (Some(baseline), Some(new)) = (values(0), values(candidate)) else { return found };
        let noise = question.plan.noise_threshold;
        let (mut least_rise, mut least_fall) = (noise, noise);
        for (row, (old, new_value)) in baseline.values().iter().zip(new.values()).enumerate() {
            let delta = new_value - old;
            let (list, least) = match delta {
                _ if delta > least_rise => (&mut found.rises, &mut least_rise),
                _ if -delta > least_fall => (&mut found.falls, &mut least_fall),
                _ => continue,
            };
            // What stands at a place without a value means nothing.
            if baseline.is_valid(row) && new.is_valid(row) {
                keep(list, Change { session: row as u64, baseline: *old, candidate: *new_value });
                if let Some(last) = list.get(MOST - 1) {
                    *least = last.delta().abs();
                }
            }
        }
        found
    }

    /// Adds those of the sessions that follow, of which `before` were summed up here.
    pub(super) fn merge(&mut self, other: Self, before: u64) {
        for (ours, theirs) in [(&mut self.rises, other.rises), (&mut self.falls, other.falls)] {
            for change in theirs {
                keep(ours, Change { session: before + change.session, ..change });
            }
        }
    }

    fn sessions(&self) -> impl Iterator<Item = u64> {
        self.rises.iter().chain(&self.falls).map(|change| change.session)
    }
}

/// Puts a change into its place, and drops what then is one too many.
fn keep(list: &mut Vec<Change>, change: Change) {
    let place = list.partition_point(|held| held.is_before(change));
    if place < MOST {
        list.truncate(MOST - 1);
        list.insert(place, change);
    }
}

/// Who the sessions are that changed most, by their numbers in the sample.
#[derive(Default)]
pub(super) struct Searches(BTreeMap<u64, Search>);

struct Search {
    session_id: String,
    query: Option<String>,
}

impl Searches {
    /// Reads the sessions that are told of, and no other columns than those that are shown.
    pub(super) fn read(tally: &Tally, sample: &TableReader) -> Result<Self, StoreError> {
        let mut wanted: BTreeSet<u64> = tally.largest.iter().flat_map(LargestTally::sessions).collect();
        let mut found = Self::default();
        let mut start = 0;
        for chunk in 0..sample.groups() {
            let end = start + sample.group_rows(chunk);
            let later = wanted.split_off(&end);
            if !wanted.is_empty() {
                found.add(sample, chunk, start, &wanted)?;
            }
            (start, wanted) = (end, later);
        }
        Ok(found)
    }

    fn add(
        &mut self,
        sample: &TableReader,
        chunk: usize,
        start: u64,
        wanted: &BTreeSet<u64>,
    ) -> Result<(), StoreError> {
        let batch = sample.group_columns(chunk, &[column::SESSION_ID, column::QUERY])?;
        let damaged = |error: Damaged| StoreError::table(sample.path(), error);
        let ids = text_column(&batch, column::SESSION_ID).map_err(damaged)?;
        let queries = text_column(&batch, column::QUERY).map_err(damaged)?;
        for number in wanted {
            let row = usize::try_from(number - start).unwrap_or(usize::MAX);
            if row < ids.len() {
                let query = queries.is_valid(row).then(|| queries.value(row).to_owned());
                self.0.insert(*number, Search { session_id: ids.value(row).to_owned(), query });
            }
        }
        Ok(())
    }
}

/// Returns the largest changes of a candidate in the report's words.
pub(super) fn summarise(question: &Question<'_>, found: &LargestTally, searches: &Searches) -> LargestChanges {
    let told = |list: &[Change]| -> Vec<SessionChange> {
        list.iter().filter_map(|change| searches.0.get(&change.session).map(|search| search.told(*change))).collect()
    };
    let (rises, falls) = (told(&found.rises), told(&found.falls));
    let higher_is_better = question.measures.get(question.primary).is_none_or(|measure| measure.higher_is_better);
    let (gains, losses) = if higher_is_better { (rises, falls) } else { (falls, rises) };
    LargestChanges { metric: question.plan.primary.clone(), losses, gains }
}

impl Search {
    fn told(&self, change: Change) -> SessionChange {
        SessionChange {
            session_id: self.session_id.clone(),
            query: self.query.clone(),
            baseline: change.baseline,
            candidate: change.candidate,
            // A scorer's values may lie further apart than a number can say, and JSON has no infinity.
            delta: change.delta().clamp(-f64::MAX, f64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change(session: u64, baseline: f64, candidate: f64) -> Change {
        Change { session, baseline, candidate }
    }

    /// The changes of a run of sessions, each without a look at the others.
    fn tally(pairs: &[(f64, f64)]) -> LargestTally {
        let mut found = LargestTally::default();
        for (session, (baseline, candidate)) in (0..).zip(pairs) {
            let one = change(0, *baseline, *candidate);
            let mut alone = LargestTally::default();
            match one.delta() {
                delta if delta > 0.0 => alone.rises.push(one),
                delta if delta < 0.0 => alone.falls.push(one),
                _ => {}
            }
            found.merge(alone, session);
        }
        found
    }

    fn sorted(pairs: &[(f64, f64)], sign: f64) -> Vec<Change> {
        let all = (0..).zip(pairs).map(|(session, (baseline, candidate))| change(session, *baseline, *candidate));
        let mut changed: Vec<Change> = all.filter(|one| sign * one.delta() > 0.0).collect();
        // A stable sort leaves equals as the sample has them.
        changed.sort_by(|one, other| (sign * other.delta()).total_cmp(&(sign * one.delta())));
        changed.truncate(MOST);
        changed
    }

    #[test]
    fn of_equal_changes_the_first_sessions_are_kept() {
        let found = tally(&[(1.0, 0.5); 2 * MOST]);
        assert_eq!(found.sessions().collect::<Vec<_>>(), (0..MOST as u64).collect::<Vec<_>>());
        let mut reversed = Vec::new();
        (0..2 * MOST as u64).rev().for_each(|session| keep(&mut reversed, change(session, 1.0, 0.5)));
        assert_eq!(reversed, found.falls);
        assert_eq!(found.rises, []);
    }

    #[test]
    fn a_difference_that_no_number_says_is_the_largest_one_and_still_json() {
        let found = tally(&[(1.0, 0.0), (f64::MAX, -f64::MAX), (0.0, 1e300)]);
        assert_eq!(found.falls.iter().map(|one| one.session).collect::<Vec<_>>(), [1, 0]);
        let search = Search { session_id: "s".to_owned(), query: None };
        assert_eq!(search.told(found.falls[0]).delta, -f64::MAX);
        let text = serde_json::to_string(&found).expect("JSON");
        assert_eq!(serde_json::from_str::<LargestTally>(&text).expect("a tally"), found);
    }

    proptest! {
        #[test]
        fn merged_in_any_groups_they_are_what_sorting_all_gives(
            // Few values, so that many differences are alike.
            pairs in prop::collection::vec((0_u8..5, 0_u8..5), 0..120),
            cuts in prop::collection::vec(0_usize..120, 0..6),
            nested in any::<bool>(),
        ) {
            let pairs: Vec<(f64, f64)> =
                pairs.into_iter().map(|(old, new)| (f64::from(old) / 4.0, f64::from(new) / 4.0)).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(pairs.len())).collect();
            cuts.extend([0, pairs.len()]);
            cuts.sort_unstable();
            let mut groups: Vec<(LargestTally, u64)> =
                cuts.windows(2).map(|cut| (tally(&pairs[cut[0]..cut[1]]), (cut[1] - cut[0]) as u64)).collect();
            if nested {
                // The last ones first: what is merged is itself merged.
                while groups.len() > 1 {
                    let (last, rows) = groups.pop().expect("two");
                    let (first, before) = groups.last_mut().expect("one");
                    first.merge(last, *before);
                    *before += rows;
                }
            }
            let (mut found, mut before) = (LargestTally::default(), 0);
            for (group, rows) in groups {
                found.merge(group, before);
                before += rows;
            }
            prop_assert_eq!(found.rises, sorted(&pairs, 1.0));
            prop_assert_eq!(found.falls, sorted(&pairs, -1.0));
        }
    }
}
