//! The comparison's numbers against scipy's, on inputs that lie in the folder that `REMATCH_SHARED` names.

use std::path::PathBuf;

use rematch_metrics::stats::{ClusterResiduals, ClusterSum};
use serde_json::Value;

use super::resampling::held::{interval, signed_ranks};
use super::significance::{conclude, sign};
use super::tally::PairTally;

struct Reference {
    values: Value,
    pairs: PairTally,
    deltas: Vec<f64>,
}

/// The reference and its pairs; `None` where the folder is not given.
fn reference() -> Option<Reference> {
    let Some(shared) = std::env::var_os("REMATCH_SHARED") else {
        eprintln!("skipped: REMATCH_SHARED is not set");
        return None;
    };
    let path = PathBuf::from(shared).join("reference/ref_stats.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let values: Value = serde_json::from_str(&text).expect("JSON");
    let column = |name: &str| -> Vec<f64> {
        values[name].as_array().expect("numbers").iter().map(|value| value.as_f64().expect("a number")).collect()
    };
    let (mut pairs, mut deltas) = (PairTally::default(), Vec::new());
    for (old, new) in column("b").into_iter().zip(column("c")) {
        pairs.add(old, new, 0.0);
        deltas.push(new - old);
    }
    Some(Reference { values, pairs, deltas })
}

#[track_caller]
fn close(found: Option<f64>, expected: &Value, tolerance: f64) {
    let (found, expected) = (found.expect("a number"), expected.as_f64().expect("a number"));
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1e-3), "{found}, expected {expected}");
}

#[test]
fn the_headline_and_its_effect_sizes_are_scipys() {
    let Some(Reference { values, pairs, .. }) = reference() else { return };
    let (found, expected) = (conclude(&pairs, None, "user_id", true), &values["ttest_rel"]);
    close(found.t, &expected["t"], 1e-9);
    close(found.p, &expected["p"], 1e-9);
    close(found.df, &expected["df"], 1e-12);
    close(found.delta, &expected["mean_diff"], 1e-9);
    close(found.d_z, &expected["cohens_dz"], 1e-9);
    close(found.g_z, &expected["hedges_gz"], 1e-9);
    (0..2).for_each(|end| close(found.ci95.map(|ends| ends[end]), &expected["ci95"][end], 1e-9));
    close(Some(found.win as f64), &values["sign_test"]["wins"], 0.0);
    close(Some(found.tie as f64), &values["sign_test"]["ties"], 0.0);
    close(Some(found.loss as f64), &values["sign_test"]["losses"], 0.0);
}

#[test]
fn clusters_widen_the_error_as_cr1_does() {
    let Some(Reference { values, pairs, deltas }) = reference() else { return };
    let expected = &values["cluster_robust"];
    let groups: Vec<u64> =
        expected["groups"].as_array().expect("groups").iter().map(|group| group.as_u64().expect("a number")).collect();
    let mut residuals = ClusterResiduals::around(pairs.deltas.mean().expect("deltas"));
    for group in 0..=*groups.iter().max().expect("groups") {
        let mut sum = ClusterSum::default();
        let members = groups.iter().zip(&deltas).filter(|(of, _)| **of == group);
        members.for_each(|(_, delta)| sum.merge(ClusterSum::single(*delta)));
        residuals.add(sum);
    }
    let found = conclude(&pairs, Some(&residuals), "user_id", true);
    assert_eq!((found.test.as_str(), found.cluster_by.as_str()), ("cluster-robust t (CR1)", "user_id"));
    close(found.delta.zip(found.t).map(|(delta, t)| delta / t), &expected["se_CR1"], 1e-9);
    close(residuals.standard_error(), &expected["se_CR1"], 1e-9);
    close(found.df, &expected["df"], 1e-12);
}

#[test]
fn tests_of_other_hypotheses_are_scipys() {
    let Some(Reference { values, pairs, deltas }) = reference() else { return };
    let found = signed_ranks(&deltas, false);
    close(found.statistic, &values["wilcoxon_wilcox_nocc_approx"]["W"], 1e-12);
    close(found.p, &values["wilcoxon_wilcox_nocc_approx"]["p"], 1e-8);
    close(sign(pairs.signs, false).p, &values["sign_test"]["p"], 1e-9);
    let repeated = signed_ranks(&deltas, true).hypothesis;
    assert!(repeated.contains("not a mean of 0") && repeated.contains("independent"), "{repeated}");
}

#[test]
fn the_bootstrap_interval_is_scipys_up_to_chance() {
    let Some(Reference { values, deltas, .. }) = reference() else { return };
    let units: Vec<ClusterSum> = deltas.into_iter().map(ClusterSum::single).collect();
    let found = interval(&units, 42, 99_999).expect("an interval");
    let expected = &values["bootstrap_BCa_99999"];
    // The ends of two such intervals differ by about 0.0001.
    for (end, name) in [(0, "low"), (1, "high")] {
        let expected = expected[name].as_f64().expect("a number");
        assert!((found.ci95[end] - expected).abs() < 6e-4, "{name}: {} {expected}", found.ci95[end]);
    }
    assert_eq!((found.method.as_str(), found.resamples, found.clusters, found.seed), ("BCa", 99_999, 40, 42));
    assert_eq!(interval(&units[..9], 42, 999), None);
}
