//! Which sessions are replayed: every filter, every way to draw a sample, through the command line.

use std::collections::{BTreeMap, BTreeSet};

use rematch_engine::session::Session;
use serde_json::{Value, json};

use crate::sample::{self, HOUR, START};
use crate::workbench::Workbench;

const SESSIONS: usize = 60;

/// Runs with `settings` put over the benchmark, and returns the report and the ids of the sample.
fn selected(sessions: &[Session], settings: &[&str]) -> (Value, Vec<String>) {
    let bench = sample::shop(sessions);
    run(&bench, settings)
}

fn run(bench: &Workbench, settings: &[&str]) -> (Value, Vec<String>) {
    let mut arguments = vec!["--quiet"];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    bench.run_with(&arguments).exits(0);
    let found = (bench.read_report(), bench.sampled());
    std::fs::remove_dir_all(bench.path("out")).expect("deleted");
    found
}

/// Asserts that a filter keeps exactly the sessions that `keep` says, and that the report counts the rest under `key`.
#[track_caller]
fn keeps(setting: &str, key: &str, keep: impl Fn(&Session) -> bool) {
    let sessions = sample::sessions(SESSIONS);
    let expected: Vec<String> =
        sessions.iter().filter(|session| keep(session)).map(|session| session.session_id.clone()).collect();
    assert!(!expected.is_empty() && expected.len() < SESSIONS, "the case tells nothing: {} kept", expected.len());
    let (report, found) = selected(&sessions, &[setting]);
    assert_eq!(found, expected, "{setting}");
    let selection = &report["run"]["selection"];
    assert_eq!(selection["loaded"], SESSIONS);
    assert_eq!(selection["filters"], json!([{ "filter": key, "removed": SESSIONS - expected.len() }]));
    assert_eq!((&selection["eligible"], &selection["sampled"]), (&expected.len().into(), &expected.len().into()));
}

#[test]
fn sessions_are_filtered_by_the_retriever_that_served_them() {
    keeps("sessions.filter.retriever-ids=[\"next\"]", "retriever-ids", |session| {
        session.retriever_id.as_deref() == Some("next")
    });
}

#[test]
fn a_taxonomy_node_stands_for_all_below_it() {
    let under = |node: &'static str| move |session: &Session| session.taxonomy[0].starts_with(node);
    keeps("sessions.filter.taxonomy-nodes=[\"kitchen\"]", "taxonomy-nodes", under("kitchen/"));
    keeps("sessions.filter.taxonomy-nodes=[\"kitchen/lamp\"]", "taxonomy-nodes", under("kitchen/lamp"));
}

#[test]
fn a_node_is_not_one_that_only_starts_with_its_name() {
    let bench = sample::shop(&sample::sessions(SESSIONS));
    let refused = bench.run_with(&["--set", "sessions.filter.taxonomy-nodes=[\"kitch\"]"]).exits(4);
    refused.complains(&["no session is left of 60", "`taxonomy-nodes` removed 60"]);
}

#[test]
fn both_ends_of_a_time_range_are_included() {
    // 05:00 to 09:00 are the times of the sessions 5 to 9.
    let setting = "sessions.filter.time-range={ start = \"2026-01-01T05:00:00Z\", end = \"2026-01-01T09:00:00Z\" }";
    keeps(setting, "time-range", |session| {
        (START + 5 * HOUR..=START + 9 * HOUR).contains(&session.timestamp.expect("a time"))
    });
    let setting = "sessions.filter.time-range={ start = \"2026-01-01T05:00:00.001Z\" }";
    keeps(setting, "time-range", |session| session.timestamp.expect("a time") > START + 5 * HOUR);
    let setting = "sessions.filter.time-range={ end = \"2026-01-01T06:59:59+01:00\" }";
    keeps(setting, "time-range", |session| session.timestamp.expect("a time") <= START + 5 * HOUR);
}

#[test]
fn sessions_are_filtered_by_their_interactions() {
    keeps("sessions.filter.min-interactions=2", "min-interactions", |session| session.interactions.len() >= 2);
    keeps("sessions.filter.interaction-types=[\"purchase\", \"share\"]", "interaction-types", |session| {
        session.interactions.iter().any(|act| act.kind == "purchase")
    });
}

#[test]
fn any_sql_predicate_over_the_columns_filters() {
    keeps("sessions.filter.where=query LIKE 'red %' AND user_id <> 'u0000'", "where", |session| {
        session.query.as_deref().is_some_and(|query| query.starts_with("red "))
            && session.user_id.as_deref() != Some("u0000")
    });
    keeps("sessions.filter.where=array_length(interactions) = 1", "where", |session| session.interactions.len() == 1);
}

#[test]
fn every_filter_must_hold_and_each_is_counted_after_those_before_it() {
    let settings = ["sessions.filter.retriever-ids=[\"prod\"]", "sessions.filter.interaction-types=[\"purchase\"]"];
    let sessions = sample::sessions(SESSIONS);
    let (report, found) = selected(&sessions, &settings);
    // 40 of 60 are `prod`'s; of those, every fourth bought.
    assert_eq!(found.len(), 10);
    let expected = json!([
        { "filter": "retriever-ids", "removed": 20 },
        { "filter": "interaction-types", "removed": 30 },
    ]);
    assert_eq!(report["run"]["selection"]["filters"], expected);
}

#[test]
fn a_session_without_the_value_does_not_pass_its_filter() {
    let mut sessions = sample::sessions(10);
    sessions[3].timestamp = None;
    sessions[4].retriever_id = None;
    sessions[5].taxonomy = vec![];
    let all = [
        "sessions.filter.time-range={ start = \"2000-01-01T00:00:00Z\" }",
        "sessions.filter.retriever-ids=[\"prod\", \"next\"]",
        "sessions.filter.taxonomy-nodes=[\"kitchen\", \"living\"]",
    ];
    let (_, found) = selected(&sessions, &all);
    let expected: Vec<&str> = ["s0000", "s0001", "s0002", "s0006", "s0007", "s0008", "s0009"].into();
    assert_eq!(found, expected);
}

#[test]
fn a_random_sample_depends_on_the_seed_alone() {
    let bench = sample::shop(&sample::sessions(200));
    let draw = |seed: &str| run(&bench, &["sessions.sample.count=40", seed]).1;
    let one = draw("sessions.sample.seed=1");
    assert_eq!((one.len(), one.iter().collect::<BTreeSet<_>>().len()), (40, 40));
    assert!(one.is_sorted(), "a sample is sorted by session id");
    assert_eq!(one, draw("sessions.sample.seed=1"));
    assert_ne!(one, draw("sessions.sample.seed=2"));
    assert_eq!(one, draw("seed=1"), "the benchmark's seed is the sample's where that has none");

    // Neither the order of the input nor its layout matters.
    let mut reversed = sample::sessions(200);
    reversed.reverse();
    bench.write("sessions.jsonl", sample::jsonl(&reversed));
    assert_eq!(one, draw("seed=1"));
}

#[test]
fn a_sample_larger_than_what_there_is_takes_all() {
    for strategy in ["random", "recent", "stratified"] {
        let strategy = format!("sessions.sample.strategy={strategy}");
        let (_, found) = selected(&sample::sessions(12), &["sessions.sample.count=500", &strategy]);
        assert_eq!(found.len(), 12, "{strategy}");
    }
}

#[test]
fn a_recent_sample_takes_the_newest_and_those_without_a_time_last() {
    let mut sessions = sample::sessions(10);
    sessions[9].timestamp = None;
    let recent = |count: &str| {
        let count = format!("sessions.sample.count={count}");
        selected(&sessions, &["sessions.sample.strategy=recent", &count]).1
    };
    assert_eq!(recent("3"), ["s0006", "s0007", "s0008"]);
    assert_eq!(recent("9").first().map(String::as_str), Some("s0000"));
    assert!(!recent("9").contains(&"s0009".to_owned()));
}

#[test]
fn a_stratified_sample_allocates_by_largest_remainder() {
    // Strata of 50, 30 and 20; 7 of 100 are shares of 3.5, 2.1 and 1.4: whole parts 3, 2, 1, the rest to the first.
    let mut sessions = sample::sessions(100);
    for (index, session) in sessions.iter_mut().enumerate() {
        session.taxonomy = vec![
            match index % 10 {
                0..5 => "a/large",
                5..8 => "b/middle",
                _ => "c/small",
            }
            .to_owned(),
        ];
    }
    let (report, found) = selected(&sessions, &["sessions.sample.strategy=stratified", "sessions.sample.count=7"]);
    let expected = json!([
        { "name": "a/large", "eligible": 50, "sampled": 4 },
        { "name": "b/middle", "eligible": 30, "sampled": 2 },
        { "name": "c/small", "eligible": 20, "sampled": 1 },
    ]);
    assert_eq!(report["run"]["selection"]["strata"], expected);
    let mut drawn: BTreeMap<&str, usize> = BTreeMap::new();
    for session in sessions.iter().filter(|session| found.contains(&session.session_id)) {
        *drawn.entry(&session.taxonomy[0]).or_default() += 1;
    }
    assert_eq!(drawn, BTreeMap::from([("a/large", 4), ("b/middle", 2), ("c/small", 1)]));
}

#[test]
fn any_column_stratifies_and_sessions_without_a_value_are_a_stratum() {
    let mut sessions = sample::sessions(30);
    sessions.iter_mut().take(6).for_each(|session| session.retriever_id = None);
    let settings =
        ["sessions.sample.strategy=stratified", "sessions.sample.by=retriever_id", "sessions.sample.count=5"];
    let (report, _) = selected(&sessions, &settings);
    // 6 without, 8 of `next`, 16 of `prod`: shares 1.0, 1.33, 2.67.
    let expected = json!([
        { "name": "(none)", "eligible": 6, "sampled": 1 },
        { "name": "next", "eligible": 8, "sampled": 1 },
        { "name": "prod", "eligible": 16, "sampled": 3 },
    ]);
    assert_eq!(report["run"]["selection"]["strata"], expected);
}
