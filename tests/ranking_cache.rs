//! Rankings are kept from run to run, and whoever wants no old answers gets none.

use std::path::Path;

use rematch_engine::session::{Ranking, StageState};

use crate::rematch::{Outcome, call, command};
use crate::sample;
use crate::workbench::{Workbench, json, rankings_in};

fn run(bench: &Workbench, out: &str, cache: &Path, arguments: &[&str]) -> Outcome {
    let mut run = command();
    run.env("REMATCH_CACHE", cache).env_remove("REMATCH_CACHE_LIMIT");
    run.args(["run", "--quiet", "--out"]).arg(bench.path(out)).arg(bench.path("bench.toml")).args(arguments);
    call(&mut run)
}

/// Returns the states of all stages of the retriever `search`.
fn states(bench: &Workbench, out: &str) -> Vec<StageState> {
    let rankings = rankings_in(&bench.path(out));
    let search = rankings.iter().filter(|ranking| ranking.retriever_id == "search");
    let mut states: Vec<StageState> = search.flat_map(|ranking| &ranking.stages).map(|stage| stage.state).collect();
    states.dedup();
    states
}

/// Returns rankings without what an answer that was kept tells of another day.
fn comparable(run: &Path) -> Vec<Ranking> {
    let mut rankings = rankings_in(run);
    for ranking in &mut rankings {
        ranking.latency_ns = 0;
        for stage in &mut ranking.stages {
            (stage.latency_ns, stage.attempts, stage.state) = (0, 0, StageState::Ok);
        }
    }
    rankings
}

#[test]
fn an_unchanged_retriever_is_not_asked_again_and_says_the_same() {
    let bench = sample::shop(&sample::sessions(40));
    let cache = tempfile::tempdir().expect("a folder");
    for out in ["cold", "warm"] {
        run(&bench, out, cache.path(), &[]).exits(0);
    }
    assert_eq!((states(&bench, "cold"), states(&bench, "warm")), (vec![StageState::Ok], vec![StageState::Cached]));
    assert_eq!(comparable(&bench.path("warm")), comparable(&bench.path("cold")));
    for same in ["sessions.parquet", "scenario_scores.parquet", "comparisons.parquet", "manifest.json"] {
        let read = |out: &str| std::fs::read(bench.path(out).join(same)).expect("an artefact");
        assert!(read("cold") == read("warm"), "{same}");
    }
    // A look-up is no measurement: the warm run has no latency to compare.
    let report = json(&bench.path("warm/report.json"));
    let latency = serde_json::to_string(&report["results"]).expect("JSON");
    assert!(latency.contains("\"retriever_id\":\"search\""), "{latency}");

    run(&bench, "asked", cache.path(), &["--no-cache"]).exits(0);
    assert_eq!(states(&bench, "asked"), [StageState::Ok]);
}

#[test]
fn a_changed_retriever_or_corpus_finds_nothing_and_a_benchmark_may_say_no() {
    let bench = sample::shop(&sample::sessions(20));
    let cache = tempfile::tempdir().expect("a folder");
    run(&bench, "first", cache.path(), &[]).exits(0);
    let benchmark = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    bench.write("bench.toml", benchmark.replace("title = 1.0", "title = 2.0"));
    run(&bench, "changed", cache.path(), &[]).exits(0);
    assert_eq!(states(&bench, "changed"), [StageState::Ok]);

    bench.write("bench.toml", &benchmark);
    let products = std::fs::read_to_string(bench.path("products.jsonl")).expect("products");
    bench.write("products.jsonl", format!("{products}{{\"item_id\": \"new\", \"title\": \"red thing\"}}\n"));
    run(&bench, "grown", cache.path(), &[]).exits(0);
    assert_eq!(states(&bench, "grown"), [StageState::Ok]);

    bench.write("products.jsonl", &products);
    run(&bench, "again", cache.path(), &[]).exits(0);
    assert_eq!(states(&bench, "again"), [StageState::Cached]);
    bench.write("bench.toml", benchmark.replace("id = \"search\"", "id = \"search\"\ncache = false"));
    run(&bench, "no", cache.path(), &[]).exits(0);
    assert_eq!(states(&bench, "no"), [StageState::Ok]);
    bench.write("bench.toml", benchmark.replace("id = \"shown\"", "id = \"shown\"\ncache = true"));
    run(&bench, "shown", cache.path(), &[]).exits(2).complains(&["there is nothing to keep"]);
}

#[test]
fn the_cache_is_shown_and_cleared() {
    let bench = sample::shop(&sample::sessions(20));
    let cache = tempfile::tempdir().expect("a folder");
    let kept = |arguments: &[&str]| {
        let mut kept = command();
        kept.env("REMATCH_CACHE", cache.path()).env_remove("REMATCH_CACHE_LIMIT").arg("cache").args(arguments);
        call(&mut kept)
    };
    let files = || {
        let found: serde_json::Value = serde_json::from_str(&kept(&["show", "--json"]).exits(0).stdout).expect("JSON");
        found["found"]["files"].as_u64().expect("a count")
    };
    assert_eq!(files(), 0);
    run(&bench, "first", cache.path(), &[]).exits(0);
    assert_eq!(files(), 1);
    assert!(kept(&["show"]).exits(0).stdout.contains("1 pipelines, 1 files"));
    kept(&["clear"]).exits(0);
    assert_eq!(files(), 0);
    let mut wrong = command();
    wrong.env("REMATCH_CACHE_LIMIT", "much").args(["cache", "show"]);
    call(&mut wrong).exits(2).complains(&["`REMATCH_CACHE_LIMIT` is `much`, expected a size such as"]);
}
