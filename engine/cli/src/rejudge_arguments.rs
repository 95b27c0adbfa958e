//! The command lines of `rematch compare` and `rematch rescore`.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::WorkArguments;

#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is replayed: the rankings of the runs are judged together, over the
sessions that all of them have, by the first run's settings or by those of a
benchmark file. The result is a run of its own. A retriever with the same
pipeline in several runs appears once, unless it asks a server; an id that
several runs have becomes FOLDER:ID.

Examples:
  rematch compare runs/shop-3f2a runs/shop-77c0
  rematch compare runs/monday runs/friday --baseline monday:prod --out runs/week
  rematch compare runs/a runs/b --benchmark bench.toml --allow-different")]
pub(crate) struct CompareArguments {
    /// The directories of finished runs, two or more
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    pub(crate) runs: Vec<PathBuf>,
    /// The retriever that all others are compared with; RUN is a folder's name, a path as given, or
    /// a run's id [default: the first run's baseline]
    #[arg(long, value_name = "RUN:RETRIEVER")]
    pub(crate) baseline: Option<String>,
    /// Judge by this benchmark file: its relevance, exposure, metrics, lists, statistics, scorers,
    /// gates and depth; its retrievers and sessions are ignored [default: the first run's settings]
    #[arg(long, value_name = "FILE")]
    pub(crate) benchmark: Option<PathBuf>,
    /// Override a value of the benchmark file, such as relevance.weights.click=2
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "benchmark")]
    pub(crate) overrides: Vec<String>,
    /// Compare runs that differ in sample, depth or relevance: by the sessions that all have, the
    /// smallest depth, and the first run's relevance; the report names every difference
    #[arg(long)]
    pub(crate) allow_different: bool,
    /// The comparison's own directory [default: a folder under the first run's `output.dir`]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) work: WorkArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is replayed: the run's rankings are judged anew, and the result is a
run of its own. What the run was made from need not be there any more: a run
keeps its benchmark, of which --set sets values anew.

Examples:
  rematch rescore runs/shop-3f2a --set relevance.weights.click=2
  rematch rescore runs/shop-3f2a --benchmark bench.toml
  rematch rescore runs/shop-3f2a --benchmark bench.toml --set metrics.primary=AP --json")]
pub(crate) struct RescoreArguments {
    /// The directory of a finished run
    #[arg(value_name = "RUN")]
    pub(crate) directory: PathBuf,
    /// Judge by this benchmark file: its relevance, exposure, metrics, lists, statistics, scorers,
    /// gates and depth; its retrievers and sessions are ignored [default: the run's own settings]
    #[arg(long, value_name = "FILE")]
    pub(crate) benchmark: Option<PathBuf>,
    /// Override a value of the benchmark file, or else of the run's own benchmark, such as
    /// relevance.weights.click=2
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// The new run's own directory [default: a folder under the run's `output.dir`]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) work: WorkArguments,
}
