//! `rematch verify`: does somebody else's program agree?

use std::fmt::Write;

use rematch_engine::verify::{Difference, Program, Verification, VerifyError, verify as verified};

use super::{print, print_json};
use crate::arguments::VerifyArguments;
use crate::exit::{Exit, Failure};
use crate::terminal::{table, trimmed, visible};

/// Computes a run's metrics with another program and prints what differs.
pub(crate) fn verify(arguments: &VerifyArguments) -> Result<Exit, Failure> {
    let program = match &arguments.trec_eval {
        Some(path) => Program::TrecEval(path.clone()),
        None => Program::Python(arguments.python.clone()),
    };
    let verification = verified(&arguments.directory, &program).map_err(failure)?;
    if arguments.json {
        print_json(&verification)?;
    } else {
        print(&render(&verification)?)?;
    }
    Ok(if verification.different == 0 { Exit::Done } else { Exit::Internal })
}

fn failure(error: VerifyError) -> Failure {
    let exit = match error {
        VerifyError::Store(error) => return error.into(),
        VerifyError::Unfinished { .. } => Exit::Incomplete,
        VerifyError::OtherConventions { .. }
        | VerifyError::Start { .. }
        | VerifyError::NotInstalled { .. }
        // Whoever names the program answers for it.
        | VerifyError::Failed { .. }
        | VerifyError::Answer { .. } => Exit::Usage,
        VerifyError::Files(_) => Exit::Incomplete,
        _ => Exit::Internal,
    };
    Failure::new(exit, error)
}

fn render(verification: &Verification) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let Verification { program, sessions, compared, tolerance, .. } = verification;
    writeln!(
        text,
        "{}: {compared} values of {sessions} rankings compared, {} differ by more than {tolerance:.1e}",
        visible(program),
        verification.different,
    )?;
    if !verification.differences.is_empty() {
        let mut rows = table(&["retriever", "session", "metric", "rematch", "other"]);
        for Difference { retriever_id, session_id, metric, rematch, other } in &verification.differences {
            let ours = rematch.map_or_else(|| "undefined".to_owned(), |value| value.to_string());
            rows.add_row([visible(retriever_id), visible(session_id), metric.clone(), ours, other.to_string()]);
        }
        writeln!(text, "{}", trimmed(&rows))?;
    }
    let unlisted = verification.different - verification.differences.len() as u64;
    if unlisted > 0 {
        writeln!(text, "and {unlisted} more")?;
    }
    for skipped in &verification.skipped {
        writeln!(text, "not compared: {}, {}", skipped.metric, visible(&skipped.reason))?;
    }
    if verification.fractions > 0 {
        writeln!(text, "not compared: {} values of sessions whose gains are no whole numbers", verification.fractions)?;
    }
    Ok(text)
}
