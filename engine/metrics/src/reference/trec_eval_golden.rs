//! trec_eval's own test: the file that its `quicktest` compares with.

use super::{assert_close, shared, trec};
use crate::GainFunction;

/// Returns our name of a measure of trec_eval, `None` for one that we do not have.
fn metric_name(measure: &str) -> Option<String> {
    let plain = [("map", "AP"), ("bpref", "Bpref"), ("recip_rank", "RR"), ("ndcg", "nDCG"), ("rbp", "RBP(p=0.9)")];
    if let Some((_, name)) = plain.iter().find(|(theirs, _)| *theirs == measure) {
        return Some((*name).to_owned());
    }
    let cut = [("P_", "P"), ("recall_", "R"), ("ndcg_cut_", "nDCG"), ("map_cut_", "AP"), ("success_", "Success")];
    cut.iter().find_map(|(prefix, name)| {
        let cutoff: usize = measure.strip_prefix(prefix)?.parse().ok()?;
        Some(format!("{name}@{cutoff}"))
    })
}

#[test]
fn values_equal_the_printed_ones() {
    let Some(path) = shared("data/trec-eval-golden/out.test.aq") else { return };
    let qrels = trec::qrels(&shared("data/trec-eval-golden/qrels.test").unwrap());
    let run = trec::run(&shared("data/trec-eval-golden/results.test").unwrap());
    let mut compared = 0;
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (Some(metric), Ok(expected)) = (metric_name(fields[0]), fields[2].parse::<f64>()) else { continue };
        let of = |query: &str| trec::evaluate(&metric, GainFunction::Linear, &qrels, &run, query);
        let found =
            if fields[1] == "all" { crate::sum::mean(&["301", "302", "303"].map(of)).unwrap() } else { of(fields[1]) };
        assert_close(found, expected, 5.0001e-5, line);
        compared += 1;
    }
    assert_eq!(compared, 4 * (4 + 1 + 9 + 9 + 9 + 9 + 3));
}
