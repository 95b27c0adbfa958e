//! Bodies, queries and path segments, whose mistakes are [`ApiError`]s like any other.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::body::Upload;
use super::error::ApiError;
use crate::App;

/// A JSON body. An empty body reads as `{}`: some clients send nothing where all is optional.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let limits = app.settings().limits;
        let body = Upload::limited(request.into_body(), limits.body_bytes as u64).collect().await?;
        json(&body, limits.json_depth).map(Self)
    }
}

/// Reads a JSON body.
///
/// # Errors
///
/// Returns 400 for what is no JSON or nests too deep, and 422 for what does not have the form that is asked for.
pub fn json<T: DeserializeOwned>(body: &[u8], depth: usize) -> Result<T, ApiError> {
    let body: &[u8] = if body.trim_ascii().is_empty() { b"{}" } else { body };
    if nesting(body) > depth {
        return Err(ApiError::bad_request(format!("the body nests deeper than {depth} levels")));
    }
    // A list would be read as the members of an object in their order.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(ApiError::invalid(&["body"], "type_error", "the body is a list; expected an object"));
    }
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            // The position says little to whoever sent one line.
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            let field = message.split('`').nth(1).unwrap_or_default();
            ApiError::invalid(&["body", field], kind_of(message), message)
        }
        _ => ApiError::bad_request(format!("the body is not JSON: {error}")),
    })
}

/// Reads an object, or nothing, where a list would be read as the members of an object in their order.
///
/// # Errors
///
/// Returns an error for anything else.
pub fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let members: Option<Map<String, Value>> = Option::deserialize(deserializer)?;
    members.map(|members| serde_json::from_value(Value::Object(members)).map_err(D::Error::custom)).transpose()
}

fn kind_of(message: &str) -> &'static str {
    match message {
        message if message.starts_with("unknown field") => "extra_forbidden",
        message if message.starts_with("missing field") => "missing",
        message if message.starts_with("unknown variant") => "enum",
        _ => "type_error",
    }
}

/// Returns how deep brackets nest; strings are skipped.
fn nesting(body: &[u8]) -> usize {
    let (mut level, mut deepest) = (0_usize, 0_usize);
    let (mut quoted, mut escaped) = (false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                level += 1;
                deepest = deepest.max(level);
            }
            b'}' | b']' if !quoted => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The query of a URL.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Query(query) = axum::extract::Query::from_request_parts(parts, state)
            .await
            .map_err(|rejection: QueryRejection| ApiError::invalid(&["query"], "type_error", rejection.body_text()))?;
        Ok(Self(query))
    }
}

/// The segments of a path that are names, percent-decoded each.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Path(path) = axum::extract::Path::from_request_parts(parts, state)
            .await
            .map_err(|rejection: PathRejection| ApiError::bad_request(rejection.body_text()))?;
        Ok(Self(path))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn brackets_inside_strings_do_not_nest() {
        assert_eq!(nesting(br#"{"a":["[[[\"[[", {}]}"#), 3);
        assert_eq!(nesting(b"1"), 0);
        assert_eq!(nesting(b"]]]["), 1);
    }

    #[test]
    fn a_list_is_no_object() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "it is only read")]
        struct Asked {
            name: Option<String>,
        }
        let read = |body: &str| json::<Asked>(body.as_bytes(), 64);
        assert_eq!(read(" [null]").unwrap_err().status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(read("").is_ok() && read("{}").is_ok());
    }

    #[test]
    fn a_deep_body_is_refused_before_it_is_parsed() {
        let deep = "[".repeat(100_000);
        let error = json::<serde_json::Value>(deep.as_bytes(), 64).unwrap_err();
        assert_eq!(error.status, StatusCode::BAD_REQUEST);
    }
}
