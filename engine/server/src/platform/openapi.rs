//! The OpenAPI document: made from the handlers, so that it cannot say anything else than they do.

use axum::Json;
use axum::response::IntoResponse;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

/// The name of the security requirement of every operation; its scope is `read`, `write` or `admin`: what a token's role
/// must allow.
pub const TOKEN: &str = "token";

/// The frame of the document; the families add their paths.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Rematch", description = "Replays the searches that real users made and says which retriever won."),
    modifiers(&Security)
)]
pub struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token")).build();
        components.add_security_scheme(TOKEN, SecurityScheme::Http(bearer));
        let key = ApiKey::Header(ApiKeyValue::with_description("X-API-Key", "The same token"));
        components.add_security_scheme("key", SecurityScheme::ApiKey(key));
    }
}

/// Serves the document.
pub fn serve(document: &utoipa::openapi::OpenApi) -> impl IntoResponse + use<> {
    Json(document.clone())
}
