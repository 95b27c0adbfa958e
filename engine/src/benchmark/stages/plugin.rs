//! The source `plugin`: a component that answers searches.

use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::benchmark::PluginPlan;
use crate::benchmark::diagnostic::{Diagnostic, KeyPath};
use crate::benchmark::resolve::Context;
use crate::benchmark::resolve_plugin::WrittenPlugin;
use crate::benchmark::spec::{ItemsSpec, LimitsSpec, Wasi};

/// The keys of a `plugin` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PluginSpec {
    /// Path of a WASM component of the world `rematch:scoring/retriever`, or its name and version in a registry.
    pub plugin: String,
    /// SHA-256 of the component, in hex; another file is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Parameters handed to the component as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<serde_json::Value>,
    /// Most sessions of one call of the component; 1024 where it is not given. With 1, no session can see another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<NonZeroUsize>,
    /// What a component that imports WASI gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wasi: Option<Wasi>,
    /// The corpus that it searches, and those of its fields that it sees.
    pub items: ItemsSpec,
    /// Limits of the sandbox; each has a default.
    #[serde(default)]
    pub limits: LimitsSpec,
}

pub(super) fn resolve(context: &Context<'_>, spec: &PluginSpec, keys: &KeyPath) -> Result<PluginPlan, Diagnostic> {
    let written = WrittenPlugin {
        path: &spec.plugin,
        sha256: spec.sha256.as_deref(),
        params: spec.params.as_ref(),
        batch: spec.batch,
        wasi: spec.wasi,
        items: Some(&spec.items),
        limits: &spec.limits,
    };
    written.resolve(context, keys)
}
