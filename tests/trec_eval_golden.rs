//! trec_eval's own test outputs, and other programs' values on a small case, end to end.

use std::path::Path;

use rematch_metrics::{Metric, PositiveNumber, Relevance};
use serde_json::Value;

use crate::shared::shared;
use crate::workbench::{Workbench, json, mean, metrics};

/// One of trec_eval's test outputs, and how it was made.
struct Golden {
    expected: &'static str,
    qrels: &'static str,
    run: &'static str,
    /// Hits of each ranking that are looked at (`-M`).
    depth: usize,
    /// The lowest grade that is relevant (`-l`); nDCG takes every grade.
    level: u32,
}

const USUAL: Golden = Golden { expected: "out.test", qrels: "qrels.test", run: "results.test", depth: 1000, level: 1 };

#[test]
fn the_means_of_trec_eval_are_reproduced() {
    agrees(&USUAL);
    agrees(&Golden { expected: "out.test.a", ..USUAL });
}

#[test]
fn the_values_of_every_topic_are_reproduced() {
    agrees(&Golden { expected: "out.test.aq", ..USUAL });
    agrees(&Golden { expected: "out.test.meas_params", depth: 2000, ..USUAL });
}

#[test]
fn a_topic_that_the_run_lacks_counts_as_zero() {
    agrees(&Golden { expected: "out.test.aqc", run: "results.trunc", ..USUAL });
}

#[test]
fn the_depth_cuts_rankings_as_trec_eval_does() {
    agrees(&Golden { expected: "out.test.aqcM", run: "results.trunc", depth: 100, ..USUAL });
}

#[test]
fn relevance_may_start_at_a_higher_grade() {
    agrees(&Golden { expected: "out.test.aql", qrels: "qrels.rel_level", level: 2, ..USUAL });
}

#[test]
fn comment_lines_change_nothing() {
    agrees(&Golden { qrels: "qrels.test.with-comments", ..USUAL });
    agrees(&Golden {
        expected: "out.comment.test",
        qrels: "qrels.comment.test.gz",
        run: "results.comment.test.gz",
        ..USUAL
    });
}

/// Runs the case and compares every line of the expected output whose measure there is.
fn agrees(golden: &Golden) {
    let Some(data) = shared("data/trec-eval-golden") else { return };
    let expected = std::fs::read_to_string(data.join(golden.expected)).expect("the expected output");
    let lines: Vec<(String, &str, &str)> = expected
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (measure, topic, value) = (fields.next()?, fields.next()?, fields.next()?);
            Some((ours(measure, golden)?, topic, value))
        })
        .collect();
    let mut names: Vec<&str> = lines.iter().map(|(metric, _, _)| metric.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let (bench, report) = replay(&data.join(golden.qrels), &[&data.join(golden.run)], golden.depth, &names);
    let measured = metrics(&report);
    let scores = bench.scores(&measured);
    let topics = report["run"]["selection"]["sampled"].as_f64().expect("the number of topics");
    assert!(lines.len() > 10, "only {} lines of {}", lines.len(), golden.expected);
    for (metric, topic, value) in &lines {
        let counts = metric.starts_with("Num");
        let found = if *topic == "all" {
            // trec_eval adds counts up.
            mean(&report, "run-0", metric) * if counts { topics } else { 1.0 }
        } else {
            let row = scores.iter().find(|row| row.session_id == *topic && row.retriever_id == "run-0");
            let column = measured.iter().position(|name| name == metric).expect("measured");
            row.and_then(|row| row.measures[column]).unwrap_or_else(|| panic!("no {metric} of topic {topic}"))
        };
        let printed = if counts { format!("{found:.0}") } else { format!("{found:.4}") };
        assert_eq!(&printed, value, "{metric} of topic {topic} in {}", golden.expected);
    }
}

/// The metric that a measure of trec_eval is, or `None` for one that there is not.
fn ours(measure: &str, golden: &Golden) -> Option<String> {
    let level = if golden.level > 1 { format!("(rel={})", golden.level) } else { String::new() };
    match measure {
        "Rprec" | "infAP" => return Some(format!("{measure}{level}")),
        "num_ret" => return Some("NumRet".to_owned()),
        "num_rel" => return Some(format!("NumRel{level}")),
        "num_rel_ret" => return Some(format!("NumRet(rel={})", golden.level)),
        _ => {}
    }
    if let Some(name) = of_trec_eval_alone(measure) {
        let Ok(Metric::TrecEval { measure, .. }) = name.parse() else { panic!("`{name}` is none of trec_eval's own") };
        let level = PositiveNumber::new(f64::from(golden.level)).expect("a level");
        let levelled = golden.level > 1 && !measure.is_graded();
        let relevance = if levelled { Relevance::AtLeast(level) } else { Relevance::AboveZero };
        let metric = Metric::TrecEval { measure, relevance };
        return metric.cutoff().is_none_or(|cutoff| cutoff.get() <= golden.depth).then(|| metric.to_string());
    }
    let (family, cutoff) = match measure.rsplit_once('_') {
        Some((family, cutoff)) if cutoff.parse::<usize>().is_ok_and(|cutoff| cutoff <= golden.depth) => {
            (family, format!("@{cutoff}"))
        }
        Some(_) if measure != "recip_rank" => return None,
        _ => (measure, String::new()),
    };
    let name = match family {
        "map" | "map_cut" => "AP",
        "recip_rank" => "RR",
        "bpref" => "Bpref",
        "P" => "P",
        "recall" => "R",
        "success" => "Success",
        "ndcg" | "ndcg_cut" => return Some(format!("nDCG{cutoff}")),
        _ => return None,
    };
    Some(format!("{name}{level}{cutoff}"))
}

/// The metric that a measure is which trec_eval alone prints.
fn of_trec_eval_alone(measure: &str) -> Option<String> {
    let plain = [
        ("set_recall", "SetR"),
        ("set_P", "SetP"),
        ("set_relative_P", "SetP(relative=True)"),
        ("set_map", "SetAP"),
        ("set_F", "SetF"),
        ("11pt_avg", "11pt_avg"),
        ("utility", "Utility"),
        ("G", "G"),
        ("binG", "binG"),
        ("ndcg_rel", "nDCG_rel"),
        ("Rndcg", "Rndcg"),
        ("num_nonrel_judged_ret", "NumNonRel"),
    ];
    if let Some((_, name)) = plain.iter().find(|(theirs, _)| *theirs == measure) {
        return Some((*name).to_owned());
    }
    if let Some(level) = measure.strip_prefix("iprec_at_recall_") {
        return Some(format!("IPrec@{}", level.parse::<f64>().ok()?));
    }
    if let Some(multiple) = measure.strip_prefix("Rprec_mult_") {
        return Some(format!("Rprec(mult={})", multiple.parse::<f64>().ok()?));
    }
    measure.strip_prefix("relative_P_").map(|cutoff| format!("P(relative=True)@{cutoff}"))
}

/// Replays recorded runs (and the first one again, as a candidate) in trec_eval's mode.
fn replay(qrels: &Path, runs: &[&Path], depth: usize, metrics: &[&str]) -> (Workbench, Value) {
    let mut benchmark = format!(
        r#"
        name = "golden"
        depth = {depth}
        baseline = "run-0"
        candidates = ["run-1"]
        [sessions]
        path = {{ trec = {{ qrels = "{}" }} }}
        [metrics]
        k = [5, 10]
        extra = {metrics:?}
        compatibility = "trec-eval"
        "#,
        qrels.display()
    );
    for index in 0..2 {
        let run = runs.get(index).unwrap_or(&runs[0]).display();
        benchmark +=
            &format!("[[retriever]]\nid = \"run-{index}\"\nstages = [{{ kind = \"recorded\", path = \"{run}\" }}]\n");
    }
    let bench = Workbench::new(&benchmark);
    let report = bench.report();
    (bench, report)
}

/// Names in the reference that are spelled in another way here.
const SPELLINGS: [(&str, &str); 12] = [
    ("ndcg", "nDCG"),
    ("ndcg_cut_5", "nDCG@5"),
    ("ndcg_cut_10", "nDCG@10"),
    ("recall_5", "R@5"),
    ("recall_10", "R@10"),
    ("recip_rank", "RR"),
    ("map", "AP"),
    ("map_cut_5", "AP@5"),
    ("success_1", "Success@1"),
    ("num_ret", "NumRet"),
    ("num_rel", "NumRel"),
    ("num_rel_ret", "NumRelRet"),
];

#[test]
fn values_of_other_programs_on_a_small_case_are_reproduced_to_1e_9() {
    let Some(folder) = shared("reference") else { return };
    let reference = json(&folder.join("ref_small.json"));
    let extra = [
        "AP(rel=2)",
        "AP@5",
        "Bpref",
        "Judged@5",
        "P@5",
        "R(rel=2)@5",
        "RR(rel=2)",
        "Success@1",
        "Success@5",
        "nDCG",
        "Rprec",
        "infAP",
        "NumRet",
        "NumRel",
        "NumRelRet",
    ];
    let runs = [folder.join("small.base.run"), folder.join("small.cand.run")];
    let (bench, report) = replay(&folder.join("small.qrels"), &[&runs[0], &runs[1]], 1000, &extra);
    let measured = metrics(&report);
    let scores = bench.scores(&measured);
    let mut compared = 0;
    for (retriever, name) in [("run-0", "base"), ("run-1", "cand")] {
        for program in ["ir_measures", "pytrec_eval"] {
            for (topic, values) in reference[name][program].as_object().expect("topics") {
                for (measure, value) in values.as_object().expect("measures") {
                    let spelled = SPELLINGS.iter().find(|(theirs, _)| theirs == measure);
                    let metric = spelled.map_or(measure.as_str(), |(_, ours)| ours);
                    let Some(column) = measured.iter().position(|known| known == metric) else { continue };
                    let row = scores.iter().find(|row| row.session_id == *topic && row.retriever_id == retriever);
                    let found = row.and_then(|row| row.measures[column]);
                    let found = found.unwrap_or_else(|| panic!("no {metric} of {topic} in {name}"));
                    let expected = value.as_f64().expect("a number");
                    assert!(
                        (found - expected).abs() < 1e-9,
                        "{metric} of {topic} in {name}: {found}, {program} {expected}"
                    );
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 300, "only {compared} values were compared");
}
