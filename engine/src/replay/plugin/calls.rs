//! Which sessions go into one call, and what happens when a call fails.

use crate::replay::{RetrieveError, RetrieveErrorKind};
use crate::sandbox::limits::CallFailure;
use crate::session::Hit;

use super::answers::Answer;

/// One call of a component.
pub(super) struct Call {
    pub(super) result: Result<Vec<Answer>, CallFailure>,
    /// Fuel that it took, or would have taken in a fresh instance.
    pub(super) fuel: u64,
    /// Whether its instance was fresh.
    pub(super) fresh: bool,
}

/// Whoever can be called with sessions.
pub(super) struct Caller<'a, Row> {
    /// Calls the component; the flag asks for a fresh instance.
    pub(super) call: &'a dyn Fn(&[Row], bool) -> Call,
    /// Fuel that one session may spend.
    pub(super) fuel_of_one: u64,
    /// Most sessions of one call.
    pub(super) batch: usize,
    /// Says that somebody wants the work to end.
    pub(super) stopped: &'a dyn Fn() -> bool,
    /// Name and version of the component, for error texts.
    pub(super) plugin: &'a str,
}

impl<Row> Caller<'_, Row> {
    /// Returns the answer to each row, in order.
    pub(super) fn answer(&self, rows: &[Row]) -> Vec<Result<Vec<Hit>, RetrieveError>> {
        let mut answers = Vec::with_capacity(rows.len());
        for batch in rows.chunks(self.batch.max(1)) {
            self.answer_batch(batch, &mut answers);
        }
        answers
    }

    fn answer_batch(&self, rows: &[Row], answers: &mut Vec<Result<Vec<Hit>, RetrieveError>>) {
        if (self.stopped)() {
            let mut error = RetrieveError::new(RetrieveErrorKind::Plugin, "interrupted");
            error.fatal = true;
            answers.extend(rows.iter().map(|_| Err(error.clone())));
            return;
        }
        let single = rows.len() <= 1;
        let mut call = (self.call)(rows, false);
        if single && !call.fresh && (call.result.is_err() || call.fuel > self.fuel_of_one) {
            // A failure is always one of a fresh instance: what an instance has gone through may be what made it fail.
            call = (self.call)(rows, true);
        }
        match call.result {
            Ok(found) if single || call.fuel <= self.fuel_of_one => {
                answers.extend(found.into_iter().map(|answer| answer.map_err(|reason| self.error(reason))));
            }
            // What is left unspent by its neighbours is not a session's to spend: alone, it would have failed.
            Ok(_) => rows.chunks(rows.len().div_ceil(2)).for_each(|half| self.answer_batch(half, answers)),
            Err(failure) if single => answers.extend(rows.iter().map(|_| Err(self.failed(&failure)))),
            Err(_) => rows.chunks(1).for_each(|row| self.answer_alone(row, answers)),
        }
    }

    fn answer_alone(&self, row: &[Row], answers: &mut Vec<Result<Vec<Hit>, RetrieveError>>) {
        if (self.stopped)() {
            return self.answer_batch(row, answers);
        }
        match (self.call)(row, true).result {
            Ok(found) => answers.extend(found.into_iter().map(|answer| answer.map_err(|reason| self.error(reason)))),
            Err(failure) => answers.push(Err(self.failed(&failure))),
        }
    }

    fn failed(&self, failure: &CallFailure) -> RetrieveError {
        let mut error = self.error(failure.reason.clone());
        if failure.by_clock {
            error.kind = RetrieveErrorKind::Timeout;
        }
        error
    }

    fn error(&self, reason: String) -> RetrieveError {
        RetrieveError::new(RetrieveErrorKind::Plugin, format!("plugin `{}`: {reason}", self.plugin))
    }
}
