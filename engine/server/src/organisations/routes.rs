//! `/v1/organisation` and `/v1/tokens`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Principal, Role, TokenRecord};
use crate::App;
use crate::platform::auth::{Administrator, Reader};
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path, Query};
use crate::platform::openapi::Problem;
use crate::platform::page::{now_ms, rfc3339};

/// The longest life of a token that is made here, seconds: ten years.
const LONGEST_LIFE: u64 = 10 * 366 * 86_400;

/// Tokens on a page, unless the request says otherwise, and at most.
const PAGE: (u32, u32) = (100, 1000);

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(organisation))
        .routes(routes!(list_tokens, create_token))
        .routes(routes!(revoke_token))
}

/// Whose the token is, and what it may do.
#[derive(Debug, Serialize, ToSchema)]
struct Organisation {
    /// The organisation's name.
    id: String,
    /// When it got its first token.
    #[schema(format = DateTime)]
    created_at: String,
    /// The identifier of the token that asks.
    token_id: String,
    /// What the token allows: `runtime` reads, `ci` reads and writes, `admin` administers tokens too.
    role: Role,
    /// What a request may ask for.
    limits: OrganisationLimits,
}

/// Limits that the operator set.
#[derive(Debug, Serialize, ToSchema)]
struct OrganisationLimits {
    /// Requests per second of one token; ten seconds' worth may come at once.
    requests_per_second: u32,
    /// Requests per second of all tokens together.
    requests_per_second_of_all_tokens: u32,
    /// Bytes of a JSON body.
    body_bytes: u64,
    /// Bytes of an uploaded file.
    upload_bytes: u64,
    /// Levels of nesting of a JSON body.
    json_depth: u64,
    /// Jobs that wait or run at once.
    jobs: u64,
}

/// Returns the organisation of the token
///
/// Tells whose the token is, what it allows, and the limits that the operator set.
#[utoipa::path(
    get,
    path = "/v1/organisation",
    operation_id = "get_organisation",
    tag = "Organisation",
    responses((status = 200, description = "The organisation", body = Organisation)),
    security(("token" = ["read"]))
)]
async fn organisation(State(app): State<App>, Reader(principal): Reader) -> Result<axum::Json<Organisation>, ApiError> {
    let Principal { organisation, token, role } = principal;
    let settings = app.settings();
    let created_at = rfc3339(app.tokens().organisation_since(&organisation).await?);
    let limits = OrganisationLimits {
        requests_per_second: settings.rates.per_token,
        requests_per_second_of_all_tokens: settings.rates.per_organisation,
        body_bytes: settings.limits.body_bytes as u64,
        upload_bytes: settings.limits.upload_bytes,
        json_depth: settings.limits.json_depth as u64,
        jobs: settings.queue.per_organisation as u64,
    };
    Ok(axum::Json(Organisation { id: organisation, created_at, token_id: token, role, limits }))
}

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
struct Token {
    /// Its identifier.
    id: String,
    /// What it is for.
    name: String,
    /// What it allows.
    role: Role,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// From when on it is void; null: never.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Since when it is revoked; null: it is not.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

impl Token {
    fn of(record: TokenRecord) -> Result<Self, ApiError> {
        Ok(Self {
            id: record.id,
            name: record.name,
            role: record.role.parse().map_err(ApiError::internal)?,
            created_at: rfc3339(record.created_at),
            expires_at: record.expires_at.map(rfc3339),
            revoked_at: record.revoked_at.map(rfc3339),
        })
    }
}

/// A page of tokens.
#[derive(Debug, Serialize, ToSchema)]
struct TokenPage {
    /// The tokens, oldest first.
    tokens: Vec<Token>,
    /// What `after` is for the next page; null: this is the last.
    next: Option<String>,
}

/// Which page of tokens.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PageOfTokens {
    /// Tokens on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The last identifier of the page before.
    after: Option<String>,
}

/// Lists the tokens of the organisation
///
/// Oldest first, revoked and expired ones too; the secrets are kept nowhere.
#[utoipa::path(
    get,
    path = "/v1/tokens",
    operation_id = "list_tokens",
    tag = "Organisation",
    params(PageOfTokens),
    responses(
        (status = 200, description = "A page of tokens", body = TokenPage),
        (status = 422, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["admin"]))
)]
async fn list_tokens(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Query(page): Query<PageOfTokens>,
) -> Result<axum::Json<TokenPage>, ApiError> {
    let (default, most) = PAGE;
    let limit = page.limit.unwrap_or(default);
    if !(1..=most).contains(&limit) {
        let message = format!("expected a limit from 1 to {most}, found {limit}");
        return Err(ApiError::invalid(&["query", "limit"], "out_of_range", message));
    }
    let after = page.after.unwrap_or_default();
    let mut found = app.tokens().page(&principal.organisation, &after, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|token| token.id.clone());
    let tokens = found.into_iter().map(Token::of).collect::<Result<_, _>>()?;
    Ok(axum::Json(TokenPage { tokens, next }))
}

/// A token that is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    /// What it is for, to tell it from others.
    #[serde(default)]
    #[schema(max_length = 200, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    name: String,
    /// What it allows.
    role: Role,
    /// After how many seconds it ends by itself; absent or null: never.
    #[schema(minimum = 1, maximum = 316_224_000)]
    expires_in_seconds: Option<u64>,
}

/// A token that was made just now.
#[derive(Debug, Serialize, ToSchema)]
struct NewToken {
    /// The token's text, which is shown this once.
    text: String,
    /// What is kept of it.
    token: Token,
}

/// Makes a token of the organisation
///
/// Its text is in the answer and nowhere else.
#[utoipa::path(
    post,
    path = "/v1/tokens",
    operation_id = "create_token",
    tag = "Organisation",
    request_body = TokenRequest,
    responses(
        (status = 201, description = "The token", body = NewToken),
        (status = 422, description = "A field is wrong", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["admin"]))
)]
async fn create_token(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Json(asked): Json<TokenRequest>,
) -> Result<(StatusCode, axum::Json<NewToken>), ApiError> {
    if let Some(seconds) = asked.expires_in_seconds
        && !(1..=LONGEST_LIFE).contains(&seconds)
    {
        let message = format!("expected 1 to {LONGEST_LIFE} seconds, found {seconds}");
        return Err(ApiError::invalid(&["body", "expires_in_seconds"], "out_of_range", message));
    }
    let life = asked.expires_in_seconds.map(|seconds| i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX));
    let expires_at = life.map(|life| now_ms().saturating_add(life));
    let issued = app.tokens().create(&principal.organisation, &asked.name, asked.role, expires_at).await?;
    let made = NewToken { text: issued.text.reveal().to_owned(), token: Token::of(issued.record)? };
    Ok((StatusCode::CREATED, axum::Json(made)))
}

/// Revokes a token of the organisation
///
/// Whoever holds it is refused from now on, and what is streamed to them ends within a second. Revoking it again changes
/// nothing.
#[utoipa::path(
    delete,
    path = "/v1/tokens/{id}",
    operation_id = "revoke_token",
    tag = "Organisation",
    params(("id" = String, Path, description = "The token's identifier")),
    responses(
        (status = 204, description = "It is revoked"),
        (status = 404, description = "There is no such token", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["admin"]))
)]
async fn revoke_token(
    State(app): State<App>,
    Administrator(principal): Administrator,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.tokens().revoke(Some(&principal.organisation), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
