//! Finished runs judged anew: `rematch rescore` and `rematch compare` replay nothing, and find what a run would find that does.

use std::path::{Path, PathBuf};

use rematch_engine::session::Session;
use serde_json::{Value, json};

use crate::rematch::{Outcome, rematch};
use crate::reproducible::timeless;
use crate::sample;
use crate::workbench::{Workbench, count, json, rankings_in, sessions, text};

/// Another candidate, which finds the same products in another order.
const SHORT: &str = r#"
[[retriever]]
id = "short"
stages = [
    { kind = "bm25", corpus = "products", fields = { title = 1.0 }, k1 = 0.1 },
    { kind = "truncate", k = 3 },
]
"#;

/// Enough sessions for several work units.
const SESSIONS: usize = 2500;

const FEW: usize = 60;

fn shop(count: usize) -> Workbench {
    let bench = sample::shop(&sample::sessions(count));
    bench.write("bench.toml", sample::BENCHMARK.to_owned() + SHORT);
    bench
}

fn call(bench: &Workbench, command: &str, runs: &[&str], arguments: &[&str]) -> Outcome {
    let mut all = vec![PathBuf::from(command)];
    all.extend(runs.iter().map(|run| bench.path(run)));
    all.extend(arguments.iter().map(|argument| match *argument {
        "bench.toml" => bench.path("bench.toml"),
        argument => PathBuf::from(argument),
    }));
    rematch(all)
}

fn rescore(bench: &Workbench, run: &str, out: &str, arguments: &[&str]) -> Outcome {
    let folder = bench.path(out).display().to_string();
    call(bench, "rescore", &[run], &[&["--out", &folder], arguments].concat())
}

fn compare(bench: &Workbench, runs: &[&str], out: &str, arguments: &[&str]) -> Outcome {
    let folder = bench.path(out).display().to_string();
    call(bench, "compare", runs, &[&["--out", &folder], arguments].concat())
}

fn remove_inputs(bench: &Workbench) {
    for name in ["products.jsonl", "sessions.jsonl"] {
        std::fs::remove_file(bench.path(name)).expect("removed");
    }
}

/// Asserts that two reports say the same of retrievers and comparison, times of a clock apart.
#[track_caller]
fn assert_same_numbers(one: &Path, other: &Path) {
    let (one, other) = (timeless(one), timeless(other));
    for part in ["results", "comparison"] {
        assert_eq!(one[part], other[part], "{part}");
    }
}

fn differences(report: &Value) -> Vec<&str> {
    report["run"]["differences"].as_array().expect("differences").iter().map(text).collect()
}

#[test]
fn a_run_rescored_by_its_own_settings_says_the_same_without_its_inputs() {
    let bench = shop(SESSIONS);
    bench.run_with(&["--quiet"]).exits(0);
    remove_inputs(&bench);
    rescore(&bench, "out", "again", &["--quiet"]).exits(0);
    let (before, after) = (json(&bench.path("out/report.json")), json(&bench.path("again/report.json")));
    // Latencies too: they are those of the replay.
    assert_eq!(before["results"], after["results"]);
    assert_eq!(before["comparison"], after["comparison"]);
    assert_eq!(before["run"]["selection"], after["run"]["selection"]);
    assert_ne!(before["run"]["id"], after["run"]["id"]);
    assert_eq!(after["run"]["borrowed_from"], json!([before["run"]["id"]]));
    for name in ["sessions.parquet", "rankings.parquet", "scenario_scores.parquet", "comparisons.parquet"] {
        let read = |run: &str| std::fs::read(bench.path(run).join(name)).expect("a table");
        assert!(read("out") == read("again"), "{name} differs");
    }
    let inputs = after["run"]["inputs"].as_array().expect("inputs");
    let names: Vec<&str> = inputs.iter().map(|input| text(&input["name"])).collect();
    let run = format!("run {}", text(&before["run"]["id"]));
    assert_eq!(names, ["pipeline search", "pipeline shown", run.as_str()]);

    let outcome = rescore(&bench, "out", "again", &[]).exits(0);
    assert!(outcome.stdout.starts_with("This run was finished before"), "{}", outcome.stdout);
    // What was rescored can be rescored.
    rescore(&bench, "again", "twice", &["--quiet"]).exits(0);
    assert_same_numbers(&bench.path("out"), &bench.path("twice"));
}

#[test]
fn a_rescored_run_says_what_a_run_with_these_settings_says() {
    let bench = shop(FEW);
    let settings = [
        "--quiet",
        "--set",
        "relevance.weights.purchase=50",
        "--set",
        "relevance.gain=exponential",
        "--set",
        "metrics.k=[3,5]",
        "--set",
        "metrics.primary=nDCG@5",
        "--set",
        "statistics.cluster-by=visit",
        "--set",
        "scorer=[{ name = \"found\", metric = \"RR\" }]",
    ];
    bench.run_with(&["--quiet"]).exits(0);
    bench.run_into("fresh", &settings).exits(0);
    remove_inputs(&bench);
    rescore(&bench, "out", "new", &[&["--benchmark", "bench.toml"], settings.as_slice()].concat()).exits(0);
    assert_same_numbers(&bench.path("fresh"), &bench.path("new"));
    // The run keeps its benchmark: without the file, the same.
    std::fs::remove_file(bench.path("bench.toml")).expect("removed");
    rescore(&bench, "out", "kept", &settings).exits(0);
    assert_same_numbers(&bench.path("fresh"), &bench.path("kept"));
    // What was rescored keeps what it was judged by.
    rescore(&bench, "kept", "twice", &["--quiet", "--set", "metrics.primary=nDCG@3"]).exits(0);
    let twice = json(&bench.path("twice/report.json"));
    assert_eq!(twice["run"]["primary_metric"], "nDCG@3");
    assert_eq!(twice["results"][0]["scores"], json(&bench.path("kept/report.json"))["results"][0]["scores"]);
    let report = json(&bench.path("new/report.json"));
    assert_eq!(report["run"]["primary_metric"], "nDCG@5");
    assert_ne!(report["comparison"], json(&bench.path("out/report.json"))["comparison"]);
}

#[test]
fn gates_of_a_rescored_run_decide_how_it_ends() {
    let bench = shop(200);
    bench.run_with(&["--quiet"]).exits(0);
    let gate = "gate=[{ metric = \"failed_share\", min-value = 0.5, min-sessions = 1 }]";
    rescore(&bench, "out", "gated", &["--benchmark", "bench.toml", "--quiet", "--set", gate]).exits(10);
}

#[test]
fn a_smaller_depth_cuts_rankings_and_a_larger_one_is_refused() {
    let bench = shop(FEW);
    bench.run_with(&["--quiet"]).exits(0);
    let of = |depth: &'static str| vec!["--benchmark", "bench.toml", "--quiet", "--set", depth];
    rescore(
        &bench,
        "out",
        "cut",
        &[of("depth=4"), vec!["--set", "metrics.k=[3]", "--set", "metrics.primary=RR"]].concat(),
    )
    .exits(0);
    let rankings = rankings_in(&bench.path("cut"));
    assert_eq!(rankings.len(), 2 * FEW);
    assert_eq!(rankings.iter().map(|ranking| ranking.hits.len()).max(), Some(4));
    rescore(&bench, "out", "deep", &of("depth=21")).exits(2).complains(&[
        "keeps 21 hits",
        "has 20",
        "`--set depth=20`",
    ]);
    // Of this depth, the metrics are those that a fresh run refuses too.
    rescore(&bench, "out", "deep", &of("depth=4")).exits(2).complains(&["looks deeper than the 4 hits"]);
    assert!(!bench.path("deep").exists());
}

#[test]
fn a_run_lies_where_runs_lie_and_is_found_there() {
    let bench = shop(FEW);
    bench.run_with(&["--quiet"]).exits(0);
    let outcome = call(&bench, "rescore", &["out"], &["--json"]).exits(0);
    let report: Value = serde_json::from_str(&outcome.stdout).expect("a report");
    let listed = call(&bench, "runs", &[], &["list", "--json", &bench.path("runs").display().to_string()]).exits(0);
    let id = text(&report["run"]["id"]);
    assert!(bench.path(format!("runs/small-shop-{id}/report.json")).exists());
    assert!(listed.stdout.contains(id), "{}", listed.stdout);
}

#[test]
fn a_run_that_does_not_keep_its_benchmark_needs_the_file_for_other_values() {
    let bench = shop(FEW);
    bench.run_with(&["--quiet"]).exits(0);
    let set = ["--quiet", "--set", "relevance.gain=linaer"];
    rescore(&bench, "out", "new", &set).exits(2).complains(&["linaer", "`--set relevance.gain=linaer`"]);
    // Where the benchmark is kept, not where it was.
    let kept = bench.path("out/benchmark.json").display().to_string();
    let place = ["--set", "metrics.primary=nDGC@10"];
    rescore(&bench, "out", "new", &place).exits(2).complains(&[&kept, "did you mean `nDCG`"]);
    for ignored in ["candidates=[\"other\"]", "sessions.sample.count=3", "output.formats=[\"json\"]"] {
        let says = [ignored, "changes nothing", "`metrics`"];
        rescore(&bench, "out", "new", &["--set", ignored]).exits(2).complains(&says);
    }
    let kept = std::fs::read_to_string(bench.path("out/benchmark.json")).expect("the benchmark");
    assert!(!kept.contains("bm25"), "how retrievers are asked judges nothing: {kept}");
    std::fs::remove_file(bench.path("out/benchmark.json")).expect("removed");
    rescore(&bench, "out", "new", &set).exits(2).complains(&["name the file with `--benchmark`"]);
}

#[test]
fn a_run_that_stopped_early_can_be_rescored_and_not_compared() {
    let ranks: Vec<(usize, usize)> = (0..1200).map(|session| (1 + session % 9, 1 + session % 2)).collect();
    let bench = sample::recorded(&ranks, |_| None);
    bench.run_with(&["--quiet", "--stop-when-decided"]).exits(0);
    let before = json(&bench.path("out/report.json"));
    assert!(count(&before["comparison"]["stopping"]["sessions_not_replayed"]) > 0);
    rescore(&bench, "out", "again", &["--quiet"]).exits(0);
    assert_same_numbers(&bench.path("out"), &bench.path("again"));
    // What no session tells apart is not decided by what was replayed, and says so; a file cannot make up for it.
    rescore(&bench, "out", "other", &["--quiet", "--benchmark", "bench.toml", "--set", "metrics.primary=R@20"])
        .exits(0);
    let stopping = &json(&bench.path("other/report.json"))["comparison"]["stopping"];
    assert_eq!(stopping["decided"], false);
    assert_eq!(stopping["sessions_replayed"], before["comparison"]["stopping"]["sessions_replayed"]);
    assert!(text(&stopping["statement"]).contains("of 1200 sessions that have rankings"), "{stopping}");

    bench.run_into("whole", &["--quiet"]).exits(0);
    compare(&bench, &["whole", "out"], "both", &[])
        .exits(2)
        .complains(&["stopped when it was decided", "`rematch rescore`"]);
}

/// Runs of one candidate each, in `first` and `second`.
fn two_runs(bench: &Workbench, first: &[&str], second: &[&str]) {
    bench.run_into("first", &[&["--quiet"], first].concat()).exits(0);
    let candidate = ["--quiet", "--set", "candidates=[\"short\"]"];
    bench.run_into("second", &[candidate.as_slice(), second].concat()).exits(0);
}

const BOTH: [&str; 3] = ["--quiet", "--set", "candidates=[\"search\", \"short\"]"];

#[test]
fn two_runs_of_one_candidate_compare_as_one_run_of_both() {
    let bench = shop(SESSIONS);
    two_runs(&bench, &[], &[]);
    bench.run_into("whole", &BOTH).exits(0);
    remove_inputs(&bench);
    let outcome = compare(&bench, &["first", "second"], "both", &[]).exits(0);
    let note = "note: `shown` of `second` is the same pipeline as `shown` of `first`; it appears once";
    assert!(outcome.stderr.contains(note), "{}", outcome.stderr);
    assert_same_numbers(&bench.path("whole"), &bench.path("both"));
    assert_eq!(json(&bench.path("both/report.json"))["run"].get("differences"), None);

    // On any threads, and interrupted, the same.
    let parts = std::fs::read_dir(bench.path("both/parts")).expect("parts").count();
    assert_eq!(parts, 9);
    for name in ["report.json", "parts/002-000001.parquet", "parts/000-000002.parquet"] {
        std::fs::remove_file(bench.path("both").join(name)).expect("removed");
    }
    call(&bench, "resume", &["both"], &["--quiet", "--threads", "1"]).exits(0);
    assert_same_numbers(&bench.path("whole"), &bench.path("both"));
}

#[test]
fn any_retriever_may_be_the_baseline() {
    let bench = shop(FEW);
    two_runs(&bench, &[], &[]);
    bench
        .run_into("whole", &["--quiet", "--set", "baseline=short", "--set", "candidates=[\"shown\", \"search\"]"])
        .exits(0);
    compare(&bench, &["first", "second"], "both", &["--quiet", "--baseline", "second:short"]).exits(0);
    assert_same_numbers(&bench.path("whole"), &bench.path("both"));
    // One that appears once is known by the name of each run.
    compare(&bench, &["first", "second"], "shown", &["--quiet", "--baseline", "second:shown"]).exits(0);
    assert_eq!(json(&bench.path("shown/report.json"))["comparison"]["baseline_retriever_id"], "shown");
    compare(&bench, &["first", "second"], "none", &["--baseline", "second:search"])
        .exits(2)
        .complains(&["no retriever `second:search`", "`first:search`, `second:shown`, `second:short`"]);
}

#[test]
fn an_id_of_two_pipelines_says_of_which_run_it_is() {
    let bench = shop(FEW);
    bench.run_into("monday", &["--quiet"]).exits(0);
    bench.run_into("friday", &["--quiet", "--set", "retriever.1.stages.0.k1=0.1"]).exits(0);
    compare(&bench, &["monday", "friday"], "both", &["--quiet"]).exits(0);
    let report = json(&bench.path("both/report.json"));
    let ids: Vec<&str> =
        report["results"].as_array().expect("results").iter().map(|arm| text(&arm["retriever_id"])).collect();
    assert_eq!(ids, ["shown", "monday:search", "friday:search"]);
    let rankings = rankings_in(&bench.path("both"));
    assert_eq!(rankings.iter().filter(|ranking| ranking.retriever_id == "friday:search").count(), FEW);
}

#[test]
fn runs_that_differ_are_refused_with_both_values() {
    let bench = shop(FEW);
    two_runs(
        &bench,
        &[],
        &[
            "--set",
            "sessions.sample.count=40",
            "--set",
            "depth=15",
            "--set",
            "metrics.k=[5,10]",
            "--set",
            "relevance.weights.click=3",
        ],
    );
    compare(&bench, &["first", "second"], "both", &[]).exits(2).complains(&[
        "the samples are 60 sessions in `first`, 40 sessions in `second`; 40 sessions are in all",
        "depth is 20 in `first` and 15 in `second`",
        "relevance.weights.click is 1 in `first` and 3 in `second`",
        "`--allow-different`",
    ]);
    assert!(!bench.path("both").exists());
    // A metric that not all rankings are deep enough for.
    compare(&bench, &["first", "second"], "both", &["--allow-different"])
        .exits(2)
        .complains(&["`nDCG@20` looks deeper than the 15 hits", "`--benchmark FILE`"]);
    // The file judges both alike; what is left is sample and depth.
    let file = ["--benchmark", "bench.toml", "--set", "depth=15", "--set", "metrics.k=[5,10]"];
    let outcome = compare(&bench, &["first", "second"], "both", &file).exits(2);
    assert!(!outcome.stderr.contains("weights"), "{}", outcome.stderr);
    compare(&bench, &["first", "second"], "both", &[file.as_slice(), &["--allow-different"]].concat()).exits(0);
    let report = json(&bench.path("both/report.json"));
    assert_eq!((count(&report["run"]["depth"]), differences(&report).len()), (15, 2));
}

#[test]
fn different_samples_are_compared_on_what_they_share_if_that_is_wanted() {
    let bench = shop(SESSIONS);
    let drawn = ["--set", "sessions.sample.count=1500"];
    two_runs(&bench, &[], &drawn);
    bench.run_into("whole", &[BOTH.as_slice(), &drawn].concat()).exits(0);
    remove_inputs(&bench);
    let outcome = compare(&bench, &["first", "second"], "both", &["--allow-different"]).exits(0);
    assert!(outcome.stderr.contains("judging short: 1500 sessions"), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("1500 of 2500 sessions judged, with the rankings of"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("! the runs differ: the samples are 2500 sessions in"), "{}", outcome.stdout);
    assert_same_numbers(&bench.path("whole"), &bench.path("both"));
    assert_eq!(sessions(&bench.path("whole/sessions.parquet")), sessions(&bench.path("both/sessions.parquet")));
    let report = json(&bench.path("both/report.json"));
    let said = differences(&report);
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("1500 sessions are in all") && said[0].ends_with("is not in `second`"), "{said:?}");
    assert_eq!(report["run"]["selection"]["filters"], json!([{ "filter": "in every compared run", "removed": 1000 }]));
    let page = std::fs::read_to_string(bench.path("both/report.html")).expect("a page");
    assert!(page.contains("The compared runs differ:"));
}

#[test]
fn runs_of_other_searches_are_refused_in_any_case() {
    let bench = shop(FEW);
    two_runs(&bench, &[], &[]);
    let write = |change: &dyn Fn(usize, &mut Session)| {
        let mut all = sample::sessions(FEW);
        all.iter_mut().enumerate().for_each(|(index, session)| change(index, session));
        bench.write("sessions.jsonl", sample::jsonl(&all));
    };
    write(&|index, session| {
        if index >= 30 {
            session.query = Some("another".into());
        }
    });
    bench.run_into("other", &["--quiet"]).exits(0);
    compare(&bench, &["first", "other"], "both", &["--allow-different"]).exits(2).complains(&[
        "session `s0030` has another `query`",
        "first",
        "other",
    ]);
    write(&|_, session| session.session_id.insert(0, 'x'));
    bench.run_into("strangers", &["--quiet"]).exits(0);
    compare(&bench, &["first", "strangers"], "both", &["--allow-different"])
        .exits(4)
        .complains(&["no session is in every run"]);
}

#[test]
fn what_is_no_comparison_is_refused() {
    let bench = shop(FEW);
    bench.run_into("first", &["--quiet"]).exits(0);
    compare(&bench, &["first", "first"], "both", &[]).exits(2).complains(&["is given twice"]);
    compare(&bench, &["first"], "both", &[]).exits(2).complains(&["2 values required"]);
    compare(&bench, &["first", "absent"], "both", &[]).exits(2).complains(&["absent", "holds no run"]);
    bench.run_into("second", &["--quiet"]).exits(0);
    std::fs::remove_file(bench.path("second/report.json")).expect("removed");
    compare(&bench, &["first", "second"], "both", &[]).exits(5).complains(&["is not finished", "rematch resume"]);
    rescore(&bench, "second", "both", &[]).exits(5).complains(&["is not finished", "rematch resume"]);
    assert!(!bench.path("both").exists());
}

#[test]
fn a_lender_that_changed_is_another_run() {
    let bench = shop(FEW);
    bench.run_with(&["--quiet"]).exits(0);
    rescore(&bench, "out", "again", &["--quiet"]).exits(0);
    let mut report = json(&bench.path("out/report.json"));
    report["observed"]["completed_at"] = json!("2020-01-01T00:00:00Z");
    bench.write("out/report.json", report.to_string());
    rescore(&bench, "out", "again", &["--quiet"]).exits(2).complains(&["holds run", "choose another `--out`"]);
    // Whoever goes on needs the lender.
    std::fs::remove_file(bench.path("again/report.json")).expect("removed");
    std::fs::remove_dir_all(bench.path("out")).expect("removed");
    call(&bench, "resume", &["again"], &["--quiet"]).exits(2).complains(&["holds no run"]);
}
