//! The run's identity: what would change a number stands in it, what would not (paths of outputs, concurrency) does not.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::content::{sha256_of_bytes, sha256_of_file};
use crate::benchmark::Plan;
use crate::storage::is_url;

/// The version of the layout of a run directory.
const LAYOUT_VERSION: u32 = 5;

/// What a run was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the run directory's layout.
    pub layout_version: u32,
    /// Version of the engine.
    pub engine_version: String,
    /// First 16 hex digits of the SHA-256 of everything else in the manifest.
    pub run_id: String,
    /// The benchmark's name.
    pub name: String,
    /// Seed of everything random.
    pub seed: u64,
    /// The resolved plan.
    pub plan: serde_json::Value,
    /// Content of every input, sorted by name.
    pub inputs: Vec<InputHash>,
}

/// The content of one input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct InputHash {
    /// What it is: `sessions <path>`, `pipeline <id>`, `plugin <name>`, `run <id>` (its report).
    pub name: String,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

impl Manifest {
    /// Returns the manifest of `plan` over `inputs`.
    ///
    /// # Errors
    ///
    /// Returns an error when the plan cannot be written as JSON.
    pub fn of(plan: &Plan, mut inputs: Vec<InputHash>) -> Result<Self, serde_json::Error> {
        inputs.sort();
        let mut plan_json = serde_json::to_value(plan)?;
        if let Some(object) = plan_json.as_object_mut() {
            object.remove("output_dir");
            object.remove("formats");
            object.remove("acknowledgements");
            object.remove("cluster");
        }
        for pipeline in plan_json.get_mut("pipelines").and_then(serde_json::Value::as_array_mut).into_iter().flatten() {
            if let Some(pipeline) = pipeline.as_object_mut() {
                pipeline.remove("concurrency");
                pipeline.remove("cache");
            }
        }
        let lenders = plan_json.pointer_mut("/borrowed/runs").and_then(serde_json::Value::as_array_mut);
        for run in lenders.into_iter().flatten().filter_map(serde_json::Value::as_object_mut) {
            run.remove("path");
        }
        change_paths(&mut plan_json, false, &|path| path.file_name().map(PathBuf::from));
        let mut manifest = Self {
            layout_version: LAYOUT_VERSION,
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
            run_id: String::new(),
            name: plan.name.clone(),
            seed: plan.seed,
            plan: plan_json,
            inputs,
        };
        let digest = sha256_of_bytes(&serde_json::to_vec(&manifest)?);
        manifest.run_id = digest.chars().take(16).collect();
        Ok(manifest)
    }
}

impl Manifest {
    /// Returns the plan as whoever goes on with the run needs it: with paths that do not depend on the working directory.
    ///
    /// # Errors
    ///
    /// Returns an error when the plan cannot be written as JSON.
    pub fn placed(plan: &Plan) -> Result<serde_json::Value, serde_json::Error> {
        let mut plan = serde_json::to_value(plan)?;
        let absolute = |path: &Path| std::path::absolute(path).ok();
        change_paths(&mut plan, false, &|path| if is_url(&path.to_string_lossy()) { None } else { absolute(path) });
        Ok(plan)
    }
}

/// Keys of the plan whose text is a path (or a list of them).
const PATH_KEYS: [&str; 11] = [
    "sessions",
    "path",
    "queries",
    "events",
    "topics",
    "qrels",
    "beir",
    "plugin",
    "output_dir",
    "certificate-authority",
    "acknowledgements",
];

/// Tables whose keys are the user's own, and no paths whatever they are called.
const FREE_TABLES: [&str; 2] = ["parameters", "headers"];

/// Changes every path of a plan. Those of a manifest are cut down to their file names: where files lie is no part of a
/// run's identity, what they hold is (`inputs`).
fn change_paths(value: &mut serde_json::Value, is_path: bool, change: &dyn Fn(&Path) -> Option<PathBuf>) {
    match value {
        serde_json::Value::String(text) if is_path => {
            if let Some(path) = change(Path::new(text.as_str())) {
                *text = path.to_string_lossy().into_owned();
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| change_paths(item, is_path, change)),
        serde_json::Value::Object(entries) => {
            let is_path = |key: &str| PATH_KEYS.contains(&key);
            let entries = entries.iter_mut().filter(|(key, _)| !FREE_TABLES.contains(&key.as_str()));
            entries.for_each(|(key, entry)| change_paths(entry, is_path(key), change));
        }
        _ => {}
    }
}

impl InputHash {
    /// Returns the hash of a file's content.
    ///
    /// # Errors
    ///
    /// Returns an error when the file cannot be read.
    pub fn of_file(name: String, path: &std::path::Path) -> std::io::Result<Self> {
        Ok(Self { name, sha256: sha256_of_file(path)? })
    }
}
