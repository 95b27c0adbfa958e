//! Transforms against what one would do by hand, and over corpora that lie.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::benchmark::CorpusPlan;
use crate::benchmark::stages::{BoostMode, BoostPlan, DedupePlan, FilterHitsPlan, UnknownHits};
use crate::replay::Transform;
use crate::session::{Hit, Session};

const CORPUS: &str = "item,brand,price,listed,odd name\n\
    a,x,1,2026-01-01,p\nb,y,2,2026-02-01,q\nc,x,,2026-03-01,p\nd,,4,2026-04-01,\ne,y,0.5,,q\n";

fn corpus(folder: &TempDir, content: &str) -> CorpusPlan {
    let path = folder.path().join("items.csv");
    std::fs::write(&path, content).unwrap();
    CorpusPlan { name: "items".into(), path, id: "item".into() }
}

fn filter(folder: &TempDir, predicate: &str, unknown: UnknownHits) -> Result<FilterHits, TransformError> {
    FilterHits::build(&FilterHitsPlan { corpus: corpus(folder, CORPUS), predicate: predicate.into(), unknown })
}

fn boost(folder: &TempDir, by: &str, mode: BoostMode) -> Result<Boost, TransformError> {
    Boost::build(&BoostPlan { corpus: corpus(folder, CORPUS), by: by.into(), mode })
}

fn dedupe(folder: &TempDir, field: &str) -> Result<Dedupe, TransformError> {
    Dedupe::build(&DedupePlan { corpus: corpus(folder, CORPUS), field: field.into() })
}

fn hits(items: &[&str]) -> Vec<Hit> {
    items.iter().map(|item| Hit { item_id: (*item).into(), score: None }).collect()
}

fn scored(items: &[(&str, f64)]) -> Vec<Hit> {
    items.iter().map(|(item, score)| Hit { item_id: (*item).into(), score: Some(*score) }).collect()
}

fn apply(transform: &dyn Transform, hits: Vec<Hit>) -> Vec<Hit> {
    let answer = futures::executor::block_on(transform.transform(&Session::default(), hits, 100));
    answer.unwrap().hits
}

fn items(hits: &[Hit]) -> String {
    hits.iter().map(|hit| hit.item_id.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_filter_keeps_hits_of_which_the_predicate_is_true_in_their_order() {
    let folder = TempDir::new().unwrap();
    for (predicate, unknown, left) in [
        ("price >= 1", UnknownHits::Drop, "d b a"),
        // Null is not true, nor is its opposite.
        ("NOT price >= 1", UnknownHits::Drop, "e"),
        ("price IS NULL OR brand = 'y'", UnknownHits::Keep, "c b e z"),
        ("listed > '2026-02-15'", UnknownHits::Drop, "d c"),
        ("\"odd name\" IN ('p') AND item <> 'a'", UnknownHits::Drop, "c"),
        ("null", UnknownHits::Keep, "z"),
        ("true", UnknownHits::Drop, "d c b a e"),
    ] {
        let found = apply(&filter(&folder, predicate, unknown).unwrap(), hits(&["d", "c", "b", "z", "a", "e"]));
        let mut wanted: Vec<&str> = left.split(' ').collect();
        wanted.sort_by_key(|item| ["d", "c", "b", "z", "a", "e"].iter().position(|known| known == item));
        assert_eq!(items(&found), wanted.join(" "), "{predicate}");
    }
}

#[test]
fn an_expression_that_means_nothing_is_refused_with_the_reason() {
    let folder = TempDir::new().unwrap();
    for (predicate, told) in [
        ("cost > 1", "cost"),
        ("price", "its value is of type Float64, expected true or false"),
        ("price >", "found: EOF"),
        ("count(price) > 1", "aggregates, windows and subqueries are not possible"),
        ("price IN (SELECT 1)", "not possible"),
        ("random() > 0.5", "changes from run to run"),
    ] {
        let error = filter(&folder, predicate, UnknownHits::Drop).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, TransformError::Expression { .. }), "{text}");
        assert!(text.to_lowercase().contains(&told.to_lowercase()), "{predicate}: {text}");
    }
    let error = boost(&folder, "brand", BoostMode::Add).unwrap_err().to_string();
    assert_eq!(
        error,
        "`by = \"brand\"` cannot be used over corpus `items`: its value is of type Utf8, expected a number"
    );
    let error = dedupe(&folder, "Brand").unwrap_err().to_string();
    assert!(error.ends_with("there is no such column, expected one of `item`, `brand`, `price`, `listed`, `odd name`"));
}

#[test]
fn a_boost_that_is_no_number_or_turns_scores_round_is_refused() {
    let folder = TempDir::new().unwrap();
    for (by, mode, told) in [
        ("price - 1", BoostMode::Multiply, "it is -0.5 for item `e`, expected a number from 0e0 to 1e100"),
        ("1.0 / (price - price)", BoostMode::Add, "it is inf for item `a`"),
        ("ln(0.9 - price)", BoostMode::Add, "it is NaN for item `a`"),
    ] {
        let error = boost(&folder, by, mode).unwrap_err().to_string();
        assert!(error.contains(told), "{by}: {error}");
    }
    assert!(boost(&folder, "price - 1", BoostMode::Add).is_ok());
}

#[test]
fn a_boost_changes_scores_and_sorts_by_them() {
    let folder = TempDir::new().unwrap();
    let given = || scored(&[("a", 8.0), ("c", 6.0), ("z", 5.0), ("b", 4.0), ("d", 2.0)]);
    // c and z have no price.
    let found = apply(&boost(&folder, "price", BoostMode::Multiply).unwrap(), given());
    assert_eq!(found, scored(&[("a", 8.0), ("b", 8.0), ("d", 8.0), ("c", 6.0), ("z", 5.0)]));
    let found = apply(&boost(&folder, "price", BoostMode::Add).unwrap(), given());
    assert_eq!(found, scored(&[("a", 9.0), ("c", 6.0), ("b", 6.0), ("d", 6.0), ("z", 5.0)]));
}

#[test]
fn without_scores_that_can_be_compared_a_boost_begins_with_ranks() {
    let folder = TempDir::new().unwrap();
    let boost = boost(&folder, "price", BoostMode::Multiply).unwrap();
    let expected = scored(&[("c", 1.0), ("b", 1.0), ("a", 1.0 / 3.0)]);
    assert_eq!(apply(&boost, hits(&["c", "b", "a"])), expected);
    // One without a score, and one below 0.
    let mut mixed = scored(&[("c", 9.0), ("b", 5.0), ("a", 1.0)]);
    mixed[1].score = None;
    assert_eq!(apply(&boost, mixed), expected);
    assert_eq!(apply(&boost, scored(&[("c", 9.0), ("b", 5.0), ("a", -1.0)])), expected);
}

#[test]
fn dedupe_leaves_the_best_of_each_value_and_all_without_one() {
    let folder = TempDir::new().unwrap();
    let found = apply(&dedupe(&folder, "brand").unwrap(), hits(&["z", "e", "a", "d", "b", "c", "y"]));
    assert_eq!(items(&found), "z e a d y");
    let found = apply(&dedupe(&folder, "odd name").unwrap(), hits(&["c", "a", "b", "d"]));
    assert_eq!(items(&found), "c b d");
}

#[test]
fn truncate_cuts_off() {
    let truncate = Truncate { k: NonZeroUsize::new(2).unwrap() };
    assert_eq!(items(&apply(&truncate, hits(&["a", "b", "c"]))), "a b");
    assert_eq!(apply(&truncate, Vec::new()), []);
}

#[test]
fn a_corpus_that_cannot_be_read_is_named() {
    let folder = TempDir::new().unwrap();
    let corpus = corpus(&folder, "item,brand\na,x\na,y\n");
    let error = Dedupe::build(&DedupePlan { corpus, field: "brand".into() }).unwrap_err();
    assert_eq!(error.to_string(), "corpus `items` cannot be read");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("duplicate item id `a`"));
}

/// What is known of some of the items 0 to 19: a brand or none, and a price or none.
fn known() -> impl Strategy<Value = BTreeMap<u8, (Option<u8>, Option<u8>)>> {
    let row = (proptest::option::of(0_u8..4), proptest::option::of(0_u8..4));
    proptest::collection::btree_map(0_u8..20, row, 1..20)
}

/// A list of distinct items, each with a score or none.
fn listed() -> impl Strategy<Value = Vec<Hit>> {
    let items = Just((0_u8..20).collect::<Vec<_>>()).prop_shuffle();
    (items, 0_usize..20, proptest::collection::vec(-8_i8..8, 20), any::<bool>()).prop_map(
        |(items, count, mut scores, with_scores)| {
            scores.sort_unstable_by(|left, right| right.cmp(left));
            let score = |score: i8| with_scores.then_some(f64::from(score) / 4.0);
            let hit = |(item, raw): (u8, i8)| Hit { item_id: format!("i{item}"), score: score(raw) };
            items.into_iter().zip(scores).take(count).map(hit).collect()
        },
    )
}

fn write(folder: &TempDir, known: &BTreeMap<u8, (Option<u8>, Option<u8>)>) -> CorpusPlan {
    let text = |value: &Option<u8>| value.map(|value| value.to_string()).unwrap_or_default();
    let rows = known.iter().map(|(item, (brand, price))| format!("i{item},b{},{}\n", text(brand), text(price)));
    // A brand `b` stands for none, so that the column is text whatever the case.
    let rows: String = rows.map(|row| row.replace(",b,", ",,")).collect();
    corpus(folder, &format!("item,brand,price\n{rows}i99,b9,9.5\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn transforms_do_what_the_naive_way_does(known in known(), list in listed(), k in 1_usize..25) {
        let folder = TempDir::new().unwrap();
        let corpus = write(&folder, &known);
        let number = |hit: &Hit| hit.item_id[1..].parse::<u8>().unwrap();
        let row = |hit: &Hit| known.get(&number(hit));
        let price = |hit: &Hit| row(hit).and_then(|(_, price)| *price);

        for unknown in [UnknownHits::Drop, UnknownHits::Keep] {
            let plan = FilterHitsPlan { corpus: corpus.clone(), predicate: "price >= 2".into(), unknown };
            let found = apply(&FilterHits::build(&plan).unwrap(), list.clone());
            let mut naive = Vec::new();
            for hit in &list {
                let passes = if row(hit).is_some() { price(hit) >= Some(2) } else { unknown == UnknownHits::Keep };
                if passes { naive.push(hit.clone()); }
            }
            prop_assert_eq!(found, naive);
        }

        let plan = DedupePlan { corpus: corpus.clone(), field: "brand".into() };
        let found = apply(&Dedupe::build(&plan).unwrap(), list.clone());
        let mut naive: Vec<Hit> = Vec::new();
        for hit in &list {
            let brand = row(hit).and_then(|(brand, _)| *brand);
            let is_duplicate = brand.is_some()
                && naive.iter().any(|earlier| row(earlier).and_then(|(brand, _)| *brand) == brand);
            if !is_duplicate { naive.push(hit.clone()); }
        }
        prop_assert_eq!(found, naive);

        for mode in [BoostMode::Multiply, BoostMode::Add] {
            let plan = BoostPlan { corpus: corpus.clone(), by: "price".into(), mode };
            let found = apply(&Boost::build(&plan).unwrap(), list.clone());
            let by_rank = list.iter().any(|hit| match mode {
                BoostMode::Multiply => hit.score.is_none_or(|score| score < 0.0),
                BoostMode::Add => hit.score.is_none(),
            });
            let mut naive: Vec<(usize, Hit)> = Vec::new();
            for (index, hit) in list.iter().enumerate() {
                let base = if by_rank { 1.0 / (index + 1) as f64 } else { hit.score.unwrap() };
                let score = match (price(hit), mode) {
                    (Some(price), BoostMode::Multiply) => base * f64::from(price),
                    (Some(price), BoostMode::Add) => base + f64::from(price),
                    (None, _) => base,
                };
                naive.push((index, Hit { score: Some(score), ..hit.clone() }));
            }
            // Selection by the largest score, the earliest of equal ones.
            let mut ordered = Vec::new();
            while !naive.is_empty() {
                let mut best = 0;
                for at in 1..naive.len() {
                    if naive[at].1.score > naive[best].1.score { best = at; }
                }
                ordered.push(naive.remove(best).1);
            }
            prop_assert_eq!(found, ordered);
        }

        let found = apply(&Truncate { k: NonZeroUsize::new(k).unwrap() }, list.clone());
        prop_assert_eq!(found.as_slice(), &list[..k.min(list.len())]);
    }
}
