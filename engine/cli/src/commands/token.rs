//! `rematch token`: the tokens of the HTTP API.

use std::path::Path;

use comfy_table::CellAlignment;
use rematch_server::database::{Database, make_folder};
use rematch_server::organisations::{TokenRecord, Tokens};
use rematch_server::platform::error::ApiError;
use rematch_server::platform::page::{now_ms, rfc3339};
use serde_json::json;

use super::{print, print_json};
use crate::exit::{Exit, Failure};
use crate::server_arguments::{CreateTokenArguments, ListTokensArguments, RevokeTokenArguments, TokenCommand};
use crate::terminal::{table, tell, trimmed, visible};

/// Columns of the list of tokens.
const WIDTH: u16 = 160;

/// Does what the command line asks for.
pub(crate) fn token(command: TokenCommand) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            TokenCommand::Create(arguments) => create(arguments).await,
            TokenCommand::List(arguments) => list(arguments).await,
            TokenCommand::Revoke(arguments) => revoke(arguments).await,
        }
    })
}

async fn create(arguments: CreateTokenArguments) -> Result<Exit, Failure> {
    let tokens = open(&arguments.data.data)?;
    let lifetime = arguments.expires_in.map(|time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    let expires_at = lifetime.map(|lifetime| now_ms().saturating_add(lifetime));
    let issued =
        tokens.create(&arguments.organisation, &arguments.name, arguments.role, expires_at).await.map_err(failure)?;
    if arguments.json {
        // As `POST /v1/tokens` answers, with the organisation beside.
        print_json(&json!({ "text": issued.text.reveal(), "token": issued.record }))?;
    } else {
        // The token alone on stdout, so that a script can take it.
        print(&format!("{}\n", issued.text.reveal()))?;
        let TokenRecord { id, organisation, role, .. } = &issued.record;
        tell(&format!(
            "made {id}, role `{role}` of `{organisation}`, {}; the token is shown this once",
            state(&issued.record)
        ));
    }
    Ok(Exit::Done)
}

async fn list(arguments: ListTokensArguments) -> Result<Exit, Failure> {
    let tokens = open_known(&arguments.data.data)?;
    let found = tokens.list(arguments.organisation.as_deref()).await.map_err(failure)?;
    if arguments.json {
        print_json(&found)?;
        return Ok(Exit::Done);
    }
    if found.is_empty() {
        let whose = arguments.organisation.as_ref().map(|name| format!(" of `{}`", visible(name))).unwrap_or_default();
        tell(&format!("no tokens{whose}; `rematch token create ORGANISATION` makes one"));
        return Ok(Exit::Done);
    }
    let mut shown = table(&["id", "organisation", "role", "state", "name"]);
    // An identifier is there to be copied: it is not broken over lines.
    shown.set_width(WIDTH);
    for column in shown.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Left);
    }
    for token in &found {
        let state = state(token);
        shown.add_row([&token.id, &token.organisation, token.role, &state, &visible(&token.name)]);
    }
    print(&format!("{}\n", trimmed(&shown)))?;
    Ok(Exit::Done)
}

fn state(token: &TokenRecord) -> String {
    let day = |time: i64| rfc3339(time).chars().take(10).collect::<String>();
    match (token.revoked_at, token.expires_at) {
        (Some(time), _) => format!("revoked {}", day(time)),
        (None, Some(time)) if time <= now_ms() => format!("expired {}", day(time)),
        (None, Some(time)) => format!("valid until {}", day(time)),
        (None, None) => "valid".to_owned(),
    }
}

async fn revoke(arguments: RevokeTokenArguments) -> Result<Exit, Failure> {
    let tokens = open_known(&arguments.data.data)?;
    tokens.revoke(None, &arguments.id).await.map_err(|error| {
        failure(error).with_hint("`rematch token list` shows the identifiers; the token itself is none")
    })?;
    if arguments.json {
        print_json(&json!({ "id": arguments.id, "revoked": true }))?;
    } else {
        tell(&format!("{} is revoked; servers refuse it within a second", arguments.id));
    }
    Ok(Exit::Done)
}

/// Tokens are made before the server runs for the first time, and while it runs.
fn open(data: &Path) -> Result<Tokens, Failure> {
    let unusable = |error: std::io::Error| {
        let message = format!("cannot use the data directory `{}`: {error}; `--data` names another", data.display());
        Failure::new(Exit::Usage, anyhow::anyhow!(message))
    };
    make_folder(data).map_err(unusable)?;
    let database = Database::open(&data.join("rematch.db")).map_err(|error| Failure::new(Exit::Usage, error))?;
    Tokens::open(database, &data.join("token.key")).map_err(unusable)
}

/// Opens data that are there: whoever lists or revokes and names another folder is to be told, and not given a new one.
fn open_known(data: &Path) -> Result<Tokens, Failure> {
    if data.join("rematch.db").is_file() {
        return open(data);
    }
    let message = format!(
        "no data of a server in `{}`; `--data` or REMATCH_DATA names the folder that `rematch serve` uses",
        data.display()
    );
    Err(Failure::new(Exit::Usage, anyhow::anyhow!(message)))
}

fn failure(error: ApiError) -> Failure {
    Failure::new(Exit::Usage, anyhow::anyhow!(error.message))
}
