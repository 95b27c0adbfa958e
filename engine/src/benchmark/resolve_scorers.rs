//! Resolves the scorers: each is a component or a metric, and the weights add up to 1.

use std::num::NonZeroU64;
use std::path::PathBuf;

use rematch_metrics::Metric;

use super::diagnostic::{Diagnostic, KeyPath};
use super::plan::{ItemsPlan, Limits, PluginPlan, ScorerPlan, ScorerSource};
use super::plugin_reference::PluginReference;
use super::resolve::Context;
use super::resolve_retrievers::corpus_plan;
use super::spec::{ItemsSpec, LimitsSpec, ScorerSpec};
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
        (Some(path), None) => Ok(ScorerSource::Plugin(Box::new(plugin(context, scorer, path, keys)?))),
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
    let params = scorer.params.as_ref().map_or_else(|| "{}".to_owned(), ToString::to_string);
    Ok(PluginPlan {
        path: component(context, path, sha256.is_some(), &keys.key("plugin"))?,
        sha256,
        params,
        batch: scorer.batch.unwrap_or(PluginPlan::BATCH),
        wasi: scorer.wasi.unwrap_or_default(),
        items: scorer.items.as_ref().map(|items| item_fields(context, items, &keys.key("items"))).transpose()?,
        limits: limits(&scorer.limits),
    })
}

/// Returns the component file: `NAME@VERSION` lies among the components beside the benchmark file, all else is a path.
///
/// What comes from a registry must be pinned, since whoever runs the registry decides what it serves.
fn component(context: &Context<'_>, written: &str, pinned: bool, keys: &KeyPath) -> Result<PathBuf, Diagnostic> {
    if !PluginReference::is_meant_by(written) {
        return context.path(keys, written);
    }
    let reference: PluginReference = written.parse().map_err(|error| {
        context.mistake(keys, format!("{error}")).with_help("a path to a component ends in `.wasm` or has a `/`")
    })?;
    if !pinned {
        let message = format!("plugin `{reference}` comes from a registry and is not pinned by `sha256`");
        let help = format!("`rematch plugin add {reference} --registry ...` fetches it and prints the line to add");
        return Err(context.mistake(keys, message).with_help(help));
    }
    Ok(reference.path_beside(context.source.folder()))
}

fn item_fields(context: &Context<'_>, items: &ItemsSpec, keys: &KeyPath) -> Result<ItemsPlan, Diagnostic> {
    let keys_of_fields = keys.key("fields");
    if items.fields.is_empty() {
        return Err(context.mistake(&keys_of_fields, "no field is given, expected names such as `[\"category\"]`"));
    }
    for (index, field) in items.fields.iter().enumerate() {
        if field.is_empty() || items.fields.iter().take(index).any(|earlier| earlier == field) {
            let message = format!("the field `{field}` is empty or stands there twice");
            return Err(context.mistake(&keys_of_fields.index(index), message));
        }
    }
    Ok(ItemsPlan { corpus: corpus_plan(context, &items.corpus, keys)?, fields: items.fields.clone() })
}

/// Returns the limits that were written, and the defaults for the rest.
fn limits(written: &LimitsSpec) -> Limits {
    let or = |value: Option<NonZeroU64>, default: u64| value.map_or(default, NonZeroU64::get);
    let kib = |value: Option<NonZeroU64>, default: u64| value.map_or(default, |kib| kib.get().saturating_mul(1 << 10));
    let mib = |value: Option<NonZeroU64>, default: u64| value.map_or(default, |mib| mib.get().saturating_mul(1 << 20));
    let defaults = Limits::default();
    Limits {
        component_bytes: mib(written.component_mib, defaults.component_bytes),
        compile_seconds: or(written.compile_seconds, defaults.compile_seconds),
        compile_memory_bytes: mib(written.compile_memory_mib, defaults.compile_memory_bytes),
        memory_bytes: mib(written.memory_mib, defaults.memory_bytes),
        fuel_per_session: or(written.fuel_per_session, defaults.fuel_per_session),
        fuel_base: or(written.fuel_per_call, defaults.fuel_base),
        deadline_ms: or(written.deadline_ms, defaults.deadline_ms),
        output_bytes: kib(written.output_kib, defaults.output_bytes),
        log_bytes: kib(written.log_kib, defaults.log_bytes),
        table_elements: or(written.table_elements, defaults.table_elements),
        instances: or(written.instances, defaults.instances),
    }
}
