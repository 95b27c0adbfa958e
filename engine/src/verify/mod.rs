//! Does somebody else's program agree? A finished run's metrics, computed anew by an installed trec_eval or pytrec_eval and
//! ir_measures from the run's own rankings and judgments.
//!
//! Not for other conventions: a run whose numbers follow ranx's or Quepid's is verified by those programs.

mod batch;
mod difference;
mod files;
mod gains;
mod measure;
mod program;

pub use difference::{Difference, Skipped, Verification};
pub use program::Program;

use std::path::{Path, PathBuf};

use batch::Reader;
use measure::Question;
use rematch_metrics::Metric;

use crate::benchmark::Plan;
use crate::benchmark::spec::Compatibility;
use crate::store::{Opened, RunDirectory, StoreError, layout};

/// Why a run cannot be verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The run cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run is not finished.
    #[error("run `{path}` is not finished; go on with `rematch resume`", path = path.display())]
    Unfinished {
        /// The run's directory.
        path: PathBuf,
    },
    /// The run's numbers are not meant to be those of trec_eval.
    #[error(
        "the run follows the conventions of `{program}`, which trec_eval and ir_measures do not; expected `strict` or `trec-eval`"
    )]
    OtherConventions {
        /// Whose they are.
        program: &'static str,
    },
    /// The program cannot be started.
    #[error("cannot start `{program}`; {advice}", program = program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What to do about it.
        advice: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Python lacks what is needed.
    #[error(
        "`{python}` has no module `pytrec_eval`; install it with `{python} -m pip install ir_measures cwl-eval`, name \
         another Python with `--python`, or a trec_eval with `--trec-eval`",
        python = python.display()
    )]
    NotInstalled {
        /// The Python that was asked.
        python: PathBuf,
    },
    /// The program fails.
    #[error("`{program}` failed: {said}", program = program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// Its last words.
        said: String,
    },
    /// The program's answer cannot be read.
    #[error("`{program}` said {said}, expected a metric, a session and a number", program = program.display())]
    Answer {
        /// The program.
        program: PathBuf,
        /// The line in backticks, or that there is none.
        said: String,
    },
    /// A file for the program cannot be written or read.
    #[error("cannot write the files for the other program")]
    Files(#[from] std::io::Error),
}

/// Computes the metrics of a finished run anew with another program, and compares every value of every session and
/// retriever. Files for the program are written to a temporary folder; some ten thousand sessions at a time are held.
///
/// # Errors
///
/// Returns an error when the run cannot be read or is not finished, follows another program's conventions, or the program
/// cannot be started, fails, or has nothing to say of a metric that it was asked for.
pub fn verify(run: &Path, program: &Program) -> Result<Verification, VerifyError> {
    let (run, _, opened) = RunDirectory::view(run)?;
    if opened != Opened::Finished {
        return Err(VerifyError::Unfinished { path: run.root().to_owned() });
    }
    let plan: Plan = run.read_json(layout::PLAN)?;
    if !matches!(plan.relevance.compatibility, Compatibility::Strict | Compatibility::TrecEval) {
        let preset = rematch_metrics::preset::Preset::from(plan.relevance.compatibility);
        return Err(VerifyError::OtherConventions { program: preset.program() });
    }
    let question = Question::of(&plan.metrics, plan.relevance.gain, program);
    let mut verification = Verification::new(program, &question);
    let mut reader = Reader::open(&run, &plan)?;
    let folder = tempfile::Builder::new().prefix("rematch-verify-").tempdir()?;
    while let Some(batch) = reader.next(folder.path(), &question)? {
        let answers = program.ask(folder.path(), &question, &mut verification)?;
        if let Some(job) = difference::unanswered(&batch, &answers, &question, &verification) {
            return Err(program.silent(job));
        }
        difference::compare(&batch, &answers, &plan.metrics, &question, &mut verification);
    }
    Ok(verification)
}

/// Returns whether a metric counts items, so that it is not zero where a program has nothing to look at.
fn counts_items(metric: &Metric) -> bool {
    matches!(metric, Metric::Returned { .. } | Metric::Relevant { .. } | Metric::Judged { .. })
}
