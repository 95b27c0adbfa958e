//! The command line of `rematch runs`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Where runs lie if nobody says otherwise.
pub(crate) const DEFAULT_FOLDER: &str = "runs";

/// What is done with runs.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  rematch runs list
  rematch runs show runs/shop-3f2a
  rematch runs rm runs/shop-3f2a
  rematch runs gc --keep 3 --dry-run")]
pub(crate) enum RunsCommand {
    /// List the runs of a folder, the newest first
    List(ListArguments),
    /// Show a run: what it is, how far it is, and its verdict
    Show(ShowArguments),
    /// Remove runs with everything in them
    Rm(RemoveArguments),
    /// Remove the runs of a folder that nobody needs any more
    Gc(CollectArguments),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch runs list
  rematch runs list s3://bucket/runs --json")]
pub(crate) struct ListArguments {
    /// The folder of the runs
    #[arg(value_name = "DIR", default_value = DEFAULT_FOLDER)]
    pub(crate) folder: PathBuf,
    /// Print the list as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch runs show runs/shop-3f2a
  rematch runs show runs/shop-3f2a --json")]
pub(crate) struct ShowArguments {
    /// The run's directory
    #[arg(value_name = "RUN")]
    pub(crate) directory: PathBuf,
    /// Print what is known of it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch runs rm runs/shop-3f2a runs/shop-91c0")]
pub(crate) struct RemoveArguments {
    /// The runs' directories
    #[arg(value_name = "RUN", required = true)]
    pub(crate) directories: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["older_than", "keep", "unfinished"])))]
#[command(after_help = "\
Examples:
  rematch runs gc --older-than 30d --dry-run
  rematch runs gc --keep 3
  rematch runs gc --unfinished --older-than 12h")]
pub(crate) struct CollectArguments {
    /// The folder of the runs
    #[arg(value_name = "DIR", default_value = DEFAULT_FOLDER)]
    pub(crate) folder: PathBuf,
    /// Runs that nothing was written to for so long, such as 30d, 12h or 15m
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) older_than: Option<std::time::Duration>,
    /// Keep that many runs of each benchmark, the newest
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<usize>,
    /// Only runs that are not finished
    #[arg(long)]
    pub(crate) unfinished: bool,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print what was removed as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Reads an age.
pub(crate) fn age(text: &str) -> Result<std::time::Duration, String> {
    let expected = || format!("`{text}`, expected an age such as 30d, 12h or 15m");
    let unit = text.chars().next_back().ok_or_else(expected)?;
    let seconds: u64 = match unit {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return Err(expected()),
    };
    let number = text.strip_suffix(unit).and_then(|number| number.parse::<u64>().ok());
    let seconds = number.and_then(|number| number.checked_mul(seconds)).ok_or_else(expected)?;
    Ok(std::time::Duration::from_secs(seconds))
}
