//! The command lines of `rematch doctor`, `rematch probe` and `rematch search`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde_json::Value;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch doctor                          check this machine
  rematch doctor bench.toml               and ask each retriever one query
  rematch doctor bench.toml --query lamp --json

Exit code 0 when everything is fine, 5 when a line failed.")]
pub(crate) struct DoctorArguments {
    /// The benchmark file whose retrievers and scorers are checked too
    pub(crate) benchmark: Option<PathBuf>,
    /// Override a value of the benchmark file
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "benchmark")]
    pub(crate) overrides: Vec<String>,
    /// The query that each retriever is asked [default: that of the first session]
    #[arg(long, value_name = "TEXT", requires = "benchmark")]
    pub(crate) query: Option<String>,
    /// Print the checks as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("credentials").args(["bearer_env", "basic_user", "auth_header", "auth_query"])),
    after_help = "\
Examples:
  rematch probe 'http://127.0.0.1:8080/search?q={{ query }}&n={{ depth }}' --query lamp
  rematch probe http://127.0.0.1:8080/search --body '{\"q\": {{ query }}, \"n\": {{ depth }}}'
  rematch probe http://127.0.0.1:9200 --preset elasticsearch --parameters '{\"index\": \"shop\"}'
  rematch probe https://search.example.com/v1 --body @request.json --bearer-env SEARCH_TOKEN"
)]
pub(crate) struct ProbeArguments {
    /// The URL, a template as in the benchmark file
    pub(crate) url: String,
    /// The search engine, whose path, body and answer are known, such as elasticsearch
    #[arg(long, value_name = "ENGINE")]
    pub(crate) preset: Option<String>,
    /// Values for the templates: a JSON object
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub(crate) parameters: Option<Value>,
    /// The method [default: POST with a body, GET without]
    #[arg(long, short = 'X', value_name = "METHOD")]
    pub(crate) method: Option<String>,
    /// A header of the request; credentials have options of their own
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) headers: Vec<(String, String)>,
    /// The body, a template, or @FILE; in a JSON body `{{ query }}` prints with its quotes
    #[arg(long, short = 'd', value_name = "TEMPLATE")]
    pub(crate) body: Option<String>,
    /// The body's media type [default: application/json]
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// Send the bearer token that this environment variable holds
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) bearer_env: Option<String>,
    /// Send this user, with the password of --basic-password-env
    #[arg(long, value_name = "USER", requires = "basic_password_env")]
    pub(crate) basic_user: Option<String>,
    /// The environment variable that holds the password
    #[arg(long, value_name = "VARIABLE", requires = "basic_user")]
    pub(crate) basic_password_env: Option<String>,
    /// Send this header, with the value of --value-env
    #[arg(long, value_name = "NAME", requires = "value_env")]
    pub(crate) auth_header: Option<String>,
    /// Send this parameter of the query string, with the value of --value-env
    #[arg(long, value_name = "NAME", requires = "value_env")]
    pub(crate) auth_query: Option<String>,
    /// The environment variable that holds the value
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) value_env: Option<String>,
    /// The query that is asked
    #[arg(long, value_name = "TEXT", default_value = "test")]
    pub(crate) query: String,
    #[command(flatten)]
    pub(crate) session: SessionArguments,
    /// Hits asked for
    #[arg(long, value_name = "N", default_value = "10")]
    pub(crate) depth: NonZeroUsize,
    /// Print what was found as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch search bench.toml 'red lamp'              through the baseline
  rematch search bench.toml --retriever boosted 'red lamp' --depth 20
  rematch search bench.toml --retriever prod lamp --inputs '{\"shop\": \"de\"}' --json
  rematch search bench.toml --session s17           a session of the benchmark")]
pub(crate) struct SearchArguments {
    /// The benchmark file
    pub(crate) benchmark: PathBuf,
    /// The query
    #[arg(required_unless_present = "session_id")]
    pub(crate) query: Option<String>,
    /// Replay this session of the benchmark instead
    #[arg(long = "session", value_name = "ID", conflicts_with_all = ["query", "inputs", "vector"])]
    pub(crate) session_id: Option<String>,
    /// The retriever that is asked [default: the baseline]
    #[arg(long, short, value_name = "ID")]
    pub(crate) retriever: Option<String>,
    /// Hits asked for [default: the benchmark's depth]
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) session: SessionArguments,
    /// Override a value of the benchmark file
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Print what each stage did as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a session has besides its query.
#[derive(Debug, Args)]
pub(crate) struct SessionArguments {
    /// The session's inputs: a JSON object
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub(crate) inputs: Option<Value>,
    /// The session's query vector, such as [0.1, 0.2]
    #[arg(long, value_name = "JSON", value_parser = vector)]
    pub(crate) vector: Option<Vector>,
}

/// A query vector; a type of its own, so that it is no list of arguments.
#[derive(Debug, Clone)]
pub(crate) struct Vector(pub(crate) Vec<f32>);

fn json_object(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(format!("`{text}`, expected a JSON object such as {{\"index\": \"shop\"}}")),
        Err(error) => Err(format!("`{text}` is no JSON ({error}), expected an object such as {{\"index\": \"shop\"}}")),
    }
}

fn vector(text: &str) -> Result<Vector, String> {
    serde_json::from_str(text).map(Vector).map_err(|_| format!("`{text}`, expected numbers such as [0.1, 0.2]"))
}

/// Reads `name: value`. What a header holds may be a secret, so it stands in no error.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected a name and a value such as `Accept: text/html`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
