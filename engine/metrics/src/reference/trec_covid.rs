//! The official table of TREC-COVID round 1, for runs with ties, negative scores and ranks that contradict scores.

use std::collections::BTreeMap;

use super::{assert_close, shared, trec};
use crate::GainFunction;

/// Columns of the table and the metrics they hold; RBP takes half the grade as the gain, and looks at the whole ranking.
const COLUMNS: [(usize, &str); 5] = [(6, "nDCG@10"), (7, "P@5"), (8, "RBP(p=0.5,max_rel=2)"), (9, "Bpref"), (10, "AP")];

#[test]
fn runs_reproduce_the_leaderboard() {
    let Some(folder) = shared("data/trec-covid-round1") else { return };
    let qrels = trec::qrels(&folder.join("qrels.txt"));
    let table = std::fs::read_to_string(folder.join("leaderboard.csv")).unwrap();
    let rows: BTreeMap<&str, Vec<&str>> =
        table.lines().map(|line| (line.split(',').next().unwrap(), line.split(',').collect())).collect();
    let mut compared = 0;
    for entry in std::fs::read_dir(folder.join("runs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let run = trec::run(&path);
        for (column, metric) in COLUMNS {
            let values: Vec<f64> =
                qrels.keys().map(|query| trec::evaluate(metric, GainFunction::Linear, &qrels, &run, query)).collect();
            let expected: f64 = rows[name][column].parse().unwrap();
            assert_close(crate::sum::mean(&values).unwrap(), expected, 5.0001e-5, &format!("{name} {metric}"));
            compared += 1;
        }
    }
    assert_eq!(compared, 27 * 5);
}
