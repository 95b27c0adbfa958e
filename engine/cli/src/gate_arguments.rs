//! The command line of `rematch gate`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::civil::Date;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Exit codes: 0 every gate holds, warns or is acknowledged; 10 a gate failed; 11
one that must be told cannot be; 5 a retriever failed on every session.

Examples:
  rematch gate runs/shop-3f2a                          by the run's own gates
  rematch gate runs/shop-3f2a --benchmark bench.toml   by those of the file
  rematch gate runs/shop-3f2a --junit gates.xml --markdown gates.md
  rematch gate init --from runs/shop-3f2a >> bench.toml"
)]
pub(crate) struct GateArguments {
    #[command(subcommand)]
    pub(crate) command: Option<GateCommand>,
    /// The run's directory
    #[arg(value_name = "RUN", required = true)]
    pub(crate) directory: Option<PathBuf>,
    /// Judge by the gates of this benchmark file [default: the run's own]
    #[arg(long, value_name = "FILE")]
    pub(crate) benchmark: Option<PathBuf>,
    /// Override a value of the benchmark file
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "benchmark")]
    pub(crate) overrides: Vec<String>,
    /// Failures that are accepted for a while [default: `acknowledgements.toml` beside the benchmark
    /// file, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) acknowledgements: Option<PathBuf>,
    /// The day that acknowledgements are held against, such as 2026-12-31 [default: today, UTC]
    #[arg(long, value_name = "DAY")]
    pub(crate) date: Option<Date>,
    /// Print the judgement as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the gates as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write the gates as Markdown
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}

/// What else is done with gates.
#[derive(Debug, Subcommand)]
pub(crate) enum GateCommand {
    /// Propose gates that a run passes and that noise does not fail
    Init(InitGateArguments),
}

#[derive(Debug, Args)]
pub(crate) struct InitGateArguments {
    /// The run's directory
    #[arg(long, value_name = "RUN")]
    pub(crate) from: PathBuf,
}
