//! What a run would do is said before it does it: the same counts, and nothing asked or written.

use serde_json::Value;

use crate::rematch::{Outcome, rematch};
use crate::sample::{self, jsonl, products, sessions};
use crate::search_server::SearchServer;
use crate::workbench::{Workbench, count, json, text};

fn plan(bench: &Workbench, arguments: &[&str]) -> Outcome {
    let mut all = vec!["plan".to_owned(), bench.path("bench.toml").display().to_string()];
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    rematch(all)
}

fn forecast(bench: &Workbench, arguments: &[&str]) -> Value {
    serde_json::from_str(&plan(bench, &[arguments, &["--json"]].concat()).exits(0).stdout).expect("JSON")
}

const STRATIFIED: [&str; 10] = [
    "--set",
    "sessions.sample.count=37",
    "--set",
    "sessions.sample.strategy=stratified",
    "--set",
    "sessions.filter.retriever-ids=[\"prod\"]",
    "--set",
    "sessions.filter.min-interactions=2",
    "--set",
    "sessions.filter.where=query IS NOT NULL",
];

#[test]
fn sessions_are_counted_as_the_run_counts_them_and_nothing_is_written() {
    for sample in [&STRATIFIED[..], &STRATIFIED[4..], &["--set", "sessions.sample.count=7"], &[]] {
        let bench = sample::shop(&sessions(240));
        let found = forecast(&bench, sample);
        assert!(!bench.path("runs").exists(), "a plan makes no folder");
        bench.run_with(&[sample, &["--quiet"]].concat()).exits(0);
        let report = bench.read_report();
        assert_eq!(found["selection"], report["run"]["selection"]);
        let parts = std::fs::read_dir(bench.path("out/parts")).expect("parts").count() as u64;
        assert_eq!(count(&found["units"]["units"]), parts);
    }
}

#[test]
fn an_earlier_run_tells_time_disk_and_effect() {
    let bench = sample::shop(&sessions(240));
    let first = forecast(&bench, &[]);
    assert_eq!(
        (&first["earlier_run"], &first["effect"]["delta"], &first["duration"]["seconds"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    // Two-sided, 5 %, 80 %: 2.8 standard errors.
    let deviations = first["effect"]["standard_deviations"].as_f64().expect("an effect");
    assert!((deviations - 2.8016 / 240_f64.sqrt()).abs() < 0.002, "{deviations}");
    bench.run_into("runs/first", &["--quiet"]).exits(0);
    let folder: Vec<_> = std::fs::read_dir(bench.path("runs")).expect("runs").collect();

    let again = forecast(&bench, &[]);
    let report = json(&bench.path("runs/first/report.json"));
    let test = &report["comparison"]["comparisons"][0]["metrics"]["nDCG@10"];
    let expected = test["detectable_delta"].as_f64().expect("a difference");
    let found = again["effect"]["delta"].as_f64().expect("a difference");
    assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    assert_eq!(
        (&again["effect"]["clusters"], &again["effect"]["cluster_by"]),
        (&test["clusters"], &test["cluster_by"])
    );
    assert!(text(&again["earlier_run"]["directory"]).ends_with("first"));
    // The list that was shown is looked up: its time is not known, and so the sum is not.
    assert!(again["retrievers"][1]["duration"]["seconds"].as_f64().expect("seconds") > 0.0);
    assert_eq!(again["duration"]["seconds"], Value::Null);

    let size: u64 = walk(&bench.path("runs/first"));
    let close = |forecast: &Value, factor: f64| {
        let share = count(&forecast["disk"]["bytes"]) as f64 / size as f64;
        assert!(share < factor && share > 1.0 / factor, "{share} of {size}: {}", forecast["disk"]);
    };
    close(&again, 1.05);
    close(&first, 4.0);

    let stronger = forecast(&bench, &["--power", "0.95", "--set", "sessions.sample.count=100"]);
    assert!(stronger["effect"]["delta"].as_f64().expect("a difference") > found * 1.5, "{}", stronger["effect"]);
    assert_eq!(std::fs::read_dir(bench.path("runs")).expect("runs").count(), folder.len());
    plan(&bench, &["--from", &bench.path("nowhere").display().to_string()]).exits(2);
}

fn walk(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    entries
        .map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { entry.metadata().expect("a file").len() })
        .sum()
}

#[test]
fn requests_are_counted_by_stage_and_no_server_is_asked() {
    let server = SearchServer::over(&products());
    let stage = format!(
        "{{ kind = \"http\", url = \"{}\", body = '{{\"query\": {{{{ query }}}}, \"depth\": {{{{ depth }}}}}}', ids = \"$.hits[*].id\" }}",
        server.url()
    );
    let bench = Workbench::new(&format!(
        "name = \"endpoint\"\nbaseline = \"live\"\ncandidates = [\"short\", \"both\"]\ndepth = 20\n\
         sessions.path = \"sessions.jsonl\"\n\
         [[retriever]]\nid = \"live\"\nconcurrency = 4\nrate = 6\nwarm-up = 5\nstages = [{stage}]\n\
         [[retriever]]\nid = \"short\"\nconcurrency = 4\nrate = 6\nwarm-up = 5\nstages = [{stage}, {{ kind = \"truncate\", k = 3 }}]\n\
         [[retriever]]\nid = \"both\"\nretries = 0\n[[retriever.stages]]\nkind = \"fuse\"\n\
         branches = [{{ stages = [{stage}] }}, {{ stages = [{{ kind = \"shown\" }}] }}]\n"
    ));
    bench.write("sessions.jsonl", jsonl(&sessions(60)));
    let found = forecast(&bench, &[]);
    assert_eq!(server.requests(), 0);
    let retrievers = &found["retrievers"];
    assert_eq!((&retrievers[0]["requests"], &retrievers[0]["requests_at_most"]), (&65.into(), &71.into()));
    assert!((retrievers[0]["duration"]["seconds"].as_f64().expect("seconds") - 65.0 / 6.0).abs() < 1e-9);
    assert_eq!(retrievers[0]["duration"]["seconds_at_most"], 65.0 * 30.0 / 4.0);
    assert_eq!((&retrievers[1]["requests"], &retrievers[1]["stages"][0]["shared_with"]), (&0.into(), &"live".into()));
    assert_eq!(retrievers[2]["stages"][0]["stage"], "fuse/1/http");
    assert_eq!((&retrievers[2]["requests"], &retrievers[2]["requests_at_most"]), (&60.into(), &60.into()));
    assert_eq!((&found["requests"], &found["units"]["sessions_per_unit"]), (&125.into(), &256.into()));

    let said = plan(&bench, &[]).exits(0).stdout;
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    for fragment in ["takes the answers of `live`", "60 requests after 5 to warm up", "fuse/1/http"] {
        assert!(said.contains(fragment), "{fragment} in {said}");
    }
    // And so it is, where the server refuses nothing.
    let answered = ["--set", "sessions.filter.where=query NOT LIKE '%black%'"];
    let expected = count(&forecast(&bench, &answered)["requests"]);
    bench.run_with(&[&answered[..], &["--quiet"]].concat()).exits(0);
    assert_eq!(server.requests() as u64, expected);
}

#[test]
fn a_plan_that_selects_nothing_or_cannot_be_read_says_so() {
    let bench = sample::shop(&sessions(12));
    plan(&bench, &["--set", "sessions.filter.min-interactions=9"])
        .exits(4)
        .complains(&["no session is left of 12", "`min-interactions` removed 12"]);
    plan(&bench, &["--power", "1.5"]).exits(2).complains(&["expected a share above 0 and below 1"]);
    bench.write("sessions.jsonl", "{");
    plan(&bench, &[]).exits(3);
    std::fs::remove_file(bench.path("sessions.jsonl")).expect("removed");
    plan(&bench, &[]).exits(3).complains(&["no such file"]);
}
