//! The source `postgres`.

use std::path::PathBuf;
use std::str::FromStr as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::query_text::QueryText;
use crate::benchmark::diagnostic::{Diagnostic, KeyPath};
use crate::benchmark::resolve::Context;
use crate::benchmark::spec::RetrieverSpec;
use crate::benchmark::{PolicyPlan, PolicySpec, policy};

/// The keys of a `postgres` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PostgresSpec {
    /// Where the database is, such as `postgres://reader@host:5432/shop`, without a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The environment variable that holds the URL, which may then have a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_env: Option<String>,
    /// The environment variable that holds the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// Whether the connection is encrypted; what the URL says, or `prefer`, where it is not given. Certificates are always
    /// verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sslmode: Option<SslMode>,
    /// A PEM file of certificate authorities that are trusted besides those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<String>,
    /// How this database is asked, where that is not as the retriever says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicySpec>,
    /// One statement that returns rows, best first. The first column is the item id, text or a whole number; the score is the
    /// column `score`, or else the second column where it is a number. `$query`, `$depth`, `$session_id`, `$taxonomy`, `$vector`,
    /// `$inputs` and `$inputs_<name>` stand for values of the session. Postgres leaves the order of equal rows open: end `ORDER BY`
    /// with the id.
    pub query: String,
}

/// Whether a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Never.
    Disable,
    /// Where the server can.
    Prefer,
    /// Always.
    Require,
}

/// A query of a Postgres database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PostgresPlan {
    /// Where the database is.
    pub server: PostgresServer,
    /// The environment variable that holds the password; `None` where the URL has it, or none is needed.
    pub password_env: Option<String>,
    /// Whether the connection is encrypted; `None` where the URL says it.
    pub sslmode: Option<SslMode>,
    /// A PEM file of certificate authorities that are trusted besides those of the system.
    pub certificate_authority: Option<PathBuf>,
    /// The query.
    pub query: String,
    /// How the server is asked.
    pub policy: PolicyPlan,
}

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PostgresServer {
    /// A URL without a password.
    Url(String),
    /// The environment variable that holds the URL.
    Env(String),
}

impl PostgresPlan {
    /// Returns the environment variables that hold the URL and the password.
    pub(super) fn variables(&self) -> Vec<&str> {
        let url = match &self.server {
            PostgresServer::Url(_) => None,
            PostgresServer::Env(variable) => Some(variable),
        };
        url.into_iter().chain(&self.password_env).map(String::as_str).collect()
    }
}

pub(super) fn resolve(
    context: &Context<'_>,
    retriever: &RetrieverSpec,
    spec: &PostgresSpec,
    keys: &KeyPath,
) -> Result<PostgresPlan, Diagnostic> {
    let server = match (&spec.url, &spec.url_env) {
        (Some(url), None) => {
            check_url(context, url, keys)?;
            PostgresServer::Url(url.clone())
        }
        (None, Some(variable)) => PostgresServer::Env(variable_name(context, variable, &keys.key("url-env"))?),
        (Some(_), Some(_)) => {
            return Err(
                context.mistake(&keys.key("url-env"), "both `url` and `url-env` are given, expected one of them")
            );
        }
        (None, None) => {
            let mistake = context.mistake(keys, "a `postgres` stage needs the key `url` or `url-env`");
            return Err(mistake.with_help("`url-env = \"DATABASE_URL\"` takes it from the environment"));
        }
    };
    let password = spec.password_env.as_ref();
    let password_env = password.map(|name| variable_name(context, name, &keys.key("password-env"))).transpose()?;
    policy::refuse_for_postgres(context, retriever, spec.policy.as_ref(), keys)?;
    let query = QueryText::parse(&spec.query).map_err(|reason| context.mistake(&keys.key("query"), reason))?;
    if query.numbered().trim().is_empty() {
        return Err(context.mistake(&keys.key("query"), "the query is empty"));
    }
    let authority = spec.certificate_authority.as_ref();
    Ok(PostgresPlan {
        server,
        password_env,
        sslmode: spec.sslmode,
        certificate_authority: authority
            .map(|path| context.path(&keys.key("certificate-authority"), path))
            .transpose()?,
        query: spec.query.clone(),
        policy: policy::resolve(context, retriever, spec.policy.as_ref(), keys)?,
    })
}

fn check_url(context: &Context<'_>, url: &str, keys: &KeyPath) -> Result<(), Diagnostic> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        let message = "not a Postgres URL, expected one such as `postgres://host/database`";
        return Err(context.secret_mistake(&keys.key("url"), message));
    }
    let Ok(config) = tokio_postgres::Config::from_str(&understood(url)) else {
        let message = "not a Postgres URL: its parts or options cannot be read";
        return Err(context.secret_mistake(&keys.key("url"), message));
    };
    if config.get_password().is_some() {
        let mistake = context.secret_mistake(&keys.key("url"), "a password stands in the URL");
        let help = "take it out and name the environment variable that holds it: `password-env = \"PGPASSWORD\"`";
        return Err(mistake.with_help(help));
    }
    Ok(())
}

fn variable_name(context: &Context<'_>, name: &str, keys: &KeyPath) -> Result<String, Diagnostic> {
    let legal = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if name.is_empty() || !name.chars().all(legal) {
        // It may be the secret itself.
        return Err(context.secret_mistake(keys, "not the name of an environment variable"));
    }
    Ok(name.to_owned())
}

/// Returns a URL with the modes that the client library has no name for: as certificates are always verified, they are
/// `require`.
pub(crate) fn understood(url: &str) -> String {
    url.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require")
}
