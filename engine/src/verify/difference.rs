//! What agrees, what does not, and what could not be compared.

use std::collections::{HashMap, HashSet};

use rematch_metrics::Metric;
use serde::Serialize;

use super::batch::{Batch, Case};
use super::counts_items;
use super::measure::{Job, Question};
use super::program::Program;

/// Differences that are listed; all are counted.
const LISTED: usize = 100;

/// What another program made of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// The program, with the versions that it gives of itself.
    pub program: String,
    /// The largest difference that counts as none: 1e-9, or half of the last digit that is printed.
    pub tolerance: f64,
    /// Sessions, counted once for each retriever that answered them.
    pub sessions: u64,
    /// Values that were compared.
    pub compared: u64,
    /// Metrics that were not compared, and why.
    pub skipped: Vec<Skipped>,
    /// Values that were not compared since the session's gains cannot be written as whole numbers.
    pub fractions: u64,
    /// Values that differ.
    pub different: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
}

/// A metric that was not compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name.
    pub metric: String,
    /// Why not.
    pub reason: String,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The retriever.
    pub retriever_id: String,
    /// The session.
    pub session_id: String,
    /// The metric.
    pub metric: String,
    /// What stands in the run; `null` where the metric is undefined.
    pub rematch: Option<f64>,
    /// What the other program says; 0 where it has nothing to say.
    pub other: f64,
}

/// The other program's values by metric and session of a batch.
pub(super) type Answers = HashMap<(usize, usize), f64>;

impl Verification {
    pub(super) fn new(program: &Program, question: &Question) -> Self {
        let skipped = question
            .unasked
            .iter()
            .map(|(place, why)| Skipped { metric: question.name(*place).to_owned(), reason: (*why).to_owned() });
        Self {
            program: program.name().to_owned(),
            tolerance: program.tolerance(),
            sessions: 0,
            compared: 0,
            skipped: skipped.collect(),
            fractions: 0,
            different: 0,
            differences: Vec::new(),
        }
    }

    /// Notes a metric that the program turned out not to have.
    pub(super) fn skip(&mut self, metric: &str, reason: &str) {
        if !self.skips(metric) {
            self.skipped.push(Skipped { metric: metric.to_owned(), reason: reason.to_owned() });
        }
    }

    fn skips(&self, metric: &str) -> bool {
        self.skipped.iter().any(|known| known.metric == metric)
    }
}

/// Returns the first job of which the program says nothing at all, though it was given sessions to say something of. A value
/// that is missing is a zero, but a program that is silent has computed nothing.
pub(super) fn unanswered<'q>(
    batch: &Batch,
    answers: &Answers,
    question: &'q Question,
    verification: &Verification,
) -> Option<&'q Job> {
    let gains = question.gains();
    let answered: HashSet<usize> = answers.keys().map(|(place, _)| *place).collect();
    question.jobs.iter().find(|job| {
        let file = gains.iter().position(|known| *known == job.gains).unwrap_or_default();
        let asked = batch.sessions.iter().any(|case| case.written.demands(file));
        let silent =
            |(place, _): &(usize, String)| !answered.contains(place) && !verification.skips(question.name(*place));
        asked && job.measures.iter().all(silent)
    })
}

/// Compares a batch's values with the program's.
pub(super) fn compare(
    batch: &Batch,
    answers: &Answers,
    metrics: &[Metric],
    question: &Question,
    verification: &mut Verification,
) {
    let gains = question.gains();
    verification.sessions += batch.sessions.len() as u64;
    for job in &question.jobs {
        let file = gains.iter().position(|known| *known == job.gains).unwrap_or_default();
        for (place, _) in &job.measures {
            let Some(metric) = metrics.get(*place) else { continue };
            let name = question.name(*place);
            if verification.skips(name) {
                continue;
            }
            for (number, case) in batch.sessions.iter().enumerate() {
                if !case.written.holds(file) {
                    verification.fractions += 1;
                    continue;
                }
                let answer = answers.get(&(*place, number)).copied();
                if let Some(other) = theirs(case, metric, answer) {
                    verification.check(batch, case, *place, name, other);
                }
            }
        }
    }
}

/// Returns the program's value: 0 where it says nothing, and none where it did not look and that is no zero.
fn theirs(case: &Case, metric: &Metric, answer: Option<f64>) -> Option<f64> {
    match answer {
        Some(value) => (case.returned || !counts_items(metric)).then_some(value),
        None => (!counts_items(metric)).then_some(0.0),
    }
}

impl Verification {
    fn check(&mut self, batch: &Batch, case: &Case, place: usize, metric: &str, other: f64) {
        let ours = case.values.get(place).copied().flatten();
        self.compared += 1;
        if (ours.unwrap_or(0.0) - other).abs() <= self.tolerance {
            return;
        }
        self.different += 1;
        if self.differences.len() < LISTED {
            self.differences.push(Difference {
                retriever_id: batch.retriever_id.clone(),
                session_id: case.session_id.clone(),
                metric: metric.to_owned(),
                rematch: ours,
                other,
            });
        }
    }
}
