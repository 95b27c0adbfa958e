//! A world in which the truth is known and clicks lie: an equal retriever must not be condemned by a log of its rival.

use std::fmt::Write;

use serde_json::json;

use crate::workbench::Workbench;

const QUERIES: u64 = 3000;
const ITEMS: u64 = 30;
const SHOWN: usize = 10;

/// How blurred the logger sees relevance; a better candidate sees it less so.
const NOISE: f64 = 1.2;

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

/// The probability that a user who looks at the item clicks it.
fn relevance(query: u64, item: u64) -> f64 {
    let worth = uniform(11, query, item);
    if uniform(1, query, item) < 0.12 { 0.3 + 0.6 * worth } else { 0.05 * worth }
}

/// The items of a retriever that sees relevance through noise of its own, of that size.
fn ranking(stream: u64, query: u64, noise: f64) -> Vec<u64> {
    let score = |item: u64| relevance(query, item) + noise * uniform(stream, query, item);
    let mut items: Vec<u64> = (0..ITEMS).collect();
    items.sort_by(|left, right| score(*right).total_cmp(&score(*left)));
    items.truncate(SHOWN);
    items
}

/// A session of the log: when it was, by its number, and which query.
#[derive(Clone, Copy)]
struct Search {
    number: u64,
    query: u64,
}

fn run_file(searches: &[Search], stream: u64, noise: f64) -> String {
    let mut run = String::new();
    for search in searches {
        for (index, item) in ranking(stream, search.query, noise).iter().enumerate() {
            writeln!(run, "q{} Q0 d{item} {} {} world", search.number, index + 1, ITEMS - index as u64)
                .expect("a string");
        }
    }
    run
}

/// The log of retrievers that take turns: an item is clicked when it is examined and relevant.
fn log(searches: &[Search], streams: &[u64], examination: impl Fn(usize) -> f64) -> String {
    let mut sessions = String::new();
    for search in searches {
        let stream = streams[search.number as usize % streams.len()];
        let shown = ranking(stream, search.query, NOISE);
        let clicked = |(index, item): &(usize, &u64)| {
            uniform(9, search.number, *index as u64) < examination(index + 1) * relevance(search.query, **item)
        };
        let clicks: Vec<_> = shown
            .iter()
            .enumerate()
            .filter(clicked)
            .map(|(index, item)| json!({ "item_id": format!("d{item}"), "kind": "click", "position": index + 1 }))
            .collect();
        let items: Vec<_> = shown.iter().map(|item| json!({ "item_id": format!("d{item}") })).collect();
        let session = json!({
            "session_id": format!("q{}", search.number),
            "query": format!("query {}", search.query),
            "shown": items,
            "interactions": clicks,
        });
        writeln!(sessions, "{session}").expect("a string");
    }
    sessions
}

/// A benchmark of the logger against three candidates of known worth.
fn world(searches: &[Search], streams: &[u64], examination: impl Fn(usize) -> f64) -> Workbench {
    let bench = Workbench::new(
        r#"
        name = "world"
        baseline = "logger"
        candidates = ["equal", "better", "worse"]
        sessions.path = "log.jsonl"
        [[retriever]]
        id = "logger"
        stages = [{ kind = "recorded", path = "logger.run" }]
        [[retriever]]
        id = "equal"
        stages = [{ kind = "recorded", path = "equal.run" }]
        [[retriever]]
        id = "better"
        stages = [{ kind = "recorded", path = "better.run" }]
        [[retriever]]
        id = "worse"
        stages = [{ kind = "recorded", path = "worse.run" }]
        "#,
    );
    bench.write("log.jsonl", log(searches, streams, examination));
    bench.write("logger.run", run_file(searches, 2, NOISE));
    bench.write("equal.run", run_file(searches, 3, NOISE));
    bench.write("better.run", run_file(searches, 4, 0.6));
    bench.write("worse.run", run_file(searches, 5, 3.0));
    bench
}

fn one_search_a_query(queries: u64) -> Vec<Search> {
    (0..queries).map(|number| Search { number, query: number }).collect()
}

#[test]
fn candidates_are_judged_by_what_both_were_asked_alike_and_not_by_the_clicks_on_their_rivals_list() {
    let bench = world(&one_search_a_query(QUERIES), &[2], |rank| 1.0 / rank as f64);
    bench.run_with(&["--quiet", "--set", "exposure.exponents=[1.0,1.0]"]).exits(0);
    let report = bench.read_report();
    let comparisons = report["comparison"]["comparisons"].as_array().expect("comparisons");
    for (comparison, expected) in comparisons.iter().zip(["inconclusive", "better", "worse"]) {
        let (verdict, exposure) = (&comparison["verdict"], &comparison["exposure"]);
        assert_eq!(verdict["outcome"], expected, "{verdict}");
        assert_eq!(exposure["propensity"]["source"], "assumed");
        assert!(exposure["explanation"].as_str().is_some_and(|text| text.contains("1 / rank^1")), "{exposure}");
    }
    let equal = &comparisons[0];
    let naive = &equal["metrics"]["nDCG@10"];
    assert!(
        naive["delta"].as_f64() < Some(-0.05) && naive["p"].as_f64() < Some(1e-6),
        "clicks lie in this world: {naive}"
    );
    assert!(equal["exposure"]["common_support"]["p"].as_f64() > Some(0.05), "{equal}");
    let coverage = equal["exposure"]["candidate_support"].as_f64().expect("a share");
    assert!((0.3..0.7).contains(&coverage), "{coverage}");
    let bounds: Vec<f64> = serde_json::from_value(equal["exposure"]["bounds"].clone()).expect("bounds");
    assert!(bounds[0] < 0.0 && bounds[1] > 0.0, "{bounds:?}");
}

#[test]
fn a_log_of_one_ranker_decides_nothing_that_hangs_on_how_attention_is_assumed_to_fall() {
    // Users look at 1 / sqrt(rank), which 1 / rank takes for a better candidate.
    let report = world(&one_search_a_query(QUERIES), &[2], |rank| 1.0 / (rank as f64).sqrt()).report();
    let comparisons = report["comparison"]["comparisons"].as_array().expect("comparisons");
    let (equal, verdict) = (&comparisons[0], &comparisons[0]["verdict"]);
    assert_eq!(verdict["outcome"], "inconclusive", "{verdict}");
    assert!(equal["exposure"]["common_support"]["p"].as_f64() < Some(0.01), "the world is no trap: {equal}");
    let why = equal["exposure"]["depends_on_curve"].as_str().expect("a reason");
    assert!(why.starts_with("how fast attention falls with rank is an assumption"), "{why}");
    let sentence = verdict["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains(why), "{sentence}");
    assert!(equal["exposure"]["explanation"].as_str().is_some_and(|text| text.contains(why)), "{equal}");
}

#[test]
fn where_the_log_shows_items_at_several_ranks_it_says_itself_how_attention_falls() {
    let searches: Vec<Search> = (0..9000).map(|number| Search { number, query: number / 150 }).collect();
    let report = world(&searches, &[2, 6, 7, 8, 12, 13, 14, 15], |rank| 1.0 / (rank as f64).sqrt()).report();
    for comparison in report["comparison"]["comparisons"].as_array().expect("comparisons") {
        let propensity = &comparison["exposure"]["propensity"];
        assert_eq!(propensity["source"], "fitted", "{propensity}");
        let curve: Vec<f64> = serde_json::from_value(propensity["by_rank"].clone()).expect("a curve");
        for (index, theta) in curve.iter().enumerate() {
            let truth = 1.0 / ((index + 1) as f64).sqrt();
            assert!((theta / truth - 1.0).abs() < 0.5, "rank {}: {theta}, not {truth}", index + 1);
        }
    }
}

#[test]
fn clicks_decide_nothing_where_hardly_anything_of_a_list_was_shown() {
    let bench = world(&one_search_a_query(QUERIES), &[2], |rank| 1.0 / rank as f64);
    bench.run_with(&["--quiet", "--set", "exposure.min-coverage=0.9"]).exits(0);
    let report = bench.read_report();
    let verdict = &report["comparison"]["comparisons"][2]["verdict"];
    assert_eq!(verdict["outcome"], "inconclusive", "{verdict}");
    let sentence = verdict["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("was shown in the same search, expected at least 90 %"), "{sentence}");
}
