//! What clicks can tell, in words.

use super::CLICK_SIGNIFICANCE;
use crate::benchmark::ExposurePlan;
use crate::compare::outcome::{ClickWeights, Estimate, Exposure, PropensitySource};

/// Returns a share in percent, without decimals unless it is small.
pub(in crate::compare) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.095 { format!("{:.1} %", share * 100.0) } else { format!("{:.0} %", share * 100.0) }
}

/// Returns a change in percent with its interval: `+4.3 % (95 % CI +3.1 % to +5.5 %)`.
pub(in crate::compare) fn change(relative: &Estimate) -> String {
    let signed = |share: f64| format!("{:+.1} %", share * 100.0);
    let interval = relative.ci95.map(|[low, high]| format!(" (95 % CI {} to {})", signed(low), signed(high)));
    format!("{}{}", signed(relative.estimate), interval.unwrap_or_default())
}

/// Returns the name of an assumed curve: `1 / rank^0.5`.
pub(in crate::compare) fn curve(exponent: f64) -> String {
    let alike = if exponent == 0.0 { " (every rank looked at alike)" } else { "" };
    format!("1 / rank^{}{alike}", rounded(exponent))
}

fn rounded(exponent: f64) -> f64 {
    (exponent * 100.0).round() / 100.0
}

/// Returns why the estimate on common support must not decide, or `None`.
pub(in crate::compare) fn too_little(
    plan: &ExposurePlan,
    coverage: [Option<f64>; 2],
    k: usize,
    weights: ClickWeights,
) -> Option<String> {
    let arms = ["baseline", "candidate"].into_iter().zip(coverage);
    let least = arms.filter_map(|(arm, share)| Some((arm, share?))).min_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((arm, share)) = least.filter(|(_, share)| *share < plan.min_coverage) {
        return Some(format!(
            "only {} of the {arm}'s top {k} was shown in the same search, expected at least {} (`exposure.min-coverage`)",
            percent(share),
            percent(plan.min_coverage)
        ));
    }
    (weights.effective_sample < plan.min_effective_sample).then(|| {
        format!(
            "the {} clicks on items that both return and that were shown are worth {:.0} equally weighted ones, expected at \
             least {} (`exposure.min-effective-sample`)",
            weights.clicks, weights.effective_sample, plan.min_effective_sample
        )
    })
}

/// Returns two sentences that a search manager understands.
pub(in crate::compare) fn explanation(exposure: &Exposure) -> String {
    let coverage = exposure.candidate_support.unwrap_or(0.0);
    let naive =
        exposure.naive.as_ref().and_then(|test| Some(test.delta? / test.baseline_mean.filter(|mean| *mean > 0.0)?));
    let naive = naive.map_or_else(String::new, |share| {
        format!(
            ": counting the rest as worthless would say {:+.1} %, which tells more of the log than of the lists",
            share * 100.0
        )
    });
    let first = format!(
        "Users were shown {} of the candidate's top {} when these clicks were logged, and what they never saw they could not \
         click{naive}.",
        percent(coverage),
        exposure.k
    );
    let looked = match exposure.propensity.as_ref() {
        Some(info) if info.source == PropensitySource::Logged => "the propensities that the log gives".to_owned(),
        Some(info) if info.source == PropensitySource::Fitted => {
            format!("a position-based model, fitted to {} items that were shown at two ranks", info.interventions)
        }
        Some(info) => format!("an assumed curve, {}", curve(info.exponent.unwrap_or(1.0))),
        None => String::new(),
    };
    let why_not = exposure.too_little.as_ref().or(exposure.depends_on_curve.as_ref());
    let verdict = match (&exposure.relative, why_not) {
        (Some(relative), None) => {
            let (first, last) = (exposure.sensitivity.first(), exposure.sensitivity.last());
            let family = first.zip(last).filter(|(first, last)| first.exponent < last.exponent);
            let everywhere = family.map(|(first, last)| {
                format!(", if it holds under every curve from {} to {}", curve(first.exponent), curve(last.exponent))
            });
            let everywhere = everywhere.unwrap_or_default();
            format!(
                "the difference is {}, and that decides (at p < {CLICK_SIGNIFICANCE}{everywhere})",
                change(relative)
            )
        }
        (Some(relative), Some(why)) => {
            format!("the difference is {}, but {why}, so that nothing is decided", change(relative))
        }
        (None, _) => "there is no click, so that nothing is decided".to_owned(),
    };
    let second = format!(
        "Among the items that were shown and that both retrievers return, with each click weighted by how likely users were to look \
         there ({looked}), {verdict}."
    );
    format!("{first} {second}")
}

/// Returns why few clicks carry the estimates, or `None`.
pub(in crate::compare) fn weight_warning(weights: ClickWeights) -> Option<String> {
    let few = weights.effective_sample < 0.1 * weights.clicks as f64 || weights.largest_share > 0.1;
    (few && weights.clicks > 0).then(|| {
        format!(
            "few clicks carry the estimate: {} of them weigh as much as {:.0} equally weighted ones, and the heaviest is {} of \
             all weight",
            weights.clicks,
            weights.effective_sample,
            percent(weights.largest_share)
        )
    })
}

/// Returns what a reader must know of the clicks before acting on them.
pub(in crate::compare) fn cautions(exposure: &Exposure) -> Vec<String> {
    let mut cautions = Vec::new();
    let weights: ClickWeights = exposure.weights.unwrap_or_default();
    cautions.extend(exposure.weight_warning.clone());
    if weights.clipped > 0 {
        let clip = exposure.propensity.as_ref().map_or(0.0, |info| info.clip);
        cautions.push(format!(
            "{} of {} clicks have a propensity below {clip} and count as if it were {clip} (`exposure.clip`)",
            weights.clipped, weights.clicks
        ));
    }
    let signs =
        |sign: f64| exposure.sensitivity.iter().any(|one| one.relative.is_some_and(|change| change * sign > 0.0));
    if signs(1.0) && signs(-1.0) && exposure.depends_on_curve.is_none() {
        let changes = exposure
            .sensitivity
            .iter()
            .filter_map(|one| Some(format!("{:+.1} % at {}", one.relative? * 100.0, rounded(one.exponent))));
        cautions.push(format!(
            "how fast users' attention falls with rank is assumed (1 / rank^exponent), and the sign depends on it: {}; a log in \
             which items were shown at several ranks would tell",
            changes.collect::<Vec<_>>().join(", ")
        ));
    }
    if weights.unweighted > 0 {
        cautions.push(format!("{} clicks have no propensity or no logged rank, and are left out", weights.unweighted));
    }
    cautions
}
