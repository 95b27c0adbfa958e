//! Finished runs, judged by other settings or against each other.

use std::path::PathBuf;
use std::sync::Arc;

use rematch_engine::benchmark::{Plan, SpecSource};
use rematch_engine::run::rejudge::{self, CompareSettings};
use rematch_engine::sandbox::PluginHost;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::inspect::in_full;
use super::{Failure, Outlet, Task, run};

/// Finished runs to judge anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RejudgeOrder {
    /// Their directories. One is judged by other settings, several are compared.
    pub runs: Vec<PathBuf>,
    /// The retriever that all others are compared with, as `run:retriever`.
    pub baseline: Option<String>,
    /// The benchmark file whose settings judge.
    pub judging: Option<PathBuf>,
    /// Compares runs that differ in sample, depth or relevance.
    pub allow_different: bool,
    /// The run directory of the result.
    pub out: PathBuf,
}

pub(super) fn rejudge(
    task: &Task,
    order: &RejudgeOrder,
    plugins: Arc<PluginHost>,
    outlet: &Outlet,
) -> Result<Value, Failure> {
    let wrong = |error: &dyn std::error::Error| Failure::new("not_comparable", in_full(error));
    let judging = match &order.judging {
        Some(path) => {
            let source = SpecSource::read(path, &[]).map_err(|error| wrong(&error))?;
            Some(Plan::resolve(&source).map_err(|error| wrong(&error))?)
        }
        None => None,
    };
    let (plan, notes) = match order.runs.as_slice() {
        [one] => (rejudge::rescore(one, judging.as_ref()).map_err(|error| wrong(&error))?, Vec::new()),
        several => {
            let settings = CompareSettings {
                baseline: order.baseline.as_deref(),
                judging: judging.as_ref(),
                allow_different: order.allow_different,
            };
            let compared = rejudge::compare(several, settings).map_err(|error| wrong(&error))?;
            (compared.plan, compared.notes)
        }
    };
    let mut outcome = run::drive(task, plan, &order.out, false, plugins, outlet)?;
    if let Value::Object(members) = &mut outcome {
        members.insert("notes".to_owned(), json!(notes));
    }
    Ok(outcome)
}
