//! Errors in the family's shape.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoResponses, ToSchema};

use crate::platform::error::ApiError;

/// An error, as every route of this family answers it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RetrieverApiError)]
pub struct ErrorResponse {
    /// Always `false`.
    pub success: bool,
    /// The status of the answer.
    pub status: u16,
    /// What went wrong.
    // A reference from within an error would lead nowhere in the document.
    #[schema(inline)]
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RetrieverApiErrorDetail)]
pub struct ErrorDetail {
    /// In words, with the fix where the caller has one.
    pub message: String,
    /// A stable name of the kind of error, such as `NotFoundError`; `extra_forbidden` for a key that the body must not have.
    #[serde(rename = "type")]
    pub kind: String,
    /// A stable code, such as `not_found`.
    pub code: Option<String>,
    /// Further facts: `resource` and `id` of what is not there, `validation_errors` (each with `loc`, `msg` and `type`),
    /// `retryable` and `retry_after_seconds`.
    pub details: Option<Map<String, Value>>,
}

/// The errors that any route of this family may answer.
#[derive(IntoResponses)]
pub enum Refusals {
    /// The request makes no sense.
    #[response(status = 400)]
    BadRequest(#[to_schema] ErrorResponse),
    /// There is no valid token.
    #[response(status = 401)]
    Unauthorized(#[to_schema] ErrorResponse),
    /// The token's role does not allow this.
    #[response(status = 403)]
    Forbidden(#[to_schema] ErrorResponse),
    /// There is no such thing in this namespace.
    #[response(status = 404)]
    NotFound(#[to_schema] ErrorResponse),
    /// There is such a thing already.
    #[response(status = 409)]
    Conflict(#[to_schema] ErrorResponse),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(#[to_schema] ErrorResponse),
    /// A field is wrong; `error.details.validation_errors` says which.
    #[response(status = 422)]
    Invalid(#[to_schema] ErrorResponse),
    /// Too many requests; `Retry-After` says when to come again.
    #[response(status = 429)]
    TooMany(#[to_schema] ErrorResponse),
    /// The server failed.
    #[response(status = 500)]
    Internal(#[to_schema] ErrorResponse),
    /// The server is stopping.
    #[response(status = 503)]
    Unavailable(#[to_schema] ErrorResponse),
}

/// Returns an error's body as the family writes it.
#[must_use]
pub fn shape(error: &ApiError) -> Value {
    let code =
        if error.fields.iter().any(|field| field.kind == "extra_forbidden") { "extra_forbidden" } else { error.code };
    json!({
        "success": false,
        "status": error.status.as_u16(),
        "error": { "message": error.message, "type": kind_of(error.status, code), "code": code, "details": details(error) },
    })
}

fn details(error: &ApiError) -> Option<Value> {
    let mut details = match &error.details {
        Some(Value::Object(details)) => details.clone(),
        _ => Map::new(),
    };
    if !error.fields.is_empty() {
        let field = |field: &crate::platform::error::FieldError| {
            let location: Vec<&String> = field.location.iter().filter(|part| !part.is_empty()).collect();
            json!({ "loc": location, "msg": field.message, "type": field.kind })
        };
        details.insert("validation_errors".to_owned(), error.fields.iter().map(field).collect());
    }
    if matches!(error.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        details.insert("retryable".to_owned(), Value::Bool(true));
        let after = error.retry_after.map_or(1.0, |after| after.as_secs_f64().ceil().max(1.0));
        details.insert("retry_after_seconds".to_owned(), json!(after));
    }
    (!details.is_empty()).then_some(Value::Object(details))
}

fn kind_of(status: StatusCode, code: &str) -> &str {
    match status {
        _ if code == "extra_forbidden" => code,
        StatusCode::BAD_REQUEST => "BadRequestError",
        StatusCode::UNAUTHORIZED => "UnauthorizedError",
        StatusCode::FORBIDDEN => "ForbiddenError",
        StatusCode::NOT_FOUND => "NotFoundError",
        StatusCode::CONFLICT => "ConflictError",
        StatusCode::PAYLOAD_TOO_LARGE => "PayloadTooLargeError",
        StatusCode::UNPROCESSABLE_ENTITY => "ValidationError",
        StatusCode::TOO_MANY_REQUESTS => "RateLimitError",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailableError",
        _ => "InternalServerError",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_thing_is_named_in_the_details() {
        let shaped = shape(&ApiError::not_found("benchmark", "bench_1"));
        assert_eq!(shaped["status"], 404);
        assert_eq!(shaped["error"]["type"], "NotFoundError");
        assert_eq!(shaped["error"]["details"], json!({ "resource": "benchmark", "id": "bench_1" }));
    }

    #[test]
    fn a_key_too_many_has_a_type_of_its_own() {
        let refused = ApiError::invalid(&["body", "colour"], "extra_forbidden", "unknown field `colour`");
        let shaped = shape(&refused);
        assert_eq!(
            (&shaped["error"]["type"], &shaped["error"]["code"]),
            (&json!("extra_forbidden"), &json!("extra_forbidden"))
        );
        assert_eq!(shaped["error"]["details"]["validation_errors"][0]["loc"], json!(["body", "colour"]));
    }

    #[test]
    fn what_may_be_tried_again_says_so() {
        let mut refused = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "slow down");
        refused.retry_after = Some(std::time::Duration::from_millis(1500));
        let details = &shape(&refused)["error"]["details"];
        assert_eq!(details, &json!({ "retryable": true, "retry_after_seconds": 2.0 }));
    }
}
