//! Errors as the document describes them.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::response::Response;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};

pub(super) use crate::platform::openapi::Problem;

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
