//! The command line of `rematch plan`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use crate::arguments::bytes;

#[derive(Debug, Args)]
#[command(after_help = "\
No retriever is asked, and nothing is written where runs lie. Sessions are
counted; time, disk and effect are reckoned from the benchmark's limits and
from an earlier run of it, where there is one.

Examples:
  rematch plan bench.toml
  rematch plan bench.toml --set sessions.sample.count=5000 --power 0.9
  rematch plan bench.toml --from runs/shop-3f2a --json")]
pub(crate) struct PlanArguments {
    /// The benchmark file: TOML, or YAML by its ending
    pub(crate) benchmark: PathBuf,
    /// Override a value of the benchmark file, such as sessions.sample.count=200
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// The power at which the smallest detectable effect is stated, above 0 and below 1 [default:
    /// `statistics.power`, else 0.8]
    #[arg(long, value_name = "SHARE", value_parser = power)]
    pub(crate) power: Option<f64>,
    /// The finished run to reckon from [default: the newest of the same name under `output.dir`]
    #[arg(long, value_name = "RUN")]
    pub(crate) from: Option<PathBuf>,
    /// Threads that the run would work with [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Memory for counting, such as 500MB or 2GiB; beyond it goes to disk
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = bytes)]
    pub(crate) memory_limit: usize,
    /// Print the forecast as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Reads a power.
fn power(text: &str) -> Result<f64, String> {
    let power = text.parse().ok().filter(|power| *power > 0.0 && *power < 1.0);
    power.ok_or_else(|| format!("`{text}`, expected a share above 0 and below 1, such as 0.8"))
}
