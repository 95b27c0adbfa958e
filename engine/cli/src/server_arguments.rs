//! Arguments of the server's commands.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use rematch_engine::outbound::{Allowed, AllowedError};
use rematch_engine::run::Place;
use rematch_server::organisations::Role;
use rematch_server::settings::Settings;

use crate::arguments::{bytes, size};
use crate::runs_arguments::age;

/// Where the server's data lies.
#[derive(Debug, Args)]
pub(crate) struct DataArguments {
    /// The folder of all data of the server
    #[arg(long, value_name = "DIR", env = "REMATCH_DATA", default_value = "rematch-data")]
    pub(crate) data: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch serve                            on port 7700, data in ./rematch-data
  rematch token create acme --role admin   the first token, printed this once
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:7700/v1/organisation

The API is described at /docs and /openapi.json. SIGINT and SIGTERM end the
server: requests in flight are answered, and jobs go on when it starts again.")]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// The address and port; tokens travel unencrypted, so keep to this machine or put a proxy with TLS in front
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7700")]
    pub(crate) listen: SocketAddr,
    /// Where figures for Prometheus are served, at /metrics and without a token; nowhere where this is not given
    #[cfg(feature = "prometheus")]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// How the log on stderr is written [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log: Option<LogFormat>,
    /// A private host that HTTP retrievers may ask, such as search.internal:9200 or 10.1.0.0/16; may be given again
    #[arg(long = "allow-outbound", value_name = "HOST[:PORT]", value_parser = host)]
    pub(crate) outbound_allow: Vec<String>,
    /// Do the work of runs on the cluster of that scheduler, such as df://host:50050, whose executors see the data directory, or
    /// `here`, as without it; no tenant can say so
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) cluster: Option<Place>,
    /// Run shell, command and Python scorers of scenarios, in child processes; they are refused otherwise
    #[arg(long)]
    pub(crate) allow_native_scorers: bool,
    #[command(flatten)]
    pub(crate) requests: RequestArguments,
    #[command(flatten)]
    pub(crate) jobs: JobArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One JSON object per line
    Json,
    /// Text for people
    Text,
}

/// Limits of connections and requests; where one is not given, the server's own default holds.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits of requests")]
pub(crate) struct RequestArguments {
    /// Connections at once; further ones wait [default: 10000, and as the limit of open files allows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: Option<u32>,
    /// Requests per second of one token; ten seconds' worth may come at once [default: 200]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate_per_token: Option<u32>,
    /// Requests per second of all tokens of an organisation together [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate_per_organisation: Option<u32>,
    /// The most of a JSON body, such as 8MiB [default: 8MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_body: Option<usize>,
    /// The most of an uploaded file, such as 2GiB [default: 8GiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_upload: Option<usize>,
    /// How long a client may take for the header of a request, such as 5s [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub(crate) header_timeout: Option<Duration>,
    /// How long a client may pause within a body [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub(crate) body_timeout: Option<Duration>,
    /// How long a connection may lie idle, and a client may take none of an answer [default: 75s]
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Refused tokens per second that one address may send; ten seconds' worth may come at once [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) refused_per_address: Option<u32>,
    /// The address of a proxy in front; the last `X-Forwarded-For` of its requests says who asks; may be given again
    #[arg(long = "trust-proxy", value_name = "ADDRESS")]
    pub(crate) trusted_proxies: Vec<std::net::IpAddr>,
    /// How long requests in flight may take after the server was told to end [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub(crate) shutdown_timeout: Option<Duration>,
}

/// Limits of jobs and of the child processes that do them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits of jobs")]
pub(crate) struct JobArguments {
    /// Jobs that run at once [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<std::num::NonZeroUsize>,
    /// The most that one organisation may keep: files, components and runs [default: 100GiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) storage_limit: Option<usize>,
    /// Jobs of one organisation that wait or run [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) jobs_per_organisation: Option<u32>,
    /// Memory of one child process, such as 4GiB [default: 4GiB]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub(crate) worker_memory: Option<usize>,
    /// How long a job may run, such as 6h [default: 6h]
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub(crate) job_time: Option<Duration>,
    /// How long a request may wait for a child process, such as 30s [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub(crate) request_time: Option<Duration>,
}

impl ServeArguments {
    /// Returns the settings: the defaults, and what was said over them. Workers are that program.
    pub(crate) fn settings(self, program: PathBuf) -> Settings {
        let mut settings = Settings::new(self.data.data, program);
        settings.address = self.listen;
        settings.outbound_allow = self.outbound_allow;
        settings.cluster = match self.cluster {
            Some(Place::Cluster(address)) => Some(address),
            Some(Place::Here | Place::Planned) | None => None,
        };
        #[cfg(feature = "prometheus")]
        {
            settings.figures = self.metrics_listen;
        }
        settings.allow_native_scorers = self.allow_native_scorers;
        settings.trusted_proxies = self.requests.trusted_proxies;
        say(&mut settings.storage_bytes, self.jobs.storage_limit.map(|bytes| bytes as u64));
        let Settings { limits, rates, queue, worker, .. } = &mut settings;
        let RequestArguments { max_connections, rate_per_token, rate_per_organisation, .. } = self.requests;
        say(&mut limits.connections, max_connections.map(|count| count as usize));
        say(&mut rates.per_token, rate_per_token);
        say(&mut rates.per_organisation, rate_per_organisation);
        say(&mut limits.body_bytes, self.requests.max_body);
        say(&mut limits.upload_bytes, self.requests.max_upload.map(|bytes| bytes as u64));
        say(&mut limits.header_read, self.requests.header_timeout);
        say(&mut limits.body_pause, self.requests.body_timeout);
        say(&mut limits.idle, self.requests.idle_timeout);
        say(&mut limits.shutdown, self.requests.shutdown_timeout);
        say(&mut rates.refused_per_address, self.requests.refused_per_address);
        say(&mut queue.workers, self.jobs.workers);
        say(&mut queue.per_organisation, self.jobs.jobs_per_organisation.map(|count| count as usize));
        say(&mut worker.memory_bytes, self.jobs.worker_memory.map(|bytes| bytes as u64));
        say(&mut worker.job_time, self.jobs.job_time);
        say(&mut worker.request_time, self.jobs.request_time);
        settings
    }
}

fn say<T>(setting: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *setting = said;
    }
}

/// What is done with tokens.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  rematch token create acme --role admin
  rematch token list
  rematch token revoke ID     the one that `rematch token list` shows")]
pub(crate) enum TokenCommand {
    /// Make a token, and print it this once
    Create(CreateTokenArguments),
    /// List tokens, without their secrets
    List(ListTokensArguments),
    /// Revoke a token; whoever holds it is refused at once
    Revoke(RevokeTokenArguments),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch token create acme --role admin
  rematch token create acme --role runtime --name dashboard --expires-in 90d")]
pub(crate) struct CreateTokenArguments {
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// The organisation; it is made where it is new
    #[arg(value_name = "ORGANISATION")]
    pub(crate) organisation: String,
    /// What it allows: runtime (read), ci (read and write), admin
    #[arg(long, value_name = "ROLE", default_value = "ci")]
    pub(crate) role: Role,
    /// What it is for, to tell it from others
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) name: String,
    /// When it ends by itself, such as 90d or 12h [default: never]
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub(crate) expires_in: Option<Duration>,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch token list
  rematch token list acme --json")]
pub(crate) struct ListTokensArguments {
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// Of this organisation only
    #[arg(value_name = "ORGANISATION")]
    pub(crate) organisation: Option<String>,
    /// Print them as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rematch token list acme
  rematch token revoke ID     the one that `rematch token list` shows")]
pub(crate) struct RevokeTokenArguments {
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// The token's identifier, as `rematch token list` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Reads how long a token lives.
/// Checks an entry of the list of private hosts, so that a mistake in it is told before the server starts.
fn host(text: &str) -> Result<String, AllowedError> {
    text.parse::<Allowed>().map(|_| text.to_owned())
}

fn lifetime(text: &str) -> Result<Duration, String> {
    match age(text)? {
        Duration::ZERO => {
            Err(format!("`{text}` would end the token before it is used; expected a time such as 90d or 12h"))
        }
        time => Ok(time),
    }
}
