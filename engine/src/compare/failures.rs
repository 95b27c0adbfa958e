//! Sessions that a scorer failed on, and sessions that have no pair, by reason.

use std::collections::BTreeMap;

use datafusion::arrow::array::Array;
use serde::{Deserialize, Serialize};

use super::chunk::{ArmChunk, Chunk};
use super::columns::{Damaged, field, list, text_column, texts};
use super::question::Question;
use super::tally::ArmTally;
use super::touched::structs;
use crate::rows::list_range;
use crate::schema::column;
use crate::score::MeasureKind;
use crate::session::ScoreState;

/// How one scorer fared with one arm.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct ScorerTally {
    pub(super) complete: u64,
    pub(super) errors: u64,
    pub(super) unknown: u64,
    pub(super) first_error: Option<String>,
    /// The rows of a chunk that it failed on, ascending; nothing over several chunks.
    #[serde(skip)]
    pub(super) failed: Vec<usize>,
}

impl ScorerTally {
    /// Reads how each scorer of the contract fared in a chunk.
    pub(super) fn of(question: &Question<'_>, arm: &ArmChunk) -> Result<Vec<Self>, Damaged> {
        let sessions = text_column(&arm.batch, column::SESSION_ID)?;
        let scorers = list(&arm.batch, column::SCORERS)?;
        let results = structs(scorers, column::SCORERS)?;
        let states = texts(field(results, column::STATE)?, column::STATE)?;
        let outputs = texts(field(results, column::OUTPUT)?, column::OUTPUT)?;
        let mut found: Vec<Self> = question.scorers.iter().map(|_| Self::default()).collect();
        for row in 0..scorers.len() {
            for (tally, index) in found.iter_mut().zip(list_range(scorers, row)) {
                match ScoreState::parse(states.value(index)) {
                    Some(ScoreState::Complete) => tally.complete += 1,
                    Some(ScoreState::Unknown) => tally.unknown += 1,
                    Some(ScoreState::Error) => {
                        tally.errors += 1;
                        tally.failed.push(row);
                        let output = || format!("session `{}`: {}", sessions.value(row), outputs.value(index));
                        tally.first_error.get_or_insert_with(output);
                    }
                    None => return Err(format!("unknown scorer state `{}`", states.value(index)).into()),
                }
            }
        }
        Ok(found)
    }

    /// Adds the chunk that follows.
    pub(super) fn merge(&mut self, other: Self) {
        self.complete += other.complete;
        self.errors += other.errors;
        self.unknown += other.unknown;
        self.first_error = self.first_error.take().or(other.first_error);
        self.failed = Vec::new();
    }
}

/// The sessions of one candidate and measure that have no pair, by reason, and the pairs that stand on an error.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct DroppedTally {
    both_failed: u64,
    baseline_failed: u64,
    candidate_failed: u64,
    scorer_failed: u64,
    metric_undefined: u64,
    pub(super) errors_as_zero: u64,
}

impl DroppedTally {
    pub(super) fn of(
        question: &Question<'_>,
        chunk: &Chunk,
        tallies: &[ArmTally],
        candidate: usize,
        measure: usize,
    ) -> Self {
        let mut found = Self::default();
        let (Some(baseline), Some(new)) = (chunk.arms.first(), chunk.arms.get(candidate)) else { return found };
        let failures = scorer_failures(question, tallies, candidate, measure);
        let complete = |arm: &ArmChunk| {
            !arm.any_failed && arm.measures.get(measure).is_some_and(|values| values.null_count() == 0)
        };
        if failures.is_empty() && complete(baseline) && complete(new) {
            return found;
        }
        for row in 0..chunk.rows {
            let scorer_failed = || failures.iter().any(|failed| failed.binary_search(&row).is_ok());
            let paired = baseline.value(measure, row).is_some() && new.value(measure, row).is_some();
            found.errors_as_zero += u64::from(paired && scorer_failed());
            let counter = match (baseline.has_failed(row), new.has_failed(row)) {
                (true, true) => &mut found.both_failed,
                (true, false) => &mut found.baseline_failed,
                (false, true) => &mut found.candidate_failed,
                (false, false) if paired => continue,
                (false, false) if scorer_failed() => &mut found.scorer_failed,
                (false, false) => &mut found.metric_undefined,
            };
            *counter += 1;
        }
        found
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.both_failed += other.both_failed;
        self.baseline_failed += other.baseline_failed;
        self.candidate_failed += other.candidate_failed;
        self.scorer_failed += other.scorer_failed;
        self.metric_undefined += other.metric_undefined;
        self.errors_as_zero += other.errors_as_zero;
    }

    /// Returns the counts by reason, of reasons that occur.
    pub(super) fn by_reason(&self) -> BTreeMap<String, u64> {
        let reasons = [
            ("both_failed", self.both_failed),
            ("baseline_failed", self.baseline_failed),
            ("candidate_failed", self.candidate_failed),
            ("scorer_failed", self.scorer_failed),
            ("metric_undefined", self.metric_undefined),
        ];
        reasons.into_iter().filter(|(_, count)| *count > 0).map(|(reason, count)| (reason.to_owned(), count)).collect()
    }
}

/// The rows that a scorer that the measure comes from failed on, with one of the two arms.
fn scorer_failures<'a>(
    question: &Question<'_>,
    tallies: &'a [ArmTally],
    candidate: usize,
    measure: usize,
) -> Vec<&'a [usize]> {
    let concerns = |scorer: usize| match question.measures.get(measure).map(|measure| measure.kind) {
        Some(MeasureKind::Scorer(of) | MeasureKind::SubScore(of)) => of == scorer,
        Some(MeasureKind::ScenarioScore) => true,
        Some(MeasureKind::Metric) | None => false,
    };
    let arms = [0, candidate].into_iter().filter_map(|arm| tallies.get(arm));
    let scorers = arms.flat_map(|arm| arm.scorers.iter().enumerate());
    let failed = scorers.filter(|(scorer, tally)| concerns(*scorer) && !tally.failed.is_empty());
    failed.map(|(_, tally)| tally.failed.as_slice()).collect()
}
