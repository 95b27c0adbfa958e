//! The report's statistics are those of the values in the run's own table, and of hand-made pairs.

use rematch_metrics::Proportion;
use rematch_metrics::stats::{
    BootstrapMethod, ClusterSum, benjamini_hochberg, bootstrap_interval, bootstrap_means, cluster_robust_t,
    exact_sign_flip, holm, paired_t,
};
use serde_json::Value;

use crate::sample;
use crate::workbench::{Workbench, json, metrics};

const RANKS: [(usize, usize); 16] = [
    (1, 1),
    (2, 1),
    (4, 2),
    (5, 1),
    (1, 2),
    (10, 3),
    (3, 3),
    (0, 4),
    (2, 0),
    (8, 1),
    (4, 4),
    (6, 2),
    (1, 5),
    (7, 3),
    (2, 1),
    (9, 10),
];

fn close(found: &Value, expected: f64, what: &str) {
    let found = found.as_f64().unwrap_or_else(|| panic!("{what} is {found}"));
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{what}: {found}, expected {expected}");
}

/// The pairs of one metric, read back from the run's table: deltas and visits.
fn pairs(bench: &Workbench, report: &Value, candidate: &str, metric: &str) -> (Vec<f64>, Vec<usize>) {
    let names = metrics(report);
    let column = names.iter().position(|name| name == metric).expect("measured");
    let baseline = report["comparison"]["baseline_retriever_id"].as_str().expect("a baseline");
    let rows = bench.scores(&names);
    let value = |session: &str, retriever: &str| {
        rows.iter().find(|row| row.session_id == session && row.retriever_id == retriever)?.measures[column]
    };
    let (mut deltas, mut clusters, mut visits) = (vec![], vec![], vec![]);
    for session in bench.sessions() {
        let pair = value(&session.session_id, candidate).zip(value(&session.session_id, baseline));
        let Some((new, old)) = pair else { continue };
        let visit = session.visit_id.unwrap_or(session.session_id);
        let known = visits.iter().position(|known| *known == visit);
        clusters.push(known.unwrap_or(visits.len()));
        if known.is_none() {
            visits.push(visit);
        }
        deltas.push(new - old);
    }
    (deltas, clusters)
}

fn test<'a>(report: &'a Value, metric: &str) -> &'a Value {
    &report["comparison"]["comparisons"][0]["metrics"][metric]
}

#[test]
fn independent_pairs_get_the_paired_t_test() {
    let bench = sample::recorded(&RANKS, |_| None);
    let report = bench.report();
    for metric in ["RR", "nDCG@10", "nDCG@5", "R@5", "P@5", "AP"] {
        let (deltas, _) = pairs(&bench, &report, "new", metric);
        assert_eq!(deltas.len(), RANKS.len());
        let expected = paired_t(&deltas).expect("testable");
        let found = test(&report, metric);
        assert_eq!(found["test"], "paired t");
        assert_eq!(found["n"], RANKS.len());
        close(&found["delta"], expected.statistic.estimate, "delta");
        close(&found["t"], expected.statistic.t(), "t");
        close(&found["df"], 15.0, "df");
        close(&found["p"], expected.statistic.p_two_sided(), "p");
        close(&found["d_z"], expected.d_z(), "d_z");
        let interval = expected.statistic.interval(Proportion::new(0.95).expect("a proportion"));
        close(&found["ci95"][0], interval[0], "ci95 low");
        close(&found["ci95"][1], interval[1], "ci95 high");
    }
}

/// The same formulas by hand, from the ranks alone: nothing of the engine is in the expected numbers.
#[test]
fn the_reciprocal_rank_of_known_ranks_gives_known_numbers() {
    let reciprocal = |rank: usize| if rank == 0 { 0.0 } else { 1.0 / rank as f64 };
    let deltas: Vec<f64> = RANKS.iter().map(|(old, new)| reciprocal(*new) - reciprocal(*old)).collect();
    let n = deltas.len() as f64;
    let mean = deltas.iter().sum::<f64>() / n;
    let deviation = (deltas.iter().map(|delta| (delta - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    // t quantile, 15 degrees of freedom, 97.5 % (any table).
    let half = 2.131_449_545_559_323 * deviation / n.sqrt();

    let report = sample::recorded(&RANKS, |_| None).report();
    let found = test(&report, "RR");
    close(&found["delta"], mean, "delta");
    close(&found["d_z"], mean / deviation, "d_z");
    close(&found["t"], mean / (deviation / n.sqrt()), "t");
    close(&found["ci95"][0], mean - half, "ci95 low");
    close(&found["ci95"][1], mean + half, "ci95 high");
    let sign = |positive: bool| deltas.iter().filter(|delta| **delta != 0.0 && (**delta > 0.0) == positive).count();
    assert_eq!((&found["win"], &found["loss"]), (&sign(true).into(), &sign(false).into()));
    assert_eq!(found["tie"], deltas.len() - sign(true) - sign(false));
    let result = &report["results"][1]["metrics"];
    assert_eq!((&result["sessions_improved"], &result["sessions_degraded"]), (&found["win"], &found["loss"]));
    assert_eq!(result["sessions_neutral"], found["tie"]);
}

#[test]
fn visits_that_repeat_make_the_test_cluster_robust() {
    let bench = sample::recorded(&RANKS, |index| Some(format!("v{}", index / 3)));
    let report = bench.report();
    let (deltas, clusters) = pairs(&bench, &report, "new", "RR");
    let expected = cluster_robust_t(&deltas, &clusters).expect("testable").statistic;
    let found = test(&report, "RR");
    assert_eq!(found["test"], "cluster-robust t (CR1)");
    assert_eq!((&found["n"], &found["clusters"], &found["cluster_by"]), (&16.into(), &6.into(), &"visit_id".into()));
    close(&found["t"], expected.t(), "t");
    close(&found["df"], 5.0, "df");
    close(&found["p"], expected.p_two_sided(), "p");
    let interval = expected.interval(Proportion::new(0.95).expect("a proportion"));
    close(&found["ci95"][0], interval[0], "ci95 low");
    close(&found["ci95"][1], interval[1], "ci95 high");
}

#[test]
fn several_candidates_are_adjusted_by_holm() {
    let bench = sample::recorded(&RANKS, |_| None);
    bench.run_with(&["--quiet"]).exits(0);
    // The candidate again, and the baseline's own run: three candidates, one of them without any difference.
    let text = std::fs::read_to_string(bench.path("bench.toml")).expect("the benchmark");
    let text = text.replace(r#"candidates = ["new"]"#, r#"candidates = ["new", "again", "same"]"#).replace(
        "retriever = [",
        r#"retriever = [
            { id = "again", stages = [{ kind = "recorded", path = "new.run" }] },
            { id = "same", stages = [{ kind = "recorded", path = "old.run" }] },"#,
    );
    bench.write("bench.toml", text);
    bench.run_into("three", &["--quiet"]).exits(0);
    let report = json(&bench.path("three/report.json"));
    let comparisons = report["comparison"]["comparisons"].as_array().expect("comparisons");
    let p: Vec<f64> = comparisons.iter().filter_map(|one| one["metrics"]["RR"]["p"].as_f64()).collect();
    assert_eq!(p.len(), 2, "identical rankings have no p");
    for (comparison, expected) in comparisons.iter().zip(holm(&p)) {
        close(&comparison["metrics"]["RR"]["p_adjusted"], expected, "adjusted p");
        assert_eq!(comparison["metrics"]["RR"]["correction"], "Holm over 2 candidates");
    }
    assert_eq!(comparisons[2]["metrics"]["RR"]["identical"], true);
    assert_eq!(comparisons[2]["verdict"]["outcome"], "inconclusive");
}

#[test]
fn taxonomy_nodes_are_adjusted_by_benjamini_and_hochberg() {
    let report = sample::shop(&sample::sessions(120)).report();
    let nodes = report["comparison"]["comparisons"][0]["taxonomy"].as_object().expect("nodes");
    let tested: Vec<&Value> = nodes.values().filter(|node| node["p_adjusted"].is_number()).collect();
    assert!(tested.len() > 2, "{nodes:?}");
    let p: Vec<f64> = tested.iter().map(|node| node["p"].as_f64().expect("p")).collect();
    for (node, expected) in tested.iter().zip(benjamini_hochberg(&p)) {
        close(&node["p_adjusted"], expected, "adjusted p");
        assert!(node["n"].as_u64().expect("n") >= 10, "{node}");
    }
}

#[test]
fn better_worse_and_inconclusive_are_told_apart() {
    let better: Vec<(usize, usize)> = (0..30).map(|index| (2 + index % 3, 1)).collect();
    let worse: Vec<(usize, usize)> = better.iter().map(|(old, new)| (*new, *old)).collect();
    let even: Vec<(usize, usize)> = (0..30).map(|index| if index % 2 == 0 { (1, 2) } else { (2, 1) }).collect();
    for (ranks, outcome) in [(better, "better"), (worse, "worse"), (even, "inconclusive")] {
        let report = sample::recorded(&ranks, |_| None).report();
        assert_eq!(report["comparison"]["comparisons"][0]["verdict"]["outcome"], outcome);
    }
}

#[test]
fn resampling_stands_beside_the_t_test_with_its_seed_and_number() {
    let bench = sample::recorded(&RANKS, |_| None);
    let report = bench.report();
    let (deltas, _) = pairs(&bench, &report, "new", "RR");
    let found = test(&report, "RR");
    let randomisation = &found["randomisation"];
    assert_eq!((&randomisation["resamples"], &randomisation["seed"]), (&9_999.into(), &42.into()));
    let exact = exact_sign_flip(&deltas).expect("few deltas").p_two_sided();
    let p = randomisation["p_randomisation"].as_f64().expect("p");
    assert!((p - exact).abs() < 4.0 * (exact * (1.0 - exact) / 9_999.0).sqrt(), "{p} {exact}");
    assert!(randomisation["p_max_t"].as_f64().expect("p") >= p);

    let units: Vec<ClusterSum> = deltas.iter().copied().map(ClusterSum::single).collect();
    let resamples = found["ci95_bootstrap"]["resamples"].as_u64().expect("resamples");
    let level = Proportion::new(0.95).expect("a proportion");
    let means = bootstrap_means(&units, 42, 0..resamples);
    let expected = bootstrap_interval(&units, means, BootstrapMethod::default(), level).expect("an interval");
    assert_eq!(found["ci95_bootstrap"]["method"], "BCa");
    close(&found["ci95_bootstrap"]["ci95"][0], expected.low, "low");
    close(&found["ci95_bootstrap"]["ci95"][1], expected.high, "high");

    let number = |name: &str| found[name].as_f64().expect(name);
    close(&found["relative"]["change"], number("delta") / number("baseline_mean"), "relative change");
    assert!(number("g_z").abs() < number("d_z").abs());
    let done = &report["comparison"]["comparisons"][0]["resampling"];
    assert_eq!(done["randomisation"]["note"], "as many as are cheap; `statistics.resamples` sets another number");
}

#[test]
fn the_statistics_table_says_what_is_tested_and_how() {
    let bench = sample::recorded(&RANKS, |index| Some(format!("v{}", index / 3)));
    let settings = [
        "statistics.cluster-by=\"session\"",
        "statistics.resamples=0",
        "statistics.bootstrap=199",
        "statistics.also=[\"wilcoxon\", \"sign\"]",
        "statistics.non-inferiority-margin=0.9",
        "statistics.power=0.9",
        "metrics.extra=[\"Success@1\"]",
    ];
    let arguments: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).chain(["--quiet"]).collect();
    bench.run_into("set", &arguments).exits(0);
    let report = json(&bench.path("set/report.json"));
    let comparison = &report["comparison"]["comparisons"][0];
    let found = test(&report, "RR");
    assert_eq!((&found["test"], &found["cluster_by"]), (&"paired t".into(), &"session_id".into()));
    assert_eq!((&found["randomisation"], &found["power"]), (&Value::Null, &0.9.into()));
    assert_eq!(found["ci95_bootstrap"]["resamples"], 199);
    let others: Vec<&str> =
        found["other_tests"].as_array().expect("tests").iter().filter_map(|test| test["test"].as_str()).collect();
    assert_eq!(others, ["sign", "Wilcoxon signed-rank"]);
    assert_eq!(comparison["non_inferiority"]["outcome"], "non_inferior");
    assert_eq!(comparison["resampling"]["randomisation"]["note"], "switched off by `statistics.resamples = 0`");
    // The rank of the wanted item is 1 for one of the two alone.
    let alone = |one: fn(&(usize, usize)) -> (usize, usize)| {
        RANKS.iter().map(one).filter(|(this, other)| *this == 1 && *other != 1).count()
    };
    let mcnemar = &test(&report, "Success@1")["mcnemar"];
    assert_eq!(mcnemar["only_baseline"], alone(|pair| *pair));
    assert_eq!(mcnemar["only_candidate"], alone(|(old, new)| (*new, *old)));
    assert!(mcnemar["p"].is_number() && found["mcnemar"].is_null());
}
