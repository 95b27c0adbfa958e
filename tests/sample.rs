//! A small shop made in place: products, sessions with clicks, and benchmarks over them.

use rematch_engine::session::{Interaction, Judgment, Session, ShownItem};
use serde_json::json;

use crate::workbench::Workbench;

const COLOURS: [&str; 5] = ["red", "green", "blue", "black", "white"];
const THINGS: [&str; 8] = ["lamp", "kettle", "chair", "table", "mug", "shelf", "rug", "clock"];
const PRODUCTS: usize = COLOURS.len() * THINGS.len();

/// The first session's time: 2026-01-01T00:00:00Z. Each later one comes an hour after the one before.
pub(crate) const START: i64 = 1_767_225_600_000;
pub(crate) const HOUR: i64 = 3_600_000;

/// `shown` (what users saw) against `search` (BM25, which puts the product that was meant first).
pub(crate) const BENCHMARK: &str = r#"
name = "small-shop"
baseline = "shown"
candidates = ["search"]
depth = 20

[sessions]
path = "sessions.jsonl"

[corpus.products]
path = "products.jsonl"
id = "item_id"

[[retriever]]
id = "shown"
stages = [{ kind = "shown" }]

[[retriever]]
id = "search"
stages = [{ kind = "bm25", corpus = "products", fields = { title = 1.0 } }]
"#;

/// Returns the small shop's benchmark over `sessions`, with its data.
pub(crate) fn shop(sessions: &[Session]) -> Workbench {
    let bench = Workbench::new(BENCHMARK);
    bench.write("products.jsonl", products());
    bench.write("sessions.jsonl", jsonl(sessions));
    bench
}

/// Returns `count` sessions of the small shop.
pub(crate) fn sessions(count: usize) -> Vec<Session> {
    (0..count).map(session).collect()
}

/// Returns the session of that number: the user wants one product, sees it at rank 1 to 6, and clicks it; every fourth
/// buys it. Two of three were served by `prod`.
fn session(index: usize) -> Session {
    let target = index * 7 % PRODUCTS;
    let above = index % 6;
    let instant = START + i64::try_from(index).expect("small") * HOUR;
    let act = |kind: &str, delay: i64| Interaction {
        item_id: item(target),
        kind: kind.to_owned(),
        position: Some(u32::try_from(above + 1).expect("small")),
        timestamp: Some(instant + delay),
        value: None,
    };
    let mut interactions = vec![act("click", 0)];
    if index.is_multiple_of(4) {
        interactions.push(act("purchase", 1000));
    }
    let thing = THINGS[target / COLOURS.len()];
    let room = if target < PRODUCTS / 2 { "kitchen" } else { "living" };
    Session {
        session_id: format!("s{index:04}"),
        visit_id: Some(format!("v{:04}", index / 2)),
        user_id: Some(format!("u{index:04}")),
        timestamp: Some(instant),
        retriever_id: Some(if index.is_multiple_of(3) { "next" } else { "prod" }.to_owned()),
        query: Some(title(target)),
        taxonomy: vec![format!("{room}/{thing}")],
        shown: (0..10).map(|rank| shown(item((target + PRODUCTS - above + rank) % PRODUCTS))).collect(),
        interactions,
        ..Session::default()
    }
}

fn shown(item_id: String) -> ShownItem {
    ShownItem { item_id, ..ShownItem::default() }
}

fn item(index: usize) -> String {
    format!("p{index:02}")
}

fn title(index: usize) -> String {
    format!("{} {}", COLOURS[index % COLOURS.len()], THINGS[index / COLOURS.len()])
}

/// Returns the catalogue as JSON lines.
pub(crate) fn products() -> String {
    (0..PRODUCTS).map(|index| format!("{}\n", json!({ "item_id": item(index), "title": title(index) }))).collect()
}

/// Returns sessions as JSON lines.
pub(crate) fn jsonl(sessions: &[Session]) -> String {
    let line = |session: &Session| serde_json::to_string(session).expect("JSON") + "\n";
    sessions.iter().map(line).collect()
}

/// Returns a benchmark of two recorded runs over judged sessions: session `i` has one relevant item, which the baseline
/// `old` has at rank `ranks[i].0` and the candidate `new` at rank `ranks[i].1`; rank 0 is not at all. `visit` names the
/// visit of a session. The primary metric is the reciprocal rank.
pub(crate) fn recorded(ranks: &[(usize, usize)], visit: impl Fn(usize) -> Option<String>) -> Workbench {
    let judged = |index: usize| Session {
        session_id: format!("q{index:03}"),
        visit_id: visit(index),
        judgments: vec![Judgment { item_id: "wanted".to_owned(), grade: 1.0 }],
        ..Session::default()
    };
    let run = |rank: &dyn Fn(&(usize, usize)) -> usize| -> String {
        let topic = |(index, pair): (usize, &(usize, usize))| -> String {
            let line = |at: usize| {
                let item = if at == rank(pair) { "wanted".to_owned() } else { format!("other{at}") };
                format!("q{index:03} Q0 {item} {at} {} tag\n", 100 - at)
            };
            (1..=10).map(line).collect()
        };
        ranks.iter().enumerate().map(topic).collect()
    };
    let bench = Workbench::new(
        r#"
        name = "recorded"
        baseline = "old"
        candidates = ["new"]
        sessions.path = "sessions.jsonl"
        metrics.primary = "RR"
        retriever = [
            { id = "old", stages = [{ kind = "recorded", path = "old.run" }] },
            { id = "new", stages = [{ kind = "recorded", path = "new.run" }] },
        ]
        "#,
    );
    bench.write("sessions.jsonl", jsonl(&(0..ranks.len()).map(judged).collect::<Vec<_>>()));
    bench.write("old.run", run(&|pair| pair.0));
    bench.write("new.run", run(&|pair| pair.1));
    bench
}
