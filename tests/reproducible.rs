//! Equal benchmarks give equal bytes: on any number of threads, after an interruption, and in another directory.

use std::path::Path;

use serde_json::Value;

use crate::rematch::{call, command, workspace};
use crate::sample;
use crate::workbench::{Workbench, json, rankings_in};

/// Everything that holds no time of a clock.
const IDENTICAL: [&str; 6] = [
    "manifest.json",
    "selection.json",
    "sessions.parquet",
    "scenario_scores.parquet",
    "comparisons.parquet",
    "taxonomy.parquet",
];

/// Enough sessions for several work units.
const SESSIONS: usize = 2500;

/// A benchmark with everything that could vary: a stratified sample, a component, several work units.
fn bench() -> Workbench {
    let bench = sample::shop(&sample::sessions(SESSIONS));
    let plugin = workspace().join("plugins/half-life-utility/half-life-utility.wasm");
    let more = format!(
        r#"
        [sessions.sample]
        strategy = "stratified"
        count = 2300
        [[scorer]]
        name = "utility"
        plugin = {:?}
        weight = 2
        [[scorer]]
        name = "relevance"
        metric = "nDCG@10"
        weight = 1
        "#,
        plugin.display().to_string()
    );
    bench.write("bench.toml", sample::BENCHMARK.to_owned() + &more);
    bench
}

/// The report without what a clock said.
pub(crate) fn timeless(run: &Path) -> Value {
    timeless_report(json(&run.join("report.json")))
}

/// The same of a report that was told.
pub(crate) fn timeless_report(mut report: Value) -> Value {
    let object = report.as_object_mut().expect("an object");
    object.remove("observed").expect("`observed`");
    for result in report["results"].as_array_mut().expect("results") {
        result.as_object_mut().expect("an object").remove("latency").expect("`latency`");
    }
    for comparison in report["comparison"]["comparisons"].as_array_mut().expect("comparisons") {
        for clocked in ["latency", "latency_delta_ms"] {
            comparison.as_object_mut().expect("an object").remove(clocked).expect("what a clock said");
        }
    }
    report
}

/// What a report says of a stage that depends on how often a server had to be asked.
const OF_REQUESTS: [&str; 3] = ["requests", "attempts", "retried"];

/// Returns what servers were asked, by retriever and stage.
fn requests(run: &Path) -> Vec<[Value; 3]> {
    let report = json(&run.join("report.json"));
    let results = report["results"].as_array().expect("results").iter();
    results
        .flat_map(|result| result["stages"].as_array().expect("stages"))
        .map(|stage| OF_REQUESTS.map(|name| stage[name].clone()))
        .collect()
}

/// Returns the attempts that each answer took, stage by stage.
fn attempts(run: &Path) -> Vec<i64> {
    rankings_in(run).iter().flat_map(|ranking| &ranking.stages).map(|stage| stage.attempts).collect()
}

/// Asserts that two run directories hold the same run.
#[track_caller]
pub(crate) fn assert_same_run(one: &Path, other: &Path) {
    assert_eq!(requests(one), requests(other));
    assert!(attempts(one) == attempts(other), "rankings.parquet differs in its attempts");
    assert_same_run_but_requests(one, other);
}

/// Asserts that two run directories hold the same run; what a process asked of servers that was killed is not known, and over a
/// network that fails they are asked again.
#[track_caller]
pub(crate) fn assert_same_run_but_requests(one: &Path, other: &Path) {
    for name in IDENTICAL {
        let read = |run: &Path| std::fs::read(run.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(read(one) == read(other), "{name} differs");
    }
    let unasked = |run: &Path| {
        let mut report = timeless(run);
        for result in report["results"].as_array_mut().expect("results") {
            for stage in result["stages"].as_array_mut().expect("stages") {
                let stage = stage.as_object_mut().expect("an object");
                OF_REQUESTS.iter().for_each(|name| drop(stage.remove(*name)));
            }
        }
        report
    };
    assert_eq!(unasked(one), unasked(other));
    let rankings = |run: &Path| {
        let mut rankings = rankings_in(run);
        for ranking in &mut rankings {
            ranking.latency_ns = 0;
            for stage in &mut ranking.stages {
                (stage.latency_ns, stage.attempts) = (0, 0);
            }
        }
        rankings
    };
    assert!(rankings(one) == rankings(other), "rankings.parquet differs beyond latencies and attempts");
}

#[test]
fn two_runs_of_one_benchmark_are_the_same_on_any_number_of_threads() {
    let bench = bench();
    for threads in ["1", "2", "8"] {
        let mut run = command();
        run.args(["run", "--threads", threads]).arg(bench.path("bench.toml")).arg("--out");
        call(run.arg(bench.path(threads)).arg("--quiet")).exits(0);
    }
    assert_same_run(&bench.path("1"), &bench.path("2"));
    assert_same_run(&bench.path("1"), &bench.path("8"));
    assert_eq!(json(&bench.path("1/selection.json"))["sampled"], 2300);
    // Again where the first one was: the directory may be deleted at any time.
    std::fs::remove_dir_all(bench.path("1")).expect("deleted");
    bench.run_into("1", &["--quiet"]).exits(0);
    assert_same_run(&bench.path("1"), &bench.path("8"));
}

#[test]
fn scores_have_the_same_bits_whatever_the_batch_size_of_a_component() {
    let whole = bench();
    let text = std::fs::read_to_string(whole.path("bench.toml")).expect("the benchmark");
    for batch in ["1", "7", "4096"] {
        whole.write("bench.toml", text.replace("weight = 2\n", &format!("weight = 2\nbatch = {batch}\n")));
        whole.run_into(batch, &["--quiet"]).exits(0);
    }
    let scores = |run: &str| std::fs::read(whole.path(run).join("scenario_scores.parquet")).expect("scores");
    assert!(scores("1") == scores("7"), "batches of 7 differ from single sessions");
    assert!(scores("1") == scores("4096"), "batches of 4096 differ from single sessions");
}

#[test]
fn finishing_a_finished_run_is_a_no_op_that_says_so() {
    let bench = sample::shop(&sample::sessions(30));
    let first = bench.run().exits(0);
    assert!(!first.stdout.contains("nothing was done"), "{}", first.stdout);
    let before = std::fs::read(bench.path("out/report.json")).expect("the report");
    let again = bench.run().exits(0);
    assert!(again.stdout.contains("This run was finished before; nothing was done."), "{}", again.stdout);
    assert_eq!(std::fs::read(bench.path("out/report.json")).expect("the report"), before);
    let as_json = bench.run_with(&["--json"]).exits(0);
    assert_eq!(as_json.stdout.into_bytes(), before, "the report on stdout is the report of the run");
}

#[test]
fn another_seed_is_another_run_over_another_sample() {
    let bench = sample::shop(&sample::sessions(200));
    let run = |name: &str, seed: &str| {
        let seed = format!("seed={seed}");
        bench.run_into(name, &["--quiet", "--set", "sessions.sample.count=50", "--set", &seed]).exits(0);
        json(&bench.path(name).join("report.json"))["run"]["id"].clone()
    };
    assert_ne!(run("one", "1"), run("two", "2"));
    let sample = |name: &str| std::fs::read(bench.path(name).join("sessions.parquet")).expect("the sample");
    assert!(sample("one") != sample("two"), "two seeds drew the same sample");
}
