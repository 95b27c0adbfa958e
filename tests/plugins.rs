//! The example scorers, built from source in four languages and run through whole benchmarks.
//!
//! Building needs the guest toolchains, which `rematch plugin setup` installs into `plugins/.toolchain`; these tests run
//! where `REMATCH_GUEST_TOOLCHAIN` is 1.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rematch_engine::session::{Judgment, ScoreState, Session};
use serde_json::Value;
use tempfile::TempDir;

use crate::rematch::{Outcome, call, command, workspace};
use crate::sample;
use crate::workbench::{Workbench, metrics, rankings_in, result};

const LANGUAGES: [&str; 4] = ["rust", "c", "python", "js"];

/// An example's folder, and what its scorer's table in a benchmark needs beside name and plugin.
const EXAMPLES: [(&str, &str); 12] = [
    ("revenue-ndcg", ""),
    ("category-diversity", "items = { corpus = \"products\", fields = [\"taxonomy\"] }"),
    ("freshness-decay", "items = { corpus = \"products\", fields = [\"listed\"] }"),
    ("brand-fairness", "items = { corpus = \"products\", fields = [\"brand\"] }"),
    ("query-words", "items = { corpus = \"products\", fields = [\"title\"] }"),
    ("snippet-judge", "items = { corpus = \"products\", fields = [\"title\"] }"),
    ("rbp", ""),
    ("half-life-utility", ""),
    ("ndcg/rust", ""),
    ("ndcg/c", ""),
    ("ndcg/python", ""),
    ("ndcg/js", ""),
];

/// The folder of the toolchains, once they are there; `None` where they are not wanted.
static TOOLCHAINS: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    if std::env::var("REMATCH_GUEST_TOOLCHAIN").as_deref() != Ok("1") {
        return None;
    }
    let folder = workspace().join("plugins/.toolchain");
    let mut setup = command();
    setup.env("REMATCH_TOOLCHAINS", &folder).args(["plugin", "setup"]).args(LANGUAGES);
    call(&mut setup).exits(0);
    Some(folder)
});

/// Every example as a component.
static BUILT: LazyLock<TempDir> = LazyLock::new(|| {
    let built = tempfile::tempdir().expect("a temporary folder");
    for (example, _) in EXAMPLES {
        build(&workspace().join("plugins").join(example), &component(built.path(), example));
    }
    built
});

/// Returns the folder of the toolchains, or says that the test is skipped.
fn toolchains() -> Option<&'static Path> {
    if TOOLCHAINS.is_none() {
        eprintln!("skipped: REMATCH_GUEST_TOOLCHAIN is not 1");
    }
    TOOLCHAINS.as_deref()
}

fn plugin(arguments: &[&str]) -> Outcome {
    let mut run = command();
    if let Some(folder) = TOOLCHAINS.as_deref() {
        run.env("REMATCH_TOOLCHAINS", folder);
    }
    call(run.arg("plugin").args(arguments))
}

fn build(project: &Path, out: &Path) {
    plugin(&["build", &project.display().to_string(), "-o", &out.display().to_string()]).exits(0);
}

fn component(folder: &Path, example: &str) -> PathBuf {
    folder.join(format!("{}.wasm", example.replace('/', "-")))
}

/// The table of an example's scorer in a benchmark.
fn scorer(example: &str, keys: &str) -> String {
    let plugin = component(BUILT.path(), example);
    format!("[[scorer]]\nname = \"{}\"\nplugin = {plugin:?}\n{keys}\n", example.replace('/', "-"))
}

#[test]
fn every_example_scores_a_whole_benchmark() {
    if toolchains().is_none() {
        return;
    }
    let bench = Workbench::empty();
    for file in ["sessions.parquet", "products.jsonl"] {
        bench.write(file, std::fs::read(workspace().join("data/shop").join(file)).expect("sample data"));
    }
    let shop = std::fs::read_to_string(workspace().join("data/shop/bench.toml")).expect("the benchmark");
    let (before, _) = shop.split_once("[[scorer]]").expect("scorers");
    let scorers: String = EXAMPLES.iter().map(|(example, keys)| scorer(example, keys)).collect();
    bench.write("bench.toml", format!("{before}{scorers}[output]\ndir = \"runs\"\n"));
    let report = bench.report();
    for arm in ["prod", "boosted"] {
        for (example, _) in EXAMPLES {
            let found = &result(&report, arm)["scorers"][example.replace('/', "-")];
            assert_eq!(found["error"], 0, "{example}: {found}");
            assert!(found["complete"].as_u64().expect("a count") > 50, "{example}: {found}");
            assert!(found["mean"].as_f64().expect("a mean").is_finite(), "{example}: {found}");
        }
    }
    let compared = &report["comparison"]["comparisons"][0];
    for (example, _) in EXAMPLES {
        let test = &compared["metrics"][example.replace('/', "-")];
        assert!(test["identical"] == true || test["p"].is_number(), "{example}: {test}");
    }
    let summed = &compared["aggregates"]["revenue-ndcg"];
    assert!(summed["delta"].is_number() && summed["ci95"][0].is_number(), "{summed}");
}

#[test]
fn the_example_of_a_stage_orders_hits_anew() {
    if toolchains().is_none() {
        return;
    }
    let bench = Workbench::empty();
    for file in ["sessions.parquet", "products.jsonl"] {
        bench.write(file, std::fs::read(workspace().join("data/shop").join(file)).expect("sample data"));
    }
    build(&workspace().join("plugins/popularity-rerank"), &bench.path("popularity-rerank.wasm"));
    bench.write(
        "bench.toml",
        r#"
        name = "popular"
        baseline = "prod"
        candidates = ["popular"]
        sessions.path = "sessions.parquet"
        corpus.products = { path = "products.jsonl", id = "item_id" }
        [[retriever]]
        id = "prod"
        stages = [{ kind = "bm25", corpus = "products", fields = { title = 1.0 } }]
        [[retriever]]
        id = "popular"
        [[retriever.stages]]
        kind = "bm25"
        corpus = "products"
        fields = { title = 1.0 }
        [[retriever.stages]]
        kind = "rerank"
        plugin = "popularity-rerank.wasm"
        top = 50
        items = { corpus = "products", fields = ["rating"] }
        params = { field = "rating", weight = 0.2 }
        "#,
    );
    let report = bench.report();
    assert_eq!(result(&report, "popular")["failed_sessions"], 0);
    let rankings = rankings_in(&bench.path("out"));
    let of = |retriever: &'static str| rankings.iter().filter(move |ranking| ranking.retriever_id == retriever);
    let mut moved = 0;
    for (plain, popular) in of("prod").zip(of("popular")) {
        let items = |ranking: &rematch_engine::session::Ranking| -> Vec<String> {
            ranking.hits.iter().map(|hit| hit.item_id.clone()).collect()
        };
        let (before, after) = (items(plain), items(popular));
        moved += usize::from(before != after);
        let sorted = |mut items: Vec<String>| {
            items.sort();
            items
        };
        assert_eq!(sorted(before), sorted(after));
    }
    assert!(moved > 100, "{moved} lists changed");
}

#[test]
fn the_component_in_the_repository_is_what_its_source_gives() {
    if toolchains().is_none() {
        return;
    }
    let kept = workspace().join("plugins/half-life-utility/half-life-utility.wasm");
    let built = std::fs::read(component(BUILT.path(), "half-life-utility")).expect("the component");
    assert!(built == std::fs::read(kept).expect("the component"), "the rebuilt component has other bytes");
}

/// Ten thousand sessions with 0 to 8 judged items, grades from -1 to 4, of which most are somewhere in a ranking of 0 to
/// 30 hits.
fn judged(bench: &Workbench) {
    let mut state = 7_u64;
    let mut draw = |below: u64| {
        // Knuth's MMIX constants; the upper bits are good enough to draw from.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (mut sessions, mut old, mut new) = (Vec::new(), String::new(), String::new());
    for index in 0..10_000 {
        let session_id = format!("s{index:05}");
        let grades = (0..draw(9))
            .map(|item| Judgment { item_id: format!("d{}", item * 5), grade: (draw(11) as f32 - 2.0) / 2.0 });
        sessions.push(Session { judgments: grades.collect(), session_id: session_id.clone(), ..Session::default() });
        for run in [&mut old, &mut new] {
            let start = draw(12);
            for rank in 1..=draw(31) {
                run.push_str(&format!("{session_id} Q0 d{} {rank} {} tag\n", start + rank, 1000 - rank));
            }
        }
    }
    bench.write("sessions.jsonl", sample::jsonl(&sessions));
    bench.write("old.run", old);
    bench.write("new.run", new);
}

#[test]
fn ndcg_in_four_languages_equals_the_built_in_metric() {
    if toolchains().is_none() {
        return;
    }
    let names = LANGUAGES.map(|language| format!("ndcg-{language}"));
    let scorers: String =
        LANGUAGES.iter().map(|language| scorer(&format!("ndcg/{language}"), "params = { k = 10 }")).collect();
    let bench = Workbench::new(&format!(
        r#"
        name = "ndcg"
        baseline = "old"
        candidates = ["new"]
        sessions.path = "sessions.jsonl"
        metrics.primary = "nDCG@10"
        retriever = [
            {{ id = "old", stages = [{{ kind = "recorded", path = "old.run", missing = "empty" }}] }},
            {{ id = "new", stages = [{{ kind = "recorded", path = "new.run", missing = "empty" }}] }},
        ]
        {scorers}
        "#
    ));
    judged(&bench);
    let report = bench.report();
    let measures: Vec<String> = metrics(&report).into_iter().filter(|name| name != "scenario_score").collect();
    let place = |name: &str| measures.iter().position(|measure| measure == name).expect("a measure");
    let (native, guests) = (place("nDCG@10"), names.each_ref().map(|name| place(name)));
    let rows = bench.scores(&measures);
    assert_eq!(rows.len(), 20_000);
    let mut defined = 0;
    for row in &rows {
        for (name, guest) in names.iter().zip(guests) {
            match (row.measures[native], row.measures[guest]) {
                (None, None) => {}
                (Some(native), Some(guest)) => {
                    assert!((native - guest).abs() <= 1e-12, "{} {name}: {guest}, natively {native}", row.session_id);
                }
                different => panic!("{} {name}: {different:?}", row.session_id),
            }
        }
        assert!(row.scorers.iter().all(|scorer| scorer.state != ScoreState::Error), "{row:?}");
        defined += usize::from(row.measures[native].is_some());
    }
    assert!((10_000..20_000).contains(&defined), "{defined} sessions have something to find");
}

#[test]
fn a_new_project_of_every_language_builds_and_passes_the_plugin_tests() {
    if toolchains().is_none() {
        return;
    }
    for language in LANGUAGES {
        let folder = Workbench::empty();
        let project = folder.path("my-scorer");
        plugin(&["new", "--lang", language, "my-scorer", "--dir", &project.display().to_string()]).exits(0);
        plugin(&["build", &project.display().to_string()]).exits(0);
        let tested = plugin(&["test", &project.join("my-scorer.wasm").display().to_string(), "--json"]).exits(0);
        let said: Value = serde_json::from_str(&tested.stdout).expect("JSON");
        assert!(said.is_object(), "{language}: {said}");
    }
}
