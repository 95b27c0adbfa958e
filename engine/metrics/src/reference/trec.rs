//! TREC files, read the way trec_eval reads them.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::{GainFunction, Metric, RankedGrades};

/// Grades by query and item.
pub(super) type Qrels = BTreeMap<String, BTreeMap<String, f64>>;

/// Items by query, in trec_eval's order: score as f32 descending, then item descending; the rank column is ignored.
pub(super) type Run = BTreeMap<String, Vec<String>>;

pub(super) fn qrels(path: &Path) -> Qrels {
    let mut qrels = Qrels::new();
    for line in text(path).lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        qrels.entry(fields[0].to_owned()).or_default().insert(fields[2].to_owned(), fields[3].parse().unwrap());
    }
    qrels
}

pub(super) fn run(path: &Path) -> Run {
    let mut scored: BTreeMap<String, Vec<(f32, String)>> = BTreeMap::new();
    for line in text(path).lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        scored.entry(fields[0].to_owned()).or_default().push((fields[4].parse().unwrap(), fields[2].to_owned()));
    }
    let ranked = |mut hits: Vec<(f32, String)>| {
        hits.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.cmp(&a.1)));
        hits.into_iter().map(|(_, item)| item).collect()
    };
    scored.into_iter().map(|(query, hits)| (query, ranked(hits))).collect()
}

/// Returns the metric's value for one query, 0 where it is undefined; a query that the run lacks has an empty ranking.
pub(super) fn evaluate(metric: &str, gain: GainFunction, qrels: &Qrels, run: &Run, query: &str) -> f64 {
    let grades = &qrels[query];
    let ranked: Vec<Option<f64>> = run.get(query).into_iter().flatten().map(|item| grades.get(item).copied()).collect();
    let judged: Vec<f64> = grades.values().copied().collect();
    let metric: Metric = metric.parse().unwrap();
    metric.evaluate(&RankedGrades { ranked: &ranked, judged: &judged }, gain).unwrap_or(0.0)
}

fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
        return text;
    }
    String::from_utf8(bytes).unwrap()
}
