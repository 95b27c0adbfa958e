//! One error for all handlers; each API family writes it in its own shape.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

/// What a request is told when it cannot be answered.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// A stable identifier of the kind of error, in snake case: `not_found`.
    pub code: &'static str,
    /// What was found, what was expected, and the fix where the caller has one.
    pub message: String,
    /// Fields of the request that are wrong.
    pub fields: Vec<FieldError>,
    /// Further facts for programs.
    pub details: Option<Value>,
    /// After which time the request may be repeated.
    pub retry_after: Option<Duration>,
}

/// A field of a request that is wrong.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where it stands, `body.session_filter.min_interactions`, from the outside in.
    pub location: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// The kind of mistake, `missing`, `extra_forbidden`, `out_of_range`.
    pub kind: String,
}

impl ApiError {
    /// Returns an error of that status, kind and message.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: Vec::new(), details: None, retry_after: None }
    }

    /// Returns "no such thing", which an identifier of another organisation is told too, word for word.
    #[must_use]
    pub fn not_found(resource: &str, id: &str) -> Self {
        let mut error = Self::new(StatusCode::NOT_FOUND, "not_found", format!("no {resource} `{id}`"));
        error.details = Some(json!({ "resource": resource, "id": id }));
        error
    }

    /// Returns "this request makes no sense".
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// Returns "understood, and a field is wrong".
    #[must_use]
    pub fn invalid(location: &[&str], kind: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let location = location.iter().map(|&part| part.to_owned()).collect();
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_error", message.clone());
        error.fields.push(FieldError { location, message, kind: kind.to_owned() });
        error
    }

    /// Returns "the thing is in another state than this needs".
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// Returns "something broke here". The cause goes to the log and not to the client.
    #[must_use]
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        let message = "the server failed; its log has the cause under this request's id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }
}

impl IntoResponse for ApiError {
    /// The shape of the native API, RFC 9457; [`crate::platform::frame`] writes others.
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.message,
        });
        if let Value::Object(members) = &mut body {
            if !self.fields.is_empty() {
                members.insert("errors".to_owned(), json!(self.fields));
            }
            if let Some(details) = &self.details {
                members.insert("details".to_owned(), details.clone());
            }
        }
        let mut response = (self.status, axum::Json(body)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        finish(&mut response, &self);
        response.extensions_mut().insert(self);
        response
    }
}

/// Headers that an error has in every shape.
fn finish(response: &mut Response, error: &ApiError) {
    let headers = response.headers_mut();
    if let Some(after) = error.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs_f64().ceil().max(1.0) as u64));
    }
    if error.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
}

/// How an API family writes an error's body.
pub type Shape = fn(&ApiError) -> Value;

/// Returns an answer whose error, where it is one, is written in that shape.
pub(super) fn reshaped(shape: Shape, response: Response) -> Response {
    let Some(error) = response.extensions().get::<ApiError>().cloned() else { return response };
    let (mut head, _) = response.into_parts();
    let (written, body) = (error.status, axum::Json(shape(&error))).into_response().into_parts();
    // Others may have added headers meanwhile; what describes the old body goes.
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.extend(written.headers);
    Response::from_parts(head, body)
}
