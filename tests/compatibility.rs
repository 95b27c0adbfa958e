//! Other programs' numbers on the same data, and what each number means.

use serde_json::Value;

use crate::sample;
use crate::shared::shared;
use crate::workbench::{Workbench, metrics};

/// Names of ranx and ours.
const OF_RANX: [(&str, &str); 7] = [
    ("ndcg@5", "nDCG@5"),
    ("ndcg", "nDCG"),
    ("ndcg_burges@5", "nDCG(dcg='exp-log2')@5"),
    ("recall@5", "R@5"),
    ("mrr", "RR"),
    ("map", "AP"),
    ("rbp.80", "RBP(p=0.8)"),
];

#[test]
fn the_values_of_ranx_are_reproduced_to_1e_9() {
    let Some(folder) = shared("reference") else { return };
    let extra: Vec<&str> = OF_RANX.iter().map(|(_, ours)| *ours).collect();
    let recorded = |id: &str, name: &str| {
        format!(
            "[[retriever]]\nid = \"{id}\"\nstages = [{{ kind = \"recorded\", path = \"{}\" }}]\n",
            folder.join(name).display()
        )
    };
    let bench = Workbench::new(&format!(
        "name = \"ranx\"\nbaseline = \"base\"\ncandidates = [\"cand\"]\n\
         [sessions]\npath = {{ trec = {{ qrels = \"{}\" }} }}\n\
         [metrics]\nextra = {extra:?}\ncompatibility = \"ranx\"\n{}{}",
        folder.join("small.qrels").display(),
        recorded("base", "small.base.run"),
        recorded("cand", "small.cand.run"),
    ));
    let measured = metrics(&bench.report());
    let scores = bench.scores(&measured);
    // Python writes `NaN` (its bpref), which is no JSON.
    let text = std::fs::read_to_string(folder.join("ref_ranx.json")).expect("the reference").replace("NaN", "null");
    let reference: Value = serde_json::from_str(&text).expect("JSON");
    let mut compared = 0;
    for row in &scores {
        for (theirs, ours) in OF_RANX {
            let expected = reference[&row.retriever_id][theirs][&row.session_id].as_f64().expect("a value");
            let column = measured.iter().position(|name| name == ours).expect("measured");
            let found = row.measures[column].expect("undefined is zero");
            assert!(
                (found - expected).abs() < 1e-9,
                "{ours} of {} in {}: {found}, ranx {expected}",
                row.session_id,
                row.retriever_id
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * 7 * OF_RANX.len());
}

fn report_under(compatibility: &str) -> Value {
    let bench = sample::shop(&sample::sessions(60));
    let text = sample::BENCHMARK
        .replace("[corpus.products]", &format!("[metrics]\ncompatibility = \"{compatibility}\"\n\n[corpus.products]"));
    bench.write("bench.toml", text);
    bench.report()
}

#[test]
fn every_metric_of_a_report_says_what_it_means() {
    for (compatibility, left_out) in [
        ("strict", &[][..]),
        ("trec-eval", &[]),
        ("ranx", &[]),
        ("elasticsearch", &["AP"]),
        ("opensearch", &[]),
        ("quepid", &["R@5", "R@10", "R@20"]),
    ] {
        let report = report_under(compatibility);
        let measured = metrics(&report);
        assert_eq!(report["run"]["compatibility"], compatibility);
        for name in &measured {
            let convention = &report["run"]["conventions"][name];
            for key in ["gain", "discount", "normaliser", "unjudged", "ties", "depth", "undefined", "rounding"] {
                assert!(convention[key].as_str().is_some_and(|text| !text.is_empty()), "{name} {key}: {convention}");
            }
        }
        for name in ["nDCG@5", "P@5", "RR", "AP", "R@5", "R@10", "R@20"] {
            assert_eq!(!measured.iter().any(|known| known == name), left_out.contains(&name), "{compatibility} {name}");
        }
    }
}

#[test]
fn programs_differ_where_their_conventions_do() {
    let precision = |compatibility: &str| {
        let report = report_under(compatibility);
        let convention = report["run"]["conventions"]["P@20"]["normaliser"].as_str().expect("text").to_owned();
        (report["results"][0]["scores"]["P@20"]["mean"].as_f64().expect("a mean"), convention)
    };
    // Ten items were shown: one of them in twenty ranks, or in ten returned items.
    let (strict, elasticsearch) = (precision("strict"), precision("elasticsearch"));
    assert!((strict.0 - 0.05).abs() < 1e-12 && (elasticsearch.0 - 0.1).abs() < 1e-12, "{strict:?} {elasticsearch:?}");
    assert_ne!(strict.1, elasticsearch.1);
}

#[test]
fn a_metric_that_the_program_has_not_is_refused() {
    let bench = sample::shop(&sample::sessions(4));
    let text = sample::BENCHMARK.replace(
        "[corpus.products]",
        "[metrics]\ncompatibility = \"quepid\"\nextra = [\"Success@1\"]\n\n[corpus.products]",
    );
    bench.write("bench.toml", text);
    bench.run().exits(2).complains(&["Quepid has no `Success@1`", "it has P, AP, RR, ERR", "metrics.compatibility"]);
}
