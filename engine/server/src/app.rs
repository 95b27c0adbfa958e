//! The server as a whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tokio::net::TcpListener;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use crate::database::{Database, DatabaseError};
use crate::jobs::{Jobs, Kinds};
use crate::organisations::{RateLimits, Tokens};
use crate::platform::error::ApiError;
use crate::platform::{auth, listen, openapi};
use crate::settings::Settings;
use crate::{mixpeek, native, runloop};

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder of the data cannot be used.
    #[error("cannot use the data directory `{path}`: {source}")]
    Data {
        /// The folder.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {source}; `--listen` names another address")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What every handler is handed: settings, database, tokens, jobs.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    settings: Settings,
    database: Database,
    tokens: Tokens,
    rates: RateLimits,
    jobs: Jobs,
}

impl App {
    /// Opens the data directory, which is made where it is not there.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder or the database in it cannot be used.
    pub fn open(settings: Settings) -> Result<Self, StartError> {
        let failed = |source| StartError::Data { path: settings.data.display().to_string(), source };
        std::fs::create_dir_all(organisations(&settings.data)).map_err(failed)?;
        let database = Database::open(&settings.data.join("rematch.db"))?;
        let tokens = Tokens::open(database.clone(), &settings.data.join("token.key")).map_err(failed)?;
        let jobs = Jobs::new(database.clone(), settings.queue, organisations(&settings.data), kinds());
        let rates = RateLimits::new(settings.rates);
        Ok(Self(Arc::new(Parts { settings, database, tokens, rates, jobs })))
    }

    /// Returns what the operator set.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Returns the database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// Returns the tokens.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Returns the limits of requests per second.
    #[must_use]
    pub fn rates(&self) -> &RateLimits {
        &self.0.rates
    }

    /// Returns the queue.
    #[must_use]
    pub fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    /// Returns the folder of an organisation: `files/`, `jobs/` and `cache/` lie in it, and its workers see nothing else.
    #[must_use]
    pub fn root_of(&self, organisation: &str) -> PathBuf {
        organisations(&self.0.settings.data).join(organisation)
    }

    /// Returns every route, and the document that describes them.
    #[must_use]
    pub fn router(&self) -> (Router, utoipa::openapi::OpenApi) {
        let frame = OpenApiRouter::with_openapi(openapi::Document::openapi());
        let (guarded, document) =
            frame.merge(native::routes()).merge(mixpeek::routes()).merge(runloop::routes()).split_for_parts();
        let guarded = guarded.layer(from_fn_with_state(self.clone(), auth::authenticate));
        let served = document.clone();
        let router = Router::new()
            .merge(guarded)
            .route("/healthz", get(async || "ok\n"))
            .route("/openapi.json", get(async move || openapi::serve(&served)))
            .fallback(async |uri: axum::http::Uri| ApiError::not_found("route", uri.path()))
            .layer(DefaultBodyLimit::max(self.settings().limits.body_bytes))
            .with_state(self.clone());
        (router, document)
    }
}

fn organisations(data: &Path) -> PathBuf {
    data.join("organisations")
}

/// What the queue can do.
fn kinds() -> Kinds {
    Kinds::default()
}

/// Serves until `stop` ends.
///
/// # Errors
///
/// Returns an error when the data cannot be used or the address cannot be listened at.
pub async fn start(settings: Settings, stop: impl Future<Output = ()>) -> Result<(), StartError> {
    let (address, limits) = (settings.address, settings.limits);
    let app = App::open(settings)?;
    let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
    let worker = tokio::spawn(app.jobs().clone().work(app.clone()));
    let (router, _) = app.router();
    tracing::info!(address = %listener.local_addr().unwrap_or(address), "listening");
    listen::serve(listener, router, limits, stop).await;
    app.jobs().close().await;
    worker.abort();
    Ok(())
}
