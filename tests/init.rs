//! The example that `rematch init` writes runs as it is.

use crate::rematch::{call, command, rematch};
use crate::workbench::{Workbench, json, result, text};

#[test]
fn the_example_runs_as_it_is_and_comes_to_a_verdict() {
    let folder = Workbench::empty();
    let example = folder.path("deep/shop");
    let outcome = rematch(["init".as_ref(), example.as_os_str()]).exits(0);
    assert!(outcome.stdout.contains("rematch run "), "{}", outcome.stdout);
    rematch(["validate".into(), example.join("bench.toml")]).exits(0);
    rematch(["run".into(), example.join("bench.toml"), "--out".into(), folder.path("out")]).exits(0);
    let report = json(&folder.path("out/report.json"));
    assert_eq!(report["run"]["state"], "completed");
    for retriever in ["prod", "boosted"] {
        assert!(result(&report, retriever)["scenario_score"]["mean"].is_number(), "the component scored");
        assert_eq!(result(&report, retriever)["failed_sessions"], 0);
    }
    let verdict = &report["comparison"]["comparisons"][0]["verdict"];
    assert!(text(&verdict["sentence"]).contains("nDCG@10"), "{verdict}");
}

#[test]
fn the_example_is_commented_and_stands_alone() {
    let folder = Workbench::empty();
    rematch(["init".as_ref(), folder.path("shop").as_os_str()]).exits(0);
    let benchmark = std::fs::read_to_string(folder.path("shop/bench.toml")).expect("the benchmark");
    assert!(benchmark.lines().filter(|line| line.starts_with('#')).count() > 5, "{benchmark}");
    assert!(!benchmark.contains("../"), "a path leads out of the folder:\n{benchmark}");
}

#[test]
fn files_that_are_there_are_kept_unless_forced() {
    let folder = Workbench::empty();
    folder.write("shop/bench.toml", "mine");
    let shop = folder.path("shop");
    rematch(["init".as_ref(), shop.as_os_str()]).exits(2).complains(&["bench.toml", "is there already", "--force"]);
    assert_eq!(std::fs::read_dir(&shop).expect("the folder").count(), 1, "something was written");
    assert_eq!(std::fs::read_to_string(shop.join("bench.toml")).expect("mine"), "mine");
    rematch(["init".as_ref(), shop.as_os_str(), "--force".as_ref()]).exits(0);
    assert_ne!(std::fs::read_to_string(shop.join("bench.toml")).expect("the example"), "mine");
}

#[test]
fn without_a_folder_the_example_goes_into_the_present_one() {
    let folder = Workbench::empty();
    let mut init = command();
    call(init.current_dir(folder.path("")).arg("init")).exits(0);
    let mut run = command();
    call(run.current_dir(folder.path("")).args(["run", "bench.toml", "--out", "out", "--quiet"])).exits(0);
}
