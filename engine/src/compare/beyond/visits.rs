//! What visits voted for: PaulScore. An item that was clicked for one search of a visit counts wherever another one shows it.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

use datafusion::arrow::array::{Array as _, StringArray};
use rematch_metrics::Proportion;
use rematch_metrics::recommendation::query_score;
use rematch_metrics::sum::mean;

use super::lists::Tops;
use crate::benchmark::ListsPlan;
use crate::compare::columns::{Damaged, field, list, text_column, texts};
use crate::compare::fold::in_order;
use crate::compare::outcome::PaulScore;
use crate::compare::touched::structs;
use crate::rows::{item_key, list_range};
use crate::schema::column;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// Sessions up to which votes are held in memory, some hundred bytes each.
const MOST_SESSIONS: u64 = 5_000_000;

/// The kind of act that is a vote.
const VOTE: &str = "click";

/// The votes of each visit. A visit is known by the key of its id, a session that names none by its own.
pub(super) struct Votes {
    factor: Proportion,
    /// The keys of the items that were clicked, ascending; of visits with a click.
    by_visit: HashMap<u64, Vec<u64>>,
    too_many: bool,
}

/// The scores of each visit's searches, by arm: their sum and number.
pub(super) struct VisitScores {
    by_arm: Vec<BTreeMap<u64, (f64, u64)>>,
}

/// The scores of a chunk's searches: arm, visit, score.
pub(super) type Scores = Vec<(usize, u64, f64)>;

impl Votes {
    /// Reads the votes of a run.
    pub(super) fn read(
        plan: &ListsPlan,
        run: &RunDirectory,
        sample: &TableReader,
        threads: NonZeroUsize,
    ) -> Result<Self, StoreError> {
        let factor = plan.paul_factor;
        let mut found = Self { factor, by_visit: HashMap::new(), too_many: false };
        if sample.rows() > MOST_SESSIONS {
            found.too_many = true;
            return Ok(found);
        }
        in_order(
            sample.groups(),
            threads,
            |index| votes(run, sample, index),
            |_, votes| {
                for (visit, item) in votes {
                    found.by_visit.entry(visit).or_default().push(item);
                }
                Ok::<_, StoreError>(())
            },
        )?;
        for votes in found.by_visit.values_mut() {
            votes.sort_unstable();
            votes.dedup();
        }
        Ok(found)
    }

    /// Returns the scores of a chunk's answered searches, of visits with a vote.
    pub(super) fn scores(
        &self,
        tops: &[Tops],
        run: &RunDirectory,
        sample: &TableReader,
        chunk: usize,
    ) -> Result<Scores, StoreError> {
        let mut found = Scores::new();
        if self.by_visit.is_empty() {
            return Ok(found);
        }
        for (row, visit) in visits(run, sample, chunk)?.into_iter().enumerate() {
            let Some(votes) = self.by_visit.get(&visit) else { continue };
            for (arm, tops) in tops.iter().enumerate() {
                if let Some(Some(top)) = tops.rows.get(row) {
                    let clicked = top.iter().map(|key| votes.binary_search(key).is_ok());
                    found.push((arm, visit, query_score(clicked, self.factor)));
                }
            }
        }
        Ok(found)
    }

    /// Returns the score of an arm; `None` where no visit has a click.
    pub(super) fn summarise(&self, scores: &VisitScores, arm: usize) -> Option<PaulScore> {
        if self.too_many {
            let why = format!("the run has more than {MOST_SESSIONS} sessions, whose visits would fill the memory");
            return Some(PaulScore { factor: self.factor.get(), not_computed: Some(why), ..PaulScore::default() });
        }
        let means: Vec<f64> = scores.by_arm.get(arm)?.values().map(|(sum, searches)| sum / *searches as f64).collect();
        (!self.by_visit.is_empty()).then(|| PaulScore {
            factor: self.factor.get(),
            visits: means.len() as u64,
            score: mean(&means),
            not_computed: None,
        })
    }
}

impl VisitScores {
    pub(super) fn new(arms: usize) -> Self {
        Self { by_arm: vec![BTreeMap::new(); arms] }
    }

    /// Adds the scores of the chunk that follows.
    pub(super) fn add(&mut self, scores: Scores) {
        for (arm, visit, score) in scores {
            if let Some(visits) = self.by_arm.get_mut(arm) {
                let (sum, searches) = visits.entry(visit).or_default();
                *sum += score;
                *searches += 1;
            }
        }
    }
}

/// The clicks of a chunk: visit and item.
fn votes(run: &RunDirectory, sample: &TableReader, chunk: usize) -> Result<Vec<(u64, u64)>, StoreError> {
    let batch = sample.group_columns(chunk, &[column::INTERACTIONS])?;
    let visits = visits(run, sample, chunk)?;
    let read = || {
        let acts = list(&batch, column::INTERACTIONS)?;
        let act = structs(acts, column::INTERACTIONS)?;
        let items = texts(field(act, column::ITEM_ID)?, column::ITEM_ID)?;
        let kinds = texts(field(act, column::KIND)?, column::KIND)?;
        let mut found = Vec::new();
        for (row, visit) in visits.iter().enumerate() {
            let clicks = list_range(acts, row).filter(|act| kinds.value(*act) == VOTE);
            found.extend(clicks.map(|act| (*visit, item_key(items.value(act)))));
        }
        Ok(found)
    };
    read().map_err(|error: Damaged| StoreError::table(&run.path(layout::SESSIONS), error))
}

/// The visit of each session of a chunk.
fn visits(run: &RunDirectory, sample: &TableReader, chunk: usize) -> Result<Vec<u64>, StoreError> {
    let batch = sample.group_columns(chunk, &[column::SESSION_ID, column::VISIT_ID])?;
    let read = || {
        let (ids, visits) = (text_column(&batch, column::SESSION_ID)?, text_column(&batch, column::VISIT_ID)?);
        let named = |visits: &StringArray, row: usize| visits.is_valid(row) && !visits.value(row).trim().is_empty();
        let visit = |row: usize| match named(visits, row) {
            true => item_key(&format!("visit {}", visits.value(row))),
            false => item_key(&format!("session {}", ids.value(row))),
        };
        Ok((0..batch.num_rows()).map(visit).collect())
    };
    read().map_err(|error: Damaged| StoreError::table(&run.path(layout::SESSIONS), error))
}
