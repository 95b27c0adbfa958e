//! Which share of an arm's top k did judges grade?

use datafusion::arrow::array::Array as _;
use serde::{Deserialize, Serialize};

use crate::compare::chunk::ArmChunk;
use crate::compare::outcome::{JudgedShare, MetricSummary};
use crate::compare::question::Question;
use crate::compare::tally::MeanTally;

/// The judged hits of one arm over the judged sessions that it answered.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(in crate::compare) struct ShareTally {
    sessions: u64,
    judged: MeanTally,
    unjudged: u64,
}

impl ShareTally {
    pub(in crate::compare) fn of(question: &Question<'_>, arm: &ArmChunk) -> Self {
        let mut found = Self::default();
        let Some(judged) = arm.top_judged.as_ref().filter(|judged| judged.null_count() < judged.len()) else {
            return found;
        };
        let depth = u32::try_from(question.plan.support_depth()).unwrap_or(u32::MAX);
        for row in (0..judged.len()).filter(|row| judged.is_valid(*row)) {
            let (hits, graded) = (arm.hit_count.value(row).min(depth), judged.value(row));
            found.sessions += 1;
            found.judged.add((hits > 0).then(|| f64::from(graded) / f64::from(hits)));
            found.unjudged += u64::from(hits.saturating_sub(graded));
        }
        found
    }

    pub(in crate::compare) fn merge(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.judged.merge(other.judged);
        self.unjudged += other.unjudged;
    }

    /// Returns whether the arm answered a session that has judgments.
    pub(in crate::compare) fn any(&self) -> bool {
        self.sessions > 0
    }

    /// Returns the share; `None` where no answered session has judgments.
    pub(in crate::compare) fn summarise(&self, question: &Question<'_>) -> Option<JudgedShare> {
        let k = question.plan.support_depth();
        let judged = &self.judged;
        self.any().then(|| JudgedShare {
            k: k as u64,
            sessions: self.sessions,
            judged_at_k: MetricSummary { mean: judged.mean(), n: judged.n, undefined: self.sessions - judged.n },
            unjudged_of_k: Some(self.unjudged as f64 / (self.sessions as f64 * k as f64)),
        })
    }
}
