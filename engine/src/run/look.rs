//! Could a run read what its plan names? Told before it begins, by what the readers of a run say of headers and first rows.

use super::RunError;
use crate::benchmark::Plan;
use crate::compare;
use crate::load::SessionReader;
use crate::replay::{Pipeline, Workspace};
use crate::select::SelectError;

/// Looks at the inputs of a plan in the order in which a run reads them: sessions, the data of retrievers, the catalogue of the
/// comparison. Nothing is read through: a misspelt column is found, and a file of another format, not what is wrong with a row in
/// the middle. Components are not loaded and servers not asked.
///
/// # Errors
///
/// Returns an error that [`super::run()`] returns too.
pub fn look(plan: &Plan) -> Result<(), RunError> {
    SessionReader::look(&plan.sessions, plan.session_format).map_err(SelectError::from)?;
    Pipeline::look(&plan.pipelines, &Workspace::default())?;
    Ok(compare::look(plan)?)
}
