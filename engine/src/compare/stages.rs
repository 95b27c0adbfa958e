//! What each stage of a retriever did: how often it was asked, failed, was passed over, or needed a second attempt.

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::{Float64Type, Int64Type};
use rematch_metrics::sum::CompensatedSum;
use serde::{Deserialize, Serialize};

use super::chunk::ArmChunk;
use super::columns::{Damaged, as_numbers, field, list, texts};
use super::outcome::StageSummary;
use super::touched::structs;
use crate::rows::list_range;
use crate::schema::column;
use crate::session::StageState;

/// The stages of one arm, in the order in which they ran first.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct StageTallies(Vec<StageTally>);

/// One stage under way.
#[derive(Serialize, Deserialize)]
struct StageTally {
    /// All but the mean recall.
    counts: StageSummary,
    recall: CompensatedSum,
}

impl StageTallies {
    /// Reads a chunk's stages.
    pub(super) fn of(arm: &ArmChunk) -> Result<Self, Damaged> {
        let stages = list(&arm.batch, column::STAGES)?;
        let stage = structs(stages, column::STAGES)?;
        let text = |name| texts(field(stage, name)?, name);
        let (names, kinds, states) = (text(column::NAME)?, text(column::KIND)?, text(column::STATE)?);
        let errors = text(column::ERROR)?;
        let attempts = as_numbers::<Int64Type>(field(stage, column::ATTEMPTS)?, column::ATTEMPTS)?;
        let recalls = as_numbers::<Float64Type>(field(stage, column::RECALL)?, column::RECALL)?;
        let mut found = Self::default();
        for row in 0..stages.len() {
            for (place, index) in list_range(stages, row).enumerate() {
                let state = StageState::parse(states.value(index));
                let state = state.ok_or_else(|| format!("unknown stage state `{}`", states.value(index)))?;
                let error = errors.is_valid(index).then(|| errors.value(index));
                let tally = found.at(names.value(index), kinds.value(index), place);
                tally.counts.add(state, attempts.value(index), error);
                if recalls.is_valid(index) {
                    tally.counts.recall_sessions += 1;
                    tally.recall.add(recalls.value(index));
                }
            }
        }
        Ok(found)
    }

    /// Adds the chunk that follows.
    pub(super) fn merge(&mut self, other: Self) {
        for (place, theirs) in other.0.into_iter().enumerate() {
            let ours = self.at(&theirs.counts.name, &theirs.counts.kind, place);
            ours.counts.merge(theirs.counts);
            ours.recall.merge(theirs.recall);
        }
    }

    pub(super) fn summaries(&self) -> Vec<StageSummary> {
        let summary = |tally: &StageTally| {
            let sessions = tally.counts.recall_sessions;
            let recall = (sessions > 0).then(|| tally.recall.total() / sessions as f64);
            StageSummary { recall, ..tally.counts.clone() }
        };
        self.0.iter().map(summary).collect()
    }

    /// Returns the stage of that name, which is looked for at its usual place first.
    fn at(&mut self, name: &str, kind: &str, place: usize) -> &mut StageTally {
        let is_it = |stage: &StageTally| stage.counts.name == name;
        let place = if self.0.get(place).is_some_and(is_it) { Some(place) } else { self.0.iter().position(is_it) };
        let place = place.unwrap_or_else(|| {
            let counts = StageSummary { name: name.to_owned(), kind: kind.to_owned(), ..StageSummary::default() };
            self.0.push(StageTally { counts, recall: CompensatedSum::default() });
            self.0.len() - 1
        });
        &mut self.0[place]
    }
}

impl StageSummary {
    fn add(&mut self, state: StageState, attempts: i64, error: Option<&str>) {
        self.sessions += 1;
        self.attempts += u64::try_from(attempts).unwrap_or(0);
        self.retried += u64::from(attempts > 1);
        let count = match state {
            StageState::Ok => None,
            StageState::Skipped => Some(&mut self.skipped),
            StageState::Failed => Some(&mut self.failed),
            StageState::Cached => Some(&mut self.cached),
            StageState::Shared => Some(&mut self.shared),
            StageState::Batched => Some(&mut self.batched),
            StageState::Reported => Some(&mut self.reported),
        };
        if let Some(count) = count {
            *count += 1;
        }
        if let Some(error) = error {
            self.first_error.get_or_insert_with(|| error.to_owned());
        }
    }

    fn merge(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.attempts += other.attempts;
        self.retried += other.retried;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.cached += other.cached;
        self.shared += other.shared;
        self.batched += other.batched;
        self.reported += other.reported;
        self.recall_sessions += other.recall_sessions;
        self.first_error = self.first_error.take().or(other.first_error);
    }
}
