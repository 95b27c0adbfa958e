//! Bodies, queries and path segments, whose mistakes are [`ApiError`]s like any other.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::body::Upload;
use super::error::ApiError;
use super::mistake;
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
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize(&mut deserializer) {
        Ok(read) => deserializer.end().map(|()| read).map_err(mistake::no_json),
        Err(error) if error.inner().is_data() => Err(mistake::of_body(&error)),
        // Where one of some names is expected, another kind of value is taken for no JSON at all.
        Err(_) => {
            let value: Value = serde_json::from_slice(body).map_err(mistake::no_json)?;
            serde_path_to_error::deserialize(value).map_err(|error| mistake::of_body(&error))
        }
    }
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
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(mistake::of_query(&rejection, parts.uri.query().unwrap_or_default())),
        }
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
    fn a_mistake_is_told_with_its_place_and_in_the_words_of_json() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Role {
            Ci,
            Admin,
        }
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "it is only read")]
        struct Sample {
            count: u32,
            strata: Option<Vec<String>>,
        }
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "it is only read")]
        struct Asked {
            role: Role,
            #[serde(default)]
            overrides: Vec<String>,
            sample: Option<Sample>,
            #[serde(default, deserialize_with = "object")]
            other: Option<Sample>,
        }
        for (body, location, kind, message) in [
            (r#"{"role":"boss"}"#, "body.role", "enum", "`role` is `boss`; expected `ci` or `admin`"),
            (r#"{"role":5}"#, "body.role", "type_error", "`role` is the number 5; expected a string or an object"),
            (
                r#"{"role":"ci","overrides":{"a":1}}"#,
                "body.overrides",
                "type_error",
                "`overrides` is an object; expected a list",
            ),
            (
                r#"{"role":"ci","overrides":["a",[1]]}"#,
                "body.overrides.1",
                "type_error",
                "`overrides[1]` is a list; expected a string",
            ),
            (
                r#"{"role":"ci","colour":1}"#,
                "body.colour",
                "extra_forbidden",
                "unknown field `colour`, expected one of `role`",
            ),
            (r"{}", "body.role", "missing", "missing field `role`"),
            (
                r#"{"role":"ci","sample":{"count":-1}}"#,
                "body.sample.count",
                "type_error",
                "`sample.count` is the number -1; expected a whole number, 0 or more",
            ),
            (r#"{"role":"ci","sample":{"strata":[]}}"#, "body.sample.count", "missing", "missing field `count`"),
            (r#"{"role":"ci","sample":{"cuont":1}}"#, "body.sample.cuont", "extra_forbidden", "unknown field `cuont`"),
            (r#"{"role":"ci","sample":"`x`, expected y"}"#, "body.sample", "type_error", "expected an object"),
            (r#"{"role":"ci","other":{"cuont":1}}"#, "body.other.cuont", "extra_forbidden", "unknown field `cuont`"),
            (r#"{"role":null}"#, "body.role", "type_error", "`role` is null; expected"),
        ] {
            let error = json::<Asked>(body.as_bytes(), 64).unwrap_err();
            let field = &error.fields[0];
            assert_eq!(
                (field.location.join("."), field.kind.as_str()),
                (location.to_owned(), kind),
                "{body}: {field:?}"
            );
            assert!(error.message.contains(message) && error.message == field.message, "{body}: {}", error.message);
        }
        assert_eq!(json::<Asked>(b"{\"role\":\"ci\"} x", 64).unwrap_err().status, StatusCode::BAD_REQUEST);
        let long = format!("{{\"role\":\"{}\"}}", "x".repeat(100_000));
        assert!(json::<Asked>(long.as_bytes(), 64).unwrap_err().message.len() < 1000);
    }

    #[tokio::test]
    async fn a_wrong_parameter_is_told_by_its_name_and_value() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "it is only read")]
        struct Asked {
            table: String,
            limit: Option<u8>,
            least: Option<f64>,
            total: Option<bool>,
        }
        for (query, location, message) in [
            ("table=x&limit=abc", "query.limit", "`limit` is `abc`; expected a whole number, 0 or more"),
            ("table=x&limit=", "query.limit", "`limit` is ``; expected a whole number"),
            ("table=x&limit=300", "query.limit", "`limit` is `300`; expected a smaller number"),
            ("table=x&least=a%20b", "query.least", "`least` is `a b`; expected a number"),
            ("table=x&total=yes", "query.total", "`total` is `yes`; expected `true` or `false`"),
            ("limit=1", "query.table", "missing field `table`"),
            ("table=x&colour=1", "query.colour", "unknown field `colour`"),
            ("table=x&table=y", "query.table", "duplicate field `table`"),
        ] {
            let request = Request::builder().uri(format!("/rows?{query}")).body(axum::body::Body::empty()).unwrap();
            let (mut parts, _) = request.into_parts();
            let error = Query::<Asked>::from_request_parts(&mut parts, &()).await.unwrap_err();
            assert_eq!(
                (error.status.as_u16(), error.fields[0].location.join(".")),
                (422, location.to_owned()),
                "{query}"
            );
            assert!(error.message.contains(message), "{query}: {}", error.message);
        }
    }

    #[test]
    fn a_deep_body_is_refused_before_it_is_parsed() {
        let deep = "[".repeat(100_000);
        let error = json::<serde_json::Value>(deep.as_bytes(), 64).unwrap_err();
        assert_eq!(error.status, StatusCode::BAD_REQUEST);
    }
}
