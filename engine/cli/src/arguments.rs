//! The command line as written; its doc comments are the help texts.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use rematch_engine::run::{Place, Shard};

use crate::cluster_arguments::{ExecutorArguments, SchedulerArguments};
use crate::explain_arguments::ExplainArguments;
use crate::gate_arguments::GateArguments;
use crate::plan_arguments::PlanArguments;
use crate::plugin_arguments::{CompileComponentArguments, PluginCommand};
use rematch_server::worker::WORKER_COMMAND;

use crate::plugin_host::COMPILE_COMMAND;
use crate::rejudge_arguments::{CompareArguments, RescoreArguments};
use crate::retriever_arguments::{DoctorArguments, ProbeArguments, SearchArguments};
use crate::runs_arguments::RunsCommand;
use crate::server_arguments::{ServeArguments, TokenCommand};

/// Replays the searches that real users made against a baseline retriever and its challengers, and says with honest
/// statistics which one should serve tomorrow.
#[derive(Debug, Parser)]
#[command(
    name = "rematch",
    version,
    max_term_width = 100,
    propagate_version = true,
    after_help = "\
Examples:
  rematch init shop                 write an example with data into shop/
  rematch run shop/bench.toml       run it
  rematch run bench.toml --set sessions.sample.count=200 --json
  rematch plan bench.toml           say what a run would do, asking nobody
  rematch resume runs/shop-3f2a     go on with a run that was interrupted
  rematch inspect run.trec          say what is in a file, and what is dirty
  rematch doctor bench.toml         ask each retriever once; say what to mend"
)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a benchmark and print its verdict
    Run(RunArguments),
    /// Go on with a run that was interrupted
    Resume(ResumeArguments),
    /// Make one run of its shards, and write the report
    Merge(MergeArguments),
    /// Compare the retrievers of finished runs, without replaying
    Compare(CompareArguments),
    /// Judge a finished run by other weights, metrics or scorers, without replaying
    Rescore(RescoreArguments),
    /// Say what each rank brings to a metric's value, in one session of a finished run
    Explain(ExplainArguments),
    /// Judge the gates of a finished run, and say how it ends
    Gate(GateArguments),
    /// List, show and remove runs
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Compute a run's metrics anew with trec_eval or pytrec_eval, and show any difference
    Verify(VerifyArguments),
    /// Say what a run would do, without asking any retriever
    Plan(PlanArguments),
    /// Check a benchmark file, and that its inputs are there, without running it
    Validate(ValidateArguments),
    /// Check this machine, and that each retriever of a benchmark answers
    Doctor(DoctorArguments),
    /// Ask a search endpoint, look at its answer, and print the stage that reads it
    Probe(ProbeArguments),
    /// Send one search through a retriever, and explain it stage by stage
    Search(SearchArguments),
    /// Write a commented example benchmark with data that runs as it is
    Init(InitArguments),
    /// Print the JSON Schema of the benchmark file, or of what commands write and print
    Schema(SchemaArguments),
    /// Turn sessions of any layout into native Parquet
    Import(ImportArguments),
    /// Say what is in a file, and what is dirty
    Inspect(InspectArguments),
    /// Work with scoring components
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Look after the rankings that are kept from run to run
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Serve the HTTP API: runs, retriever benchmarks, scenarios
    Serve(ServeArguments),
    /// Deal the work of runs out to executors
    Scheduler(SchedulerArguments),
    /// Do the work that a scheduler deals out
    Executor(ExecutorArguments),
    /// Make, list and revoke the tokens of the HTTP API
    #[command(subcommand)]
    Token(TokenCommand),
    /// Do one task of the server, under limits
    #[command(name = WORKER_COMMAND, hide = true)]
    Worker,
    /// Compile a component into the cache, under limits
    #[command(name = COMPILE_COMMAND, hide = true)]
    CompileComponent(CompileComponentArguments),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch run bench.toml
  rematch run bench.toml --out runs/today --set sessions.sample.count=200
  rematch run bench.toml --shard 1/3 --out runs/part-1
  rematch run bench.toml --json > report.json")]
pub(crate) struct RunArguments {
    /// The benchmark file: TOML, or YAML by its ending
    pub(crate) benchmark: PathBuf,
    /// The run's own directory [default: a folder under `output.dir`]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Override a value of the benchmark file, such as sessions.sample.count=200
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Do a share of the work only, such as 1/3; `rematch merge` makes one run of all shards
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(crate) shard: Option<Shard>,
    /// Replay in random order, and stop as soon as every candidate is shown to be better or worse: for slow or paid retrievers
    /// (as `--set statistics.stop-when-decided=true`)
    #[arg(long, conflicts_with = "shard")]
    pub(crate) stop_when_decided: bool,
    #[command(flatten)]
    pub(crate) work: WorkArguments,
}

/// What is done with rankings that are kept from run to run.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  rematch cache show
  rematch cache clear
  REMATCH_CACHE_LIMIT=20GB rematch run bench.toml")]
pub(crate) enum CacheCommand {
    /// Show where they lie, and how much there is
    Show(ShowCacheArguments),
    /// Remove them all
    Clear,
}

#[derive(Debug, Args)]
pub(crate) struct ShowCacheArguments {
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a run is worked on; none of it changes a result.
#[derive(Debug, Args)]
pub(crate) struct WorkArguments {
    /// Try the sessions again that failed, in a finished run too; what was there stays until they succeed
    #[arg(long)]
    pub(crate) retry_errors: bool,
    /// Threads to work with [default: one per core]; no result depends on it
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Do the work on the cluster of that scheduler, such as df://host:50050, or `here`, whatever the benchmark says
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) cluster: Option<Place>,
    /// Ask every retriever anew, and keep no answers for later runs
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Memory for sorting and selecting, such as 500MB or 2GiB; beyond it they go to disk
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = bytes)]
    pub(crate) memory_limit: usize,
    /// Print report.json on stdout instead of the summary
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch resume runs/shop-3f2a
  rematch resume runs/shop-3f2a --retry-errors     ask again where it failed
  rematch resume runs/part-1 --shard 1/3")]
pub(crate) struct ResumeArguments {
    /// The run's directory
    #[arg(value_name = "RUN")]
    pub(crate) directory: PathBuf,
    /// Go on with a share of the work only, such as 1/3
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(crate) shard: Option<Shard>,
    #[command(flatten)]
    pub(crate) work: WorkArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch verify runs/shop-3f2a
  rematch verify runs/shop-3f2a --python venv/bin/python
  rematch verify runs/shop-3f2a --trec-eval ./trec_eval --json")]
pub(crate) struct VerifyArguments {
    /// The run's directory
    #[arg(value_name = "RUN")]
    pub(crate) directory: PathBuf,
    /// A Python that has ir_measures, or pytrec_eval alone: values must agree to 1e-9
    #[arg(long, value_name = "PATH", default_value = "python3")]
    pub(crate) python: PathBuf,
    /// A trec_eval to use instead: values must agree to the four digits that it prints
    #[arg(long, value_name = "PATH", conflicts_with = "python")]
    pub(crate) trec_eval: Option<PathBuf>,
    /// Print what was compared as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch run bench.toml --shard 1/2 --out runs/part-1
  rematch run bench.toml --shard 2/2 --out runs/part-2
  rematch merge runs/part-1 runs/part-2 --out runs/whole")]
pub(crate) struct MergeArguments {
    /// The directories of all shards
    #[arg(value_name = "SHARD", required = true)]
    pub(crate) shards: Vec<PathBuf>,
    /// The merged run's own directory [default: the first shard's]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) work: WorkArguments,
}

/// The smallest memory limit: below it not even one batch can be sorted.
const LEAST_MEMORY: usize = 64 << 20;

/// Reads an amount of memory with its unit.
pub(crate) fn bytes(text: &str) -> Result<usize, String> {
    let bytes = size(text)?;
    if bytes < LEAST_MEMORY {
        return Err(format!("{text} is too little, expected at least 64MiB"));
    }
    Ok(bytes)
}

/// Reads a number of bytes with its unit.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let expected = || format!("`{text}`, expected a size such as 500MB or 2GiB");
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "kib" | "k" => 1 << 10,
        "mb" => 1_000_000,
        "mib" | "m" => 1 << 20,
        "gb" => 1_000_000_000,
        "gib" | "g" => 1 << 30,
        _ => return Err(expected()),
    };
    number.parse::<usize>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(expected)
}

/// Reads `i/n`.
fn shard(text: &str) -> Result<Shard, String> {
    let numbers = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    match numbers {
        Some((index, count)) if index <= count => Ok(Shard { index, count }),
        _ => Err(format!("`{text}`, expected I/N with I from 1 to N, such as 1/3")),
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Checked is what can be told before a run: keys and values, files that are there,
columns that corpora, sessions and recordings have, components that load. Files
are not read through, and servers not asked: `rematch doctor` asks them.

Examples:
  rematch validate bench.toml
  rematch validate bench.toml --set corpus.products.path=products-new.parquet
  rematch validate bench.toml --json")]
pub(crate) struct ValidateArguments {
    /// The benchmark file
    pub(crate) benchmark: PathBuf,
    /// Override a value of the benchmark file
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Print the resolved plan as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch init shop && rematch run shop/bench.toml
  rematch init shop --force")]
pub(crate) struct InitArguments {
    /// The folder to write into; it is made where it is missing
    #[arg(default_value = ".")]
    pub(crate) directory: PathBuf,
    /// Overwrite files that are there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch schema > benchmark.schema.json     for an editor that completes TOML
  rematch schema report")]
pub(crate) struct SchemaArguments {
    /// Which schema
    #[arg(value_enum, default_value_t = SchemaName::Benchmark)]
    pub(crate) name: SchemaName,
}

/// A published JSON Schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SchemaName {
    /// The benchmark file
    Benchmark,
    /// report.json
    Report,
    /// What `rematch gate --json` prints
    Gate,
    /// What `rematch plan --json` prints
    Plan,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("input").required(true).args(["files", "ubi_queries", "trec_qrels", "beir"])))]
#[command(after_help = "\
Examples:
  rematch import sessions.jsonl --out sessions.parquet
  rematch import --ubi-queries queries.jsonl --ubi-events events.jsonl -o ubi.parquet
  rematch import --trec-qrels qrels.txt --trec-topics topics.xml -o robust.parquet
  rematch import --beir scifact -o scifact.parquet")]
pub(crate) struct ImportArguments {
    /// Files in the session schema: Parquet, Arrow, JSONL or CSV
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// OpenSearch UBI queries (with --ubi-events)
    #[arg(long, value_name = "FILE", requires = "ubi_events")]
    pub(crate) ubi_queries: Option<String>,
    /// OpenSearch UBI events
    #[arg(long, value_name = "FILE", requires = "ubi_queries")]
    pub(crate) ubi_events: Option<String>,
    /// Keep only this application of a UBI log
    #[arg(long, value_name = "NAME", requires = "ubi_queries")]
    pub(crate) ubi_application: Option<String>,
    /// TREC judgments
    #[arg(long, value_name = "FILE")]
    pub(crate) trec_qrels: Option<String>,
    /// TREC topics
    #[arg(long, value_name = "FILE", requires = "trec_qrels")]
    pub(crate) trec_topics: Option<String>,
    /// A BEIR directory
    #[arg(long, value_name = "DIR")]
    pub(crate) beir: Option<String>,
    /// The Parquet file to write
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Overwrite the file where it is there already
    #[arg(long)]
    pub(crate) force: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch inspect sessions.parquet
  rematch inspect run.trec --json
  rematch inspect sessions.jsonl --corpus products.parquet --id item_id")]
pub(crate) struct InspectArguments {
    /// The file
    pub(crate) file: PathBuf,
    /// Count the items of the file that these documents do not hold (with --id)
    #[arg(long, value_name = "FILE", requires = "id")]
    pub(crate) corpus: Option<PathBuf>,
    /// The column of the documents that holds the item id
    #[arg(long, value_name = "COLUMN", requires = "corpus")]
    pub(crate) id: Option<String>,
    /// Print what was found as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
