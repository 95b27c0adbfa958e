//! `report.html`: one file, no script, nothing fetched; charts are SVG drawn by the template.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Serialize;

use super::Report;
use crate::compare::outcome::PipelineComparison;
use crate::schema::column;

/// Half the width of an interval chart, in SVG units.
const HALF_WIDTH: f64 = 100.0;

/// One row of the interval chart.
#[derive(Serialize)]
struct Whisker {
    metric: String,
    low: f64,
    high: f64,
    middle: f64,
    /// Whether the row has a scale of its own.
    own_scale: bool,
}

/// Returns the page.
///
/// # Errors
///
/// Returns an error when the template and the model disagree.
pub(super) fn render(report: &Report) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.add_filter("number", |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}")));
    environment.add_filter("signed", |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:+.4}")));
    environment.add_filter("short", |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}")));
    let percent = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0));
    environment.add_filter("percent", percent);
    environment.add_filter("p", |value: Option<f64>| match value {
        Some(p) if p < 1e-4 => format!("{p:.1e}"),
        Some(p) => format!("{p:.4}"),
        None => "-".to_owned(),
    });
    environment.add_template("report.html", include_str!("report.html.jinja"))?;
    environment.add_template("statistics.html", include_str!("statistics.html.jinja"))?;
    environment.add_template("exposure.html", include_str!("exposure.html.jinja"))?;
    environment.add_template("changes.html", include_str!("changes.html.jinja"))?;
    let whiskers: Vec<Vec<Whisker>> =
        report.comparison.comparisons.iter().map(|comparison| whiskers(report, comparison)).collect();
    let mut stages = report.results.iter().flat_map(|result| &result.stages);
    let eventful = stages.any(|stage| stage.retried + stage.skipped + stage.failed > 0);
    let remote = report.results.iter().flat_map(|result| &result.stages).any(|stage| stage.requests.is_some());
    let whiskers = Value::from(Serde(whiskers));
    let explainable = report.run.primary_is_metric();
    // What the page does not show of every taxonomy node would be most of what is held, several times over.
    let mut shown = report.clone();
    shown.results.iter_mut().for_each(|result| result.taxonomy_deltas.clear());
    shown.comparison.comparisons.iter_mut().for_each(|comparison| comparison.metric_taxonomy.clear());
    let page = environment
        .get_template("report.html")?
        .render(context! { report => Value::from(Serde(&shown)), whiskers, eventful, remote, explainable })?;
    // Names and errors are what strangers wrote: control characters have no place on a page.
    let shown = |letter: char| if letter.is_control() && letter != '\n' { '\u{fffd}' } else { letter };
    Ok(page.chars().map(shown).collect())
}

/// The intervals of one candidate, better to the right. Metrics share a scale; what a scorer measures may be money or
/// days, so each of its scores has a scale of its own.
fn whiskers(report: &Report, comparison: &PipelineComparison) -> Vec<Whisker> {
    let tests = report.run.metrics.iter().filter_map(|measure| {
        let test = comparison.metrics.get(measure)?;
        let own_scale = measure == column::SCENARIO_SCORE || report.run.scorer_of(measure).is_some();
        Some((measure, test.lower_is_better, test.ci95?, test.delta?, own_scale))
    });
    let tests: Vec<_> = tests.collect();
    let end = |interval: &[f64; 2]| interval.iter().fold(0.0_f64, |widest, end| widest.max(end.abs()));
    let shared = tests.iter().filter(|(.., own_scale)| !own_scale);
    let widest = shared.fold(0.0_f64, |widest, (_, _, interval, ..)| widest.max(end(interval)));
    let whisker = |(measure, lower_is_better, interval, delta, own_scale): (&String, bool, [f64; 2], f64, bool)| {
        let widest = if own_scale { end(&interval) } else { widest };
        let scale = if widest > 0.0 { HALF_WIDTH / widest } else { 0.0 };
        let towards_better = if lower_is_better { -scale } else { scale };
        let at = |value: f64| HALF_WIDTH + value * towards_better;
        let [low, high] = interval.map(at);
        Whisker { metric: measure.clone(), low: low.min(high), high: low.max(high), middle: at(delta), own_scale }
    };
    tests.into_iter().map(whisker).collect()
}
