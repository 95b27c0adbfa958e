//! What of a case is sent, and that it is what the case says.

use proptest::prelude::*;

use super::super::batch::Columns;
use super::guests::Rows;
use crate::benchmark::RelevancePlan;
use crate::benchmark::spec::{Combine, Compatibility};
use crate::sandbox::bindings::exports::rematch::scoring::guest::{self, Columns as Needs};
use crate::score::Relevance;
use crate::session::{Hit, Interaction, Judgment, Ranking, Session, ShownItem};

fn relevance(session: &Session) -> Relevance {
    let plan = RelevancePlan {
        gain: rematch_metrics::GainFunction::Linear,
        combine: Combine::Max,
        weights: [("click".to_owned(), 1.0), ("purchase".to_owned(), 5.0)].into(),
        compatibility: Compatibility::Strict,
    };
    Relevance::of(session, &plan)
}

fn hit(item_id: &str, score: Option<f64>) -> Hit {
    Hit { item_id: item_id.to_owned(), score }
}

fn act(item_id: &str, kind: &str) -> Interaction {
    Interaction { item_id: item_id.to_owned(), kind: kind.to_owned(), ..Interaction::default() }
}

/// A session with everything, one with nothing, and one that shares an item with the first.
fn rows() -> Rows {
    let full = Session {
        session_id: "full".to_owned(),
        timestamp: Some(-1),
        query: Some("thé".to_owned()),
        query_vector: Some(vec![0.5, -1.0]),
        inputs: Some("{}".to_owned()),
        expected: Some("[1]".to_owned()),
        taxonomy: vec!["home/kitchen".to_owned(), "sale".to_owned()],
        shown: vec![ShownItem { item_id: "a".to_owned(), score: None, propensity: Some(0.25) }],
        interactions: vec![
            act("b", "purchase"),
            Interaction { position: Some(3), timestamp: Some(7), value: Some(9.5), ..act("z", "click") },
            act("b", "click"),
        ],
        ..Session::default()
    };
    let judgments = vec![
        Judgment { item_id: "a".to_owned(), grade: -1.0 },
        Judgment { item_id: "c".to_owned(), grade: 2.0 },
        Judgment { item_id: "d".to_owned(), grade: 3.0 },
    ];
    let judged = Session { session_id: "judged".to_owned(), judgments, ..Session::default() };
    let first = Ranking { hits: vec![hit("a", Some(2.0)), hit("b", None)], ..Ranking::default() };
    let last = Ranking { hits: vec![hit("c", Some(1.0)), hit("x", None), hit("a", None)], ..Ranking::default() };
    let row = |session: Session, ranking| {
        let gains = relevance(&session);
        (session, ranking, gains)
    };
    let empty = Session { session_id: "empty".to_owned(), ..Session::default() };
    Rows(vec![row(full, first), row(empty, Ranking::default()), row(judged, last)])
}

fn texts<'a>(column: &guest::TextsParam<'a>) -> Vec<&'a str> {
    let (offsets, bytes) = (column.offsets, column.bytes);
    offsets.windows(2).map(|range| std::str::from_utf8(&bytes[range[0] as usize..range[1] as usize]).unwrap()).collect()
}

#[test]
fn gains_are_joined_and_the_ideal_is_sorted() {
    let rows = rows();
    let columns = Columns::of(&rows.cases(), Needs::JUDGED | Needs::RELEVANCE | Needs::ITEM_IDS, None).unwrap();
    let batch = columns.lower(&[]);
    assert_eq!(batch.judged.offsets, [0, 1, 1, 3]);
    assert_eq!(batch.judged.ranks, [2, 1, 3]);
    assert_eq!(batch.judged.grades, [5.0, 2.0, -1.0]);
    assert_eq!(batch.ideal.offsets, [0, 2, 2, 4]);
    assert_eq!(batch.ideal.gains, [5.0, 1.0, 3.0, 2.0]);
    let names = texts(&batch.item_ids);
    assert_eq!(batch.relevance.offsets, [0, 2, 2, 5]);
    let items: Vec<&str> = batch.relevance.items.iter().map(|item| names[*item as usize]).collect();
    assert_eq!(items, ["b", "z", "a", "c", "d"]);
    assert_eq!(batch.relevance.grades, [5.0, 1.0, -1.0, 2.0, 3.0]);
}

#[test]
fn rankings_lists_and_acts_share_item_numbers() {
    let needs = Needs::HITS
        | Needs::HIT_SCORES
        | Needs::SHOWN
        | Needs::INTERACTIONS
        | Needs::INTERACTION_DETAILS
        | Needs::ITEM_IDS;
    let rows = rows();
    let columns = Columns::of(&rows.cases(), needs, None).unwrap();
    let batch = columns.lower(&[]);
    assert_eq!(texts(&batch.item_ids), ["a", "b", "c", "x", "z"]);
    assert_eq!((batch.hits.offsets, batch.hits.items), (&[0, 2, 2, 5][..], &[0, 1, 2, 3, 0][..]));
    assert_eq!(batch.hits.scores.values, [2.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(batch.hits.scores.known, [true, false, true, false, false]);
    assert_eq!((batch.shown.offsets, batch.shown.items), (&[0, 1, 1, 1][..], &[0][..]));
    assert_eq!((batch.shown.scores.known, batch.shown.propensities.values), (&[false][..], &[0.25][..]));
    let acts = &batch.interactions;
    assert_eq!((acts.offsets, acts.items, acts.kinds), (&[0, 3, 3, 3][..], &[1, 4, 1][..], &[0, 1, 1][..]));
    assert_eq!(texts(&acts.kind_names), ["purchase", "click"]);
    assert_eq!(acts.positions, [0, 3, 0]);
    assert_eq!((acts.times.values, acts.times.known), (&[0, 7, 0][..], &[false, true, false][..]));
    assert_eq!((acts.values.values, acts.values.known), (&[0.0, 9.5, 0.0][..], &[false, true, false][..]));
}

#[test]
fn session_columns_have_one_row_per_session() {
    let needs = Needs::SESSION_IDS
        | Needs::TIMES
        | Needs::QUERIES
        | Needs::QUERY_VECTORS
        | Needs::INPUTS
        | Needs::EXPECTED
        | Needs::TAXONOMY;
    let rows = rows();
    let columns = Columns::of(&rows.cases(), needs, None).unwrap();
    let batch = columns.lower(&[]);
    assert_eq!(texts(&batch.session_ids), ["full", "empty", "judged"]);
    assert_eq!((batch.times.values, batch.times.known), (&[-1, 0, 0][..], &[true, false, false][..]));
    assert_eq!(texts(&batch.queries), ["thé", "", ""]);
    assert_eq!((batch.query_vectors.offsets, batch.query_vectors.values), (&[0, 2, 2, 2][..], &[0.5, -1.0][..]));
    assert_eq!((texts(&batch.inputs), texts(&batch.expected)), (vec!["{}", "", ""], vec!["[1]", "", ""]));
    assert_eq!(batch.taxonomy.offsets, [0, 2, 2, 2]);
    assert_eq!(texts(&batch.taxonomy.paths), ["home/kitchen", "sale"]);
}

#[test]
fn what_is_not_asked_for_is_not_sent() {
    let rows = rows();
    let all = [
        Needs::JUDGED,
        Needs::RELEVANCE,
        Needs::HITS,
        Needs::SHOWN,
        Needs::INTERACTIONS,
        Needs::SESSION_IDS,
        Needs::TIMES,
        Needs::QUERIES,
        Needs::QUERY_VECTORS,
        Needs::INPUTS,
        Needs::EXPECTED,
        Needs::TAXONOMY,
        Needs::ITEM_IDS,
    ];
    for asked in all {
        let columns = Columns::of(&rows.cases(), asked, None).unwrap();
        let sent = columns.lower(&[]);
        let lengths = [
            (Needs::JUDGED, sent.judged.offsets.len() + sent.ideal.offsets.len()),
            (Needs::RELEVANCE, sent.relevance.offsets.len()),
            (Needs::HITS, sent.hits.offsets.len()),
            (Needs::SHOWN, sent.shown.offsets.len()),
            (Needs::INTERACTIONS, sent.interactions.offsets.len()),
            (Needs::SESSION_IDS, sent.session_ids.offsets.len()),
            (Needs::TIMES, sent.times.known.len()),
            (Needs::QUERIES, sent.queries.offsets.len()),
            (Needs::QUERY_VECTORS, sent.query_vectors.offsets.len()),
            (Needs::INPUTS, sent.inputs.offsets.len()),
            (Needs::EXPECTED, sent.expected.offsets.len()),
            (Needs::TAXONOMY, sent.taxonomy.offsets.len()),
            (Needs::ITEM_IDS, sent.item_ids.offsets.len()),
        ];
        for (column, length) in lengths {
            assert_eq!(length > 0, column == asked, "asked for {asked:?}, looked at {column:?}");
        }
        assert!(sent.hits.scores.values.is_empty() && sent.interactions.positions.is_empty());
    }
}

#[test]
fn an_empty_batch_has_the_leading_offset() {
    let columns = Columns::of(&[], Needs::HITS | Needs::QUERIES | Needs::ITEM_IDS, None).unwrap();
    let batch = columns.lower(&[]);
    assert_eq!((batch.len, batch.hits.offsets, batch.queries.offsets), (0, &[0][..], &[0][..]));
    assert_eq!(batch.item_ids.offsets, [0]);
}

proptest! {
    #[test]
    fn rankings_can_be_read_back(rankings in prop::collection::vec(prop::collection::vec("[a-c]{0,2}|é", 0..6), 0..6)) {
        let row = |items: &Vec<String>| {
            let hits = items.iter().map(|item| hit(item, None)).collect();
            (Session::default(), Ranking { hits, ..Ranking::default() }, Relevance::default())
        };
        let rows = Rows(rankings.iter().map(row).collect());
        let columns = Columns::of(&rows.cases(), Needs::HITS | Needs::ITEM_IDS, None).unwrap();
        let batch = columns.lower(&[]);
        let names = texts(&batch.item_ids);
        let read: Vec<Vec<String>> = batch.hits.offsets.windows(2).map(|range| {
            let items = &batch.hits.items[range[0] as usize..range[1] as usize];
            items.iter().map(|item| names[*item as usize].to_owned()).collect()
        }).collect();
        prop_assert_eq!(read, rankings);
    }
}
