//! The namespace that a request is about, and which statuses its client knows.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::platform::error::ApiError;
use crate::platform::extract::Query;

/// Characters of a namespace's name.
const LONGEST: usize = 256;

/// The namespace: of the header `X-Namespace`, else of the query's `namespace`, else the one without a name.
#[derive(Debug, Clone)]
pub struct Namespace(pub String);

/// How a request names its namespace, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it stands for parameters in the OpenAPI document; `Namespace` reads them")]
pub struct NamespaceHeader {
    /// The namespace, by any name of up to 256 characters. Its things are seen in it alone. Without this header the query
    /// parameter `namespace` counts; without both, the namespace without a name.
    #[param(rename = "X-Namespace", max_length = 256)]
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct InQuery {
    namespace: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Namespace {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let name = match parts.headers.get("x-namespace") {
            Some(value) => {
                let text = std::str::from_utf8(value.as_bytes())
                    .map_err(|_| ApiError::bad_request("the header `X-Namespace` is not UTF-8"))?;
                text.trim().to_owned()
            }
            None => {
                let Query(InQuery { namespace }) = Query::from_request_parts(parts, state).await?;
                namespace.unwrap_or_default()
            }
        };
        if name.chars().count() > LONGEST {
            let message = format!("a namespace has at most {LONGEST} characters");
            return Err(ApiError::invalid(&["header", "X-Namespace"], "too_long", message));
        }
        Ok(Self(name))
    }
}

/// The newest client of each kind that takes 201, and not 200, for something that was made.
const NEWEST_WITH_201: [u32; 3] = [1, 3, 782];

/// The status that the client expects where something was made.
///
/// A generated client knows one status for each answer and silently returns nothing for any other: it is known by its
/// `User-Agent`, `OpenAPI-Generator/VERSION/python`.
#[derive(Debug, Clone, Copy)]
pub struct MadeStatus(pub StatusCode);

impl<S: Send + Sync> FromRequestParts<S> for MadeStatus {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self(agent.map_or(StatusCode::OK, made_status)))
    }
}

fn made_status(agent: &str) -> StatusCode {
    let version = agent.strip_prefix("OpenAPI-Generator/").and_then(|rest| rest.strip_suffix("/python"));
    let parts: Option<Vec<u32>> =
        version.and_then(|version| version.split('.').map(|part| part.parse().ok()).collect());
    match parts {
        Some(version) if version.as_slice() <= NEWEST_WITH_201.as_slice() => StatusCode::CREATED,
        _ => StatusCode::OK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_older_generated_clients_are_told_201() {
        let status = |version: &str| made_status(&format!("OpenAPI-Generator/{version}/python")).as_u16();
        assert_eq!([status("1.3.775"), status("1.3.0"), status("0.82.0"), status("1.3.782")], [201; 4]);
        assert_eq!([status("1.3.783"), status("1.4.0"), status("2.0.0"), status("next")], [200; 4]);
        assert_eq!(made_status("python-urllib3/2.2").as_u16(), 200);
        assert_eq!(made_status("OpenAPI-Generator/1.0.0/go").as_u16(), 200);
    }
}
