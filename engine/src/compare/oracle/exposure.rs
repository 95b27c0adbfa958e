//! What clicks can tell, session by session and by the definitions: what the sums of [`crate::compare::exposure`] are tested
//! against. The log has no propensities and no query twice, so that the curve is the assumed one, 1 / rank.

use rematch_metrics::Proportion;
use rematch_metrics::stats::{TStatistic, cluster_robust_t, paired_t};

use super::observations::{Observations, logged_position, rank};
use super::significance::{Pairs, compare_pairs};
use crate::benchmark::Plan;
use crate::benchmark::exposure::CLIP;
use crate::compare::exposure::{explanation, too_little_of, weight_warning};
use crate::compare::outcome::{
    ClickWeights, Estimate, Exposure, MetricComparison, PropensityInfo, PropensitySource, Sensitivity,
};
use crate::score::Relevance;
use crate::session::{Ranking, Session};

/// What one session says of two rankings.
pub(super) struct Clicks {
    /// The DCG of both by the four estimates.
    estimates: [[f64; 2]; 4],
    /// The DCG of both on common support under each of the assumed curves, without clipping.
    sensitivity: [[f64; 2]; 5],
    unclipped: [f64; 2],
    /// Weights of the clicks on common support, clipped and not.
    weights: Vec<(f64, f64)>,
    unweighted: u64,
    hits: [u64; 2],
    covered: [u64; 2],
    uncovered_discounts: [f64; 2],
    worth: f64,
    items: usize,
    derived: bool,
}

impl Clicks {
    /// `None` where a judge graded the session, nothing was shown or done in it, or an arm failed.
    pub(super) fn of(plan: &Plan, session: &Session, relevance: &Relevance, rankings: [&Ranking; 2]) -> Option<Self> {
        let items = session.exposed_items();
        if !session.judgments.is_empty() || items.is_empty() || rankings.iter().any(|ranking| ranking.failed()) {
            return None;
        }
        let depth = plan.support_depth();
        let tops = rankings.map(|ranking| ranking.hits.iter().take(depth).map(|hit| hit.item_id.as_str()));
        let tops: [Vec<&str>; 2] = tops.map(Iterator::collect);
        let common: Vec<&str> = tops[0].iter().copied().filter(|item| tops[1].contains(item)).collect();
        let discount = |place: usize| 1.0 / (place as f64 + 2.0).log2();
        let mut found = Self {
            estimates: [[0.0; 2]; 4],
            sensitivity: [[0.0; 2]; 5],
            unclipped: [0.0; 2],
            weights: Vec::new(),
            unweighted: 0,
            hits: tops.each_ref().map(|top| top.len() as u64),
            covered: tops.each_ref().map(|top| top.iter().filter(|hit| items.contains(hit)).count() as u64),
            uncovered_discounts: tops.each_ref().map(|top| {
                let uncovered = top.iter().enumerate().filter(|(_, hit)| !items.contains(hit));
                uncovered.map(|(place, _)| discount(place)).sum()
            }),
            worth: 0.0,
            items: items.len(),
            derived: relevance.any_relevant(),
        };
        for item in &items {
            let gain = relevance.gain(item);
            let logged = logged_position(session, item);
            let clipped = |exponent: f64| logged.map(|rank| 1.0 / (rank.get() as f64).powf(-exponent).max(CLIP));
            let weight = clipped(1.0);
            found.worth += weight.unwrap_or(0.0) * gain;
            for (arm, ranking) in rankings.into_iter().enumerate() {
                let Some(place) = rank(ranking, item).map(|rank| rank.get() - 1).filter(|place| *place < depth) else {
                    continue;
                };
                found.estimates[0][arm] += gain * discount(place);
                found.estimates[1][arm] += weight.unwrap_or(0.0) * gain * discount(place);
                if common.contains(item) {
                    let condensed = tops[arm].iter().filter(|hit| common.contains(hit)).position(|hit| hit == item);
                    let condensed = discount(condensed.expect("a place"));
                    found.estimates[2][arm] += weight.unwrap_or(0.0) * gain * condensed;
                    found.estimates[3][arm] += weight.unwrap_or(0.0) * gain * discount(place);
                    found.unclipped[arm] += logged.map_or(0.0, |rank| rank.get() as f64) * gain * condensed;
                    for (sums, exponent) in found.sensitivity.iter_mut().zip(curves(plan)) {
                        sums[arm] += logged.map_or(0.0, |rank| (rank.get() as f64).powf(exponent)) * gain * condensed;
                    }
                }
            }
            if common.contains(item) && gain > 0.0 {
                match (weight, logged) {
                    (Some(weight), Some(rank)) => {
                        let whole = rank.get() as f64;
                        found.weights.push((weight, whole));
                    }
                    _ => found.unweighted += 1,
                }
            }
        }
        Some(found)
    }
}

/// The exponents of the assumed curves.
fn curves(plan: &Plan) -> [f64; 5] {
    let [least, greatest] = plan.exposure.exponents;
    [0.0, 1.0, 2.0, 3.0, 4.0].map(|step| least + (greatest - least) / 4.0 * step)
}

/// Assesses the candidate at `candidate`.
#[expect(clippy::too_many_lines, reason = "one definition after the other, as they stand in the report")]
pub(super) fn assess(plan: &Plan, candidate: usize, observations: &Observations) -> Exposure {
    let k = observations.support_depth() as u64;
    let all = &observations.arm(candidate).clicks;
    let (rows, clicks): (Vec<usize>, Vec<&Clicks>) =
        all.iter().enumerate().filter_map(|(row, clicks)| Some((row, clicks.as_ref()?))).unzip();
    let derived = clicks.iter().filter(|clicks| clicks.derived).count() as u64;
    if derived == 0 {
        return Exposure { k, ..Exposure::default() };
    }
    let pairs_of = |place: usize| {
        Pairs::of_values(observations, &rows, clicks.iter().map(|clicks| clicks.estimates[place]).collect())
    };
    let estimate = |place: usize| -> Option<MetricComparison> {
        Some(compare_pairs(&pairs_of(place), observations.cluster_by(), plan.noise_threshold, true, Some(0.8)))
    };
    let n = rows.len() as f64;
    let sum = |value: &dyn Fn(&Clicks) -> f64| clicks.iter().map(|clicks| value(clicks)).sum::<f64>();
    let common = |clicks: &Clicks| clicks.estimates[2][1] - clicks.estimates[2][0];
    let clusters = pairs_of(2).clusters().to_vec();
    let unclipped = |clicks: &Clicks| clicks.unclipped[1] - clicks.unclipped[0];
    let ratio = |numerator: &dyn Fn(&Clicks) -> f64, denominator: &dyn Fn(&Clicks) -> f64| -> Option<Estimate> {
        let below = sum(denominator);
        let estimate = (below > 0.0).then(|| sum(numerator) / below)?;
        let residuals: Vec<f64> =
            clicks.iter().map(|clicks| numerator(clicks) - estimate * denominator(clicks)).collect();
        let repeated = clusters.iter().max().is_some_and(|last| last + 1 < clusters.len());
        let deltas: Vec<f64> = clicks.iter().map(|clicks| common(clicks)).collect();
        let tested = match repeated {
            true if paired_t(&deltas).is_err() => None,
            true => cluster_robust_t(&residuals, &clusters).ok().map(|test| test.statistic),
            false => paired_t(&residuals).ok().map(|test| test.statistic),
        };
        let ci95 = tested.filter(|test| test.standard_error * n / below > 1e-6 * estimate.abs()).map(|test| {
            let standard_error = test.standard_error * n / below;
            let statistic = TStatistic { estimate, standard_error, ..test };
            statistic.interval(Proportion::new(0.95).expect("a level"))
        });
        Some(Estimate { estimate, ci95 })
    };
    let weights: Vec<(f64, f64)> = clicks.iter().flat_map(|clicks| clicks.weights.iter().copied()).collect();
    let total: f64 = weights.iter().map(|(_, whole)| whole).sum();
    let squares: f64 = weights.iter().map(|(_, whole)| whole * whole).sum();
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let mean_worth = sum(&|clicks| clicks.worth) / sum(&|clicks| clicks.items as f64);
    let weighted = estimate(1);
    let delta = weighted.as_ref().and_then(|test| test.delta).unwrap_or_default();
    let reach = |arm: usize| mean_worth * sum(&|clicks| clicks.uncovered_discounts[arm]) / n;
    let support = |arm: usize| {
        let hits = sum(&|clicks| clicks.hits[arm] as f64);
        (hits > 0.0).then(|| sum(&|clicks| clicks.covered[arm] as f64) / hits)
    };
    let sensitivity = curves(plan).into_iter().enumerate().map(|(place, exponent)| {
        let pairs =
            Pairs::of_values(observations, &rows, clicks.iter().map(|clicks| clicks.sensitivity[place]).collect());
        let test = compare_pairs(&pairs, observations.cluster_by(), plan.noise_threshold, true, None);
        let old = test.baseline_mean.filter(|old| *old > 0.0);
        Sensitivity {
            exponent,
            baseline_mean: test.baseline_mean,
            relative: old.zip(test.delta).map(|(old, delta)| delta / old),
            ci95: old.zip(test.ci95).map(|(old, ends)| ends.map(|end| end / old)),
            p: test.p,
            p_adjusted: None,
        }
    });
    let mut found = Exposure {
        click_derived_pairs: derived,
        logged_sessions: rows.len() as u64,
        k,
        baseline_support: support(0),
        candidate_support: support(1),
        propensity: Some(PropensityInfo {
            source: PropensitySource::Assumed,
            by_rank: (1..=k).map(|rank| 1.0 / rank as f64).collect(),
            exponent: Some(1.0),
            interventions: 0,
            clip: CLIP,
        }),
        naive: estimate(0),
        weighted,
        common_support: estimate(2),
        relative: ratio(&common, &|clicks| clicks.estimates[2][0]),
        uncondensed: estimate(3),
        self_normalised: ratio(&common, &|clicks| clicks.weights.iter().map(|(weight, _)| weight).sum()),
        unclipped: ratio(&unclipped, &|clicks| clicks.unclipped[0]),
        unclipped_self_normalised: ratio(&unclipped, &|clicks| clicks.weights.iter().map(|(_, whole)| whole).sum()),
        weight_warning: None,
        bounds: Some([delta - reach(0), delta + reach(1)]),
        weights: Some(ClickWeights {
            clicks: weights.len() as u64,
            effective_sample: share(total * total, squares),
            clipped: weights.iter().filter(|(weight, whole)| weight < whole).count() as u64,
            largest_share: share(weights.iter().map(|(_, whole)| *whole).fold(0.0, f64::max), total),
            unweighted: clicks.iter().map(|clicks| clicks.unweighted).sum(),
        }),
        sensitivity: sensitivity.collect(),
        depends_on_curve: None,
        decides: false,
        too_little: None,
        explanation: String::new(),
    };
    found.decides = observations.clicks_decide();
    let weights = found.weights.unwrap_or_default();
    found.weight_warning = weight_warning(weights);
    found.too_little = too_little_of(&plan.exposure, [support(0), support(1)], k as usize, weights);
    found.explanation = explanation(&found);
    found
}
