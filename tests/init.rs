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

/// The example with those comments that are settings in the place of what they say, where `wanted` says so of the line.
fn uncommented(benchmark: &str, wanted: impl Fn(&str) -> bool) -> String {
    let tables = ["# [exposure]", "# [statistics]", "# [lists]"];
    let (mut text, mut inside) = (String::new(), false);
    for line in benchmark.lines() {
        inside = tables.contains(&line) || (inside && line.starts_with("# ") && line.contains(" = "));
        let setting = line.strip_prefix("# ").filter(|_| inside && wanted(line));
        text += &format!("{}\n", setting.unwrap_or(line));
    }
    for table in tables.iter().filter(|table| wanted(table)) {
        assert!(text.contains(&format!("\n{}\n", table.trim_start_matches("# "))), "{table} is missing in:\n{text}");
    }
    text
}

#[test]
fn the_commented_tables_hold_the_defaults() {
    let folder = Workbench::empty();
    rematch(["init".as_ref(), folder.path("shop").as_os_str()]).exits(0);
    let path = folder.path("shop/bench.toml");
    let benchmark = std::fs::read_to_string(&path).expect("the benchmark");
    let id = |out: &str| {
        rematch(["run".into(), path.clone(), "--quiet".into(), "--out".into(), folder.path(out)]).exits(0);
        text(&json(&folder.path(format!("{out}/report.json")))["run"]["id"]).to_owned()
    };
    let plain = id("plain");
    // What has no default stands there as an example.
    let of_lists = ["# [lists]", "# k = 10", "# paul-factor = 0.9"];
    let has_default = |line: &str| !line.contains("where it is not given") && !of_lists.contains(&line);
    let written = uncommented(&benchmark, has_default);
    assert_ne!(written, benchmark);
    std::fs::write(&path, written).expect("written");
    assert_eq!(id("defaults"), plain);

    std::fs::write(&path, uncommented(&benchmark, |line| !line.contains("popularity"))).expect("written");
    rematch(["run".into(), path.clone(), "--quiet".into(), "--out".into(), folder.path("all")]).exits(0);
    let report = json(&folder.path("all/report.json"));
    assert!(result(&report, "prod")["beyond_accuracy"].is_object(), "{}", report["results"][0]);
}
