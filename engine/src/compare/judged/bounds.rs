//! Could judging the rest turn the verdict? The primary metric's mean difference between the extremes of every session.

use std::num::NonZeroUsize;

use rematch_metrics::sum::CompensatedSum;
use rematch_metrics::top_lists::TopLists;
use serde::{Deserialize, Serialize};

use super::read::{JudgedChunk, highest_grade, is_judged, known_grade};
use super::what_if::{Range, WhatIf};
use crate::benchmark::Plan;
use crate::compare::chunk::Chunk;
use crate::compare::fold::in_order;
use crate::compare::outcome::JudgmentBounds;
use crate::compare::question::Question;
use crate::compare::tables::Tables;
use crate::compare::tally::{Tally, merge_each};
use crate::store::{RunDirectory, StoreError, TableReader};

/// What the unjudged items of a run could do, by candidate.
pub(in crate::compare) enum Bounds {
    /// No session has judgments.
    Unjudged,
    /// They cannot be found.
    Unknown(String),
    /// They were found.
    Known { max_grade: f64, k: NonZeroUsize, candidates: Vec<Sums> },
}

/// The sums of one candidate's sessions.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(in crate::compare) struct Sums {
    sessions: u64,
    with_unjudged: u64,
    unjudged: u64,
    delta: CompensatedSum,
    lowest: CompensatedSum,
    highest: CompensatedSum,
    all: CompensatedSum,
}

/// What was summed up of the unjudged items, by others or beside what else is.
pub(in crate::compare) struct Made {
    max_grade: f64,
    /// Chunks that were added; the sums count where these are all.
    chunks: usize,
    /// By candidate.
    candidates: Vec<Sums>,
}

impl Made {
    /// Starts with no chunk of a run whose highest grade is `max_grade`.
    pub(in crate::compare) fn new(max_grade: f64) -> Self {
        Self { max_grade, chunks: 0, candidates: Vec::new() }
    }

    /// Adds the sums of the chunk that follows, by candidate; nothing where it has no judgments.
    pub(in crate::compare) fn add(&mut self, of_chunk: &[Sums]) {
        self.chunks += 1;
        merge_each(&mut self.candidates, of_chunk.to_vec(), Sums::merge);
    }
}

/// What is asked of the unjudged items.
pub(in crate::compare) enum Ask {
    /// Nothing: no session has judgments.
    Unjudged,
    /// Nothing, as it could not be found.
    Unknown(String),
    /// What they could do if the highest grade is this one.
    Whether { max_grade: f64 },
}

impl Ask {
    /// Finds out what can be asked.
    pub(in crate::compare) fn of(
        question: &Question<'_>,
        tally: &Tally,
        run: &RunDirectory,
        sample: &TableReader,
        threads: NonZeroUsize,
    ) -> Result<Self, StoreError> {
        if !any_judged(tally) {
            return Ok(Self::Unjudged);
        }
        let plan = question.plan;
        Ok(match max_grade(run, sample, threads)? {
            Some(max_grade) if WhatIf::new(plan, max_grade).is_some() => Self::Whether { max_grade },
            max_grade => Self::Unknown(why_not(plan, max_grade)),
        })
    }
}

/// Returns whether an arm answered a session that has judgments.
fn any_judged(tally: &Tally) -> bool {
    tally.arms.iter().any(|arm| arm.judged.any())
}

/// Sums up what unjudged items could do while a chunk's lists are at hand, so that neither they nor the judgments are read again.
pub(in crate::compare) struct Beside {
    chunk: JudgedChunk,
    what_if: WhatIf,
    /// By candidate.
    sums: Vec<Sums>,
}

impl Beside {
    /// Returns the highest grade of a run whose unjudged items can be summed up beside its chunks. `None` where nothing is asked of
    /// them, and where the sample's statistics know of no judgment: nothing is read then.
    pub(in crate::compare) fn max_grade(
        question: &Question<'_>,
        run: &RunDirectory,
        sample: &TableReader,
        threads: NonZeroUsize,
    ) -> Result<Option<f64>, StoreError> {
        if !(0..sample.groups()).any(|group| known_grade(sample, group).is_some()) {
            return Ok(None);
        }
        let highest = max_grade(run, sample, threads)?;
        Ok(highest.filter(|highest| WhatIf::new(question.plan, *highest).is_some()))
    }

    /// Reads the judgments of a chunk; `None` where it has none that count.
    pub(in crate::compare) fn read(
        question: &Question<'_>,
        tables: &impl Tables,
        chunk: &Chunk,
        max_grade: f64,
    ) -> Result<Option<Self>, StoreError> {
        let Some(what_if) = WhatIf::new(question.plan, max_grade).filter(|_| is_judged(chunk)) else { return Ok(None) };
        let chunk = JudgedChunk::beside(question.plan, tables, chunk)?;
        let sums = question.candidates().map(|_| Sums::default()).collect();
        Ok(Some(Self { chunk, what_if, sums }))
    }

    /// Looks at a row's session with the baseline's list and that of the candidate at `arm`. Rows come in their order.
    pub(in crate::compare) fn look(&mut self, arm: usize, row: usize, lists: &TopLists) {
        let Some(session) = self.chunk.session(arm, row) else { return };
        let sums = arm.checked_sub(1).and_then(|candidate| self.sums.get_mut(candidate));
        if let (Some(range), Some(sums)) = (self.what_if.look(session, lists), sums) {
            sums.add(range);
        }
    }

    /// Returns the sums of a chunk, by candidate.
    pub(in crate::compare) fn sums(self) -> Vec<Sums> {
        self.sums
    }
}

impl Bounds {
    /// Reads the judgments of a run, where it has any, and the top items again; neither where the sums are `made`.
    pub(in crate::compare) fn read(
        question: &Question<'_>,
        tally: &Tally,
        run: &RunDirectory,
        sample: &TableReader,
        threads: NonZeroUsize,
        made: Option<Made>,
    ) -> Result<Self, StoreError> {
        if !any_judged(tally) {
            return Ok(Self::Unjudged);
        }
        let Made { max_grade, candidates, .. } = match made.filter(|made| made.chunks == sample.groups()) {
            Some(made) => made,
            None => {
                let max_grade = match Ask::of(question, tally, run, sample, threads)? {
                    Ask::Unjudged => return Ok(Self::Unjudged),
                    Ask::Unknown(why) => return Ok(Self::Unknown(why)),
                    Ask::Whether { max_grade } => max_grade,
                };
                let sum_up = |index: usize| Sums::of_chunk(question, run, sample, index, max_grade);
                let mut made = Made::new(max_grade);
                in_order(sample.groups(), threads, sum_up, |_, sums| {
                    made.add(&sums);
                    Ok::<_, StoreError>(())
                })?;
                made
            }
        };
        let Some(what_if) = WhatIf::new(question.plan, max_grade) else { return Ok(Self::Unjudged) };
        Ok(Self::Known { max_grade, k: what_if.cutoff(), candidates })
    }

    /// Returns what the unjudged items could do to the candidate at `arm`; `None` where no session has judgments.
    pub(in crate::compare) fn summarise(&self, question: &Question<'_>, arm: usize) -> Option<JudgmentBounds> {
        let metric = question.plan.primary.clone();
        let (max_grade, k, candidates) = match self {
            Self::Unjudged => return None,
            Self::Unknown(why) => {
                return Some(JudgmentBounds { metric, not_computed: Some(why.clone()), ..JudgmentBounds::default() });
            }
            Self::Known { max_grade, k, candidates } => (*max_grade, *k, candidates),
        };
        let sums = arm.checked_sub(1).and_then(|candidate| candidates.get(candidate)).copied().unwrap_or_default();
        let mean = |sum: CompensatedSum| (sums.sessions > 0).then(|| sum.total() / sums.sessions as f64);
        let (delta, lowest, highest) = (mean(sums.delta), mean(sums.lowest), mean(sums.highest));
        let survives = |delta: f64, lowest: f64, highest: f64| match delta {
            _ if delta.abs() <= question.plan.noise_threshold => None,
            _ if delta > 0.0 => Some(lowest > 0.0),
            _ => Some(highest < 0.0),
        };
        Some(JudgmentBounds {
            metric,
            k: k.get() as u64,
            max_grade: Some(max_grade),
            sessions: sums.sessions,
            sessions_with_unjudged: sums.with_unjudged,
            unjudged_items: sums.unjudged,
            delta,
            delta_if_all_relevant: mean(sums.all),
            lowest_delta: lowest,
            highest_delta: highest,
            sign_survives: delta.zip(lowest).zip(highest).and_then(|((delta, low), high)| survives(delta, low, high)),
            not_computed: None,
        })
    }
}

impl Sums {
    /// Returns the sums of a chunk, by candidate.
    pub(in crate::compare) fn of_chunk(
        question: &Question<'_>,
        run: &RunDirectory,
        sample: &TableReader,
        chunk: usize,
        max_grade: f64,
    ) -> Result<Vec<Self>, StoreError> {
        let chunk = JudgedChunk::read(question.plan, run, sample, chunk)?;
        let Some(mut what_if) = WhatIf::new(question.plan, max_grade) else { return Ok(Vec::new()) };
        Ok(question.candidates().map(|arm| Self::of(&chunk, arm, &mut what_if)).collect())
    }

    fn of(chunk: &JudgedChunk, arm: usize, what_if: &mut WhatIf) -> Self {
        let mut found = Self::default();
        chunk.each_pair(arm, what_if.cutoff(), |_, session, lists| {
            if let Some(range) = what_if.look(session, lists) {
                found.add(range);
            }
        });
        found
    }

    fn add(&mut self, range: Range) {
        self.sessions += 1;
        self.with_unjudged += u64::from(range.unjudged > 0);
        self.unjudged += range.unjudged as u64;
        self.delta.add(range.delta);
        self.lowest.add(range.lowest);
        self.highest.add(range.highest);
        self.all.add(range.all);
    }

    fn merge(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.with_unjudged += other.with_unjudged;
        self.unjudged += other.unjudged;
        self.delta.merge(other.delta);
        self.lowest.merge(other.lowest);
        self.highest.merge(other.highest);
        self.all.merge(other.all);
    }
}

/// Returns the highest grade of a run's judgments, where one is positive: nothing else is worth anything.
pub(super) fn max_grade(
    run: &RunDirectory,
    sample: &TableReader,
    threads: NonZeroUsize,
) -> Result<Option<f64>, StoreError> {
    let mut highest: Option<f64> = None;
    in_order(
        sample.groups(),
        threads,
        |index| highest_grade(run, sample, index),
        |_, found| {
            highest = highest.into_iter().chain(found).reduce(f64::max);
            Ok::<_, StoreError>(())
        },
    )?;
    Ok(highest.filter(|grade| *grade > 0.0))
}

/// Why nothing can be said of the unjudged items.
pub(super) fn why_not(plan: &Plan, max_grade: Option<f64>) -> String {
    let primary = &plan.primary;
    match (plan.primary_metric().map(|metric| metric.cutoff()), max_grade) {
        _ if plan.primary_metric().is_some_and(|metric| metric.judged_only()) => {
            format!("`{primary}` drops unjudged items")
        }
        (None, _) => format!("`{primary}` is no metric of the judgments alone"),
        (Some(None), _) => format!("`{primary}` has no cutoff, and items are only known to rank {}", plan.list_depth()),
        (Some(Some(_)), Some(_)) => {
            format!("`{primary}` looks deeper than rank {}, to which items are known", plan.list_depth())
        }
        (Some(Some(_)), None) => "no judgment gives a positive grade".to_owned(),
    }
}
