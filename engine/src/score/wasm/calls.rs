//! From cases to outcomes: which sessions go into one call, into which instance, and what happens when a call fails.

use std::sync::atomic::Ordering;

use super::batch::Columns;
use super::measurement::Tally;
use super::outcomes::outcomes;
use super::scorer::WasmScorer;
use super::{guest, leak};
use crate::sandbox::bindings::Scorer;
use crate::sandbox::bindings::exports::rematch::scoring::guest as bindings;
use crate::sandbox::instance::Instance;
use crate::sandbox::limits::CallFailure;
use crate::sandbox::log::CallLog;
use crate::score::{Case, ScoreOutcome};

/// Sessions of a chunk's first call where calls are dear: what a session costs is known then.
const PROBE: usize = 16;

/// Sessions of a chunk that are scored again alone, where an instance costs little; else one.
const SUSPECTS: usize = 16;

/// So many sessions that run out of fuel one after another, each alone, are enough: the next would too, and each costs as
/// much as a session may.
const OUT_OF_FUEL_IN_A_ROW: u32 = 64;

/// Fuel of an empty call above which sessions may be dear too: the component carries an interpreter.
const DEAR_FUEL: u64 = 100_000;

/// The outcome of a session, and whether it was found in a fresh instance with no other session near.
pub(super) struct Scored {
    pub(super) outcome: ScoreOutcome,
    pub(super) alone: bool,
}

/// The calls for one chunk of sessions.
pub(super) struct Calls<'a> {
    scorer: &'a WasmScorer,
    tally: &'a mut Tally,
    /// The most that a session of this chunk has cost so far, fuel.
    session_fuel: Option<u64>,
    /// Sessions that ran out of fuel alone, since the last one that did not.
    out_of_fuel: u32,
}

/// One call.
struct Call {
    result: Result<Vec<ScoreOutcome>, CallFailure>,
    /// Fuel that it took, or would have taken in a fresh instance.
    fuel: u64,
    log: CallLog,
}

impl<'a> Calls<'a> {
    pub(super) fn new(scorer: &'a WasmScorer, tally: &'a mut Tally) -> Self {
        Self { scorer, tally, session_fuel: None, out_of_fuel: 0 }
    }

    /// Scores an empty batch and returns the fuel that it takes; the error says in words why that fails.
    pub(super) fn empty(&mut self) -> Result<u64, String> {
        let call = self.call_fresh(&[], false);
        self.hear(call.log);
        call.result.map(|_| call.fuel).map_err(|failure| failure.reason)
    }

    /// Scores a chunk; the error says in words why the component cannot be trusted with it.
    pub(super) fn score(&mut self, cases: &[Case<'_>]) -> Result<Vec<ScoreOutcome>, String> {
        let mut scored = Vec::with_capacity(cases.len());
        let mut rest = cases;
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(self.next_batch().min(rest.len()));
            self.score_batch(batch, &mut scored)?;
            rest = later;
        }
        let dear = self.scorer.empty_call_fuel > DEAR_FUEL;
        for (case, found) in leak::suspects(cases, &scored, if dear { 1 } else { SUSPECTS }) {
            let alone = match self.call_fresh(std::slice::from_ref(case), false).result {
                Ok(outcomes) => outcomes.into_iter().next(),
                // Another time it may be in time, so that this says nothing.
                Err(failure) if failure.by_clock => None,
                Err(failure) => Some(self.error(case, &failure.reason)),
            };
            alone.map_or(Ok(()), |alone| leak::compare(case, found, &alone))?;
        }
        Ok(scored.into_iter().map(|scored| scored.outcome).collect())
    }

    /// Returns how many sessions the next call gets: as many as the benchmark says, but not more than are likely to do
    /// with the fuel of one, which is what [`Calls::score_batch`] accepts. It follows from the chunk alone.
    fn next_batch(&self) -> usize {
        let most = self.scorer.batch.get();
        match self.session_fuel {
            Some(fuel) => {
                let likely = self.scorer.guest.fuel(1) / 4 * 3 / fuel.max(1);
                usize::try_from(likely).unwrap_or(usize::MAX).clamp(1, most)
            }
            None if self.scorer.empty_call_fuel > DEAR_FUEL => most.min(PROBE),
            None => most,
        }
    }

    /// Scores one batch: in one call if that goes well, else in several, so that a culprit is found, its neighbours keep
    /// their scores, and no session lives off another's fuel.
    fn score_batch(&mut self, batch: &[Case<'_>], scored: &mut Vec<Scored>) -> Result<(), String> {
        self.check_stop()?;
        let single = batch.len() <= 1;
        let (call, fresh) = self.call_somewhere(batch);
        match call.result {
            Ok(outcomes) => {
                let sessions = u64::try_from(batch.len()).unwrap_or(u64::MAX).max(1);
                self.session_fuel = self.session_fuel.max(Some(call.fuel / sessions));
                // What is left unspent by its neighbours is not a session's to spend: alone, it would have failed.
                if (single && fresh) || call.fuel <= self.scorer.guest.fuel(1) {
                    self.hear(call.log);
                    scored.extend(outcomes.into_iter().map(|outcome| Scored { outcome, alone: single && fresh }));
                } else if single {
                    // It had more for itself than a fresh instance, which has to be made first, would have left it.
                    self.score_each_alone(batch, scored)?;
                } else {
                    let fewer = self.next_batch().clamp(1, batch.len() / 2);
                    for batch in batch.chunks(fewer) {
                        self.score_batch(batch, scored)?;
                    }
                }
            }
            Err(failure) if single => {
                self.hear(call.log);
                for case in batch {
                    scored.push(self.failed(case, &failure)?);
                }
            }
            Err(_) => self.score_each_alone(batch, scored)?,
        }
        Ok(())
    }

    fn score_each_alone(&mut self, batch: &[Case<'_>], scored: &mut Vec<Scored>) -> Result<(), String> {
        for case in batch {
            self.check_stop()?;
            let call = self.call_fresh(std::slice::from_ref(case), false);
            self.hear(call.log);
            scored.push(match call.result {
                Ok(outcomes) => {
                    self.out_of_fuel = 0;
                    Scored { outcome: outcomes.into_iter().next().unwrap_or_default(), alone: true }
                }
                Err(failure) => self.failed(case, &failure)?,
            });
        }
        Ok(())
    }

    /// Gives up where somebody wants the work to end.
    fn check_stop(&self) -> Result<(), String> {
        if self.scorer.host.stop.load(Ordering::Relaxed) { Err("interrupted".to_owned()) } else { Ok(()) }
    }

    /// Returns the outcome of a session that failed alone; the error says why its scorer cannot go on.
    fn failed(&mut self, case: &Case<'_>, failure: &CallFailure) -> Result<Scored, String> {
        let CallFailure { reason, by_clock, out_of_fuel } = failure;
        let session = &case.session.session_id;
        if *by_clock {
            return Err(format!(
                "session `{session}`: {reason}; a score must not depend on how fast a machine is, so the run ends here; \
                 lower `limits.fuel-per-call` until fuel ends the session first, or raise `limits.deadline-ms`"
            ));
        }
        self.out_of_fuel = if *out_of_fuel { self.out_of_fuel + 1 } else { 0 };
        if self.out_of_fuel >= OUT_OF_FUEL_IN_A_ROW {
            return Err(format!(
                "{OUT_OF_FUEL_IN_A_ROW} sessions ran out of fuel one after another, the last of them `{session}`: {reason}; \
                 mend the scorer, or raise its `limits`"
            ));
        }
        Ok(Scored { outcome: self.error(case, reason), alone: true })
    }

    fn error(&self, case: &Case<'_>, reason: &str) -> ScoreOutcome {
        ScoreOutcome::error(format!("{}: {reason}", self.scorer.session(case)))
    }

    /// Calls an instance that has rested if the component may be reused, else a fresh one, and says whether it was one.
    /// A failure is always one of a fresh instance: what an instance has gone through may be what made it fail.
    fn call_somewhere(&mut self, batch: &[Case<'_>]) -> (Call, bool) {
        // With one session a call, none shall see another.
        let reusable = self.scorer.reuse && self.scorer.description.reusable && self.scorer.batch.get() > 1;
        if reusable && let Some(instance) = self.scorer.guest.wake(batch.len()) {
            let call = self.call(instance, batch, true);
            if call.result.is_ok() {
                return (call, false);
            }
        }
        (self.call_fresh(batch, reusable), true)
    }

    fn call_fresh(&mut self, batch: &[Case<'_>], keep: bool) -> Call {
        match self.scorer.guest.instantiate(batch.len()) {
            Ok(instance) => self.call(instance, batch, keep),
            Err(failure) => Call { result: Err(failure), fuel: 0, log: CallLog::default() },
        }
    }

    /// Calls an instance; it is kept for later where that is wished and all went well.
    fn call(&mut self, mut instance: Instance<Scorer>, batch: &[Case<'_>], keep: bool) -> Call {
        let scorer = self.scorer;
        let result = match Columns::of(batch, scorer.needs, scorer.items.as_ref()) {
            Ok(columns) => {
                let item_fields = columns.lower_item_fields();
                guest::score(&mut instance, columns.lower(&item_fields), &scorer.params)
            }
            Err(error) => Err(error.to_string().into()),
        };
        let result = result.and_then(|scores| self.outcomes(batch, scores).map_err(CallFailure::from));
        let cost = instance.cost();
        self.tally.add(&cost);
        let log = instance.take_log();
        if keep && result.is_ok() {
            scorer.guest.rest(instance);
        }
        Call { result, fuel: cost.fuel_when_fresh, log }
    }

    fn outcomes(
        &self,
        batch: &[Case<'_>],
        scores: Result<bindings::Scores, bindings::Failure>,
    ) -> Result<Vec<ScoreOutcome>, String> {
        let scores = scores.map_err(|failure| match failure {
            bindings::Failure::InvalidParams(message) => format!("refused its parameters: {message}"),
            bindings::Failure::Internal(message) => message,
        })?;
        outcomes(&scores, batch.len(), &self.scorer.description.metrics, |session, reason| match batch.get(session) {
            Some(case) => self.error(case, &reason),
            None => ScoreOutcome::error(reason),
        })
    }

    /// Passes on what was said in a call whose result counts.
    fn hear(&mut self, log: CallLog) {
        self.scorer.host.hear(&self.scorer.name, &log);
        self.tally.hear(log);
    }
}
