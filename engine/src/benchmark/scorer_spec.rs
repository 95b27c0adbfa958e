//! One scorer of the contract, as written.

use std::num::{NonZeroU64, NonZeroUsize};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spec::{MetricName, defaults};

/// A weighted scoring function: a WASM component or a built-in metric, never both.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScorerSpec {
    /// Unique name.
    pub name: String,
    /// Path of a WASM component of the world `rematch:scoring/scorer`.
    #[serde(default)]
    pub plugin: Option<String>,
    /// SHA-256 of the component, in hex; another file is refused.
    #[serde(default)]
    pub sha256: Option<String>,
    /// A built-in metric instead of a component.
    #[serde(default)]
    pub metric: Option<MetricName>,
    /// Weight in the scenario score; above 0, normalised over all scorers.
    #[serde(default = "defaults::weight")]
    pub weight: f64,
    /// Parameters handed to the component as JSON.
    #[serde(default)]
    pub params: Option<serde_json::Value>,
    /// What an error of one session means for the run.
    #[serde(default)]
    pub on_error: OnScorerError,
    /// Most sessions of one call of the component; 1024 where it is not given. With 1, no session can see another.
    #[serde(default)]
    pub batch: Option<NonZeroUsize>,
    /// What a component that imports WASI gets.
    #[serde(default)]
    pub wasi: Option<Wasi>,
    /// Where a component that asks for fields of the items finds them.
    #[serde(default)]
    pub items: Option<ItemsSpec>,
    /// Limits of the sandbox; each has a default.
    #[serde(default)]
    pub limits: LimitsSpec,
}

/// A corpus, and those of its fields that a scorer sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ItemsSpec {
    /// Name of a `[corpus]`.
    pub corpus: String,
    /// Names of its fields.
    pub fields: Vec<String>,
}

/// What an error of one session's score means. Errors are counted in the report whatever this says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnScorerError {
    /// The run ends, with exit code 6.
    Fail,
    /// The session has no score: it is left out of the scorer's mean and comparison, and has no scenario score.
    #[default]
    Skip,
    /// The session scores 0.
    Zero,
}

/// What a component that imports WASI gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Wasi {
    /// Nothing: the component is refused.
    #[default]
    Refuse,
    /// Stand-ins without effect: a clock that stands still, seeded random numbers, no files, no sockets, output thrown
    /// away. For components whose language runtime imports WASI though the scorer does not need it.
    Inert,
}

/// Limits of a component's sandbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LimitsSpec {
    /// Size of the component file, MiB; 32 where it is not given.
    #[serde(default)]
    pub component_mib: Option<NonZeroU64>,
    /// CPU time for compiling the component, seconds; 60 where it is not given.
    #[serde(default)]
    pub compile_seconds: Option<NonZeroU64>,
    /// Memory for compiling the component, MiB; 4096 where it is not given.
    #[serde(default)]
    pub compile_memory_mib: Option<NonZeroU64>,
    /// Linear memory, MiB; 256 where it is not given.
    #[serde(default)]
    pub memory_mib: Option<NonZeroU64>,
    /// Fuel (roughly: instructions) of each call beside that of its sessions; 2 billion where it is not given.
    #[serde(default)]
    pub fuel_per_call: Option<NonZeroU64>,
    /// Fuel per session; 10 million where it is not given.
    #[serde(default)]
    pub fuel_per_session: Option<NonZeroU64>,
    /// Wall-clock backstop of one call, milliseconds; 10,000 where it is not given.
    #[serde(default)]
    pub deadline_ms: Option<NonZeroU64>,
    /// What one call may hand back, KiB; 16,384 where it is not given.
    #[serde(default)]
    pub output_kib: Option<NonZeroU64>,
    /// Log messages that are kept of one call, KiB; 64 where it is not given.
    #[serde(default)]
    pub log_kib: Option<NonZeroU64>,
    /// Elements of all tables together; 100,000 where it is not given.
    #[serde(default)]
    pub table_elements: Option<NonZeroU64>,
    /// Core instances in the component, and as many tables; 64 where it is not given.
    #[serde(default)]
    pub instances: Option<NonZeroU64>,
}
