//! What do people and programs read? One serialisable model, and one file per format.
//!
//! `model` is the versioned shape of `report.json`; `tables` writes the Parquet artefacts, `html` the page.
//!
//! Not for: new numbers. A report states what the comparison found and where it came from.

mod html;
mod model;
mod tables;

pub use model::{Observed, Report, RunInfo, RunState, SCHEMA_VERSION, json_schema};

use crate::benchmark::Plan;
use crate::benchmark::spec::OutputFormat;
use crate::store::{RunDirectory, StoreError, layout};

/// Writes what a finished run lacks of the plan's formats.
///
/// # Errors
///
/// Returns an error when an artefact cannot be written.
pub fn complete(plan: &Plan, report: &Report, run: &RunDirectory) -> Result<(), StoreError> {
    let lacks = |format, name: &str| plan.formats.contains(&format) && !run.has(name);
    if lacks(OutputFormat::Parquet, layout::TAXONOMY) || lacks(OutputFormat::Html, layout::REPORT_HTML) {
        publish(plan, report, run)?;
    }
    Ok(())
}

/// Writes the report in the plan's formats. `report.json` is always written, and last: its presence says that the run is
/// finished.
///
/// # Errors
///
/// Returns an error when an artefact cannot be written.
pub fn publish(plan: &Plan, report: &Report, run: &RunDirectory) -> Result<(), StoreError> {
    if plan.formats.contains(&OutputFormat::Parquet) {
        tables::write(plan, report, run)?;
    }
    if plan.formats.contains(&OutputFormat::Html) {
        let page = html::render(report).map_err(|error| StoreError::table(&run.path(layout::REPORT_HTML), error))?;
        run.write_bytes(layout::REPORT_HTML, page.as_bytes())?;
    }
    run.write_json(layout::REPORT_JSON, report)
}
