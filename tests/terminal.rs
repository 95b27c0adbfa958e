//! What is printed where: a summary that fits a terminal, data on stdout, talk on stderr.

use std::process::Stdio;

use serde_json::Value;

use crate::rematch::{call, command, rematch};
use crate::sample;
use crate::workbench::Workbench;

const COLUMNS: usize = 80;
const LINES: usize = 40;

/// The small shop with that many candidates, all alike.
fn shop(candidates: usize) -> Workbench {
    let bench = sample::shop(&sample::sessions(60));
    let ids: Vec<String> = (0..candidates).map(|index| format!("candidate-with-a-long-name-{index}")).collect();
    let retriever = |id: &String| {
        format!(
            "[[retriever]]\nid = \"{id}\"\n\
             stages = [{{ kind = \"bm25\", corpus = \"products\", fields = {{ title = 1.0 }} }}]\n"
        )
    };
    let text = sample::BENCHMARK.replace("candidates = [\"search\"]", &format!("candidates = {ids:?}"));
    bench.write("bench.toml", text + &ids.iter().map(retriever).collect::<String>());
    bench
}

#[test]
fn the_summary_fits_a_terminal_whatever_the_number_of_candidates() {
    for candidates in [1, 2, 3, 8] {
        let bench = shop(candidates);
        // A short path, as the report's path stands in the summary as it is.
        let mut run = command();
        run.current_dir(bench.path("")).args(["run", "bench.toml", "--out", "out"]);
        let summary = call(&mut run).exits(0).stdout;
        assert!(
            summary.lines().count() <= LINES,
            "{candidates} candidates, {} lines:\n{summary}",
            summary.lines().count()
        );
        for line in summary.lines() {
            assert!(line.chars().count() <= COLUMNS, "{} columns: {line}", line.chars().count());
            assert!(!line.contains('\u{1b}'), "NO_COLOR is set: {line:?}");
        }
        assert!(summary.ends_with("out/report.json\n"), "{summary}");
        for index in 0..candidates.min(3) {
            let name = format!("`candidate-with-a-long-name-{index}`");
            assert!(summary.contains(&name), "nothing of {name} in:\n{summary}");
        }
    }
}

#[test]
fn the_summary_says_the_verdict_first() {
    let summary = sample::shop(&sample::sessions(60)).run().exits(0).stdout;
    let report_words = ["`search`", "`shown`", "clicks", "95 % CI", "p =", "n = 60"];
    let head: String = summary.lines().take(6).collect::<Vec<_>>().join(" ");
    for word in report_words {
        assert!(head.contains(word), "`{word}` is missing in: {head}");
    }
}

#[test]
fn json_on_stdout_is_the_report_and_nothing_else() {
    let bench = sample::shop(&sample::sessions(30));
    let outcome = bench.run_with(&["--json"]).exits(0);
    let printed: Value = serde_json::from_str(&outcome.stdout).expect("pure JSON");
    assert_eq!(printed, bench.read_report());
    assert!(outcome.stderr.contains("replaying search: 30 sessions"), "{}", outcome.stderr);
    // Without a terminal a line per step, and nothing that moves.
    assert!(!outcome.stderr.contains(['\r', '\u{1b}']), "{:?}", outcome.stderr);
}

#[test]
fn quiet_prints_nothing() {
    let outcome = sample::shop(&sample::sessions(30)).run_with(&["--quiet"]).exits(0);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
}

/// As `rematch run ... 2>&1 >/dev/null | head -1` does it.
#[test]
fn a_run_whose_stderr_nobody_reads_is_finished_all_the_same() {
    let bench = sample::shop(&sample::sessions(30));
    let mut run = command();
    run.arg("run").arg(bench.path("bench.toml")).arg("--out").arg(bench.path("out"));
    let mut running = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a process");
    drop(running.stderr.take());
    let status = running.wait().expect("its end");
    assert_eq!(status.code(), Some(0), "{status}");
    assert_eq!(bench.read_report()["run"]["state"], "completed");
}

#[test]
fn answers_from_the_cache_say_why_they_have_no_latency() {
    let bench = sample::shop(&sample::sessions(60));
    let cache = bench.path("cache");
    let run = |out: &str| {
        let mut run = command();
        run.env("REMATCH_CACHE", &cache)
            .env_remove("REMATCH_CACHE_LIMIT")
            .arg("run")
            .arg(bench.path("bench.toml"))
            .arg("--out")
            .arg(bench.path(out));
        let summary = call(&mut run).exits(0).stdout;
        summary.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let first = run("out");
    assert!(first.contains("latency p50 / p99 in ms: search "), "{first}");
    assert!(first.contains(" no latency of shown (answers were looked up, not asked for)"), "{first}");
    let again = run("again");
    let why = "search (answers came from the cache; `--no-cache` times them anew)";
    assert!(again.contains(why) && !again.contains("latency p50"), "{again}");
}

#[test]
fn yaml_and_toml_of_one_benchmark_are_one_run() {
    let bench = sample::shop(&sample::sessions(30));
    let tree: Value = toml::from_str(sample::BENCHMARK).expect("TOML");
    // JSON is YAML; the flow style is one of its two.
    let yaml = bench.write("bench.yaml", tree.to_string());
    let block = "\
name: small-shop
baseline: shown
candidates:
- search
depth: 20
sessions:
  path: sessions.jsonl
corpus:
  products: { path: products.jsonl, id: item_id }
retriever:
- id: shown
  stages:
  - kind: shown
- id: search
  stages:
  - kind: bm25
    corpus: products
    fields:
      title: 1.0
";
    let block = bench.write("block.yml", block);
    bench.run().exits(0);
    let id = bench.read_report()["run"]["id"].clone();
    for path in [yaml, block] {
        let outcome = rematch(["run".into(), path, "--json".into(), "--out".into(), bench.path("out")]).exits(0);
        let report: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        assert_eq!(report["run"]["id"], id);
        assert_eq!(report, bench.read_report(), "the run was there already");
    }
}

#[test]
fn without_out_a_run_goes_into_a_folder_of_its_own() {
    let bench = sample::shop(&sample::sessions(30));
    let printed = rematch(["run".into(), bench.path("bench.toml"), "--json".into()]).exits(0).stdout;
    let report: Value = serde_json::from_str(&printed).expect("JSON");
    let folder = format!("runs/small-shop-{}", report["run"]["id"].as_str().expect("an id"));
    assert!(bench.path(&folder).join("report.json").is_file(), "{folder}");
}

#[test]
fn validate_says_what_would_run_and_runs_nothing() {
    let bench = sample::shop(&sample::sessions(30));
    let outcome = rematch(["validate".into(), bench.path("bench.toml")]).exits(0);
    assert!(outcome.stdout.contains("is valid: `shown` against 1 candidate"), "{}", outcome.stdout);
    assert_eq!(std::fs::read_dir(bench.path("")).expect("the folder").count(), 3, "something was written");
    let plan = rematch(["validate".into(), bench.path("bench.toml"), "--json".into()]).exits(0).stdout;
    let plan: Value = serde_json::from_str(&plan).expect("JSON");
    assert_eq!(plan["depth"], 20);
}

#[test]
fn help_names_every_command() {
    let help = rematch(["--help"]).exits(0).stdout;
    for name in ["run", "validate", "init", "schema", "import", "inspect", "plugin"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(name)), "`{name}` is missing in:\n{help}");
    }
    assert!(rematch(["--version"]).exits(0).stdout.starts_with("rematch "));
}
