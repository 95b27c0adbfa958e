//! Whether the server lives, and whether it can answer.

use axum::extract::State;
use axum::http::StatusCode;

use super::error::ApiError;
use crate::App;

/// `/healthz`: the process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// `/readyz`: the database answers too, and the server does not stop just now.
///
/// # Errors
///
/// Returns 503 while it should be sent no requests.
pub async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    let unready = |why: &str| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", why);
    if *app.stopping().borrow() {
        return Err(unready("the server is stopping"));
    }
    let answered = app.database().read(|connection| Ok(connection.query_row("SELECT 1", [], |_| Ok(()))?)).await;
    answered.map_err(|_| unready("the database does not answer"))?;
    Ok("ready\n")
}
