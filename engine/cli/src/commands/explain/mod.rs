//! `rematch explain`: what does each rank bring to a metric's value?

mod text;

use rematch_engine::breakdown::{Asked, BreakdownError, breakdown};

use super::{print, print_json};
use crate::exit::{Exit, Failure};
use crate::explain_arguments::ExplainArguments;

/// Takes a metric's value in one session of a run apart.
pub(crate) fn explain(arguments: &ExplainArguments) -> Result<Exit, Failure> {
    let asked = Asked {
        session_id: arguments.session.clone(),
        metric: arguments.metric.clone(),
        retrievers: arguments.retrievers.clone(),
    };
    let found = breakdown(&arguments.directory, &asked).map_err(failure)?;
    if arguments.json {
        print_json(&found)?;
    } else {
        print(&text::render(&found))?;
    }
    Ok(Exit::Done)
}

fn failure(error: BreakdownError) -> Failure {
    let exit = match error {
        BreakdownError::Store(error) => return error.into(),
        BreakdownError::Unfinished { .. } => Exit::Incomplete,
        BreakdownError::Session { .. } => Exit::NothingSelected,
        _ => Exit::Usage,
    };
    Failure::new(exit, error)
}
