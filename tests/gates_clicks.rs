//! Gates where relevance comes from clicks, and where a run stopped early: a naive number must neither break nor keep a gate.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::rematch::{Outcome, rematch};
use crate::sample;
use crate::workbench::{Workbench, text};

const SESSIONS: u64 = 600;

/// A uniform number in [0, 1) that depends on nothing but its arguments (SplitMix64).
fn uniform(session: u64, stream: u64) -> f64 {
    let mut state = (stream << 32) ^ session;
    for _ in 0..2 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
    }
    (state >> 11) as f64 / (1_u64 << 53) as f64
}

/// The place, from 0, of the item that is clicked: of two neighbours who are worth the same, as often as users look there.
fn clicked(session: u64) -> usize {
    let first = 2 * (session % 2) as usize;
    let [upper, lower] = [first + 1, first + 2].map(|rank| 1.0 / rank as f64);
    if uniform(session, 1) < upper / (upper + lower) { first } else { first + 1 }
}

fn shown() -> Vec<String> {
    (0..10).map(|item| format!("d{item}")).collect()
}

/// Two items first that were never shown, then these.
fn after_newcomers(items: impl IntoIterator<Item = String>) -> Vec<String> {
    ["n0", "n1"].map(str::to_owned).into_iter().chain(items).take(10).collect()
}

/// What a retriever returns in a session.
fn ranking(retriever: &str, session: u64) -> Vec<String> {
    match retriever {
        "equal" => after_newcomers((0..10).map(|place: usize| format!("d{}", place ^ 1))),
        "better" => {
            let best = format!("d{}", clicked(session));
            let others = shown().into_iter().filter(|item| *item != best).collect::<Vec<_>>();
            after_newcomers(std::iter::once(best.clone()).chain(others))
        }
        "worse" => after_newcomers(shown().into_iter().take(8).rev()),
        _ => shown(),
    }
}

/// A log of clicks on the lists of `logger`, against candidates of known worth; that users look at 1 / rank is known.
fn world(candidates: &[&str], more: &str) -> Workbench {
    let mut benchmark = format!(
        "name = \"clicks\"\nbaseline = \"logger\"\ncandidates = {candidates:?}\nsessions.path = \"log.jsonl\"\n\
         exposure.exponents = [1.0, 1.0]\n"
    );
    let mut log = String::new();
    for session in 0..SESSIONS {
        let place = clicked(session);
        let items: Vec<Value> = shown().iter().map(|item| json!({ "item_id": item })).collect();
        let click = json!({ "item_id": format!("d{place}"), "kind": "click", "position": place + 1 });
        let room = ["home/kitchen", "home/garden"][(session / 2 % 2) as usize];
        let session =
            json!({ "session_id": format!("q{session}"), "taxonomy": [room], "shown": items, "interactions": [click] });
        writeln!(log, "{session}").expect("a string");
    }
    let mut runs = Vec::new();
    for retriever in std::iter::once(&"logger").chain(candidates) {
        let mut run = String::new();
        for session in 0..SESSIONS {
            for (index, item) in ranking(retriever, session).iter().enumerate() {
                writeln!(run, "q{session} Q0 {item} {} {} clicks", index + 1, 100 - index).expect("a string");
            }
        }
        runs.push((format!("{retriever}.run"), run));
        write!(
            benchmark,
            "[[retriever]]\nid = \"{retriever}\"\nstages = [{{ kind = \"recorded\", path = \"{retriever}.run\" }}]\n"
        )
        .expect("a string");
    }
    let bench = Workbench::new(&(benchmark + more));
    bench.write("log.jsonl", log);
    for (name, run) in runs {
        bench.write(&name, run);
    }
    bench
}

/// Runs, and returns the comparison with each candidate.
#[track_caller]
fn compared(bench: &Workbench, arguments: &[&str], code: i32) -> Vec<Value> {
    bench.run_with(&[&["--quiet"], arguments].concat()).exits(code);
    bench.read_report()["comparison"]["comparisons"].as_array().expect("comparisons").clone()
}

fn states(comparison: &Value) -> Vec<&str> {
    comparison["gates"].as_array().expect("gates").iter().map(|gate| text(&gate["state"])).collect()
}

fn gate(bench: &Workbench, arguments: &[&str]) -> Outcome {
    let run = bench.path("out").display().to_string();
    rematch([&["gate", run.as_str()], arguments].concat())
}

fn file(bench: &Workbench, name: &str) -> String {
    bench.path(name).display().to_string()
}

const GATES: &str = "[[gate]]\nmetric = \"nDCG@10\"\nmax-regression = \"15 %\"\non-inconclusive = \"fail\"\n\
                     [[gate]]\nmetric = \"RR\"\nmax-regression = 0.1\non-inconclusive = \"fail\"\n\
                     [[gate]]\nmetric = \"nDCG@10\"\nmax-regression = \"15 %\"\nnode = \"home/kitchen\"\non-inconclusive = \"fail\"\n\
                     [[gate]]\nmetric = \"AP\"\nmin-value = 0.01\non-inconclusive = \"fail\"\n";

#[test]
fn where_clicks_decide_gates_judge_the_change_on_common_support_and_not_the_naive_test() {
    let bench = world(&["equal", "better", "worse", "same"], GATES);
    let comparisons = compared(&bench, &[], 10);
    let [equal, better, worse, same] = comparisons.as_slice() else { panic!("{comparisons:?}") };
    let naive = &equal["metrics"]["nDCG@10"];
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    let mean = number(&naive["baseline_mean"]);
    assert!(number(&naive["ci95"][1]) < -0.15 * mean, "the naive test would fail an equal candidate: {naive}");
    assert_eq!(states(equal), ["passed", "passed", "inconclusive", "inconclusive"], "{}", equal["gates"]);
    assert_eq!(states(better), ["passed", "passed", "inconclusive", "inconclusive"], "{}", better["gates"]);
    assert_eq!(states(worse), ["failed", "failed", "inconclusive", "inconclusive"], "{}", worse["gates"]);
    assert_eq!(states(same), ["passed", "passed", "passed", "inconclusive"], "{}", same["gates"]);

    let (whole, exposure) = (&equal["gates"][0], &equal["exposure"]);
    assert!(text(&whole["reason"]).contains(" by clicks on common support from "), "{whole}");
    for end in [0, 1] {
        let expected = number(&exposure["relative"]["ci95"][end]) * mean;
        assert!((number(&whole["interval"][end]) - expected).abs() < 1e-12, "{whole}");
    }
    assert_eq!((&whole["p"], &whole["candidate"]), (&exposure["common_support"]["p_adjusted"], &Value::Null));
    // The same share of another metric's mean.
    let reciprocal = number(&equal["metrics"]["RR"]["baseline_mean"]) * number(&exposure["relative"]["estimate"]);
    assert!((number(&equal["gates"][1]["delta"]) - reciprocal).abs() < 1e-12, "{}", equal["gates"][1]);
    assert!(text(&equal["gates"][2]["reason"]).contains("clicks cannot tell at a node"), "{}", equal["gates"][2]);
    assert!(text(&equal["gates"][3]["reason"]).contains("counts what was never shown"), "{}", equal["gates"][3]);
}

#[test]
fn where_attention_is_assumed_a_gate_holds_only_under_every_curve() {
    let bench = world(&["equal", "better", "worse", "same"], GATES);
    let known = compared(&bench, &[], 10);
    std::fs::remove_dir_all(bench.path("out")).expect("removed");
    let assumed = compared(&bench, &["--set", "exposure.exponents=[0.0,2.0]"], 10);
    for (known, assumed) in known.iter().zip(&assumed).take(3) {
        let ends = |comparison: &Value| -> [f64; 2] {
            serde_json::from_value(comparison["gates"][0]["interval"].clone()).expect("an interval")
        };
        let ([low, high], [least, most]) = (ends(known), ends(assumed));
        assert!(least <= low && high <= most && most - least > high - low, "{low} {high} {least} {most}");
        let sensitivity = assumed["exposure"]["sensitivity"].as_array().expect("curves");
        assert_eq!(sensitivity.len(), 5);
        assert!(known["exposure"]["sensitivity"].as_array().is_some_and(|curves| curves.len() == 1), "{known}");
    }
}

#[test]
fn a_stored_run_of_clicks_judged_again_says_the_same_and_knows_its_other_metrics() {
    let bench = world(&["equal", "worse"], GATES);
    compared(&bench, &[], 10);
    let judged = |arguments: &[&str]| -> Value {
        let said = gate(&bench, &[arguments, &["--json", "--date", "2026-06-15"]].concat());
        serde_json::from_str(&said.stdout).expect("JSON")
    };
    assert_eq!(judged(&[]), judged(&["--benchmark", &file(&bench, "bench.toml")]));
    let own = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    let other = own.split("[[gate]]").next().expect("a benchmark").to_owned()
        + "[[gate]]\nmetric = \"AP\"\nmax-regression = \"15 %\"\n";
    bench.write("other.toml", other);
    let again = judged(&["--benchmark", &file(&bench, "other.toml")]);
    let states: Vec<&str> = again["gates"].as_array().expect("gates").iter().map(|gate| text(&gate["state"])).collect();
    assert_eq!(states, ["passed", "failed"], "{again}");
    assert!(text(&again["gates"][0]["outcome"]["reason"]).contains("by clicks on common support"), "{again}");
}

#[test]
fn where_clicks_tell_too_little_gates_are_inconclusive_unless_the_lists_are_the_same() {
    let bench = world(&["equal", "worse", "same"], GATES);
    let comparisons = compared(&bench, &["--set", "exposure.min-coverage=0.95"], 11);
    for comparison in &comparisons[..2] {
        assert_eq!(states(comparison), ["inconclusive"; 4], "{}", comparison["gates"]);
        let reason = text(&comparison["gates"][0]["reason"]);
        assert!(reason.contains("relevance comes from clicks, and only 80 % of the candidate's top 10"), "{reason}");
    }
    let bench = world(&["same"], GATES);
    let comparisons = compared(&bench, &["--set", "exposure.min-effective-sample=1e9"], 11);
    assert!(comparisons[0]["exposure"]["too_little"].is_string(), "{}", comparisons[0]["exposure"]);
    assert_eq!(states(&comparisons[0]), ["passed", "passed", "passed", "inconclusive"], "{}", comparisons[0]["gates"]);
}

#[test]
fn gates_are_proposed_by_clicks_where_these_decide() {
    for candidates in [&["equal", "better"][..], &["worse"]] {
        let bench = world(candidates, "");
        compared(&bench, &[], 0);
        let proposed = rematch(["gate", "init", "--from", &file(&bench, "out")]).exits(0).stdout;
        for fragment in
            ["by clicks on common support with 80 % power", "passes in 80 % of runs", "metric = \"nDCG@10\""]
        {
            assert!(proposed.contains(fragment), "{fragment} in {proposed}");
        }
        assert!(!proposed.contains("node"), "{proposed}");
        let own = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
        bench.write("other.toml", format!("{own}\n{}", proposed.replace("\"warn\"", "\"fail\"")));
        gate(&bench, &["--benchmark", &file(&bench, "other.toml")]).exits(0);
    }
}

#[test]
fn after_an_early_stop_only_the_measure_that_decided_keeps_its_interval() {
    let ranks: Vec<(usize, usize)> = (0..1200)
        .map(|session| (1 + (uniform(session, 2) * 10.0) as usize, 1 + (uniform(session, 3) * 3.0) as usize))
        .collect();
    let bench = sample::recorded(&ranks, |_| None);
    let own = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    let gates = "[[gate]]\nmetric = \"RR\"\nmax-regression = 0.01\n[[gate]]\nmetric = \"AP\"\nmax-regression = 0.01\n\
                 [[gate]]\nmetric = \"AP\"\nmax-regression = 0.01\non = \"p\"\n[[gate]]\nmetric = \"AP\"\nmax-regression = 0.01\non = \"point\"\n\
                 [[gate]]\nmetric = \"nDCG@10\"\nmin-value = 0.1\n[[gate]]\nmetric = \"failed_share\"\nmax-value = 0.1\n";
    bench.write("bench.toml", format!("{own}\n{gates}"));
    let stopped = compared(&bench, &["--stop-when-decided"], 0);
    let expected = ["passed", "warned", "warned", "passed", "passed", "passed"];
    assert_eq!(states(&stopped[0]), expected, "{}", stopped[0]["gates"]);
    let reason = text(&stopped[0]["gates"][1]["reason"]);
    assert!(reason.contains("the run stopped early by another measure"), "{reason}");
    gate(&bench, &["--benchmark", &file(&bench, "bench.toml"), "--set", "statistics.stop-when-decided=true"]).exits(0);
    // Without an early stop the interval is good.
    std::fs::remove_dir_all(bench.path("out")).expect("removed");
    assert_eq!(states(&compared(&bench, &[], 0)[0]), ["passed"; 6]);
}
