//! Who asks, and what they may do.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use crate::App;
use crate::organisations::{Principal, Role};

/// The middleware of every route that needs a token: looks it up and hands on the [`Principal`].
pub async fn authenticate(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match principal(&app, request.headers()).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// Returns who holds the token of `Authorization: Bearer` or `X-API-Key`.
///
/// # Errors
///
/// Returns 401, in the same words for a token that is malformed, unknown, revoked or expired, and 429 beyond the rate.
pub async fn principal(app: &App, headers: &HeaderMap) -> Result<Principal, ApiError> {
    let token = presented(headers).ok_or_else(unauthorized)?;
    let principal = app.tokens().look_up(token).await?.ok_or_else(unauthorized)?;
    app.rates().check(&principal)?;
    Ok(principal)
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim());
    }
    headers.get("x-api-key")?.to_str().ok().map(str::trim)
}

fn unauthorized() -> ApiError {
    let message = "a valid token is needed, as `Authorization: Bearer TOKEN` or `X-API-Key: TOKEN`; \
                   `rematch token create` makes one";
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
}

/// Whoever may read: every role.
#[derive(Debug, Clone)]
pub struct Reader(pub Principal);

/// Whoever may write: the roles `ci` and `admin`.
#[derive(Debug, Clone)]
pub struct Writer(pub Principal);

/// Whoever may administer the organisation.
#[derive(Debug, Clone)]
pub struct Administrator(pub Principal);

fn allowed(parts: &Parts, needed: Role) -> Result<Principal, ApiError> {
    let principal = parts.extensions.get::<Principal>().cloned().ok_or_else(unauthorized)?;
    if principal.role < needed {
        let message = format!("this needs a token of role `{needed}`, and this one has `{}`", principal.role);
        return Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", message));
    }
    Ok(principal)
}

impl<S: Send + Sync> FromRequestParts<S> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        allowed(parts, Role::Runtime).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Writer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        allowed(parts, Role::Ci).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Administrator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        allowed(parts, Role::Admin).map(Self)
    }
}
