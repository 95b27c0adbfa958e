//! What do people and programs read? One serialisable model, and one file per format.
//!
//! `model` is the versioned shape of `report.json`; `tables` writes the Parquet artefacts, `judge_next` the list of what to judge
//! next, `html` the page; `junit` and `markdown` say what gates come to on a day.
//!
//! Not for: new numbers. A report states what the comparison found and where it came from.

mod html;
mod judge_next;
mod junit;
mod markdown;
mod model;
mod tables;

pub use junit::junit;
pub use markdown::markdown;
pub use model::{Observed, Report, RunInfo, RunState, SCHEMA_VERSION, json_schema};
pub use tables::{CopiedTables, PartTables};

use crate::benchmark::Plan;
use crate::benchmark::spec::OutputFormat;
use crate::compare::outcome::GateOutcome;
use crate::store::{RunDirectory, StoreError, layout};

/// Writes what a finished run lacks of the plan's formats.
///
/// # Errors
///
/// Returns an error when an artefact cannot be written.
pub fn complete(plan: &Plan, report: &Report, run: &RunDirectory) -> Result<(), StoreError> {
    let lacks = |format, name: &str| plan.formats.contains(&format) && !run.has(name);
    let lacks_judge_next = lacks(OutputFormat::JudgeNext, layout::JUDGE_NEXT_CSV);
    if lacks(OutputFormat::Parquet, layout::TAXONOMY)
        || lacks(OutputFormat::Html, layout::REPORT_HTML)
        || lacks_judge_next
    {
        let parts = PartTables::begin(plan, report.run.metrics.iter().map(String::as_str), run)?.finish()?;
        publish(plan, report, parts, run)?;
    }
    Ok(())
}

/// Writes the report in the plan's formats, with the tables that were copied of the parts. `report.json` is always written, and
/// last: its presence says that the run is finished.
///
/// # Errors
///
/// Returns an error when an artefact cannot be written.
pub fn publish(plan: &Plan, report: &Report, parts: CopiedTables, run: &RunDirectory) -> Result<(), StoreError> {
    if plan.formats.contains(&OutputFormat::Parquet) {
        tables::write(report, parts, run)?;
    }
    if plan.formats.contains(&OutputFormat::JudgeNext) {
        judge_next::write(plan, report, run)?;
    }
    if plan.formats.contains(&OutputFormat::Html) {
        let page = html::render(report).map_err(|error| StoreError::table(&run.path(layout::REPORT_HTML), error))?;
        run.write_bytes(layout::REPORT_HTML, page.as_bytes())?;
    }
    run.write_json(layout::REPORT_JSON, report)
}

/// The name of a gate: what it looks at, and where.
fn gate_name(outcome: &GateOutcome) -> String {
    match &outcome.node {
        Some(node) => format!("{} at {node}", outcome.metric),
        None => outcome.metric.clone(),
    }
}
