//! A world in which the truth is known and clicks lie: an equal retriever must not be condemned by a log of its rival.

use std::fmt::Write;

use serde_json::json;

use crate::workbench::Workbench;

const QUERIES: u64 = 600;
const ITEMS: u64 = 30;
const SHOWN: usize = 10;

/// A uniform number in [0, 1) that depends on nothing but its arguments (SplitMix64).
fn uniform(stream: u64, query: u64, item: u64) -> f64 {
    let mut state = (stream << 48) ^ (query << 16) ^ item;
    for _ in 0..2 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
    }
    (state >> 11) as f64 / (1_u64 << 53) as f64
}

fn relevant(query: u64, item: u64) -> bool {
    uniform(1, query, item) < 0.3
}

/// The items of a retriever that sees relevance through noise of its own.
fn ranking(stream: u64, query: u64) -> Vec<u64> {
    let score = |item: u64| f64::from(u8::from(relevant(query, item))) * 0.5 + uniform(stream, query, item);
    let mut items: Vec<u64> = (0..ITEMS).collect();
    items.sort_by(|left, right| score(*right).total_cmp(&score(*left)));
    items
}

fn run_file(stream: u64) -> String {
    let mut run = String::new();
    for query in 0..QUERIES {
        for (index, item) in ranking(stream, query).iter().take(SHOWN).enumerate() {
            writeln!(run, "q{query} Q0 d{item} {} {} world", index + 1, ITEMS - index as u64).expect("a string");
        }
    }
    run
}

/// The log of the retriever `stream`: a relevant item is clicked when it is examined, at rank r with probability 1/r.
fn log(stream: u64) -> String {
    let mut sessions = String::new();
    for query in 0..QUERIES {
        let shown: Vec<u64> = ranking(stream, query).into_iter().take(SHOWN).collect();
        let examined = |index: usize| uniform(9, query, index as u64) < 1.0 / (index + 1) as f64;
        let clicked = shown.iter().enumerate().filter(|(index, item)| relevant(query, **item) && examined(*index));
        let clicks: Vec<_> = clicked
            .map(|(index, item)| json!({ "item_id": format!("d{item}"), "kind": "click", "position": index + 1 }))
            .collect();
        let items: Vec<_> = shown.iter().map(|item| json!({ "item_id": format!("d{item}") })).collect();
        let session = json!({ "session_id": format!("q{query}"), "shown": items, "interactions": clicks });
        writeln!(sessions, "{session}").expect("a string");
    }
    sessions
}

#[test]
fn an_equal_candidate_is_not_condemned_by_the_clicks_on_its_rivals_list() {
    let bench = Workbench::new(
        r#"
        name = "world"
        baseline = "logger"
        candidates = ["equal"]
        sessions.path = "log.jsonl"
        [[retriever]]
        id = "logger"
        stages = [{ kind = "recorded", path = "logger.run" }]
        [[retriever]]
        id = "equal"
        stages = [{ kind = "recorded", path = "equal.run" }]
        "#,
    );
    bench.write("log.jsonl", log(2));
    bench.write("logger.run", run_file(2));
    bench.write("equal.run", run_file(3));
    let report = bench.report();
    let comparison = &report["comparison"]["comparisons"][0];
    let naive = &comparison["metrics"]["nDCG@10"];
    assert!(
        naive["delta"].as_f64() < Some(-0.1) && naive["p"].as_f64() < Some(1e-6),
        "clicks lie in this world: {naive}"
    );
    let common = &comparison["exposure"]["common_support"];
    assert!(common["p"].as_f64() > Some(0.05), "on common support the arms are equal: {common}");
    assert_eq!(comparison["verdict"]["outcome"], "inconclusive", "{}", comparison["verdict"]["sentence"]);
    let support = comparison["exposure"]["candidate_support"].as_f64().expect("a share");
    assert!((0.3..0.7).contains(&support), "{support}");
}
