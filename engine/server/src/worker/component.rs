//! A component that somebody brought: what stands in it, whether it compiles within its limits, and what it says of itself.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rematch_engine::benchmark::spec::Wasi;
use rematch_engine::benchmark::{CorpusPlan, ItemsPlan, PluginPlan};
use rematch_engine::replay::plugin::StageDescription;
use rematch_engine::sandbox::{Kind, PluginHost, Provision, inspect};
use rematch_engine::score::samples;
use rematch_engine::score::wasm::WasmScorer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Failure;
use super::inspect::in_full;

/// A component to look at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ComponentOrder {
    /// Where it lies.
    pub path: PathBuf,
}

pub(super) fn describe(order: &ComponentOrder, plugins: &Arc<PluginHost>) -> Result<Value, Failure> {
    let refused = |reason: String| Failure::new("unusable_component", reason.replace(&folder_of(&order.path), ""));
    let bytes = std::fs::read(&order.path).map_err(|error| Failure::new("internal", error))?;
    let inspection = inspect(&bytes).map_err(|error| refused(in_full(&error)))?;
    if inspection.kind == Kind::CoreModule {
        let reason = "it is a core module, expected a component; `rematch plugin pack` makes one of it";
        return Err(refused(reason.to_owned()));
    }
    let documents = made_up_documents().map_err(|error| Failure::new("internal", error))?;
    let corpus =
        CorpusPlan { name: "items".to_owned(), path: documents.path().to_owned(), id: samples::ITEM_ID.to_owned() };
    let wasi = inspection.imports.iter().any(|import| import.provision == Provision::InertWasi);
    let plan = PluginPlan {
        wasi: if wasi { Wasi::Inert } else { Wasi::Refuse },
        items: Some(ItemsPlan { corpus, fields: samples::ITEM_FIELDS.map(str::to_owned).to_vec() }),
        ..PluginPlan::of(order.path.clone())
    };
    let stage = StageDescription::load(&inspection.exports, &plan, plugins);
    let description = match stage.map_err(|error| refused(in_full(&error)))? {
        Some(stage) => json!(stage),
        None => match WasmScorer::load("component", &plan, plugins) {
            Ok(scorer) => {
                let mut description = json!(scorer.description());
                if let Value::Object(members) = &mut description {
                    members.insert("world".to_owned(), Value::from("scorer"));
                }
                description
            }
            // It is sound and wants other parameters, which a benchmark gives it.
            Err(error) if in_full(&error).contains("refused its parameters") => Value::Null,
            Err(error) => return Err(refused(in_full(&error))),
        },
    };
    Ok(json!({ "inspection": inspection, "description": description }))
}

fn folder_of(path: &Path) -> String {
    path.parent().map(|folder| format!("{}/", folder.display())).unwrap_or_default()
}

fn made_up_documents() -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().suffix(".jsonl").tempfile()?;
    let fields = samples::ITEM_FIELDS.map(str::to_owned);
    file.write_all(samples::document_lines(&fields).as_bytes())?;
    file.flush()?;
    Ok(file)
}
