//! Resolves the scorers: each is a component or a metric, and the weights add up to 1.

use super::diagnostic::{Diagnostic, KeyPath};
use super::plan::{Limits, PluginPlan, ScorerPlan, ScorerSource};
use super::resolve::Context;
use super::spec::{LimitsSpec, ScorerSpec};

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
        plans.push(ScorerPlan { name: scorer.name.clone(), source, weight: scorer.weight / total });
    }
    Ok(plans)
}

fn source(context: &Context<'_>, scorer: &ScorerSpec, keys: &KeyPath) -> Result<ScorerSource, Diagnostic> {
    match (&scorer.plugin, scorer.metric) {
        (Some(path), None) => Ok(ScorerSource::Plugin(plugin(context, scorer, path, keys)?)),
        (None, Some(metric)) => {
            let plugin_only = [
                ("sha256", scorer.sha256.is_some()),
                ("params", scorer.params.is_some()),
                ("limits", scorer.limits != LimitsSpec::default()),
            ];
            match plugin_only.iter().find(|(_, given)| *given) {
                Some((key, _)) => {
                    let message = format!("scorer `{}` is a built-in metric, `{key}` is for plugins only", scorer.name);
                    Err(context.mistake(&keys.key(key), message))
                }
                None => Ok(ScorerSource::Metric(metric.0)),
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

fn plugin(context: &Context<'_>, scorer: &ScorerSpec, path: &str, keys: &KeyPath) -> Result<PluginPlan, Diagnostic> {
    let sha256 = scorer.sha256.as_ref().map(|digest| digest.to_lowercase());
    if let Some(digest) =
        sha256.as_ref().filter(|digest| digest.len() != 64 || !digest.chars().all(|digit| digit.is_ascii_hexdigit()))
    {
        return Err(context.mistake(&keys.key("sha256"), format!("`{digest}` is not a SHA-256 of 64 hex digits")));
    }
    let defaults = Limits::default();
    let limits = Limits {
        memory_bytes: scorer.limits.memory_mib.map_or(defaults.memory_bytes, |mib| mib.get().saturating_mul(1 << 20)),
        fuel_per_session: scorer.limits.fuel_per_session.map_or(defaults.fuel_per_session, |fuel| fuel.get()),
        fuel_base: defaults.fuel_base,
        deadline_ms: scorer.limits.deadline_ms.map_or(defaults.deadline_ms, |deadline| deadline.get()),
    };
    let params = scorer.params.as_ref().map_or_else(|| "{}".to_owned(), ToString::to_string);
    Ok(PluginPlan { path: context.path(&keys.key("plugin"), path)?, sha256, params, limits })
}
