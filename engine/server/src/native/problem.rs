//! Errors as the document describes them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::response::Response;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

/// An error, in the form of RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Always `about:blank`: `code` says what kind of error it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// A stable identifier of the kind of error.
    pub code: String,
    /// What was found, what was expected, and the fix.
    pub detail: String,
    /// Fields of the request that are wrong.
    #[schema(required = false)]
    pub errors: Vec<WrongField>,
    /// Further facts for programs.
    #[schema(value_type = Option<Object>)]
    pub details: Option<Value>,
}

/// A field of a request that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WrongField {
    /// Where it stands, from the outside in.
    pub location: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// The kind of mistake.
    pub kind: String,
}

/// What any operation may answer instead of what it is for.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let refusals = [
            ("400", "The request makes no sense"),
            ("401", "No valid token"),
            ("403", "The token's role does not allow it"),
            ("404", "There is no such thing, for this organisation"),
            ("409", "What is there is in another state than this needs"),
            ("413", "More than may be sent or kept"),
            ("422", "Understood, and wrong"),
            ("429", "Too many requests, or too many jobs"),
        ];
        let response = |description: &str| {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            ResponseBuilder::new().description(description).content("application/problem+json", content).build()
        };
        refusals.map(|(status, description)| (status.to_owned(), RefOr::T(response(description)))).into()
    }
}
