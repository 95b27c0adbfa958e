//! What is around every request: an id, a span and a line in the log, errors in the family's shape, headers.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::field::Empty;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::error::{ApiError, Shape, reshaped};
use crate::organisations::Principal;

/// The header in which a request's id comes and goes.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of an id that a client may choose.
const LONGEST_ID: usize = 128;

/// What stands in the log for the route of a request that has none: its path may be anything.
const NO_ROUTE: &str = "unmatched";

/// Routes that are asked by machines all the time; their lines are told on level `debug`.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// A page may load nothing and be shown in no frame, unless its handler says otherwise.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Headers that every answer has which does not say otherwise.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// The id of a request: the client's where it is sane, else a new one. It is an extension of every request.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let sane = |id: &&str| {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
            (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(legal)
        };
        let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(sane);
        Self(given.map_or_else(|| Uuid::now_v7().simple().to_string(), ToOwned::to_owned))
    }
}

/// The paths of an API family that writes errors in a shape of its own.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Where its paths begin: `/v1/scenarios` is for that path and all below it.
    pub prefixes: &'static [&'static str],
    /// How it writes an error.
    pub shape: Shape,
}

/// The outermost middleware.
pub async fn frame(State(families): State<&'static [Family]>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = RequestId::of(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let shape = shape_of(families, request.uri().path());
    let span = span_of(&id, &method, &route);
    request.extensions_mut().insert(id.clone());
    async move {
        let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let response = answered.unwrap_or_else(|panic| ApiError::internal(words(panic.as_ref())).into_response());
        let mut response = with_body(response, shape);
        dress(response.headers_mut(), &id);
        tell(&method, &route, &response, begun.elapsed());
        response
    }
    .instrument(span)
    .await
}

#[cfg(not(feature = "opentelemetry"))]
fn span_of(id: &RequestId, _method: &Method, _route: &str) -> Span {
    tracing::info_span!("request", id = id.0, organisation = Empty)
}

/// With the names that collectors of spans know.
#[cfg(feature = "opentelemetry")]
fn span_of(id: &RequestId, method: &Method, route: &str) -> Span {
    tracing::info_span!(
        "request",
        id = id.0,
        organisation = Empty,
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = %method,
        http.route = route,
        http.response.status_code = Empty,
    )
}

fn shape_of(families: &[Family], path: &str) -> Option<Shape> {
    families
        .iter()
        .find(|family| family.prefixes.iter().any(|prefix| is_below(path, prefix)))
        .map(|family| family.shape)
}

/// Returns whether a path is that one or below it.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Gives an error a body where the router wrote none, and the family's shape.
fn with_body(response: Response, shape: Option<Shape>) -> Response {
    let status = response.status();
    let known = response.extensions().get::<ApiError>().is_some();
    let bare = !known && status.as_u16() >= 400 && !response.headers().contains_key(header::CONTENT_TYPE);
    let response = if bare { of_status(status, &response) } else { response };
    match shape {
        Some(shape) => reshaped(shape, response),
        None => response,
    }
}

fn of_status(status: StatusCode, bare: &Response) -> Response {
    let allow = bare.headers().get(header::ALLOW);
    let error = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            let allowed = allow.and_then(|methods| methods.to_str().ok()).unwrap_or("another method");
            ApiError::new(
                status,
                "method_not_allowed",
                format!("this path does not take that method; it takes {allowed}"),
            )
        }
        _ => ApiError::new(status, "refused", status.canonical_reason().unwrap_or("refused").to_lowercase()),
    };
    let mut response = error.into_response();
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
    response
}

fn dress(headers: &mut HeaderMap, id: &RequestId) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, id);
    }
}

/// Writes the line of the log. Paths and queries stand nowhere: what clients put there may be secret.
fn tell(method: &Method, route: &str, response: &Response, took: Duration) {
    let status = response.status().as_u16();
    let duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
    let organisation = response.extensions().get::<Principal>().map(|principal| principal.organisation.as_str());
    #[cfg(feature = "opentelemetry")]
    Span::current().record("http.response.status_code", status);
    #[cfg(feature = "prometheus")]
    super::figures::count(method, route, status, took);
    if PROBES.contains(&route) {
        tracing::debug!(%method, route, status, duration_ms, "answered");
    } else {
        tracing::info!(%method, route, status, duration_ms, organisation, "answered");
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a handler panicked: {}", text.unwrap_or("without words"))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;

    const FAMILIES: &[Family] =
        &[Family { prefixes: &["/v1/things"], shape: |error| json!({ "message": error.message, "code": error.code }) }];

    async fn ask(method: &str, path: &str, id: Option<&str>) -> (Response<()>, Value) {
        let router = Router::new()
            .route("/v1/things", get(async || "things"))
            .route("/v1/panic", get(async || -> &'static str { panic!("of a test") }))
            .fallback(async || ApiError::not_found("route", "that"))
            .layer(from_fn_with_state(FAMILIES, frame));
        let mut request = Request::builder().method(method).uri(path);
        if let Some(id) = id {
            request = request.header(REQUEST_ID, id);
        }
        let (parts, body) = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (Response::from_parts(parts, ()), serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn errors_of_the_router_have_the_shape_of_the_family_whose_path_it_is() {
        let (head, body) = ask("DELETE", "/v1/things", None).await;
        assert_eq!((head.status().as_u16(), &body["code"]), (405, &json!("method_not_allowed")));
        assert_eq!(head.headers()[header::ALLOW], "GET,HEAD");
        assert!(body.get("detail").is_none() && body["message"].is_string());
        let (head, body) = ask("GET", "/v1/things/below", None).await;
        assert_eq!((head.status().as_u16(), &body["message"]), (404, &json!("no route `that`")));
        let (_, body) = ask("GET", "/v1/thingsome", None).await;
        assert_eq!(body["detail"], "no route `that`");
        let (head, _) = ask("HEAD", "/v1/things", None).await;
        assert_eq!(head.status().as_u16(), 200);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_500_that_tells_nothing() {
        let (head, body) = ask("GET", "/v1/panic", None).await;
        assert_eq!((head.status().as_u16(), &body["code"]), (500, &json!("internal")));
        assert!(!body.to_string().contains("of a test"));
    }

    #[tokio::test]
    async fn a_sane_id_is_echoed_and_any_other_replaced() {
        let id = "stainless-python-retry-3f1b0d7e-9c1a-4a56-8a6e-000000000001";
        let (head, _) = ask("GET", "/v1/things", Some(id)).await;
        assert_eq!(head.headers()[REQUEST_ID], id);
        for wrong in ["", "a b", &"x".repeat(129), "\"><script>"] {
            let (head, _) = ask("GET", "/v1/things", Some(wrong)).await;
            assert_eq!(head.headers()[REQUEST_ID].len(), 32, "{wrong}");
        }
        assert_eq!(head.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(head.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
    }
}
