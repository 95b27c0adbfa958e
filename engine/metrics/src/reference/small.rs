//! pytrec_eval and ir_measures on two small runs with ties, holes, negative grades and missing queries.

use super::{assert_close, number, shared, shared_json, trec};
use crate::GainFunction;

const OF_PYTREC_EVAL: [(&str, &str); 17] = [
    ("P_5", "P@5"),
    ("bpref", "Bpref"),
    ("map", "AP"),
    ("map_cut_5", "AP@5"),
    ("ndcg", "nDCG"),
    ("ndcg_cut_5", "nDCG@5"),
    ("ndcg_cut_10", "nDCG@10"),
    ("recall_5", "R@5"),
    ("recall_10", "R@10"),
    ("recip_rank", "RR"),
    ("success_1", "Success@1"),
    ("success_5", "Success@5"),
    ("Rprec", "Rprec"),
    ("infAP", "infAP"),
    ("num_ret", "NumRet"),
    ("num_rel", "NumRel"),
    ("num_rel_ret", "NumRelRet"),
];

/// Names whose meaning is the same in both programs; the last is how the file writes exponential gain.
const OF_IR_MEASURES: [(&str, &str); 13] = [
    ("AP", "AP"),
    ("AP(rel=2)", "AP(rel=2)"),
    ("Bpref", "Bpref"),
    ("Judged@5", "Judged@5"),
    ("infAP", "infAP"),
    ("P@5", "P@5"),
    ("R@5", "R@5"),
    ("R(rel=2)@5", "R(rel=2)@5"),
    ("RR", "RR"),
    ("RR(rel=2)", "RR(rel=2)"),
    ("Success@5", "Success@5"),
    ("nDCG@5", "nDCG@5"),
    ("nDCG(gains={2:3,3:7,4:15,5:31})@5", "nDCG(dcg='exp-log2')@5"),
];

#[test]
fn metrics_equal_pytrec_eval_and_ir_measures() {
    let Some(reference) = shared_json("reference/ref_small.json") else { return };
    let qrels = trec::qrels(&shared("reference/small.qrels").unwrap());
    let mut compared = 0;
    for name in ["base", "cand"] {
        let run = trec::run(&shared(&format!("reference/small.{name}.run")).unwrap());
        for (program, metrics) in [("pytrec_eval", &OF_PYTREC_EVAL[..]), ("ir_measures", &OF_IR_MEASURES[..])] {
            for (query, values) in reference[name][program].as_object().unwrap() {
                if query == "_errors" {
                    continue;
                }
                for (theirs, ours) in metrics {
                    let value = trec::evaluate(ours, GainFunction::Linear, &qrels, &run, query);
                    assert_close(value, number(&values[*theirs]), 1e-9, &format!("{name} {query} {ours}"));
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 17 * (6 + 7) + 13 * (7 + 7));
}

/// gdeval prints five digits; it refuses grades above 4, so queries with a 5 are left out.
#[test]
fn err_equals_gdeval() {
    let Some(path) = shared("reference/small.qrels") else { return };
    let qrels = trec::qrels(&path);
    for (name, query, expected) in [
        ("base", "q2", 0.03125),
        ("base", "q5", 0.07520),
        ("base", "q8", 0.03125),
        ("cand", "q2", 0.06250),
        ("cand", "q5", 0.21289),
        ("cand", "q6", 0.93945),
        ("cand", "q8", 0.49595),
    ] {
        let run = trec::run(&shared(&format!("reference/small.{name}.run")).unwrap());
        let value = trec::evaluate("ERR@5", GainFunction::Linear, &qrels, &run, query);
        assert_close(value, expected, 5.1e-6, &format!("{name} {query}"));
    }
}
