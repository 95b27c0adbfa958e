//! Routes of the runloop API.

use utoipa_axum::router::OpenApiRouter;

use crate::App;

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}
