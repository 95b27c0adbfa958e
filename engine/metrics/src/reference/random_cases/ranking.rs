//! Rankings with ties, repeated items, unjudged items, grades of 0 and below; empty ones, and sessions without judgments.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::ties::{TieOrder, ordered};
use crate::{GainFunction, Metric, RankedGrades};

/// The metrics that are compared; the script says with what.
const METRICS: [&str; 50] = [
    "nDCG",
    "nDCG@1",
    "nDCG@5",
    "nDCG@10",
    "nDCG(dcg='exp-log2')",
    "nDCG(dcg='exp-log2')@5",
    "nDCG(dcg='exp-log2')@10",
    "nDCG(judged_only=True)",
    "nDCG(judged_only=True)@5",
    "R@1",
    "R@5",
    "R@10",
    "R(rel=2)@5",
    "R(judged_only=True)@5",
    "R(rel=2,judged_only=True)@5",
    "P@1",
    "P@5",
    "P@10",
    "P(rel=2)@5",
    "P(judged_only=True)@5",
    "P(rel=3,judged_only=True)@3",
    "Success@1",
    "Success@5",
    "Success(rel=2)@5",
    "Success(judged_only=True)@1",
    "RR",
    "RR(rel=2)",
    "RR(judged_only=True)",
    "AP",
    "AP@5",
    "AP(rel=2)",
    "AP(rel=2)@10",
    "AP(judged_only=True)",
    "AP(rel=2,judged_only=True)@5",
    "Rprec",
    "Rprec(rel=2)",
    "Rprec(judged_only=True)",
    "Bpref",
    "Bpref(rel=2)",
    "infAP",
    "infAP(rel=2)",
    "NumRet",
    "NumRet(rel=1)",
    "NumRet(rel=2)",
    "NumRel",
    "gm_map",
    "gm_bpref",
    "ERR@5",
    "RBP(p=0.8,rel=1)",
    "RBP(p=0.5,rel=2)",
];

/// ir_measures breaks ties by ascending item id here, and not by descending as everywhere else.
const WITH_ASCENDING_TIES: [&str; 3] = ["Judged", "Judged@5", "Judged@10"];

/// Hits (number of the item, score in halves) and grades by number.
pub(super) type Input = (Vec<(u8, i8)>, BTreeMap<u8, i32>);

pub(super) fn inputs() -> impl Strategy<Value = Input> {
    // Few items and few scores, so that items come twice and scores are tied.
    let hits = prop_oneof![
        1 => Just(Vec::new()),
        6 => prop::collection::vec((0_u8..25, -4_i8..8), 1..12),
        6 => prop::collection::vec((0_u8..60, any::<i8>()), 1..40),
    ];
    let grades = prop_oneof![
        1 => Just(BTreeMap::new()),
        12 => prop::collection::btree_map(0_u8..30, -2_i32..5, 1..20),
        2 => prop::collection::btree_map(0_u8..30, -2_i32..1, 1..20),
    ];
    (hits, grades)
}

fn item(number: u8) -> String {
    format!("d{number:02}")
}

pub(super) fn case(index: usize, (hits, grades): &Input) -> Value {
    let hits: Vec<(String, f64)> =
        hits.iter().map(|&(number, halves)| (item(number), f64::from(halves) / 2.0)).collect();
    let grades: BTreeMap<String, f64> =
        grades.iter().map(|(&number, &grade)| (item(number), f64::from(grade))).collect();
    let judged: Vec<f64> = grades.values().copied().collect();
    let mut values = Map::new();
    for (names, ties) in [(&METRICS[..], TieOrder::ItemDescending), (&WITH_ASCENDING_TIES[..], TieOrder::ItemAscending)]
    {
        let ranked: Vec<Option<f64>> =
            ordered(&hits, ties).into_iter().map(|place| grades.get(&hits[place].0).copied()).collect();
        for name in names {
            let metric: Metric = name.parse().unwrap();
            let value = metric.evaluate(&RankedGrades { ranked: &ranked, judged: &judged }, GainFunction::Linear);
            values.insert((*name).to_owned(), value.into());
        }
    }
    json!({ "case": index.to_string(), "hits": hits, "grades": grades, "values": values })
}
