//! A finished run that lends its rankings.

use std::path::{Path, PathBuf};

use super::RejudgeError;
use crate::benchmark::{BorrowedPipeline, BorrowedRun, Plan};
use crate::report::Report;
use crate::store::{Manifest, Opened, RunDirectory, StoreError, layout, sha256_of_bytes};

/// A finished run.
pub(super) struct Lender {
    /// Its directory.
    pub(super) directory: RunDirectory,
    pub(super) manifest: Manifest,
    pub(super) plan: Plan,
    pub(super) report: Report,
}

impl Lender {
    /// Reads the run in `path`.
    pub(super) fn read(path: &Path) -> Result<Self, RejudgeError> {
        let (directory, manifest, opened) = RunDirectory::view(path)?;
        if opened != Opened::Finished || directory.holds(layout::RETRYING)? {
            return Err(RejudgeError::Unfinished { run: path.to_owned() });
        }
        let (mut plan, report): (Plan, Report) =
            (directory.read_json(layout::PLAN)?, directory.read_json(layout::REPORT_JSON)?);
        // A run of an earlier version does not hold it.
        if directory.holds(layout::BENCHMARK)? {
            plan.written = directory.read_json(layout::BENCHMARK)?;
        }
        Ok(Self { directory, manifest, plan, report })
    }

    /// Returns the directory as it was given.
    pub(super) fn path(&self) -> PathBuf {
        self.directory.root().to_owned()
    }

    /// Returns the name of its folder.
    pub(super) fn folder(&self) -> String {
        let whole = std::path::absolute(self.directory.root()).unwrap_or_else(|_| self.path());
        // `..` ends in no name; what it leads to does.
        let name = whole.file_name().map(ToOwned::to_owned);
        let name = name.or_else(|| whole.canonicalize().ok()?.file_name().map(ToOwned::to_owned));
        name.map_or_else(|| self.manifest.run_id.clone(), |name| name.to_string_lossy().into_owned())
    }

    /// Returns what a plan says that borrows from it.
    pub(super) fn lends(&self) -> BorrowedRun {
        BorrowedRun { path: self.path(), run_id: self.manifest.run_id.clone() }
    }

    /// Returns its pipelines as a plan names them in which it is the run number `run`.
    pub(super) fn pipelines(&self, run: usize) -> impl Iterator<Item = BorrowedPipeline> + '_ {
        let hash = |pipeline: usize| {
            self.report.results.get(pipeline).map(|result| result.pipeline_hash.clone()).unwrap_or_default()
        };
        let pipelines = 0..self.plan.pipelines.len();
        pipelines.map(move |pipeline| BorrowedPipeline { run, pipeline, pipeline_hash: hash(pipeline) })
    }
}

/// Returns the hash of the report of the run in `path`, which says when it was replayed: it stands for the content of the
/// run's rankings.
///
/// # Errors
///
/// Returns an error when the run or its report is not there any more.
pub(in crate::run) fn report_hash(path: &Path) -> Result<String, StoreError> {
    let (directory, ..) = RunDirectory::view(path)?;
    Ok(sha256_of_bytes(&directory.read_bytes(layout::REPORT_JSON)?))
}
