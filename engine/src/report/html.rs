//! `report.html`: one file, no script, nothing fetched; charts are SVG drawn by the template.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Serialize;

use super::Report;

/// Half the width of an interval chart, in SVG units.
const HALF_WIDTH: f64 = 100.0;

/// One row of the interval chart, scaled to the widest interval of its candidate.
#[derive(Serialize)]
struct Whisker {
    metric: String,
    low: f64,
    high: f64,
    middle: f64,
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
    environment.add_filter("p", |value: Option<f64>| match value {
        Some(p) if p < 1e-4 => format!("{p:.1e}"),
        Some(p) => format!("{p:.4}"),
        None => "-".to_owned(),
    });
    environment.add_template("report.html", include_str!("report.html.jinja"))?;
    let whiskers: Vec<Vec<Whisker>> =
        report.comparison.comparisons.iter().map(|comparison| whiskers(&report.run.metrics, comparison)).collect();
    environment
        .get_template("report.html")?
        .render(context! { report => Value::from(Serde(report)), whiskers => Value::from(Serde(whiskers)) })
}

fn whiskers(metrics: &[String], comparison: &crate::compare::outcome::PipelineComparison) -> Vec<Whisker> {
    let tests = metrics.iter().filter_map(|metric| {
        let test = comparison.metrics.get(metric)?;
        Some((metric, test.ci95?, test.delta?))
    });
    let tests: Vec<_> = tests.collect();
    let widest =
        tests.iter().flat_map(|(_, interval, _)| interval.iter()).fold(0.0_f64, |widest, end| widest.max(end.abs()));
    let scale = if widest > 0.0 { HALF_WIDTH / widest } else { 0.0 };
    let position = |value: f64| HALF_WIDTH + value * scale;
    tests
        .into_iter()
        .map(|(metric, [low, high], delta)| Whisker {
            metric: metric.clone(),
            low: position(low),
            high: position(high),
            middle: position(delta),
        })
        .collect()
}
