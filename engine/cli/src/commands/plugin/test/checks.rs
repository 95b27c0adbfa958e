//! What a component must keep: the contract, and the same bits whatever else is in its batch.

use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use rematch_engine::score::wasm::WasmScorer;
use rematch_engine::score::{Case, ScoreError, ScoreOutcome, Scorer, contract};
use rematch_engine::session::ScoreState;
use serde::Serialize;

use crate::commands::plugin::loading::Loading;
use crate::exit::Failure;

/// Threads that score at once.
const THREADS: usize = 4;

/// Sessions that are named where a check fails.
const NAMED: usize = 3;

/// One check with what it found.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    /// What is checked.
    pub(super) name: &'static str,
    /// Whether it holds.
    pub(super) passed: bool,
    /// What was found where it does not hold; else empty.
    pub(super) found: String,
}

impl Check {
    fn of(name: &'static str, result: Result<(), String>) -> Self {
        Self { name, passed: result.is_ok(), found: result.err().unwrap_or_default() }
    }
}

/// Runs every check of the component; each runs whether or not an earlier one holds.
///
/// # Errors
///
/// Returns an error when the component cannot be loaded again.
pub(super) fn run(
    loading: &Loading,
    path: &Path,
    scorer: &WasmScorer,
    cases: &[Case<'_>],
) -> Result<Vec<Check>, Failure> {
    let mut checks = vec![Check::of("contract", contract::check(scorer, cases).map_err(|error| in_words(&error)))];
    let expected = match scorer.score(cases) {
        Ok(expected) => expected,
        Err(error) => {
            checks.push(Check::of("determinism", Err(in_words(&error))));
            return Ok(checks);
        }
    };
    let order: Vec<usize> = (0..cases.len()).collect();
    let same = |scorer: &WasmScorer, order: &[usize]| compare(scorer, cases, &expected, order);
    checks.push(Check::of("same bits again", same(scorer, &order)));
    let shuffled = [1, 2, 3].map(|seed| same(scorer, &contract::shuffled(&order, seed)));
    checks.push(Check::of("same bits shuffled", shuffled.into_iter().collect()));
    for (name, batch) in [
        ("same bits in batches of 1", 1),
        ("same bits in batches of 7", 7),
        ("same bits in one batch", cases.len().max(1)),
    ] {
        let Some(batch) = NonZeroUsize::new(batch) else { continue };
        let scorer = loading.load_with_batch(path, batch)?;
        checks.push(Check::of(name, same(&scorer, &order)));
    }
    checks.push(Check::of(
        "same bits on 4 threads at once",
        on_threads(&|turn| {
            let mut order = order.clone();
            order.rotate_left(turn % cases.len().max(1));
            same(scorer, &order)
        }),
    ));
    Ok(checks)
}

/// Checks that no session is an error: the samples are sound, so that an error is the component's.
pub(super) fn no_errors(cases: &[Case<'_>], outcomes: &[ScoreOutcome]) -> Check {
    let failed = cases.iter().zip(outcomes).filter(|(_, outcome)| outcome.state == ScoreState::Error);
    let failed: Vec<String> =
        failed.map(|(case, outcome)| format!("session `{}`: {}", case.session.session_id, outcome.output)).collect();
    let name = "no session is an error";
    if failed.is_empty() {
        return Check::of(name, Ok(()));
    }
    let named: Vec<&str> = failed.iter().take(NAMED).map(String::as_str).collect();
    Check::of(name, Err(format!("{} of {}: {}", failed.len(), cases.len(), named.join("; "))))
}

/// Scores the cases at `order` and compares each with what it got before, bit by bit.
fn compare(scorer: &WasmScorer, cases: &[Case<'_>], expected: &[ScoreOutcome], order: &[usize]) -> Result<(), String> {
    let arranged: Vec<Case<'_>> = order.iter().filter_map(|index| cases.get(*index)).copied().collect();
    let outcomes = scorer.score(&arranged).map_err(|error: ScoreError| in_words(&error))?;
    let before = order.iter().filter_map(|index| expected.get(*index));
    let rows = arranged.iter().zip(before).zip(&outcomes);
    let different: Vec<String> = rows
        .filter(|((_, before), now)| !before.same_bits(now))
        .map(|((case, before), now)| {
            format!("session `{}` got {}, and {} before", case.session.session_id, now.in_words(), before.in_words())
        })
        .collect();
    if different.is_empty() {
        return Ok(());
    }
    let named: Vec<&str> = different.iter().take(NAMED).map(String::as_str).collect();
    Err(format!("{} of {} differ: {}", different.len(), cases.len(), named.join("; ")))
}

fn on_threads(check: &(impl Fn(usize) -> Result<(), String> + Sync)) -> Result<(), String> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|turn| scope.spawn(move || check(turn))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Returns an error with its causes.
fn in_words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
