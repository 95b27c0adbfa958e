//! The OpenAPI document: made from the handlers, so that it cannot say anything else than they do.

use axum::http::header;
use axum::response::IntoResponse;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::error::FieldError;
use super::frame::is_below;

/// The name of the security requirement of every operation; its scope is `read`, `write` or `admin`: what a token's role
/// must allow.
pub const TOKEN: &str = "token";

/// The other header that takes the same token.
const KEY: &str = "key";

/// The frame of the document; the families add their paths.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Rematch",
        description = "Replays the searches that real users made and says which retriever won.\n\n\
            Every operation needs a token, as `Authorization: Bearer TOKEN` or `X-API-Key: TOKEN`. A token belongs to one \
            organisation and has a role: `runtime` reads, `ci` reads and writes, `admin` administers tokens too. The scope \
            of an operation's security requirement (`read`, `write`, `admin`) says what it needs. What belongs to another \
            organisation is answered exactly as what does not exist.\n\n\
            Every answer has an `X-Request-Id`: the one that was sent, or a new one; the server's log names it.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/", description = "This server")),
    components(schemas(Problem)),
    modifiers(&Security)
)]
pub struct Document;

/// An error of the native API, as RFC 9457 describes it.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "only described: errors are written from `ApiError`")]
pub struct Problem {
    /// Always `about:blank`.
    r#type: String,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// A stable identifier of the kind of error.
    code: String,
    /// What was found, what was expected, and the fix where there is one.
    detail: String,
    /// The fields that are wrong, where the error is about fields.
    errors: Option<Vec<FieldError>>,
    /// Further facts, which depend on the kind.
    details: Option<Value>,
}

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let text = "A token that `rematch token create` or `POST /v1/tokens` made";
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text)).build();
        components.add_security_scheme(TOKEN, SecurityScheme::Http(bearer));
        let key = ApiKey::Header(ApiKeyValue::with_description("X-API-Key", "The same token"));
        components.add_security_scheme(KEY, SecurityScheme::ApiKey(key));
    }
}

/// The tags: name, what is under it, and where the paths of its operations begin.
const TAGS: [(&str, &str, &[&str]); 5] = [
    ("Organisation", "Whose a token is, and the tokens of an organisation.", &["/v1/organisation", "/v1/tokens"]),
    (
        "Retriever benchmarks",
        "Retrievers, recorded interactions, benchmarks and evaluations, for clients of that API.",
        &["/v1/retrievers", "/v1/evaluations", "/v1/public"],
    ),
    (
        "Scenarios",
        "Scenarios, scoring contracts and benchmark runs, for clients of that API.",
        &["/v1/scenarios", "/v1/benchmarks", "/v1/benchmark_runs", "/v1/benchmark_jobs", "/v1/devboxes"],
    ),
    (
        "Runs",
        "Everything that the command line does with runs.",
        &["/v1/runs", "/v1/compare", "/v1/plan", "/v1/specs", "/v1/benchmark-schema"],
    ),
    (
        "Inputs",
        "Uploaded files, corpora and components, and the secrets of retrievers.",
        &["/v1/files", "/v1/corpora", "/v1/components", "/v1/secrets", "/v1/storage"],
    ),
];

/// Answers that the platform may give to any operation: status, in words.
const COMMON: [(&str, &str); 5] = [
    ("400", "The request cannot be read"),
    ("401", "There is no valid token"),
    ("403", "The token's role does not allow it"),
    ("429", "Too many requests; `Retry-After` says when the next is allowed"),
    ("500", "The server failed; its log has the cause under the request's id"),
];

/// Answers that it may give where there is a body.
const COMMON_OF_BODIES: [(&str, &str); 3] = [
    ("408", "The body did not come in time"),
    ("413", "The body is too large, or the organisation keeps too much"),
    ("422", "The body does not have the form that is asked for"),
];

/// Returns the document as it is served: with tags, and with what holds for every operation.
#[must_use]
pub fn finished(document: &utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    let operations = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, methods) in operations.into_iter().flatten() {
        let operations = methods.as_object_mut().into_iter().flatten().filter(|(method, _)| is_method(method));
        for (_, operation) in operations {
            if let Value::Object(operation) = operation {
                complete(path, operation);
            }
        }
    }
    let tags: Vec<Value> =
        TAGS.iter().map(|(name, description, _)| json!({ "name": name, "description": description })).collect();
    if let Value::Object(members) = &mut document {
        members.insert("tags".to_owned(), Value::Array(tags));
    }
    document
}

pub(super) fn is_method(key: &str) -> bool {
    ["get", "put", "post", "delete", "options", "head", "patch", "trace"].contains(&key)
}

fn complete(path: &str, operation: &mut Map<String, Value>) {
    // One chapter per family, however its handlers call themselves.
    if let Some(tag) = tag_of(path) {
        operation.insert("tags".to_owned(), json!([tag]));
    }
    // The same scope, whichever header the token comes in.
    if let Some(Value::Array(requirements)) = operation.get_mut("security")
        && let [Value::Object(only)] = requirements.as_slice()
        && let Some(scopes) = only.get(TOKEN).cloned()
    {
        requirements.push(json!({ KEY: scopes }));
    }
    let mut common: Vec<_> = COMMON.to_vec();
    if operation.contains_key("requestBody") {
        common.extend(COMMON_OF_BODIES);
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    if let Value::Object(responses) = responses {
        for (status, description) in common {
            responses.entry(status).or_insert_with(|| json!({ "description": description }));
        }
    }
}

fn tag_of(path: &str) -> Option<&'static str> {
    TAGS.iter().find(|(_, _, prefixes)| prefixes.iter().any(|prefix| is_below(path, prefix))).map(|(name, ..)| *name)
}

/// Serves the document.
pub fn serve(document: &Bytes) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/json")], document.clone())
}
