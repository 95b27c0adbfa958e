//! Arguments of the server's commands.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use rematch_server::organisations::Role;

/// Where the server's data lies.
#[derive(Debug, Args)]
pub(crate) struct DataArguments {
    /// The folder of all data of the server
    #[arg(long, value_name = "DIR", env = "REMATCH_DATA", default_value = "rematch-data")]
    pub(crate) data: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// The address and port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7700")]
    pub(crate) listen: SocketAddr,
    /// Jobs that run at once [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<std::num::NonZeroUsize>,
    /// A private host that HTTP retrievers may ask, such as search.internal:9200 or 10.1.0.0/16; may be given again
    #[arg(long = "allow-outbound", value_name = "HOST[:PORT]")]
    pub(crate) outbound_allow: Vec<String>,
    /// Run shell, command and Python scorers of scenarios, in child processes; they are refused otherwise
    #[arg(long)]
    pub(crate) allow_native_scorers: bool,
}

/// What is done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token, and print it this once
    Create(CreateTokenArguments),
    /// List tokens, without their secrets
    List(ListTokensArguments),
    /// Revoke a token; whoever holds it is refused at once
    Revoke(RevokeTokenArguments),
}

#[derive(Debug, Args)]
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
    #[arg(long, value_name = "TIME", value_parser = crate::runs_arguments::age)]
    pub(crate) expires_in: Option<std::time::Duration>,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
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
pub(crate) struct RevokeTokenArguments {
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// The token's identifier, as `rematch token list` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}
