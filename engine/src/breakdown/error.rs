//! Why a value cannot be explained.

use std::path::PathBuf;

use datafusion::arrow::error::ArrowError;
use rematch_metrics::MetricError;

use crate::store::StoreError;

/// Why a value cannot be explained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BreakdownError {
    /// The run cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The metric has no such name.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// What is asked for is no built-in metric, and does not explain itself.
    #[error(
        "`{measure}`{} is {is}; `explain` takes built-in metrics apart, such as `--metric {example}`",
        if *decides { ", which decides the run," } else { "" }
    )]
    NoMetric {
        /// The measure.
        measure: String,
        /// Whether it is meant because it decides the run.
        decides: bool,
        /// What it is.
        is: String,
        /// A metric of the run.
        example: String,
    },
    /// The run is not finished.
    #[error("run `{path}` is not finished; go on with `rematch resume`", path = path.display())]
    Unfinished {
        /// The run's directory.
        path: PathBuf,
    },
    /// The run's sample holds no session of that id.
    #[error("the run has no session `{session}`{}", nearest(near))]
    Session {
        /// The id asked for.
        session: String,
        /// The ids that are most like it, the nearest first.
        near: Vec<String>,
    },
    /// The run has no retriever of that id.
    #[error("the run has no retriever `{retriever}`, expected one of `{}`", known.join("`, `"))]
    Retriever {
        /// The id asked for.
        retriever: String,
        /// The run's retrievers.
        known: Vec<String>,
    },
    /// The metrics follow a program whose values do not explain themselves.
    #[error(
        "the run follows the conventions of `{program}`, expected `strict` or `trec-eval`, whose values explain themselves"
    )]
    OtherConventions {
        /// Whose they are.
        program: &'static str,
    },
    /// The ranking is not as deep as the metric looks.
    #[error("`{metric}` looks at more ranks than the {kept} that the run kept of each ranking")]
    Depth {
        /// The metric asked for.
        metric: String,
        /// Hits kept.
        kept: usize,
    },
}

fn nearest(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => format!("; the nearest are `{}`", near.join("`, `")),
    }
}

impl BreakdownError {
    pub(super) fn table(path: &std::path::Path, error: ArrowError) -> Self {
        Self::Store(StoreError::table(path, error))
    }
}
