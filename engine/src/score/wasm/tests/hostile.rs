//! Guests that go wrong at one session: each failure names its limit, and the neighbours keep their scores.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::{HostSettings, PluginHost, pack};
use super::guests::{Guest, Rows, culprit, in_full, load_planned};
use crate::benchmark::Limits;
use crate::score::contract::{self, ContractViolation};
use crate::score::{ScoreOutcome, Scorer};
use crate::session::ScoreState;

fn at_three_hits(code: &'static str) -> Guest {
    Guest { at_three_hits: code, ..Guest::default() }
}

fn at_end(code: &'static str) -> Guest {
    Guest { at_end: code, ..Guest::default() }
}

fn little_fuel() -> Limits {
    Limits { fuel_base: 1_000_000, fuel_per_session: 1_000, ..Limits::default() }
}

#[test]
fn a_well_behaved_guest_keeps_the_contract() {
    let scorer = Guest::default().load().unwrap();
    let rows = Rows::with_hits(&[0, 1, 2, 3, 4, 5, 5, 9, 100]);
    contract::check(&scorer, &rows.cases()).unwrap();
    let outcomes = scorer.score(&rows.cases()).unwrap();
    assert_eq!(outcomes[8], ScoreOutcome::complete(100.0, String::new()));
}

#[test]
fn more_sessions_than_one_call_takes_are_all_scored() {
    let scorer = Guest::default().load().unwrap();
    let hits: Vec<usize> = (0..2_500).map(|index| index % 7).collect();
    let outcomes = scorer.score(&Rows::with_hits(&hits).cases()).unwrap();
    let values: Vec<f64> = outcomes.iter().filter_map(|outcome| outcome.value).collect();
    assert_eq!(values, hits.iter().map(|hits| *hits as f64).collect::<Vec<_>>());
}

#[test]
fn a_hostile_guest_keeps_the_contract_too() {
    let rows = Rows::with_hits(&[0, 1, 2, 3, 4, 3, 5]);
    for code in ["unreachable", "(local.set $value (f64.const nan))", "(loop $ever (br $ever))"] {
        let scorer = at_three_hits(code).load_with(little_fuel()).unwrap();
        contract::check(&scorer, &rows.cases()).unwrap();
    }
}

#[test]
fn unreachable_fails_one_session() {
    let reason = culprit(&at_three_hits("unreachable").load().unwrap());
    assert_eq!(
        reason,
        "plugin `guest 1.0`, session `s3`: wasm trap: wasm `unreachable` instruction executed in `score`"
    );
}

#[test]
fn a_load_out_of_bounds_fails_one_session() {
    let reason = culprit(&at_three_hits("(drop (i32.load (i32.const -4)))").load().unwrap());
    assert!(reason.contains("out of bounds memory access"), "{reason}");
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    let reason = culprit(&at_three_hits("(loop $ever (br $ever))").load_with(little_fuel()).unwrap());
    assert_eq!(reason, "plugin `guest 1.0`, session `s3`: fuel limit of 1001000 units reached in `score`");
}

#[test]
fn an_endless_loop_with_endless_fuel_meets_the_deadline_which_decides_no_score() {
    let limits = Limits { fuel_base: u64::MAX, deadline_ms: 100, ..Limits::default() };
    let scorer = at_three_hits("(loop $ever (br $ever))").load_with(limits).unwrap();
    let error = in_full(&scorer.score(&Rows::with_hits(&[0, 1, 2, 3, 4]).cases()).unwrap_err());
    assert!(error.contains("session `s3`: deadline of 100 ms reached in `score`; a score must not depend"), "{error}");
}

#[test]
fn sessions_that_run_out_of_fuel_one_after_another_end_the_work() {
    let scorer = at_three_hits("(loop $ever (br $ever))").load_with(little_fuel()).unwrap();
    let some = scorer.score(&Rows::with_hits(&[[3; 63].as_slice(), &[1], &[3; 63]].concat()).cases()).unwrap();
    assert_eq!(some.iter().filter(|outcome| outcome.state == ScoreState::Error).count(), 126);
    let error = in_full(&scorer.score(&Rows::with_hits(&[3; 64]).cases()).unwrap_err());
    assert!(error.contains("64 sessions ran out of fuel one after another, the last of them `s63`"), "{error}");
}

#[test]
fn nothing_is_called_any_more_once_the_work_is_to_stop() {
    let host = Arc::new(PluginHost::new(HostSettings::default()).unwrap());
    let scorer = load_planned(&pack(&Guest::default().core()).unwrap(), &host, |_| ()).unwrap();
    host.stop().store(true, Ordering::Relaxed);
    let error = in_full(&scorer.score(&Rows::with_hits(&[1]).cases()).unwrap_err());
    assert!(error.ends_with("interrupted"), "{error}");
}

#[test]
fn a_session_cannot_live_off_its_neighbours_fuel() {
    // 20,000 turns cost more than the 31,000 units of one session and less than the 181,000 of six.
    let code = "(local.set $hits (i32.const 20000))
                (loop $turn (br_if $turn (local.tee $hits (i32.sub (local.get $hits) (i32.const 1)))))";
    let limits = Limits { fuel_base: 1_000, fuel_per_session: 30_000, ..Limits::default() };
    let reason = culprit(&at_three_hits(code).load_with(limits).unwrap());
    assert_eq!(reason, "plugin `guest 1.0`, session `s3`: fuel limit of 31000 units reached in `score`");
}

#[test]
fn a_memory_bomb_stops_at_the_memory_limit() {
    let code = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let limits = Limits { memory_bytes: 4 << 20, ..Limits::default() };
    let reason = culprit(&at_three_hits(code).load_with(limits).unwrap());
    assert!(
        reason
            .starts_with("plugin `guest 1.0`, session `s3`: memory limit of 4194304 bytes reached (4325376 asked for)"),
        "{reason}"
    );
}

#[test]
fn a_guest_that_survives_a_refused_allocation_keeps_its_score() {
    let code = "(drop (memory.grow (i32.const 65000)))";
    let outcomes = at_three_hits(code).load().unwrap().score(&Rows::with_hits(&[3]).cases()).unwrap();
    assert_eq!(outcomes, [ScoreOutcome::complete(3.0, String::new())]);
}

#[test]
fn a_table_bomb_stops_at_the_table_limit() {
    let guest = Guest {
        definitions: "(table $bomb 1 funcref)",
        at_three_hits: "(if (i32.eq (table.grow $bomb (ref.null func) (i32.const 1000000)) (i32.const -1))
                          (then unreachable))",
        ..Guest::default()
    };
    let reason = culprit(&guest.load().unwrap());
    assert!(reason.contains("table limit of 100000 elements reached (1000001 asked for)"), "{reason}");
}

#[test]
fn endless_recursion_meets_the_stack_limit() {
    let guest = Guest {
        definitions: "(func $deeper (call $deeper) (call $deeper))",
        at_three_hits: "(call $deeper)",
        ..Guest::default()
    };
    let reason = culprit(&guest.load().unwrap());
    assert_eq!(reason, "plugin `guest 1.0`, session `s3`: stack limit of 524288 bytes reached in `deeper`");
}

#[test]
fn a_score_that_is_not_finite_fails_one_session() {
    for (value, name) in [("nan", "NaN"), ("inf", "inf"), ("-inf", "-inf")] {
        let guest = at_three_hits(match value {
            "nan" => "(local.set $value (f64.const nan))",
            "inf" => "(local.set $value (f64.const inf))",
            _ => "(local.set $value (f64.const -inf))",
        });
        let reason = culprit(&guest.load().unwrap());
        let expected = format!(
            "plugin `guest 1.0`, session `s3`: returned {name} for metric `hits`, expected a finite number or its position in `undefined`"
        );
        assert_eq!(reason, expected);
    }
}

#[test]
fn too_few_scores_fail_the_session_that_causes_them() {
    let code = "(i32.store (i32.const 1032) (i32.sub (local.get $len) (global.get $flag)))";
    let reason = culprit(&at_end(code).load().unwrap());
    assert_eq!(reason, "plugin `guest 1.0`, session `s3`: returned 0 values for 1 sessions and 1 metrics, expected 1");
}

#[test]
fn an_index_out_of_range_fails_the_session_that_causes_it() {
    let undefined = "(i32.store (i32.const 2048) (i32.const 77))
                     (i32.store (i32.const 1036) (i32.const 2048)) (i32.store (i32.const 1040) (global.get $flag))";
    let reason = culprit(&at_end(undefined).load().unwrap());
    assert_eq!(reason, "plugin `guest 1.0`, session `s3`: returned the undefined position 77 of 1 values");
    let errors = "(i32.store (i32.const 2048) (i32.const 77))
                  (i32.store (i32.const 1044) (i32.const 2048)) (i32.store (i32.const 1048) (global.get $flag))";
    let reason = culprit(&at_end(errors).load().unwrap());
    assert_eq!(reason, "plugin `guest 1.0`, session `s3`: returned an error for session 77 of a batch of 1");
}

#[test]
fn a_list_beyond_the_memory_fails_one_session() {
    let code = "(if (global.get $flag) (then (i32.store (i32.const 1032) (i32.const 0x0fffffff))))";
    let reason = culprit(&at_end(code).load().unwrap());
    assert!(reason.contains("out of bounds"), "{reason}");
}

#[test]
fn many_messages_that_share_their_bytes_meet_the_output_limit() {
    // Ten thousand errors, each with the same message of 60 kB: 600 MB for the host out of 180 kB in the guest.
    let guest = Guest {
        memory: "8",
        at_end: "(local.set $i (i32.const 0))
          (if (global.get $flag) (then
            (loop $error
              (i32.store offset=196608 (i32.mul (local.get $i) (i32.const 12)) (i32.const 0))
              (i32.store offset=196612 (i32.mul (local.get $i) (i32.const 12)) (i32.const 131072))
              (i32.store offset=196616 (i32.mul (local.get $i) (i32.const 12)) (i32.const 60000))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $error (i32.lt_u (local.get $i) (i32.const 10000))))
            (i32.store (i32.const 1044) (i32.const 196608))
            (i32.store (i32.const 1048) (i32.const 10000))))",
        ..Guest::default()
    };
    let reason = culprit(&guest.load().unwrap());
    assert_eq!(reason, "plugin `guest 1.0`, session `s3`: output limit of 16777216 bytes reached");
}

#[test]
fn outputs_that_are_not_utf8_fail_the_session_that_causes_them() {
    let code = "(if (global.get $flag) (then
        (i32.store (i32.const 2052) (i32.const 1)) (i32.store8 (i32.const 2100) (i32.const 0xff))
        (i32.store (i32.const 1052) (i32.const 2048))
        (i32.store (i32.const 1056) (i32.add (local.get $len) (i32.const 1)))
        (i32.store (i32.const 1060) (i32.const 2100)) (i32.store (i32.const 1064) (i32.const 1))))";
    let reason = culprit(&at_end(code).load().unwrap());
    assert_eq!(reason, "plugin `guest 1.0`, session `s3`: returned an output that is not UTF-8");
}

#[test]
fn a_failure_of_the_batch_is_reported_where_it_comes_back() {
    // The text of the failure is at 136: "hits".
    let code = "(if (global.get $flag) (then
        (i32.store (i32.const 1024) (i32.const 1)) (i32.store (i32.const 1028) (i32.const 1))
        (i32.store (i32.const 1032) (i32.const 136)) (i32.store (i32.const 1036) (i32.const 4))))";
    assert_eq!(culprit(&at_end(code).load().unwrap()), "plugin `guest 1.0`, session `s3`: hits");
}

#[test]
fn a_session_error_fails_one_session_without_a_second_call() {
    let code = "(i32.store (i32.const 2048) (local.get $i)) (i32.store (i32.const 2052) (i32.const 136))
                (i32.store (i32.const 2056) (i32.const 4))
                (i32.store (i32.const 1044) (i32.const 2048)) (i32.store (i32.const 1048) (i32.const 1))";
    assert_eq!(culprit(&at_three_hits(code).load().unwrap()), "plugin `guest 1.0`, session `s3`: hits");
}

#[test]
fn an_undefined_position_is_an_unknown_outcome_whatever_its_value() {
    let code = "(local.set $value (f64.const nan))
                (i32.store (i32.const 2048) (local.get $i))
                (i32.store (i32.const 1036) (i32.const 2048)) (i32.store (i32.const 1040) (i32.const 1))";
    let outcomes = at_three_hits(code).load().unwrap().score(&Rows::with_hits(&[1, 3, 2]).cases()).unwrap();
    let states: Vec<ScoreState> = outcomes.iter().map(|outcome| outcome.state).collect();
    assert_eq!(states, [ScoreState::Complete, ScoreState::Unknown, ScoreState::Complete]);
    assert_eq!(outcomes[1], ScoreOutcome::unknown());
}

fn both(value: f64, sub_score: f64, output: &str) -> ScoreOutcome {
    ScoreOutcome { sub_scores: vec![Some(sub_score)], ..ScoreOutcome::complete(value, output.to_owned()) }
}

#[test]
fn further_metrics_are_sub_scores() {
    // The second metric is ten times the first; every output is the letter "h" of "hits" at 136.
    let guest = Guest {
        at_describe: "(i32.store (i32.const 104) (i32.const 2))",
        at_end: "(local.set $i (i32.const 0))
          (loop $next
            (i32.store offset=2052 (i32.mul (local.get $i) (i32.const 4)) (i32.add (local.get $i) (i32.const 1)))
            (if (i32.lt_u (local.get $i) (local.get $len)) (then
              (f64.store
                (i32.add (local.get $values) (i32.mul (i32.add (local.get $len) (local.get $i)) (i32.const 8)))
                (f64.mul (f64.const 10)
                  (f64.load (i32.add (local.get $values) (i32.mul (local.get $i) (i32.const 8))))))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br $next))))
          (i32.store (i32.const 1032) (i32.mul (local.get $len) (i32.const 2)))
          (i32.store (i32.const 1052) (i32.const 2048))
          (i32.store (i32.const 1056) (i32.add (local.get $len) (i32.const 1)))
          (i32.store (i32.const 1060) (i32.const 136)) (i32.store (i32.const 1064) (local.get $len))",
        ..Guest::default()
    };
    let scorer = guest.load().unwrap();
    let names: Vec<&str> = scorer.metrics().iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names, ["hits", "more"]);
    for (hits, value) in [(1, 1.0), (2, 2.0)] {
        let outcomes = scorer.score(&Rows::with_hits(&[hits]).cases()).unwrap();
        assert_eq!(outcomes, [both(value, 10.0 * value, "h")]);
    }
}

#[test]
fn a_guest_that_remembers_the_session_before_is_exposed_by_the_contract() {
    let guest = Guest {
        definitions: "(global $before (mut f64) (f64.const 0))",
        at_three_hits: "(global.set $before (f64.const 1))",
        at_end: "(if (local.get $len) (then (f64.store (local.get $values)
                   (f64.add (f64.load (local.get $values)) (global.get $before)))))",
        ..Guest::default()
    };
    let rows = Rows::with_hits(&[0, 1, 3, 4]);
    let violation = contract::check(&guest.load().unwrap(), &rows.cases()).unwrap_err();
    assert!(
        matches!(violation, ContractViolation::GaveUp { .. } | ContractViolation::Composition { .. }),
        "{violation}"
    );
}

#[test]
fn nothing_is_remembered_from_one_call_to_the_next() {
    let guest = Guest {
        at_three_hits: "(local.set $value (f64.convert_i32_u (i32.load (i32.const 3072))))
                        (i32.store (i32.const 3072) (i32.const 1))",
        ..Guest::default()
    };
    let scorer = guest.load().unwrap();
    let rows = Rows::with_hits(&[3]);
    for _ in 0..3 {
        assert_eq!(scorer.score(&rows.cases()).unwrap(), [ScoreOutcome::complete(0.0, String::new())]);
    }
}
