//! Resolves a component with its parameters and limits, whoever names it.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, KeyPath};
use super::plan::{ItemsPlan, Limits, PluginPlan};
use super::plugin_reference::PluginReference;
use super::resolve::Context;
use super::resolve_retrievers::corpus_plan;
use super::spec::{ItemsSpec, LimitsSpec, Wasi};

/// The keys by which a component is named, as written.
pub(super) struct WrittenPlugin<'a> {
    pub(super) path: &'a str,
    pub(super) sha256: Option<&'a str>,
    pub(super) params: Option<&'a serde_json::Value>,
    pub(super) batch: Option<NonZeroUsize>,
    pub(super) wasi: Option<Wasi>,
    pub(super) items: Option<&'a ItemsSpec>,
    pub(super) limits: &'a LimitsSpec,
}

impl WrittenPlugin<'_> {
    /// Returns the plan of the component that the table at `keys` names.
    pub(super) fn resolve(&self, context: &Context<'_>, keys: &KeyPath) -> Result<PluginPlan, Diagnostic> {
        let sha256 = self.sha256.map(str::to_lowercase);
        if let Some(digest) = sha256
            .as_ref()
            .filter(|digest| digest.len() != 64 || !digest.chars().all(|digit| digit.is_ascii_hexdigit()))
        {
            return Err(context.mistake(&keys.key("sha256"), format!("`{digest}` is not a SHA-256 of 64 hex digits")));
        }
        Ok(PluginPlan {
            path: component(context, self.path, sha256.is_some(), &keys.key("plugin"))?,
            sha256,
            params: self.params.map_or_else(|| "{}".to_owned(), ToString::to_string),
            batch: self.batch.unwrap_or(PluginPlan::BATCH),
            wasi: self.wasi.unwrap_or_default(),
            items: self.items.map(|items| item_fields(context, items, &keys.key("items"))).transpose()?,
            limits: limits(self.limits),
        })
    }
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
    Ok(context.beside(reference.path_beside(Path::new(""))))
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
