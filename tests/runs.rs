//! Runs are listed, shown and cleared away.

use std::path::Path;

use serde_json::Value;

use crate::rematch::{Outcome, call, command, rematch};
use crate::sample;

fn runs(arguments: &[&str], folder: &Path) -> Outcome {
    let mut runs = command();
    call(runs.arg("runs").args(arguments).arg(folder))
}

#[test]
fn runs_are_listed_shown_and_removed() {
    let bench = sample::shop(&sample::sessions(30));
    let all = bench.path("runs");
    runs(&["list"], &all).exits(2).complains(&["there is no folder", "runs`"]);
    runs(&["gc", "--unfinished"], &all).exits(2).complains(&["there is no folder"]);
    let nothing_yet = call(command().args(["runs", "list"]).current_dir(bench.path(""))).exits(0);
    assert!(nothing_yet.stdout.contains("no runs in `runs`"), "{}", nothing_yet.stdout);
    std::fs::create_dir(&all).expect("a folder");
    assert!(runs(&["list"], &all).exits(0).stdout.contains("no runs in"));
    for (name, seed) in [("one", "1"), ("two", "2"), ("three", "3")] {
        bench.run_into(&format!("runs/{name}"), &["--quiet", "--set", &format!("seed={seed}")]).exits(0);
    }
    std::fs::remove_file(bench.path("runs/two/report.json")).expect("removed");

    let list = runs(&["list"], &all).exits(0).stdout;
    assert_eq!(list.lines().count(), 4, "one line each, however long the paths are: {list}");
    for name in ["one", "two", "three"] {
        let path = bench.path(format!("runs/{name}")).display().to_string();
        assert!(list.lines().any(|line| line.starts_with(&path)), "{path} in {list}");
    }
    assert!(list.contains("finished") && list.contains("2 units done") && list.contains("small-shop"), "{list}");
    let listed: Value = serde_json::from_str(&runs(&["list", "--json"], &all).exits(0).stdout).expect("JSON");
    assert_eq!(listed.as_array().expect("a list").len(), 3);
    assert!(listed[0]["directory"].as_str().expect("a path").ends_with("three"), "the newest first: {listed}");

    let shown = runs(&["show"], &bench.path("runs/two")).exits(0).stdout;
    assert!(shown.contains("2 of 2 work units are done") && shown.contains("rematch resume"), "{shown}");
    assert!(runs(&["show"], &bench.path("runs/one")).exits(0).stdout.contains("search"));
    runs(&["show"], &bench.path("nothing")).exits(2);

    let dry = runs(&["gc", "--unfinished", "--dry-run"], &all).exits(0).stdout;
    assert!(dry.contains("would remove 1 run,"), "{dry}");
    assert!(bench.path("runs/two").exists());
    runs(&["gc", "--unfinished"], &all).exits(0);
    assert!(!bench.path("runs/two").exists());
    runs(&["gc", "--keep", "1"], &all).exits(0);
    assert!(bench.path("runs/three").exists() && !bench.path("runs/one").exists());
    runs(&["gc"], &all).exits(2);
    runs(&["rm"], &bench.path("runs/three")).exits(0);
    assert!(!bench.path("runs/three").exists());
    runs(&["rm"], bench.path("products.jsonl").parent().expect("a folder")).exits(2);
    rematch(["runs", "gc", "--older-than", "soon"]).exits(2).complains(&["30d"]);
}

#[test]
fn a_folder_with_somebody_elses_manifest_is_no_run() {
    let bench = sample::shop(&sample::sessions(2));
    for content in ["{\"name\":\"an extension\",\"manifest_version\":3}", "not JSON"] {
        let manifest = bench.write("runs/extension/manifest.json", content);
        assert!(runs(&["list"], &bench.path("runs")).exits(0).stdout.contains("no runs in"));
        runs(&["gc", "--unfinished"], &bench.path("runs")).exits(0);
        runs(&["gc", "--older-than", "0s"], &bench.path("runs/extension")).exits(0);
        runs(&["rm"], &bench.path("runs/extension")).exits(2);
        assert!(manifest.exists());
    }
}
