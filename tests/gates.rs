//! Gates decide how a run ends; failures can be accepted until a day, and a stored run can be judged anew.

use std::path::Path;

use rematch_engine::session::{Judgment, Session};
use serde_json::Value;

use crate::rematch::{Outcome, rematch};
use crate::sample;
use crate::workbench::{Workbench, text};

/// The baseline always first; the candidate loses 0.6333 of a reciprocal rank of 1, give or take 0.05.
fn worse() -> Vec<(usize, usize)> {
    (0..20).map(|index| (1, 2 + index % 3)).collect()
}

fn even() -> Vec<(usize, usize)> {
    (0..20).map(|index| if index % 2 == 0 { (1, 2) } else { (2, 1) }).collect()
}

fn add(bench: &Workbench, more: &str) {
    let text = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    bench.write("bench.toml", format!("{text}\n{more}\n"));
}

fn gated(ranks: &[(usize, usize)], gate: &str) -> Workbench {
    let bench = sample::recorded(ranks, |_| None);
    add(&bench, &format!("[[gate]]\n{gate}"));
    bench
}

fn gates(report: &Value) -> &Vec<Value> {
    report["comparison"]["comparisons"][0]["gates"].as_array().expect("gates")
}

/// Runs, expects the exit code, and returns the first gate.
#[track_caller]
fn found(bench: &Workbench, code: i32) -> Value {
    bench.run_with(&["--quiet"]).exits(code);
    gates(&bench.read_report())[0].clone()
}

fn gate(bench: &Workbench, arguments: &[&str]) -> Outcome {
    let mut all = vec!["gate".to_owned(), bench.path("out").display().to_string()];
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    rematch(all)
}

fn file(bench: &Workbench, name: &str) -> String {
    bench.path(name).display().to_string()
}

#[test]
fn a_bound_can_be_a_share_of_the_baseline_and_be_held_against_the_interval_the_mean_or_the_p() {
    let cases = [
        (
            "max-regression = \"55 %\"",
            "failed",
            10,
            "(55 % of the baseline) is accepted, and the whole interval is beyond",
        ),
        ("max-regression = \"70 %\"", "passed", 0, "the whole interval keeps within that"),
        ("max-regression = \"63 %\"", "warned", 0, "the interval reaches across that"),
        ("max-regression = \"63 %\"\non = \"point\"", "failed", 10, "a fall of up to 0.6300"),
        ("max-regression = \"64 %\"\non = \"point\"", "passed", 0, "it keeps within that"),
        ("max-regression = 0.6\non = \"p\"", "failed", 10, "beyond that and significant"),
        ("max-regression = 0.6\nmin-sessions = 21", "warned", 0, "20 sessions are fewer than the 21"),
        ("max-regression = 0\ndirection = \"lower-is-better\"", "passed", 0, "a rise of up to 0.0000 is accepted"),
        ("min-value = 0.3", "passed", 0, "RR of the candidate is 0.3667 (n = 20): at least 0.3000 is wanted"),
        ("min-value = 0.4", "failed", 10, "at least 0.4000 is wanted"),
        (
            "max-regression = 0.7\nmin-value = 0.4",
            "failed",
            10,
            "at least 0.4000 is wanted, and the candidate has 0.3667",
        ),
    ];
    for (bound, state, code, reason) in cases {
        let bench = gated(&worse(), &format!("metric = \"RR\"\n{bound}"));
        let gate = found(&bench, code);
        assert_eq!(gate["state"], state, "{bound}: {gate}");
        assert!(text(&gate["reason"]).contains(reason), "{bound}: {}", gate["reason"]);
        assert_eq!(gate["n"], 20);
    }
    // Without an effect, little is significant: what is asked by p passes, by interval it is open.
    let gate = found(&gated(&even(), "metric = \"RR\"\nmax-regression = 0\non = \"p\""), 0);
    assert_eq!(gate["state"], "passed", "{gate}");
}

#[test]
fn a_gate_states_value_interval_bound_and_n() {
    let gate = found(&gated(&worse(), "metric = \"RR\"\nmax-regression = \"50 %\""), 10);
    let number = |key: &str| gate[key].as_f64().expect("a number");
    assert!((number("baseline") - 1.0).abs() < 1e-12 && (number("bound") + 0.5).abs() < 1e-12, "{gate}");
    assert!((number("candidate") - number("baseline") - number("delta")).abs() < 1e-12, "{gate}");
    let low = gate["interval"][0].as_f64().expect("low");
    assert!(low < number("delta") && number("confidence") == 0.95, "{gate}");
    assert_eq!(
        (&gate["max_regression"], &gate["on"], &gate["lower_is_better"]),
        (&"50 %".into(), &"interval".into(), &false.into())
    );
}

#[test]
fn latencies_and_shares_of_failures_have_gates() {
    let bench = sample::shop(&sample::sessions(20));
    add(
        &bench,
        "[[gate]]\nmetric = \"latency_p99_ms\"\nmax-value = 1e9\n[[gate]]\nmetric = \"failed_share\"\nmax-value = 0.0\n\
         [[gate]]\nmetric = \"empty_share\"\nmax-regression = \"1 %\"\n[[gate]]\nmetric = \"latency_mean_ms\"\nmax-regression = 1",
    );
    bench.run_with(&["--quiet"]).exits(0);
    let report = bench.read_report();
    let states: Vec<&str> = gates(&report).iter().map(|gate| text(&gate["state"])).collect();
    // The baseline's list is looked up, so that its latency is not known; and no share of 0 is a bound.
    assert_eq!(states, ["passed", "passed", "warned", "warned"], "{:?}", gates(&report));
    assert!(text(&gates(&report)[2]["reason"]).contains("no loss is a share of it"), "{}", gates(&report)[2]);
    let reason = text(&gates(&report)[3]["reason"]);
    assert!(reason.contains("no latency of the baseline (answers were looked up"), "{reason}");
    assert!(text(&gates(&report)[1]["reason"]).contains("0.00 %"), "{}", gates(&report)[1]);
    let slow = sample::shop(&sample::sessions(20));
    add(&slow, "[[gate]]\nmetric = \"latency_p50_ms\"\nmax-value = 1e-9");
    assert!(text(&found(&slow, 10)["reason"]).contains("ms (n = 20): at most 0.00 ms is wanted"));
}

/// A shop whose sessions are judged: clicks cannot tell at a node.
fn judged_shop() -> Workbench {
    let judged = sample::sessions(120).into_iter().map(|session| {
        let judgments =
            session.interactions.iter().take(1).map(|act| Judgment { item_id: act.item_id.clone(), grade: 1.0 });
        Session { judgments: judgments.collect(), interactions: Vec::new(), ..session }
    });
    sample::shop(&judged.collect::<Vec<_>>())
}

#[test]
fn a_gate_looks_at_one_taxonomy_node_or_at_every_one() {
    let bench = judged_shop();
    add(
        &bench,
        "[[gate]]\nmetric = \"nDCG@10\"\nmax-regression = 0.01\nnode = \"kitchen\"\n\
         [[gate]]\nmetric = \"RR\"\nmax-regression = 0.01\nnode = \"living/rug\"\n\
         [[gate]]\nmetric = \"RR\"\nmax-regression = 0.01\nevery-node = true\nmin-sessions = 20\n\
         [[gate]]\nmetric = \"RR\"\nmax-regression = 0.01\nnode = \"garden\"\non-inconclusive = \"pass\"",
    );
    let said = bench.run().exits(0).stdout;
    let report = bench.read_report();
    let all = gates(&report);
    assert_eq!((&all[0]["node"], &all[0]["state"]), (&"kitchen".into(), &"passed".into()));
    assert_eq!((&all[1]["node"], &all[1]["metric"]), (&"living/rug".into(), &"RR".into()));
    let nodes = &report["comparison"]["comparisons"][0]["metric_taxonomy"]["RR"];
    assert_eq!(all[1]["delta"], nodes["living/rug"]["delta"]);
    assert_eq!(all[1]["interval"], nodes["living/rug"]["ci95"]);

    let every: Vec<&Value> = all.iter().filter(|gate| gate["nodes_judged"].is_number()).collect();
    let large = nodes.as_object().expect("nodes").values().filter(|node| node["n"].as_u64() >= Some(20)).count();
    assert!(large >= 2 && every.len() == large, "{every:?}");
    let whole = |gate: &Value| nodes[text(&gate["node"])]["ci95"][0].as_f64().expect("low");
    assert!(every.iter().all(|gate| gate["interval"][0].as_f64().expect("low") < whole(gate)), "{every:?}");
    assert!(every.iter().all(|gate| gate["nodes_left_out"].as_u64().expect("a count") > 0), "{every:?}");

    let last = all.last().expect("a gate");
    assert_eq!(last["state"], "passed");
    assert!(text(&last["reason"]).contains("no session of the sample carries this node"), "{last}");
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
}

#[test]
fn a_misspelt_node_is_found_before_anything_is_replayed() {
    let bench = sample::shop(&sample::sessions(30));
    add(&bench, "[[gate]]\nmetric = \"RR\"\nmax-regression = 0.01\nnode = \"kitchn\"");
    bench.run().exits(2).complains(&["`kitchn`", "no session of the sample carries", "did you mean `kitchen`?"]);
    assert!(!bench.path("out/parts").exists());
}

const ACKNOWLEDGED: &str = "[[acknowledgement]]\nmetric = \"RR\"\ncandidate = \"new\"\nreason = \"the index was rebuilt\"\n\
                            owner = \"search team\"\nexpires = 2999-12-31\n";

#[test]
fn an_acknowledged_failure_passes_until_its_day_is_over() {
    let bench = gated(&worse(), "metric = \"RR\"\nmax-regression = 0.1");
    bench.run().exits(10);
    let report = std::fs::read(bench.path("out/report.json")).expect("the report");

    bench.write("acknowledgements.toml", ACKNOWLEDGED);
    let said = bench.run().exits(0).stdout;
    for fragment in
        ["gate acknowledged", "acknowledged by search team until 2999-12-31", "(today is ", "the index was rebuilt"]
    {
        let unwrapped = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unwrapped.contains(fragment), "{fragment} in {said}");
    }
    bench.run_with(&["--json"]).exits(0).complains(&["note: `RR` of `new`: acknowledged by search team"]);
    gate(&bench, &[]).exits(0);
    gate(&bench, &["--date", "3000-01-01"]).exits(10);

    bench.write("acknowledgements.toml", ACKNOWLEDGED.replace("2999", "1999"));
    let said = bench.run().exits(10).stdout;
    assert!(said.contains("gate FAILED") && said.contains("expired on 1999-12-31"), "{said}");
    bench.write("acknowledgements.toml", ACKNOWLEDGED.replace("\"new\"", "\"other\""));
    bench.run().exits(10).complains(&["warning:", "acknowledgements.toml", "means no gate of this run"]);
    // What is accepted changes no report.
    assert_eq!(std::fs::read(bench.path("out/report.json")).expect("the report"), report);
}

#[test]
fn a_mistake_in_the_acknowledgements_is_found_before_the_run() {
    let bench = gated(&worse(), "metric = \"RR\"\nmax-regression = 0.1");
    bench.write("acknowledgements.toml", ACKNOWLEDGED.replace("2999-12-31", "\"later\""));
    bench.run().exits(2).complains(&["acknowledgements.toml:6", "`later` is not a day"]);
    assert!(!bench.path("out").exists());
    std::fs::remove_file(bench.path("acknowledgements.toml")).expect("removed");
    add(&bench, "[output]\nacknowledgements = \"accepted.toml\"");
    bench.run().exits(3).complains(&["no such file", "accepted.toml"]);
    bench.write("accepted.toml", ACKNOWLEDGED);
    bench.run().exits(0);
}

#[test]
fn a_stored_run_is_judged_by_other_gates() {
    let bench = gated(&worse(), "metric = \"RR\"\nmax-regression = 0.1");
    bench.run_with(&["--quiet"]).exits(10);
    gate(&bench, &[]).exits(10);
    let own = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    for (gates, code) in [
        ("metric = \"RR\"\nmax-regression = 0.9", 0),
        ("metric = \"RR\"\nmax-regression = \"63 %\"\non-inconclusive = \"fail\"", 11),
        ("metric = \"nDCG@5\"\nmin-value = 0.99", 10),
        ("metric = \"failed_share\"\nmax-value = 0.01", 0),
    ] {
        let other = own.split("[[gate]]").next().expect("a benchmark").to_owned() + "[[gate]]\n" + gates;
        bench.write("other.toml", other);
        gate(&bench, &["--benchmark", &file(&bench, "other.toml")]).exits(code);
    }
    bench.write("other.toml", own.replace("metric = \"RR\"", "metric = \"nDCG@6\""));
    gate(&bench, &["--benchmark", &file(&bench, "other.toml")])
        .exits(2)
        .complains(&["other.toml:", "`nDCG@6`, which this run did not measure, did you mean `nDCG@5`"]);
    gate(&bench, &["--acknowledgements", &file(&bench, "nowhere.toml")]).exits(2).complains(&["nowhere.toml"]);
    std::fs::remove_file(bench.path("out/report.json")).expect("removed");
    gate(&bench, &[]).exits(5).complains(&["is not finished", "rematch resume"]);
}

#[test]
fn a_stored_run_is_not_judged_by_what_it_does_not_know() {
    let bench = sample::shop(&sample::sessions(60));
    bench.run_with(&["--quiet"]).exits(0);
    let judge = |gate_lines: &str| {
        let own = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
        bench.write("other.toml", format!("{own}\n[[gate]]\nmax-regression = 0.1\n{gate_lines}\n"));
        gate(&bench, &["--benchmark", &file(&bench, "other.toml")])
    };
    judge("metric = \"AP\"\nevery-node = true")
        .exits(2)
        .complains(&["`AP` by taxonomy node", "run the benchmark with"]);
    judge("metric = \"nDCG@10\"\nnode = \"livin\"").exits(2).complains(&["other.toml:", "did you mean `living`?"]);
    judge("metric = \"nDCG@10\"\nnode = \"garden\"\non-inconclusive = \"fail\"").exits(11);
    judge("metric = \"latency_p95_ms\"").exits(2).complains(&["did you mean `latency_p9"]);
    judge("metric = \"nDCG@10\"\nevery-node = true").exits(0);
}

#[test]
fn the_mean_latency_is_judged_by_its_paired_interval() {
    let bench = sample::shop(&sample::sessions(40));
    let written = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    let bm25 = "{ kind = \"bm25\", corpus = \"products\", fields = { title = 2.0 } }";
    let gate = "\n[[gate]]\nmetric = \"latency_mean_ms\"\nmax-regression = 1e6\nmin-sessions = 30\n";
    bench.write("bench.toml", written.replace("{ kind = \"shown\" }", bm25) + gate);
    let gate = found(&bench, 0);
    assert_eq!((&gate["state"], &gate["on"], &gate["n"]), (&"passed".into(), &"interval".into(), &40.into()), "{gate}");
    let paired = bench.read_report()["comparison"]["comparisons"][0]["latency"]["paired"].clone();
    assert_eq!((&gate["interval"], &gate["delta"]), (&paired["ci95_ms"], &paired["delta_ms"]));
    assert!(text(&gate["reason"]).contains("ms is accepted, and the whole interval keeps within that"), "{gate}");
}

#[test]
fn the_own_gates_judged_again_say_the_same() {
    let bench = sample::shop(&sample::sessions(120));
    add(
        &bench,
        "[[gate]]\nmetric = \"nDCG@10\"\nmax-regression = \"1 %\"\nnode = \"kitchen\"\n\
         [[gate]]\nmetric = \"RR\"\nmax-regression = 0.01\nevery-node = true\n\
         [[gate]]\nmetric = \"R@5\"\nmax-regression = 0.01\non = \"p\"\n[[gate]]\nmetric = \"empty_share\"\nmax-value = 0.5",
    );
    bench.run_with(&["--quiet"]).exits(0);
    let judged = |arguments: &[&str]| -> Value {
        serde_json::from_str(&gate(&bench, &[arguments, &["--json", "--date", "2026-06-15"]].concat()).stdout)
            .expect("JSON")
    };
    let stored = judged(&[]);
    assert_eq!(stored, judged(&["--benchmark", &file(&bench, "bench.toml")]));
    assert_eq!(stored["date"], "2026-06-15");
    assert!(stored["gates"].as_array().expect("gates").len() > 6, "{stored}");
}

#[test]
fn testcases_of_junit_have_names_of_their_own() {
    let bench = judged_shop();
    add(
        &bench,
        "[[gate]]\nmetric = \"RR\"\nmin-value = 0.0\n[[gate]]\nmetric = \"RR\"\nmin-value = 0.001\n\
         [[gate]]\nmetric = \"RR\"\nmax-regression = \"90 %\"\n[[gate]]\nmetric = \"RR\"\nmax-regression = \"90 %\"\non = \"p\"\n\
         [[gate]]\nmetric = \"RR\"\nmax-regression = 0.9\nnode = \"kitchen\"\n\
         [[gate]]\nmetric = \"RR\"\nmax-regression = 0.9\nevery-node = true\nmin-sessions = 20\n\
         [[gate]]\nmetric = \"RR\"\nmin-value = 0.0\nmin-sessions = 2",
    );
    bench.run_with(&["--quiet"]).exits(0);
    let junit = file(&bench, "gates.xml");
    gate(&bench, &["--junit", &junit]).exits(0);
    let xml = std::fs::read_to_string(&junit).expect("written");
    let names: Vec<&str> = xml
        .lines()
        .filter(|line| line.contains("<testcase"))
        .filter_map(|line| line.split(" name=\"").nth(1)?.split('"').next())
        .collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert!(names.len() > 7 && unique.len() == names.len(), "{names:?}");
    for name in [
        "RR min-value 0",
        "RR min-value 0.001",
        "RR max-regression 90 %",
        "RR max-regression 90 % on p",
        "RR at kitchen max-regression 0.9",
        "RR at kitchen (every-node) max-regression 0.9",
        "RR min-value 0 #2",
    ] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
}

#[test]
fn a_retriever_that_failed_on_every_session_is_no_pass() {
    let judged = |bench: &Workbench| -> Value {
        let said = gate(bench, &["--json", "--date", "2026-06-15"]).exits(5).stdout;
        serde_json::from_str(&said).expect("JSON")
    };
    for (failing, said) in [("new", "it is not judged"), ("old", "no candidate is judged against it")] {
        let bench = gated(&even(), "metric = \"RR\"\nmax-regression = 0.9");
        bench.write(&format!("{failing}.run"), "elsewhere Q0 wanted 1 9 tag\n");
        bench.run_with(&["--quiet"]).exits(5);
        let found = judged(&bench);
        assert_eq!((&found["verdict"], &found["gates"]), (&"retriever_failed".into(), &Value::Array(Vec::new())));
        let failed = serde_json::json!([{ "retriever_id": failing, "error_summary": { "not_recorded": 20 } }]);
        assert_eq!(found["failed_retrievers"], failed);
        let (junit, markdown) = (file(&bench, "gates.xml"), file(&bench, "gates.md"));
        let told = gate(&bench, &["--junit", &junit, "--markdown", &markdown]).exits(5).stdout;
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains("a retriever FAILED on every session") && !told.contains("there are none"), "{told}");
        assert!(told.contains(&format!("`{failing}` failed on every session (not_recorded 20); {said}")), "{told}");
        let xml = std::fs::read_to_string(&junit).expect("written");
        let error = "it failed on every session (not_recorded 20)";
        assert!(xml.contains("errors=\"1\"") && xml.contains(error), "{xml}");
        let page = std::fs::read_to_string(&markdown).expect("written");
        assert!(page.contains("## Gates of recorded: a retriever failed"), "{page}");
    }
}

#[test]
fn the_gates_of_one_candidate_do_not_speak_for_another_that_failed() {
    let bench = gated(&even(), "metric = \"RR\"\nmax-regression = 0.9");
    bench.write("dead.run", "elsewhere Q0 wanted 1 9 tag\n");
    let own = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    let own = own.replace("candidates = [\"new\"]", "candidates = [\"new\", \"dead\"]");
    let new = own.lines().find(|line| line.contains("new.run")).expect("the candidate");
    let dead = new.replace("\"new\"", "\"dead\"").replace("new.run", "dead.run");
    bench.write("bench.toml", own.replace(new, &format!("{new}\n{dead}")));
    bench.run_with(&["--quiet"]).exits(5);
    let said = gate(&bench, &["--json"]).exits(5).stdout;
    let found: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(
        (&found["verdict"], &found["gates"][0]["state"]),
        (&"retriever_failed".into(), &"passed".into()),
        "{found}"
    );
    assert_eq!(found["failed_retrievers"][0]["retriever_id"], "dead", "{found}");
    // A run without gates has none only where all answered.
    let without = sample::recorded(&even(), |_| None);
    without.run_with(&["--quiet"]).exits(0);
    let said = gate(&without, &[]).exits(0).stdout;
    assert!(said.contains("there are none"), "{said}");
}

#[test]
fn junit_and_markdown_hold_every_gate_and_no_markup_of_strangers() {
    let bench = gated(&worse(), "metric = \"RR\"\nmax-regression = 0.1\n[[gate]]\nmetric = \"AP\"\nmin-value = 0.1");
    let hostile = "new & <b>bold</b> | [x](y)";
    let text = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    bench.write("bench.toml", text.replace("\"new\"", &format!("\"{hostile}\"")));
    bench.run_with(&["--quiet"]).exits(10);
    let (junit, markdown) = (file(&bench, "gates.xml"), file(&bench, "gates.md"));
    gate(&bench, &["--junit", &junit, "--markdown", &markdown, "--date", "2026-06-15"]).exits(10);
    let xml = std::fs::read_to_string(&junit).expect("written");
    for fragment in [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        "<testsuites name=\"rematch gates of recorded\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\">",
        "new &amp; &lt;b&gt;bold&lt;/b&gt; | [x](y)",
        "name=\"RR max-regression 0.1\"",
        "name=\"AP min-value 0.1\"",
        "type=\"gate-failed\"",
        "name=\"date\" value=\"2026-06-15\"",
    ] {
        assert!(xml.contains(fragment), "{fragment} in {xml}");
    }
    assert!(!xml.contains("<b>"), "{xml}");
    let page = std::fs::read_to_string(&markdown).expect("written");
    for fragment in [
        "## Gates of recorded: failed",
        "| RR | new &amp; &lt;b>bold&lt;/b> \\| \\[x\\](y) | failed |",
        "Judged on 2026-06-15",
    ] {
        assert!(page.contains(fragment), "{fragment} in {page}");
    }
    bench.write(
        "acknowledgements.toml",
        ACKNOWLEDGED.replace("\"new\"", &format!("\"{hostile}\"")).replace("search team", "<i>team</i>"),
    );
    gate(&bench, &["--junit", &junit, "--markdown", &markdown]).exits(0);
    let xml = std::fs::read_to_string(&junit).expect("written");
    assert!(xml.contains("<skipped message=\"acknowledged by &lt;i&gt;team&lt;/i&gt; until 2999-12-31"), "{xml}");
    assert!(std::fs::read_to_string(&markdown).expect("written").contains("Acknowledged by &lt;i>team&lt;/i> until"));
    gate(&bench, &["--junit", &file(&bench, "no/such/folder.xml")]).exits(2).complains(&["cannot write"]);
}

#[test]
fn proposed_gates_are_valid_and_the_run_itself_passes_them() {
    for ranks in [worse(), even(), worse().into_iter().map(|(old, new)| (new, old)).collect()] {
        let bench = sample::recorded(&ranks, |_| None);
        bench.run_with(&["--quiet"]).exits(0);
        let init = ["gate".to_owned(), "init".to_owned(), "--from".to_owned(), file(&bench, "out")];
        let proposed = rematch(init).exits(0).stdout;
        assert!(proposed.contains("[[gate]]\nmetric = \"RR\"\nmax-regression = "), "{proposed}");
        add(&bench, &proposed.replace("\"warn\"", "\"fail\""));
        gate(&bench, &["--benchmark", &file(&bench, "bench.toml")]).exits(0);
    }
    let same: Vec<(usize, usize)> = (0..5).map(|_| (1, 1)).collect();
    let bench = sample::recorded(&same, |_| None);
    bench.run_with(&["--quiet"]).exits(0);
    let init = ["gate".to_owned(), "init".to_owned(), "--from".to_owned(), file(&bench, "out")];
    assert!(rematch(init).exits(0).stdout.contains("# No bound for RR"));
    assert!(Path::new(&file(&bench, "out")).exists());
}

#[test]
fn a_run_is_not_judged_by_the_file_of_another_one() {
    let bench = gated(&worse(), "metric = \"RR\"\nmax-regression = 0.9");
    bench.run_with(&["--quiet"]).exits(0);
    let own = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    let swapped = own.replace("baseline = \"old\"", "baseline = \"new\"").replace("[\"new\"]", "[\"old\"]");
    for (other, fragment) in [
        (own.replace("\"new\"", "\"newer\""), "the file compares `newer` against `old`"),
        (swapped, "the file compares `old` against `new`"),
    ] {
        bench.write("other.toml", other);
        let refused = gate(&bench, &["--benchmark", &file(&bench, "other.toml")]).exits(2);
        let said = refused.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(fragment) && said.contains("compared `new` against `old`"), "{said}");
        assert!(said.contains("other.toml:"), "{said}");
    }
}

#[test]
fn what_is_recommended_follows_the_gates_that_are_judged() {
    let better: Vec<(usize, usize)> = worse().into_iter().map(|(old, new)| (new, old)).collect();
    let open = "metric = \"RR\"\nmax-regression = 0.1\nmin-sessions = 1000\non-inconclusive = \"warn\"";
    let bench = gated(&better, open);
    bench.run_with(&["--quiet"]).exits(0);
    assert_eq!(bench.read_report()["comparison"]["recommendation"], "Serve `new`.");
    let own = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    for (gates, code, recommended) in [
        ("metric = \"RR\"\nmax-value = 0.1", 10, "Keep `old`: `new` is better, but a gate does not hold."),
        (&open.replace("warn", "fail"), 11, "Keep `old`: `new` is better, but a gate does not hold."),
        ("metric = \"RR\"\nmin-value = 0.1", 0, "Serve `new`."),
    ] {
        bench.write("other.toml", own.split("[[gate]]").next().expect("a benchmark").to_owned() + "[[gate]]\n" + gates);
        let (other, page) = (file(&bench, "other.toml"), file(&bench, "gates.md"));
        let judged = gate(&bench, &["--benchmark", &other, "--markdown", &page, "--json"]).exits(code);
        let judged: Value = serde_json::from_str(&judged.stdout).expect("JSON");
        assert_eq!(judged["recommendation"], recommended);
        let page = std::fs::read_to_string(page).expect("written").replace('\'', "`");
        assert!(page.contains(recommended), "{page}");
    }
    // A run whose gate must be told and cannot be recommends nothing either.
    bench.write("bench.toml", own.replace("\"warn\"", "\"fail\""));
    std::fs::remove_dir_all(bench.path("out")).expect("removed");
    bench.run_with(&["--quiet"]).exits(11);
    assert!(text(&bench.read_report()["comparison"]["recommendation"]).starts_with("Keep `old`"));
}

#[test]
fn proposed_gates_name_the_power_that_was_asked_for() {
    let bench = sample::recorded(&even(), |_| None);
    bench.run_with(&["--quiet", "--set", "statistics.power=0.95"]).exits(0);
    let proposed = rematch(["gate", "init", "--from", &file(&bench, "out")]).exits(0).stdout;
    assert!(proposed.contains("with 95 % power") && proposed.contains("passes in 95 % of runs"), "{proposed}");
    assert!(!proposed.contains("80 %") && !proposed.contains("8 of 10"), "{proposed}");
}
