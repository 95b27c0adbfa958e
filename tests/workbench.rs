//! A folder with a benchmark file and its inputs, and the run that comes of them, read back.

use std::path::{Path, PathBuf};

use datafusion::arrow::array::RecordBatch;
use rematch_engine::rows::{rankings_from_batch, scores_from_batch, sessions_from_batch};
use rematch_engine::session::{Ranking, ScoreRow, Session};
use rematch_engine::store::TableReader;
use serde_json::Value;
use tempfile::TempDir;

use crate::rematch::{Outcome, rematch};

/// A folder of its own for one benchmark; removed when dropped.
pub(crate) struct Workbench {
    folder: TempDir,
}

impl Workbench {
    /// Makes an empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Makes a folder with the benchmark file `bench.toml`.
    pub(crate) fn new(benchmark: &str) -> Self {
        let bench = Self::empty();
        bench.write("bench.toml", benchmark);
        bench
    }

    /// Returns the path of a file of the folder.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder, making folders on the way, and returns its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, content).expect("written");
        path
    }

    /// Runs `bench.toml` into the folder `out`.
    pub(crate) fn run(&self) -> Outcome {
        self.run_with(&[])
    }

    /// Runs `bench.toml` into the folder `out` with further arguments.
    pub(crate) fn run_with(&self, arguments: &[&str]) -> Outcome {
        self.run_into("out", arguments)
    }

    /// Runs `bench.toml` into the folder `name` with further arguments.
    pub(crate) fn run_into(&self, name: &str, arguments: &[&str]) -> Outcome {
        let mut all = vec!["run".into(), self.path("bench.toml"), "--out".into(), self.path(name)];
        all.extend(arguments.iter().map(PathBuf::from));
        rematch(all)
    }

    /// Runs `bench.toml` into `out`, expects success, and returns the report.
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        self.run_with(&["--quiet"]).exits(0);
        self.read_report()
    }

    /// Reads `out/report.json`.
    #[track_caller]
    pub(crate) fn read_report(&self) -> Value {
        json(&self.path("out/report.json"))
    }

    /// Reads the run's sample.
    pub(crate) fn sessions(&self) -> Vec<Session> {
        sessions(&self.path("out/sessions.parquet"))
    }

    /// Returns the ids of the run's sample.
    pub(crate) fn sampled(&self) -> Vec<String> {
        self.sessions().into_iter().map(|session| session.session_id).collect()
    }

    /// Reads the run's scores; metrics stand in the order of `metrics`.
    pub(crate) fn scores(&self, metrics: &[String]) -> Vec<ScoreRow> {
        let read = |batch: &RecordBatch| scores_from_batch(batch, metrics).expect("scores");
        batches(&self.path("out/scenario_scores.parquet")).iter().flat_map(read).collect()
    }
}

/// Reads a JSON file.
#[track_caller]
pub(crate) fn json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("JSON")
}

/// Reads the rankings of a run directory.
pub(crate) fn rankings_in(run: &Path) -> Vec<Ranking> {
    let read = |batch: &RecordBatch| rankings_from_batch(batch).expect("rankings");
    batches(&run.join("rankings.parquet")).iter().flat_map(read).collect()
}

/// Reads a Parquet file of sessions.
pub(crate) fn sessions(path: &Path) -> Vec<Session> {
    batches(path).iter().flat_map(|batch| sessions_from_batch(batch).expect("sessions")).collect()
}

fn batches(path: &Path) -> Vec<RecordBatch> {
    let table = TableReader::open(path).expect("a Parquet table");
    (0..table.groups()).map(|group| table.group(group).expect("a row group")).collect()
}

/// Returns the names of the run's metrics.
pub(crate) fn metrics(report: &Value) -> Vec<String> {
    report["run"]["metrics"].as_array().expect("metrics").iter().map(|name| text(name).to_owned()).collect()
}

/// Returns the result of a retriever.
#[track_caller]
pub(crate) fn result<'a>(report: &'a Value, retriever: &str) -> &'a Value {
    let mut results = report["results"].as_array().expect("results").iter();
    results.find(|result| result["retriever_id"] == retriever).unwrap_or_else(|| panic!("no result of {retriever}"))
}

/// Returns a retriever's mean of a metric.
#[track_caller]
pub(crate) fn mean(report: &Value, retriever: &str, metric: &str) -> f64 {
    let summary = &result(report, retriever)["scores"][metric];
    summary["mean"].as_f64().unwrap_or_else(|| panic!("no mean of {metric} of {retriever}: {summary}"))
}

/// Returns a JSON text.
#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// Returns a JSON count.
#[track_caller]
pub(crate) fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}
