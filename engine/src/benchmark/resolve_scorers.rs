//! Resolves the scorers: each is a component or a metric, and the weights add up to 1.

use rematch_metrics::Metric;

use super::diagnostic::{Diagnostic, KeyPath};
use super::plan::{ScorerPlan, ScorerSource};
use super::resolve::{Context, in_preset};
use super::resolve_plugin::WrittenPlugin;
use super::spec::{LimitsSpec, ScorerSpec};
use crate::schema;

/// Most characters of a scorer's name, which becomes a column of tables.
const MAX_NAME: usize = 64;

/// Returns the scoring contract with normalised weights.
pub(super) fn scorers(context: &Context<'_>) -> Result<Vec<ScorerPlan>, Diagnostic> {
    let written = &context.spec.scorer;
    let total: f64 = written.iter().map(|scorer| scorer.weight).sum();
    let mut plans = Vec::new();
    for (index, scorer) in written.iter().enumerate() {
        let keys = KeyPath::root().key("scorer").index(index);
        if scorer.name.trim().is_empty() {
            return Err(context.mistake(&keys.key("name"), "the name is empty"));
        }
        if scorer.name.chars().any(char::is_control) || scorer.name.chars().count() > MAX_NAME {
            let message = format!("the name has control characters or more than {MAX_NAME} characters");
            return Err(context.mistake(&keys.key("name"), message));
        }
        if let Some(taken) = taken(&scorer.name) {
            return Err(context.mistake(&keys.key("name"), format!("the name `{}` is taken by {taken}", scorer.name)));
        }
        if written.iter().take(index).any(|earlier| earlier.name == scorer.name) {
            return Err(context.mistake(&keys.key("name"), format!("two scorers have the name `{}`", scorer.name)));
        }
        if !scorer.weight.is_finite() || scorer.weight <= 0.0 || !total.is_finite() {
            return Err(context.mistake(
                &keys.key("weight"),
                format!("weight {} is not above 0, or the weights add up to infinity", scorer.weight),
            ));
        }
        let source = source(context, scorer, &keys)?;
        let (name, weight) = (scorer.name.clone(), scorer.weight / total);
        plans.push(ScorerPlan { name, source, weight, on_error: scorer.on_error });
    }
    Ok(plans)
}

/// Returns what else has the name: scorers become columns beside those of the metrics.
fn taken(name: &str) -> Option<&'static str> {
    if name.parse::<Metric>().is_ok_and(|metric| metric.to_string() == name) {
        return Some("a metric");
    }
    schema::scores(&[]).column_with_name(name).map(|_| "a column of the scores table")
}

fn source(context: &Context<'_>, scorer: &ScorerSpec, keys: &KeyPath) -> Result<ScorerSource, Diagnostic> {
    match (&scorer.plugin, scorer.metric) {
        (Some(path), None) => {
            let written = WrittenPlugin {
                path,
                sha256: scorer.sha256.as_deref(),
                params: scorer.params.as_ref(),
                batch: scorer.batch,
                wasi: scorer.wasi,
                items: scorer.items.as_ref(),
                limits: &scorer.limits,
            };
            Ok(ScorerSource::Plugin(Box::new(written.resolve(context, keys)?)))
        }
        (None, Some(metric)) => {
            let plugin_only = [
                ("sha256", scorer.sha256.is_some()),
                ("params", scorer.params.is_some()),
                ("batch", scorer.batch.is_some()),
                ("wasi", scorer.wasi.is_some()),
                ("items", scorer.items.is_some()),
                ("limits", scorer.limits != LimitsSpec::default()),
            ];
            match plugin_only.iter().find(|(_, given)| *given) {
                Some((key, _)) => {
                    let message = format!("scorer `{}` is a built-in metric, `{key}` is for plugins only", scorer.name);
                    Err(context.mistake(&keys.key(key), message))
                }
                None => {
                    in_preset(context, metric.0, &keys.key("metric"))?;
                    Ok(ScorerSource::Metric(metric.0))
                }
            }
        }
        (Some(_), Some(_)) => Err(context.mistake(
            &keys.key("metric"),
            format!("scorer `{}` has both `plugin` and `metric`, expected one", scorer.name),
        )),
        (None, None) => {
            Err(context
                .mistake(&keys.key("name"), format!("scorer `{}` has neither `plugin` nor `metric`", scorer.name)))
        }
    }
}
