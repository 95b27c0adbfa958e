//! scipy on 40 pairs.

use serde_json::Value;

use super::{assert_close, number, numbers, shared_json};
use crate::Proportion;
use crate::rank_similarity::kendall_tau_b;
use crate::stats::{
    BootstrapMethod, ClusterSum, QuantileMethod, Randomisation, SignCounts, WilcoxonMethod, ZeroRule,
    benjamini_hochberg, benjamini_yekutieli, bonferroni, bootstrap_interval, bootstrap_means, cluster_robust_t,
    exact_sign_flip, holm, mcnemar_exact, minimum_detectable_effect, paired_t, power, quantile, sessions_to_settle,
    sign_test, wilcoxon,
};

const TOLERANCE: f64 = 1e-9;

fn reference() -> Option<(Value, Vec<f64>)> {
    let reference = shared_json("reference/ref_stats.json")?;
    let deltas = numbers(&reference["c"]).iter().zip(numbers(&reference["b"])).map(|(c, b)| c - b).collect();
    Some((reference, deltas))
}

#[test]
fn t_tests_and_effect_sizes_equal_scipys() {
    let Some((reference, deltas)) = reference() else { return };
    let test = paired_t(&deltas).unwrap();
    let [low, high] = test.statistic.interval(Proportion::NINETY_FIVE_PERCENT);
    let expected = &reference["ttest_rel"];
    for (key, found) in [
        ("t", test.statistic.t()),
        ("p", test.statistic.p_two_sided()),
        ("p_less", test.statistic.p_less()),
        ("p_greater", test.statistic.p_greater()),
        ("df", test.statistic.degrees_of_freedom),
        ("mean_diff", test.statistic.estimate),
        ("sd_diff", test.standard_deviation),
        ("cohens_dz", test.d_z()),
        ("hedges_gz", test.hedges_g_z()),
    ] {
        assert_close(found, number(&expected[key]), TOLERANCE, key);
    }
    assert_close(low, number(&expected["ci95"][0]), TOLERANCE, "low end");
    assert_close(high, number(&expected["ci95"][1]), TOLERANCE, "high end");
}

#[test]
fn cluster_robust_errors_equal_the_formula() {
    let Some((reference, deltas)) = reference() else { return };
    let expected = &reference["cluster_robust"];
    let groups: Vec<usize> =
        expected["groups"].as_array().unwrap().iter().map(|group| group.as_u64().unwrap() as usize).collect();
    let test = cluster_robust_t(&deltas, &groups).unwrap();
    assert_close(test.statistic.standard_error, number(&expected["se_CR1"]), TOLERANCE, "CR1");
    assert_close(test.statistic.degrees_of_freedom, number(&expected["df"]), 0.0, "df");
    let plain = paired_t(&deltas).unwrap().statistic.standard_error;
    assert_close(plain, number(&expected["se_iid"]), TOLERANCE, "independent");
}

#[test]
fn rank_and_sign_tests_equal_scipys() {
    let Some((reference, deltas)) = reference() else { return };
    for (rule, name) in [(ZeroRule::Drop, "wilcox"), (ZeroRule::RankThenDrop, "pratt"), (ZeroRule::Split, "zsplit")] {
        for (continuity_correction, suffix) in [(false, "nocc"), (true, "cc")] {
            let key = format!("wilcoxon_{name}_{suffix}_approx");
            let test = wilcoxon(&deltas, rule, WilcoxonMethod::Normal { continuity_correction }).unwrap();
            assert_close(test.statistic(), number(&reference[&key]["W"]), TOLERANCE, &key);
            assert_close(test.z.unwrap(), number(&reference[&key]["z"]), TOLERANCE, &key);
            assert_close(test.p_two_sided, number(&reference[&key]["p"]), TOLERANCE, &key);
        }
    }
    let exact = wilcoxon(&deltas, ZeroRule::Drop, WilcoxonMethod::Exact).unwrap();
    assert_close(exact.p_two_sided, number(&reference["wilcoxon_exact_nozero"]["p"]), TOLERANCE, "exact");

    let counts = SignCounts::of(&deltas, 0.0);
    assert_eq!(counts, SignCounts { improved: 26, degraded: 11, neutral: 3 });
    let signs = sign_test(counts).unwrap();
    assert_close(signs.p_two_sided, number(&reference["sign_test"]["p"]), TOLERANCE, "sign test");
    let mcnemar = mcnemar_exact(12, 25).unwrap();
    assert_close(mcnemar.p_two_sided, number(&reference["mcnemar_exact"]["p"]), TOLERANCE, "McNemar");
}

#[test]
fn randomisation_equals_scipys() {
    let Some((reference, deltas)) = reference() else { return };
    let expected = &reference["randomization_exact_n14"];
    let exact = exact_sign_flip(&deltas[..14]).unwrap();
    assert_eq!(Some(exact.at_least_as_far), expected["count_ge_abs"].as_u64());
    assert_eq!(Some(exact.assignments), expected["total"].as_u64());
    assert_close(exact.p_two_sided(), number(&expected["p_scipy"]), TOLERANCE, "exact");
    assert_close(exact.mean, number(&expected["mean_diff"]), TOLERANCE, "mean");

    // Two Monte Carlo estimates of one p differ by at most 4.5 standard errors of the difference.
    let expected = &reference["randomization_mc_n40_99999"];
    let keys: Vec<u64> = (0..deltas.len() as u64).collect();
    let values: Vec<Option<f64>> = deltas.iter().copied().map(Some).collect();
    let test = Randomisation::new(1, &keys, &[&values]).unwrap();
    let p = test.p_values(&test.count(0..99_999))[0].unwrap();
    assert_close(p, number(&expected["p_scipy"]), 4.5 * 2.0_f64.sqrt() * number(&expected["mc_sd"]), "Monte Carlo");
}

#[test]
fn bootstrap_intervals_equal_scipys_up_to_chance() {
    let Some((reference, deltas)) = reference() else { return };
    let units: Vec<ClusterSum> = deltas.iter().copied().map(ClusterSum::single).collect();
    let means = bootstrap_means(&units, 2, 0..99_999);
    for (method, name) in [
        (BootstrapMethod::Percentile, "bootstrap_percentile_99999"),
        (BootstrapMethod::Basic, "bootstrap_basic_99999"),
        (BootstrapMethod::BiasCorrectedAccelerated, "bootstrap_BCa_99999"),
    ] {
        let found = bootstrap_interval(&units, means.clone(), method, Proportion::NINETY_FIVE_PERCENT).unwrap();
        // An end's standard error is sqrt(.025 · .975 / B) over the density there: 0.00014.
        assert_close(found.low, number(&reference[name]["low"]), 6e-4, name);
        assert_close(found.high, number(&reference[name]["high"]), 6e-4, name);
        assert_close(found.standard_error, number(&reference[name]["se"]), 2e-4, name);
    }
}

#[test]
fn adjusted_p_values_equal_scipys() {
    let Some((reference, _)) = reference() else { return };
    let expected = &reference["p_adjust"];
    let p = numbers(&expected["p"]);
    for (key, adjusted) in [
        ("bh", benjamini_hochberg(&p)),
        ("by", benjamini_yekutieli(&p)),
        ("holm", holm(&p)),
        ("bonferroni", bonferroni(&p)),
    ] {
        let expected = numbers(&expected[key]);
        assert_eq!(adjusted.len(), expected.len());
        for (found, expected) in adjusted.into_iter().zip(expected) {
            assert_close(found, expected, TOLERANCE, key);
        }
    }
}

#[test]
fn power_and_detectable_effects_equal_scipys() {
    let Some((reference, _)) = reference() else { return };
    let (five, eighty) = (Proportion::FIVE_PERCENT, Proportion::EIGHTY_PERCENT);
    for (key, expected) in reference["power"].as_object().unwrap() {
        let (effect, sessions) = key.trim_start_matches("dz").split_once("_n").unwrap();
        let found = power(effect.parse().unwrap(), sessions.parse().unwrap(), five).unwrap();
        assert_close(found, number(expected), TOLERANCE, key);
    }
    for (key, expected) in reference["mde_80"].as_object().unwrap() {
        let sessions = key.trim_start_matches('n').parse().unwrap();
        let found = minimum_detectable_effect(sessions, five, eighty).unwrap();
        assert_close(found, number(expected), TOLERANCE, key);
        assert_eq!(sessions_to_settle(number(expected) * (1.0 + 1e-8), five, eighty), Some(sessions), "{key}");
    }
}

#[test]
fn quantiles_and_tau_equal_numpys_and_scipys() {
    let Some((reference, _)) = reference() else { return };
    let expected = &reference["quantiles"];
    let values = numbers(&expected["x"]);
    for (method, key) in [
        (QuantileMethod::Linear, "linear"),
        (QuantileMethod::Hazen, "hazen"),
        (QuantileMethod::Higher, "higher"),
        (QuantileMethod::InvertedCdf, "inverted_cdf"),
    ] {
        for (q, expected) in [0.5, 0.9, 0.95, 0.99].into_iter().zip(numbers(&expected[key])) {
            assert_close(quantile(&values, q, method).unwrap(), expected, TOLERANCE, key);
        }
    }
    let tau = kendall_tau_b(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &[2.0, 1.0, 4.0, 3.0, 8.0, 5.0, 6.0, 7.0]);
    assert_close(tau.unwrap(), number(&reference["kendall"]["tau_b_n8"]), TOLERANCE, "tau");
}
