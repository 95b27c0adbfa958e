//! What should be judged next? The unjudged items that could change the primary metric's difference most.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use datafusion::arrow::array::{Array as _, RecordBatch, StringArray};

use super::bounds::max_grade;
use super::read::JudgedChunk;
use super::what_if::WhatIf;
use crate::benchmark::Plan;
use crate::compare::columns::{Damaged, field, list, text_column, texts};
use crate::compare::fold::in_order;
use crate::compare::tables::part;
use crate::compare::touched::structs;
use crate::rows::list_range;
use crate::schema::column;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// An unjudged item that could change the difference between a candidate and the baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeNext {
    /// The candidate's number among the plan's retrievers.
    pub candidate: usize,
    /// The session.
    pub session_id: String,
    /// Its query, where it has one.
    pub query: Option<String>,
    /// The item.
    pub item_id: String,
    /// Its rank from 1 in the baseline's top k; `None` where it is not there.
    pub baseline_rank: Option<u32>,
    /// Its rank in the candidate's.
    pub candidate_rank: Option<u32>,
    /// The grade that is supposed: the highest of the sample.
    pub grade: f64,
    /// How the session's difference, candidate - baseline, would change.
    pub session_change: f64,
    /// How the mean difference would change.
    pub mean_change: f64,
}

/// A potential that is not yet named.
#[derive(Debug, Clone, Copy)]
struct Place {
    chunk: usize,
    row: usize,
    /// Ranks from 0 in the baseline's and the candidate's list.
    ranks: [Option<usize>; 2],
    change: f64,
}

/// The best places of one candidate, at most `most` of them.
#[derive(Default)]
struct Best {
    places: Vec<Place>,
    sessions: u64,
}

impl Best {
    /// Keeps the `most` places with the largest changes, of equal ones the first.
    fn keep(&mut self, most: usize) {
        self.places.sort_by(|one, other| other.change.abs().total_cmp(&one.change.abs()));
        self.places.truncate(most);
    }
}

/// Returns, for each candidate, the `most` unjudged items of both top k that would change the session's difference of the
/// primary metric most, if they had the highest grade: the largest changes first, of equal ones the first session's.
///
/// Nothing where no session has judgments, none gives a positive grade, or the primary metric looks deeper than items are
/// known ([`Plan::list_depth`]). Hits are only read of the chunks that such an item is in; memory grows with `most` alone.
///
/// # Errors
///
/// Returns an error when the run's tables cannot be read or do not belong together.
pub fn judge_next(
    plan: &Plan,
    run: &RunDirectory,
    most: NonZeroUsize,
    threads: NonZeroUsize,
) -> Result<Vec<JudgeNext>, StoreError> {
    let sample = run.sample()?;
    let Some(grade) = max_grade(run, &sample, threads)?.filter(|grade| WhatIf::new(plan, *grade).is_some()) else {
        return Ok(Vec::new());
    };
    let candidates = 1..plan.pipelines.len().max(1);
    let mut best: Vec<Best> = candidates.clone().map(|_| Best::default()).collect();
    let find = |index: usize| {
        let chunk = JudgedChunk::read(plan, run, &sample, index)?;
        let Some(mut what_if) = WhatIf::new(plan, grade) else { return Ok(Vec::new()) };
        let of = |arm: usize| best_of(&chunk, index, arm, &mut what_if, most);
        Ok::<_, StoreError>(candidates.clone().map(of).collect::<Vec<Best>>())
    };
    in_order(sample.groups(), threads, find, |_, found| {
        for (ours, theirs) in best.iter_mut().zip(found) {
            ours.sessions += theirs.sessions;
            ours.places.extend(theirs.places);
            ours.keep(most.get());
        }
        Ok(())
    })?;
    let mut named = Vec::new();
    for (candidate, best) in candidates.zip(&best) {
        named.extend(name(run, &sample, candidate, best, grade)?);
    }
    Ok(named)
}

fn best_of(chunk: &JudgedChunk, index: usize, arm: usize, what_if: &mut WhatIf, most: NonZeroUsize) -> Best {
    let mut best = Best::default();
    chunk.each_pair(arm, what_if.cutoff(), |row, session, lists| {
        let Some(range) = what_if.look(session, lists) else { return };
        best.sessions += 1;
        if range.unjudged == 0 {
            return;
        }
        for potential in what_if.potentials().iter().filter(|potential| potential.change != 0.0) {
            let ranks = [potential.item.first, potential.item.second].map(|rank| rank.map(usize::from));
            best.places.push(Place { chunk: index, row, ranks, change: potential.change });
        }
        // Sorted now and then: memory stays at a few times what is kept.
        if best.places.len() > 4 * most.get() {
            best.keep(most.get());
        }
    });
    best.keep(most.get());
    best
}

/// Gives the best places of a candidate the ids that the tables have there.
fn name(
    run: &RunDirectory,
    sample: &TableReader,
    candidate: usize,
    best: &Best,
    grade: f64,
) -> Result<Vec<JudgeNext>, StoreError> {
    let mut by_chunk: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, place) in best.places.iter().enumerate() {
        by_chunk.entry(place.chunk).or_default().push(index);
    }
    let mut named: Vec<(usize, JudgeNext)> = Vec::new();
    for (chunk, places) in by_chunk {
        let sessions = sample.group_columns(chunk, &[column::SESSION_ID, column::QUERY])?;
        let hits = |arm: usize| part(run, arm, chunk, &[column::HITS], sessions.num_rows());
        let tables = Tables { sessions: &sessions, hits: [hits(0)?, hits(candidate)?] };
        for index in places {
            let Some(place) = best.places.get(index) else { continue };
            let damaged = |error: Damaged| StoreError::table(&run.path(layout::part(candidate, chunk)), error);
            let [baseline_rank, candidate_rank] = place.ranks.map(|rank| u32::try_from(rank? + 1).ok());
            let texts = tables.texts(place).map_err(damaged)?;
            named.push((
                index,
                JudgeNext {
                    candidate,
                    session_id: texts.session_id,
                    query: texts.query,
                    item_id: texts.item_id,
                    baseline_rank,
                    candidate_rank,
                    grade,
                    session_change: place.change,
                    mean_change: place.change / best.sessions as f64,
                },
            ));
        }
    }
    named.sort_by_key(|(index, _)| *index);
    Ok(named.into_iter().map(|(_, named)| named).collect())
}

/// The texts of one chunk.
struct Tables<'a> {
    sessions: &'a RecordBatch,
    /// The baseline's and the candidate's.
    hits: [RecordBatch; 2],
}

struct Texts {
    session_id: String,
    query: Option<String>,
    item_id: String,
}

impl Tables<'_> {
    fn texts(&self, place: &Place) -> Result<Texts, Damaged> {
        let text = |name: &str| -> Result<Option<String>, Damaged> {
            let column: &StringArray = text_column(self.sessions, name)?;
            let there = place.row < column.len() && column.is_valid(place.row);
            Ok(there.then(|| column.value(place.row).to_owned()))
        };
        let missing = || -> Damaged { "a ranking has fewer hits than its column of top items says".into() };
        let found = self.hits.iter().zip(place.ranks).find_map(|(hits, rank)| Some((hits, rank?)));
        let (hits, rank) = found.ok_or_else(missing)?;
        let lists = list(hits, column::HITS)?;
        let items = texts(field(structs(lists, column::HITS)?, column::ITEM_ID)?, column::ITEM_ID)?;
        let hit = list_range(lists, place.row).nth(rank).ok_or_else(missing)?;
        Ok(Texts {
            session_id: text(column::SESSION_ID)?.unwrap_or_default(),
            query: text(column::QUERY)?,
            item_id: items.value(hit).to_owned(),
        })
    }
}
