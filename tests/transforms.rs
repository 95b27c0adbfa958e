//! Pipelines of several stages through whole benchmarks: transforms over a corpus, components that retrieve and re-rank.

use rematch_engine::session::{Ranking, StageState};

use crate::sample;
use crate::workbench::{Workbench, count, rankings_in, result};

/// A re-ranker that turns each list round; it fails on lists of `CULPRIT` hits.
const TURN: &str = r#"
(module
  (memory (export "memory") 2)
  (data (i32.const 128) "turn1.0")
  (data (i32.const 64) "\80\00\00\00\04\00\00\00" "\84\00\00\00\03\00\00\00" "\00\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00" "\00\00\01")
  (global $free (mut i32) (i32.const 8192))
  (func $allocate (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))) (then
      (drop (memory.grow (i32.const 16)))))
    (local.get $at))
  (func (export "rematch:scoring/reranking@0.1.0#describe") (result i32) (i32.const 64))
  (func (export "rematch:scoring/reranking@0.1.0#rerank") (param $args i32) (result i32)
    (local $given i32) (local $total i32) (local $items i32) (local $at i32)
    (local.set $given (i32.load offset=116 (local.get $args)))
    (local.set $total (i32.load offset=120 (local.get $args)))
    (if (i32.eq (local.get $total) (i32.const CULPRIT)) (then unreachable))
    (local.set $items (call $allocate (i32.const 0) (i32.const 0) (i32.const 4)
      (i32.mul (local.get $total) (i32.const 4))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $total)))
        (i32.store (i32.add (local.get $items) (i32.mul (local.get $at) (i32.const 4)))
          (i32.load (i32.add (local.get $given) (i32.mul (i32.const 4)
            (i32.sub (i32.sub (local.get $total) (local.get $at)) (i32.const 1))))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i32.store (i32.const 1028) (i32.load offset=108 (local.get $args)))
    (i32.store (i32.const 1032) (i32.load offset=112 (local.get $args)))
    (i32.store (i32.const 1036) (local.get $items))
    (i32.store (i32.const 1040) (local.get $total))
    (i32.const 1024)))
"#;

/// A benchmark of the small shop in which BM25 stands against BM25 with more stages.
fn with_stages(stages: &str) -> Workbench {
    let bench = sample::shop(&sample::sessions(30));
    bench.write(
        "bench.toml",
        format!(
            r#"
            name = "stages"
            baseline = "search"
            candidates = ["staged"]
            sessions.path = "sessions.jsonl"
            depth = 20
            corpus.products = {{ path = "products.jsonl", id = "item_id" }}
            [[retriever]]
            id = "search"
            stages = [{{ kind = "bm25", corpus = "products", fields = {{ title = 1.0 }} }}]
            [[retriever]]
            id = "staged"
            stages = [{{ kind = "bm25", corpus = "products", fields = {{ title = 1.0 }} }}, {stages}]
            "#
        ),
    );
    bench
}

/// Returns the rankings of a retriever, in the order of the sessions.
fn rankings(bench: &Workbench, retriever: &str) -> Vec<Ranking> {
    rankings_in(&bench.path("out")).into_iter().filter(|ranking| ranking.retriever_id == retriever).collect()
}

fn items(ranking: &Ranking) -> Vec<&str> {
    ranking.hits.iter().map(|hit| hit.item_id.as_str()).collect()
}

fn write_turn(bench: &Workbench, culprit: usize) {
    let core = wat::parse_str(TURN.replace("CULPRIT", &culprit.to_string())).expect("a module");
    bench.write("turn.wasm", rematch_engine::sandbox::pack(&core).expect("a component"));
}

#[test]
fn transforms_follow_one_another_and_each_is_recorded() {
    let bench = with_stages(
        r#"{ kind = "filter", corpus = "products", where = "title NOT LIKE '%red%'" },
           { kind = "boost", corpus = "products", by = "CASE WHEN title LIKE '%blue%' THEN 100 END" },
           { kind = "dedupe", corpus = "products", field = "title", name = "one-each" },
           { kind = "truncate", k = 3 }"#,
    );
    bench.report();
    let titles = std::fs::read_to_string(bench.path("products.jsonl")).expect("products");
    let title = |item: &str| -> String {
        let line = titles.lines().find(|line| line.contains(&format!("\"{item}\""))).expect("a product");
        line.to_owned()
    };
    let (plain, staged) = (rankings(&bench, "search"), rankings(&bench, "staged"));
    assert!(plain.iter().any(|ranking| ranking.hits.len() > 3));
    for (plain, staged) in plain.iter().zip(&staged) {
        let mut expected: Vec<&str> = items(plain);
        expected.retain(|item| !title(item).contains("red"));
        expected.sort_by_key(|item| !title(item).contains("blue"));
        expected.truncate(3);
        assert_eq!(items(staged), expected, "{}", staged.session_id);
        let names: Vec<&str> = staged.stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names, ["bm25", "filter", "boost", "one-each", "truncate"]);
        assert_eq!(staged.stages[4].hits, i64::try_from(expected.len()).expect("few"));
        assert!(staged.stages[1..].iter().all(|stage| stage.state == StageState::Ok));
    }
}

#[test]
fn a_component_orders_the_top_anew_and_what_is_below_follows() {
    let bench = with_stages(r#"{ kind = "rerank", plugin = "turn.wasm", top = 2 }"#);
    write_turn(&bench, 1000);
    bench.report();
    let (plain, staged) = (rankings(&bench, "search"), rankings(&bench, "staged"));
    for (plain, staged) in plain.iter().zip(&staged) {
        let mut expected = items(plain);
        let top = expected.len().min(2);
        expected[..top].reverse();
        assert_eq!(items(staged), expected);
    }
}

#[test]
fn a_session_that_a_component_fails_on_fails_alone_or_goes_on_without_it() {
    for (on_error, answered) in [("fail", false), ("skip", true)] {
        // Who looks for something red finds fewer things than others.
        let filter = r#"{ kind = "filter", corpus = "products", where = "title NOT LIKE 'red%'" }"#;
        let rerank = format!(r#"{{ kind = "rerank", plugin = "turn.wasm", on-error = "{on_error}" }}"#);
        let bench = with_stages(&format!("{filter}, {rerank}"));
        write_turn(&bench, 1000);
        bench.report();
        let turned = rankings(&bench, "staged");
        let fewest = turned.iter().map(|ranking| ranking.hits.len()).min().expect("sessions");
        let failing = turned.iter().filter(|ranking| ranking.hits.len() == fewest).count();
        assert!((1..turned.len()).contains(&failing));

        std::fs::remove_dir_all(bench.path("out")).expect("removed");
        write_turn(&bench, fewest);
        let report = bench.report();
        let expected = if answered { 0 } else { failing as u64 };
        assert_eq!(count(&result(&report, "staged")["failed_sessions"]), expected, "{on_error}");
        for (turned, found) in turned.iter().zip(&rankings(&bench, "staged")) {
            match (turned.hits.len() == fewest, answered) {
                (false, _) => assert_eq!(items(found), items(turned)),
                (true, true) => {
                    let mut as_before = items(turned);
                    as_before.reverse();
                    assert_eq!(items(found), as_before);
                    assert_eq!(found.stages[2].state, StageState::Skipped);
                }
                (true, false) => {
                    assert_eq!(found.error_kind.as_deref(), Some("plugin"));
                    assert!(found.error.as_deref().is_some_and(|error| error.contains("plugin `turn 1.0`")));
                }
            }
        }
    }
}

#[test]
fn a_mistake_in_a_stage_is_told_with_its_place_or_its_reason() {
    for (stage, code, told) in [
        (r#"{ kind = "rerank", top = 3 }"#, 2, "needs the key `plugin` or the key `http`"),
        (r#"{ kind = "filter", corpus = "products" }"#, 2, "a `filter` stage needs the key `where`"),
        (r#"{ kind = "filter", corpus = "things", where = "true" }"#, 2, "unknown corpus `things`"),
        (r#"{ kind = "filter", corpus = "products", where = "colour = 'red'" }"#, 2, "colour"),
        (r#"{ kind = "boost", corpus = "products", by = "" }"#, 2, "it is empty, expected for example"),
        (r#"{ kind = "truncate", k = 0 }"#, 2, "k"),
        (r#"{ kind = "rerank", plugin = "none.wasm" }"#, 3, "none.wasm"),
        (r#"{ kind = "rerank", plugin = "products.jsonl" }"#, 6, "it is not a WebAssembly component"),
        (r#"{ kind = "shown" }"#, 2, "`shown` is a source"),
    ] {
        let bench = with_stages(stage);
        bench.run().exits(code).complains(&[told]);
    }
    // A broken component is found without a run.
    let bench = with_stages(r#"{ kind = "rerank", plugin = "products.jsonl" }"#);
    let validated = crate::rematch::rematch(["validate", &bench.path("bench.toml").display().to_string()]);
    validated.exits(6).complains(&["it is not a WebAssembly component"]);
}

#[test]
fn inspect_says_what_stage_a_component_is() {
    let bench = Workbench::empty();
    write_turn(&bench, 1000);
    let path = bench.path("turn.wasm").display().to_string();
    let said = crate::rematch::rematch(["plugin", "inspect", &path]).exits(0).stdout;
    assert!(said.contains("a stage `rerank`: orders the hits of earlier stages anew"), "{said}");
    assert!(said.contains("rematch:scoring/stage-types@0.1.0") || !said.contains("stage-types"), "{said}");
}

#[test]
fn a_recording_alone_has_a_depth_and_a_name_of_its_own() {
    let bench = sample::shop(&sample::sessions(10));
    let lines = (0..10)
        .flat_map(|session| (1..=5).map(move |rank| format!("s{session:04} Q0 p{rank} {rank} {} t\n", 10 - rank)));
    bench.write("log.run", lines.collect::<String>());
    bench.write(
        "bench.toml",
        r#"
        name = "recorded"
        baseline = "whole"
        candidates = ["head"]
        sessions.path = "sessions.jsonl"
        [[retriever]]
        id = "whole"
        stages = [{ kind = "recorded", path = "log.run", missing = "empty" }]
        [[retriever]]
        id = "head"
        stages = [{ kind = "recorded", path = "log.run", missing = "empty", name = "log", depth = 2 }]
        "#,
    );
    bench.run().exits(0);
    for ranking in rankings_in(&bench.path("out")) {
        let is_head = ranking.retriever_id == "head";
        assert_eq!(ranking.stages[0].name, if is_head { "log" } else { "recorded" });
        assert!(ranking.hits.len() <= if is_head { 2 } else { 5 });
    }
}
