//! A finished run of the same benchmark, to reckon from.

use std::path::{Path, PathBuf};

use super::{EarlierRun, ForecastError};
use crate::benchmark::{PipelinePlan, Plan};
use crate::compare::outcome::BenchmarkResult;
use crate::report::Report;
use crate::storage::Location;
use crate::store::{FoundState, Manifest, Opened, RunDirectory, find_runs, layout};

/// What is known of an earlier run.
#[derive(Debug, Clone)]
pub struct Earlier {
    directory: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) report: Report,
    /// Bytes of its directory; 0 where they are not known.
    pub(super) bytes: u64,
}

impl Earlier {
    /// Reads the finished run in `directory`.
    ///
    /// # Errors
    ///
    /// Returns an error when there is none, or it is not finished or cannot be read.
    pub fn read(directory: &Path) -> Result<Self, ForecastError> {
        let (run, manifest, opened) = RunDirectory::view(directory)?;
        if opened != Opened::Finished {
            return Err(ForecastError::Unfinished { path: directory.to_owned() });
        }
        let report = run.read_json(layout::REPORT_JSON)?;
        // Where its files cannot be listed, the disk that it takes is reckoned otherwise.
        let found = Location::of(directory).ok().and_then(|location| find_runs(&location).ok()).unwrap_or_default();
        let bytes = found.first().map_or(0, |run| run.bytes);
        Ok(Self { directory: directory.to_owned(), manifest, report, bytes })
    }

    /// Returns the newest finished run of the plan's name in its output directory, if there is one that can be read.
    pub(super) fn newest(plan: &Plan) -> Option<Self> {
        let folder = Location::of(&plan.output_dir).ok()?;
        let mut runs = find_runs(&folder).ok()?;
        runs.retain(|run| run.state == FoundState::Finished);
        runs.sort_by_key(|run| std::cmp::Reverse(run.modified));
        runs.into_iter().find_map(|run| {
            let manifest = run.manifest.filter(|manifest| manifest.name == plan.name)?;
            let directory = run.location.to_path();
            let (opened, ..) = RunDirectory::view(&directory).ok()?;
            let report = opened.read_json(layout::REPORT_JSON).ok()?;
            Some(Self { directory, manifest, report, bytes: run.bytes })
        })
    }

    /// Returns the sessions that it replayed: fewer than it sampled where it stopped when it was decided.
    pub(super) fn replayed(&self) -> u64 {
        let stopping = self.report.comparison.stopping.as_ref();
        stopping.map_or(self.report.run.selection.sampled, |stopping| stopping.sessions_replayed)
    }

    pub(super) fn named(&self) -> EarlierRun {
        EarlierRun {
            directory: self.directory.clone(),
            run_id: self.report.run.id.clone(),
            completed_at: self.report.observed.completed_at.clone(),
            sampled: self.report.run.selection.sampled,
        }
    }

    /// Returns what the retriever did, and whether it had the same stages.
    pub(super) fn result(&self, pipeline: &PipelinePlan, plan: &Plan) -> Option<(&BenchmarkResult, bool)> {
        let result = self.report.results.iter().find(|result| result.retriever_id == pipeline.id)?;
        // Compared as manifests hold them: without the folders of files.
        let now = Manifest::of(plan, Vec::new()).ok();
        let stages = |manifest: &Manifest| {
            let pipelines = manifest.plan.get("pipelines")?.as_array()?.clone();
            let mut same =
                pipelines.into_iter().filter(|one| one.get("id").and_then(|id| id.as_str()) == Some(&pipeline.id));
            same.next()?.get("stages").cloned()
        };
        let same = now.as_ref().and_then(stages).zip(stages(&self.manifest)).is_some_and(|(now, then)| now == then);
        Some((result, same))
    }
}
