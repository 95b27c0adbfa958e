//! What a report says of the lists themselves: how alike they are, where touched items went, and what to judge next.

use serde_json::{Value, json};

use crate::rematch::Outcome;
use crate::sample;
use crate::workbench::{Workbench, result};

const JUDGED: &str = r#"
name = "judged"
baseline = "old"
candidates = ["new"]
depth = 5
[sessions]
path = "sessions.jsonl"
[metrics]
k = [3]
primary = "nDCG@3"
[[retriever]]
id = "old"
stages = [{ kind = "recorded", path = "old.run" }]
[[retriever]]
id = "new"
stages = [{ kind = "recorded", path = "new.run" }]
"#;

/// Two judged searches: the second has the same answers, in the first an unjudged item pushes the relevant one down.
fn judged() -> Workbench {
    let bench = Workbench::new(JUDGED);
    let judgment = |item: &str, grade: i32| json!({ "item_id": item, "grade": grade });
    let sessions = [
        json!({ "session_id": "q1", "query": "lamp, \"red\"", "judgments": [judgment("a", 2), judgment("b", 0)] }),
        json!({ "session_id": "q2", "judgments": [judgment("a", 1)] }),
    ];
    bench.write("sessions.jsonl", sessions.map(|session| format!("{session}\n")).concat());
    let run = |answers: [(&str, &str); 2]| -> String {
        let lines = answers.iter().flat_map(|(session, items)| {
            let ranks = items.chars().zip(1..);
            ranks.map(move |(item, rank)| format!("{session} Q0 {item} {rank} {} run\n", 10 - rank))
        });
        lines.collect()
    };
    bench.write("old.run", run([("q1", "abc"), ("q2", "ab")]));
    bench.write("new.run", run([("q1", "xab"), ("q2", "ab")]));
    bench
}

#[track_caller]
fn close(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap_or_else(|| panic!("{found} is no number"));
    assert!((found - expected).abs() < 1e-9, "{found} {expected}");
}

fn comparison(report: &Value) -> &Value {
    &report["comparison"]["comparisons"][0]
}

#[test]
fn lists_are_compared_without_judgments() {
    let report = judged().report();
    let lists = &comparison(&report)["similarity"];
    assert_eq!((&lists["depth"], &lists["sessions"]), (&json!(3), &json!(2)));
    close(&lists["identical_at_k"]["3"], 0.5);
    close(&lists["jaccard_at_k"]["3"]["mean"], 0.75);
    // By hand: overlaps 0, 1, 2 down to rank 3, extrapolated with p = 0.9; the other pair is the same.
    close(&lists["rbo"]["mean"], f64::midpoint(0.1 / 0.9 * (0.81 / 2.0 + 0.729 * 2.0 / 3.0) + 0.729 * 2.0 / 3.0, 1.0));
    close(&lists["kendall_tau"]["mean"], 1.0);
    close(&lists["tau_ap"]["mean"], 1.0);
    close(&lists["mean_common_items"], 2.0);
}

#[test]
fn the_judged_share_stands_beside_each_retriever() {
    let report = judged().report();
    let share = &result(&report, "old")["judged"];
    assert_eq!((&share["k"], &share["sessions"]), (&json!(3), &json!(2)));
    // Of three hits two are judged, of two hits one: the denominator is min(k, returned), or k.
    close(&share["judged_at_k"]["mean"], f64::midpoint(2.0 / 3.0, 1.0 / 2.0));
    close(&share["unjudged_of_k"], 1.0 / 3.0);
    close(&result(&report, "new")["judged"]["judged_at_k"]["mean"], f64::midpoint(2.0 / 3.0, 1.0 / 2.0));
}

#[test]
fn bounds_say_that_unjudged_hits_could_turn_the_sign() {
    let report = judged().report();
    let bounds = &comparison(&report)["judgment_bounds"];
    let second = 1.0 / 3.0_f64.log2();
    let ideal_of_two = 2.0 + 2.0 * second;
    assert_eq!((&bounds["sessions"], &bounds["unjudged_items"]), (&json!(2), &json!(3)));
    close(&bounds["max_grade"], 2.0);
    close(&bounds["delta"], (second - 1.0) / 2.0);
    close(&bounds["highest_delta"], (2.0 * (second - 1.0) + 2.0) / ideal_of_two / 2.0);
    close(&bounds["lowest_delta"], (2.0 * (second - 1.0) - 2.0 * 0.5) / ideal_of_two / 2.0);
    assert_eq!(bounds["sign_survives"], json!(false));
    close(&bounds["delta"], comparison(&report)["metrics"]["nDCG@3"]["delta"].as_f64().expect("a delta"));
}

const JUDGE_NEXT: [&str; 3] = ["--quiet", "--set", "output.formats=[\"json\", \"judge-next\"]"];

#[test]
fn what_to_judge_next_is_written_where_it_is_asked_for() {
    let bench = judged();
    bench.run_with(&["--quiet"]).exits(0);
    assert!(!bench.path("out/judge_next.csv").exists());
    // Of a finished run too: nothing is replayed for it.
    bench.run_with(&JUDGE_NEXT).exits(0);
    let text = std::fs::read_to_string(bench.path("out/judge_next.csv")).expect("the list");
    let mut lines = csv_lines(&text);
    let header = "baseline_id,candidate_id,metric,session_id,query,item_id,baseline_rank,candidate_rank,grade,session_change,mean_change";
    assert_eq!(lines.remove(0).join(","), header);
    // The item that both have at the same rank changes nothing, and the newcomer at the top most.
    let places: Vec<&[String]> = lines.iter().map(|line| &line[..9]).collect();
    assert_eq!(
        places,
        [
            ["old", "new", "nDCG@3", "q1", "lamp, \"red\"", "x", "", "1", "2"],
            ["old", "new", "nDCG@3", "q1", "lamp, \"red\"", "c", "3", "", "2"],
        ]
    );
    let second = 1.0 / 3.0_f64.log2();
    let change = 2.0 * second / (2.0 + 2.0 * second) - (second - 1.0);
    let found: f64 = lines[0][9].parse().expect("a number");
    assert!((found - change).abs() < 1e-12, "{found} {change}");
    let of_mean: f64 = lines[0][10].parse().expect("a number");
    assert!((of_mean - change / 2.0).abs() < 1e-12, "{of_mean}");
    let table = rematch_engine::store::TableReader::open(&bench.path("out/judge_next.parquet")).expect("a table");
    assert_eq!(table.rows(), 2);
    assert_eq!(table.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(","), header);
}

/// The fields of each line; a quote in a field is doubled.
fn csv_lines(text: &str) -> Vec<Vec<String>> {
    let line = |line: &str| {
        let (mut fields, mut quoted) = (vec![String::new()], false);
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '"' if quoted && letters.peek() == Some(&'"') => {
                    letters.next();
                    fields.last_mut().expect("a field").push('"');
                }
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                letter => fields.last_mut().expect("a field").push(letter),
            }
        }
        fields
    };
    text.lines().map(line).collect()
}

#[test]
fn clicks_alone_have_nothing_to_judge() {
    let bench = sample::shop(&sample::sessions(12));
    bench.run_with(&JUDGE_NEXT).exits(0);
    let report = bench.read_report();
    assert_eq!(result(&report, "shown")["judged"], Value::Null);
    assert_eq!(comparison(&report)["judgment_bounds"], Value::Null);
    let text = std::fs::read_to_string(bench.path("out/judge_next.csv")).expect("the list");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_metric_without_a_cutoff_says_why_there_are_no_bounds() {
    let report = sample::recorded(&[(1, 2), (2, 1)], |_| None).report();
    let bounds = &comparison(&report)["judgment_bounds"];
    let why = bounds["not_computed"].as_str().expect("a reason");
    assert!(why.starts_with("`RR` has no cutoff"), "{why}");
    assert_eq!((&bounds["delta"], &bounds["sign_survives"]), (&Value::Null, &Value::Null));
}

#[test]
fn moves_of_touched_items_are_told_by_category() {
    let bench = sample::shop(&sample::sessions(40));
    let Outcome { stdout, .. } = bench.run().exits(0);
    let report = bench.read_report();
    let moves = &comparison(&report)["moves"];
    // The search puts what was meant first; it was shown at ranks 1 to 6 in turn.
    let expected = [("items", 40), ("up", 33), ("same", 7), ("down", 0), ("entered", 0), ("left", 0), ("absent", 0)];
    for (category, count) in expected {
        assert_eq!(moves[category], json!(count), "{category}");
    }
    close(&moves["median_delta"], -2.0);
    close(&moves["censored_share"], 0.0);
    close(&moves["mean_delta"], result(&report, "search")["metrics"]["avg_position_delta"].as_f64().expect("a mean"));
    assert!(stdout.contains("touched items: 33 up, 0 down, 7 same"), "{stdout}");
    assert!(stdout.contains("lists: top 10 identical in "), "{stdout}");
}

#[test]
fn ties_leave_an_interval() {
    let bench = judged();
    // The relevant item of the first search shares its score with the one above it.
    let run = "q1 Q0 b 1 5 r\nq1 Q0 a 2 5 r\nq1 Q0 c 3 1 r\nq2 Q0 a 1 2 r\nq2 Q0 b 2 1 r\n";
    bench.write("new.run", run);
    let Outcome { stdout, .. } = bench.run().exits(0);
    let report = bench.read_report();
    assert_eq!(result(&report, "old")["ties"], Value::Null);
    let ties = &result(&report, "new")["ties"];
    assert_eq!(ties["sessions"], json!(1));
    close(&ties["share"], 0.5);
    let range = &ties["metrics"]["nDCG@3"];
    assert_eq!(range["sessions"], json!(1));
    close(&range["lowest_mean"], f64::midpoint(1.0 / 3.0_f64.log2(), 1.0));
    close(&range["highest_mean"], 1.0);
    // All three are within the first three, whatever their order.
    assert_eq!(ties["metrics"]["P@3"]["sessions"], json!(0));
    close(
        &ties["metrics"]["P@3"]["lowest_mean"],
        result(&report, "new")["scores"]["P@3"]["mean"].as_f64().expect("a mean"),
    );
    assert!(stdout.contains("ties leave nDCG@3 open: new 0.8155 to 1.0000"), "{stdout}");
}

#[test]
fn coverage_diversity_novelty_and_votes_are_found_where_they_are_asked_for() {
    let bench = judged();
    let product =
        |id: &str, kind: &str, sold: &str| json!({ "item_id": id, "kind": kind, "sold": sold }).to_string() + "\n";
    let products = [("a", "lamp", "8"), ("b", "lamp", "4"), ("c", "mug", "4"), ("x", "", ""), ("y", "rug", "0")];
    bench.write("products.jsonl", products.map(|(id, kind, sold)| product(id, kind, sold)).concat());
    let click = |item: &str| json!({ "item_id": item, "kind": "click" });
    let session = |id: &str, visit: &str, clicks: &[&str]| {
        let clicks: Vec<Value> = clicks.iter().map(|item| click(item)).collect();
        json!({ "session_id": id, "visit_id": visit, "interactions": clicks }).to_string() + "\n"
    };
    // One visit of both searches: the click of the second counts for the first too.
    bench.write("sessions.jsonl", session("q1", "v", &[]) + &session("q2", "v", &["b"]));
    let more = "[corpus.products]\npath = \"products.jsonl\"\nid = \"item_id\"\n\
                [lists]\nk = 2\nitems = { corpus = \"products\", fields = [\"kind\"] }\npopularity = \"sold\"\npaul-factor = 0.5\n";
    bench.write("bench.toml", JUDGED.to_owned() + more);
    let Outcome { stdout, .. } = bench.run().exits(0);
    let report = bench.read_report();
    let old = &result(&report, "old")["beyond_accuracy"];
    // a b and a b: two of five items, the same kind, log2 of 16/8 and of 16/4.
    assert_eq!(
        (&old["k"], &old["coverage"]["shown"], &old["coverage"]["catalogue"]),
        (&json!(2), &json!(2), &json!(5))
    );
    close(&old["coverage"]["share"], 0.4);
    close(&old["diversity"]["mean"], 0.0);
    close(&old["novelty"]["bits"]["mean"], 1.5);
    close(&old["paul_score"]["score"], 0.5);
    // x a and a b: nothing is known of x.
    let new = &result(&report, "new")["beyond_accuracy"];
    assert_eq!((&new["coverage"]["shown"], &new["diversity"]["n"]), (&json!(3), &json!(1)));
    close(&new["novelty"]["bits"]["mean"], f64::midpoint(1.0, 1.5));
    assert_eq!(new["novelty"]["unknown_hits"], json!(1));
    close(&new["paul_score"]["score"], 0.25);
    assert_eq!(new["paul_score"]["visits"], json!(1));
    assert!(stdout.contains("top 2 of old: 40 % of the catalogue"), "{stdout}");
}

#[test]
fn mistakes_in_the_table_lists_are_refused_with_the_fix() {
    let bench = judged();
    for (table, complaint) in [
        ("k = 6", "6 is more than the 5 hits that are kept"),
        ("popularity = \"sold\"", "`popularity` is a field of the catalogue"),
        ("items = { corpus = \"shop\", fields = [] }", "unknown corpus `shop`"),
        ("paul-factor = 1.0", "expected a number above 0 and below 1, found `1`"),
    ] {
        bench.write("bench.toml", format!("{JUDGED}\n[lists]\n{table}\n"));
        bench.run().exits(2).complains(&[complaint]);
    }
}
