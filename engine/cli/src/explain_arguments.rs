//! The command line of `rematch explain`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Reads the run's own rankings and judgments; nothing is asked and nothing is
replayed. Any metric can be explained, whether the run has it or not. A rank's
contribution is its gain times its discount over what the metric divides by;
`ideal` is what the best order of the judged items would bring there.

Examples:
  rematch explain runs/shop-3f2a --session s0042
  rematch explain runs/shop-3f2a --session s0042 --metric \"AP(rel=2)\" --retriever boosted
  rematch explain runs/shop-3f2a --session s0042 --json")]
pub(crate) struct ExplainArguments {
    /// The directory of a finished run
    #[arg(value_name = "RUN")]
    pub(crate) directory: PathBuf,
    /// The session whose values are explained
    #[arg(long = "session", value_name = "ID")]
    pub(crate) session: String,
    /// The metric, such as nDCG@10 or RBP(p=0.8) [default: the run's primary metric]
    #[arg(long, value_name = "METRIC")]
    pub(crate) metric: Option<String>,
    /// A retriever to show beside the baseline; may be given several times [default: all]
    #[arg(long = "retriever", value_name = "ID")]
    pub(crate) retrievers: Vec<String>,
    /// Print every rank as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
