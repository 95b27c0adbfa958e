//! Pairs of values with ties and zeros, identical and constant arms, p-values, numbers to rank.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Proportion;
use crate::rank_similarity::kendall_tau_b;
use crate::stats::{
    BootstrapMethod, ClusterSum, QuantileMethod, SignCounts, WilcoxonMethod, ZeroRule, benjamini_hochberg,
    benjamini_yekutieli, bonferroni, bootstrap_interval, bootstrap_means, cluster_robust_t, exact_sign_flip, holm,
    mcnemar_exact, minimum_detectable_effect, paired_t, power, quantile, sign_test, wilcoxon,
};

/// Dear tests (exact randomisation, bootstrap, power) are made on one case of so many.
const SELDOM: usize = 20;

const RESAMPLES: u64 = 199;

#[derive(Debug, Clone)]
pub(super) struct Input {
    baseline: Vec<f64>,
    candidate: Vec<f64>,
    clusters: Vec<usize>,
    p_values: Vec<f64>,
    discordant: (u64, u64),
}

pub(super) fn inputs() -> impl Strategy<Value = Input> {
    // On a grid there are ties and zeros, between its points there are none.
    let grid = (0_u8..8).prop_map(|eighths| f64::from(eighths) / 8.0);
    let pairs = prop_oneof![
        4 => prop::collection::vec((0.0_f64..1.0, 0.0_f64..1.0), 2..30),
        4 => prop::collection::vec((grid.clone(), grid.clone()), 2..30),
        1 => prop::collection::vec(grid.prop_map(|value| (value, value)), 2..30),
        1 => prop::collection::vec(Just((0.25, 0.5)), 2..30),
    ];
    let clusters = prop::collection::vec(0_usize..8, 30);
    let p_values = prop::collection::vec(prop_oneof![0.0_f64..0.05, 0.0_f64..1.0, Just(0.01)], 1..15);
    (pairs, clusters, p_values, (0_u64..40, 0_u64..40)).prop_map(|(pairs, clusters, p_values, discordant)| {
        let (baseline, candidate): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let clusters = clusters.into_iter().take(baseline.len()).collect();
        Input { baseline, candidate, clusters, p_values, discordant }
    })
}

pub(super) fn case(index: usize, input: &Input) -> Value {
    let deltas: Vec<f64> = input.candidate.iter().zip(&input.baseline).map(|(c, b)| c - b).collect();
    let quantiles = [0.0, 0.25, 0.5, 0.9, 0.99, 1.0].map(|q| quantile(&deltas, q, QuantileMethod::Linear));
    let mut case = json!({
        "case": index,
        "baseline": input.baseline,
        "candidate": input.candidate,
        "clusters": input.clusters,
        "p_values": input.p_values,
        "discordant": input.discordant,
        "t": t(&deltas),
        "cluster_robust": cluster_robust(&deltas, &input.clusters),
        "wilcoxon": signed_ranks(index, &deltas),
        "sign": sign_test(SignCounts::of(&deltas, 0.0)).ok().map(|test| test.p_two_sided),
        "mcnemar": mcnemar_exact(input.discordant.0, input.discordant.1).ok().map(|test| test.p_two_sided),
        "adjusted": {
            "bonferroni": bonferroni(&input.p_values),
            "holm": holm(&input.p_values),
            "bh": benjamini_hochberg(&input.p_values),
            "by": benjamini_yekutieli(&input.p_values),
        },
        "kendall": kendall_tau_b(&input.baseline, &input.candidate),
        "quantiles": quantiles,
    });
    if index.is_multiple_of(SELDOM) {
        case["randomisation"] =
            exact_sign_flip(&deltas[..deltas.len().min(9)]).ok().map(|test| test.p_two_sided()).into();
        case["bootstrap"] = bootstrap(index, &deltas);
        case["power"] = powers(deltas.len() as u64);
    }
    case
}

fn t(deltas: &[f64]) -> Value {
    let Ok(test) = paired_t(deltas) else { return Value::Null };
    json!({
        "t": test.statistic.t(),
        "p": test.statistic.p_two_sided(),
        "p_less": test.statistic.p_less(),
        "p_greater": test.statistic.p_greater(),
        "interval": test.statistic.interval(Proportion::NINETY_FIVE_PERCENT),
        "d_z": test.d_z(),
    })
}

fn cluster_robust(deltas: &[f64], clusters: &[usize]) -> Value {
    let Ok(test) = cluster_robust_t(deltas, clusters) else { return Value::Null };
    json!({
        "standard_error": test.statistic.standard_error,
        "p": test.statistic.p_two_sided(),
        "interval": test.statistic.interval(Proportion::NINETY_FIVE_PERCENT),
    })
}

/// One variant per case, in turn; exact where scipy's exact distribution is: without ties and zeros.
fn signed_ranks(index: usize, deltas: &[f64]) -> Value {
    let (zeros, rule) =
        [("wilcox", ZeroRule::Drop), ("pratt", ZeroRule::RankThenDrop), ("zsplit", ZeroRule::Split)][index % 3];
    let mut sizes: Vec<f64> = deltas.iter().map(|delta| delta.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let distinct = sizes.first() != Some(&0.0) && sizes.windows(2).all(|pair| pair[0] != pair[1]);
    let continuity_correction = index.is_multiple_of(2);
    let (method, how) = if distinct && index.is_multiple_of(4) {
        (WilcoxonMethod::Exact, "exact")
    } else {
        (WilcoxonMethod::Normal { continuity_correction }, "approx")
    };
    let test = wilcoxon(deltas, rule, method).ok();
    json!({
        "zero_method": zeros,
        "correction": continuity_correction,
        "method": how,
        "statistic": test.as_ref().map(|test| test.statistic()),
        "z": test.as_ref().and_then(|test| test.z),
        "p": test.map(|test| test.p_two_sided),
    })
}

fn bootstrap(index: usize, deltas: &[f64]) -> Value {
    let units: Vec<ClusterSum> = deltas.iter().copied().map(ClusterSum::single).collect();
    let means = bootstrap_means(&units, index as u64, 0..RESAMPLES);
    let mut intervals = json!({ "means": means });
    for (name, method) in [
        ("percentile", BootstrapMethod::Percentile),
        ("basic", BootstrapMethod::Basic),
        ("BCa", BootstrapMethod::BiasCorrectedAccelerated),
    ] {
        let interval = bootstrap_interval(&units, means.clone(), method, Proportion::NINETY_FIVE_PERCENT).ok();
        intervals[name] = interval.map(|found| vec![found.low, found.high, found.standard_error]).into();
    }
    intervals
}

fn powers(sessions: u64) -> Value {
    let (five, eighty) = (Proportion::FIVE_PERCENT, Proportion::EIGHTY_PERCENT);
    let powers = [0.1, 0.5, 1.0].map(|d_z| power(d_z, sessions, five));
    json!({
        "sessions": sessions,
        "power": powers,
        "detectable": minimum_detectable_effect(sessions, five, eighty),
    })
}
