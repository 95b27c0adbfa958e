//! One run, judged by other settings.

use std::path::Path;

use super::lender::Lender;
use super::{RejudgeError, judge_by, too_deep};
use crate::benchmark::{BorrowedPlan, Plan, Written};

/// Returns the benchmark of the finished run in `run` as it was written; `None` for a run of an earlier version, which does not keep
/// it.
///
/// # Errors
///
/// Returns an error when the run is not finished or cannot be read.
pub fn written(run: &Path) -> Result<Option<Written>, RejudgeError> {
    Ok(Lender::read(run)?.plan.written)
}

/// Returns the plan of a run that judges the rankings of the finished run in `run` anew: by the settings of `judging`, or by
/// its own where that is `None`.
///
/// Of `judging` counts what judges: relevance, exposure, metrics, lists, statistics, scorers and gates, and the depth where it is
/// smaller. Retrievers, sessions, seed and name are those of the run, and so is whether it stopped early.
///
/// # Errors
///
/// Returns an error when the run is not finished or cannot be read, and when more hits are asked for than it has.
pub fn rescore(run: &Path, judging: Option<&Plan>) -> Result<Plan, RejudgeError> {
    let lender = Lender::read(run)?;
    let mut plan = lender.plan.clone();
    if let Some(judging) = judging {
        if judging.depth > plan.depth {
            let (asked, kept) = (judging.depth.get(), plan.depth.get());
            return Err(RejudgeError::Depth { run: run.to_owned(), asked, kept });
        }
        judge_by(&mut plan, judging);
        plan.depth = judging.depth;
    }
    if let Some(what) = too_deep(&plan, plan.depth) {
        return Err(RejudgeError::Cutoff { what, kept: plan.depth.get() });
    }
    // A run that borrows itself may have been made in spite of differences.
    let differences = plan.borrowed.take().map(|borrowed| borrowed.differences).unwrap_or_default();
    plan.borrowed =
        Some(BorrowedPlan { runs: vec![lender.lends()], pipelines: lender.pipelines(0).collect(), differences });
    Ok(plan)
}
