//! Which searches were lost and won most: in the report, on the page, on the terminal, and in the gates' Markdown.

use serde_json::{Value, json};

use crate::rematch::rematch;
use crate::sample;
use crate::workbench::{Workbench, text};

const HOSTILE: &str = "<script>alert(1)</script> \"@you\" `x`";

/// Sessions told of in each direction.
const MOST: usize = 10;

/// Sixty searches: `q021` loses all of a reciprocal rank of 1, `q007` nine tenths of it, the others as often half of it, a
/// quarter (the other way), or nothing.
fn ranks() -> Vec<(usize, usize)> {
    let ranks = |index: usize| match index {
        21 => (1, 0),
        7 => (1, 10),
        _ => [(1, 2), (4, 2), (3, 3)][index % 3],
    };
    (0..60).map(ranks).collect()
}

/// The benchmark of these, where the search that lost most has a text that a page must not take for its own.
fn recorded(ranks: &[(usize, usize)]) -> Workbench {
    let bench = sample::recorded(ranks, |_| None);
    let sessions = std::fs::read_to_string(bench.path("sessions.jsonl")).expect("sessions");
    let named = |line: &str| {
        let mut session: Value = serde_json::from_str(line).expect("JSON");
        if session["session_id"] == "q021" {
            session["query"] = HOSTILE.into();
        }
        format!("{session}\n")
    };
    bench.write("sessions.jsonl", sessions.lines().map(named).collect::<String>());
    bench
}

fn changes(report: &Value) -> &Value {
    &report["comparison"]["comparisons"][0]["largest_changes"]
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|change| text(&change["session_id"])).collect()
}

#[test]
fn the_largest_losses_and_gains_are_named_with_their_values() {
    let bench = recorded(&ranks());
    let report = bench.report();
    let found = changes(&report);
    assert_eq!(found["metric"], "RR");
    let lost = json!({ "session_id": "q021", "query": HOSTILE, "baseline": 1.0, "candidate": 0.0, "delta": -1.0 });
    assert_eq!(found["losses"][0], lost);
    let lost = json!({ "session_id": "q007", "query": null, "baseline": 1.0, "candidate": 0.1, "delta": -0.9 });
    assert_eq!(found["losses"][1], lost);
    // Of equal ones the first sessions are told of, and none that did not change.
    let halved = (0..).step_by(3).filter(|index| *index != 21).map(|index| format!("q{index:03}"));
    let mut expected = vec!["q021".to_owned(), "q007".to_owned()];
    expected.extend(halved.take(MOST - 2));
    assert_eq!(ids(&found["losses"]), expected);
    let gained = (1..).step_by(3).filter(|index| *index != 7).map(|index| format!("q{index:03}"));
    assert_eq!(ids(&found["gains"]), gained.take(MOST).collect::<Vec<_>>());
    assert_eq!(found["gains"][0]["delta"], 0.25);
    // What is named can be taken apart, to the same values.
    let out = bench.path("out").display().to_string();
    let told = rematch(["explain", &out, "--session", "q007", "--json"]).exits(0).stdout;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!([&told["retrievers"][0]["value"], &told["retrievers"][1]["value"]], [&json!(1.0), &json!(0.1)]);
}

#[test]
fn the_page_the_terminal_and_the_markdown_name_what_was_lost_and_run_nothing_of_it() {
    let bench = recorded(&ranks());
    let summary = bench.run().exits(0).stdout;
    let line = "\nlost most: q021 -1.00, q007 -0.90 (rematch explain RUN --session q021)\n";
    assert!(summary.contains(line), "{summary}");
    assert!(summary.lines().all(|line| line.chars().count() <= 80), "{summary}");
    let page = std::fs::read_to_string(bench.path("out/report.html")).expect("a page");
    for fragment in ["Searches that changed most by RR", "&lt;script&gt;alert(1)", "rematch explain RUN --session ID"] {
        assert!(page.contains(fragment), "{fragment} in {page}");
    }
    assert!(!page.contains("<script"), "{page}");
    let [losses, gains] = ["Largest losses", "Largest gains"].map(|title| page.find(title).expect("a table"));
    assert!(losses < gains);
    let (out, markdown) = (bench.path("out").display().to_string(), bench.path("gates.md"));
    let gate = |code| rematch(["gate", &out, "--markdown", &markdown.display().to_string()]).exits(code);
    gate(0);
    let told = std::fs::read_to_string(&markdown).expect("written");
    let named = "- Lost most by RR, new: `q021` (`<script>alert(1)</script> \"@you\" 'x'`) -1.0000, `q007` -0.9000, \
                 `q000` -0.5000\n";
    assert!(told.contains(named), "{told}");
    // A report that is older than the list is read all the same.
    let mut report = bench.read_report();
    report["comparison"]["comparisons"][0].as_object_mut().expect("an object").remove("largest_changes");
    bench.write("out/report.json", report.to_string());
    gate(0);
    assert!(!std::fs::read_to_string(&markdown).expect("written").contains("Lost most"));
}

#[test]
fn nothing_is_named_where_nothing_changed_and_no_command_where_a_scorer_decides() {
    let same = recorded(&[(2, 2); 20]);
    let summary = same.run().exits(0).stdout;
    assert!(!summary.contains("lost most"), "{summary}");
    assert_eq!(changes(&same.read_report()), &json!({ "metric": "RR", "losses": [], "gains": [] }));
    let page = std::fs::read_to_string(same.path("out/report.html")).expect("a page");
    assert!(!page.contains("changed most"), "{page}");

    let bench = recorded(&ranks());
    let benchmark = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    let scorer = "[[scorer]]\nname = \"found\"\nmetric = \"RR\"\n";
    bench.write("bench.toml", format!("{benchmark}\n{scorer}").replace("primary = \"RR\"", "primary = \"found\""));
    let summary = bench.run().exits(0).stdout;
    assert!(summary.contains("lost most: q021 -1.00, q007 -0.90, q000 -0.50\n"), "{summary}");
    assert_eq!(changes(&bench.read_report())["metric"], "found");
}

#[test]
fn where_clicks_decide_the_list_is_called_naive() {
    let bench = sample::shop(&sample::sessions(60));
    let turned =
        sample::BENCHMARK.replace("\"shown\"\ncandidates = [\"search\"]", "\"search\"\ncandidates = [\"shown\"]");
    bench.write("bench.toml", turned);
    let summary = bench.run().exits(0).stdout;
    let report = bench.read_report();
    assert_eq!(report["comparison"]["comparisons"][0]["exposure"]["decides"], true);
    let lost = changes(&report);
    assert_eq!((&lost["metric"], ids(&lost["losses"]).len()), (&json!("nDCG@10"), MOST));
    let query = text(&lost["losses"][0]["query"]);
    assert!(query.contains(' '), "{query}");
    assert!(summary.contains("lost most naive nDCG@10: s"), "{summary}");
    let page = std::fs::read_to_string(bench.path("out/report.html")).expect("a page");
    assert!(page.contains(query) && page.contains("these numbers are naive: what was never shown"), "{page}");
}
