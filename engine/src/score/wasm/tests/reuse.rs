//! Instances that are used again, and guests that should not have been.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::super::{HostSettings, PluginHost, WasmScorer, pack};
use super::guests::{Guest, Rows, host, load_planned};
use super::half_life_utility;
use crate::benchmark::Limits;
use crate::score::contract::{self, ContractViolation};
use crate::score::{Case, ScoreError, ScoreOutcome, Scorer};

/// Says in `describe` that instances may be used again.
const REUSABLE: &str = "(i32.store8 (i32.const 108) (i32.const 1))";

/// Adds to every value what `$added` is.
const ADD: &str = "(local.set $i (i32.const 0))
  (block $all (loop $next
    (br_if $all (i32.ge_u (local.get $i) (local.get $len)))
    (local.set $hits (i32.add (local.get $values) (i32.mul (local.get $i) (i32.const 8))))
    (f64.store (local.get $hits) (f64.add (f64.load (local.get $hits)) (f64.convert_i32_u ADDED)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br $next)))";

fn adding(added: &str) -> &'static str {
    Box::leak(ADD.replace("ADDED", added).into_boxed_str())
}

/// Counts its calls and adds their number.
fn counting() -> Guest {
    let count = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))";
    Guest {
        definitions: "(global $calls (mut i32) (i32.const 0))",
        at_describe: REUSABLE,
        at_end: Box::leak(format!("{count} {}", adding("(global.get $calls)")).into_boxed_str()),
        ..Guest::default()
    }
}

fn load(guest: &Guest, batch: usize) -> WasmScorer {
    let bytes = pack(&guest.core()).unwrap();
    load_planned(&bytes, host(), |plan| plan.batch = NonZeroUsize::new(batch).unwrap()).unwrap()
}

fn many() -> Rows {
    Rows::with_hits(&(0..30).map(|index| index % 7).collect::<Vec<_>>())
}

fn leak(result: Result<Vec<ScoreOutcome>, ScoreError>) -> String {
    match result.unwrap_err() {
        ScoreError::Failed { scorer, reason } if scorer == "test" => reason,
        error => panic!("{error}"),
    }
}

#[test]
fn an_instance_is_used_again_where_the_guest_allows_it() {
    let dear = Guest { definitions: "(func $begin (drop (i32.const 1))) (start $begin)", ..Guest::default() };
    let scorer = load(&Guest { at_describe: REUSABLE, ..dear.clone() }, 10);
    let rows = many();
    let first = scorer.measure(&rows.cases()).unwrap();
    let second = scorer.measure(&rows.cases()).unwrap();
    // Three batches and the 16 sessions that are scored alone to see whether something leaks.
    assert_eq!((first.calls, second.calls), (19, 19));
    assert_eq!(first.outcomes, second.outcomes);
    let fresh = load(&dear, 10).measure(&rows.cases()).unwrap();
    assert_eq!(first.outcomes, fresh.outcomes);
    assert!(first.fuel < fresh.fuel && second.fuel < first.fuel, "{} {} {}", first.fuel, second.fuel, fresh.fuel);
    assert!(first.instantiate > Duration::ZERO && first.peak_memory_bytes == 2 << 16);
}

#[test]
fn an_instance_that_failed_is_not_used_again() {
    let guest = Guest { at_describe: REUSABLE, at_three_hits: "unreachable", ..Guest::default() };
    let scorer = load(&guest, 10);
    let rows = many();
    let outcomes = scorer.score(&rows.cases()).unwrap();
    for (outcome, hits) in outcomes.iter().zip((0..30).map(|index| index % 7)) {
        assert_eq!(outcome.value, (hits != 3).then_some(f64::from(hits)));
    }
    assert_eq!(scorer.score(&rows.cases()).unwrap(), outcomes);
    contract::check(&scorer, &rows.cases()).unwrap();
}

#[test]
fn a_guest_that_leaks_within_a_batch_fails_as_a_whole() {
    let scorer = load(&Guest { at_end: adding("(local.get $i)"), ..Guest::default() }, 1024);
    let reason = leak(scorer.score(&many().cases()));
    assert!(reason.starts_with("plugin `guest 1.0`: session `s"), "{reason}");
    assert!(reason.contains(" has another score among others than alone: `complete`, "), "{reason}");
    assert!(reason.ends_with("set `batch = 1`, so that no session sees another"), "{reason}");
    let violation = contract::check(&scorer, &many().cases()).unwrap_err();
    assert!(matches!(violation, ContractViolation::GaveUp { .. }), "{violation}");
}

#[test]
fn a_guest_that_wrongly_claims_to_be_reusable_fails_as_a_whole() {
    let scorer = load(&counting(), 1024);
    let rows = many();
    assert_eq!(scorer.score(&rows.cases()).unwrap()[0].value, Some(1.0));
    let reason = leak(scorer.score(&rows.cases()));
    assert!(reason.contains("has another score among others than alone"), "{reason}");
    let violation = contract::check(&load(&counting(), 1024), &rows.cases()).unwrap_err();
    assert!(matches!(violation, ContractViolation::GaveUp { .. }), "{violation}");
}

#[test]
fn with_one_session_a_call_none_sees_another() {
    for guest in [counting(), Guest { at_end: adding("(local.get $len)"), ..Guest::default() }] {
        let scorer = load(&guest, 1);
        contract::check(&scorer, &many().cases()).unwrap();
        assert_eq!(scorer.measure(&many().cases()).unwrap().calls, 30, "nothing is left to be checked");
    }
}

#[test]
fn a_guest_that_forgets_to_free_gets_a_fresh_memory_in_time() {
    // The bump allocator of the guest frees nothing, so that batch after batch takes more.
    let guest = Guest { at_describe: REUSABLE, ..Guest::default() };
    let limits = Limits { memory_bytes: 3 << 16, ..Limits::default() };
    let scorer = load_planned(&pack(&guest.core()).unwrap(), host(), |plan| plan.limits = limits).unwrap();
    let rows = Rows::with_hits(&[4; 100]);
    for _ in 0..400 {
        let outcomes = scorer.score(&rows.cases()).unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.value == Some(4.0)));
    }
}

#[test]
fn a_guest_that_is_dear_gets_smaller_batches() {
    // 20,000 turns at every session cost more than 60,000 units, and one session may spend 1,010,000.
    let guest = Guest {
        at_end: "(local.set $i (i32.mul (local.get $len) (i32.const 20000)))
          (block $done (loop $turn
            (br_if $done (i32.eqz (local.get $i)))
            (local.set $i (i32.sub (local.get $i) (i32.const 1)))
            (br $turn)))",
        ..Guest::default()
    };
    let limits = Limits { fuel_base: 1_000_000, fuel_per_session: 100_000_000, ..Limits::default() };
    let tight = Limits { fuel_base: 1_000_000, fuel_per_session: 600_000, ..Limits::default() };
    let rows = Rows::with_hits(&[4; 400]);
    let bytes = pack(&guest.core()).unwrap();
    let calls = |limits| {
        let scorer = load_planned(&bytes, host(), |plan| plan.limits = limits).unwrap();
        let measurement = scorer.measure(&rows.cases()).unwrap();
        assert!(measurement.outcomes.iter().all(|outcome| outcome.value == Some(4.0)));
        measurement.calls
    };
    // One batch, and the 16 sessions that are scored alone to see whether something leaks.
    assert_eq!(calls(limits), 17);
    let calls = calls(tight);
    assert!((55..95).contains(&calls), "{calls}");
}

#[test]
fn fuel_counts_the_same_on_every_host() {
    let bytes = std::fs::read(half_life_utility::component()).unwrap();
    let rows = half_life_utility::sample(300);
    let fuel = |_| {
        let host = Arc::new(PluginHost::new(HostSettings::default()).unwrap());
        load_planned(&bytes, &host, |_| ()).unwrap().measure(&rows.cases()).unwrap().fuel
    };
    let counts: Vec<u64> = (0..3).map(fuel).collect();
    assert!(counts[0] > 0 && counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}

#[test]
fn a_reused_instance_has_no_more_fuel_for_a_session_than_a_fresh_one() {
    // A start function of 20,000 turns and as many at a session of three hits: each costs more than half of the fuel.
    let turn = "(local.set $hits (i32.const 20000))
        (loop $turn (br_if $turn (local.tee $hits (i32.sub (local.get $hits) (i32.const 1)))))";
    let start = format!("(func $begin (local $hits i32) {turn}) (start $begin)");
    let guest = Guest {
        definitions: Box::leak(start.into_boxed_str()),
        at_describe: REUSABLE,
        at_three_hits: turn,
        ..Guest::default()
    };
    let limits = Limits { fuel_base: 170_000, fuel_per_session: 2_000, ..Limits::default() };
    let scorer = guest.load_with(limits).unwrap();
    for hits in [[1, 1], [3, 1], [1, 3]] {
        for rows in [Rows::with_hits(&hits), Rows::with_hits(&hits[..1]), Rows::with_hits(&hits[1..])] {
            let outcomes = scorer.score(&rows.cases()).unwrap();
            for (outcome, (_, ranking, _)) in outcomes.iter().zip(&rows.0) {
                assert_eq!(outcome.value.is_none(), ranking.hits.len() == 3, "{outcome:?}");
            }
        }
    }
}

/// Scores chunk by chunk on several threads, and returns the bits in order.
fn bits(scorer: &WasmScorer, cases: &[Case<'_>], threads: usize) -> Vec<(Option<u64>, String)> {
    let chunks: Vec<&[Case<'_>]> = cases.chunks(250).collect();
    let mut outcomes: Vec<(usize, Vec<ScoreOutcome>)> = thread::scope(|scope| {
        let work = |thread: usize| {
            let chunks = &chunks;
            move || {
                let mine = chunks.iter().enumerate().skip(thread).step_by(threads);
                mine.map(|(index, chunk)| (index, scorer.score(chunk).unwrap())).collect::<Vec<_>>()
            }
        };
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(work(thread))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    outcomes.sort_by_key(|(index, _)| *index);
    let flat = outcomes.into_iter().flat_map(|(_, outcomes)| outcomes);
    flat.map(|outcome| (outcome.value.map(f64::to_bits), outcome.output)).collect()
}

#[test]
fn batches_and_threads_change_no_bit() {
    let rows = half_life_utility::sample(1_500);
    let cases = rows.cases();
    let example = std::fs::read(half_life_utility::component()).unwrap();
    let reusable = Guest { at_describe: REUSABLE, at_three_hits: "unreachable", ..Guest::default() };
    for bytes in [example, pack(&reusable.core()).unwrap()] {
        let mut expected = None;
        for batch in [1, 7, 1024, 4096] {
            let scorer = load_planned(&bytes, host(), |plan| plan.batch = NonZeroUsize::new(batch).unwrap()).unwrap();
            for threads in [1, 2, 8] {
                let found = bits(&scorer, &cases, threads);
                let expected = expected.get_or_insert_with(|| found.clone());
                assert!(*expected == found, "batches of {batch} on {threads} threads");
            }
        }
    }
}
