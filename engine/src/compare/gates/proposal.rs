//! Bounds that a run itself keeps, and that noise does not break.

use std::cmp::Ordering;
use std::fmt::Write;

use super::evidence::{Evidence, Subject};
use super::words;
use crate::benchmark::Plan;
use crate::compare::outcome::{BenchmarkComparison, BenchmarkResult, PipelineComparison, VerdictOutcome};
use crate::compare::verdict::thousands;

/// The least rise of a latency that is worth a gate, per cent: clocks differ more than this from run to run.
const LEAST_RISE_PERCENT: f64 = 20.0;
/// Standard errors that chance hardly ever goes beyond.
const BEYOND_CHANCE: f64 = 3.0;

/// Returns `[[gate]]` tables for the benchmark file, with comments that say where each bound comes from; `None` where no
/// candidate could be compared.
///
/// The primary measure's bound is the smallest difference that the run could detect with the benchmark's power, so that an equal
/// candidate passes in at least that share of runs of this size and fails in hardly any; it is larger where one of the run's own
/// candidates needs it to pass. Where clicks decide, all of it is by clicks on common support, and at no taxonomy node.
#[must_use]
pub fn propose(
    run_id: &str,
    plan: &Plan,
    results: &[BenchmarkResult],
    comparison: &BenchmarkComparison,
) -> Option<String> {
    let first = comparison.comparisons.first()?;
    let sessions = first.metrics.get(&plan.primary).map_or(0, |test| test.n);
    let mut text = format!(
        "# Proposed by `rematch gate init` from run {run_id}, {} pairs of sessions.\n# Change the bounds to what you accept.\n\n",
        thousands(sessions)
    );
    // Writing to a string cannot fail.
    let _ = primary(&mut text, plan, results, comparison);
    let _ = failures(&mut text, results);
    let _ = latency(&mut text, results);
    Some(text)
}

/// What the run knows of one candidate, as a gate on the primary measure would look at it.
struct Known<'a> {
    comparison: &'a PipelineComparison,
    evidence: Evidence,
    /// The smallest difference that would be detected with `power`.
    detectable: Option<f64>,
    power: f64,
}

impl<'a> Known<'a> {
    fn of(
        plan: &Plan,
        results: &[BenchmarkResult],
        all: &'a BenchmarkComparison,
        one: &'a PipelineComparison,
    ) -> Option<Self> {
        let test = one.metrics.get(&plan.primary)?;
        let candidate = results.iter().find(|result| result.retriever_id == one.candidate_retriever_id)?;
        let subject = Subject {
            primary: &plan.primary,
            noise_threshold: plan.noise_threshold,
            baseline: results.first()?,
            candidate,
            comparison: one,
            stopping: all.stopping.as_ref(),
        };
        let doubt = subject.doubt(test, &one.exposure);
        let (detectable, power) = match doubt.clicks.as_ref().and(one.exposure.common_support.as_ref()) {
            Some(common) => {
                let unit = common.baseline_mean.filter(|mean| *mean > 0.0).zip(test.baseline_mean);
                let scaled = common.detectable_delta.zip(unit).map(|(delta, (of, mean))| delta / of * mean.abs());
                (scaled, common.power)
            }
            None if doubt.clicks.is_some() => (None, None),
            None => (test.detectable_delta, test.power),
        };
        let power = power.unwrap_or(plan.statistics.power);
        Some(Self { comparison: one, evidence: Evidence::of_test(test, &doubt), detectable, power })
    }

    /// The loss at the far end of the interval, at least 0.
    fn farthest_loss(&self) -> Option<f64> {
        let [low, high] = self.evidence.interval?;
        Some(if self.evidence.lower_is_better { high } else { -low }.max(0.0))
    }
}

fn primary(
    text: &mut String,
    plan: &Plan,
    results: &[BenchmarkResult],
    comparison: &BenchmarkComparison,
) -> std::fmt::Result {
    let metric = plan.primary.as_str();
    let of = |one| Known::of(plan, results, comparison, one);
    let known: Vec<Known<'_>> = comparison.comparisons.iter().filter_map(of).collect();
    let noisiest = known.iter().filter(|known| known.detectable.is_some_and(|detectable| detectable > 0.0));
    let noisiest =
        noisiest.max_by(|left, right| left.detectable.partial_cmp(&right.detectable).unwrap_or(Ordering::Equal));
    let Some((noisiest, detectable)) = noisiest.and_then(|known| Some((known, known.detectable?))) else {
        writeln!(
            text,
            "# No bound for {metric}: its difference does not vary in this run, so that nothing tells how much noise"
        )?;
        writeln!(text, "# there is.")?;
        known.iter().try_for_each(|known| warn(text, known))?;
        return writeln!(text);
    };
    let farthest = known.iter().filter_map(Known::farthest_loss).fold(0.0, f64::max);
    let bound = rounded_up(detectable.max(farthest), 2);
    let (way, toml_metric) = (if noisiest.evidence.lower_is_better { "rise" } else { "fall" }, toml_text(metric));
    let power = words::confidence(noisiest.power);
    let by = if noisiest.evidence.clicks.is_some() { " by clicks on common support" } else { "" };
    writeln!(text, "# {metric}: this many sessions detect a difference of {detectable:.4}{by} with {power} power.")?;
    writeln!(
        text,
        "# With a bound of that size an equal candidate passes in {power} of runs, and is inconclusive in the others."
    )?;
    if farthest > detectable {
        writeln!(
            text,
            "# It is larger here, so that this run passes: an interval reaches down to a {way} of {farthest:.4}."
        )?;
    }
    known.iter().try_for_each(|known| warn(text, known))?;
    writeln!(
        text,
        "[[gate]]\nmetric = {toml_metric}\nmax-regression = {bound}\non-inconclusive = \"warn\" # fail | warn | pass\n"
    )
}

/// Says what to know of a candidate before its bound is taken.
fn warn(text: &mut String, known: &Known<'_>) -> std::fmt::Result {
    let candidate = toml_text(&known.comparison.candidate_retriever_id);
    if known.comparison.verdict.outcome == VerdictOutcome::Worse {
        let delta = known.evidence.delta.unwrap_or(0.0);
        writeln!(text, "# ! {candidate} is worse than the baseline ({delta:+.4}): this bound accepts that.")?;
    }
    if let Some(reason) = &known.evidence.distrust {
        writeln!(text, "# ! {candidate} cannot be judged in this run: {reason}.")?;
    }
    Ok(())
}

fn failures(text: &mut String, results: &[BenchmarkResult]) -> std::fmt::Result {
    let shares = results.iter().skip(1).filter_map(|result| {
        let sessions = (result.answered_sessions + result.failed_sessions) as f64;
        if sessions == 0.0 || result.answered_sessions == 0 {
            return None;
        }
        let share = result.failed_sessions as f64 / sessions;
        let chance = BEYOND_CHANCE * (share * (1.0 - share) / sessions).sqrt();
        // Of none in n, up to 3 / n are still likely (95 %).
        Some((share, (share + chance).max(BEYOND_CHANCE / sessions)))
    });
    let Some((share, bound)) = shares.max_by(|left, right| left.1.total_cmp(&right.1)) else { return Ok(()) };
    writeln!(text, "# Share of the sessions on which a candidate fails; here at most {share:.4}.")?;
    writeln!(text, "[[gate]]\nmetric = \"failed_share\"\nmax-value = {}\n", rounded_up(bound.min(1.0), 1))
}

fn latency(text: &mut String, results: &[BenchmarkResult]) -> std::fmt::Result {
    let Some(baseline) = results.first().and_then(|result| result.latency.p90_ms).filter(|ms| *ms > 0.0) else {
        return Ok(());
    };
    let rises = results.iter().skip(1).filter_map(|result| Some((result.latency.p90_ms? / baseline - 1.0) * 100.0));
    let Some(rise) = rises.max_by(f64::total_cmp) else { return Ok(()) };
    // A rise is not allowed for exactly: the next run has another clock's luck.
    let bound = ((LEAST_RISE_PERCENT + rise.max(0.0) * 1.5) / 10.0).ceil() * 10.0;
    writeln!(
        text,
        "# Latency changes by {rise:+.0} % here. Clocks differ between machines and moments: take the comment signs off"
    )?;
    writeln!(text, "# where runs are made on one quiet machine.")?;
    writeln!(text, "# [[gate]]\n# metric = \"latency_p90_ms\"\n# max-regression = \"{bound:.0} %\"")
}

/// Returns the least number of so many significant digits that is not below `value`, which is above 0, as it is written.
fn rounded_up(value: f64, digits: i32) -> String {
    let decimals = digits - 1 - value.log10().floor() as i32;
    let step = 10_f64.powi(-decimals);
    let places = usize::try_from(decimals).unwrap_or(0);
    let written = |steps: f64| format!("{:.places$}", steps * step);
    let steps = (value / step).ceil();
    let found = written(steps);
    // Rounding may have led below.
    let found = if found.parse::<f64>().is_ok_and(|found| found < value) { written(steps + 1.0) } else { found };
    match found.contains('.') {
        true => found.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => found,
    }
}

/// Returns a name as a TOML text.
fn toml_text(name: &str) -> String {
    toml::Value::String(name.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bounds_are_rounded_to_what_is_not_below() {
        for (value, digits, expected) in [
            (0.01234, 2, "0.013"),
            (0.02, 2, "0.02"),
            (0.3, 2, "0.3"),
            (0.0999, 2, "0.1"),
            (12.31, 2, "13"),
            (1234.0, 2, "1300"),
            (0.0075, 1, "0.008"),
            (1.0, 1, "1"),
        ] {
            assert_eq!(rounded_up(value, digits), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_bound_is_below_what_it_was_made_for(exponent in -12.0_f64..12.0) {
            let value = 10_f64.powf(exponent);
            let bound: f64 = rounded_up(value, 2).parse().expect("a number");
            prop_assert!(bound >= value && bound <= value * 1.11, "{value} {bound}");
        }
    }
}
