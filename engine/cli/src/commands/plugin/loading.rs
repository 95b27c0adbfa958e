//! Loading a component outside a benchmark: parameters and items come from the command line, or are made up.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use rematch_engine::benchmark::{CorpusPlan, ItemsPlan, PluginPlan};
use rematch_engine::replay::plugin::{PluginError, StageDescription};
use rematch_engine::score::wasm::{PluginHost, WasmScorer};
use rematch_engine::score::{ScoreError, samples};
use tempfile::TempDir;

use super::project::{PROJECT_FILE, Project};
use crate::exit::{Exit, Failure};
use crate::plugin_arguments::LoadArguments;
use crate::plugin_host;

/// How components are loaded by one command. What they log while they are loaded is not shown, unless it is asked for.
pub(super) struct Loading {
    host: Arc<PluginHost>,
    plan: PluginPlan,
    /// Holds the made-up documents as long as somebody may read them.
    _documents: Option<TempDir>,
}

impl Loading {
    /// Returns how to load with the items that the command line names, or none.
    ///
    /// # Errors
    ///
    /// Returns an error when the parameters are no JSON object, or no component can be run on this machine.
    pub(super) fn of(arguments: &LoadArguments) -> Result<Self, Failure> {
        let items = match (&arguments.items, &arguments.item_id) {
            (Some(path), Some(id)) => Some(items(path, id, arguments.fields.clone())),
            _ => None,
        };
        Self::with(arguments, items, None)
    }

    /// Returns how to load with the items that the command line names, or else with made-up documents of the sample
    /// items.
    ///
    /// # Errors
    ///
    /// As [`Loading::of`].
    pub(super) fn with_made_up_items(arguments: &LoadArguments) -> Result<Self, Failure> {
        if arguments.items.is_some() {
            return Self::of(arguments);
        }
        let fields = match arguments.fields.as_slice() {
            [] => samples::ITEM_FIELDS.map(str::to_owned).to_vec(),
            fields => fields.to_vec(),
        };
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let path = folder.path().join("items.jsonl");
        std::fs::write(&path, samples::document_lines(&fields)).context("cannot write the sample items")?;
        Self::with(arguments, Some(items(&path, samples::ITEM_ID, fields)), Some(folder))
    }

    /// Shows on stderr what components log.
    ///
    /// # Errors
    ///
    /// Returns an error when no component can be run on this machine.
    pub(super) fn with_log(self) -> Result<Self, ScoreError> {
        Ok(Self { host: plugin_host::plugin_host(Some(plugin_host::on_stderr()))?, ..self })
    }

    fn with(arguments: &LoadArguments, items: Option<ItemsPlan>, documents: Option<TempDir>) -> Result<Self, Failure> {
        check_params(&arguments.params)?;
        let plan = PluginPlan {
            params: arguments.params.clone(),
            wasi: arguments.wasi.into(),
            items,
            ..PluginPlan::of(PathBuf::new())
        };
        Ok(Self { host: plugin_host::plugin_host(None)?, plan, _documents: documents })
    }

    /// Loads the component at `path`.
    ///
    /// # Errors
    ///
    /// As [`WasmScorer::load`].
    pub(super) fn load(&self, path: &Path) -> Result<WasmScorer, ScoreError> {
        self.load_into(path, &self.host, self.plan.batch)
    }

    /// Returns what the component at `path` says of itself where its exports say that it is a stage.
    ///
    /// # Errors
    ///
    /// As [`StageDescription::load`].
    pub(super) fn describe_stage(
        &self,
        path: &Path,
        exports: &[String],
    ) -> Result<Option<StageDescription>, PluginError> {
        let plan = PluginPlan { path: path.to_owned(), ..self.plan.clone() };
        StageDescription::load(exports, &plan, &self.host)
    }

    /// Loads the component with calls of at most `batch` sessions.
    ///
    /// # Errors
    ///
    /// As [`WasmScorer::load`].
    pub(super) fn load_with_batch(&self, path: &Path, batch: NonZeroUsize) -> Result<WasmScorer, ScoreError> {
        self.load_into(path, &self.host, batch)
    }

    /// Loads the component into a host of its own with that cache.
    ///
    /// # Errors
    ///
    /// As [`WasmScorer::load`].
    pub(super) fn load_with_cache(&self, path: &Path, cache: &Path) -> Result<WasmScorer, ScoreError> {
        let host = plugin_host::plugin_host_with_cache(None, cache.to_owned())?;
        self.load_into(path, &host, self.plan.batch)
    }

    fn load_into(&self, path: &Path, host: &Arc<PluginHost>, batch: NonZeroUsize) -> Result<WasmScorer, ScoreError> {
        let plan = PluginPlan { path: path.to_owned(), batch, ..self.plan.clone() };
        WasmScorer::load(&name_of(path), &plan, host)
    }

    /// Returns the plan that components are loaded by, without a path.
    pub(super) fn plan(&self) -> &PluginPlan {
        &self.plan
    }
}

/// Returns the file's name without its ending, as the name of a scorer.
fn name_of(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn items(path: &Path, id: &str, fields: Vec<String>) -> ItemsPlan {
    let corpus = CorpusPlan { name: "items".to_owned(), path: path.to_owned(), id: id.to_owned() };
    ItemsPlan { corpus, fields }
}

/// A benchmark's parameters are always an object; here they are text, so that it is checked.
fn check_params(params: &str) -> Result<(), Failure> {
    let found = match serde_json::from_str::<serde_json::Value>(params) {
        Ok(serde_json::Value::Object(_)) => return Ok(()),
        Ok(_) => "is JSON but no object".to_owned(),
        Err(error) => format!("is not JSON: {error}"),
    };
    let error = anyhow!("`--params {params}` {found}; expected an object such as '{{\"half_life\": 10}}'");
    Err(Failure::new(Exit::Usage, error))
}

/// Returns the component that `path` means: the file itself, or what was built of the project in the folder.
///
/// # Errors
///
/// Returns an error when the project is not built.
pub(super) fn component_of(path: &Path) -> Result<PathBuf, Failure> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let component = match Project::read(path) {
        Ok(project) => project.component(),
        Err(_) if !path.join(PROJECT_FILE).exists() => {
            let error = anyhow!(
                "`{}` is a folder without a `{PROJECT_FILE}`, expected a component or a project",
                path.display()
            );
            return Err(Failure::new(Exit::Input, error));
        }
        Err(error) => return Err(error),
    };
    if !component.is_file() {
        let (component, project) = (component.display(), path.display());
        let error = anyhow!("`{component}` is not there; `rematch plugin build {project}` builds it");
        return Err(Failure::new(Exit::Input, error));
    }
    Ok(component)
}

/// Returns whether a component that cannot be loaded is sound, but wants other parameters than it got.
pub(super) fn unusable_because_of_parameters(error: &ScoreError) -> bool {
    matches!(error, ScoreError::Failed { reason, .. } if reason.contains("refused its parameters"))
}
