//! User scorers are compared like any metric, and what they cannot score is counted, never hidden.

use serde_json::{Value, json};

use crate::sample;
use crate::workbench::{Workbench, mean, metrics, result};

/// A component that says at which rank, at least 0, the first judged hit stands (`HIGHER`: whether more is better), with
/// the reciprocal rank as a sub-score. It traps where the rank is `TRAP`.
const FIRST_RANK: &str = r#"
(module
  (memory (export "memory") 2)
  (data (i32.const 128) "first-rankreciprocal")
  (data (i32.const 64) "\80\00\00\00\0a\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00" "\01\00\00\00" "\08\01\00\00\02\00\00\00")
  (data (i32.const 264) "\80\00\00\00\0a\00\00\00" "\00\00\00\00\00\00\00\00" "\HIGHER")
  (data (i32.const 288) "\01")
  (data (i32.const 320) "\8a\00\00\00\0a\00\00\00" "\00\00\00\00\00\00\00\00" "\01")
  (global $free (mut i32) (i32.const 8192))
  (func $allocate (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func (export "rematch:scoring/guest@0.1.0#describe") (result i32) (i32.const 64))
  (func $row (param $column i32) (param $index i32) (result i32)
    (i32.add (local.get $column) (i32.shl (local.get $index) (i32.const 2))))
  (func (export "rematch:scoring/guest@0.1.0#score") (param $batch i32) (result i32)
    (local $len i32) (local $i i32) (local $offsets i32) (local $rank i32)
    (local $values i32) (local $undefined i32) (local $missing i32) (local $at i32)
    (local.set $len (i32.load (local.get $batch)))
    (local.set $offsets (i32.load offset=4 (local.get $batch)))
    (local.set $values
      (call $allocate (i32.const 0) (i32.const 0) (i32.const 8) (i32.mul (local.get $len) (i32.const 16))))
    (local.set $undefined
      (call $allocate (i32.const 0) (i32.const 0) (i32.const 8) (i32.mul (local.get $len) (i32.const 8))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $len)))
        (local.set $at (i32.load (call $row (local.get $offsets) (local.get $i))))
        (if (i32.eq (local.get $at) (i32.load offset=4 (call $row (local.get $offsets) (local.get $i))))
          (then
            (i32.store (call $row (local.get $undefined) (local.get $missing)) (local.get $i))
            (i32.store offset=4 (call $row (local.get $undefined) (local.get $missing))
              (i32.add (local.get $len) (local.get $i)))
            (local.set $missing (i32.add (local.get $missing) (i32.const 2))))
          (else
            (local.set $rank (i32.load (call $row (i32.load offset=12 (local.get $batch)) (local.get $at))))
            (if (i32.eq (local.get $rank) (i32.const TRAP)) (then unreachable))
            (f64.store (i32.add (local.get $values) (i32.shl (local.get $i) (i32.const 3)))
              (f64.convert_i32_u (local.get $rank)))
            (f64.store
              (i32.add (local.get $values) (i32.shl (i32.add (local.get $len) (local.get $i)) (i32.const 3)))
              (f64.div (f64.const 1) (f64.convert_i32_u (local.get $rank))))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (i32.store (i32.const 1028) (local.get $values))
    (i32.store (i32.const 1032) (i32.shl (local.get $len) (i32.const 1)))
    (i32.store (i32.const 1036) (local.get $undefined))
    (i32.store (i32.const 1040) (local.get $missing))
    (i32.const 1024))
  AGGREGATE)
"#;

/// Its aggregation: how many sessions have a rank.
const COUNT: &str = r#"
  (func (export "rematch:scoring/aggregation@0.1.0#aggregate")
    (param $metrics i32) (param i32 i32 i32) (result i32)
    (local $at i32) (local $end i32) (local $count i32)
    (local.set $at (i32.load offset=8 (local.get $metrics)))
    (local.set $end (i32.add (local.get $at) (i32.load offset=12 (local.get $metrics))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $count (i32.add (local.get $count) (i32.load8_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i32.store8 (i32.const 1200) (i32.const 0))
    (i32.store8 (i32.const 1208) (i32.const 1))
    (f64.store (i32.const 1216) (f64.convert_i32_u (local.get $count)))
    (i32.const 1200))
"#;

const LOWER: &str = "00";
const HIGHER: &str = "01";
const NEVER: &str = "0";

/// Returns the component; nothing makes it trap.
pub(crate) fn component() -> Vec<u8> {
    component_with("", "", "")
}

/// Returns the component with code of one's own: definitions of the module, and what comes first in `describe` and `score`.
pub(crate) fn component_with(definitions: &str, at_describe: &str, at_score: &str) -> Vec<u8> {
    let text = FIRST_RANK.replace("HIGHER", HIGHER).replace("TRAP", NEVER).replace("AGGREGATE", definitions);
    let text = text.replace("(result i32) (i32.const 64))", &format!("(result i32) {at_describe} (i32.const 64))"));
    let begins = "(local.set $len (i32.load (local.get $batch)))";
    let text = text.replace(begins, &format!("{at_score} {begins}"));
    rematch_engine::score::wasm::pack(&wat::parse_str(text).expect("a module")).expect("a component")
}

/// Adds the component as the scorer `rank`, with `keys` of its own.
fn add_scorer(bench: &Workbench, better: &str, trap: &str, keys: &str) {
    add(bench, &FIRST_RANK.replace("HIGHER", better).replace("TRAP", trap).replace("AGGREGATE", ""), keys);
}

fn add(bench: &Workbench, text: &str, keys: &str) {
    let core = wat::parse_str(text).expect("a module");
    bench.write("rank.wasm", rematch_engine::score::wasm::pack(&core).expect("a component"));
    let benchmark = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    bench.write(
        "bench.toml",
        format!("{benchmark}\n[[scorer]]\nname = \"rank\"\nplugin = \"rank.wasm\"\nbatch = 4\n{keys}\n"),
    );
}

/// Twenty sessions in which the candidate puts the wanted item one to three ranks higher.
fn improved() -> Workbench {
    let ranks: Vec<(usize, usize)> = (0..20).map(|index| (5 + index % 3, 4)).collect();
    sample::recorded(&ranks, |_| None)
}

fn comparison<'a>(report: &'a Value, measure: &str) -> &'a Value {
    &report["comparison"]["comparisons"][0]["metrics"][measure]
}

#[test]
fn a_scorer_and_its_sub_scores_are_compared_like_metrics() {
    let bench = improved();
    add_scorer(&bench, LOWER, NEVER, "");
    let report = bench.report();
    let measures = metrics(&report);
    assert_eq!(measures[measures.len() - 3..], ["rank", "rank.reciprocal", "scenario_score"]);
    let rank = comparison(&report, "rank");
    // 7 x 5, 7 x 6 and 6 x 7 become 4: lower is better, so every session is won though the difference is negative.
    assert_eq!((&rank["delta"], &rank["win"], &rank["loss"]), (&json!(-1.95), &json!(20), &json!(0)));
    assert_eq!((&rank["lower_is_better"], &rank["n"]), (&json!(true), &json!(20)));
    assert!(rank["p"].as_f64().expect("p") < 1e-6 && rank["ci95"][1].as_f64().expect("an end") < 0.0, "{rank}");
    let same =
        |field: &str| assert_eq!(comparison(&report, "rank.reciprocal")[field], comparison(&report, "RR")[field]);
    ["delta", "ci95", "p", "d_z", "win"].into_iter().for_each(same);
    assert_eq!(mean(&report, "new", "rank"), 4.0);

    let columns = &measures[..measures.len() - 1];
    for row in bench.scores(columns).iter().filter(|row| row.retriever_id == "new") {
        assert_eq!(row.measures[columns.len() - 2..], [Some(4.0), Some(0.25)]);
        assert_eq!((row.scorers[0].value, row.scenario_score), (Some(4.0), Some(4.0)));
    }
}

#[test]
fn a_scorer_can_decide_the_verdict_and_a_gate_in_its_own_direction() {
    for (better, verdict, gate, code) in [(LOWER, "better", "passed", 0), (HIGHER, "worse", "failed", 10)] {
        let bench = improved();
        let gates = "[[gate]]\nmetric = \"rank\"\nmax-regression = 0.5";
        add_scorer(&bench, better, NEVER, gates);
        bench.run_with(&["--quiet", "--set", "metrics.primary=\"rank\""]).exits(code);
        let report = bench.read_report();
        let found = &report["comparison"]["comparisons"][0];
        assert_eq!((&found["verdict"]["outcome"], &found["gates"][0]["state"]), (&json!(verdict), &json!(gate)));
        assert_eq!(report["run"]["primary_metric"], "rank");
        let improved = &result(&report, "new")["metrics"]["sessions_improved"];
        assert_eq!(improved, if better == LOWER { 20 } else { 0 });
    }
}

#[test]
fn errors_of_single_sessions_are_left_out_counted_as_zero_or_end_the_run() {
    // The baseline has rank 3 in one session, and the component traps there.
    let bench =
        || sample::recorded(&[(3, 1), (2, 1), (4, 2), (5, 2), (6, 3)].map(|(old, new)| (old, new + 3)), |_| None);

    let skipped = bench();
    add_scorer(&skipped, HIGHER, "3", "");
    let report = skipped.report();
    let scorer = &result(&report, "old")["scorers"]["rank"];
    assert_eq!((&scorer["complete"], &scorer["error"]), (&json!(4), &json!(1)));
    assert_eq!(scorer["mean"], 17.0 / 4.0);
    let first = scorer["first_error"].as_str().expect("an error");
    assert!(
        first.contains("q000") && first.contains("plugin `first-rank`") && first.contains("unreachable"),
        "{first}"
    );
    assert_eq!(comparison(&report, "rank")["n"], 4);
    assert_eq!(comparison(&report, "scenario_score")["n"], 4);

    let zero = bench();
    add_scorer(&zero, HIGHER, "3", "on-error = \"zero\"");
    let report = zero.report();
    let scorer = &result(&report, "old")["scorers"]["rank"];
    assert_eq!((&scorer["mean"], &scorer["error"]), (&json!(17.0 / 5.0), &json!(1)));
    assert_eq!(comparison(&report, "rank")["n"], 5);
    let said = zero.run_with(&[]).exits(0).stdout;
    assert!(said.contains("(1 error, counted as 0)") && said.contains("! session `q000`"), "{said}");

    let failed = bench();
    add_scorer(&failed, HIGHER, "3", "on-error = \"fail\"");
    failed.run().exits(6).complains(&["scorer `rank` failed", "session `q000`", "on-error = \"fail\""]);
}

#[test]
fn where_lower_is_better_a_fall_is_a_gain() {
    let ranks: Vec<(usize, usize)> = (0..6).map(|index| [(7, 4), (5, 4), (2, 6)][index % 3]).collect();
    let bench = sample::recorded(&ranks, |_| None);
    add_scorer(&bench, LOWER, NEVER, "");
    bench.run_with(&["--quiet", "--set", "metrics.primary=\"rank\""]).exits(0);
    let changes = &bench.read_report()["comparison"]["comparisons"][0]["largest_changes"];
    let told = |direction: &str| -> Vec<Value> {
        let list = changes[direction].as_array().expect("a list").iter();
        list.map(|change| json!([change["session_id"], change["delta"]])).collect()
    };
    assert_eq!(told("losses"), [json!(["q002", 4.0]), json!(["q005", 4.0])]);
    let gains = [("q000", -3.0), ("q003", -3.0), ("q001", -1.0), ("q004", -1.0)];
    assert_eq!(told("gains"), gains.map(|(id, delta)| json!([id, delta])));
    let page = std::fs::read_to_string(bench.path("out/report.html")).expect("a page");
    assert!(page.contains("Searches that changed most by rank (lower is better)"), "{page}");
    assert!(!page.contains("rematch explain"), "{page}");
}

#[test]
fn a_verdict_on_a_scorer_that_fails_often_is_inconclusive() {
    // Rank 4 of the candidate is what it is better at, and where the component traps in a quarter of the sessions.
    let ranks: Vec<(usize, usize)> = (0..20).map(|index| (9, if index % 4 == 0 { 3 } else { 5 + index % 2 })).collect();
    let bench = sample::recorded(&ranks, |_| None);
    add_scorer(&bench, LOWER, "3", "");
    bench.run_with(&["--quiet", "--set", "metrics.primary=\"rank\""]).exits(0);
    let found = bench.read_report()["comparison"]["comparisons"][0].clone();
    assert_eq!(found["dropped"], json!({ "scorer_failed": 5 }));
    assert_eq!(found["verdict"]["outcome"], "inconclusive");
    let sentence = found["verdict"]["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("a retriever or scorer failed on 5 of 20 sessions"), "{sentence}");
}

#[test]
fn scorers_that_contradict_one_another_are_refused_with_the_fix() {
    let bench = improved();
    add_scorer(&bench, LOWER, NEVER, "[[scorer]]\nname = \"relevance\"\nmetric = \"nDCG@10\"");
    bench
        .run()
        .exits(6)
        .complains(&["`relevance` is better when it is higher and `rank` when it is lower", "two benchmarks"]);

    let bench = improved();
    add_scorer(&bench, LOWER, NEVER, "on-error = \"zero\"");
    bench.run().exits(6).complains(&["an error would be the best score", "on-error = \"skip\""]);

    let bench = improved();
    add_scorer(&bench, LOWER, NEVER, "[[gate]]\nmetric = \"rank.reciprocl\"\nmax-regression = 0.1");
    bench.run().exits(6).complains(&["no score `rank.reciprocl`, which `gate` names", "`rank.reciprocal`"]);

    let bench = improved();
    add_scorer(&bench, LOWER, NEVER, "[[scorer]]\nname = \"nDCG@10\"\nmetric = \"nDCG@10\"");
    bench.run().exits(2).complains(&["bench.toml:", "the name `nDCG@10` is taken by a metric"]);

    let bench = improved();
    add_scorer(&bench, LOWER, NEVER, "");
    bench
        .run_with(&["--set", "metrics.primary=\"rnk\""])
        .exits(2)
        .complains(&["unknown metric `rnk`", "nor is it one of the scorers `rank`"]);
}

/// Forty sessions in which the candidate is better, but for the scorer, which traps in three quarters of them.
fn mostly_failing(keys: &str) -> Workbench {
    let ranks = (0..40).map(|index| (7 + index % 2, if index % 4 == 0 { 4 + index / 4 % 3 } else { 3 }));
    let bench = sample::recorded(&ranks.collect::<Vec<_>>(), |_| None);
    add_scorer(&bench, LOWER, "3", keys);
    bench
}

#[test]
fn failures_of_a_scorer_reach_whatever_is_decided_by_it() {
    // The verdict on the scenario score.
    let bench = mostly_failing("");
    bench.run_with(&["--quiet", "--set", "metrics.primary=\"scenario_score\""]).exits(0);
    let found = bench.read_report()["comparison"]["comparisons"][0].clone();
    assert_eq!(found["dropped"], json!({ "scorer_failed": 30 }));
    assert_eq!(found["verdict"]["outcome"], "inconclusive");

    // A gate on the scorer, beside a verdict on something else.
    let bench = mostly_failing("[[gate]]\nmetric = \"rank\"\nmax-regression = 0.5\non-inconclusive = \"fail\"");
    bench.run_with(&["--quiet"]).exits(11);
    let found = bench.read_report()["comparison"]["comparisons"][0].clone();
    assert_eq!(found["verdict"]["outcome"], "better", "the metric is not the scorer's business");
    let reason = found["gates"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("a retriever or scorer failed on 30 of 40 sessions"), "{reason}");
}

#[test]
fn pairs_that_stand_on_an_error_counted_as_zero_are_named() {
    let ranks: Vec<(usize, usize)> = (0..40).map(|index| (7, if index % 4 == 0 { 5 } else { 3 })).collect();
    let bench = sample::recorded(&ranks, |_| None);
    add_scorer(&bench, HIGHER, "3", "on-error = \"zero\"");
    bench.run_with(&["--quiet", "--set", "metrics.primary=\"rank\""]).exits(0);
    let found = bench.read_report()["comparison"]["comparisons"][0].clone();
    assert_eq!(found["metrics"]["rank"]["errors_as_zero"], 30);
    let cautions = found["verdict"]["cautions"].to_string();
    assert!(cautions.contains("an error of a scorer counts as 0 in 30 of the 40 pairs"), "{cautions}");
}

#[test]
fn one_error_among_undefined_sessions_does_not_end_the_run() {
    // The wanted item is found in one session only, and there the component traps.
    let ranks: Vec<(usize, usize)> = (0..12).map(|index| (1, if index == 0 { 3 } else { 0 })).collect();
    let bench = sample::recorded(&ranks, |_| None);
    add_scorer(&bench, HIGHER, "3", "");
    let report = bench.report();
    let scorer = &result(&report, "new")["scorers"]["rank"];
    assert_eq!((&scorer["complete"], &scorer["error"], &scorer["unknown"]), (&json!(0), &json!(1), &json!(11)));
}

#[test]
fn a_run_score_of_the_components_own_is_compared_over_all_sessions_by_cluster() {
    // The baseline finds the item in 10 of 40 sessions, the candidate in all; visits are pairs of sessions.
    let ranks: Vec<(usize, usize)> = (0..40).map(|index| (if index % 4 == 0 { 2 } else { 0 }, 2)).collect();
    let bench = sample::recorded(&ranks, |index| Some(format!("v{}", index / 2)));
    add(&bench, &FIRST_RANK.replace("HIGHER", LOWER).replace("TRAP", NEVER).replace("AGGREGATE", COUNT), "");
    let report = bench.report();
    assert_eq!(result(&report, "old")["scorers"]["rank"]["aggregate"], 10.0);
    let run = &report["comparison"]["comparisons"][0]["aggregates"]["rank"];
    assert_eq!((&run["baseline"], &run["candidate"], &run["delta"]), (&json!(10.0), &json!(40.0), &json!(30.0)));
    assert_eq!((&run["sessions"], &run["clusters"], &run["resamples"]), (&json!(40), &json!(20), &json!(999)));
    assert_eq!((&run["lower_is_better"], &run["p"]), (&json!(true), &json!(0.002)));
    // Each of 20 visits adds 1 or 2 with equal chance: 30 +- 1.96 * sqrt(20 * 0.25).
    let [low, high] = [0, 1].map(|end| run["ci95"][end].as_f64().expect("an end"));
    assert!((25.0..=27.0).contains(&low) && (33.0..=35.0).contains(&high), "{run}");
    let said = bench.run_with(&[]).exits(0).stdout;
    assert!(said.contains("rank of the run: 10.0000 and 40.0000, +30.0000"), "{said}");
    assert_eq!(comparison(&report, "rank")["n"], 10, "the mean is of sessions that both have");
}
