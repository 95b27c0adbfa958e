//! The command line of `rematch plugin`; its doc comments are the help texts.

use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use rematch_engine::benchmark::spec::Wasi;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  rematch plugin new --lang rust my-scorer     a project that builds as it is
  rematch plugin build my-scorer               my-scorer/my-scorer.wasm
  rematch plugin test my-scorer                its contract, and what it costs
  rematch plugin inspect my-scorer.wasm        what it imports and may use")]
pub(crate) enum PluginCommand {
    /// Write a new project that builds as it is
    New(NewArguments),
    /// Build a project into a component
    Build(BuildArguments),
    /// Install the toolchains that `build` needs into the user's cache
    Setup(SetupArguments),
    /// Put a component to the test: contract, determinism, samples, cost
    Test(TestArguments),
    /// Say what a component is, imports and may use
    Inspect(PluginInspectArguments),
    /// Time a component against a native metric
    Bench(BenchArguments),
    /// Fetch a component from a registry and print the lines that pin it
    Add(AddArguments),
    /// Put a component into a registry
    Publish(PublishArguments),
    /// Pack a core WebAssembly module into a component
    Pack(PackArguments),
}

/// A language that plugins are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Language {
    Rust,
    Python,
    Js,
    C,
}

impl Language {
    /// Returns the name by which the command line and `rematch-plugin.toml` know it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Js => "js",
            Self::C => "c",
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch plugin new --lang rust revenue
  rematch plugin new --lang python snippet-judge --dir plugins/snippet-judge")]
pub(crate) struct NewArguments {
    /// The plugin's name: lower-case letters, digits and single hyphens
    pub(crate) name: String,
    /// The language to write it in
    #[arg(long = "lang", value_enum, value_name = "LANG")]
    pub(crate) language: Language,
    /// The folder to write into [default: NAME]
    #[arg(long = "dir", value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch plugin build                         the project in this folder
  rematch plugin build revenue -o revenue.wasm --verbose")]
pub(crate) struct BuildArguments {
    /// The project: a folder with a `rematch-plugin.toml`
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// The component to write [default: NAME.wasm in the project]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Say which toolchain is used, and how it is called
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Nothing outside the folder is changed, and root is not needed. Without --dir
it is $REMATCH_TOOLCHAINS, or `rematch/toolchains` in the user's cache.

Examples:
  rematch plugin setup c
  rematch plugin setup python js --dir /opt/toolchains")]
pub(crate) struct SetupArguments {
    /// The languages of the plugins to build
    #[arg(value_enum, required = true, value_name = "LANG")]
    pub(crate) languages: Vec<Language>,
    /// The folder of all toolchains
    #[arg(long = "dir", value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

/// How a component is loaded outside a benchmark.
#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    /// Parameters, as a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) params: String,
    /// What a component that imports WASI gets: an error, or stand-ins without effect
    #[arg(long, value_enum, default_value_t = WasiName::Refuse, value_name = "WASI")]
    pub(crate) wasi: WasiName,
    /// A corpus with fields of the items [default: made-up documents of the sample items]
    #[arg(long, value_name = "FILE", requires_all = ["item_id", "fields"])]
    pub(crate) items: Option<PathBuf>,
    /// The column of the corpus that holds the item id
    #[arg(long, value_name = "COLUMN", requires = "items")]
    pub(crate) item_id: Option<String>,
    /// The fields of the items, as the benchmark's `items.fields`
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub(crate) fields: Vec<String>,
}

/// What a component that imports WASI gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WasiName {
    Refuse,
    Inert,
}

impl From<WasiName> for Wasi {
    fn from(name: WasiName) -> Self {
        match name {
            WasiName::Refuse => Self::Refuse,
            WasiName::Inert => Self::Inert,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all checks pass, 6 one fails, 3 the component or the sessions
cannot be read.

Examples:
  rematch plugin test revenue
  rematch plugin test revenue.wasm --params '{\"currency\": \"EUR\"}'
  rematch plugin test revenue.wasm --sessions shop/sessions.parquet --limit 50
  rematch plugin test diversity.wasm --items products.jsonl --item-id id --fields category")]
pub(crate) struct TestArguments {
    /// The component, or the folder of its project
    #[arg(value_name = "FILE|DIR")]
    pub(crate) component: PathBuf,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
    /// Sessions to score in place of the built-in samples; the list shown is the ranking
    #[arg(long, value_name = "FILE")]
    pub(crate) sessions: Option<String>,
    /// Most sessions of that file
    #[arg(long, value_name = "N", default_value = "100", requires = "sessions")]
    pub(crate) limit: NonZeroUsize,
    /// Print what was found as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch plugin inspect revenue.wasm
  rematch plugin inspect stranger.wasm --no-run --json")]
pub(crate) struct PluginInspectArguments {
    /// The component, or a core module
    pub(crate) file: PathBuf,
    /// Parameters, as a JSON object, of a component that cannot do without
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) params: String,
    /// Do not run the component, not even to ask what it is
    #[arg(long)]
    pub(crate) no_run: bool,
    /// Print what was found as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Every ratio is within this one run: the native metric and the component take
turns.

Examples:
  rematch plugin bench revenue.wasm
  rematch plugin bench revenue.wasm --sessions 1000 --hits 10 --json")]
pub(crate) struct BenchArguments {
    /// The component
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
    /// Sessions to generate
    #[arg(long, value_name = "N", default_value = "20000")]
    pub(crate) sessions: NonZeroUsize,
    /// Hits of each session
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) hits: NonZeroU16,
    /// Print the figures as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch plugin add revenue@1.2.0 --registry https://plugins.example.org --benchmark bench.toml
  rematch plugin add revenue --registry ../registry       the latest version")]
pub(crate) struct AddArguments {
    /// The component: NAME@VERSION, or NAME for the latest version
    #[arg(value_name = "NAME@VERSION")]
    pub(crate) plugin: String,
    /// The registry: a folder or an http(s) URL [default: $REMATCH_REGISTRY]
    #[arg(long, value_name = "DIR|URL")]
    pub(crate) registry: Option<String>,
    /// The benchmark file that will use it [default: one in this folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) benchmark: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
#[command(after_help = "\
Examples:
  rematch plugin publish revenue.wasm --registry ../registry
  rematch plugin publish revenue.wasm --registry ../registry --name eu-revenue --version 1.2.0")]
pub(crate) struct PublishArguments {
    /// The component
    pub(crate) file: PathBuf,
    /// The registry: a folder, made where it is missing [default: $REMATCH_REGISTRY]
    #[arg(long, value_name = "DIR")]
    pub(crate) registry: Option<String>,
    /// Parameters, as a JSON object, of a component that cannot do without
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) params: String,
    /// The name in the registry [default: what the component calls itself]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The version [default: what the component says]
    #[arg(long = "version", value_name = "VERSION")]
    pub(crate) plugin_version: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PackArguments {
    /// The core module that a compiler wrote
    pub(crate) core: PathBuf,
    /// The component to write
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// What the sandbox's compiler process is told; nobody types it.
#[derive(Debug, Args)]
pub(crate) struct CompileComponentArguments {
    /// The component
    pub(crate) component: PathBuf,
    /// The folder of compiled code
    pub(crate) cache: PathBuf,
    /// CPU time, seconds
    pub(crate) cpu_seconds: u64,
    /// Address space, bytes
    pub(crate) memory_bytes: u64,
}

impl LoadArguments {
    /// Returns the arguments of a component of which nothing is known but its parameters.
    pub(crate) fn plain(params: &str, wasi: WasiName) -> Self {
        Self { params: params.to_owned(), wasi, items: None, item_id: None, fields: Vec::new() }
    }
}
