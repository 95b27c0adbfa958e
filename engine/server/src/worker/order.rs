//! What the server and its workers say to each other.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::settings::WorkerLimits;

/// All that a worker is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// What to do.
    pub order: Order,
    /// The organisation's folder: nothing outside of it is read or written.
    pub root: PathBuf,
    /// Private hosts that retrievers may ask.
    pub outbound_allow: Vec<String>,
    /// What the kernel holds it to.
    pub limits: Limits,
}

/// One thing to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Runs a benchmark, or goes on with it. Its outcome is `{"run_id", "state"}`; the artefacts lie in the run directory.
    Run(RunOrder),
}

/// A benchmark to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunOrder {
    /// The benchmark file, TOML or, named `.yaml`, YAML or JSON; relative paths in it begin at its folder.
    pub benchmark: PathBuf,
    /// `key.path=value` each.
    pub overrides: Vec<String>,
    /// The run directory.
    pub out: PathBuf,
    /// Tries failed sessions again.
    pub retry_errors: bool,
}

/// Limits of a worker.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Limits {
    /// Memory that it may write to, bytes.
    pub memory_bytes: u64,
    /// Processor time, seconds.
    pub cpu_seconds: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Open files.
    pub open_files: u64,
}

impl Limits {
    /// Returns the limits of something that may take that long.
    #[must_use]
    pub fn of(limits: &WorkerLimits, time: Duration) -> Self {
        Self {
            memory_bytes: limits.memory_bytes,
            cpu_seconds: limits.job_cpu.min(time.saturating_mul(8)).as_secs().max(1),
            file_bytes: limits.file_bytes,
            open_files: limits.open_files,
        }
    }
}

/// One line of a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The run entered a state.
    Phase(String),
    /// The sample is drawn.
    Sampled {
        /// Sessions that were loaded.
        loaded: u64,
        /// Sessions that will be replayed.
        sampled: u64,
    },
    /// A retriever is so far.
    Progress {
        /// Which one.
        retriever_id: String,
        /// Sessions done.
        done: u64,
        /// Of how many.
        total: u64,
        /// Failures among them.
        failed: u64,
    },
    /// The order is done.
    Done(Value),
    /// The order cannot be done.
    Failed {
        /// A stable identifier of the kind of failure.
        code: String,
        /// What is wrong.
        message: String,
    },
}

impl Message {
    /// Returns it as it stands in a job's journal.
    #[must_use]
    pub fn as_event(&self) -> Value {
        match self {
            Self::Phase(phase) => json!({ "type": "phase", "phase": phase }),
            Self::Sampled { loaded, sampled } => json!({ "type": "sampled", "loaded": loaded, "sampled": sampled }),
            Self::Progress { retriever_id, done, total, failed } => {
                json!({ "type": "progress", "retriever_id": retriever_id, "done": done, "total": total, "failed": failed })
            }
            Self::Done(_) => json!({ "type": "done" }),
            Self::Failed { code, message } => json!({ "type": "failed", "code": code, "message": message }),
        }
    }
}
