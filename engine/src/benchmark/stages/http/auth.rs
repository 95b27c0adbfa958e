//! Credentials: only the names of the environment variables that hold them are ever written, planned or stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::benchmark::diagnostic::{Diagnostic, KeyPath};
use crate::benchmark::resolve::Context;

/// Credentials, one of: `bearer-env`; `basic-user` or `basic-user-env` with `basic-password-env`; `header` with
/// `value-env`; `query` with `value-env`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AuthSpec {
    /// The environment variable that holds a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_env: Option<String>,
    /// The user of basic authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_user: Option<String>,
    /// The environment variable that holds the user of basic authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_user_env: Option<String>,
    /// The environment variable that holds the password of basic authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_password_env: Option<String>,
    /// The header that carries the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// What stands before the value in the header, such as `ApiKey `.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The parameter of the URL's query string that carries the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The environment variable that holds the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_env: Option<String>,
}

/// Where credentials come from and how they are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum AuthPlan {
    /// None are sent.
    #[default]
    None,
    /// `Authorization: Bearer <token>`.
    Bearer {
        /// The variable that holds the token.
        token_env: String,
    },
    /// `Authorization: Basic <user:password>`.
    Basic {
        /// The user.
        user: UserPlan,
        /// The variable that holds the password.
        password_env: String,
    },
    /// A header of one's own.
    Header {
        /// Its name.
        name: String,
        /// What stands before the value.
        prefix: String,
        /// The variable that holds the value.
        value_env: String,
    },
    /// A parameter of the query string.
    Query {
        /// Its name.
        name: String,
        /// The variable that holds the value.
        value_env: String,
    },
}

/// Where the user's name of basic authentication comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserPlan {
    /// It is this.
    Name(String),
    /// It is in this environment variable.
    Env(String),
}

const EXPECTED: &str = "expected one of `{ bearer-env }`, `{ basic-user, basic-password-env }`, \
    `{ basic-user-env, basic-password-env }`, `{ header, value-env }`, `{ query, value-env }`";

/// Returns the plan of the credentials at `keys`.
pub(super) fn resolve(context: &Context<'_>, spec: &AuthSpec, keys: &KeyPath) -> Result<AuthPlan, Diagnostic> {
    let all = spec.clone();
    let plan = match all {
        AuthSpec {
            bearer_env: Some(token_env),
            basic_user: None,
            basic_user_env: None,
            basic_password_env: None,
            header: None,
            prefix: None,
            query: None,
            value_env: None,
        } => AuthPlan::Bearer { token_env },
        AuthSpec {
            bearer_env: None,
            basic_user,
            basic_user_env,
            basic_password_env: Some(password_env),
            header: None,
            prefix: None,
            query: None,
            value_env: None,
        } => match (basic_user, basic_user_env) {
            (Some(name), None) => AuthPlan::Basic { user: UserPlan::Name(name), password_env },
            (None, Some(variable)) => AuthPlan::Basic { user: UserPlan::Env(variable), password_env },
            _ => return Err(context.mistake(keys, format!("`auth` needs one user, {EXPECTED}"))),
        },
        AuthSpec {
            bearer_env: None,
            basic_user: None,
            basic_user_env: None,
            basic_password_env: None,
            header: Some(name),
            prefix,
            query: None,
            value_env: Some(value_env),
        } => AuthPlan::Header { name, prefix: prefix.unwrap_or_default(), value_env },
        AuthSpec {
            bearer_env: None,
            basic_user: None,
            basic_user_env: None,
            basic_password_env: None,
            header: None,
            prefix: None,
            query: Some(name),
            value_env: Some(value_env),
        } => AuthPlan::Query { name, value_env },
        _ => return Err(context.mistake(keys, format!("`auth` does not make sense, {EXPECTED}"))),
    };
    check(context, &plan, keys)?;
    Ok(plan)
}

fn check(context: &Context<'_>, plan: &AuthPlan, keys: &KeyPath) -> Result<(), Diagnostic> {
    for (key, variable) in plan.variables() {
        if !is_variable_name(variable) {
            let message = "expected the name of an environment variable: letters, digits and `_`";
            // What stands here by mistake may be the secret itself, so that it is not repeated.
            let mistake = context.secret_mistake(&keys.key(key), message);
            return Err(mistake.with_help("put the secret into a variable, and its name here"));
        }
    }
    match plan {
        AuthPlan::Header { name, prefix, .. } => {
            if reqwest::header::HeaderName::try_from(name.as_str()).is_err() {
                return Err(context.mistake(&keys.key("header"), format!("`{name}` is not the name of a header")));
            }
            if reqwest::header::HeaderValue::try_from(prefix.as_str()).is_err() {
                return Err(context.mistake(&keys.key("prefix"), "the prefix cannot stand in a header"));
            }
        }
        AuthPlan::Query { name, .. } if name.is_empty() => {
            return Err(context.mistake(&keys.key("query"), "the parameter's name is empty"));
        }
        AuthPlan::Basic { user: UserPlan::Name(name), .. } if name.contains(':') => {
            return Err(context.mistake(&keys.key("basic-user"), "a user of basic authentication has no `:`"));
        }
        _ => {}
    }
    Ok(())
}

impl AuthPlan {
    /// Returns the environment variables that hold the credentials, each with the key that named it.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::None => Vec::new(),
            Self::Bearer { token_env } => vec![("bearer-env", token_env)],
            Self::Basic { user: UserPlan::Name(_), password_env } => vec![("basic-password-env", password_env)],
            Self::Basic { user: UserPlan::Env(user_env), password_env } => {
                vec![("basic-user-env", user_env), ("basic-password-env", password_env)]
            }
            Self::Header { value_env, .. } | Self::Query { value_env, .. } => vec![("value-env", value_env)],
        }
    }
}

fn is_variable_name(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    first && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
}
