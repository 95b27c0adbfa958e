//! Errors as clients of this API know them: `{"code", "message"}`.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use crate::platform::error::ApiError;

/// Why a request was not answered.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = runloop::Error)]
pub struct ErrorView {
    /// A stable identifier of the kind of error.
    pub code: String,
    /// What was found, what was expected, and the fix where the caller has one.
    pub message: String,
}

/// The answers that every route may give instead of its own.
#[derive(Debug, utoipa::IntoResponses)]
pub enum Failures {
    /// The request makes no sense, or the thing is in another state than it needs.
    #[response(status = 400)]
    BadRequest(ErrorView),
    /// No valid token.
    #[response(status = 401)]
    Unauthorized(ErrorView),
    /// The token's role does not allow it.
    #[response(status = 403)]
    Forbidden(ErrorView),
    /// No such thing; those of other organisations are told the same.
    #[response(status = 404)]
    NotFound(ErrorView),
    /// The body is larger than allowed.
    #[response(status = 413)]
    TooLarge(ErrorView),
    /// More requests or jobs than allowed; `Retry-After` says when there is room again.
    #[response(status = 429)]
    TooMany(ErrorView),
}

/// A middleware: clients of this API repeat what is answered with 409, and know no 422, so that both are 400 here.
pub(super) async fn mistakes_are_400(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if matches!(response.status(), StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT) {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    response
}

/// Returns an error's body as this API writes it.
#[must_use]
pub fn body(error: &ApiError) -> Value {
    json!({ "code": error.code, "message": error.message })
}

/// Returns "not in this state".
pub(super) fn wrong_state(what: &str, id: &str, state: &str, expected: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_state", format!("{what} `{id}` is `{state}`; expected {expected}"))
}
