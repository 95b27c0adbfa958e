//! The built-in samples. Whatever is changed here changes what `rematch plugin test` prints for everybody.

use std::collections::BTreeSet;

use crate::load::Document;
use crate::session::{Hit, Interaction, Judgment, Session, ShownItem};

/// Noon of 5 January 2026, UTC, in milliseconds since the epoch.
const NOON: i64 = 1_767_614_400_000;

/// Returns the samples: sessions with the hits that answer them.
pub(super) fn sessions() -> Vec<(Session, Vec<Hit>)> {
    vec![
        one_click(),
        no_hits(),
        nothing_relevant(),
        graded(),
        relevant_not_found(),
        purchases(),
        propensities(),
        missing_scores(),
        many_scripts(),
        empty_texts(),
        vector(),
        labelled(),
        long_list(),
        tied_scores(),
    ]
}

/// Returns documents of most of the items that occur in the samples, with a value for each of `fields`: a sensible one
/// where the name is common in catalogues (title, description, category, brand, price, date), else some text.
#[must_use]
pub fn documents(fields: &[String]) -> Vec<Document> {
    let samples = sessions();
    let hits = samples.iter().flat_map(|(_, hits)| hits).map(|hit| hit.item_id.as_str());
    let judged = samples.iter().flat_map(|(session, _)| &session.judgments).map(|judgment| judgment.item_id.as_str());
    let items: BTreeSet<&str> = hits.chain(judged).collect();
    // Every seventh item is missing: a scorer meets such items in every real corpus.
    let known = items.into_iter().enumerate().filter(|(number, _)| number % 7 != 6);
    let document = |(number, item): (usize, &str)| Document {
        id: item.to_owned(),
        fields: fields.iter().map(|field| value(field, number)).collect(),
    };
    known.map(document).collect()
}

fn value(field: &str, number: usize) -> String {
    let pick = |words: &[&str]| words.get(number % words.len()).copied().unwrap_or_default().to_owned();
    match field {
        "title" | "name" => {
            format!("{} {}", pick(&["red", "blue", "größe 42", "old"]), pick(&["shoes", "kettle", "book"]))
        }
        "description" | "text" | "body" => format!("item number {number}, {}", pick(&["light", "heavy & <strong>"])),
        "category" | "categories" | "type" => pick(&["shoes", "kitchen", "books", "garden"]),
        "brand" | "vendor" | "seller" => pick(&["Acme", "Globex", "Initech"]),
        "price" | "cost" => format!("{}.{:02}", 5 + number * 3, number % 100),
        "date" | "published" | "created" | "updated" => format!("2026-01-{:02}", 1 + number % 28),
        _ => format!("{field} {number}"),
    }
}

fn session(id: &str, query: &str) -> Session {
    Session {
        session_id: id.to_owned(),
        user_id: Some(format!("user of {id}")),
        timestamp: Some(NOON),
        query: Some(query.to_owned()),
        taxonomy: vec!["home/kitchen".to_owned()],
        ..Session::default()
    }
}

fn hits(scored: &[(&str, f64)]) -> Vec<Hit> {
    scored.iter().map(|(item, score)| Hit { item_id: (*item).to_owned(), score: Some(*score) }).collect()
}

fn judgments(graded: &[(&str, f32)]) -> Vec<Judgment> {
    graded.iter().map(|(item, grade)| Judgment { item_id: (*item).to_owned(), grade: *grade }).collect()
}

fn act(item: &str, kind: &str, position: u32, value: Option<f64>) -> Interaction {
    Interaction {
        item_id: item.to_owned(),
        kind: kind.to_owned(),
        position: Some(position),
        timestamp: Some(NOON + i64::from(position) * 1500),
        value,
    }
}

fn shown(items: &[(&str, f64, f64)]) -> Vec<ShownItem> {
    let item = |(item, score, propensity): &(&str, f64, f64)| ShownItem {
        item_id: (*item).to_owned(),
        score: Some(*score),
        propensity: Some(*propensity),
    };
    items.iter().map(item).collect()
}

fn one_click() -> (Session, Vec<Hit>) {
    let mut session = session("one-click", "red shoes");
    session.interactions = vec![act("item-3", "click", 3, None)];
    session.shown = shown(&[("item-1", 3.0, 1.0), ("item-2", 2.0, 1.0), ("item-3", 1.0, 1.0)]);
    (session, hits(&[("item-1", 9.5), ("item-3", 8.0), ("item-2", 7.25), ("item-4", 1.0)]))
}

fn no_hits() -> (Session, Vec<Hit>) {
    let mut session = session("no-hits", "something nobody sells");
    session.interactions = vec![act("item-1", "click", 1, None)];
    (session, Vec::new())
}

fn nothing_relevant() -> (Session, Vec<Hit>) {
    (session("nothing-relevant", "kettle"), hits(&[("item-5", 2.0), ("item-6", 1.5)]))
}

fn graded() -> (Session, Vec<Hit>) {
    let mut session = session("graded", "books about gardens");
    session.judgments =
        judgments(&[("item-1", 3.0), ("item-2", -1.0), ("item-3", 0.0), ("item-4", 1.0), ("item-7", 0.5)]);
    session.timestamp = Some(NOON + 86_400_000);
    (session, hits(&[("item-2", 0.9), ("item-4", 0.8), ("item-9", 0.7), ("item-1", 0.6), ("item-3", 0.5)]))
}

fn relevant_not_found() -> (Session, Vec<Hit>) {
    let mut session = session("relevant-not-found", "old book");
    session.judgments = judgments(&[("item-10", 2.0), ("item-11", 1.0)]);
    (session, hits(&[("item-1", 1.0), ("item-2", 0.5), ("item-3", 0.25)]))
}

fn purchases() -> (Session, Vec<Hit>) {
    let mut session = session("purchases", "gift");
    session.visit_id = Some("a visit".to_owned());
    session.retriever_id = Some("prod".to_owned());
    session.interactions = vec![
        act("item-4", "click", 2, None),
        act("item-4", "dwell", 2, Some(31.5)),
        act("item-4", "add_to_cart", 2, None),
        act("item-4", "purchase", 2, Some(49.9)),
        act("item-8", "purchase", 9, Some(0.0)),
        act("item-1", "a kind of our own", 1, Some(-1.0)),
    ];
    (session, hits(&[("item-8", 4.0), ("item-1", 3.0), ("item-4", 2.0), ("item-12", 1.0)]))
}

fn propensities() -> (Session, Vec<Hit>) {
    let mut session = session("propensities", "blue kettle");
    session.shown = shown(&[("item-2", 5.0, 1.0), ("item-5", 4.0, 0.5), ("item-6", 3.0, 0.125), ("item-7", 2.0, 0.01)]);
    session.interactions = vec![act("item-7", "click", 4, None), act("item-2", "skip", 1, None)];
    (session, hits(&[("item-7", 1.0), ("item-2", 0.5), ("item-13", 0.25)]))
}

fn missing_scores() -> (Session, Vec<Hit>) {
    let mut session = session("missing-scores", "garden");
    session.timestamp = None;
    session.user_id = None;
    session.interactions =
        vec![Interaction { item_id: "item-6".to_owned(), kind: "click".to_owned(), ..Interaction::default() }];
    let hit = |item: &str, score| Hit { item_id: item.to_owned(), score };
    (session, vec![hit("item-5", Some(2.0)), hit("item-6", None), hit("item-7", None)])
}

fn many_scripts() -> (Session, Vec<Hit>) {
    let mut session = session("many-scripts", "Schuhe größe 42 👟 靴 حذاء e\u{301}\tδ \"quoted\" \\ </b>");
    session.taxonomy = vec!["mode/schuhe größe".to_owned(), "服/靴".to_owned()];
    session.judgments = judgments(&[("靴-1", 2.0), ("čaj 'n \"x\"", 1.0)]);
    (session, hits(&[("čaj 'n \"x\"", 0.5), ("👟", 0.25), ("靴-1", 0.125)]))
}

fn empty_texts() -> (Session, Vec<Hit>) {
    let mut session = session("empty-texts", "");
    session.taxonomy = Vec::new();
    session.judgments = judgments(&[("item-1", 1.0)]);
    (session, hits(&[("item-1", 0.0)]))
}

fn vector() -> (Session, Vec<Hit>) {
    let mut session = session("vector", "");
    session.query = None;
    session.query_vector = Some(vec![0.5, -0.25, 0.0, 1.0]);
    session.inputs = Some(r#"{"country": "DE", "max_price": 20, "tags": ["a", "b"]}"#.to_owned());
    session.interactions = vec![act("item-2", "bookmark", 1, None)];
    (session, hits(&[("item-2", 0.99), ("item-3", 0.98)]))
}

fn labelled() -> (Session, Vec<Hit>) {
    let mut session = session("labelled", "brand of item 1");
    session.expected = Some(r#"{"item_id": "item-1", "answer": "Acme", "items": ["item-1", "item-4"]}"#.to_owned());
    session.timestamp = Some(-1);
    (session, hits(&[("item-4", 2.0), ("item-1", 1.0)]))
}

fn long_list() -> (Session, Vec<Hit>) {
    let mut session = session("long-list", "everything");
    session.taxonomy = vec!["home".to_owned(), "home/kitchen".to_owned(), "sale".to_owned()];
    let relevant = (1..=100).step_by(9).map(|number: u16| (format!("long-{number}"), f32::from(number % 4)));
    session.judgments = relevant.map(|(item_id, grade)| Judgment { item_id, grade }).collect();
    let hit = |number: u16| Hit { item_id: format!("long-{number}"), score: Some(1.0 / (1.0 + f64::from(number))) };
    (session, (1..=100).map(hit).collect())
}

fn tied_scores() -> (Session, Vec<Hit>) {
    let mut session = session("tied-scores", "shoes");
    session.interactions = vec![act("item-3", "click", 1, None), act("item-5", "share", 2, None)];
    (session, hits(&[("item-5", -1.0), ("item-3", -1.0), ("item-1", -1.0), ("item-2", -2.5)]))
}
