//! `rematch explain`: a metric's value in one session, rank by rank.

use std::path::PathBuf;

use serde_json::Value;

use crate::rematch::{Outcome, rematch, workspace};
use crate::sample;
use crate::workbench::Workbench;

fn finished() -> Workbench {
    let bench = sample::shop(&sample::sessions(30));
    bench.write("bench.toml", sample::BENCHMARK);
    bench.run_with(&["--quiet"]).exits(0);
    bench
}

fn explain(bench: &Workbench, arguments: &[&str]) -> Outcome {
    let mut all: Vec<PathBuf> = vec!["explain".into(), bench.path("out")];
    all.extend(arguments.iter().map(PathBuf::from));
    rematch(all)
}

#[test]
fn contributions_add_up_to_the_values_of_the_run() {
    let bench = finished();
    for metric in ["nDCG@10", "AP", "RBP(p=0.8)", "gm_map", "nDCG(judged_only=True)@5"] {
        let told = explain(&bench, &["--session", "s0003", "--metric", metric, "--json"]).exits(0).stdout;
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(told["metric"], metric);
        let retrievers = told["retrievers"].as_array().expect("retrievers");
        assert_eq!(retrievers.len(), 2);
        for arm in retrievers.iter().chain([&told["ideal"]]) {
            let Some(value) = arm["value"].as_f64() else { continue };
            let ranks = arm["ranks"].as_array().expect("ranks");
            let sum: f64 = ranks.iter().map(|rank| rank["contribution"].as_f64().expect("a number")).sum();
            assert!((sum + arm["unranked"].as_f64().expect("a number") - value).abs() < 1e-9, "{metric}: {arm}");
        }
    }
}

#[test]
fn both_rankings_stand_side_by_side_within_eighty_columns() {
    let bench = finished();
    let told = explain(&bench, &["--session", "s0003"]).exits(0).stdout;
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    for fragment in ["nDCG@10 of session `s0003`", "contribution", "ideal", "divided by"] {
        assert!(told.contains(fragment), "{fragment} in {told}");
    }
    let alone = explain(&bench, &["--session", "s0003", "--retriever", "shown"]).exits(0).stdout;
    assert!(alone.lines().count() < told.lines().count(), "{alone}");
}

#[test]
fn a_scorer_of_the_run_is_not_taken_for_a_metric_of_other_letters() {
    let bench = sample::shop(&sample::sessions(30));
    let plugin = workspace().join("plugins/half-life-utility/half-life-utility.wasm");
    let scorers = format!(
        "[[scorer]]\nname = \"utility\"\nplugin = {plugin:?}\n\
                           [[scorer]]\nname = \"first\"\nmetric = \"RR\"\n"
    );
    bench.write("bench.toml", format!("{}\n{scorers}", sample::BENCHMARK));
    bench.run_with(&["--quiet", "--set", "metrics.primary=utility"]).exits(0);
    let takes = "`explain` takes built-in metrics apart, such as `--metric nDCG@5`";
    for (metric, says) in [
        (Some("utility"), "`utility` is a scorer"),
        (Some("scenario_score"), "`scenario_score` is the weighted mean of the scorers"),
        (None, "`utility`, which decides the run, is a scorer"),
    ] {
        let metric: Vec<&str> = metric.into_iter().flat_map(|metric| ["--metric", metric]).collect();
        let outcome = explain(&bench, &[&["--session", "s0003"], metric.as_slice()].concat()).exits(2);
        outcome.complains(&[says, takes]);
    }
    let first = explain(&bench, &["--session", "s0003", "--metric", "first"]).exits(0).stdout;
    assert!(first.starts_with("RR of session `s0003`"), "{first}");
    let other = explain(&bench, &["--session", "s0003", "--metric", "Utility"]).exits(0).stdout;
    assert!(other.starts_with("Utility of session `s0003`"), "{other}");
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    let bench = finished();
    explain(&bench, &["--session", "s003"]).exits(4).complains(&["no session `s003`; the nearest are `s0003`"]);
    explain(&bench, &["--session", "s0003", "--retriever", "nobody"]).exits(2).complains(&["no retriever `nobody`"]);
    explain(&bench, &["--session", "s0003", "--metric", "nDGC@5"]).exits(2).complains(&["did you mean `nDCG`"]);
    explain(&bench, &["--session", "s0003", "--metric", "P@500"]).exits(2).complains(&["looks at more ranks than the"]);
}
