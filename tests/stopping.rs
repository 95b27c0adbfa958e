//! A run that stops when it is decided: it replays whole users in random order, looks after every chunk, and says what it saved.

use std::collections::BTreeMap;

use rematch_engine::rows::sessions_from_batch;
use rematch_engine::store::TableReader;
use serde_json::Value;

use crate::rematch::{call, command, rematch};
use crate::reproducible::assert_same_run;
use crate::sample;
use crate::workbench::{Workbench, rankings_in};

const SESSIONS: usize = 1200;
const STOP: &str = "--stop-when-decided";

/// A number below `bound` that is a function of the session: steps of SplitMix64.
fn number(session: usize, what: u64, bound: u64) -> usize {
    let mut bits = (session as u64 * 7 + what + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((bits ^ (bits >> 31)) % bound) as usize
}

/// Three sessions to a visit, but every fifth session stands alone.
fn visit(session: usize) -> Option<String> {
    (!session.is_multiple_of(5)).then(|| format!("v{:03}", session / 3))
}

/// The candidate has what was wanted at a rank of its own: one of the first `best`, where the baseline has it in the first ten.
fn bench(best: u64) -> Workbench {
    let ranks: Vec<(usize, usize)> =
        (0..SESSIONS).map(|session| (1 + number(session, 1, 10), 1 + number(session, 2, best))).collect();
    sample::recorded(&ranks, visit)
}

fn stopping(report: &Value) -> &Value {
    &report["comparison"]["stopping"]
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

#[test]
fn a_clear_winner_is_decided_early_and_what_was_not_replayed_is_no_failure() {
    let bench = bench(3);
    let outcome = bench.run_with(&[STOP]).exits(0);
    assert!(outcome.stdout.contains("replays were saved"), "{}", outcome.stdout);
    let report = bench.read_report();
    let stopped = stopping(&report);
    assert_eq!(stopped["decided"], true);
    let (replayed, saved) = (count(&stopped["sessions_replayed"]), count(&stopped["sessions_not_replayed"]));
    assert_eq!(replayed + saved, SESSIONS as u64);
    assert!(saved > 600, "{saved}");
    assert_eq!(count(&stopped["replays_saved"]), 2 * saved);
    assert!(stopped["share_saved"].as_f64().expect("a share") > 0.5);
    assert_eq!(rankings_in(&bench.path("out")).len() as u64, 2 * replayed);
    for result in report["results"].as_array().expect("results") {
        assert_eq!((count(&result["answered_sessions"]), count(&result["failed_sessions"])), (replayed, 0));
    }

    // The verdict is that of the sequence, not of a test that was made for one look.
    let comparison = &report["comparison"]["comparisons"][0];
    assert_eq!(comparison["verdict"]["outcome"], "better");
    let (test, look) = (&comparison["metrics"]["RR"], &stopped["candidates"]["new"]);
    assert_eq!(test["test"], "confidence sequence (anytime-valid, cluster-robust)");
    for (of_test, of_look) in [("p", "p"), ("ci95", "ci95"), ("clusters", "clusters"), ("n", "pairs")] {
        assert_eq!(test[of_test], look[of_look], "{of_test}");
    }
    let (found, looked) = (test["delta"].as_f64().expect("delta"), look["delta"].as_f64().expect("delta"));
    assert!((found - looked).abs() < 1e-12);
    assert!(look["boundary"].as_f64().expect("a boundary") > 2.5);
    assert_eq!(test["t"], Value::Null);
    assert!(comparison["metrics"]["AP"]["test"].as_str().expect("a test").starts_with("cluster-robust t"));
}

#[test]
fn equal_retrievers_are_replayed_to_the_end_and_stay_undecided() {
    let bench = bench(10);
    let outcome = bench.run_with(&[STOP]).exits(0);
    assert!(outcome.stdout.contains("Not every candidate was decided"), "{}", outcome.stdout);
    let report = bench.read_report();
    let stopped = stopping(&report);
    assert_eq!((&stopped["decided"], &stopped["share_saved"]), (&Value::Bool(false), &Value::from(0.0)));
    assert_eq!(count(&stopped["sessions_replayed"]), SESSIONS as u64);
    assert!(count(&stopped["looks"]) >= 30, "{stopped}");
    let comparison = &report["comparison"]["comparisons"][0];
    assert_eq!(comparison["verdict"]["outcome"], "inconclusive");
    let [low, high] = [0, 1].map(|end| comparison["confidence_interval"][end].as_f64().expect("an end"));
    assert!(low < 0.0 && high > 0.0);

    // A run that replays all has the narrower interval of one look, and no such section.
    bench.run_into("fixed", &["--quiet"]).exits(0);
    let fixed = crate::workbench::json(&bench.path("fixed/report.json"));
    assert!(fixed["comparison"].get("stopping").is_none());
    let narrow = &fixed["comparison"]["comparisons"][0]["confidence_interval"];
    assert!(narrow[0].as_f64().expect("low") > low && narrow[1].as_f64().expect("high") < high);
}

#[test]
fn users_stay_together_and_chunks_are_a_random_draw_of_them() {
    let bench = bench(10);
    bench.run_with(&[STOP, "--quiet"]).exits(0);
    let table = TableReader::open(&bench.path("out/sessions.parquet")).expect("a sample");
    let mut chunk_of_visit = BTreeMap::new();
    let mut firsts = Vec::new();
    for chunk in 0..table.groups() {
        let sessions = sessions_from_batch(&table.group(chunk).expect("a chunk")).expect("sessions");
        assert!(sessions.windows(2).all(|pair| pair[0].session_id < pair[1].session_id), "chunk {chunk}");
        firsts.push(sessions[0].session_id.clone());
        for session in sessions {
            if let Some(visit) = session.visit_id {
                assert_eq!(*chunk_of_visit.entry(visit.clone()).or_insert(chunk), chunk, "{visit}");
            }
        }
    }
    assert!(!firsts.is_sorted(), "{firsts:?}");
    assert_eq!(table.rows(), SESSIONS as u64);
}

#[test]
fn the_same_bytes_come_of_any_number_of_threads_and_after_an_interruption() {
    let bench = bench(3);
    for threads in ["1", "3"] {
        bench.run_into(threads, &[STOP, "--quiet", "--threads", threads]).exits(0);
    }
    let (whole, other) = (bench.path("1"), bench.path("3"));
    assert_same_run(&whole, &other);
    // As if it had been killed before its last looks: parts and everything after them are missing.
    let parts = std::fs::read_dir(other.join("parts")).expect("parts").map(|entry| entry.expect("a part").path());
    let mut parts: Vec<_> = parts.collect();
    parts.sort();
    for part in parts.iter().skip(4).step_by(3) {
        std::fs::remove_file(part).expect("removed");
    }
    for name in ["report.json", "report.html", "stopped.json", "looks.json", "rankings.parquet"] {
        std::fs::remove_file(other.join(name)).expect(name);
    }
    call(command().arg("resume").arg(&other).arg("--quiet")).exits(0);
    assert_same_run(&whole, &other);
    // A finished run is not done again, whatever is asked for.
    call(command().arg("resume").arg(&other).args(["--retry-errors", "--quiet"])).exits(0);
    assert_same_run(&whole, &other);
}

#[test]
fn identical_retrievers_are_called_identical_after_all_sessions() {
    let ranks: Vec<(usize, usize)> =
        (0..300).map(|session| 1 + number(session, 1, 10)).map(|rank| (rank, rank)).collect();
    let bench = sample::recorded(&ranks, visit);
    bench.run_with(&[STOP, "--quiet"]).exits(0);
    let report = bench.read_report();
    let comparison = &report["comparison"]["comparisons"][0];
    assert_eq!(comparison["metrics"]["RR"]["identical"], true);
    assert_eq!(comparison["verdict"]["outcome"], "inconclusive");
    assert_eq!(stopping(&report)["candidates"]["new"]["undecidable"], "all 300 pairs are identical");
}

#[test]
fn shards_cannot_stop_when_they_are_decided() {
    let bench = bench(3);
    bench.run_with(&[STOP, "--shard", "1/2"]).exits(2).complains(&["--stop-when-decided", "--shard"]);
    let set = ["--set", "statistics.stop-when-decided=true", "--shard", "1/2"];
    bench.run_with(&set).exits(2).complains(&["cannot be sharded", "leave out `--shard`"]);
    rematch(["run".into(), bench.path("bench.toml"), "--set".into(), "statistics.stop-when=1".into()])
        .exits(2)
        .complains(&["stop-when-decided"]);
}

/// A stand-in for trec_eval that answers whatever it is asked, wrongly.
#[cfg(unix)]
fn talker(bench: &Workbench) -> String {
    use std::os::unix::fs::PermissionsExt;
    let mut text = "#!/bin/sh\n".to_owned();
    for measure in ["recip_rank", "map", "ndcg", "Rprec", "bpref", "num_rel_ret", "num_rel", "num_ret"] {
        text += &format!("echo '{measure} 0 0.123'\n");
    }
    for cutoff in [1, 5, 10, 20, 100] {
        for measure in ["ndcg_cut", "P", "recall", "success", "map_cut"] {
            text += &format!("echo '{measure}_{cutoff} 0 0.123'\n");
        }
    }
    let path = bench.write("talker", text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("allowed");
    path.to_str().expect("UTF-8").to_owned()
}

#[cfg(unix)]
#[test]
fn what_reads_a_stopped_run_reads_what_was_replayed() {
    let bench = bench(3);
    let formats = "output.formats=[\"json\", \"parquet\", \"html\", \"judge-next\"]";
    // What lies below the depth of the recordings is not known, so that an uncut metric has nothing to judge next.
    bench.run_with(&[STOP, "--quiet", "--set", formats, "--set", "metrics.primary=RR@10"]).exits(0);
    let report = bench.read_report();
    let replayed = count(&stopping(&report)["sessions_replayed"]);
    assert!(replayed < SESSIONS as u64);
    let table = TableReader::open(&bench.path("out/judge_next.parquet")).expect("what to judge next");
    assert_eq!(table.rows(), 100);

    let verify = |program: &str, exit: i32| {
        let run = bench.path("out").display().to_string();
        rematch(["verify", run.as_str(), "--trec-eval", program, "--json"]).exits(exit)
    };
    let told = verify(&talker(&bench), 1).stdout;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(count(&told["sessions"]), 2 * replayed);
}

#[test]
fn a_sample_that_is_too_small_to_stop_at_says_so_and_agrees_with_its_verdict() {
    for (best, outcome) in [(1, "better"), (10, "inconclusive")] {
        let ranks: Vec<(usize, usize)> =
            (0..120).map(|session| (1 + number(session, 1, 10), 1 + number(session, 2, best))).collect();
        let bench = sample::recorded(&ranks, visit);
        bench.run_with(&[STOP, "--quiet"]).exits(0);
        let report = bench.read_report();
        let (stopped, comparison) = (stopping(&report), &report["comparison"]["comparisons"][0]);
        assert_eq!(comparison["verdict"]["outcome"], outcome);
        let decided = Value::Bool(outcome == "better");
        assert_eq!((&stopped["decided"], &stopped["candidates"]["new"]["decided"]), (&decided, &decided));
        assert_eq!((count(&stopped["sample_clusters"]), count(&stopped["first_look_clusters"])), (64, 150));
        let statement = stopped["statement"].as_str().expect("a statement");
        let said = match outcome {
            "better" => "Every candidate was decided by the last of 120 sessions",
            _ => "Not every candidate was decided: all 120 sessions were replayed",
        };
        assert!(statement.starts_with(said), "{statement}");
        let words = "Stopping needs 150 users or visits, the sample has 64: it cannot stop early";
        assert!(statement.contains(words), "{statement}");
    }
}

#[test]
fn an_early_stop_whose_verdict_is_open_for_another_reason_says_so() {
    let bench = bench(3);
    bench.run_with(&[STOP, "--quiet", "--set", "metrics.noise-threshold=0.9"]).exits(0);
    let report = bench.read_report();
    assert_eq!(report["comparison"]["comparisons"][0]["verdict"]["outcome"], "inconclusive");
    let statement = stopping(&report)["statement"].as_str().expect("a statement");
    assert!(statement.starts_with("Stopped after "), "{statement}");
    assert!(statement.contains("The verdict on `new` is inconclusive for another reason"), "{statement}");
}

/// Bytes of all files in a folder.
fn size(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    entries
        .map(|entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().expect("a file").len() })
        .sum()
}

#[test]
fn a_plan_reckons_from_what_an_early_stop_replayed() {
    let bench = bench(3);
    for (name, arguments) in [("stopped", &[STOP, "--quiet"][..]), ("fixed", &["--quiet"])] {
        bench.run_into(name, arguments).exits(0);
    }
    let plan = |from: &str, arguments: &[&str]| {
        let (benchmark, from) =
            (bench.path("bench.toml").display().to_string(), bench.path(from).display().to_string());
        let all = [&["plan", &benchmark, "--from", &from][..], arguments].concat();
        rematch(all).exits(0).stdout
    };
    let forecast = |from: &str, stop: &str| -> Value {
        let stop = format!("statistics.stop-when-decided={stop}");
        serde_json::from_str(&plan(from, &["--json", "--set", &stop])).expect("JSON")
    };
    let (stopped, fixed) = (forecast("stopped", "false"), forecast("fixed", "false"));
    let number = |forecast: &Value, pointer: &str| {
        forecast.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {pointer} in {forecast}"))
    };
    for pointer in ["/effect/delta", "/effect/clusters", "/effect/sessions"] {
        let share = number(&stopped, pointer) / number(&fixed, pointer);
        assert!((0.7..1.4).contains(&share), "{pointer}: {share}");
    }
    // What was replayed takes so much; only the reports do not grow with the rest.
    let report = crate::workbench::json(&bench.path("stopped/report.json"));
    let growth = SESSIONS as f64 / count(&stopping(&report)["sessions_replayed"]) as f64;
    let found = number(&stopped, "/disk/bytes") - 200_000.0;
    let share = found / (size(&bench.path("stopped")) as f64 - 200_000.0) / growth;
    assert!(growth > 2.0 && (0.9..1.1).contains(&share), "{share} of {growth}");
    assert_eq!((&stopped["stopping"], &fixed["stopping"]), (&Value::Null, &Value::Null));

    let sequence = forecast("stopped", "true");
    let share = number(&sequence, "/effect/delta") / number(&stopped, "/effect/delta");
    assert!((1.3..1.7).contains(&share), "{share}");
    let basis = sequence["effect"]["basis"].as_str().expect("words");
    assert!(basis.contains("finds less than a fixed test of the same size"), "{basis}");
    let said = plan("stopped", &["--set", "statistics.stop-when-decided=true"]);
    assert!(said.contains("stopping: the run stops as soon as every candidate is decided"), "{said}");
    let few = plan("stopped", &["--set", "statistics.stop-when-decided=true", "--set", "sessions.sample.count=90"]);
    assert!(few.contains("stopping: the run cannot stop early: that needs 150"), "{few}");
}
